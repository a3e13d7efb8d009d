"""scikit-learn's callbacks (>= 1.9): each epoch is a task; a callback may stop training."""

import numpy as np
import pytest
from problems import first_step, means
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier, RNNRegressor
from skrnn.preprocessing import PerStep

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9 has callbacks")
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


class Recorder:
    """Notes what it is told; stops after `epochs`."""

    max_propagation_depth = None

    def __init__(self, epochs=np.inf):
        self.epochs, self.events, self.fitted = epochs, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(f"begin {context.task_name} {context.task_id}")
        self.given = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name} {context.task_id}")
        if context.task_name == "epoch":
            self.fitted.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 >= self.epochs


def quick(make=RNNClassifier, **params):
    return make(**{"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, **params})


def test_each_epoch_is_a_task():
    X, y = first_step(30)
    recorder = Recorder()
    weight = np.ones(30)
    quick(max_iter=2).set_callbacks(recorder).fit(X, y, sample_weight=weight)
    assert recorder.events == [
        "setup", "begin fit 0", "begin epoch 0", "end epoch 0", "begin epoch 1", "end epoch 1",
        "end fit 0", "teardown",
    ]  # fmt: skip
    assert recorder.given[0] is X
    assert recorder.given[1] is y
    assert (recorder.given[2]["sample_weight"] == weight).all()


def test_callbacks_do_not_change_the_fit():
    X, y = first_step(30)
    with_callback = quick().set_callbacks(Recorder()).fit(X, y)
    assert with_callback._params.tobytes() == quick().fit(X, y)._params.tobytes()
    assert not [name for name in vars(with_callback) if "callback_fit_ctx" in name]


def test_a_callback_stops_training():
    X, y = first_step(30)
    recorder = Recorder(epochs=2)
    model = quick(max_iter=50).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == 2
    assert recorder.events[-2:] == ["end fit 0", "teardown"]


def test_fitted_estimator_is_as_if_fit_had_stopped():
    X, y = first_step(30)
    recorder = Recorder()
    quick(learning_rate="constant").set_callbacks(recorder).fit(X, y)
    for epochs, fitted in enumerate(recorder.fitted, start=1):
        expected = quick(learning_rate="constant", max_iter=epochs).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)


def test_fitted_estimator_with_early_stopping_has_the_best_weights():
    X, y = means(60)
    recorder = Recorder()
    params = {"early_stopping": True, "learning_rate_init": 0.1}
    model = quick(RNNRegressor, max_iter=8, **params).set_callbacks(recorder).fit(X, y)
    np.testing.assert_array_equal(recorder.fitted[-1].predict(X), model.predict(X))


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
def test_scoring_monitor(make):
    X, y = first_step(60) if make is RNNClassifier else means(60)
    metric = "accuracy" if make is RNNClassifier else "r2"
    monitor = callback.ScoringMonitor(scoring=metric)
    model = quick(make).set_callbacks(monitor).fit(X, y, sample_weight=np.ones(60))
    scores = [row[metric] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == pytest.approx(model.score(X, y))


def test_partial_fit_is_one_epoch():
    X, y = first_step(30)
    recorder = Recorder()
    quick().set_callbacks(recorder).partial_fit(X, y, classes=np.unique(y))
    assert recorder.events == [
        "setup", "begin fit 0", "begin epoch 0", "end epoch 0", "end fit 0", "teardown",
    ]  # fmt: skip


def test_in_a_pipeline():
    X, y = first_step(30)
    pipeline = make_pipeline(PerStep(StandardScaler()), quick())
    recorder = Recorder()
    pipeline[-1].set_callbacks(recorder)
    with pytest.raises(TypeError, match="Register them directly on the meta-estimator"):
        pipeline.fit(X, y)
    pipeline[-1].set_callbacks()
    with pytest.warns(UserWarning, match="PerStep does not support callbacks"):
        pipeline.set_callbacks(recorder).fit(X, y)
    assert sum("end epoch" in event for event in recorder.events) == 3
    assert pipeline.predict(X).shape == (30,)


def test_in_a_grid_search():
    X, y = first_step(30)
    recorder = Recorder()
    search = GridSearchCV(quick(), {"cell": ["gru", "rnn"]}, cv=2)
    search.set_callbacks(recorder).fit(X, y)
    assert sum("end epoch" in event for event in recorder.events) == 3 * (2 * 2 + 1)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_scoring_monitor_in_a_parallel_search():
    X, y = first_step(30)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = quick().set_callbacks(monitor)
    GridSearchCV(model, {"cell": ["gru", "rnn"]}, cv=2, n_jobs=2).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 3 * (2 * 2 + 1)


class Failing(Recorder):
    """Raises in the second epoch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 1:
            raise self.error


def test_an_interrupt_in_a_callback_leaves_the_last_epoch():
    X, y = first_step(30)
    callbacks = Failing(KeyboardInterrupt)
    model = quick(learning_rate="constant").set_callbacks(callbacks)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert callbacks.events[-1] == "teardown"
    model.set_callbacks()
    expected = quick(learning_rate="constant", max_iter=2).fit(X, y)
    assert (model.n_iter_, model.loss_curve_) == (2, expected.loss_curve_)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_failing_callback_leaves_the_earlier_fit():
    X, y = first_step(30)
    model = quick().fit(X, y)
    before = model.predict_proba(X).tobytes()
    callbacks = Failing(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        model.set_callbacks(callbacks).fit(X[::-1], y)
    assert callbacks.events[-1] == "teardown"
    assert model.predict_proba(X).tobytes() == before
    assert model.set_callbacks(Recorder()).fit(X, y).predict_proba(X).tobytes() == before


def test_progress_bar(capsys):
    pytest.importorskip("rich", reason="ProgressBar needs rich")
    X, y = first_step(30)
    model = quick().set_callbacks(callback.ProgressBar()).fit(X, y)
    assert model.n_iter_ == 3
    assert "RNNClassifier" in capsys.readouterr().out
