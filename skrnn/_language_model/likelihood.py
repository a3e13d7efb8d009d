"""What language models run: pieces of sequences, their likelihood, and drawing tokens."""

import numpy as np

from skrnn._data.sequences import Sequences
from skrnn._network.batches import batch_limits, kernel_data
from skrnn._network.border import BatchLimits, CarriedStates
from skrnn._network.epochs import Documents
from skrnn._network.plan import Options
from skrnn._network.predict import PREDICT_NUMBERS, PREDICT_SEQUENCES
from skrnn._network.threads import effective_n_threads

PIECE_STEPS = 256  # of a sequence that is scored, at a time


def cut(offsets, steps):
    """Cut sequences into pieces, the last of each with what is left.

    Parameters
    ----------
    offsets : ndarray of shape (n_sequences + 1,)
    steps : int
        Most steps of a piece.

    Returns
    -------
    offsets : ndarray of shape (n_pieces + 1,), dtype=int64
        Of the pieces; an empty sequence has none.
    sequence : ndarray of shape (n_pieces,), dtype=intp
        Number of each piece's sequence among those that are not empty.
    """
    counts = -(-np.diff(offsets) // steps)
    sequence = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = offsets[sequence] + place * steps
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
    offsets, stream = cut(sequences.offsets, steps)
    documents = Documents(plan, stream)
    if len(stream):
        pieces = Sequences(sequences.values, offsets)
        order = np.argsort(-documents.counts, kind="stable")
        most = max(1, min(PREDICT_SEQUENCES, PREDICT_NUMBERS // (steps * width)))
        chosen, bounds = documents.batches(order, most)
        limits = batch_limits(pieces.lengths, min(most, len(order)))
        options = Options(threads=effective_n_threads())
        plan.engine.likelihood(
            plan, options, limits, plan.workspace(options, limits), params,
            kernel_data(plan, pieces), labels.astype(np.intp, copy=False), chosen, bounds,
            documents.carried_states, logs,
        )  # fmt: skip
    return logs, (documents.carried_states.h, documents.carried_states.c)


def draw(plan, params, states, tokens, uniforms, *, temperature, top_k, barred, end):
    """Draw tokens one after another, each from what the network puts out after the one before.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    states : (h, c)
        Before the first token, as `first_states` makes them.
    tokens : ndarray of shape (n, steps + 1), dtype=intp
        What is read first; the rest is filled.
    uniforms : ndarray of shape (n, steps)
        Random numbers from [0, 1).
    temperature : float
    top_k : int
        0 draws from all.
    barred : int
        Token that is never drawn.
    end : int
        Token with which a row ends, -1 for none.
    """
    options = Options(threads=effective_n_threads())
    most = max(1, PREDICT_NUMBERS // max(plan.n_outputs, *plan.hidden))
    for start in range(0, len(tokens), most):
        part = slice(start, start + most)
        h, c = (None if s is None else np.ascontiguousarray(s[:, part]) for s in states)
        n = h.shape[1]
        plan.engine.sample(
            plan, options, plan.workspace(options, BatchLimits(n, n, 1)), params,
            CarriedStates(h, c), tokens[part], uniforms[part], temperature,
            np.empty((n, top_k), np.intp), barred, end,
        )  # fmt: skip
