"""What the tests of the kernels share: a network run by them, seen as the oracle sees it.

A test states its problem once, in the oracle's terms, and hands it to both::

    expected = oracle.run(spec, **problem)
    got = Network(spec, **problem, level="avx2").run()

The user's order and the packed one, flat vectors and padding stay in here. Levels are those the
processor has, or the one that ``SKRNN_ISA`` names; one whose kernels were not built is skipped.
"""

import os
from functools import cache

import numpy as np
import oracle
import pytest

from skrnn import RNNClassifier
from skrnn._kernels import cpu, get_engine
from skrnn._network.border import BatchLimits, KernelData, KernelTargets, Spellings
from skrnn._network.optimizer import Optimizer
from skrnn._network.plan import CELLS, Options, Plan

DTYPES = ("float64", "float32")
MASK64 = 2**64 - 1


# What there is to test


@cache
def is_built(level, dtype):
    """Tell whether the kernels of one instruction set and precision can be imported."""
    try:
        get_engine(dtype, level)
    except ModuleNotFoundError:
        return False
    return True


def levels(dtype="float64"):
    """List the instruction sets to test, as parameters; those not built are skipped."""
    forced = os.environ.get("SKRNN_ISA", "").lower()
    return [
        pytest.param(
            level,
            marks=pytest.mark.skipif(
                not is_built(level, dtype), reason=f"{level}, {dtype}: kernels not built"
            ),
        )
        for level in cpu.levels()
        if forced in ("", level)
    ]


def one_level(dtype="float64"):
    """Return `levels` cut to the best: for what another instruction set would only repeat."""
    return levels(dtype)[:1]


def variants(choose=levels):
    """List the (instruction set, precision) pairs to test, as parameters."""
    return [
        pytest.param(*level.values, dtype, marks=level.marks, id=f"{level.values[0]}-{dtype}")
        for dtype in DTYPES
        for level in choose(dtype)
    ]


def any_engine():
    """Return a compiled module for its tables, which are the same in all."""
    return next(
        get_engine(dtype, level)
        for dtype in DTYPES
        for level in cpu.levels()
        if is_built(level, dtype)
    )


SOLVERS = list(any_engine().SOLVERS)


def mix64(seed, counter):
    """Return 64 pseudo-random bits, as ``mix64`` in simd.h does (SplitMix64)."""
    z = (seed + (counter + 1) * 0x9E3779B97F4A7C15) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


# Problems


def make_problem(
    spec, lengths, n_features=3, seed=0, *, embedding=None, states=True, cotangents=True,
    sample_weight=True, unlabelled=False, scale=0.5,
):  # fmt: skip
    """Draw a problem: keyword arguments of both `oracle.run` and `Network`.

    Parameters
    ----------
    spec : oracle.Spec
    lengths : list of int
    n_features : int, default=3
    seed : int, default=0
    embedding : sequence of (rows, dim), default=None
        Draw token ids instead of numbers: a table for each of the `n_features` columns.
    states : bool, default=True
        Draw initial states.
    cotangents : bool, default=True
        Draw cotangents of outputs and final states, on top of the targets.
    sample_weight : bool, default=True
    unlabelled : bool, default=False
        Draw some labels of -1.
    scale : float, default=0.5
        Of the weights.

    Returns
    -------
    problem : dict
    """
    rng = np.random.default_rng(seed)
    n, has_c = len(lengths), CELLS[spec.cell].has_c

    def draw_states():
        return [rng.standard_normal((n, spec.hidden[level])) for level, _, _ in oracle.scans(spec)]

    def draw_rows(draw):
        return [draw(T) for T in lengths] if spec.pooling == "all" else draw(n)

    problem = {"weights": oracle.random_weights(rng, spec, n_features, embedding, scale=scale)}
    if embedding is None:
        problem["sequences"] = [rng.standard_normal((T, n_features)) for T in lengths]
    else:
        rows = [rows for rows, _ in embedding]
        problem["sequences"] = [rng.integers(0, rows, (T, n_features)) for T in lengths]
    if spec.loss in oracle.LABEL_LOSSES:
        low = -1 if unlabelled else 0
        problem["targets"] = draw_rows(lambda r: rng.integers(low, spec.n_outputs, r))
    else:
        M = oracle.n_targets(spec.loss, spec.n_outputs)
        problem["targets"] = draw_rows(lambda r: oracle.draw_values(rng, spec.loss, r, M))
    if sample_weight:
        problem["sample_weight"] = draw_rows(lambda r: rng.uniform(0.5, 2.0, r))
    if states:
        problem["h0"] = draw_states()
        problem["c0"] = draw_states() if has_c else None
    if cotangents:
        width = (1 + spec.bidirectional) * spec.hidden[-1]
        problem["d_outputs"] = [rng.standard_normal((T, width)) for T in lengths]
        problem["d_hn"] = draw_states()
        problem["d_cn"] = draw_states() if has_c else None
    return problem


def rounded(problem, dtype):
    """Round every number of a problem to a precision, so that both precisions get the same."""

    def round_one(value):
        if isinstance(value, dict):
            return {key: round_one(part) for key, part in value.items()}
        if isinstance(value, list):
            return [round_one(part) for part in value]
        if value is None or value.dtype.kind != "f":
            return value
        return value.astype(dtype).astype(np.float64)

    return round_one(problem)


# The network


class Network:
    """A network and one batch of data, ready for the kernels.

    Parameters
    ----------
    spec, weights, sequences, targets, sample_weight, h0, c0, d_outputs, d_hn, d_cn
        As in `oracle.run`.
    level, dtype : str
        The kernels to use.
    threads : int, default=1
    dropout, recurrent_dropout, word_dropout : float, default=0.0
    seed : int, default=0
        Of the dropout masks.
    order : array-like of int, default=None
        Order in which the kernels get the sequences; as they are by default.
    wants_dx : bool, default=True
        Compute the gradient of the inputs.
    tied : bool, default=False
        `head_weight` is the embedding.
    n_frozen : int, default=0
        Rows of the first embedding that training leaves as they are.
    spellings : list of ndarray of int, default=None
        Characters of each word, which the last column of the sequences numbers.
    **options
        Other fields of `Options`.

    Attributes
    ----------
    params, grads : ndarray of shape (n_params,)
    values : ndarray of shape (total_steps, n_features)
    h0, c0 : list of ndarray of shape (n_sequences, H_l), or None
        May be changed in place between two runs, as may `params` and `values`.
    """

    def __init__(
        self, spec, weights, sequences, targets=None, sample_weight=None, h0=None, c0=None,
        d_outputs=None, d_hn=None, d_cn=None, *, level, dtype="float64", threads=1, dropout=0.0,
        recurrent_dropout=0.0, word_dropout=0.0, seed=0, order=None, wants_dx=True, tied=False,
        n_frozen=0, spellings=None, **options,
    ):  # fmt: skip
        tables = [table for name, table in weights.items() if name.startswith("embedding_weight")]
        has_head = "head_weight" in weights
        tables = [weights["head_weight"]] if tied else tables
        self.spec, self.seed = spec, seed
        characters = None
        if spellings is not None:
            table, states = (
                weights[f"characters_{n}"] for n in ("embedding_weight", "weight_hh_l0")
            )
            characters = (*table.shape, states.shape[1])
        self.plan = Plan(
            spec.cell, spec.hidden, sequences[0].shape[1], spec.n_outputs if has_head else 1,
            bidirectional=spec.bidirectional, activation=spec.activation, pooling=spec.pooling,
            loss=spec.loss, bptt_steps=spec.bptt_steps, dtype=dtype, level=level,
            quantiles=oracle.QUANTILES if spec.loss == "quantile" else (),
            embedding=[table.shape for table in tables] or None, tied=tied, n_frozen=n_frozen,
            characters=characters,
        )  # fmt: skip
        self.engine, dtype = self.plan.engine, self.plan.dtype
        self.params = np.zeros(self.plan.n_params, dtype)
        self.grads = np.zeros_like(self.params)
        views = self.plan.views(self.params)
        for name, weight in weights.items():
            views[name][...] = weight

        self.lengths = np.array([len(sequence) for sequence in sequences])
        self.offsets = np.append(0, np.cumsum(self.lengths)).astype(np.intp)
        self.values = np.concatenate(sequences).astype(np.intp if tables else dtype)
        self.order = np.arange(len(sequences)) if order is None else np.asarray(order, np.intp)
        self.targets = None if targets is None else self._flat_targets(targets, sample_weight)
        self.h0, self.c0, self.d_hn, self.d_cn = h0, c0, d_hn, d_cn
        self.d_outputs = None if d_outputs is None else np.concatenate(d_outputs)

        self.options = Options(
            True, wants_dx, threads, dropout, recurrent_dropout, word_dropout, **options
        )
        self.limits = BatchLimits(len(sequences), int(self.offsets[-1]), int(self.lengths.max()))
        self.spellings = None
        if spellings is not None:
            lengths = np.array(list(map(len, spellings)))
            offsets = np.append(0, np.cumsum(lengths)).astype(np.intp)
            flat = np.concatenate(spellings).astype(np.intp)[:, np.newaxis]
            self.spellings = Spellings(offsets, flat)
            words = BatchLimits(len(lengths), int(offsets[-1]), int(lengths.max()))
            self.limits = self.limits._replace(words=words)
        self.workspace = self.plan.workspace(self.options, self.limits)

    @property
    def data(self):
        """Return the input as the kernels take it."""
        if self.values.dtype.kind == "i":
            return KernelData(self.offsets, None, self.values, self.spellings)
        return KernelData(self.offsets, self.values, None)

    def _flat_targets(self, targets, sample_weight):
        flat = np.concatenate if self.spec.pooling == "all" else np.asarray
        weights = None if sample_weight is None else flat(sample_weight).astype(np.float64)
        targets = flat(targets)
        if self.spec.loss in oracle.LABEL_LOSSES:
            return KernelTargets(targets.astype(np.intp), None, weights)
        values = targets.reshape(len(targets), -1).astype(self.plan.dtype)
        return KernelTargets(None, values, weights)

    def _in_order(self, states):
        return None if states is None else [state[self.order] for state in states]

    def inspect_batch(self):
        """Return what `engine.inspect_batch` does, in the kernels' own order."""
        return self.engine.inspect_batch(
            self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
            self.data, self.order, targets=self.targets, alpha=self.spec.alpha,
            h0=self._in_order(self.h0), c0=self._in_order(self.c0), d_outputs=self.d_outputs,
            d_hn=self._in_order(self.d_hn), d_cn=self._in_order(self.d_cn), seed=self.seed,
        )  # fmt: skip

    def run(self):
        """Run forward and backward.

        Returns
        -------
        result : oracle.Result
            In the user's order. `d_inputs` is None unless asked for.
        """
        raw = self.inspect_batch()
        layers = raw["scans"]
        packed = self._sequence_at(raw)
        top = np.concatenate([layer["h"] for layer in layers[-self.plan.n_directions :]], axis=1)
        outputs = self._steps(top, raw["rows"])
        has_c = self.plan.cell.has_c
        h_n = [self._sequences(layer["h"][layer["last"]], packed) for layer in layers]
        c_n = None
        if has_c:
            c_n = [self._sequences(layer["c"][layer["last"]], packed) for layer in layers]
        logits = raw.get("logits")  # there are none where the output layer is computed in chunks
        if logits is not None and self.spec.pooling == "all":
            logits = self._steps(logits, raw["rows"])
        elif logits is not None:
            logits = self._sequences(logits, packed)
        return oracle.Result(
            loss=raw["loss"] + self._cotangent_loss(outputs, h_n, c_n),
            outputs=outputs,
            h_n=h_n,
            c_n=c_n,
            logits=logits,
            grads={name: grad.copy() for name, grad in self.plan.views(self.grads).items()},
            d_inputs=np.split(raw["d_inputs"], self.offsets[1:-1]) if "d_inputs" in raw else None,
            d_h0=[self._sequences(state, self.order) for state in raw["d_h0"]],
            d_c0=[self._sequences(state, self.order) for state in raw["d_c0"]] if has_c else None,
        )

    def masks(self):
        """Return the dropout masks of a run, as `oracle.run` takes them."""
        raw = self.inspect_batch()
        packed = self._sequence_at(raw)
        rate, recurrent_rate = self.options.dropout, self.options.recurrent_dropout
        masks = {}
        for k, (level, direction, _) in enumerate(oracle.scans(self.spec)):
            if recurrent_rate > 0:
                mask = raw["scans"][k]["mask"]
                masks["recurrent", level, direction] = self._sequences(mask, packed)
        if rate == 0:
            return masks
        for level, H in enumerate(self.spec.hidden, start=1):
            is_head = level == len(self.spec.hidden)
            pooled = is_head and self.spec.pooling != "all"
            width = self.plan.n_features_out if is_head else self.plan.n_directions * H
            drawn = self.engine.dropout_multipliers(
                len(self.lengths) if pooled else self.offsets[-1], width, rate,
                mix64(self.seed, 2 * level),
            )  # fmt: skip
            drawn = drawn if pooled else np.split(drawn, self.offsets[1:-1])
            masks[("head",) if is_head else ("input", level)] = drawn
        return masks

    def train(self, order, batch_size, optimizer):
        """Take one optimizer step per batch of `order`.

        Returns
        -------
        report : ndarray of shape (3, n_batches)
            Losses, norms of the gradients before clipping, weights of the batches.
        """
        order = np.asarray(order, np.intp)
        batch_offsets = np.append(np.arange(0, len(order), batch_size), len(order)).astype(np.intp)
        report = np.zeros((len(batch_offsets) - 1, 3))
        settings = optimizer.settings(self.seed)
        done = self.engine.train(
            self.plan, self.options, self.limits, self.workspace, self.params, self.grads,
            optimizer.m, optimizer.v, self.data, self.targets, order, batch_offsets,
            settings, report,
        )  # fmt: skip
        optimizer.step = settings["step"]
        assert done == len(report)
        return report.T

    def optimizer(self, **settings):
        """Make an optimizer for `train`, with an estimator's parameters."""
        params = RNNClassifier(**{"alpha": self.spec.alpha} | settings).get_params()
        return Optimizer.new(params, self.plan.n_params, self.plan.dtype)

    def predict(self, batches=None, probabilities=False, distinct=None):
        """Run the network forward in prediction, batch by batch.

        Parameters
        ----------
        batches : list of list of int, default=None
            Sequences of each batch; all in one by default.
        probabilities : bool, default=False
        distinct : DistinctTokens, default=None

        Returns
        -------
        outputs : ndarray of shape (n_sequences or total_steps, n_outputs)
        """
        out = self._empty_outputs()
        self._predict(batches, out, None, probabilities, None, distinct)
        return out

    def decode(self, scores=None, batches=None):
        """Return the best path of every sequence, (total_steps,), sequences one after another.

        Parameters
        ----------
        scores : ndarray of shape (n_outputs + 2, n_outputs), default=None
            Start, transitions and end; the network's own by default.
        batches : as in `predict`
        """
        path = np.full(self.offsets[-1], -2, np.intp)
        self._predict(batches, None, path, False, self._own_scores() if scores is None else scores)
        return path

    def marginals(self, scores=None, batches=None):
        """Return the probability of every tag at every step, (total_steps, n_outputs).

        Parameters
        ----------
        scores, batches : as in `decode`
        """
        out = self._empty_outputs()
        self._predict(batches, out, None, True, self._own_scores() if scores is None else scores)
        return out

    def _empty_outputs(self):
        rows = self.offsets[-1] if self.spec.pooling == "all" else len(self.lengths)
        return np.full((rows, self.plan.n_outputs), np.nan, self.plan.dtype)

    def _own_scores(self):
        views = self.plan.views(self.params)
        return np.vstack([views["crf_start"], views["crf_transitions"], views["crf_end"]])

    def _predict(self, batches, out, path, probabilities, scores, distinct=None):
        batches = [self.order] if batches is None else batches
        options = Options(
            threads=self.options.threads,
            paths=scores is not None,
            distinct=0 if distinct is None else len(distinct.rows),
        )
        if scores is not None:
            scores = np.ascontiguousarray(scores, self.plan.dtype)
        self.engine.predict(
            self.plan, options, self.limits, self.plan.workspace(options, self.limits), self.params,
            self.data, distinct, np.concatenate(batches).astype(np.intp),
            np.append(0, np.cumsum([len(batch) for batch in batches])).astype(np.intp), out, path,
            probabilities, scores,
        )  # fmt: skip

    def _sequence_at(self, raw):
        """Return the user's sequence at each packed position."""
        return self.order[raw["sequences"]]

    def _sequences(self, array, positions):
        out = np.empty_like(array)
        out[positions] = array
        return out

    def _steps(self, array, rows):
        return np.split(self._sequences(array, rows), self.offsets[1:-1])

    def _cotangent_loss(self, outputs, h_n, c_n):
        """Return what cotangents add to the loss, as in `oracle.run`."""
        pairs = []
        if self.d_outputs is not None:
            pairs.append((np.concatenate(outputs), self.d_outputs))
        if self.d_hn is not None:
            pairs += zip(h_n, self.d_hn, strict=True)
        if self.d_cn is not None:
            pairs += zip(c_n, self.d_cn, strict=True)
        return sum(float(np.sum(array * cotangent)) for array, cotangent in pairs)


# Comparison


def named_arrays(result):
    """Name every array of an `oracle.Result`; sequences are joined, states kept one a scan."""
    arrays = {f"d {name}": gradient for name, gradient in result.grads.items()}
    arrays["outputs"] = np.concatenate(result.outputs)
    if result.logits is not None:
        joined = isinstance(result.logits, list)
        arrays["logits"] = np.concatenate(result.logits) if joined else result.logits
    if result.d_inputs is not None:
        arrays["d inputs"] = np.concatenate(result.d_inputs)
    for name in ("h_n", "c_n", "d_h0", "d_c0"):
        for k, state in enumerate(getattr(result, name) or []):
            arrays[f"{name} of scan {k}"] = state
    return arrays


def relative_error(got, expected):
    """Largest deviation, relative to the largest entry; 0 where both are all zeros."""
    assert got.shape == expected.shape
    deviation = np.abs(got - expected).max(initial=0.0)
    if deviation == 0:
        return 0.0
    return deviation / max(np.abs(expected).max(), np.finfo(np.float64).tiny)


def errors(got, expected):
    """Return the relative error of the loss and of every array that is expected, by name."""
    got_arrays = named_arrays(got)
    found = {
        name: relative_error(got_arrays[name], array)
        for name, array in named_arrays(expected).items()
    }
    found["loss"] = abs(got.loss - expected.loss) / max(1.0, abs(expected.loss))
    return found


def assert_same(got, expected, tolerance):
    """Compare two results array by array."""
    found = errors(got, expected)
    worst = max(found, key=found.get)
    assert found[worst] <= tolerance, f"{worst}: relative error {found[worst]:.3g}"


def same_bits(got, expected):
    """Tell whether two arrays hold the same bits, signs of zeros and NaN included."""
    return got.shape == expected.shape and got.tobytes() == expected.tobytes()
