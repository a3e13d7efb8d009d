"""Corpora read by the readers of CoNLL-U and of files of columns: samples, and whole ones."""

import io
import os
from pathlib import Path

import pytest

from skrnn.datasets import read_conll, read_conllu

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def conll(text, **named):
    return read_conll(io.StringIO(text), **named)


def real(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {name}: set SKRNN_DATA to the folder of data sets")
    return path


def lengths(sentences):
    return [len(sentence) for sentence in sentences]


# A few lines of corpora as they are published


def test_conll2003():
    text = (
        "-DOCSTART- -X- -X- O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n"
        "-DOCSTART- -X- -X- O\n\n# SYM O O\n"
    )
    assert conll(text) == ([["EU", "rejects"], ["#"]], [["I-ORG", "O"], ["O"]])
    assert conll(text, label_column=2)[1] == [["I-NP", "I-VP"], ["O"]]


def test_conll2002(tmp_path):
    path = tmp_path / "ned.train"
    text = "-DOCSTART- -DOCSTART- O\nDe Art O\nBelgië N B-LOC\n. Punc O\n\nIk Pron O\n"
    path.write_bytes(text.encode("latin-1"))
    X, y = read_conll(path, encoding="latin-1")
    assert X == [["De", "België", "."], ["Ik"]]
    assert y == [["O", "B-LOC", "O"], ["O"]]
    with pytest.raises(ValueError, match=r"line 3: the byte 0xeb is not UTF-8. Set encoding"):
        read_conll(path)


def test_germeval():
    text = (
        "#\thttp://de.wikipedia.org/wiki/Manfred_Korfmann [2009-10-17]\n1\tAufgrund\tO\tO\n"
        "2\t1951\tB-OTH\tO\n\n#\thttp://de.wikipedia.org/wiki/Troja [2009-10-17]\n1\t#\tO\tO\n"
    )
    expected = [["Aufgrund", "1951"], ["#"]], [["O", "B-OTH"], ["O"]]
    assert conll(text, token_column=1, label_column=2, comments="#") == expected
    with pytest.raises(ValueError, match=r"line 2: 4 column.*but line 1 has 2.*comments to what"):
        conll(text)


def test_multiconer():
    text = (
        "# id 5239d808-f300-46ea-aa3b-0e2ed9fc39d5\tdomain=en\n# _ _ O\nrobert _ _ B-PER\n\n"
        "# id 1 domain=en\nlatin _ _ O\n"
    )
    expected = [["#", "robert"], ["latin"]], [["O", "B-PER"], ["O"]]
    assert conll(text, comments="# id ") == expected


def test_broad_twitter_corpus():
    text = "RT\tO\n@ana\tB-PER\n\n\tO\nok\tO\n\n#\tO\nhm\tO\n"
    with pytest.warns(UserWarning, match=r"1 of 3 sentences were left out. line 4: the token, in"):
        X, y = conll(text, errors="skip")
    assert X == [["RT", "@ana"], ["#", "hm"]]
    assert y == [["O", "B-PER"], ["O", "O"]]


# Whole corpora


@pytest.mark.parametrize(
    ("part", "n_sentences", "n_words", "n_tags", "n_underscores"),
    # The words are the lines of integer ID; the rest of ten columns are 24, 2 and 1 empty nodes.
    [("train", 12543, 204585, 17, 5), ("dev", 2002, 25148, 17, 0), ("test", 2077, 25096, 17, 0)],
)
def test_english_web_treebank(part, n_sentences, n_words, n_tags, n_underscores):
    path = real(f"ud_english_ewt/en_ewt-ud-{part}.conllu")
    X, y = read_conllu(path)
    assert len(X) == len(y) == n_sentences
    assert lengths(X) == lengths(y)
    assert sum(lengths(X)) == n_words
    tags = [tag for labels in y for tag in labels]
    assert None not in tags
    assert len(set(tags)) == n_tags
    assert sum(sentence.count("_") for sentence in X) == n_underscores
    lemmas = [lemma for labels in read_conllu(path, "lemma")[1] for lemma in labels]
    assert None not in lemmas
    assert lemmas.count("_") == n_underscores


def test_first_sentence_of_the_treebank():
    X, y = read_conllu(real("ud_english_ewt/en_ewt-ud-test.conllu"))
    assert X[0] == ["What", "if", "Google", "Morphed", "Into", "GoogleOS", "?"]
    assert y[0] == ["PRON", "SCONJ", "PROPN", "VERB", "ADP", "PROPN", "PUNCT"]


ENTITIES = ["corporation", "creative-work", "group", "location", "person", "product"]


@pytest.mark.parametrize(
    ("name", "n_sentences", "n_tokens", "n_persons"),
    # Lines between the sentences of the first are a tab, those of the others are empty.
    [
        ("wnut17train.conll", 3394, 62730, 660),
        ("emerging.dev.conll", 1009, 15733, 470),
        ("emerging.test.annotated", 1287, 23394, 429),
    ],
)
def test_wnut17(name, n_sentences, n_tokens, n_persons):
    X, y = read_conll(real(f"wnut17/{name}"))
    assert len(X) == len(y) == n_sentences
    assert lengths(X) == lengths(y)
    assert sum(lengths(X)) == n_tokens
    labels = [label for sentence in y for label in sentence]
    assert labels.count("B-person") == n_persons
    assert set(labels) == {"O", *(f"{part}-{entity}" for part in "BI" for entity in ENTITIES)}


def test_wnut17_odd_tokens():
    tokens = {t for x in read_conll(real("wnut17/emerging.dev.conll"))[0] for t in x}
    assert {"#", "watched\u200bwas", "Dubbz\ufeff"} <= tokens


@pytest.mark.parametrize(
    ("name", "n_persons"), [("flytxt", 346), ("sjtu_adapt.txt", 331), ("uh_ritual", 304)]
)
def test_wnut17_submissions_stand_beside_the_truth(name, n_persons):
    # Their lines end in CR LF and the last has no end.
    X, y = read_conll(real(f"wnut17/submissions/{name}"))
    tokens, _ = read_conll(real("wnut17/emerging.test.annotated"))
    assert tokens == X
    assert lengths(y) == lengths(X)
    assert sum(labels.count("B-person") for labels in y) == n_persons
