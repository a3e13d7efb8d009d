"""Sequences whose steps stay in a file: chosen ones are read when they are needed."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.sequences import ReadWhenNeeded, Sequences, lengths_to_offsets

# Steps that nobody asked for are read along where the way around them would be a read of its own.
GAP_BYTES = 2**18
BUFFER_BYTES = 2**26


class DamagedStoreError(ValueError):
    """A file of a store is missing, has another size, or holds what was not written there."""


@dataclass(frozen=True)
class StepFile:
    """A file of steps: an array of shape (n_steps, n_columns), in C order.

    Attributes
    ----------
    path : str
    start : int
        Byte where the array begins.
    dtype : dtype
    n_steps, n_columns : int
    """

    path: str
    start: int
    dtype: np.dtype
    n_steps: int
    n_columns: int

    @property
    def step_bytes(self):
        """Bytes of a step."""
        return self.dtype.itemsize * self.n_columns

    def read(self, file, out, first):
        """Fill an array with the steps from `first` on.

        Parameters
        ----------
        file : binary file
            This one, open.
        out : ndarray of shape (n, n_columns), C-contiguous
        first : int
        """
        file.seek(self.start + first * self.step_bytes)
        view = memoryview(out).cast("B")
        done = 0
        while done < len(view):
            n = file.readinto(view[done:])
            if not n:
                raise DamagedStoreError(
                    f"{self.path} ends before step {first + len(out)}: it was cut short after the "
                    "store was opened. Write the store anew."
                )
            done += n


@dataclass(frozen=True)
class StoredSequences(ReadWhenNeeded):
    """Sequences in a file: what `Sequences` is in memory, but for `values`, which reads them all.

    Attributes
    ----------
    file : StepFile

    starts : ndarray of shape (n_sequences,), dtype=int64
        First step of each sequence in the file.

    offsets : ndarray of shape (n_sequences + 1,), dtype=int64
        As in `Sequences`, of the chosen sequences put end to end.

    n_columns : int
        Columns of what is read.

    encode : callable
        Makes of steps as they lie in the file what the network reads.

    buffer_bytes : int
        Most bytes of sequences in memory at once.
    """

    file: StepFile
    starts: np.ndarray
    offsets: np.ndarray
    n_columns: int
    encode: Callable
    buffer_bytes: int = BUFFER_BYTES

    in_memory = False

    @property
    def n_steps(self):
        """Number of steps of all sequences."""
        return int(self.offsets[-1])

    @property
    def values(self):
        """All steps, read now; (total_steps, n_columns)."""
        return self.load().values

    def load(self):
        """Return all sequences in memory."""
        return self.read(np.arange(len(self)))

    def arrays(self):
        """Return the sequences one by one, in memory."""
        return self.load().arrays()

    def ends(self, n):
        """Return the last n steps of each sequence, all of a shorter one; all of None."""
        if n is None:
            return self.load()
        skipped = np.maximum(self.lengths - n, 0)
        offsets = lengths_to_offsets(self.lengths - skipped)
        return replace(self, starts=self.starts + skipped, offsets=offsets).load()

    def take(self, indices):
        """Return the chosen sequences, in the order asked for; nothing is read.

        Parameters
        ----------
        indices : array-like of int or bool
            Indices, or a mask of shape (n_sequences,).

        Returns
        -------
        StoredSequences
        """
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        offsets = lengths_to_offsets(self.lengths[indices])
        return replace(self, starts=self.starts[indices], offsets=offsets)

    def read(self, indices):
        """Read chosen sequences, from the front of the file to its end.

        Parameters
        ----------
        indices : ndarray of int

        Returns
        -------
        Sequences
            In the order of `indices`.
        """
        places = np.argsort(self.starts[indices], kind="stable")
        in_file_order = self.read_in_file_order(indices[places])
        if (places[1:] > places[:-1]).all():
            return in_file_order
        return in_file_order.take(np.argsort(places))

    def read_in_file_order(self, indices):
        """Read chosen sequences.

        Parameters
        ----------
        indices : ndarray of int
            With rising `starts`.

        Returns
        -------
        Sequences
        """
        starts, offsets = self.starts[indices], lengths_to_offsets(self.lengths[indices])
        stops, file = starts + np.diff(offsets), self.file
        steps = np.empty((offsets[-1], file.n_columns), file.dtype)
        gap = GAP_BYTES // file.step_bytes
        first = np.append(0, np.flatnonzero(starts[1:] - stops[:-1] > gap) + 1)
        try:
            with open(file.path, "rb", buffering=0) as handle:
                for a, b in zip(first, np.append(first[1:], len(starts))) if len(starts) else ():
                    self._read_span(handle, steps, starts[a:b], offsets[a : b + 1])
        except OSError as error:
            raise DamagedStoreError(f"{file.path} cannot be read: {error}") from error
        return Sequences(self.encode(steps), offsets)

    def _read_span(self, handle, steps, starts, offsets):
        """Read sequences that lie close to each other into `steps[offsets[0]:offsets[-1]]`."""
        stops, out = starts + np.diff(offsets), steps[offsets[0] : offsets[-1]]
        if (starts[1:] == stops[:-1]).all():
            self.file.read(handle, out, int(starts[0]))
            return
        low = int(starts.min())
        span = np.empty((int(stops.max()) - low, self.file.n_columns), self.file.dtype)
        self.file.read(handle, span, low)
        rows = np.repeat(starts - low - (offsets[:-1] - offsets[0]), np.diff(offsets))
        np.take(span, rows + np.arange(len(out)), axis=0, out=out)

    def bytes_of(self, itemsize):
        """Return the bytes that each sequence takes, at so many bytes per number; float64."""
        per_step = max(self.file.step_bytes, self.n_columns * itemsize)
        return self.lengths * float(per_step)

    def parts(self, itemsize=8):
        """Read all sequences in parts that fit the buffer.

        Yields
        ------
        first, last : int
            The part is sequences `first` to `last - 1`.
        part : Sequences
        """
        filled = np.cumsum(self.bytes_of(itemsize))
        first = 0
        while first < len(self):
            limit = (filled[first - 1] if first else 0.0) + self.buffer_bytes
            last = max(first + 1, int(np.searchsorted(filled, limit, side="right")))
            yield first, last, self.read(np.arange(first, last))
            first = last
