"""LSTMForecaster: what it learns, what it gives back, and what it makes of odd series."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score, cross_validate
from threadpoolctl import threadpool_limits

from skrnn import LSTMForecaster
from skrnn._data.sequences import Sequences
from skrnn._forecaster.rollout import forecast
from skrnn._forecaster.series import training_spans
from skrnn._forecaster.transform import SeriesTransform
from skrnn.preprocessing import SlidingWindow

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
WAVE = np.sin(np.arange(320) / 5)
LOSSES = ("squared_error", "absolute_error", "quantile", "gaussian")


def forecaster(**params):
    return LSTMForecaster(**{"horizon": 8, "lookback": 32, "hidden_layer_sizes": (16,),
                             "learning_rate_init": 0.01, "max_iter": 40, "batch_size": 4,
                             "n_iter_no_change": np.inf, "random_state": 0} | params)  # fmt: skip


def quick(**params):
    return forecaster(**{"max_iter": 2, "hidden_layer_sizes": (6,)} | params)


# What it learns


@pytest.mark.parametrize("loss", LOSSES)
def test_a_wave(loss):
    model = forecaster(loss=loss).fit(WAVE[:300])
    assert model.predict().shape == (8,)
    assert np.abs(model.predict() - WAVE[300:308]).max() < 0.3
    assert np.abs(model.predict(WAVE[:250]) - WAVE[250:258]).max() < 0.3
    assert model.score(WAVE) > 0.9
    assert (model.horizon_, model.lookback_) == (8, 32)


@pytest.mark.parametrize("difference", ["last", "season"])
def test_levels_far_from_training(difference):
    trend = WAVE + 0.05 * np.arange(320)
    model = forecaster(difference=difference, season_length=31).fit(trend[:240])
    for shift in (0, 1e4):
        assert np.abs(model.predict(trend[:300] + shift) - trend[300:308] - shift).max() < 0.8


def test_scaling_by_series():
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-3, 3, 12)
    series = [size * np.sin(np.arange(120) / 5 + phase) for phase, size in enumerate(sizes)]
    model = forecaster(scaling="series").fit([x[:100] for x in series])
    errors = model.predict([x[:100] for x in series]) - [x[100:108] for x in series]
    assert (np.abs(errors).max(axis=1) / sizes < 0.5).all()
    assert_array_equal(quick(scaling="series").fit(series).predict(), quick().fit(series).predict())
    windows, targets = SlidingWindow(32, 8).transform(WAVE)
    for alone in [(WAVE,), ([WAVE],), (windows, targets)]:
        found = quick().fit(*alone).predict(windows)
        assert_array_equal(found, quick(scaling="global").fit(*alone).predict(windows))


@pytest.mark.parametrize(("difference", "expected"), [("last", 13 / 4), ("season", 4 / 3)])
def test_the_scale_of_a_series_is_its_mean_change(difference, expected):
    season = 2 * (difference == "season")
    transform = frame(difference=difference, season=season, own_scale=True)
    y = np.array([[[5.0], [6], [3], [7], [2]], [[4.0]] * 5])
    center, scale = transform.scales(np.concatenate([y, 1e5 * y]))
    assert_allclose(center[..., 0, 0], [4.6, 4, 4.6e5, 4e5])
    assert_allclose(scale[..., 0, 0], [expected, 1, 1e5 * expected, 1])
    assert transform.scales(y[:, :1])[1].tolist() == [[[1.0]], [[1.0]]]


def test_many_ragged_series_share_a_network():
    series = [np.sin(np.arange(n) / 5 + n) for n in (90, 40, 12, 70, 3, 100, 65)]
    model = forecaster().fit(series)
    forecast = model.predict()
    assert forecast.shape == (7, 8)
    for x, given in zip(series, forecast, strict=True):
        assert_allclose(model.predict([x])[0], given, rtol=1e-5, atol=1e-6)


def test_several_targets_and_covariates():
    rng = np.random.default_rng(0)
    push = rng.integers(0, 2, 400).astype(float)  # known beforehand, and all that matters
    y = np.column_stack([push, -2 * push]) + 0.01 * rng.normal(size=(400, 2))
    X = np.column_stack([y, push])
    model = forecaster(n_targets=2, horizon=4, difference=None, max_iter=60).fit([X[:300]])
    history = X[:304].copy()
    history[300:, :2] = np.nan
    forecast = model.predict([history])
    assert forecast.shape == (1, 4, 2)
    assert np.abs(forecast[0] - y[300:304]).max() < 0.4
    other = history.copy()
    other[300:, 2] = 1 - other[300:, 2]
    assert np.abs(model.predict([other])[0] - forecast[0]).max() > 0.5
    with pytest.raises(ValueError, match=r"series 0 ends in 3 step\(s\) of future covariates"):
        model.predict([history[:-1]], horizon=4)


def test_a_linear_autoregression_under_the_network():
    rng = np.random.default_rng(0)
    y = np.zeros(600)
    for t in range(12, 600):  # next to what a season of 12 steps says, there is nothing to learn
        y[t] = 0.8 * y[t - 12] - 0.3 * y[t - 1] + rng.normal()
    alone, both = (
        quick(lookback=20).fit(y[:400]),
        quick(lookback=20, autoregression=14).fit(y[:400]),
    )
    X, following = SlidingWindow(width=20, horizon=8).transform(y[400:])
    assert both.score(X, following) > 0.35 > 0.2 > alone.score(X, following)
    # the same through histories and what followed them, and through a series' own scale
    window = SlidingWindow(width=20, horizon=8)
    assert quick(autoregression=14).fit(*window.transform(y[:400])).score(X, following) > 0.35
    own = quick(lookback=20, autoregression=14, scaling="series").fit([y[:300] * 9, y[:400]])
    assert own.score(X, following) > 0.25


def test_truncated_bptt_carries_the_state():
    # With steps too small to move a weight the loss of pieces that follow one another is that of
    # the series in one piece; were each piece to start from zero, it would differ.
    series = [WAVE, WAVE[:50], WAVE[7:]]
    params = {"learning_rate_init": 1e-30, "alpha": 0, "max_iter": 1, "dtype": "float64"}
    for batch_size in (1, 2, 4):
        losses = [
            quick(lookback=n, bptt_steps=steps, batch_size=batch_size, **params).fit(series).loss_
            for n, steps in ((32, 20), (32, 7), (400, None))
        ]
        assert_allclose(losses[:2], losses[2], rtol=1e-9)
    fresh = quick(lookback=20, **params).fit(series).loss_
    assert abs(fresh - losses[2]) > 1e-6
    model = forecaster(bptt_steps=30, max_iter=80).fit(WAVE[:300])
    assert np.abs(model.predict() - WAVE[300:308]).max() < 0.3
    stopped = quick(bptt_steps=20, early_stopping=True, max_iter=3).fit(series)
    assert len(stopped.validation_scores_) == 3


def test_histories_and_what_followed():
    X, y = SlidingWindow(width=32, horizon=8).transform(WAVE)
    model = forecaster(max_iter=15).fit(X[:200], y[:200])
    assert model.predict(X[200:]).shape == y[200:].shape
    assert model.score(X[200:], y[200:]) > 0.9
    one = quick(horizon=1).fit(X, y[:, 0])
    assert one.predict(X).shape == (len(X),)
    with pytest.raises(ValueError, match=r"horizon=3 and 1 target.*Set horizon to what y holds"):
        quick(horizon=3).fit(X, y)


# Longer horizons, updates


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "gaussian", "cell": "gru"},
        {"loss": "quantile", "quantiles": (0.1, 0.4, 0.8)},
        {"hidden_layer_sizes": (6, 5), "cell": "rnn"},
        {"difference": None, "scaling": "none"},
        {"difference": "season", "season_length": 31},
        {"difference": "season", "season_length": 3, "autoregression": 12},
        {"autoregression": 7, "loss": "gaussian"},
        {"difference": None, "autoregression": 90, "dtype": "float64"},
    ],
    ids=str,
)
@pytest.mark.parametrize("columns", [1, 3])
def test_feeding_back_is_reading_again(params, columns):
    # The compiled loop carries the state on; a lookback as long as the series reads from the start.
    X = np.column_stack([WAVE + 1, np.roll(WAVE, 9), np.arange(320) % 7])[:, :columns]
    k = {1: 1, 3: 2}[columns]
    model = quick(horizon=4, lookback=60, n_targets=k, **params).fit([X])
    known, h = X[100:125].copy(), 4
    future = X[125:137].copy()
    future[:, :k] = np.nan
    longer = model.predict([np.concatenate([known, future])], horizon=11)
    assert longer.shape == ((1, 11, k) if k > 1 else (1, 11))
    first = model.predict([np.concatenate([known, future[:4]])], horizon=4)
    assert_allclose(longer[:, :4], first, rtol=1e-6)
    for start in (4, 8):
        future[start - 4 : start, :k] = longer[0, start - 4 : start].reshape(4, k)
        now = np.concatenate([known, future[: start + h]])
        again = model.predict([now], horizon=h)[:, : 11 - start]
        assert_allclose(longer[:, start : start + h], again, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_distributions_after_what_is_fed_back(loss):
    # What the compiled loop puts out for the second block, points having been fed back: as when
    # these points are read.
    series = 50 * WAVE
    model = quick(horizon=4, lookback=60, loss=loss).fit(series)
    nothing = Sequences(np.empty((0, 0)), np.zeros(2, np.int64))
    known = series[100:125, np.newaxis]
    longer = forecast(model._network(), Sequences.of([known]), nothing, 8)
    points = longer[0, :4, :, model._network().point]
    again = forecast(model._network(), Sequences.of([np.concatenate([known, points])]), nothing, 4)
    assert_allclose(longer[:, 4:], again, rtol=2e-4)


def test_feeding_back_many_series():
    series = [np.sin(np.arange(n) / 5 + n) for n in np.random.default_rng(0).integers(3, 90, 50)]
    model = quick(horizon=3, hidden_layer_sizes=(9,)).fit(series)
    together = model.predict(series, horizon=20)
    for i in (0, 17, 49):
        assert_allclose(
            model.predict([series[i]], horizon=20)[0], together[i], rtol=1e-4, atol=1e-5
        )
    with threadpool_limits(1, user_api="openmp"):
        assert_array_equal(model.predict(series, horizon=20), together)


def test_update_moves_the_ends_and_no_weight():
    model = quick().fit(WAVE[:200])
    weights = model.weights_
    expected = model.predict(WAVE[:230])
    assert_allclose(model.update(WAVE[200:230]).predict(), expected, rtol=1e-6)
    for name, weight in model.weights_.items():
        assert_array_equal(weight, weights[name])
    with pytest.raises(ValueError, match="fitted on 1"):
        model.update([WAVE, WAVE])


# Intervals


def test_quantiles_are_in_order_and_cover():
    rng = np.random.default_rng(2)
    noisy = WAVE + 0.3 * rng.normal(size=320)
    more = np.sin(np.arange(320, 2000) / 5) + 0.3 * rng.normal(size=1680)
    for loss in ("quantile", "gaussian", "squared_error"):
        model = forecaster(loss=loss, horizon=2, max_iter=20).fit(noisy)
        if loss == "squared_error":
            with pytest.raises(ValueError, match="call calibrate"):
                model.predict_interval()
            model.calibrate(more[:840])
        X, y = SlidingWindow(width=40, horizon=2).transform(more[840:])
        interval = model.predict_interval(X, coverage=0.9)
        assert interval.shape == (*y.shape, 2)
        covered = ((y >= interval[..., 0]) & (y <= interval[..., 1])).mean()
        assert abs(covered - 0.9) < (0.03 if loss == "squared_error" else 0.12), loss
        quantiles = model.predict_quantiles(X)
        assert quantiles.shape == (*y.shape, 3)
        assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_quantiles_not_trained_for():
    model = quick(loss="quantile").fit(WAVE)
    with pytest.raises(ValueError, match="knows the quantiles"):
        model.predict_quantiles(quantiles=[0.3])
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        quick(loss="quantile", quantiles=(0.5, 1.2)).fit(WAVE)


# Dates


@pytest.mark.parametrize("freq", ["D", "MS", "h"])
def test_dates_go_on(freq):
    index = pd.date_range("2020-01-01", periods=100, freq=freq)
    series = pd.Series(WAVE[:100], index=index, name="sales")
    model = quick().fit(series)
    forecast = model.predict()
    assert forecast.name == "sales"
    assert forecast.index.equals(pd.date_range(index[-1], periods=9, freq=freq)[1:])
    assert model.predict(series[:50]).index[0] == index[50]
    frame = pd.DataFrame({"a": WAVE[:100], "b": WAVE[:100] * 2}, index=index)
    both = quick().fit(frame).predict()
    assert list(both.columns) == ["a", "b"]
    assert both.shape == (8, 2)
    periods = series.copy()
    periods.index = index.to_period(freq.replace("MS", "M"))
    assert quick().fit(periods).predict().index[0] == periods.index[-1] + 1


# Odd series


def test_a_constant_series_is_forecast_as_constant():
    model = forecaster().fit(np.full(100, 7.0))
    assert_allclose(model.predict(), 7.0, atol=0.01)


def test_a_series_shorter_than_lookback():
    model = quick().fit([WAVE, WAVE[:5]])
    assert np.isfinite(model.predict([WAVE[:1]])).all()
    with pytest.raises(ValueError, match=r"too short to learn from: the longest has 1 step\(s\)"):
        quick().fit([WAVE[:1], WAVE[:1]])


@pytest.mark.parametrize("call", ["fit", "predict"])
def test_nan_inside_a_series(call):
    broken = WAVE.copy()
    broken[100] = np.nan
    model = quick() if call == "fit" else quick().fit(WAVE)
    with pytest.raises(ValueError, match=r"series 1 has NaN at step 100 \(feature 0\)"):
        getattr(model, call)([WAVE, broken])
    with pytest.raises(ValueError, match="series 0 has no step with known targets"):
        getattr(model, call)([np.full(5, np.nan)])


def test_bad_parameters():
    with pytest.raises(ValueError, match="needs season_length"):
        quick(difference="season").fit(WAVE)
    with pytest.raises(ValueError, match=r"n_targets=3, but a step of X has only 2 feature\(s\)"):
        quick(n_targets=3).fit([np.ones((9, 2))])
    model = quick(warm_start=True).fit(WAVE)
    before = model.predict()
    with pytest.raises(ValueError, match="horizon has changed"):
        model.set_params(horizon=3).fit(WAVE)
    with pytest.raises(ValueError, match="y has come or gone"):
        model.set_params(horizon=8).fit(np.ones((5, 9)), np.ones((5, 8)))
    with pytest.raises(ValueError, match="loss has changed"):
        model.set_params(loss="absolute_error").fit(WAVE)
    assert_array_equal(model.predict(), before)


# As an estimator


def test_contract():
    model = quick(early_stopping=True, max_iter=5).fit([WAVE, WAVE[:100]])
    assert len(model.validation_scores_) == model.n_iter_
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(), model.predict())
    again = clone(model).fit([WAVE, WAVE[:100]])
    assert_array_equal(again.predict(), model.predict())
    WAVE.setflags(write=False)
    quick().fit(WAVE).partial_fit(WAVE)


def test_search_and_backtest():
    window = SlidingWindow(width=32, horizon=8)
    X, y = window.transform(WAVE)
    cv = TimeSeriesSplit(n_splits=3, gap=window.gap)
    search = GridSearchCV(quick(), {"difference": ["last", None]}, cv=cv).fit(X, y)
    assert np.isfinite(search.best_score_)
    assert np.isfinite(cross_val_score(quick(), [WAVE[k:] for k in range(6)], cv=2)).all()


@pytest.mark.parametrize("form", ["series", "windows", "frame"])
@pytest.mark.parametrize("params", [{}, {"autoregression": 9}, {"scaling": "series"}], ids=str)
def test_no_training_fold_sees_the_future(form, params):
    # A spike planted in the last fold's part to come changes no training fold's weights or scales.
    window = SlidingWindow(width=32, horizon=8)

    def fold_weights(series, gap):
        y = None
        if form == "windows":
            series, y = window.transform(series)
        elif form == "frame":
            dates = pd.date_range("2020-01-01", periods=len(series), freq="D")
            series = pd.DataFrame({"sales": series}, index=dates)
        cv = TimeSeriesSplit(n_splits=3, gap=gap, test_size=60)
        folds = cross_validate(quick(**params), series, y, cv=cv, return_estimator=True)
        assert np.isfinite(folds["test_score"]).all()
        search = GridSearchCV(quick(**params), {"max_iter": [1, 2]}, cv=cv, refit=False)
        assert np.isfinite(search.fit(series, y).cv_results_["mean_test_score"]).all()
        return [model._params.tobytes() for model in folds["estimator"]]

    spiked = WAVE.copy()
    # Test folds begin with step 260 of a series; with what follows the first of the windows, 253.
    spiked[255 if form == "windows" else 260] = 1e3
    gap = window.gap if form == "windows" else 0
    assert fold_weights(WAVE, gap) == fold_weights(spiked, gap)
    if form == "windows":  # which is what the gap is for
        assert fold_weights(WAVE, 0) != fold_weights(spiked, 0)


def test_weights_of_series():
    up, down = np.arange(60.0), -np.arange(60.0)
    model = forecaster(difference="last", max_iter=60)
    both = [np.concatenate([[0, 0], up]), np.concatenate([[0, 0], down])]
    model.fit(both, sample_weight=[1, 0])
    assert model.predict([np.zeros(2)])[0, 0] > 0.3
    model.fit(both, sample_weight=[0, 1])
    assert model.predict([np.zeros(2)])[0, 0] < -0.3


# The parts


@pytest.mark.parametrize("overlap", [0, 5])
def test_chunks_count_each_step_once(overlap):
    for length in (1, 5, 9, 10, 11, 37):
        counted = np.zeros(length, int)
        for start, stop, first in training_spans(length, 5, overlap):
            assert 0 < stop - start <= 5 + overlap
            assert first - start == (overlap if start else 0)
            counted[first:stop] += 1
        assert (counted == 1).all()


def frame(**changes):
    parts = {
        "horizon": 3, "lookback": 4, "n_targets": 1, "n_covariates": 0, "difference": "last",
        "season": 0, "lags": 0, "center": np.zeros(1), "scale": np.ones(1), "own_scale": False,
    }  # fmt: skip
    return SeriesTransform(**parts | changes)


def test_what_is_read_and_asked_for():
    y = np.array([1.0, 2, 4, 8, 16])[:, None]
    assert_array_equal(frame().inputs(y, None)[:, 0], [0, 1, 2, 4, 8])
    nan = np.nan
    expected = [[1, 3, 7], [2, 6, 14], [4, 12, nan], [8, nan, nan], [nan] * 3]
    assert_array_equal(frame().targets(y)[..., 0], expected)
    seasonal = frame(difference="season", season=2)
    assert_array_equal(seasonal.inputs(y, None)[:, 0], [0, 0, 3, 6, 12])
    # step 3 knows 1 2 4 8: the next are compared with 4, 8 and 4
    assert_array_equal(seasonal.bases(y)[3, :, 0], [4, 8, 4])
    assert_array_equal(frame(difference=None).targets(y)[0, :, 0], [2, 4, 8])
    z = np.arange(10.0, 16)[:, None]  # covariates of steps 1, 2, ...
    known = frame(n_covariates=1, center=np.zeros(2), scale=np.ones(2)).inputs(y, np.r_[z, z])
    assert_array_equal(known[:2], [[0, 10, 11, 12], [1, 11, 12, 13]])


def test_linear_weights_are_those_of_a_ridge_regression():
    rng = np.random.default_rng(3)
    y, p, h = rng.normal(size=(60, 1)).cumsum(axis=0), 5, 2
    given = frame(horizon=h, lags=p)
    steps = np.arange(60)
    lagged = y[np.maximum(steps[:, None] - np.arange(p), 0), 0] - y
    targets = given.targets(y)[..., 0]
    weights = rng.uniform(0.5, 2, size=60)
    learnt = given.learn_lags([(lagged[:, None], targets[..., None], weights)])
    inside = slice(0, 60 - h)  # the steps whose horizon is known
    alpha = 0.01 * (weights[inside, None] * lagged[inside] ** 2).sum() / p
    ridge = Ridge(alpha, fit_intercept=False).fit(lagged[inside], targets[inside], weights[inside])
    assert_allclose(learnt.lag_weights[..., 0], ridge.coef_.T, rtol=1e-8, atol=1e-12)
    # both ways to the base: of every step, and of the last
    assert_allclose(learnt.bases(y)[..., 0], y + lagged @ ridge.coef_.T, rtol=1e-9)
    assert_allclose(learnt.last_base(y), learnt.bases(y)[-1], rtol=1e-9)


def test_targets_whose_squares_overflow():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 9)), rng.normal(size=6)
    model = LSTMForecaster(1, hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    ordinary = clone(model).fit(X, 1e100 * y).predict(X)
    assert_allclose(model.fit(X, 1e300 * y).predict(X) / 1e200, ordinary, rtol=1e-5)


@pytest.mark.parametrize("scaling", ["global", "series"])
def test_series_whose_squares_overflow(scaling):
    X = np.random.default_rng(0).normal(size=(6, 9))
    model = LSTMForecaster(
        1, hidden_layer_sizes=(3,), max_iter=2, scaling=scaling, dtype="float64", random_state=0
    )
    ordinary = clone(model).fit(X).predict(X)
    large = 2.0**900  # a power of two: the same bits
    assert_array_equal(model.fit(large * X).predict(large * X) / large, ordinary)
