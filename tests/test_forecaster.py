"""LSTMForecaster: what it learns, what it gives back, and what it makes of odd series."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from skrnn import LSTMForecaster
from skrnn._series import Frame, chunks
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
    with pytest.raises(ValueError, match=r"series 0 ends in 3 step\(s\) of covariates"):
        model.predict([history[:-1]], horizon=4)


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


def test_feeding_back():
    model = quick(horizon=4).fit(WAVE)
    longer = model.predict(WAVE, horizon=10)
    assert_allclose(longer[:4], model.predict(WAVE), rtol=1e-6)
    # read again from the start, which a lookback as long as the series does, it is the same
    model = quick(horizon=4, lookback=60).fit(WAVE)
    longer = model.predict(WAVE[:20], horizon=10)
    again = model.predict(np.concatenate([WAVE[:20], longer[:4]]))
    assert_allclose(longer[4:8], again, rtol=1e-4, atol=1e-5)
    assert len(longer) == 10
    # layers of different widths read everything again
    stacked = quick(horizon=4, lookback=60, hidden_layer_sizes=(6, 5)).fit(WAVE)
    longer = stacked.predict(WAVE[:20], horizon=8)
    again = stacked.predict(np.concatenate([WAVE[:20], longer[:4]]))
    assert_allclose(longer[4:], again, rtol=1e-4, atol=1e-5)
    for cell in ("gru", "rnn"):
        assert quick(cell=cell).fit(WAVE).predict(horizon=20).shape == (20,)


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
    noise = WAVE + 0.3 * rng.normal(size=320)
    more = np.sin(np.arange(320, 2000) / 5) + 0.3 * rng.normal(size=1680)
    for loss in ("quantile", "gaussian", "squared_error"):
        model = forecaster(loss=loss, horizon=2, max_iter=20).fit(noise)
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
    with pytest.raises(ValueError, match="has its own quantiles"):
        model.calibrate(WAVE)
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


def test_ragged_dates_are_refused():
    index = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06", "2020-01-11"])
    model = quick(horizon=1).fit(pd.Series(np.arange(5.0), index=index))
    with pytest.raises(ValueError, match=r"not evenly spaced.*asfreq"):
        model.predict()


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


def test_weights_of_series():
    up, down = np.arange(60.0), -np.arange(60.0)
    model = forecaster(difference="last", max_iter=60)
    both = [np.concatenate([[0, 0], up]), np.concatenate([[0, 0], down])]
    model.fit(both, sample_weight=[1, 0])
    assert model.predict([np.zeros(2)])[0, 0] > 0.3
    model.fit(both, sample_weight=[0, 1])
    assert model.predict([np.zeros(2)])[0, 0] < -0.3


# The parts


def test_chunks_count_each_step_once():
    for length in (1, 5, 9, 10, 11, 37):
        counted = np.zeros(length, int)
        for start, stop, first in chunks(length, 5):
            assert 0 < stop - start <= 10
            assert first - start == (5 if start else 0)
            counted[first:stop] += 1
        assert (counted == 1).all()


def frame(**changes):
    parts = {
        "horizon": 3, "lookback": 4, "n_targets": 1, "n_covariates": 0, "difference": "last",
        "season": 0, "center": np.zeros(1), "scale": np.ones(1), "own_scale": False,
    }  # fmt: skip
    return Frame(**parts | changes)


def test_what_is_read_and_asked_for():
    y = np.array([1.0, 2, 4, 8, 16])[:, None]
    assert_array_equal(frame().inputs(y, None)[:, 0], [0, 1, 2, 4, 8])
    nan = np.nan
    expected = [[1, 3, 7], [2, 6, 14], [4, 12, nan], [8, nan, nan], [nan] * 3]
    assert_array_equal(frame().targets(y)[..., 0], expected)
    seasonal = frame(difference="season", season=2)
    assert_array_equal(seasonal.inputs(y, None)[:, 0], [0, 0, 3, 6, 12])
    # step 3 knows 1 2 4 8: the next are compared with 4, 8 and 4
    assert_array_equal(seasonal.bases(y, 3)[3, :, 0], [4, 8, 4])
    assert_array_equal(frame(difference=None).targets(y)[0, :, 0], [2, 4, 8])
    z = np.arange(10.0, 16)[:, None]  # covariates of steps 1, 2, ...
    known = frame(n_covariates=1, center=np.zeros(2), scale=np.ones(2)).inputs(y, np.r_[z, z])
    assert_array_equal(known[:2], [[0, 10, 11, 12], [1, 11, 12, 13]])
