"""The table of cells: gates, states, and where the kernels keep what in a packed row.

The arithmetic of a cell is ``_kernels/cells/<name>.pxd``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """Where a cell keeps what, in gate vectors (`lanes` units of one gate) of a packed row."""

    gate_ih: np.ndarray  # gate of weight_ih that feeds each gate vector, -1 for none
    gate_hh: np.ndarray  # likewise weight_hh
    unit_block: np.ndarray  # block of `lanes` units of each gate vector
    block_x: np.ndarray  # (n_column_blocks, 4) gate vector that weight_ih feeds, or -1
    block_h: np.ndarray  # likewise weight_hh


@dataclass(frozen=True)
class Cell:
    """One row of the table of cells; the kernels' part is ``_kernels/cells/<name>.pxd``."""

    gates: int  # rows of weight_ih and weight_hh are gates * H, in PyTorch's order
    saved: int  # numbers kept per unit and step, from the forward to the backward pass
    has_c: bool
    layout: Callable[[int], Layout]


@cache
def _lstm(blocks):
    """Layout of i, f, g, o of each block side by side."""
    vectors = np.arange(4 * blocks)
    column_blocks = vectors.reshape(blocks, 4)
    return Layout(vectors % 4, vectors % 4, vectors // 4, column_blocks, column_blocks)


@cache
def _gru(blocks):
    """Layout n | r, z of each block | m. PyTorch's order of gates is r, z, n."""
    block = np.arange(blocks)
    none = np.full(blocks, -1)
    r, z = blocks + 2 * block, blocks + 2 * block + 1
    rz = np.tile([0, 1], blocks)
    return Layout(
        np.concatenate([none + 3, rz, none]),
        np.concatenate([none, rz, none + 3]),
        np.concatenate([block, np.repeat(block, 2), block]),
        np.column_stack([block, r, z, none]),
        np.column_stack([none, r, z, 3 * blocks + block]),
    )


@cache
def _rnn(blocks):
    """Layout of one gate; a column block is four unit blocks, the last may be short."""
    vectors = np.arange(blocks)
    column_blocks = np.full((-(-blocks // 4), 4), -1)
    column_blocks.flat[:blocks] = vectors
    return Layout(vectors * 0, vectors * 0, vectors, column_blocks, column_blocks)


CELLS = {
    "lstm": Cell(gates=4, saved=4, has_c=True, layout=_lstm),
    "gru": Cell(gates=3, saved=4, has_c=False, layout=_gru),
    "rnn": Cell(gates=1, saved=1, has_c=False, layout=_rnn),
}
