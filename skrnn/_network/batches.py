"""Mini-batches: data as the kernels take them, and which sequences go together.

Sorting by length and packing happen on the compiled side (``_kernels/batch.pxd``); here it is
decided what a batch is, and how large the workspace must be.
"""

from typing import NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences, step_rows
from skrnn._network.border import (
    BatchLimits,
    DirectionChunks,
    KernelData,
    KernelTargets,
)

# Truncated BPTT goes through sequences in chunks of at least so many steps: shorter ones cost more
# to begin than they save in memory.
CHUNK_STEPS = 64


class Targets(NamedTuple):
    """Labels or numbers that the loss compares with, and weights; one per sequence, or per step."""

    labels: np.ndarray | None  # (n,) intp, for softmax and crf; -1 does not count
    numbers: np.ndarray | None  # (n, n_targets), for the other losses; NaN does not count
    weights: np.ndarray | None  # (n,) float64; None for ones
    offsets: np.ndarray | None = None  # (n_sequences + 1,) where there is a target a step

    def take(self, indices):
        """Return the targets of the chosen sequences."""
        offsets = self.offsets
        if offsets is not None:
            indices, offsets = step_rows(offsets, indices)
        return Targets(*(None if part is None else part[indices] for part in self[:3]), offsets)

    def given(self):
        """Return which rows have a target, ndarray of bool."""
        if self.labels is not None:
            return self.labels >= 0
        return ~np.isnan(self.numbers).all(axis=1)

    def mean_weight(self):
        """Return the mean weight of the rows that have a target."""
        return 1.0 if self.weights is None else float(self.weights[self.given()].mean())

    def total_weight(self):
        """Return the sum of the weights of the rows that have a target."""
        given = self.given()
        return float(given.sum() if self.weights is None else self.weights[given].sum())

    def normalized(self):
        """Return the same targets with weights whose mean is 1.

        So a mini-batch of n rows has the loss sum(w_i l_i) / (n mean(w)), the mean being that of
        all data: a weight is a repetition in expectation, at any batch size.
        """
        if self.weights is None:
            return self
        return self._replace(weights=self.weights / self.mean_weight())


class TrainingData(NamedTuple):
    """What an estimator makes of X, y and weights: sequences to read, and what they are to say.

    A sequence here may be a piece of one of the user's.
    """

    sequences: Sequences
    targets: Targets
    # Which document each is the next piece of, as `Documents` takes it: the state is carried from
    # piece to piece, the gradient is not (truncated BPTT). None: each stands alone.
    documents: np.ndarray | None = None
    # What early stopping holds out, ndarray of bool; None: nothing.
    held: np.ndarray | None = None

    def take(self, chosen):
        """Return the sequences that a mask of shape (n_sequences,) chooses, none held out."""
        indices, documents = np.flatnonzero(chosen), self.documents
        if documents is not None:
            _, documents = np.unique(documents[indices], return_inverse=True)
        return TrainingData(self.sequences.take(indices), self.targets.take(indices), documents)


def kernel_data(plan, sequences):
    """Return the sequences as the kernels take them, as KernelData."""
    offsets = sequences.offsets.astype(np.intp, copy=False)
    if plan.embedding is None:
        return KernelData(offsets, np.ascontiguousarray(sequences.values, dtype=plan.dtype), None)
    return KernelData(offsets, None, np.ascontiguousarray(sequences.values, dtype=np.intp))


def kernel_targets(targets):
    """Return `Targets` as the kernels take them, as KernelTargets."""
    return KernelTargets(*targets[:3])


def equal_bounds(n, batch_size):
    """Return the bounds of batches of `batch_size`, the last one with what is left."""
    return np.minimum(np.arange(0, n + batch_size, batch_size, dtype=np.intp), n)


def batch_limits(lengths, batch_size):
    """Most sequences, steps in all and steps of a sequence that a batch of any order can have."""
    longest = np.sort(lengths)[::-1][:batch_size]
    return BatchLimits(len(longest), int(longest.sum()), int(longest[0]))


def chunk_steps(plan):
    """Return the steps of a chunk in whose memory truncated BPTT is done, or None.

    The layers must be cut at the same steps: they have one direction, or are one layer whose two
    directions meet in a pooling. The loss must not be of whole label sequences.
    """
    stacked = plan.n_directions > 1 and (len(plan.hidden) > 1 or plan.pooling == "all")
    if not plan.bptt_steps or stacked or plan.loss == "crf":
        return None
    return -(-CHUNK_STEPS // plan.bptt_steps) * plan.bptt_steps


def direction_chunks(plan, offsets, size):
    """Cut sequences into chunks of `size` steps, for each direction from where it ends.

    Parameters
    ----------
    plan : Plan
    offsets : ndarray of shape (n_sequences + 1,), dtype=intp
    size : int

    Returns
    -------
    list of DirectionChunks
    """
    return [chunks_of_sequences(offsets, size, d > 0) for d in range(plan.n_directions)]


def chunks_of_sequences(offsets, size, from_start):
    """Cut sequences into chunks of `size` steps, counted from their starts or back from their ends.

    Returns
    -------
    DirectionChunks
        The last chunk counted has what is left.
    """
    counts = np.maximum(-(-np.diff(offsets) // size), 1)
    owners = np.repeat(np.arange(len(counts)), counts)
    first = np.append(0, np.cumsum(counts))
    if from_start:
        starts = offsets[owners] + (np.arange(len(owners)) - first[owners]) * size
        stops = np.minimum(starts + size, offsets[owners + 1])
    else:
        behind = first[owners + 1] - np.arange(1, len(owners) + 1)  # later chunks of the sequence
        stops = offsets[owners + 1] - behind * size
    arrays = np.append(offsets[0], stops), owners, first
    return DirectionChunks(*(array.astype(np.intp) for array in arrays))
