"""Targets of every step of sequences that overlap, made of one array when they are needed.

As ``_data/overlapping_sequences.py`` does it of what is read. Of the steps that two sequences
share, one has the target: in the other they only warm its state up.
"""

from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.overlapping_sequences import gathered
from skrnn._data.sequences import lengths_to_offsets
from skrnn._network.batches import Targets


@dataclass(frozen=True)
class OverlappingTargets:
    """Targets of sequences: what `Targets` are, but for `values`, which hold each step once.

    Attributes
    ----------
    values : ndarray of shape (n_steps, n_targets)
        NaN does not count. Known ones are those of the sequences put end to end, in their order, as
        long as the sequences are a run of those that there were first.

    weights : ndarray of shape (n_steps,), or None
        None for ones.

    starts, lengths : ndarray of shape (n_sequences,)
        Steps of each sequence.

    n_warming : ndarray of shape (n_sequences,)
        Steps at the start of each that do not count.
    """

    values: np.ndarray
    weights: np.ndarray | None
    starts: np.ndarray
    lengths: np.ndarray
    n_warming: np.ndarray

    labels = n_labels = None

    def take(self, indices):
        """Return the targets of the chosen sequences; nothing is copied."""
        starts, lengths = self.starts[indices], self.lengths[indices]
        values, weights = self.values, self.weights
        if len(indices) and (np.diff(indices) == 1).all():
            steps = slice(starts.min(), (starts + lengths).max())
            values, weights = values[steps], None if weights is None else weights[steps]
            starts = starts - steps.start
        return OverlappingTargets(values, weights, starts, lengths, self.n_warming[indices])

    def load(self):
        """Return the targets of all sequences, end to end, as Targets."""
        values = gathered(self.values, self.starts, self.lengths)
        if values.base is not None or values is self.values:  # of sequences that do not overlap
            values = values.copy()
        offsets, warming = lengths_to_offsets(self.lengths), lengths_to_offsets(self.n_warming)
        rows = np.repeat(offsets[:-1] - warming[:-1], self.n_warming) + np.arange(warming[-1])
        values[rows] = np.nan
        weights = None
        if self.weights is not None:
            weights = gathered(self.weights, self.starts, self.lengths)
        return Targets(None, values, weights, offsets)

    def given(self):
        """Return which steps have a target, ndarray of bool."""
        return self._once.given()

    def mean_weight(self):
        """Return the mean weight of the steps that have a target."""
        return self._once.mean_weight()

    def total_weight(self):
        """Return the sum of the weights of the steps that have a target."""
        return self._once.total_weight()

    def normalized(self):
        """Return the same targets with weights whose mean is 1, as those of `Targets`."""
        return replace(self, weights=self._once.normalized().weights)

    @property
    def _once(self):
        return Targets(None, self.values, self.weights)


def column(targets, j):
    """Return column j of the values of all sequences, end to end, with NaN for what only warms."""
    one = replace(targets, values=targets.values[:, j : j + 1], weights=None)
    return one.load().values[:, 0]
