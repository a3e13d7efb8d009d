"""Names are the field's: those that were given up come back nowhere, and spelling is American."""

import re
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
