"""Names are the field's: those that were given up come back nowhere, and spelling is American."""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("skrnn", "tests", "docs", "examples", "benchmarks")
KINDS = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".md")

ROOTS = (
    "penal|recogn|normal|regular|initial|vector|util|organ|real|minim|maxim|general|serial|token|"
    "summar"
)

# What was given up, as a regular expression, and what is said instead.
GIVEN_UP = {
    r"\bFrame\b": "SeriesTransform",
    r"\bunit_of\b": "power_of_two_scale",
    r"\b_forms\b": "formats",
    r"\b_symbols\b": "special_tokens",
    r"\b_rolling\b": "rollout",
    r"\b[Oo]ptimiser": "optimizer",  # with a "_" before it is a key in files, which cases use
    r"(?<!crfsuite\.)\b[Tt]rainer\b": "EpochRunner",  # python-crfsuite has one
    r"\blay_open\b": "inspect_batch",
    r"\btake_over\b": "steal",
    r"\bWalk\b": "Cursor",
    r"\b[Bb]undles?\b|_bundle|bundle_": "column block",
    r"\bLone\b": "SingleSeries",
    r"\bTexts\b": "PairData",
    r"\bFound\b(?! array)": "Hypotheses",  # errors of scikit-learn begin so
    r"\bfollowers\b": "y",
    r"\bpieces\(": "ceil_div",
    r"\bbarred\b": "excluded",
    r"\bslots\b(?!=)": "saved",
    r"level_dropout": "layer",
    r"\bread_symbols\b|SymbolStreaming": "special tokens",
    rf"\b_?(?:{ROOTS})is(?:e|ed|es|ing|ation)\b": "-ize",
    r"(?:[Cc]ol|[Ff]av|[Bb]ehavi|[Nn]eighb)our": "-or",
}

# What was given up but is also a word of English: no name of code is it where it was one. `need`,
# `_stream` and `_training.Training`, which scripts outside of the package look for, stay.
KERNELS = "skrnn/_kernels/**/*.p[yx][xdi]"
EVERYWHERE = ("skrnn/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "examples/*.py", KERNELS)
PACKAGE = ("skrnn/**/*.py", KERNELS)
NETWORK = ("skrnn/_network/*.py", "tests/kernels/*.py", "tests/oracle/*.py", KERNELS)
WORDS_GIVEN_UP = {
    "spread": ("std", ("skrnn/_forecaster/*.py",)),
    "size": ("rms", ("skrnn/_forecaster/transform.py",)),
    "roll": ("rollout", ("skrnn/_forecaster/*.py", KERNELS)),
    "form": ("format", PACKAGE),
    "stream|streams": ("document, carried states, stepping", EVERYWHERE),
    "Layer|Part|Walk|Pair": ("layer, Task, Cursor, PairData", EVERYWHERE),
    "chosen|bounds": ("batch_indices, batch_offsets", NETWORK),
    "carried|fresh|noise": ("carried_states, reset_mask, dropout_rates", (*PACKAGE, *NETWORK)),
    "numbers": ("values", (*NETWORK, "skrnn/*.py", "skrnn/_base/target_scale.py")),
    "said|parent": ("tokens, back_pointers", (*PACKAGE, *NETWORK)),
    "wanted|asked|reach|followers": ("targets, lag, y", EVERYWHERE),
    "second": ("v", ("skrnn/_network/*.py", "skrnn/_kernels/optimizer.pxd")),
    "text": (
        "message",
        ("skrnn/_base/*.py", "skrnn/_data/*.py", "skrnn/_network/*.py", "skrnn/_forecaster/*.py"),
    ),
}
# Functions that did not say what of.
FUNCTION_GIVEN_UP = re.compile(r"\bdef _?(?:cut|chunks?|split|roll)\(|\bsplit\(.*nogil")


def sources():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths += [ROOT / f"{page}.md" for page in ("README", "CONTRIBUTING", "SECURITY")]
    paths.append(ROOT / "setup.py")
    return [path for path in paths if path.suffix in KINDS and path != Path(__file__).resolve()]


def places(old):
    return {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sources()
        for match in re.finditer(old, path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("old", sorted(GIVEN_UP))
def test_a_name_that_was_given_up_is_nowhere(old):
    assert not places(old), f"say {GIVEN_UP[old]}"


@cache
def names_of_code(path):
    """Return (line, name) of all names in a file that are code: no comments, no strings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        at = [k for k, token in enumerate(tokens) if token.type == tokenize.NAME]
        # What Python and NumPy call so is theirs: `path.parent`, `from numbers import`.
        return [
            (tokens[k].start[0], tokens[k].string)
            for k in at
            if not (tokens[k].string in THEIRS and tokens[k - 1].string in {".", "from"})
        ]
    text = re.sub(r'""".*?"""', lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    lines = [re.sub(r'#.*|"[^"]*"', "", line) for line in text.splitlines()]
    return [(n, name) for n, line in enumerate(lines, 1) for name in re.findall(r"\w+", line)]


THEIRS = {"parent", "numbers", "size", "roll"}


@pytest.mark.parametrize("old", sorted(WORDS_GIVEN_UP))
def test_a_word_that_was_given_up_names_nothing(old):
    instead, patterns = WORDS_GIVEN_UP[old]
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for pattern in patterns
        for path in ROOT.glob(pattern)
        for line, name in names_of_code(path)
        if re.fullmatch(old, name)
    ]
    assert not found, f"say {instead}"


def test_functions_say_what_they_cut():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for pattern in PACKAGE
        for path in ROOT.glob(pattern)
        for match in FUNCTION_GIVEN_UP.finditer(path.read_text(encoding="utf-8"))
        if path.parent.name != "model_selection"  # `split` of scikit-learn's splitters
    ]
    assert not found
