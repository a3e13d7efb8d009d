"""A pair of networks, the encoder and the decoder that its last states start, and its calls.

The pair is to the estimator what a `Plan` is: names, places and shapes of all parameters in one
flat vector, the encoder's part first. The kernels' part is ``_kernels/translate.pxi``.
"""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from skrnn._data.labels import as_rows, plain_tokens
from skrnn._data.numbers import refuse_masked
from skrnn._data.sequences import lengths_to_offsets
from skrnn._network.batches import Trainer, batch_limits, kernel_data
from skrnn._network.border import BatchLimits, HypothesisArrays, PairLimits, TargetSequences
from skrnn._network.initialize import initialize
from skrnn._network.plan import Options, Parameter, Plan, check_switch
from skrnn._network.threads import effective_n_threads

ATTENTION = (None, "dot", "additive")
# Prediction: hypotheses that go forward together, and numbers of hidden states of their sources.
DECODE_ROWS = 512
DECODE_NUMBERS = 4_194_304
DECODE_SEQUENCES = 4096  # in one call
DECODE_TOKENS = 4_000_000  # of all hypotheses that it may find: 32 MB
ATTEND_SEQUENCES = 32


class Decoder(Plan):
    """A plan with the weights of attention behind those of the head."""

    def __init__(self, *args, attention, **kwargs):
        self.attention = attention
        super().__init__(*args, **kwargs)

    def _name_parameters(self, width):
        super()._name_parameters(width)
        H = self.hidden[-1]
        if self.attention is not None:
            self._add_parameter("attention_combine", (H, 2 * H))
        if self.attention == "additive":
            self._add_parameter("attention_query", (H, H))
            self._add_parameter("attention_key", (H, H))
            self._add_parameter("attention_vector", (H,))


class Pair:
    """An encoder, a decoder and the attention between them.

    Parameters
    ----------
    cell, hidden, n_features, bidirectional, activation, bptt_steps, embedding, dtype, level
        As in `Plan`, of the encoder. Levels of the decoder are as wide as all directions of the
        encoder's.
    n_outputs : int
        Target tokens and the end symbol.
    target_embedding : (rows, dim)
        Of target tokens, the start symbol and unknown tokens.
    attention : {None, 'dot', 'additive'}
    loss : {'softmax'}
    """

    architecture: dict  # what it was made of, where an estimator made it

    def __init__(
        self,
        cell,
        hidden,
        n_features,
        n_outputs,
        *,
        target_embedding,
        attention=None,
        bidirectional=False,
        activation="tanh",
        loss="softmax",
        bptt_steps=None,
        embedding=None,
        dtype="float32",
        level=None,
    ):
        if attention not in ATTENTION:
            raise ValueError(f"there is no attention {attention!r}")
        check_switch(bidirectional)
        alike = {
            "activation": activation, "pooling": "all", "loss": loss, "bptt_steps": bptt_steps,
            "dtype": dtype, "level": level,
        }  # fmt: skip
        self.encoder = Plan(
            cell, hidden, n_features, 0, bidirectional=bidirectional, embedding=embedding, **alike
        )
        self.decoder = Decoder(
            cell, [(1 + bidirectional) * h for h in hidden], 1, n_outputs,
            embedding=[target_embedding], attention=attention, **alike,
        )  # fmt: skip
        self.engine, self.dtype = self.encoder.engine, self.encoder.dtype
        self.embedding, self.n_outputs = self.encoder.embedding, n_outputs
        self.attention, self.width = attention, self.decoder.hidden[-1]
        self.parameters = {f"encoder_{name}": p for name, p in self.encoder.parameters.items()}
        for name, p in self.decoder.parameters.items():
            own = name if name.startswith(("head", "attention")) else f"decoder_{name}"
            self.parameters[own] = Parameter(self.encoder.n_params + p.start, p.shape)
        places = [
            self.decoder.parameters[name].start if name in self.decoder.parameters else 0
            for name in ("combine", "query", "key", "vector")
            for name in (f"attention_{name}",)
        ]
        self.attention_record = np.array([self.engine.SCORES[attention], *places], dtype=np.intp)
        rows = np.full(-(-self.width // self.engine.lanes) * self.engine.lanes, -1, dtype=np.intp)
        rows[: self.width] = np.arange(self.width)
        self.attention_rows = rows

    @property
    def n_params(self):
        """Length of the flat parameter vector."""
        return self.encoder.n_params + self.decoder.n_params

    views = Plan.views

    def initialize(self, rng, head_bias):
        """Draw the parameters of both networks, as `initialize` does."""
        parts = initialize(self.encoder, rng, None), initialize(self.decoder, rng, head_bias)
        return np.concatenate(parts)

    def workspace(self, options, limits, n_sequences):
        """Allocate a workspace for batches of at most `limits`.

        Parameters
        ----------
        options : Options
        limits : PairLimits
        n_sequences : int
            Sequences of the data that batches are taken from.
        """
        sizes = self.engine.encoder_decoder_bytes(self, options, limits, n_sequences)
        return np.empty(sum(sizes), dtype=np.uint8)


def read_targets(y):
    """Validate targets.

    Parameters
    ----------
    y : collection of token sequences
        Of strings, or of integers; a sequence may be empty. None, NaN and -1 at its end are
        padding.

    Returns
    -------
    list of list

    Raises
    ------
    TypeError, ValueError
        Naming the sequence and the step.
    """
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise TypeError(
            f"y is of type {type(y).__name__}, where a list of target sequences is expected, each "
            "a list of tokens."
        )
    refuse_masked(y, "y")
    rows, kind = [], None
    for i, given in enumerate(as_rows(y)):
        if isinstance(given, (str, bytes, dict, set)) or not hasattr(given, "__len__"):
            raise TypeError(
                f"y has {given!r} for sequence {i}, where a list of tokens is expected. Split each "
                "target first: [list(s) for s in y] for characters, [s.split() for s in y] for "
                "words."
            )
        if not isinstance(given, (list, tuple)):
            array = np.asarray(given)
            given = (array[:, 0] if array.shape[1:] == (1,) else array).tolist()
        row = list(given)
        row = plain_tokens(row, i, "y")
        for t, token in enumerate(row):
            found = str if isinstance(token, str) else Integral
            kind = kind or found
            if not isinstance(token, found) or found is not kind:
                raise TypeError(
                    f"sequence {i} of y has {token!r} at step {t}: target tokens are all strings, "
                    "or all integers. Write them all as strings."
                )
        rows.append(row)
    return rows


def target_labels(rows, vocabulary, held=None):
    """Give the numbers of what the decoder is to say: tokens, then the end symbol.

    Parameters
    ----------
    rows : list of list
        From `read_targets`.
    vocabulary : dict
        Token to number.
    held : ndarray of shape (n_sequences,), dtype=bool, default=None
        Targets that are not learned from: a token of theirs that is not known has no label.

    Returns
    -------
    labels : ndarray of shape (target steps,), dtype=intp
        -1 for none.
    offsets : ndarray of shape (n_sequences + 1,), dtype=int64

    Raises
    ------
    ValueError
        For a token that is not known, naming the sequence and the step.
    """
    offsets = lengths_to_offsets(np.array([len(row) + 1 for row in rows], np.int64))
    labels = []
    for i, row in enumerate(rows):
        unknown = -1 if held is not None and held[i] else None
        for t, token in enumerate(row):
            label = vocabulary.get(token, unknown)
            if label is None:
                raise ValueError(
                    f"sequence {i} of y has {token!r} at step {t}, a token the network was not "
                    "started with. Name all tokens in target_tokens in the first call of "
                    "partial_fit, or start anew with fit and warm_start=False."
                )
            labels.append(label)
        labels.append(len(vocabulary))
    try:
        return np.array(labels, dtype=np.intp), offsets
    except OverflowError:
        raise ValueError("target_vocabulary_ holds a number that is no output.") from None


def decoder_inputs(labels, offsets, n_tokens):
    """Return what the decoder reads: a start symbol, then the target.

    Parameters
    ----------
    labels : ndarray of shape (target steps,), dtype=intp
        What it is to say: of each sequence the tokens, -1 for one it does not know, then the end
        symbol `n_tokens`.
    offsets : ndarray of shape (n_sequences + 1,)
    n_tokens : int
        Target tokens there are; the start symbol has the embedding's row of that number,
        unknown tokens the one behind it.

    Returns
    -------
    ndarray of shape (target steps, 1), dtype=intp
    """
    ids = np.empty((len(labels), 1), np.intp)
    ids[1:, 0] = np.where(labels[:-1] < 0, n_tokens + 1, labels[:-1])
    ids[offsets[:-1], 0] = n_tokens
    return ids


def pair_limits(source_lengths, target_lengths, batch_size):
    """Most sequences, source and target steps that a batch of any order can have."""
    return PairLimits(
        batch_limits(source_lengths, batch_size), batch_limits(target_lengths, batch_size)
    )


class PairTrainer(Trainer):
    """Workspace and vectors of one training run of a pair.

    Parameters
    ----------
    pair, sequences, targets, batch_size, params, optimiser, seed, streams, penalty_weight
        As in `Trainer`; `targets.labels` are those of `decoder_inputs`.
    **dropout_rates : dict of str to float
    """

    def __init__(
        self,
        pair,
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
        self._keep(pair, params, optimiser, seed, penalty_weight)
        self.data = kernel_data(pair, sequences)
        offsets = targets.offsets.astype(np.intp, copy=False)
        ids = decoder_inputs(targets.labels, offsets, pair.n_outputs - 1)
        self.target = TargetSequences(offsets, ids, targets.labels, targets.weights)
        self.batch_size, self.streams, self.n_units = batch_size, None, len(sequences)
        self.limits = pair_limits(sequences.lengths, np.diff(offsets), batch_size)
        self.options = Options(training=True, threads=effective_n_threads(), **dropout_rates)
        self.workspace = pair.workspace(self.options, self.limits, len(sequences))

    def _train(self, order, bounds, report, carried_states, settings):
        return self.plan.engine.translate_train(
            self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
            *self._moments(), self.data, self.target, order, bounds, settings, report,
        )  # fmt: skip


class Found(NamedTuple):
    """What decoding has found: up to as many targets a sequence as the beam is wide, best first."""

    tokens: list  # for each sequence a list of arrays of token ids
    log_probabilities: list  # for each sequence an array, not normalised by length


def decode(pair, params, sequences, beam_width, length_penalty, max_length):
    """Find the most probable targets.

    Parameters
    ----------
    pair : Pair
    params : ndarray of shape (n_params,)
    sequences : Sequences
    beam_width : int
        Hypotheses a sequence; 1 takes the most probable token of each step.
    length_penalty : float
        Hypotheses compare by log-probability / length ** length_penalty, the end symbol counted.
    max_length : int
        Most tokens of a target; longer ones end there.

    Returns
    -------
    Found
    """
    tokens, log_probabilities = [], []
    # One long target in training lets all be as long: what they might take is not held at once.
    many = max(1, min(DECODE_SEQUENCES, DECODE_TOKENS // (2 * beam_width * max_length)))
    for start in range(0, len(sequences), many):
        part = sequences.take(np.arange(start, min(start + many, len(sequences))))
        found = _decode(pair, params, part, beam_width, length_penalty, max_length)
        tokens += found.tokens
        log_probabilities += found.log_probabilities
    return Found(tokens, log_probabilities)


def _decode(pair, params, sequences, beam_width, length_penalty, max_length):
    lengths = sequences.lengths
    order = np.argsort(-lengths, kind="stable").astype(np.intp)
    n, kept = len(order), 2 * beam_width
    hypotheses = HypothesisArrays(
        np.full((n, kept, max_length), -1, np.intp),
        np.full((n, kept), -1, np.intp),
        np.full((n, kept), -np.inf),
    )
    bounds = _decode_bounds(lengths[order], pair.width, beam_width)
    limits = BatchLimits(
        int(np.max(np.diff(bounds))),
        int(np.max(np.add.reduceat(lengths[order], bounds[:-1]))),
        int(lengths[order[0]]),
    )
    options = Options(threads=effective_n_threads())
    rows = limits.n_sequences * beam_width
    room = PairLimits(limits._replace(n_sequences=rows), BatchLimits(rows, rows, 1))
    workspace = pair.workspace(options, room, n)
    pair.engine.translate_decode(
        pair, options, limits, workspace, params, kernel_data(pair, sequences), order, bounds,
        beam_width, hypotheses,
    )  # fmt: skip
    return _best_first(*hypotheses, beam_width, length_penalty)


def _decode_bounds(lengths, width, beam_width):
    """Cut sequences of falling length into batches."""
    bounds = [0]
    while bounds[-1] < len(lengths):
        fit = DECODE_NUMBERS // (int(lengths[bounds[-1]]) * width)
        size = max(1, min(DECODE_ROWS // beam_width, fit))
        bounds.append(min(bounds[-1] + size, len(lengths)))
    return np.array(bounds, dtype=np.intp)


def _best_first(tokens, counts, scores, beam_width, length_penalty):
    found, log_probabilities = [], []
    with np.errstate(invalid="ignore"):
        normalised = scores / (counts + 1.0) ** length_penalty
    normalised[counts < 0] = -np.inf
    best = np.argsort(-normalised, axis=1, kind="stable")[:, :beam_width]
    for i, places in enumerate(best):
        places = places[counts[i, places] >= 0]
        # Copies, which do not keep room for the longest target alive.
        found.append([tokens[i, k, : counts[i, k]].copy() for k in places])
        log_probabilities.append(scores[i, places])
    return Found(found, log_probabilities)


def attention_weights(pair, params, sequences, labels, offsets):
    """Attend with teacher forcing.

    Parameters
    ----------
    pair : Pair
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
    options = Options(threads=effective_n_threads())
    weights = []
    for start in range(0, len(sequences), ATTEND_SEQUENCES):
        chosen = np.arange(start, min(start + ATTEND_SEQUENCES, len(sequences)))
        part = sequences.take(chosen)
        here = offsets[start : chosen[-1] + 2]
        part_labels = labels[here[0] : here[-1]]
        here = (here - here[0]).astype(np.intp)
        limits = pair_limits(part.lengths, np.diff(here), len(chosen))
        ids = decoder_inputs(part_labels, here, pair.n_outputs - 1)
        target = TargetSequences(here, ids, part_labels, None)
        found = pair.engine.translate_inspect_batch(
            pair, options, limits, pair.workspace(options, limits, len(chosen)), params, None,
            kernel_data(pair, part), target, np.arange(len(chosen)),
        )  # fmt: skip
        rows = np.split(found["attention"], here[1:-1])
        weights += [row[:, :n].copy() for row, n in zip(rows, part.lengths, strict=True)]
    return weights
