"""Use of a fitted encoder and decoder: beam search, and teacher forcing along given targets."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from skrnn._network.batches import kernel_data, pair_limits
from skrnn._network.border import BatchLimits, HypothesisArrays, PairLimits, TargetSequences
from skrnn._network.plan import Options
from skrnn._network.threads import effective_n_threads
from skrnn._translator.targets import decoder_inputs

# Prediction: hypotheses that go forward together, and numbers of hidden states of their sources.
DECODE_ROWS = 512
DECODE_NUMBERS = 4_194_304
DECODE_SEQUENCES = 4096  # in one call
DECODE_TOKENS = 4_000_000  # of all hypotheses that it may find: 32 MB
FORCED_SEQUENCES = 32  # with teacher forcing, in one call


class Hypotheses(NamedTuple):
    """Targets that decoding has found, best first."""

    tokens: list  # of each source, a list of arrays of token ids
    log_probabilities: list  # of each source, an array; not normalized by length


def decode(pair, params, sequences, beam_width, length_penalty, max_lengths, n_best=None):
    """Find the most probable targets.

    Parameters
    ----------
    pair : EncoderDecoder
    params : ndarray of shape (n_params,)
    sequences : Sequences
    beam_width : int
        Hypotheses per source; 1 takes the most probable token of each step.
    length_penalty : float
        Hypotheses compare by log-probability / length ** length_penalty, the end symbol counted.
    max_lengths : int, or ndarray of shape (n_sequences,)
        Maximum number of tokens of each target, which then ends.
    n_best : int, default=None
        Targets that are wanted of each source, at most `beam_width`, which None stands for. They
        are the same whatever their number, but the fewer there are, the sooner the search ends.

    Returns
    -------
    Hypotheses
    """
    n_best = n_best or beam_width
    n = len(sequences)
    max_lengths = np.broadcast_to(np.asarray(max_lengths, dtype=np.intp), n)
    tokens: list = [None] * n
    log_probabilities: list = [None] * n
    # Sources with short targets go together, so that a long one takes memory for itself alone.
    order = np.argsort(max_lengths, kind="stable")
    start = 0
    while start < n:
        stop = min(start + DECODE_SEQUENCES, n)
        while stop > start + 1 and (
            (stop - start) * n_best * int(max_lengths[order[stop - 1]]) > DECODE_TOKENS
        ):
            stop = start + (stop - start) // 2
        batch_indices = order[start:stop]
        found = _decode(
            pair,
            params,
            sequences.take(batch_indices),
            beam_width,
            length_penalty,
            max_lengths[batch_indices],
            n_best,
        )
        for i, *one in zip(batch_indices.tolist(), *found, strict=True):
            tokens[i], log_probabilities[i] = one
        start = stop
    return Hypotheses(tokens, log_probabilities)


def _decode(pair, params, sequences, beam_width, length_penalty, max_lengths, n_best):
    lengths = sequences.lengths
    order = np.argsort(-lengths, kind="stable").astype(np.intp)
    n = len(order)
    hypotheses = HypothesisArrays(
        np.full((n, n_best, int(max_lengths.max())), -1, np.intp),
        np.full((n, n_best), -1, np.intp),
        np.full((n, n_best), -np.inf),
    )
    batch_offsets = _decode_bounds(lengths[order], pair.width, beam_width)
    limits = BatchLimits(
        int(np.max(np.diff(batch_offsets))),
        int(np.max(np.add.reduceat(lengths[order], batch_offsets[:-1]))),
        int(lengths[order[0]]),
    )
    options = Options(threads=effective_n_threads())
    rows = limits.n_sequences * beam_width
    room = PairLimits(limits._replace(n_sequences=rows), BatchLimits(rows, rows, 1))
    workspace = pair.workspace(options, room, n)
    pair.engine.translate_decode(
        pair, options, limits, workspace, params, kernel_data(pair, sequences), order,
        batch_offsets,
        beam_width, hypotheses, np.ascontiguousarray(max_lengths), float(length_penalty),
    )  # fmt: skip
    return _best_first(*hypotheses, length_penalty)


def _decode_bounds(lengths, width, beam_width):
    """Cut sequences of falling length into batches."""
    batch_offsets = [0]
    while batch_offsets[-1] < len(lengths):
        fit = DECODE_NUMBERS // (int(lengths[batch_offsets[-1]]) * width)
        size = max(1, min(DECODE_ROWS // beam_width, fit))
        batch_offsets.append(min(batch_offsets[-1] + size, len(lengths)))
    return np.array(batch_offsets, dtype=np.intp)


def _best_first(tokens, counts, scores, length_penalty):
    found, log_probabilities = [], []
    with np.errstate(invalid="ignore"):
        normalized = scores / (counts + 1.0) ** length_penalty
    normalized[counts < 0] = -np.inf
    best = np.argsort(-normalized, axis=1, kind="stable")
    for i, places in enumerate(best):
        places = places[counts[i, places] >= 0]
        # Copies, which do not keep room for the longest target alive.
        found.append([tokens[i, k, : counts[i, k]].copy() for k in places])
        log_probabilities.append(scores[i, places])
    return Hypotheses(found, log_probabilities)


def attention_weights(pair, params, sequences, labels, offsets):
    """Compute the attention weights along given targets.

    Parameters
    ----------
    pair : EncoderDecoder
    params : ndarray of shape (n_params,)
    sequences : Sequences
    labels : ndarray of shape (target steps,), dtype=intp
        As in `decoder_inputs`.
    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    list of ndarray of shape (target steps, source steps)
        The last row of each is that of the end symbol.
    """
    weights = []
    for _, here, lengths, computed in _teacher_forced(pair, params, sequences, labels, offsets):
        rows = np.split(computed["attention"], here[1:-1])
        weights += [row[:, :n].copy() for row, n in zip(rows, lengths, strict=True)]
    return weights


def target_log_probabilities(pair, params, sequences, labels, offsets):
    """Compute the log-probabilities of given targets.

    Parameters
    ----------
    pair, params, sequences, labels, offsets
        As in `attention_weights`.

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=float64
        End symbols are counted; -inf for a target with a token that has no label.
    """
    sums = []
    for tokens, here, _, computed in _teacher_forced(pair, params, sequences, labels, offsets):
        logits = computed["logits"]
        rows = np.arange(len(tokens))
        of_tokens = logits[rows, tokens].astype(np.float64) - logsumexp(
            logits.astype(np.float64), axis=1
        )
        sums.append(np.add.reduceat(np.where(tokens < 0, -np.inf, of_tokens), here[:-1]))
    return np.concatenate(sums)


def _teacher_forced(pair, params, sequences, labels, offsets):
    """Run batches along their targets; yield labels, offsets, source lengths and what is computed.

    A batch has at most `FORCED_SEQUENCES` sequences, and logits and attention weights of at most
    `DECODE_NUMBERS` numbers, but at least one sequence.
    """
    options = Options(threads=effective_n_threads())
    longest = int(sequences.lengths.max())
    rows = max(1, DECODE_NUMBERS // max(pair.n_outputs, longest))
    start = 0
    while start < len(sequences):
        stop = int(np.searchsorted(offsets, offsets[start] + rows, side="right")) - 1
        stop = min(max(stop, start + 1), start + FORCED_SEQUENCES, len(sequences))
        part = sequences.take(np.arange(start, stop))
        here = (offsets[start : stop + 1] - offsets[start]).astype(np.intp)
        tokens = labels[offsets[start] : offsets[stop]]
        limits = pair_limits(part.lengths, np.diff(here), len(part))
        ids = decoder_inputs(tokens, here, pair.n_outputs - 1)
        target = TargetSequences(here, ids, tokens, None)
        computed = pair.engine.translate_inspect_batch(
            pair, options, limits, pair.workspace(options, limits, len(part)), params, None,
            kernel_data(pair, part), target, np.arange(len(part)),
        )  # fmt: skip
        yield tokens, here, part.lengths, computed
        start = stop
