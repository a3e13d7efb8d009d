"""Estimators with damaged states, in files and in use: see damage.py, which makes and uses them.

`SKRNN_HOSTILE_EXAMPLES` says how many; `make sanitize` runs them in a build with sanitizers.
"""

import os
import warnings

import pytest
from damage import try_mutant

EXAMPLES = int(os.environ.get("SKRNN_HOSTILE_EXAMPLES", "20000"))


def try_all(numbers):
    """Return how many mutants were refused, refused in use, and used."""
    counts = {"refused": 0, "refused in use": 0, "used": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in numbers:
            counts[try_mutant(number)] += 1
    return counts


def test_damaged_states():
    counts = try_all(range(300))
    assert min(counts.values()) > 20, counts  # of all kinds some


@pytest.mark.long
def test_many_damaged_states():
    assert sum(try_all(range(EXAMPLES)).values()) == EXAMPLES
