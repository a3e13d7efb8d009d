"""Sorting the places of tokens: what sums the gradient of an embedding."""

import numpy as np
import pytest
from kernel_tools import one_level

from skrnn._kernels import get_engine

TOKENS = {
    "one": [4],
    "all equal": [2] * 7,
    "falling": [5, 4, 3, 2, 1, 0],
    "no power of two": [1, 0, 2, 0, 1, 2, 2, 0, 1, 1, 7],
    "many": np.random.default_rng(0).integers(0, 50, 1000),
}


@pytest.mark.parametrize("level", one_level())
@pytest.mark.parametrize("tokens", TOKENS.values(), ids=TOKENS)
def test_places_are_sorted_by_token_and_then_by_place(level, tokens):
    tokens = np.asarray(tokens, np.intp)
    order, runs = get_engine("float64", level).sort_places(tokens)
    np.testing.assert_array_equal(order, np.argsort(tokens, kind="stable"))
    _, counts = np.unique(tokens, return_counts=True)
    np.testing.assert_array_equal(runs, np.append(0, np.cumsum(counts)))
