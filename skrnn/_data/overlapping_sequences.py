"""Sequences that overlap in one array, made of it when they are needed.

Pieces of long series share the steps that warm a state up. Side by side they would take twice the
memory of the series, or as many times as they overlap.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.sequences import ReadWhenNeeded, Sequences, lengths_to_offsets

BUFFER_BYTES = 2**24  # a copy in memory is made so fast that larger ones gain nothing


@dataclass(frozen=True)
class OverlappingSequences(ReadWhenNeeded):
    """Sequences that lie anywhere in an array: what `StoredSequences` are in a file.

    Attributes
    ----------
    steps : ndarray of shape (n_steps, n_features)

    starts : ndarray of shape (n_sequences,), dtype=int64
        First step of each sequence.

    offsets : ndarray of shape (n_sequences + 1,), dtype=int64
        As in `Sequences`, of the sequences put end to end.

    buffer_bytes : int
        Most bytes of sequences made at once.
    """

    steps: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    buffer_bytes: int = BUFFER_BYTES

    in_memory = True

    @property
    def n_columns(self):
        """Number of features."""
        return self.steps.shape[1]

    @property
    def values(self):
        """All sequences end to end, made now; (total_steps, n_features)."""
        return gathered(self.steps, self.starts, self.lengths)

    def load(self):
        """Return all sequences, end to end."""
        return Sequences(self.values, self.offsets)

    def take(self, indices):
        """Return the chosen sequences, in the order asked for; nothing is copied."""
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        offsets = lengths_to_offsets(self.lengths[indices])
        return replace(self, starts=self.starts[indices], offsets=offsets)

    def read_in_file_order(self, indices):
        """Return chosen sequences, end to end."""
        lengths = self.lengths[indices]
        steps = gathered(self.steps, self.starts[indices], lengths)
        return Sequences(steps, lengths_to_offsets(lengths))

    def bytes_of(self, itemsize):
        """Return the bytes that each sequence takes, at so many bytes per number; float64."""
        return self.lengths * float(self.n_columns * itemsize)

    def followed_by(self, other):
        """Return these sequences and others, whose steps are in another array."""
        return replace(
            self,
            steps=np.concatenate([self.steps, other.steps]),
            starts=np.append(self.starts, other.starts + len(self.steps)),
            offsets=np.append(self.offsets, other.offsets[1:] + self.offsets[-1]),
        )


def gathered(steps, starts, lengths):
    """Return rows `starts[i]` to `starts[i] + lengths[i]` of an array, end to end."""
    if len(starts) == 0:
        return steps[:0]
    stops = starts + lengths
    if (starts[1:] == stops[:-1]).all():
        return np.ascontiguousarray(steps[starts[0] : stops[-1]])
    spans = zip(starts.tolist(), stops.tolist(), strict=True)
    return np.concatenate([steps[start:stop] for start, stop in spans])
