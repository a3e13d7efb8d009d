"""Training: epochs of mini-batches, one optimizer step each, through the kernels."""

import numpy as np

from skrnn._network.batches import (
    batch_limits,
    chunk_steps,
    direction_chunks,
    equal_bounds,
    kernel_data,
    kernel_targets,
)
from skrnn._network.border import CarriedStates
from skrnn._network.plan import Options
from skrnn._network.predict import first_states
from skrnn._network.threads import effective_n_threads


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
    **dropout_rates : dict of str to float
        Rates: `dropout`, `recurrent_dropout`, `word_dropout`, `label_smoothing`.
    """

    def __init__(
        self, plan, sequences, targets, batch_size, params, optimizer=None, documents=None,
        **dropout_rates,
    ):  # fmt: skip
        self._keep(plan, params, optimizer)
        lengths, workspace = np.diff(sequences.offsets), plan.workspace
        self.data = kernel_data(plan, sequences)
        self.targets = kernel_targets(targets)
        self.documents = self.chunks = None
        if documents is not None:
            self.documents = Documents(plan, documents)
        elif (size := chunk_steps(plan)) and lengths.max() > size:
            self.chunks = direction_chunks(plan, self.data.offsets, size)
            lengths, workspace = np.minimum(lengths, size), plan.passes_workspace
        self.n_units = len(lengths) if documents is None else len(self.documents.starts)
        self.batch_size = batch_size
        self.bounds = equal_bounds(self.n_units, batch_size)
        self.limits = batch_limits(lengths, batch_size)
        if plan.embedding is None:  # numbers are no words
            dropout_rates["word_dropout"] = 0.0
        self.options = Options(training=True, threads=effective_n_threads(), **dropout_rates)
        self.workspace = workspace(self.options, self.limits)

    def _keep(self, plan, params, optimizer):
        self.plan = plan
        self.params = params
        self.grads = np.zeros_like(params)
        self.optimizer = optimizer

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
        bounds, carried_states = self.bounds, None
        if self.documents is not None:
            order, bounds = self.documents.batches(order, self.batch_size)
            carried_states = self.documents.carried_states
        n_batches = len(bounds) - 1
        report = np.zeros((n_batches, 3))
        moments = (None, None) if settings is None else (self.optimizer.m, self.optimizer.v)
        try:
            taken = self._train(moments, order, bounds, report, carried_states, settings)
        finally:
            if settings is not None:
                self.optimizer.step = settings["step"]  # which an interrupted call has moved too
        if taken < n_batches:
            raise Diverged(taken, *report[taken, :2])
        return report

    def _train(self, moments, order, bounds, report, carried_states, settings):
        """Take the steps of all batches up to one that is not finite; returns how many."""
        return self.plan.engine.train(
            self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
            *moments, self.data, self.targets, order, bounds, settings, report, carried_states,
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
        """Return sequences and bounds of batches: up to `batch_size` advance together."""
        indices, bounds = [], [0]
        for first in range(0, len(order), batch_size):
            together = order[first : first + batch_size]
            for piece in range(self.counts[together].max()):
                indices.append(self.starts[together[self.counts[together] > piece]] + piece)
                bounds.append(bounds[-1] + len(indices[-1]))
        return np.concatenate(indices).astype(np.intp), np.array(bounds, dtype=np.intp)
