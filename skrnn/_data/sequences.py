"""Sequences end to end in one array, and where each of them lies."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

# Most characters of a word that are read. Memory of a batch follows from its longest words, and
# what is longer is an address or a number.
LONGEST_WORD = 32


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Sequences of any lengths, end to end in one array.

    ``values`` may share memory with the user's array: it is read, never written.

    Attributes
    ----------
    values : ndarray of shape (total_steps, n_features)
        The steps of all sequences, C-contiguous.

    offsets : ndarray of shape (n_sequences + 1,), dtype=int64
        Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    spellings : (offsets, characters) or None
        Characters of the words that the last column of ``values`` numbers, as
        :func:`skrnn._data.spelling.spell` returns them; None where they are not read.
    """

    values: np.ndarray
    offsets: np.ndarray
    spellings: tuple | None = None

    is_stored: ClassVar[bool] = False  # True where `values` would be read, or made

    @classmethod
    def of(cls, parts):
        """Join arrays of shape (T_i, n_features), at least one, a sequence each."""
        return cls(np.concatenate(parts), lengths_to_offsets([len(part) for part in parts]))

    def __len__(self):
        return self.offsets.shape[0] - 1

    @property
    def n_steps(self):
        """Number of steps of all sequences."""
        return len(self.values)

    @property
    def n_columns(self):
        """Number of features, or of columns of ids."""
        return self.values.shape[1]

    @property
    def lengths(self):
        """Number of steps of each sequence, ndarray of shape (n_sequences,)."""
        return self.offsets[1:] - self.offsets[:-1]

    def take(self, indices):
        """Return the chosen sequences, in the order asked for.

        Parameters
        ----------
        indices : array-like of int or bool
            Indices, or a mask of shape (n_sequences,).

        Returns
        -------
        sequences : Sequences
            A copy of these sequences.
        """
        rows, offsets = step_rows(self.offsets, indices)
        return Sequences(self.values[rows], offsets, self.spellings)

    def ends(self, n):
        """Return the last n steps of each sequence, all of a shorter one; all of None.

        Returns
        -------
        sequences : Sequences
            A copy of these steps.
        """
        if n is None:
            return Sequences(self.values.copy(), self.offsets)
        return Sequences.of([values[-n:] for values in self.arrays()])

    def arrays(self):
        """Return the sequences one by one.

        Returns
        -------
        views : list of ndarray of shape (T_i, n_features)
            Views of ``values``.
        """
        return [self.values[start:stop] for start, stop in pairwise(self.offsets.tolist())]


def step_rows(offsets, indices):
    """Find the steps of chosen sequences.

    Parameters
    ----------
    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences start.

    indices : array-like of int or bool
        Indices, or a mask of shape (n_sequences,).

    Returns
    -------
    rows : ndarray of int
        The row of each of their steps.

    chosen_offsets : ndarray of shape (n_chosen + 1,), dtype=int64
        Where the chosen sequences start among `rows`.
    """
    indices = np.asarray(indices)
    if indices.dtype == bool:
        indices = np.flatnonzero(indices)
    indices = indices.astype(np.intp, copy=False)
    chosen = lengths_to_offsets(np.diff(offsets)[indices])
    # Step s of the result lies in the source at a distance constant within its sequence.
    shift = offsets[:-1][indices] - chosen[:-1]
    return np.repeat(shift, np.diff(chosen)) + np.arange(chosen[-1]), chosen


def lengths_to_offsets(lengths):
    """Return where sequences of these lengths start, and the last one ends; int64."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def locate(offsets, row):
    """Return the sequence and the step of a row of ``values``."""
    sequence = int(np.searchsorted(offsets, row, side="right")) - 1
    return sequence, int(row - offsets[sequence])


class ReadWhenNeeded:
    """What sequences have in common whose steps are read, or made, when they are needed."""

    is_stored = True
    starts: np.ndarray
    offsets: np.ndarray

    def __len__(self):
        return len(self.starts)

    @property
    def lengths(self):
        """Number of steps of each sequence, ndarray of shape (n_sequences,)."""
        return np.diff(self.offsets)
