"""CoNLL-U as the packages conllu and pyconll read it, on generated odd files."""

import io
from collections import Counter

import numpy as np
import pytest

from skrnn.datasets import read_conllu

WORDS = [
    "a",
    "_",
    "#",
    "-",
    "1",
    "New York",
    "é",
    "\u200b",
    "x\xa0y",
    "\U0001f600",
    "'",
    '"',
    "1-2",
]
TAGS = ["NOUN", "VERB", "_", "X"]


def sentence(rng):
    """Return the lines of a sentence: words, ranges over some of them, empty nodes, comments."""
    rows = ["# text = a"] * int(rng.integers(0, 3))
    covered = 0
    if rng.random() < 0.1:
        rows.append(row("0.1", "e", "_"))
    n = int(rng.integers(1, 9))
    for i in range(1, n + 1):
        if i > covered and i < n and rng.random() < 0.3:
            covered = int(rng.integers(i + 1, n + 1))
            rows.append(row(f"{i}-{covered}", "ab", "_"))
        rows.append(row(str(i), rng.choice(WORDS), rng.choice(TAGS)))
        rows += [row(f"{i}.{k}", "e", "X") for k in range(1, int(rng.integers(0, 3)))]
    return rows


def row(number, form, tag):
    return "\t".join([number, form, "_", tag, *"_" * 6])


def damaged(rows, rng):
    """Change, exchange, repeat or remove one line."""
    rows = list(rows)
    i = int(rng.integers(len(rows)))
    kind = rng.integers(5)
    if kind == 0:
        del rows[i]
    elif kind == 1:
        rows.insert(i, rows[int(rng.integers(len(rows)))])
    elif kind == 2:
        rows[i] = rows[i].replace("\t", " ", 1)
    elif kind == 3:
        number, tab, rest = rows[i].partition("\t")
        rows[i] = "-".join(reversed(number.split("-"))) + tab + rest
    else:
        number, tab, rest = rows[i].partition("\t")
        rows[i] = rng.choice(["0", "x", "1-", "2-1", "1.0", "3"]) + tab + rest
    return rows


def test_conllu():
    conllu = pytest.importorskip("conllu")
    rng = np.random.default_rng(0)
    outcomes = Counter()
    for k in range(1000):
        sentences = [sentence(rng) for _ in range(int(rng.integers(1, 4)))]
        if k % 2:
            sentences[0] = damaged(sentences[0], rng)
        text = "\n\n".join(map("\n".join, sentences)) + "\n\n"
        try:
            theirs = conllu.parse(text)
            words = [[w for w in one if isinstance(w["id"], int)] for one in theirs]
            words = [one for one in words if one]
            expected = (
                [[w["form"] for w in one] for one in words],
                [[w["upos"] for w in one] for one in words],
            )
        except conllu.exceptions.ParseException:
            expected = None
        try:
            ours = read_conllu(io.StringIO(text))
        except ValueError:
            assert k % 2, text
            outcomes["refused by both" if expected is None else "refused by us"] += 1
            continue
        X, y = expected  # what the parser refuses is refused
        outcomes["damaged" if k % 2 else "sound"] += 1
        assert ours == (X, [[None if tag == "_" else tag for tag in tags] for tags in y]), text
    assert outcomes["sound"] == 500 and min(outcomes.values()) > 20 and len(outcomes) == 4


def test_pyconll():
    pyconll = pytest.importorskip("pyconll")
    rng = np.random.default_rng(1)
    for _ in range(1000):
        sentences = [sentence(rng) for _ in range(int(rng.integers(1, 4)))]
        text = "\n\n".join(map("\n".join, sentences)) + "\n\n"
        theirs = [
            [token for token in one if not (token.is_multiword() or token.is_empty_node())]
            for one in pyconll.load_from_string(text)
        ]
        X, y = read_conllu(io.StringIO(text))
        assert [[token.form for token in one] for one in theirs] == X
        assert y == [[token.upos for token in one] for one in theirs]
