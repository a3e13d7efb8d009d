"""Work stealing: every step is taken once and in turn; half of what is left is half the work."""

import numpy as np
import pytest
from kernel_tools import one_level

from skrnn._kernels import get_engine

each_level = pytest.mark.parametrize("level", one_level())
each_order = pytest.mark.parametrize("order", [1, -1])
LENGTHS = np.array([70, 66, 66, 40, 33, 20, 7, 7, 3, 1])


def left(lengths, order, i):
    """Return the steps that each sequence has left at step i of a loop."""
    if order > 0:
        return np.maximum(0, lengths - i)
    return np.minimum(lengths, lengths.max() - i)


@each_level
@each_order
@pytest.mark.parametrize("chunk", [0, 1, 5, 23])
@pytest.mark.parametrize(("start", "stop"), [(0, 10), (2, 7), (4, 6)])
def test_half_of_what_is_left_is_stolen(level, order, chunk, start, stop):
    engine = get_engine("float64", level)
    found = engine.steal_steps(LENGTHS, start, stop, order, chunk, engine.least_shared)
    per_chunk = -(-LENGTHS.max() // 32)
    rest = left(LENGTHS, order, chunk * per_chunk)[start:stop]
    if np.count_nonzero(rest) < 2:
        assert found is None
        return
    other, own = found
    assert (other["start"], own["stop"]) == (start, stop)
    assert start < other["stop"] == own["start"] < stop
    assert other["slice"] == own["slice"] == -1  # neither is a whole slice any more
    assert own["order"] == order
    assert own["next"] == own["done"] == chunk
    assert other["lock"] == own["lock"] == 0
    first, second = np.split(rest, [own["start"] - start])
    assert abs(first.sum() - second.sum()) <= 2 * rest.max()
    assert second.any()


@each_level
@each_order
def test_what_is_not_worth_it_stays(level, order):
    engine = get_engine("float64", level)
    lengths = np.array([4, 4])
    enough = -(-engine.least_shared // 8)
    assert engine.steal_steps(lengths, 0, 2, order, 0, enough) is not None
    assert engine.steal_steps(lengths, 0, 2, order, 0, enough - 1) is None
    assert engine.steal_steps(lengths, 0, 1, order, 0, 2 * enough) is None  # one sequence


def check_steps(by, turn, order, lengths=LENGTHS):
    """Every step that there is was taken once, each sequence's in the order of the loop."""
    for b, length in enumerate(lengths):
        assert (by[b, :length] >= 0).all(), f"sequence {b}: {by[b]}"
        assert (by[b, length:] == -1).all()
        np.testing.assert_array_equal(turn[b, :length][::order], np.arange(length))


@each_level
@each_order
@pytest.mark.parametrize("starts", [[0, 10], [0, 2, 10], [0, 0, 5, 10], [0, 1, 2, 3]])
def test_without_stealing_each_task_takes_its_own(level, order, starts):
    starts = np.array([*starts[:-1], len(LENGTHS)])
    by, turn, slices, chunk = get_engine("float64", level).share_steps(
        LENGTHS, starts, order, 0, False
    )
    check_steps(by, turn, order)
    owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    for b, length in enumerate(LENGTHS):
        assert (by[b, :length] == owners[b]).all()
    np.testing.assert_array_equal(slices, np.arange(len(starts) - 1))
    assert chunk == 3  # 70 steps in at most 32 chunks


@each_level
@each_order
def test_who_is_done_steals_what_nobody_has_begun(level, order):
    """One cursor after the other: the first finds all of the second task's steps."""
    engine = get_engine("float64", level)
    by, turn, slices, _ = engine.share_steps(
        LENGTHS, np.array([0, 2, 10]), order, engine.least_shared, False
    )
    check_steps(by, turn, order)
    stolen = {b for b in range(2, 10) if 0 in by[b]}
    assert 0 < len(stolen) < 8  # the last sequence is not shared
    assert (slices == -1).all()


@each_level
@each_order
def test_threads_hand_sequences_over_between_chunks(level, order):
    """The first thread waits in its first chunk until sequences are stolen from it."""
    lengths = np.array([70, 70, 69, 69, 68, 68, 7, 7, 3, 1])  # six begin in the first chunk
    engine = get_engine("float64", level)
    by, turn, _, chunk = engine.share_steps(
        lengths, np.array([0, 6, 8, 10]), order, engine.least_shared, True
    )
    check_steps(by, turn, order, lengths)
    shared = [b for b in range(len(lengths)) if len(set(by[b, : lengths[b]])) > 1]
    assert shared, "nothing was stolen from a sequence that had begun"
    for b in shared:
        steps = by[b, : lengths[b]]
        at = np.flatnonzero(np.diff(steps)) + 1  # counted from the end where the loop comes from it
        places = at if order > 0 else lengths.max() - at
        assert (places % chunk == 0).all()
