"""Mini-batches: data as the kernels take them, which sequences go together, epochs of batches.

Sorting by length and packing happen on the compiled side (``_kernels/batch.pxd``); here it is
decided what a batch is, and how large the workspace must be. An epoch takes one optimizer step for
each batch.
"""

import time
from typing import NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences, step_rows
from skrnn._network.border import (
    BatchLimits,
    CarriedStates,
    DirectionChunks,
    KernelData,
    KernelTargets,
    PairLimits,
    Spellings,
)
from skrnn._network.plan import Options
from skrnn._network.threads import FITTING, SHORTEST_SECONDS, SLICE_SECONDS, ThreadChoice
from skrnn._network.windows import Windows

# Truncated BPTT goes through sequences in chunks of at least so many steps: shorter ones cost more
# to begin than they save in memory.
CHUNK_STEPS = 64

# Outputs of a batch in training, in numbers: more are computed in chunks of rows. 32 MiB of float32
# are 128 rows of 50,000 outputs; with fewer rows the weights come from memory more often.
LOGIT_NUMBERS = 8_388_608

ROWS_AT_ONCE = 65_536  # of targets that are looked through


class Targets(NamedTuple):
    """Labels or numbers that the loss compares with, and weights; one per sequence, or per step."""

    labels: np.ndarray | None  # (n,) intp, for softmax and crf; -1 does not count
    values: np.ndarray | None  # (n, n_targets), for the other losses; NaN does not count
    weights: np.ndarray | None  # (n,) float64; None for ones
    offsets: np.ndarray | None = None  # (n_sequences + 1,) where there is one target per step
    n_labels: int | None = None  # how many there are; None for numbers

    def take(self, indices):
        """Return the targets of the chosen sequences."""
        offsets = self.offsets
        if offsets is not None:
            indices, offsets = step_rows(offsets, indices)
        parts = (None if part is None else part[indices] for part in self[:3])
        return Targets(*parts, offsets, self.n_labels)

    def load(self):
        """Return the targets in memory, which these are."""
        return self

    def given(self):
        """Return which rows have a target, ndarray of bool."""
        if self.labels is not None:
            return self.labels >= 0
        found = np.zeros(len(self.values), bool)
        for start in range(0, len(found), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            found[rows] = ~np.isnan(self.values[rows]).all(axis=1)
        return found

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

    def take(self, mask):
        """Return the sequences that a mask of shape (n_sequences,) chooses, none held out."""
        indices, documents = np.flatnonzero(mask), self.documents
        if documents is not None:
            _, documents = np.unique(documents[indices], return_inverse=True)
        return TrainingData(self.sequences.take(indices), self.targets.take(indices), documents)


def kernel_data(plan, sequences):
    """Return the sequences as the kernels take them, as KernelData."""
    offsets = sequences.offsets.astype(np.intp, copy=False)
    if plan.embedding is None:
        return KernelData(offsets, np.ascontiguousarray(sequences.values, dtype=plan.dtype), None)
    tokens, spellings = np.ascontiguousarray(sequences.values, dtype=np.intp), sequences.spellings
    if spellings is not None:
        spellings = Spellings(*(np.ascontiguousarray(part, dtype=np.intp) for part in spellings))
    return KernelData(offsets, None, tokens, spellings)


def no_words(plan):
    """Return the KernelData of no sequence, of a network that reads characters."""
    none = Spellings(np.zeros(1, np.intp), np.empty((0, 1), np.intp))
    return KernelData(none.offsets, None, np.empty((0, len(plan.embedding) + 1), np.intp), none)


def kernel_targets(targets):
    """Return `Targets` as the kernels take them, as KernelTargets."""
    return KernelTargets(*targets[:3])


def equal_bounds(n, batch_size):
    """Return the offsets of batches of `batch_size`, the last one with what is left."""
    return np.minimum(np.arange(0, n + batch_size, batch_size, dtype=np.intp), n)


def batch_limits(lengths, batch_size):
    """Most sequences, steps in all and steps of a sequence that a batch of any order can have."""
    longest = np.sort(lengths)[::-1][:batch_size]
    return BatchLimits(len(longest), int(longest.sum()), int(longest[0]))


def word_limits(data, batch_size):
    """Most words, characters in all and characters of a word that a batch of any order can have.

    Parameters
    ----------
    data : KernelData
        With `spellings`.
    batch_size : int
        Number of sequences.
    """
    lengths = np.diff(data.spellings.offsets)
    read = np.append(0, np.cumsum(lengths[data.tokens[:, -1]]))
    steps, read = np.diff(data.offsets), np.diff(read[data.offsets])  # of each sequence
    n_words = min(len(lengths), int(np.sort(steps)[::-1][:batch_size].sum()))
    longest = np.sort(lengths)[::-1][:n_words]
    n_characters = min(int(longest.sum()), int(np.sort(read)[::-1][:batch_size].sum()))
    return BatchLimits(n_words, n_characters, int(longest.max(initial=1)))


def pair_limits(source_lengths, target_lengths, batch_size):
    """Most sequences, source and target steps that a batch of any order can have."""
    return PairLimits(
        batch_limits(source_lengths, batch_size), batch_limits(target_lengths, batch_size)
    )


def logit_rows(plan, rows):
    """Return how many of the rows of a batch have their outputs in memory at once; 0 for all."""
    if plan.loss != "softmax" or rows * plan.n_outputs <= LOGIT_NUMBERS:
        return 0
    block = plan.engine.block_cols * plan.engine.lanes
    return max(1, LOGIT_NUMBERS // plan.n_outputs // block) * block


def chunk_steps(plan):
    """Return the steps of a chunk in whose memory truncated BPTT is done, or None.

    The layers must be cut at the same steps: they have one direction, or are one layer whose two
    directions meet in a pooling. The loss must not be of whole label sequences.
    """
    stacked = plan.n_directions > 1 and (len(plan.hidden) > 1 or plan.pooling == "all")
    # The weights of attention pooling need the scores of all steps; words are read all at once.
    whole = "attention" in plan.pooling or plan.characters is not None
    if not plan.bptt_steps or stacked or plan.loss == "crf" or whole:
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


def first_states(plan, n):
    """Return zero states of n sequences: (h, c), each (n_layers, n, widest layer).

    A layer uses as many numbers as it has units; c is None for a cell without cell state.
    """
    shape = len(plan.scans), n, max(plan.hidden)
    return np.zeros(shape, plan.dtype), np.zeros(shape, plan.dtype) if plan.cell.has_c else None


# Epochs


class Diverged(Exception):
    """A batch had a loss or a gradient that is not finite; its step was not taken."""

    def __init__(self, batch, loss, norm):
        super().__init__(batch, loss, norm)
        self.batch, self.loss, self.norm = batch, loss, norm


class EpochRunner:
    """Workspace and vectors of one training run.

    Parameters
    ----------
    plan : Plan
    sequences : Sequences
    targets : Targets
    batch_size : int
        Number of sequences, or of documents that advance together.
    params : ndarray of shape (n_params,)
        Changed in place.
    optimizer : Optimizer, default=None
        Changed in place. None for `loss` alone.
    documents : ndarray of shape (n_sequences,), default=None
        Which document each sequence is the next piece of: its state is carried on.
    normalize : bool, default=False
        Whether weights are divided by their mean.
    **dropout_rates : dict of str to float
        Rates: `dropout`, `recurrent_dropout`, `word_dropout`, `label_smoothing`.

    Attributes
    ----------
    n_units : int
        Number of sequences, or of documents.
    total_weight : float
        Of the targets as they were given.
    windows : Windows or None
        Of sequences in a file.
    """

    windows = None

    def __init__(
        self, plan, sequences, targets, batch_size, params, optimizer=None, documents=None,
        normalize=False, **dropout_rates,
    ):  # fmt: skip
        targets = self._keep(plan, targets, params, optimizer, normalize)
        lengths, workspace = np.diff(sequences.offsets), plan.workspace
        self.documents = self.chunks = self.chunk_size = None
        if documents is not None:
            self.documents = Documents(plan, documents)
        elif (size := chunk_steps(plan)) and lengths.max() > size:
            self.chunk_size = size
            lengths, workspace = np.minimum(lengths, size), plan.passes_workspace
        if sequences.is_stored and documents is None:
            self.windows = Windows(sequences, targets, plan.dtype.itemsize)
        else:
            self._open(sequences, targets)
        self.n_units = len(lengths) if documents is None else len(self.documents.starts)
        self.batch_size = batch_size
        self.batch_offsets = equal_bounds(self.n_units, batch_size)
        self.limits = batch_limits(lengths, batch_size)
        if plan.characters is not None:
            self.limits = self.limits._replace(words=word_limits(self.data, batch_size))
        if plan.embedding is None:  # numbers are no words
            dropout_rates["word_dropout"] = 0.0
        rows = self.limits.n_steps if plan.pooling == "all" else self.limits.n_sequences
        self._set_options(plan, rows, dropout_rates)
        self.workspace = workspace(self.options, self.limits)

    def _open(self, sequences, targets):
        """Have the sequences in memory, and what belongs to them, as the kernels take them."""
        self.data = kernel_data(self.plan, sequences)
        self.targets = kernel_targets(targets)
        if self.chunk_size is not None:
            self.chunks = direction_chunks(self.plan, self.data.offsets, self.chunk_size)

    def _keep(self, plan, targets, params, optimizer, normalize):
        """Keep what any run has; returns the targets with the weights that they count by."""
        self.plan = plan
        self.params = params
        self.grads = np.zeros_like(params)
        self.optimizer = optimizer
        self.total_weight = targets.total_weight()
        return targets.normalized() if normalize else targets

    def _set_options(self, plan, rows, dropout_rates):
        """Set the options of a network whose head has so many rows at most."""
        outputs = logit_rows(plan, rows)
        self.thread_choice = ThreadChoice()
        self.options = Options(
            training=True, logit_rows=outputs, threads=self.thread_choice.most, **dropout_rates
        )

    def loss(self):
        """Return the mean loss of all sequences as the weights stand; the penalty is not in it."""
        losses, _, rows = self.epoch(np.arange(self.n_units, dtype=np.intp)).T
        return float((losses * rows).sum() / rows.sum())

    def epoch(self, order, settings=None):
        """Take one optimizer step for each batch.

        Parameters
        ----------
        order : ndarray of shape (n_units,), dtype=intp
            Of sequences, or of documents.
        settings : dict, default=None
            From `Optimizer.settings`; None takes no step.

        Returns
        -------
        ndarray of shape (n_batches, 3)
            Loss, gradient norm and rows with a target of each batch.

        Raises
        ------
        Diverged
            Before the step of the first batch that is not finite.
        """
        batch_offsets, carried_states = self.batch_offsets, None
        if self.documents is not None:
            order, batch_offsets = self.documents.batches(order, self.batch_size)
            carried_states = self.documents.carried_states
        report = np.zeros((len(batch_offsets) - 1, 3))
        try:
            if self.windows is None:
                self._train_slices(order, batch_offsets, report, 0, carried_states, settings)
            else:
                self._train_windows(order, batch_offsets, report, settings)
        finally:
            if settings is not None:
                self.optimizer.step = settings["step"]  # which an interrupted call has moved too
        return report

    def _train_windows(self, order, batch_offsets, report, settings):
        """Take the steps of sequences in a file, window by window."""
        for first, last, window in self.windows.read(order, batch_offsets):
            self._open(window.sequences, window.targets)
            window_offsets = batch_offsets[first : last + 1] - batch_offsets[first]
            self._train_slices(
                window.order, window_offsets, report[first:last], first, None, settings
            )
            self.data = self.targets = None
            del window  # before the next one is waited for

    def _train_slices(self, order, batch_offsets, report, n_before, carried_states, settings):
        """Take the steps of all batches, slice by slice; `n_before` of the epoch are before them.

        How many threads compute may change from slice to slice, see `ThreadChoice`.
        """
        n_batches, taken, choice = len(batch_offsets) - 1, 0, self.thread_choice
        moments = (None, None) if settings is None else (self.optimizer.m, self.optimizer.v)
        while taken < n_batches:
            first, last = taken, min(n_batches, taken + choice.n_batches)
            threads = min(choice.threads, max(1, choice.most // max(1, len(FITTING))))
            before = time.perf_counter(), time.process_time()
            taken += self._train(
                self.options._replace(threads=threads), moments, order,
                batch_offsets[first : last + 1], report[first:last], carried_states, settings,
            )  # fmt: skip
            if taken < last:
                raise Diverged(n_before + taken, *report[taken, :2])
            wall = time.perf_counter() - before[0]
            if wall < SHORTEST_SECONDS:
                choice.n_batches = 2 * (last - first)
            elif threads < choice.threads:  # beside other fits
                choice.n_batches = max(1, int(SLICE_SECONDS * (last - first) / wall))
            elif choice.most > 1:
                choice.note(last - first, wall, time.process_time() - before[1])

    def _train(self, options, moments, order, batch_offsets, report, carried_states, settings):
        """Take the steps of these batches up to one that is not finite; returns how many."""
        return self.plan.engine.train(
            self.plan, options, self.limits, self.workspace, self.params, self.grads,
            *moments, self.data, self.targets, order, batch_offsets, settings, report,
            carried_states,
            self.chunks,
        )  # fmt: skip


class Documents:
    """Pieces of documents, and the states that are carried from piece to piece.

    Parameters
    ----------
    plan : Plan
    documents : ndarray of shape (n_sequences,)
        Number of each one's document, from 0 on without gaps; pieces of one stand together, in
        order.
    """

    def __init__(self, plan, documents):
        self.starts = np.flatnonzero(np.diff(documents, prepend=-1))
        self.counts = np.diff(np.append(self.starts, len(documents)))
        reset_mask = np.zeros(len(documents), np.uint8)
        reset_mask[self.starts] = 1
        states = first_states(plan, len(self.starts))
        self.carried_states = CarriedStates(*states, documents.astype(np.intp), reset_mask)

    def batches(self, order, batch_size):
        """Return sequences and offsets of batches: up to `batch_size` advance together."""
        indices, batch_offsets = [], [0]
        for first in range(0, len(order), batch_size):
            together = order[first : first + batch_size]
            for piece in range(self.counts[together].max()):
                indices.append(self.starts[together[self.counts[together] > piece]] + piece)
                batch_offsets.append(batch_offsets[-1] + len(indices[-1]))
        return np.concatenate(indices).astype(np.intp), np.array(batch_offsets, dtype=np.intp)
