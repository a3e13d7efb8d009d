"""Faults: divergence, numbers that overflow, interrupts, failures in mid-training."""

import signal
import time
import warnings

import numpy as np
import pytest
from problems import BOTH, data_for, first_step, means, quick, state
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skrnn import RNNClassifier, RNNRegressor
from skrnn._network.batches import EpochRunner

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


# Divergence


def test_a_huge_rate_ends_finite_or_in_an_error():
    X, y = first_step(40)
    for cell in ("lstm", "gru", "rnn"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = quick(cell=cell, learning_rate_init=1e3, max_iter=20).fit(X, y)
        assert np.isfinite(model._params).all()
        assert np.isfinite(model.predict_proba(X)).all()


def exploding(**params):
    """Make a regressor whose squared error runs away where steps are too long."""
    return quick(
        RNNRegressor, solver="sgd", max_grad_norm=None, nesterovs_momentum=False, cell="rnn",
        activation="relu", max_iter=60, n_iter_no_change=np.inf, **params,
    )  # fmt: skip


def test_divergence_halves_the_step_size():
    X, y = means(60)
    with pytest.warns(ConvergenceWarning, match="Training diverged at epoch") as caught:
        model = exploding(learning_rate_init=2.0).fit(X, y)
    messages = [str(w.message) for w in caught if "diverged" in str(w.message)]
    assert "batch" in messages[0]
    assert "gradient norm" in messages[0]
    assert "halved to 1" in messages[0]
    assert caught[0].filename == __file__
    assert 1 <= model._optimizer.halvings == len(messages) <= 10
    assert np.isfinite(model._params).all()
    assert model.loss_curve_[-1] < 1e6
    assert len(model.loss_curve_) == 60


def test_divergence_at_any_step_size_is_an_error():
    X, y = means(60)
    model = quick(RNNRegressor).fit(X, y)
    before = state(model)
    diverging = exploding(learning_rate_init=1e30)
    with (
        pytest.warns(ConvergenceWarning, match="halved"),
        pytest.raises(ValueError, match=r"at any step size \(epoch 1, batch \d.*gradient norm"),
    ):
        diverging.fit(X, y)
    with pytest.raises(NotFittedError):
        diverging.predict(X)
    model.set_params(**diverging.get_params())
    with pytest.warns(ConvergenceWarning), pytest.raises(ValueError, match="any step size"):
        model.fit(X, y)
    model.set_params(**quick(RNNRegressor).get_params())
    assert state(model) == before


def test_nothing_looks_behind_the_last_step_but_it_is_seen():
    X, y = means(10)
    with (
        pytest.warns(ConvergenceWarning, match="Training diverged"),
        pytest.raises(ValueError, match="diverges at any step size"),
    ):
        quick(RNNRegressor, max_iter=1, learning_rate_init=1e300).fit(X, y)


def finite_or_refused(model, X, y):
    """Fit, and check that all is finite; or return the text of the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
    except ValueError as error:
        return str(error)
    assert np.isfinite(model._params).all()
    assert np.isfinite(model._outputs(X)).all()
    return "finite"


@pytest.mark.parametrize("scale", [1e30, 1e38, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_targets(scale, dtype):
    X, y = means(30)
    end = finite_or_refused(quick(RNNRegressor, dtype=dtype), X, y * scale)
    assert end == "finite" or "dtype='float64'" in end or "Scale the input" in end


@BOTH
@pytest.mark.parametrize("scale", [1e10, 1e30, 3e38])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_huge_inputs(make, scale, cell):
    X, y = data_for(make)
    model = quick(make, cell=cell, activation="relu")
    end = finite_or_refused(model, [np.sign(x) * scale for x in X], y)
    assert end == "finite" or "Scale the input" in end


def test_outputs_that_overflow_are_an_error():
    X, y = means(30)
    model = quick(RNNRegressor, cell="rnn", activation="relu").fit(X, y)
    model.set_weights({name: 10 * np.abs(w) for name, w in model.weights_.items()})
    with pytest.raises(ValueError, match=r"outputs for sequence 1 overflow float32"):
        model.predict([X[0], np.full((50, 2), 1e34), X[1]])


@BOTH
def test_a_sentinel_near_the_end_of_single_precision(make):
    X, y = data_for(make)
    model = quick(make).fit(X, y)
    X[2][-1, 0] = np.finfo(np.float32).min
    for call in (lambda: model.predict(X), lambda: quick(make).fit(X, y)):
        with pytest.raises(ValueError, match=r"sequence 2 has -3.4\d+e\+38 at step (?s:.*)put NaN"):
            call()
    quick(make, dtype="float64").fit(X, y)


@BOTH
def test_constant_features_and_a_single_sample(make):
    X, y = data_for(make)
    model = quick(make).fit([np.full_like(x, 3.0) for x in X], y)
    assert np.isfinite(model._params).all()
    if make is RNNRegressor:
        one = quick(make, max_iter=200, learning_rate_init=0.01).fit(X[:1], y[:1])
        assert one.predict(X[:1]) == pytest.approx(y[:1], abs=0.02)
        assert np.isfinite(quick(make).fit(X, np.zeros(40)).predict(X)).all()


# Interrupts and failures


class Interrupting(RNNRegressor):
    """Is interrupted in the third epoch of a fit."""

    armed = True

    def score(self, X, y, sample_weight=None):
        if self.armed and len(self.loss_curve_) % 10 == 3:
            raise KeyboardInterrupt
        return super().score(X, y, sample_weight)


def test_interrupt_leaves_the_last_complete_state():
    X, y = means(60)
    model = Interrupting((4,), early_stopping=True, random_state=0, max_iter=9, scoring=None)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert (model.n_iter_, len(model.loss_curve_), len(model.validation_scores_)) == (3, 3, 3)
    assert np.isnan(model.validation_scores_).tolist() == [False, False, True]
    best = int(np.nanargmax(model.validation_scores_)) + 1
    model.armed = False
    interrupted = model._params.tobytes()
    assert model.set_params(max_iter=best).fit(X, y)._params.tobytes() == interrupted


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals on this system")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_interrupt_by_a_signal(method, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 200, 4))  # an epoch takes most of a second on two fast cores
    y = rng.integers(0, 2, 4000)
    model = RNNClassifier((64,), max_iter=10_000, random_state=0)
    known = {"classes": [0, 1]} if method == "partial_fit" else {}

    def interrupt(number, frame):
        raise KeyboardInterrupt

    epoch = EpochRunner.epoch

    def timed_epoch(self, order, settings):
        # Counted from here, the signal comes neither before training nor after its only epoch.
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, 0.15)
        return epoch(self, order, settings)

    monkeypatch.setattr(EpochRunner, "epoch", timed_epoch)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(X, y, **known)
        assert time.perf_counter() - start < 3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    monkeypatch.setattr(EpochRunner, "epoch", epoch)
    assert model.predict(X[:5]).shape == (5,)
    assert np.isfinite(model._params).all()
    model.partial_fit(X[:50], y[:50])


def test_interrupt_before_training_changes_nothing(monkeypatch):
    X, y = means(20)
    model = quick(RNNRegressor).fit(X, y)
    before = state(model)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("skrnn._network.plan.initialize", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert state(model) == before
    new = quick(RNNRegressor)
    with pytest.raises(KeyboardInterrupt):
        new.fit(X, y)
    assert not hasattr(new, "n_features_in_")


@BOTH
@pytest.mark.parametrize("method", ["fit", "warm fit", "partial_fit"])
def test_failure_in_training_changes_nothing(make, method, monkeypatch):
    X, y = data_for(make)
    model = quick(make, warm_start=method == "warm fit").fit(X, y)
    before, predicted = state(model), model.predict(X).tobytes()
    calls = []

    def fail(self):
        calls.append(self)
        raise MemoryError

    monkeypatch.setattr("skrnn._base.training.TrainingLoop._report", fail)  # after an epoch's steps
    with pytest.raises(MemoryError):
        getattr(model, method.split()[-1])(X[::-1], y)
    assert len(calls) == 1
    assert state(model) == before
    assert model.predict(X).tobytes() == predicted
