"""Sequences in a file, read window by window while the kernels run on the window before.

Sequences that overlap in one array (``_data/overlapping_sequences.py``) are made in the same way,
in any order, as there is no disk to be spared.

A window is what one buffer holds: the sequences of some batches. An order drawn at random has
windows of whole blocks, runs of neighbors in the file. Blocks come in random order, and the
sequences of a window are shuffled among one another. So a disk reads block by block, and each
sequence still meets others in every epoch. With two windows or more, the next is read in a thread.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences, step_rows

# A window is shuffled from so many blocks: more mix better, fewer are longer reads.
BLOCKS = 64


class Window(NamedTuple):
    """Sequences in memory, and what is made of them."""

    sequences: Sequences
    targets: Any  # Targets of these sequences
    order: np.ndarray  # (n,) intp, the window's sequences as its batches take them


class Windows:
    """The windows of a training run.

    Parameters
    ----------
    sequences : StoredSequences or OverlappingSequences
    targets : Targets
        In memory.
    itemsize : int
        Bytes of a number in the kernels.
    """

    def __init__(self, sequences, targets, itemsize):
        self.sequences, self.targets = sequences, targets
        self.itemsize = itemsize
        self.size = sequences.buffer_bytes
        filled = self._filled(np.arange(len(sequences)))
        self.fits = len(filled) == 0 or filled[-1] <= self.size
        # Where windows end in the order that comes next.
        self.ends = _last_of_each(filled // self.size)
        self.whole = None

    def _filled(self, order):
        """Return the bytes up to each sequence of an order, that one included."""
        return np.cumsum(self.sequences.bytes_of(self.itemsize)[order])

    def shuffled(self, rng):
        """Draw an order: blocks at random, and sequences at random among those of one window.

        Parameters
        ----------
        rng : RandomState

        Returns
        -------
        ndarray of shape (n_sequences,)
        """
        n = len(self.sequences)
        if self.fits:
            return rng.permutation(n)
        if self.sequences.in_memory:
            order = rng.permutation(n)
            self.ends = _last_of_each(self._filled(order) // self.size)
            return order
        places = np.argsort(self.sequences.starts, kind="stable")
        blocks = _last_of_each(self._filled(places) // (self.size / BLOCKS))
        drawn = rng.permutation(len(blocks))
        rows, offsets = step_rows(np.append(0, blocks), drawn)
        order = places[rows]
        filled = self._filled(order)[offsets[1:] - 1]
        self.ends = offsets[1:][_last_of_each(filled // self.size) - 1]
        for first, last in pairwise([0, *self.ends.tolist()]):
            rng.shuffle(order[first:last])
        return order

    def read(self, order, batch_offsets):
        """Read the windows of an order.

        Parameters
        ----------
        order : ndarray of shape (n_sequences,), dtype=intp
            As `shuffled` has drawn it last, or the sequences one after the other.
        batch_offsets : ndarray of shape (n_batches + 1,)

        Yields
        ------
        first, last : int
            The window has batches `first` to `last - 1`.
        window : Window
        """
        # A batch that goes beyond its window is read with it.
        cuts = np.unique(np.append(0, np.searchsorted(batch_offsets, self.ends)))
        spans = list(pairwise(cuts.tolist()))
        if len(spans) == 1:
            yield *spans[0], self._whole(order)
            return
        with ThreadPoolExecutor(1, "skrnn-read-ahead") as reader:
            coming = self._submit(reader, order, batch_offsets, spans[0])
            for k, (first, last) in enumerate(spans):
                window = coming.result()
                if k + 1 < len(spans):
                    coming = self._submit(reader, order, batch_offsets, spans[k + 1])
                yield first, last, window
                del window

    def _submit(self, reader, order, batch_offsets, span):
        return reader.submit(self._read, order[batch_offsets[span[0]] : batch_offsets[span[1]]])

    def _read(self, batch_indices):
        """Read the sequences of a window in the order of the file."""
        places = np.argsort(self.sequences.starts[batch_indices], kind="stable")
        indices = batch_indices[places]
        order = np.empty(len(indices), np.intp)
        order[places] = np.arange(len(indices))
        read = self.sequences.read_in_file_order(indices)
        return Window(read, self.targets.take(indices).load(), order)

    def _whole(self, order):
        """Return the only window, which is read once for all epochs."""
        if self.whole is None:
            self.whole = self.sequences.load(), self.targets.load()
        return Window(*self.whole, order)


def _last_of_each(rising):
    """Return where runs of one whole number end in an array that rises: behind their last."""
    whole = np.floor(rising)
    return np.append(np.flatnonzero(np.diff(whole)) + 1, len(whole))
