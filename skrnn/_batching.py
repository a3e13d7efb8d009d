"""Mini-batches: which sequences go together, and the calls that run them through the kernels.

Sorting by length and packing happen on the compiled side (``_kernels/batch.pxd``); here it is
decided what a batch is, how large the workspace must be, and how many batches one call takes.
"""

import time
from typing import NamedTuple

import numpy as np

from skrnn._plan import Options
from skrnn._threads import effective_n_threads

# Python notices an interrupt between two calls of the kernels.
SECONDS_A_CALL = 0.1
# Prediction: hidden states of one batch, in numbers. 16 MiB of float32 stay in a level-3 cache.
PREDICT_NUMBERS = 4_194_304
PREDICT_SEQUENCES = 512


class Targets(NamedTuple):
    """What the loss compares with: labels (softmax) or numbers (squared error), and weights."""

    labels: np.ndarray | None  # (n,) intp; -1 does not count
    numbers: np.ndarray | None  # (n, n_outputs)
    weights: np.ndarray | None  # (n,) float64; None for ones

    def take(self, indices):
        """Return the targets of the chosen sequences."""
        return Targets(*(None if part is None else part[indices] for part in self))


class Diverged(Exception):
    """A batch had a loss or a gradient that is not finite; its step was not taken."""

    def __init__(self, batch, loss, norm):
        super().__init__(batch, loss, norm)
        self.batch, self.loss, self.norm = batch, loss, norm


def kernel_data(plan, sequences):
    """Return (offsets, values, tokens) as the kernels take them."""
    offsets = sequences.offsets.astype(np.intp, copy=False)
    if plan.embedding is None:
        return offsets, np.ascontiguousarray(sequences.values, dtype=plan.dtype), None
    return offsets, None, np.ascontiguousarray(sequences.values, dtype=np.intp)


def equal_bounds(n, batch_size):
    """Return the bounds of batches of `batch_size`, the last one with what is left."""
    return np.append(np.arange(0, n, batch_size), n).astype(np.intp)


def batch_limits(lengths, batch_size):
    """Most sequences, steps in all and steps of a sequence that a batch of any order can have."""
    longest = np.sort(lengths)[::-1][:batch_size]
    return len(longest), int(longest.sum()), int(longest[0])


class Trainer:
    """Workspace and vectors of one training run.

    Parameters
    ----------
    plan : Plan
    sequences : Sequences
    targets : Targets
    batch_size : int
    params : ndarray of shape (n_params,)
        Changed in place.
    optimiser : Optimiser
        Changed in place.
    dropout, recurrent_dropout : float
    seed : int
        Of the dropout masks.
    """

    def __init__(
        self,
        plan,
        sequences,
        targets,
        batch_size,
        params,
        optimiser,
        dropout,
        recurrent_dropout,
        seed,
    ):
        self.plan = plan
        self.targets = targets
        self.params = params
        self.grads = np.zeros_like(params)
        self.optimiser = optimiser
        self.seed = seed
        self.data = kernel_data(plan, sequences)
        self.bounds = equal_bounds(len(sequences), batch_size)
        self.limits = batch_limits(sequences.lengths, batch_size)
        self.options = Options(
            training=True,
            threads=effective_n_threads(),
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
        )
        self.workspace = plan.workspace(self.options, self.limits)

    def epoch(self, order):
        """Take one optimiser step for each batch of `order`; returns losses and gradient norms.

        Raises
        ------
        Diverged
            Before the step of the first batch that is not finite.
        """
        n_batches = len(self.bounds) - 1
        losses = np.zeros(n_batches)
        norms = np.zeros(n_batches)
        done, slice_ = 0, 1
        while done < n_batches:
            stop = min(done + slice_, n_batches)
            start = time.perf_counter()
            taken, self.optimiser.step = self.plan.engine.train(
                self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
                self.optimiser.first, self.optimiser.second, self.data, self.targets, order,
                self.bounds[done : stop + 1], self.optimiser.settings(self.seed),
                losses[done:stop], norms[done:stop],
            )  # fmt: skip
            if taken < stop - done:
                bad = done + taken
                raise Diverged(bad, losses[bad], norms[bad])
            seconds = time.perf_counter() - start
            slice_ = max(1, int((stop - done) * SECONDS_A_CALL / max(seconds, 1e-6)))
            done = stop
        return losses, norms


def predict(plan, params, sequences, probabilities=False):
    """Run the network forward.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    sequences : Sequences
    probabilities : bool
        Softmax of the outputs.

    Returns
    -------
    ndarray of shape (n_sequences, n_outputs), or (total_steps, n_outputs) for a head on every step
    """
    n = len(sequences)
    rows = sequences.values.shape[0] if plan.pooling == "all" else n
    out = np.empty((rows, plan.n_outputs), plan.dtype)
    if rows == 0:
        return out
    lengths = sequences.lengths
    order = np.argsort(-lengths, kind="stable") if n > 1 else np.zeros(1, np.intp)
    bounds = _predict_bounds(lengths[order], max(plan.hidden) * plan.n_directions)
    limits = (
        int(np.max(np.diff(bounds))),
        int(np.max(np.add.reduceat(lengths[order], bounds[:-1]))),
        int(lengths[order[0]]),
    )
    options = Options(threads=effective_n_threads())
    plan.engine.predict(
        plan, options, limits, plan.workspace(options, limits), params,
        kernel_data(plan, sequences), order, bounds, out, probabilities,
    )  # fmt: skip
    return out


def _predict_bounds(lengths, width):
    """Cut sequences of falling length into batches that fit PREDICT_NUMBERS."""
    bounds = [0]
    while bounds[-1] < len(lengths):
        steps = max(1, int(lengths[bounds[-1]]))
        size = max(8, min(PREDICT_SEQUENCES, PREDICT_NUMBERS // (steps * width)))
        bounds.append(min(bounds[-1] + size, len(lengths)))
    return np.array(bounds, dtype=np.intp)
