"""Likelihood of sequences under a language model, read piece by piece."""

import numpy as np

from skrnn._data.sequences import Sequences
from skrnn._network.batches import Documents, batch_limits, kernel_data
from skrnn._network.plan import Options
from skrnn._network.predict import PREDICT_NUMBERS, PREDICT_SEQUENCES
from skrnn._network.threads import effective_n_threads

PIECE_STEPS = 256  # of a sequence that is scored, at a time


class ContinuedDocument(list):
    """X of a single document, the first `n_read` >= 1 tokens of which are read, but not scored.

    Parameters
    ----------
    document : sequence of tokens
    n_read : int
    """

    def __init__(self, document, n_read):
        super().__init__([document])
        self.n_read = n_read


def cut_into_pieces(offsets, steps):
    """Cut sequences into pieces, the last of each with what is left.

    Parameters
    ----------
    offsets : ndarray of shape (n_sequences + 1,)
    steps : int, or ndarray of shape (n_sequences,)
        Maximum number of steps of a piece.

    Returns
    -------
    offsets : ndarray of shape (n_pieces + 1,), dtype=int64
        Of the pieces; an empty sequence has none.
    sequence : ndarray of shape (n_pieces,), dtype=intp
        Number of each piece's sequence among those that are not empty.
    """
    steps = np.maximum(np.broadcast_to(steps, len(offsets) - 1), 1)
    counts = -(-np.diff(offsets) // steps)
    sequence = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = offsets[sequence] + place * steps[sequence]
    _, sequence = np.unique(sequence, return_inverse=True)
    return np.append(starts, offsets[-1]), sequence.astype(np.intp, copy=False)


def log_likelihoods(plan, params, sequences, labels):
    """Log-probability of every step's label, for a softmax on every step.

    Long sequences are read piece by piece, so that memory does not grow with their length.

    Parameters
    ----------
    plan : Plan
        Of one direction.
    params : ndarray of shape (n_params,)
    sequences : Sequences
    labels : ndarray of shape (total_steps,), dtype=intp

    Returns
    -------
    logs : ndarray of shape (total_steps,), dtype=float64
    states : (h, c)
        Final states, as `first_states` makes them, of the sequences that are not empty.
    """
    logs = np.empty(len(labels))
    width = max(plan.n_outputs, *plan.hidden)
    steps = max(1, min(PIECE_STEPS, PREDICT_NUMBERS // width))
    offsets, document_of_piece = cut_into_pieces(sequences.offsets, steps)
    documents = Documents(plan, document_of_piece)
    if len(document_of_piece):
        pieces = Sequences(sequences.values, offsets)
        order = np.argsort(-documents.counts, kind="stable")
        most = max(1, min(PREDICT_SEQUENCES, PREDICT_NUMBERS // (steps * width)))
        batch_indices, batch_offsets = documents.batches(order, most)
        limits = batch_limits(pieces.lengths, min(most, len(order)))
        options = Options(threads=effective_n_threads())
        plan.engine.likelihood(
            plan, options, limits, plan.workspace(options, limits), params,
            kernel_data(plan, pieces), labels.astype(np.intp, copy=False), batch_indices,
            batch_offsets,
            documents.carried_states, logs,
        )  # fmt: skip
    return logs, (documents.carried_states.h, documents.carried_states.c)
