"""Sequences that overlap in one array, and their targets, are those that stand side by side."""

import numpy as np
from numpy.testing import assert_array_equal

from skrnn._data.overlapping_sequences import OverlappingSequences
from skrnn._network.overlapping_targets import OverlappingTargets, column
from skrnn._network.windows import Windows

STEPS = np.arange(24.0).reshape(12, 2)
STARTS, LENGTHS = np.array([0, 2, 5, 7]), np.array([5, 6, 2, 5])
N_WARMING = np.array([0, 3, 0, 1])  # steps that the sequence before has


def overlapping(**options):
    offsets = np.append(0, np.cumsum(LENGTHS))
    sequences = OverlappingSequences(STEPS, STARTS, offsets, **options)
    return sequences, OverlappingTargets(STEPS, STEPS[:, 0], STARTS, LENGTHS, N_WARMING)


def expected(i):
    rows = STEPS[STARTS[i] : STARTS[i] + LENGTHS[i]]
    targets = rows.copy()
    targets[: N_WARMING[i]] = np.nan
    return rows, targets


def test_chosen_ones_and_what_they_are_to_say():
    sequences, targets = overlapping()
    for chosen in ([0, 1, 2, 3], [3, 0], [1, 2]):
        rows, reference = (
            np.concatenate(part) for part in zip(*map(expected, chosen), strict=True)
        )
        found = targets.take(np.array(chosen)).load()
        assert_array_equal(sequences.take(chosen).values, rows)
        assert_array_equal(found.values, reference)
        assert_array_equal(found.weights, rows[:, 0])
        assert_array_equal(found.offsets, sequences.take(chosen).offsets)
        assert_array_equal(column(targets.take(np.array(chosen)), 1), reference[:, 1])
    assert_array_equal(STEPS, np.arange(24.0).reshape(12, 2))  # the shared steps stay


def test_windows_of_any_order_end_where_their_buffer_is_full():
    sequences, targets = overlapping(buffer_bytes=11 * 2 * 8)  # of eleven steps
    windows = Windows(sequences, targets, 8)
    for seed in range(5):
        order = windows.shuffled(np.random.RandomState(seed))
        assert_array_equal(order, np.random.RandomState(seed).permutation(4))
        seen, filled = [], np.cumsum(LENGTHS[order]) // 11
        for first, last, window in windows.read(order, np.arange(5)):
            assert len(set(filled[first:last])) == 1
            for place, i in zip(window.order, order[first:last], strict=True):
                rows, reference = expected(i)
                assert_array_equal(window.sequences.arrays()[place], rows)
                start = window.targets.offsets[place]
                assert_array_equal(window.targets.values[start : start + len(rows)], reference)
            seen += range(first, last)
        assert seen == [0, 1, 2, 3]
