"""Names are the field's: those that were given up come back nowhere, and spelling is American."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("skrnn", "tests", "docs", "examples", "benchmarks")
KINDS = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".md")

# What was given up, as a regular expression, and what is said instead.
GIVEN_UP = {
    r"\bFrame\b": "SeriesTransform",
    r"\bunit_of\b": "power_of_two_scale",
    r"\b_forms\b": "formats",
    r"\b_symbols\b": "special_tokens",
    r"\b_rolling\b": "rollout",
    r"\b_?[Oo]ptimiser": "optimizer",
    r"\bTrainer\b": "EpochRunner",
    r"\blay_open\b": "inspect_batch",
    r"\btake_over\b": "steal",
    r"\bWalk\b": "Cursor",
    r"\b[Bb]undles?\b|_bundle|bundle_": "column block",
    r"\bLone\b": "SingleSeries",
    r"\bTexts\b": "PairData",
    r"\bFound\b": "Hypotheses",
    r"\bfollowers\b": "y",
    r"\bpieces\(": "ceil_div",
    r"\bbarred\b": "excluded",
    r"\b_?(?:penal|recogn|normal|regular|initial|vector)is(?:e|ed|es|ing|ation)\b": "-ize",
    r"(?:[Cc]ol|[Ff]av|[Bb]ehavi|[Nn]eighb)our": "-or",
}
# Still somewhere in the sources. The list is to become empty: whoever renames the last place of a
# name takes it out.
STILL_THERE = {
    r"\bFrame\b",
    r"\bunit_of\b",
    r"\b_symbols\b",
    r"\b_?[Oo]ptimiser",
    r"\bTrainer\b",
    r"\bFound\b",
    r"\bfollowers\b",
    r"\bbarred\b",
    r"\b[Bb]undles?\b|_bundle|bundle_",
    r"\b_?(?:penal|recogn|normal|regular|initial|vector)is(?:e|ed|es|ing|ation)\b",
    r"(?:[Cc]ol|[Ff]av|[Bb]ehavi|[Nn]eighb)our",
}


def sources():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths += [ROOT / f"{page}.md" for page in ("README", "CONTRIBUTING", "SECURITY")]
    return [path for path in paths if path.suffix in KINDS and path != Path(__file__).resolve()]


@pytest.mark.parametrize("old", sorted(GIVEN_UP.keys() - STILL_THERE))
def test_a_name_that_was_given_up_is_nowhere(old):
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sources()
        for match in re.finditer(old, path.read_text(encoding="utf-8"))
    }
    assert not found, f"say {GIVEN_UP[old]}"
