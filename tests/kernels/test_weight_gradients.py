"""Panels: which rows of a weight gradient are summed, in which order, and from when on."""

import numpy as np
import pytest
from kernel_tools import one_level, variants

from skrnn._kernels import get_engine

PANEL = 128
SIZES = [1, 127, 128, 129, 300]
each_variant = pytest.mark.parametrize(("level", "dtype"), variants(one_level))


def integers(rng, shape, dtype):
    """Draw small integers, whose sums are exact in any order."""
    return rng.integers(-3, 4, shape).astype(dtype)


@pytest.mark.parametrize("level", one_level())
@pytest.mark.parametrize("N", SIZES)
def test_order_and_completeness(level, N):
    """A loop fills rows from the first on (order 1), or from the last back (order -1)."""
    engine = get_engine("float64", level)
    for order in (1, -1):
        for done in range(N + 1):
            starts, complete = engine.panel_order(N, order, done)
            np.testing.assert_array_equal(starts, np.arange(0, N, PANEL)[::order])
            filled = np.arange(N) < done if order > 0 else np.arange(N) >= done
            expected = [filled[start : start + PANEL].all() for start in starts]
            np.testing.assert_array_equal(complete, expected)


@each_variant
@pytest.mark.parametrize("N", SIZES)
@pytest.mark.parametrize("width", [1, 7, 200])  # 200: more input columns than one task takes
@pytest.mark.parametrize("threads", [1, 2])
def test_every_row_is_summed_once(level, dtype, N, width, threads):
    engine, rng = get_engine(dtype, level), np.random.default_rng(N)
    lanes = engine.lanes
    row_of = np.append(rng.permutation(5 * lanes - 2), [-1, -1]).astype(np.intp)
    rng.shuffle(row_of)
    dZ, X = integers(rng, (N, 5 * lanes), dtype), integers(rng, (N, width), dtype)
    kept = row_of >= 0
    dW, db = np.empty((5 * lanes - 2, width)), np.empty(5 * lanes - 2)
    dW[row_of[kept]], db[row_of[kept]] = dZ.T[kept] @ X, dZ.sum(axis=0)[kept]
    for order in (1, -1):
        got, bias, tasks = engine.sum_panels(dZ, X, row_of, len(dW), order, threads)
        np.testing.assert_array_equal(got, dW)
        np.testing.assert_array_equal(bias, db)
        assert tasks > 1 or threads == 1 == tasks or width == 1


@each_variant
def test_panels_are_added_in_their_order(level, dtype):
    """Beside a number at the end of the precision, a one that comes later is lost."""
    engine = get_engine(dtype, level)
    large = 2.0 ** (np.finfo(dtype).nmant + 1)
    dZ = np.ones((2 * PANEL, engine.lanes), dtype)
    dZ[0] = large
    dZ[1:PANEL] = 0
    X, row_of = np.ones((2 * PANEL, 1), dtype), np.arange(engine.lanes)
    first, last = (engine.sum_panels(dZ, X, row_of, len(row_of), order, 1) for order in (1, -1))
    assert (first[0] == large).all() and (first[1] == large).all()
    assert (last[0] == large + PANEL).all() and (last[1] == large + PANEL).all()


@each_variant
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("lengths", [[150, 150, 3, 1], [90] * 6])  # two slices each
def test_rows_before_are_found_through_runs(level, dtype, order, lengths):
    """dW_hh multiplies the gradients of a step with the states of the step before."""
    engine, rng = get_engine(dtype, level), np.random.default_rng(1)
    found = engine.sort_sequences(np.append(0, np.cumsum(lengths)), np.arange(len(lengths)))
    states = integers(rng, (sum(lengths), 3), dtype)
    initial = integers(rng, (len(lengths), 3), dtype)
    for (d, s), runs in found["runs"].items():
        lo, hi = found["slice_rows"][s : s + 2]
        dZ = integers(rng, (hi - lo, engine.lanes), dtype)
        before = np.full((hi - lo, 3), np.nan)
        for b in range(*found["slices"][s : s + 2]):
            rows = found["first"][s, : found["lengths"][b]] + b
            h = np.concatenate([initial[b : b + 1], states[rows[:: -1 if d else 1]]])[:-1]
            before[rows - lo] = h[:: -1 if d else 1]
        got, _, _ = engine.sum_panels(
            dZ, states, np.arange(engine.lanes), engine.lanes, order, 1, runs, initial
        )
        np.testing.assert_array_equal(got, dZ.T @ before)
