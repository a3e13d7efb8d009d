"""Single steps: states in every form, what is refused, and weights that move."""

import copy
import json
import re
from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn import LSTMForecaster, LSTMLanguageModel, LSTMTagger, RNNClassifier, RNNRegressor
from skrnn._base.training import TrainingLoop
from skrnn._network import stepping
from skrnn._network.batches import EpochRunner

try:
    import pandas
except ImportError:
    pandas = None

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 12, 3))
LABELS = np.arange(9) % 3
QUICK = {"max_iter": 2, "random_state": 0}


def classifier(**params):
    return RNNClassifier(**{"hidden_layer_sizes": (10,)} | QUICK | params).fit(X, LABELS)


# What may be given, and what is refused


@cache
def steppers():
    """Return {name: (fitted estimator, a step of three sequences)}, one of each kind."""
    words = [["a", "b"], ["b", "c", "a"], ["c"]] * 3
    tags = [["A"] * len(text) for text in words[:-1]] + [["B"]]
    tagger = LSTMTagger((8,), bidirectional=False, **QUICK)
    wave = [np.sin(np.arange(40.0) / k) for k in (2, 3, 4)]
    return {
        "classifier": (classifier(), X[:3, 0].astype(np.float32)),
        "double": (classifier(dtype="float64", cell="gru"), X[:3, 0]),
        "regressor": (RNNRegressor((6, 4), **QUICK).fit(X, LABELS), X[:3, 0].astype(np.float32)),
        "tagger": (tagger.fit(words, tags), ["a", "c", "?"]),
        "ids": (
            RNNClassifier((6,), embedding_dim=4, **QUICK).fit([[0, 1], [2]] * 3, [0, 1] * 3),
            np.array([[0], [1], [2]], np.intp),
        ),
        "language model": (LSTMLanguageModel((8,), **QUICK).fit(words), ["a", "b", "a"]),
        "forecaster": (LSTMForecaster(2, 9, hidden_layer_sizes=(8,), scaling="global",
                                      **QUICK).fit(wave),
                       np.array([[0.1], [0.2], [0.3]])),
    }  # fmt: skip


each_stepper = pytest.mark.parametrize(
    "name",
    ["classifier", "double", "regressor", "tagger", "ids", "language model", "forecaster"],
)


def stepped(name):
    """Return an estimator, a step, the state it is to be taken from, and the results."""
    model, x = steppers()[name]
    _, state = model.step(x, model.initial_state(3))
    return model, x, state, model.step(x, state)


@each_stepper
def test_a_state_is_taken_in_every_form(name):
    model, x, state, expected = stepped(name)
    wide, fortran = np.repeat(state, 2, axis=1), np.asfortranarray(state)
    other = np.float64 if state.dtype == np.float32 else np.longdouble
    for form in (
        state.astype(other), json.loads(json.dumps(state.tolist())), wide[:, ::2], fortran,
        list(state), state[:, np.newaxis], np.repeat(state, 2, axis=0)[::2], state[::-1][::-1],
        state.astype(">f8"), [state[i : i + 1] for i in range(3)],
    ):  # fmt: skip
        output, after = model.step(x, form)
        assert_array_equal(output, expected[0])
        assert_array_equal(after, expected[1])
        assert after.flags.c_contiguous and after.dtype == state.dtype
        assert output.flags.c_contiguous and output.dtype == expected[0].dtype
    turned = model.step(x[::-1], state[::-1])
    for found, right in zip(turned, expected, strict=True):
        assert_array_equal(found, right[::-1])
    output, after = model.step(x[:0], state[:0])
    assert output.shape == (0, *expected[0].shape[1:]) and after.shape == (0, state.shape[1])


@each_stepper
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_refused(name, number):
    model, x, state, expected = stepped(name)
    wrong = state.copy()
    wrong[1, 0] = number
    for form in (wrong, wrong.tolist()):
        with pytest.raises(ValueError, match=r"state has NaN, infinity .* for sequence 1"):
            model.step(x, form)
    assert_array_equal(model.step(x, state)[0], expected[0])  # nothing of it is left


@each_stepper
def test_a_state_of_another_shape_is_refused_with_the_sizes(name):
    model, x, state, _ = stepped(name)
    m = state.shape[1]
    for wrong in (state[:, :-1], np.zeros((3, m + 7)), state[0], state[np.newaxis]):
        shape = re.escape(str(wrong.shape))
        with pytest.raises(ValueError, match=rf"state has shape {shape}, .*n_sequences, {m}\)"):
            model.step(x, wrong)
    for wrong in (None, 1.0, "state", state.astype(str), [[None] * m] * 3):
        with pytest.raises(TypeError, match="state must be an array"):
            model.step(x, wrong)
    with pytest.raises(ValueError, match="different lengths"):
        model.step(x, [state[0], state[1, :-1], state[2]])
    with pytest.raises(ValueError, match=r"\b3\b.*state is of 2"):
        model.step(x, state[:2])


@each_stepper
def test_an_observation_that_is_missing_is_named(name):
    model, x, state, _ = stepped(name)
    if isinstance(x, list):
        forms = [[x[0], missing, x[2]] for missing in (None, np.nan)]
        forms.append(np.array(forms[0], dtype=object))
        if pandas is not None:
            forms.append(pandas.Series(forms[0], dtype="string"))
    else:
        broken = np.array(x, dtype=np.float64)
        broken[1] = np.nan
        forms = [broken, broken.tolist(), broken.astype(np.float32)]
        forms.append(np.where(np.isnan(broken), None, broken))
    for form in forms:
        with pytest.raises((ValueError, TypeError), match=r"x has NaN.* for sequence 1") as error:
            model.step(form, state)
        assert "empty" not in str(error.value) and "X and y" not in str(error.value)


@each_stepper
def test_arrays_for_the_results(name):
    model, x, state, expected = stepped(name)
    after, output = np.empty_like(state), np.empty_like(expected[0])
    given = model.step(x, state, out=[output, after])
    assert given[0] is output and given[1] is after
    assert_array_equal(output, expected[0])
    kept = state.copy()
    frozen = np.empty_like(state)
    frozen.flags.writeable = False
    shared = np.zeros(max(state.size, output.size), state.dtype)
    for out, match in (
        (output, "pair of arrays"),
        ((output,), "pair of arrays"),
        ((output.tolist(), after), "output in out must be a NumPy array; got list"),
        ((output[:-1], after), "output in out has shape"),
        ((output, after[:, :-1]), "state in out has shape"),
        ((output.astype(int), after), "output in out .*dtype int"),
        ((output, after.astype(np.longdouble)), "state in out .*dtype"),
        ((output, np.asfortranarray(after)), "in C order and writable"),
        ((output, frozen), "in C order and writable"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            model.step(x, state, out=out)
    if output.dtype == state.dtype:
        views = (shared[: a.size].reshape(a.shape) for a in (output, state))
        with pytest.raises(ValueError, match="share memory"):
            model.step(x, state, out=tuple(views))
    assert_array_equal(state, kept)


@pytest.mark.parametrize(("threads", "block"), [(1, 1024), (3, 1024), (1, 8)])
def test_a_step_that_overflows_changes_nothing(threads, block, monkeypatch):
    """Not the state, even where it is to be overwritten; the error names the sequence."""
    monkeypatch.setattr(stepping, "BLOCK", block)
    model = RNNRegressor((40,), cell="rnn", activation="relu", **QUICK).fit(X, LABELS)
    model.set_weights({name: 1e10 * np.abs(w) for name, w in model.weights_.items()})
    x = np.zeros((20, 3), np.float32)
    x[17] = 1e30  # the state overflows
    state, output = model.initial_state(20), np.empty(20)
    kept = state.copy()
    monkeypatch.setattr(stepping, "effective_n_threads", lambda: threads)
    with pytest.raises(ValueError, match="sequence 17 overflows float32"):
        model.step(x, state, out=(output, state))
    x[17] = 1e20  # the output alone does
    with pytest.raises(ValueError, match="sequence 17 overflows float32"):
        model.step(x, state, out=(output, state))
    with pytest.raises(ValueError, match="overflow"):
        model.predict(x[17:18, np.newaxis])
    assert_array_equal(state, kept)


@each_stepper
def test_many_sequences_take_a_step_in_blocks(name, monkeypatch):
    """The same results from memory that does not grow with them; a failure writes nothing."""
    model, x, state, expected = stepped(name)
    x = [token for token in x for _ in range(5)] if isinstance(x, list) else np.repeat(x, 5, axis=0)
    state, expected = np.repeat(state, 5, axis=0), [np.repeat(e, 5, axis=0) for e in expected]
    model = copy.copy(model)  # without the network that goes on from larger blocks
    monkeypatch.setattr(stepping, "BLOCK", 4)
    out = np.empty_like(expected[0]), state.copy()
    for found, right in zip(model.step(x, out[1], out=out), expected, strict=True):
        assert_array_equal(found, right)
    shared = np.zeros(state.size + out[0].size, state.dtype)
    if out[0].dtype == state.dtype:
        views = tuple(shared[: a.size].reshape(a.shape) for a in out)
        with pytest.raises(ValueError, match="share memory"):
            model.step(x, state, out=views)
    assert model._stream(15).fits(model._params, model._weights_version, 10**9)
    assert model._stream(15)._free[0].n == 4
    with pytest.raises(ValueError, match=r"x has (a step of 14|shape)"):
        model.step(x[:14], state)
    kept = state.copy()
    kept[13, 0] = np.inf
    given = kept.copy()
    with pytest.raises(ValueError, match="for sequence 13"):
        model.step(x, given, out=(np.empty_like(expected[0]), given))
    assert_array_equal(given, kept)


def test_a_forecaster_checks_the_count_in_its_state_and_what_overflows():
    model, x, state, _ = stepped("forecaster")
    place = model._stream(1).n_state
    for count in (-5, 1e300, 1.5):
        state[2, place] = count
        with pytest.raises(ValueError, match=r"of sequence 2 that .* steps have been read"):
            model.step(x, state)
    state = model.initial_state(3)
    state[1, 0] = 1e300
    with pytest.raises(ValueError, match="sequence 1 overflows float32"):
        model.step(x, state)
    several = LSTMForecaster(2, 9, n_targets=1, **QUICK).fit([RNG.normal(size=(40, 2))])
    ahead = np.zeros((2, 3, 2))
    ahead[1, 2, 1] = np.nan  # a covariate to come, not a target
    with pytest.raises(ValueError, match="x has NaN for sequence 1"):
        several.step(ahead, several.initial_state(2))


def test_names_of_a_step_are_checked():
    pd = pytest.importorskip("pandas")
    tables = [pd.DataFrame(x, columns=["a", "b", "c"]) for x in X]
    model = RNNClassifier((6,), **QUICK).fit(tables, LABELS)
    first = pd.DataFrame(X[:, 0], columns=["a", "b", "c"], index=np.arange(9.0)[::-1])
    output, _ = model.step(first, model.initial_state(9))
    assert_allclose(output, model.predict_proba([table[:1] for table in tables]), atol=1e-6)
    with pytest.raises(ValueError, match="feature names"):
        model.step(first[["b", "a", "c"]], model.initial_state(9))


# Weights that move


class Looks:
    """A callback that takes a step of the live estimator after each epoch."""

    max_propagation_depth = None

    def setup(self, estimator, context):
        """Nothing to set up."""

    def teardown(self, estimator, context):
        """Nothing to tear down."""

    def on_fit_task_begin(self, estimator, context, **more):
        """Nothing to note."""

    def on_fit_task_end(self, estimator, context, **more):
        """Step, so that the weights of now are packed."""
        agrees(estimator)


def agrees(model):
    """Assert that a step is of the same weights as `predict_proba`."""
    output, _ = model.step(X[:, 0], model.initial_state(9))
    assert_allclose(output, model.predict_proba(X[:, :1]), atol=1e-6)


RESTLESS = {"max_iter": 8, "learning_rate_init": 0.3, "n_iter_no_change": np.inf, "random_state": 0}


def labelled():
    return np.tile(X, (4, 1, 1)), np.tile(LABELS, 4)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_that_steps_leaves_no_old_weights(early_stopping):
    if not hasattr(RNNClassifier, "set_callbacks"):
        pytest.skip("scikit-learn before 1.9 has no callbacks")
    model = RNNClassifier((8,), early_stopping=early_stopping, **RESTLESS)
    agrees(model.set_callbacks(Looks()).fit(*labelled()))
    again = model.set_params(warm_start=True).fit(*labelled())
    agrees(again)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_fit_that_ends_early_leaves_no_old_weights(error, monkeypatch):
    """Interrupted after an epoch, or failed: what was packed within it is out of date."""
    model = RNNClassifier((8,), warm_start=True, **RESTLESS).fit(*labelled())
    before = model.weights_
    report, epochs = TrainingLoop._report, []

    def stop(training):
        report(training)
        agrees(model)
        epochs.append(training)
        if len(epochs) == 3:
            raise error

    monkeypatch.setattr(TrainingLoop, "_report", stop)
    with pytest.raises(error):
        model.set_params(early_stopping=True).fit(*labelled())
    agrees(model)
    if error is not KeyboardInterrupt:
        for name, weights in model.weights_.items():
            assert_array_equal(weights, before[name])


@pytest.mark.parametrize("interrupted", [False, True])
def test_another_thread_that_steps_during_fit_leaves_no_old_weights(interrupted, monkeypatch):
    """It packs weights that an epoch is about to change: those are out of date after it."""
    model = RNNClassifier((8,), warm_start=True, **RESTLESS).fit(*labelled())
    epoch = EpochRunner.epoch

    def looked_at(runner, order, settings=None):
        model.step(X[:, 0], model.initial_state(9))
        report = epoch(runner, order, settings)
        if interrupted:
            raise KeyboardInterrupt
        return report

    monkeypatch.setattr(EpochRunner, "epoch", looked_at)
    monkeypatch.setattr(TrainingLoop, "_report", lambda training: agrees(model))
    with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        model.set_params(max_iter=3).fit(*labelled())
    agrees(model)
    assert "_weights_version" not in model.__getstate__()
