"""Mini-batches: which sequences go together, and the calls that run them through the kernels.

Sorting by length and packing happen on the compiled side (``_kernels/batch.pxd``); here it is
decided what a batch is, and how large the workspace must be.
"""

from typing import NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences, step_rows
from skrnn._network.border import (
    BatchLimits,
    CarriedStates,
    DirectionChunks,
    DistinctTokens,
    KernelData,
    KernelTargets,
)
from skrnn._network.plan import Options
from skrnn._network.threads import effective_n_threads

# Prediction: hidden states of one batch, in numbers. 16 MiB of float32 stay in a level-3 cache.
PREDICT_NUMBERS = 4_194_304
PREDICT_SEQUENCES = 512
# Truncated BPTT goes through sequences in chunks of at least so many steps: shorter ones cost more
# to begin than they save in memory.
CHUNK_STEPS = 64
# Input projections of tokens: they cost more to read back than they save where most steps have one
# of their own, and take at most so many numbers (256 MiB of float32).
MOST_DISTINCT = 0.7
PROJECTED_NUMBERS = 67_108_864


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
    # Which longer sequence each is the next piece of, as `Streams` takes it: the state goes on from
    # piece to piece, the gradient does not (truncated BPTT). None: each stands alone.
    streams: np.ndarray | None = None
    # What early stopping holds out, ndarray of bool; None: nothing.
    held: np.ndarray | None = None

    def take(self, chosen):
        """Return the sequences that a mask of shape (n_sequences,) chooses, none held out."""
        indices, streams = np.flatnonzero(chosen), self.streams
        if streams is not None:
            _, streams = np.unique(streams[indices], return_inverse=True)
        return TrainingData(self.sequences.take(indices), self.targets.take(indices), streams)

    def learned_from(self):
        """Return what is not held out."""
        return self if self.held is None else self.take(~self.held)


class Diverged(Exception):
    """A batch had a loss or a gradient that is not finite; its step was not taken."""

    def __init__(self, batch, loss, norm):
        super().__init__(batch, loss, norm)
        self.batch, self.loss, self.norm = batch, loss, norm


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
    optimiser : Optimiser or None
        Changed in place. None for `loss` alone.
    seed : int
        Of the dropout masks.
    streams : ndarray of shape (n_sequences,), or None
        Which stream each sequence is the next piece of: its state is carried on.
    penalty_weight : float, default=1.0
        Weight of all data, by which the L2 penalty is divided.
    **dropout_rates : dict of str to float
        Rates: `dropout`, `recurrent_dropout`, `word_dropout`, `label_smoothing`.
    """

    def __init__(
        self,
        plan,
        sequences,
        targets,
        batch_size,
        params,
        optimiser,
        seed,
        streams=None,
        *,
        penalty_weight=1.0,
        **dropout_rates,
    ):
        self._keep(plan, params, optimiser, seed, penalty_weight)
        self.targets = targets
        self.data = kernel_data(plan, sequences)
        self.batch_size = batch_size
        self.streams = None if streams is None else Streams(plan, streams)
        self.n_units = len(sequences) if streams is None else len(self.streams.starts)
        self.chunks, lengths, workspace = None, sequences.lengths, plan.workspace
        if self.streams is None and (size := chunk_steps(plan)) and lengths.max() > size:
            self.chunks = direction_chunks(plan, self.data.offsets, size)
            lengths, workspace = np.minimum(lengths, size), plan.passes_workspace
        self.limits = batch_limits(lengths, batch_size)
        if plan.embedding is None:  # numbers are no words
            dropout_rates["word_dropout"] = 0.0
        self.options = Options(training=True, threads=effective_n_threads(), **dropout_rates)
        self.workspace = workspace(self.options, self.limits)

    def _keep(self, plan, params, optimiser, seed, penalty_weight):
        self.plan = plan
        self.params = params
        self.grads = np.zeros_like(params)
        self.optimiser = optimiser
        self.seed = seed
        self.penalty_weight = penalty_weight

    def loss(self):
        """Return the mean loss of all sequences as the weights stand; the penalty is not in it."""
        losses, _, rows = self.epoch(np.arange(self.n_units, dtype=np.intp)).T
        return float((losses * rows).sum() / rows.sum())

    def epoch(self, order):
        """Take one optimiser step for each batch; without an optimiser none.

        Parameters
        ----------
        order : ndarray of shape (n_units,), dtype=intp
            Of sequences, or of streams.

        Returns
        -------
        ndarray of shape (n_batches, 3)
            Loss, gradient norm and rows with a target of each batch.

        Raises
        ------
        Diverged
            Before the step of the first batch that is not finite.
        """
        bounds, carried_states = equal_bounds(len(order), self.batch_size), None
        if self.streams is not None:
            order, bounds = self.streams.batches(order, self.batch_size)
            carried_states = self.streams.carried_states
        n_batches = len(bounds) - 1
        report = np.zeros((n_batches, 3))
        settings = self._settings()
        try:
            taken = self._train(order, bounds, report, carried_states, settings)
        finally:
            if settings is not None:
                self.optimiser.step = settings["step"]  # which an interrupted call has moved too
        if taken < n_batches:
            raise Diverged(taken, *report[taken, :2])
        return report

    def _train(self, order, bounds, report, carried_states, settings):
        """Take the steps of all batches up to one that is not finite; returns how many."""
        return self.plan.engine.train(
            self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
            *self._moments(), self.data, kernel_targets(self.targets), order, bounds, settings,
            report, carried_states, self.chunks,
        )  # fmt: skip

    def _moments(self):
        return (None, None) if self.optimiser is None else self.optimiser.moments()

    def _settings(self):
        """Return what the kernel needs to take steps; None for none."""
        if self.optimiser is None:
            return None
        return self.optimiser.settings(self.seed, self.penalty_weight)


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


class Streams:
    """Sequences that are pieces of longer ones, and the states that go from piece to piece.

    Parameters
    ----------
    plan : Plan
    streams : ndarray of shape (n_sequences,)
        Number of each one's stream, from 0 on without gaps; pieces of one stand together, in order.
    """

    def __init__(self, plan, streams):
        self.starts = np.flatnonzero(np.diff(streams, prepend=-1))
        self.counts = np.diff(np.append(self.starts, len(streams)))
        reset_mask = np.zeros(len(streams), np.uint8)
        reset_mask[self.starts] = 1
        states = first_states(plan, len(self.starts))
        self.carried_states = CarriedStates(*states, streams.astype(np.intp), reset_mask)

    def batches(self, order, batch_size):
        """Return sequences and bounds of batches: up to `batch_size` streams advance together."""
        chosen, bounds = [], [0]
        for first in range(0, len(order), batch_size):
            together = order[first : first + batch_size]
            for piece in range(self.counts[together].max()):
                chosen.append(self.starts[together[self.counts[together] > piece]] + piece)
                bounds.append(bounds[-1] + len(chosen[-1]))
        return np.concatenate(chosen).astype(np.intp), np.array(bounds, dtype=np.intp)


def predict(plan, params, sequences, probabilities=False, states=None):
    """Run the network forward.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    sequences : Sequences
    probabilities : bool
        Softmax of the outputs.
    states : (h, c) or None
        Initial states, as `first_states` makes them, which the final ones replace.

    Returns
    -------
    ndarray of shape (n_sequences, n_outputs), or (total_steps, n_outputs) for a head on every step
    """
    rows = len(sequences) if plan.pooling != "all" else len(sequences.values)
    out = np.empty((rows, plan.n_outputs), plan.dtype)
    _run(plan, params, sequences, out, None, probabilities, None, states)
    return out


def top_states(plan, params, sequences):
    """Return what the head reads: hidden states of the top layer, pooled if the plan says so.

    Parameters
    ----------
    plan, params, sequences
        As in `predict`.

    Returns
    -------
    ndarray of shape (n_sequences, n_directions * H), or (total_steps, n_directions * H)
    """
    rows = len(sequences) if plan.pooling != "all" else len(sequences.values)
    read = np.empty((rows, plan.n_directions * plan.hidden[-1]), plan.dtype)
    _run(plan, params, sequences, None, None, False, None, read=read)
    return read


def first_states(plan, n):
    """Return zero states of n sequences: (h, c), each (n_layers, n, widest layer).

    A layer uses as many numbers as it has units; c is None for a cell without cell state.
    """
    shape = len(plan.scans), n, max(plan.hidden)
    return np.zeros(shape, plan.dtype), np.zeros(shape, plan.dtype) if plan.cell.has_c else None


def label_marginals(plan, params, sequences, scores):
    """Probabilities of each step's label among all label sequences.

    Parameters
    ----------
    plan, params, sequences
        As in `predict`, with a head on every step.
    scores : ndarray of shape (n_outputs + 2, n_outputs)
        Of starting with a label, of label i before label j, of ending with a label; -inf forbids.

    Returns
    -------
    ndarray of shape (total_steps, n_outputs)
    """
    out = np.empty((len(sequences.values), plan.n_outputs), plan.dtype)
    _run(plan, params, sequences, out, None, True, scores)
    return out


def best_labels(plan, params, sequences, scores):
    """Most probable label sequences (Viterbi).

    Parameters
    ----------
    plan, params, sequences, scores
        As in `label_marginals`.

    Returns
    -------
    ndarray of shape (total_steps,), dtype=intp
        -1 where no label sequence has a finite score.
    """
    path = np.empty(len(sequences.values), np.intp)
    _run(plan, params, sequences, None, path, False, scores)
    return path


def _run(plan, params, sequences, out, path, probabilities, scores, states=None, read=None):
    """Call the kernel on batches of sequences of similar length, the empty ones left out."""
    lengths = sequences.lengths
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    if len(order) == 0:
        return
    lengths = lengths[order]
    width = max(plan.hidden) * plan.n_directions
    if plan.pooling == "all":  # a label of a CRF takes three numbers per step
        width = max(width, plan.n_outputs * (1 if scores is None else 3))
    bounds = _predict_bounds(lengths, width)
    limits = BatchLimits(
        int((bounds[1:] - bounds[:-1]).max()),
        int(np.add.reduceat(lengths, bounds[:-1]).max()),
        int(lengths[0]),
    )
    data = kernel_data(plan, sequences)
    distinct = None if plan.embedding is None else distinct_rows(data.tokens)
    if distinct is not None and len(distinct.rows) * plan.projection_width > PROJECTED_NUMBERS:
        distinct = None
    options = Options(
        threads=effective_n_threads(),
        paths=scores is not None,
        distinct=0 if distinct is None else len(distinct.rows),
    )
    plan.engine.predict(
        plan, options, limits, plan.workspace(options, limits), params, data, distinct, order,
        bounds, out, path, probabilities, scores,
        None if states is None else CarriedStates(*states), read,
    )  # fmt: skip


def distinct_rows(tokens):
    """Find the token rows that differ.

    Parameters
    ----------
    tokens : ndarray of shape (total_steps, n_columns), dtype=intp

    Returns
    -------
    DistinctTokens or None
        None where too few are alike.
    """
    # Rows are told apart by a 64-bit hash, which is then checked: sorting numbers is 20 times
    # faster than sorting rows.
    factors = np.random.RandomState(0).randint(1, 2**63 - 1, tokens.shape[1], dtype=np.uint64) | 1
    hashes = (tokens.astype(np.uint64) * factors).sum(axis=1)
    _, first, places = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) > MOST_DISTINCT * len(tokens):
        return None
    rows = np.ascontiguousarray(tokens[first])
    places = places.astype(np.intp, copy=False)
    return DistinctTokens(rows, places) if np.array_equal(rows[places], tokens) else None


def _predict_bounds(lengths, width):
    """Cut sequences of falling length into batches that fit PREDICT_NUMBERS."""
    bounds = [0]
    while bounds[-1] < len(lengths):
        steps = max(1, int(lengths[bounds[-1]]))
        size = max(8, min(PREDICT_SEQUENCES, PREDICT_NUMBERS // (steps * width)))
        bounds.append(min(bounds[-1] + size, len(lengths)))
    return np.array(bounds, dtype=np.intp)
