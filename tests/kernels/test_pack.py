"""Packing: each weight stands where the register tile reads it, and all else is zero."""

import numpy as np
import pytest
from kernel_tools import one_level, variants

from skrnn._kernels import get_engine

each_variant = pytest.mark.parametrize(("level", "dtype"), variants(one_level))
SHAPES = [(1, 3, 3), (1, 5, 16), (2, 3, 16)]  # segments, width, stride of an input row


def groups(cols, tile_cols):
    """Yield (first vector column, how many) of each group that one tile takes."""
    for first in range(0, cols, tile_cols):
        yield first, min(tile_cols, cols - first)


@each_variant
@pytest.mark.parametrize(("segments", "width", "stride"), SHAPES)
@pytest.mark.parametrize("cols", [1, 2, 3, 4])
def test_column_block(level, dtype, segments, width, stride, cols):
    engine = get_engine(dtype, level)
    lanes, rng = engine.lanes, np.random.default_rng(0)
    W = rng.normal(size=(3 * lanes, segments * width)).astype(dtype)
    row_of = np.append(rng.permutation(3 * lanes), np.full(lanes, -1)).astype(np.intp)
    rng.shuffle(row_of)  # padding anywhere
    starts = (rng.permutation(4)[:cols] * lanes).astype(np.intp)
    out = engine.pack(W, segments, stride, starts, row_of)
    K, at = (segments - 1) * stride + width, 0
    for first, n in groups(cols, engine.tile_cols):
        block = out[at : at + K * n * lanes].reshape(K, n, lanes)
        at += block.size
        expected = np.zeros_like(block)
        for c in range(n):
            for lane in range(lanes):
                row = row_of[starts[first + c] + lane]
                for k in range(segments * width if row >= 0 else 0):
                    expected[k // width * stride + k % width, c, lane] = W[row, k]
        np.testing.assert_array_equal(block, expected)
    assert at == out.size


@each_variant
@pytest.mark.parametrize(("segments", "width"), [(1, 3), (1, 16), (2, 5), (2, 19)])
def test_transposed(level, dtype, segments, width):
    engine = get_engine(dtype, level)
    lanes, rng = engine.lanes, np.random.default_rng(0)
    stride = -(-width // lanes) * lanes
    W = rng.normal(size=(7, segments * width)).astype(dtype)
    row_of = np.array([3, -1, 0, 6, -1, 1, 2, 5], np.intp)
    K, total = len(row_of), segments * stride // lanes
    for first in range(total):
        cols = min(4, total - first)
        out = engine.pack_transpose(W, segments, stride, first, cols, row_of)
        at = 0
        for group, n in groups(cols, engine.tile_cols):
            block = out[at : at + K * n * lanes].reshape(K, n, lanes)
            at += block.size
            expected = np.zeros_like(block)
            for k, row in enumerate(row_of):
                for c in range(n):
                    for lane in range(lanes):
                        column = (first + group + c) * lanes + lane
                        segment, place = divmod(column, stride)
                        if row >= 0 and place < width:
                            expected[k, c, lane] = W[row, segment * width + place]
            np.testing.assert_array_equal(block, expected)
        assert at == out.size


@each_variant
def test_what_leads_out_of_the_weights_is_refused(level, dtype):
    engine = get_engine(dtype, level)
    W, lanes = np.ones((2, 3), dtype), engine.lanes
    columns = np.zeros(lanes, np.intp)
    with pytest.raises(ValueError, match="out of their arrays"):
        engine.pack(W, 1, 3, np.array([1]), columns)
    with pytest.raises(ValueError, match="out of W"):
        engine.pack_transpose(W, 1, lanes, 1, 1, columns)
