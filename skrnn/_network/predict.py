"""Prediction: batches of sequences of similar length, run forward through the kernels."""

from functools import cache
from itertools import pairwise

import numpy as np

from skrnn._data.sequences import step_rows
from skrnn._network.batches import kernel_data
from skrnn._network.border import BatchLimits, CarriedStates, DistinctTokens
from skrnn._network.plan import Options
from skrnn._network.threads import effective_n_threads

# Prediction: hidden states of one batch, in numbers. 16 MiB of float32 stay in a level-3 cache.
PREDICT_NUMBERS = 4_194_304
PREDICT_SEQUENCES = 512
# Input projections of tokens: they cost more to read back than they save where most steps have one
# of their own, and take at most so many numbers (256 MiB of float32).
MOST_DISTINCT = 0.7
PROJECTED_NUMBERS = 67_108_864


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
    rows = len(sequences) if plan.pooling != "all" else sequences.n_steps
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
    ndarray of shape (n_sequences, plan.n_features_out), or (total_steps, plan.n_features_out)
    """
    rows = len(sequences) if plan.pooling != "all" else sequences.n_steps
    read = np.empty((rows, plan.n_features_out), plan.dtype)
    _run(plan, params, sequences, None, None, False, None, read=read)
    return read


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
    out = np.empty((sequences.n_steps, plan.n_outputs), plan.dtype)
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
    path = np.empty(sequences.n_steps, np.intp)
    _run(plan, params, sequences, None, path, False, scores)
    return path


def _run(plan, params, sequences, out, path, probabilities, scores, states=None, read=None):
    """Call the kernel on batches of sequences of similar length, the empty ones left out."""
    if sequences.is_stored and states is None:
        for first, last, part in sequences.parts(plan.dtype.itemsize):
            rows = slice(first, last)
            if plan.pooling == "all":
                rows = slice(sequences.offsets[first], sequences.offsets[last])
            arrays = (None if array is None else array[rows] for array in (out, path, read))
            out_part, path_part, read_part = arrays
            _run(plan, params, part, out_part, path_part, probabilities, scores, None, read_part)
        return
    lengths = sequences.lengths
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    if len(order) == 0:
        return
    lengths = lengths[order]
    width = max(plan.hidden) * plan.n_directions
    if plan.pooling == "all":  # a label of a CRF takes three numbers per step
        width = max(width, plan.n_outputs * (1 if scores is None else 3))
    batch_offsets = _predict_bounds(lengths, width)
    if len(batch_offsets) == 2:  # one batch, as in every small call
        limits = BatchLimits(len(lengths), int(lengths.sum()), int(lengths[0]))
    else:
        limits = BatchLimits(
            int((batch_offsets[1:] - batch_offsets[:-1]).max()),
            int(np.add.reduceat(lengths, batch_offsets[:-1]).max()),
            int(lengths[0]),
        )
    data = kernel_data(plan, sequences)
    distinct = None
    if plan.characters is not None:
        limits = limits._replace(words=word_limits_of(data, order, batch_offsets))
    elif plan.embedding is not None:
        distinct = distinct_rows(data.tokens)
    if distinct is not None and len(distinct.rows) * plan.projection_width > PROJECTED_NUMBERS:
        distinct = None
    options = Options(
        threads=effective_n_threads(),
        paths=scores is not None,
        distinct=0 if distinct is None else len(distinct.rows),
    )
    plan.engine.predict(
        plan, options, limits, plan.workspace(options, limits), params, data, distinct, order,
        batch_offsets, out, path, probabilities, scores,
        None if states is None else CarriedStates(*states), read,
    )  # fmt: skip


def word_limits_of(data, order, batch_offsets):
    """Return the limits of words of these very batches.

    Parameters
    ----------
    data : KernelData
        With `spellings`.
    order : ndarray of int
        Sequences of all batches, one after another.
    batch_offsets : ndarray of shape (n_batches + 1,)

    Returns
    -------
    BatchLimits
    """
    lengths, words = np.diff(data.spellings.offsets), data.tokens[:, -1]
    n_words = n_characters = 0
    for start, stop in pairwise(batch_offsets.tolist()):
        rows = step_rows(data.offsets, order[start:stop])[0]
        here = np.unique(words[rows])
        n_words = max(n_words, len(here))
        n_characters = max(n_characters, int(lengths[here].sum()))
    return BatchLimits(n_words, n_characters, int(lengths.max()))


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
    hashes = (tokens.astype(np.uint64) * _hash_factors(tokens.shape[1])).sum(axis=1)
    _, first, places = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) > MOST_DISTINCT * len(tokens):
        return None
    rows = np.ascontiguousarray(tokens[first])
    places = places.astype(np.intp, copy=False)
    return DistinctTokens(rows, places) if np.array_equal(rows[places], tokens) else None


@cache
def _hash_factors(n_columns):
    """Return an odd random factor per column; seeding a generator takes as long as the rest."""
    factors = np.random.RandomState(0).randint(1, 2**63 - 1, n_columns, dtype=np.uint64) | 1
    factors.flags.writeable = False
    return factors


def _predict_bounds(lengths, width):
    """Cut sequences of falling length into batches that fit PREDICT_NUMBERS."""
    batch_offsets = [0]
    while batch_offsets[-1] < len(lengths):
        steps = max(1, int(lengths[batch_offsets[-1]]))
        size = max(8, min(PREDICT_SEQUENCES, PREDICT_NUMBERS // (steps * width)))
        batch_offsets.append(min(batch_offsets[-1] + size, len(lengths)))
    return np.array(batch_offsets, dtype=np.intp)
