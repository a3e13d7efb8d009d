"""Sorting a batch: sequences by falling length, rows in slices, and where each row's h_{t-1} is."""

import itertools

import numpy as np
import pytest
from kernel_tools import one_level

from skrnn._kernels import get_engine

each_level = pytest.mark.parametrize("level", one_level())
BATCHES = {
    "ties": [3, 5, 3, 1, 5],
    "equal": [4, 4, 4],
    "one": [7],
    "empty sequences": [0, 2, 0, 1],
    "nothing but empty": [0, 0],
    "two slices": [40, 3, 90, 60, 200, 90, 40, 1, 77],  # 601 rows
}


def sort(level, lengths, batch):
    offsets = np.append(0, np.cumsum(lengths)).astype(np.intp)
    return get_engine("float64", level).sort_sequences(offsets, np.asarray(batch, np.intp))


@each_level
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_order_is_a_stable_sort_by_falling_length(level, lengths):
    batch = np.random.default_rng(0).permutation(len(lengths))
    found, lengths = sort(level, lengths, batch), np.array(lengths)
    expected = batch[np.argsort(-lengths[batch], kind="stable")]
    np.testing.assert_array_equal(found["order"], expected)
    np.testing.assert_array_equal(found["lengths"], lengths[expected])
    steps = np.arange(lengths.max() + 1)
    np.testing.assert_array_equal(found["active"], (lengths > steps[:, np.newaxis]).sum(axis=1))


@each_level
def test_a_batch_is_a_part_of_the_data(level):
    found = sort(level, [5, 9, 2, 7], [3, 0])
    np.testing.assert_array_equal(found["order"], [3, 0])
    assert len(found["active"]) == 7 + 1  # as long as the longest of the batch, not of the data


def rows_of(found):
    """Return {(sequence, step): packed row}, as slices and `first` say."""
    slices = found["slices"]
    places = {}
    for s, lo in enumerate(slices[:-1]):
        for b in range(lo, slices[s + 1]):
            for t in range(found["lengths"][b]):
                places[b, t] = found["first"][s, t] + b
    return places


@each_level
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_rows_are_step_after_step_within_a_slice(level, lengths):
    found = sort(level, lengths, range(len(lengths)))
    slices, slice_rows = found["slices"], found["slice_rows"]
    assert len(slices) - 1 == (2 if sum(lengths) >= 512 else 1)
    assert slices[0] == slice_rows[0] == 0
    assert slices[-1] == len(lengths) and slice_rows[-1] == sum(lengths)
    expected = [
        (b, t)
        for lo, hi in itertools.pairwise(slices)
        for t in range(max(lengths))
        for b in range(lo, hi)
        if t < found["lengths"][b]
    ]
    assert rows_of(found) == {place: row for row, place in enumerate(expected)}
    if len(slices) == 3:  # equal work, to within a sequence
        assert abs(2 * slice_rows[1] - slice_rows[2]) <= 2 * max(lengths)
        assert slice_rows[1] == found["lengths"][: slices[1]].sum()


@each_level
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_runs_lead_to_the_row_of_the_step_before(level, lengths):
    found = sort(level, lengths, range(len(lengths)))
    rows = rows_of(found)
    where = {row: place for place, row in rows.items()}
    for (d, s), runs in found["runs"].items():
        start, stop = found["slice_rows"][s], found["slice_rows"][s + 1]
        if start == stop:
            assert not len(runs)
            continue
        ends = np.append(runs[1:, 0], stop - start)
        assert len(runs) <= 2 * max(lengths)
        assert runs[0, 0] == 0
        for (first, source), end in zip(runs, ends, strict=True):
            assert first < end
            for k in range(end - first):
                b, t = where[start + first + k]
                before = t + 1 if d else t - 1
                state = -1 - source + k if source < 0 else None
                if (b, before) in rows:
                    assert source + k == rows[b, before]
                else:
                    assert state == b
    if len(set(lengths)) == 1 and sum(lengths):
        assert all(len(runs) == min(2, max(lengths)) for runs in found["runs"].values())
