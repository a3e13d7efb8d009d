"""The border of the kernels: every index, length and kind is looked at before `nogil`.

Calls are those that estimators make, with one argument replaced; `tests/test_mutants.py` replaces
what the estimators hold.
"""

import re
import warnings

import numpy as np
import pytest
from border import ENTRIES, leaves, recorded, replaced, replay
from problems import first_step, means, quick, tagged, token_lists
from problems_trust import walks

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._data.sequences import Sequences
from skrnn._network.border import BatchLimits, CarriedStates, KernelData
from skrnn._network.plan import Options, Plan
from skrnn._translator.decoding import decode
from skrnn._translator.encoder_decoder import EncoderDecoder
from skrnn.inspection import gradient_flow

HUGE = 2**40


def calls_of(monkeypatch, make, X, y, *methods, **params):
    """Return what the kernels are asked by `partial_fit` and by some methods."""
    params = {"hidden_layer_sizes": (3,), "max_iter": 1, "batch_size": 99} | params
    model = quick(make, **params).fit(X, y)
    methods = (lambda m: m.partial_fit(X, y), *methods)
    return [call for method in methods for call in recorded(model, method, monkeypatch)]


def make_calls(patch):
    """Return {name: call}, one of every entry and of every way to call it."""
    (words, tags), series, steps = tagged(9), walks(5), first_step(9)
    patch.setattr("skrnn._network.batches.CHUNK_STEPS", 2)  # for the memory of so many
    found = {
        "classifier": calls_of(
            patch, RNNClassifier, *steps, lambda m: m.predict(steps[0]),
            lambda m: gradient_flow(m, *steps),
        ),
        "truncated": calls_of(patch, RNNClassifier, *steps, bptt_steps=2, bidirectional=True),
        "tokens": calls_of(
            patch, RNNClassifier, *token_lists(9), lambda m: m.predict(token_lists(9)[0])
        ),
        "regressor": calls_of(
            patch, RNNRegressor, *means(9, outputs=2), pooling="max", dtype="float64"
        ),
        "tagger": calls_of(patch, LSTMTagger, words, tags, lambda m: m.predict_proba(words)),
        "characters": calls_of(
            patch, LSTMTagger, words, tags, lambda m: m.predict(words),
            lambda m: gradient_flow(m, words, tags), subwords="chars",
        ),
        "crf": calls_of(patch, LSTMTagger, words, tags, lambda m: m.predict(words), crf=True),
        "forecaster": calls_of(
            patch, LSTMForecaster, series, None, lambda m: m.predict(series, horizon=5), horizon=2,
            bptt_steps=4, autoregression=2,
        ),
        "masked": calls_of(
            patch, LSTMForecaster, series, None, lambda m: m.predict(series, horizon=5), horizon=2,
            missing="mask",
        ),
        "language model": calls_of(
            patch, LSTMLanguageModel, words, None, lambda m: m.score_samples(words),
            lambda m: m.sample(3, 0, max_length=4, top_k=2), bptt_steps=2,
        ),
        "translator": calls_of(
            patch, Seq2SeqTranslator, words, tags, lambda m: m.predict_n_best(words, 2),
            lambda m: m.attention_weights(words, tags),
        ),
    }  # fmt: skip
    named: dict = {}
    for name, made in found.items():
        for call in made:  # the first of each: it takes the first piece of every sequence
            named.setdefault(f"{name}: {call[0]}", call)
    return named


with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
    warnings.simplefilter("ignore")
    CALLS = make_calls(patch)
each_call = pytest.mark.parametrize("name", CALLS)

# Places of arguments: (entry, position, place within it). What may be short, along an axis:
MAY_BE_SHORT = {
    # offsets of batches, for fewer batches; what is inspected, for fewer sequences
    (("train", 10), 0), (("predict", 7), 0), (("likelihood", 7), 0), (("translate_train", 10), 0),
    (("translate_decode", 6), 0), (("inspect_batch", 6), 0), (("translate_inspect_batch", 7), 0),
    (("train", 9), 0),  # the order, where a call takes the first batches of it
    # shorter targets, fewer candidates, fewer known steps, fewer lags
    (("sample", 7), 1), (("rollout", 5), 1),
    (("rollout", 4, "lag_weights"), 0),
}  # fmt: skip
# Integers that are only written, or any of which has a meaning.
ANY_INTEGER = {
    ("predict", 9), ("translate_decode", 8, 0), ("translate_decode", 8, 1), ("sample", 7),
    ("sample", 8), ("sample", 9), ("rollout", 4, "lag"), ("rollout", 4, "season"),
}  # fmt: skip
THREADS = Options._fields.index("threads")


def parts(name):
    """Yield (place, part, function that gives the arguments with another part) of a call."""
    entry, _, args, kwargs = CALLS[name]
    for path, part in leaves((args, kwargs)):
        place = (entry, *path[1:])
        yield place, part, lambda new, path=path: replaced((args, kwargs), path, new)


def is_refused(name, arguments):
    try:
        replay(CALLS[name], *arguments)
    except (ValueError, TypeError):
        return True
    return False


def test_every_entry_is_called():
    assert {call[0] for call in CALLS.values()} == set(ENTRIES)


@each_call
def test_calls_as_they_are(name):
    assert not is_refused(name, CALLS[name][2:])


@each_call
def test_a_short_array_is_refused(name):
    for place, part, changed in parts(name):
        for axis in range(np.ndim(part)):
            if part.shape[axis] and (place, axis) not in MAY_BE_SHORT:
                short = np.ascontiguousarray(np.delete(part, -1, axis=axis))
                assert is_refused(name, changed(short)), (place, axis)


@each_call
def test_an_array_of_another_kind_is_refused(name):
    for place, part, changed in parts(name):
        if isinstance(part, np.ndarray) and part.dtype != np.uint8:
            with np.errstate(all="ignore"):  # results are not filled yet
                others = part.astype("f2"), part.astype("c16"), part.astype(object), part[None]
            for new in others:
                assert is_refused(name, changed(new)), (place, new.dtype, new.shape)


@each_call
def test_an_index_beyond_is_refused(name):
    in_pieces = "train" in name and ("forecaster" in name or "language" in name)
    for place, part, changed in parts(name):
        if not isinstance(part, np.ndarray) or part.dtype != np.intp or place in ANY_INTEGER:
            continue
        # Later pieces are looked at by the calls that read them; of a sample the first token is.
        for at in (0,) if in_pieces or place == ("sample", 4) else (0, len(part) - 1):
            beyond = CALLS[name][1].n_outputs
            for number in (HUGE, beyond) if is_label(place) else (HUGE, -HUGE):
                new = part.copy()
                new.reshape(len(new), -1)[at, 0] = number
                assert is_refused(name, changed(new)), (place, at, number)


def is_label(place):
    """Whether a negative number means that there is no label."""
    return place in {("train", 8, 0), ("inspect_batch", "targets", 0), ("translate_train", 8, 2),
                     ("translate_inspect_batch", 6, 2)}  # fmt: skip


@each_call
def test_a_size_beyond_is_refused(name):
    for place, part, changed in parts(name):
        if not isinstance(part, int) or place in ANY_INTEGER or place[-1] in ("seed", "step"):
            continue
        if place[1] == 0:  # options, which say how many rows are `distinct`; 0 is for none
            assert part == 0 or place[2] == THREADS or is_refused(name, changed(HUGE)), place
            continue
        assert is_refused(name, changed(HUGE)), place
        assert part == 0 or is_refused(name, changed(0)), place


@each_call
def test_what_a_loss_needs_is_there(name):
    for place, _, changed in parts(name):
        if place[:2] in {("train", 8), ("inspect_batch", "targets"), ("translate_train", 8)}:
            assert is_refused(name, changed(None)) or place[-1] == 2, place


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "crf"},
        {"loss": "gaussian", "n_outputs": 3},
        {"loss": "student_t", "n_outputs": 4},
        {"loss": "negative_binomial", "n_outputs": 3},
        {"loss": "quantile"},
        {"loss": "quantile", "n_outputs": 0},
        {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9), "n_outputs": 4},
        {"embedding": [(-5, 3), (5, 3)]},
        {"embedding": [(5, 3)]},
        {"embedding": [(5, 3, 1), (5, 3, 1)]},
        {"embedding": []},
        {"embedding": [(5, 3), (5, 3)], "n_frozen": 6},
        {"embedding": [(5, 3), (5, 3)], "n_frozen": -1},
        {"n_frozen": 1},
        {"hidden": ()},
        {"hidden": (3, -3)},
        {"hidden": (2.5,)},
        {"n_features": 0},
        {"n_outputs": -1},
        {"bptt_steps": 0},
        {"bptt_steps": 2.5},
    ],
    ids=str,
)
def test_a_plan_of_no_network_is_refused(params):
    sound = {"cell": "lstm", "hidden": (3,), "n_features": 2, "n_outputs": 2}
    caught = None
    try:
        Plan(**sound | params)
    except Exception as error:
        caught = error
    assert isinstance(caught, ValueError)
    assert re.search(r"sizes|embedding|outputs|CRF", str(caught))


def test_a_plan_is_frozen():
    plan = Plan("lstm", (3,), 2, 4, loss="quantile", quantiles=(0.1, 0.9), pooling="all")
    for array in (plan.net, plan.scans, plan.tables, plan.quantiles):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_sequence_without_steps_has_no_pool():
    plan = Plan("lstm", (3,), 2, 2)
    options, limits = Options(), BatchLimits(1, 1, 1)
    params = np.zeros(plan.n_params, plan.dtype)
    offsets, batch_indices = np.zeros(2, np.intp), np.zeros(1, np.intp)
    data = KernelData(offsets, np.empty((0, 2), plan.dtype), None)
    batch_offsets, out = np.array([0, 1]), np.empty((1, 2), plan.dtype)
    with pytest.raises(ValueError, match="too short"):
        plan.engine.predict(
            plan, options, limits, plan.workspace(options, limits), params, data, None,
            batch_indices, batch_offsets, out, None, False, None,
        )  # fmt: skip


def test_offsets_that_turn_back_are_refused():
    plan = Plan("lstm", (3,), 2, 2)
    options, limits = Options(), BatchLimits(1, 1, 1)
    data = KernelData(np.array([0, 5, 6, 4]), np.zeros((4, 2), plan.dtype), None)
    with pytest.raises(ValueError, match="within the rows"):
        plan.engine.predict(
            plan, options, limits, plan.workspace(options, limits),
            np.zeros(plan.n_params, plan.dtype), data, None, np.array([1]), np.array([0, 1]),
            np.empty((3, 2), plan.dtype), None, False, None,
        )  # fmt: skip


def test_a_decoder_that_cannot_read_what_it_says_is_refused():
    pair = EncoderDecoder("lstm", (3,), 1, 6, target_embedding=(5, 2))
    sources = Sequences(np.zeros((2, 1), pair.dtype), np.array([0, 2]))
    with pytest.raises(ValueError, match="more outputs than tokens"):
        decode(pair, np.zeros(pair.n_params, pair.dtype), sources, 1, 1.0, 3)


def test_a_network_that_cannot_read_what_it_draws_is_refused():
    plan = Plan("lstm", (3,), 1, 1, embedding=[(5, 2)], pooling="all")
    options, params = Options(), np.zeros(plan.n_params, plan.dtype)
    states = CarriedStates(np.zeros((1, 1, 3), plan.dtype), np.zeros((1, 1, 3), plan.dtype))
    with pytest.raises(
        ValueError, match="does not fit the plan"
    ):  # the one output there is is excluded
        plan.engine.sample(
            plan, options, plan.workspace(options, BatchLimits(1, 1, 1)), params, states,
            np.zeros((1, 3), np.intp), np.zeros((1, 2)), 1.0, np.empty((1, 0), np.intp), 0, -1, 1.0,
        )  # fmt: skip
