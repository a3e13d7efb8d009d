"""Tests for scorers of forecasters, with y and without."""

import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skrnn.metrics
from skrnn import LSTMForecaster
from skrnn.metrics import (
    make_forecast_scorer,
    mean_absolute_scaled_error,
    mean_absolute_scaled_error_scorer,
    mean_quantile_loss,
    mean_quantile_loss_scorer,
    weighted_absolute_percentage_error,
)
from skrnn.preprocessing import CalendarFeatures, SlidingWindow

SERIES = [3 + np.sin(np.arange(60.0)), 4 + np.cos(np.arange(40.0) / 2)]
SCORERS = [name for name in skrnn.metrics.__all__ if name.endswith("error_scorer")
           or name in ("mean_quantile_loss_scorer", "weighted_interval_score_scorer")]  # fmt: skip


def fitted(X=SERIES, y=None, **options):
    given = {"horizon": 3, "lookback": 6, "hidden_layer_sizes": (3,), "max_iter": 2}
    options = {**given, "n_iter_no_change": np.inf, "random_state": 0, **options}
    return LSTMForecaster(**options).fit(X, y)


@pytest.mark.parametrize("name", SCORERS)
def test_without_y_the_last_steps_are_scored(name):
    model = fitted(loss="quantile", quantiles=(0.9, 0.1, 0.5))
    true, history = [x[-3:] for x in SERIES], [x[:-3] for x in SERIES]
    metric, options = getattr(skrnn.metrics, name.removesuffix("_scorer")), {}
    if "scaled" in name:
        options["y_train"] = history
    if "percentage" in name or "scaled" in name:
        expected = metric(true, model.predict(history), **options)
    else:
        levels = [0.1, 0.5, 0.9]
        expected = metric(true, model.predict_quantiles(history, levels), quantiles=levels)
    scorer = pickle.loads(pickle.dumps(getattr(skrnn.metrics, name)))
    assert scorer(model, SERIES) == pytest.approx(-expected)
    assert repr(scorer) == f"make_forecast_scorer({metric.__name__})"


@pytest.mark.parametrize("horizon", [1, 3])
def test_with_y_the_windows_are_scored(horizon):
    X, y = SlidingWindow(width=8, horizon=horizon).transform(SERIES[0])
    model = fitted(X, y, horizon=horizon)
    scorer = make_forecast_scorer(mean_absolute_scaled_error, season_length=2, average="micro")
    rows = y.reshape(len(y), -1), model.predict(X).reshape(len(y), -1)
    options = {"y_train": X, "season_length": 2, "average": "micro"}
    assert scorer(model, X, y) == pytest.approx(-mean_absolute_scaled_error(*rows, **options))
    weights = np.arange(len(y))
    expected = -mean_absolute_scaled_error(*rows, y_train=X, sample_weight=weights)
    found = mean_absolute_scaled_error_scorer(model, X, y, sample_weight=weights)
    assert found == pytest.approx(expected)


def test_in_searches_and_early_stopping():
    X, y = SlidingWindow(width=8, horizon=3).transform(SERIES[0])
    model = LSTMForecaster(horizon=3, lookback=6, hidden_layer_sizes=(3,), max_iter=2,
                           loss="gaussian", early_stopping=True, n_iter_no_change=9,
                           scoring=mean_quantile_loss_scorer, random_state=0)  # fmt: skip
    search = GridSearchCV(model, {"max_iter": [2]}, scoring=mean_absolute_scaled_error_scorer,
                          error_score="raise", cv=2)  # fmt: skip
    assert search.fit(X, y).best_score_ < 0
    alone = model.fit(SERIES)
    assert len(alone.validation_scores_) == 2
    assert max(alone.validation_scores_) < 0


def test_covariates_and_pipelines():
    pd = pytest.importorskip("pandas")
    series = pd.Series(SERIES[0], index=pd.date_range("2024-01-01", periods=60), name="y")
    pipeline = make_pipeline(
        CalendarFeatures(("dayofweek",)),
        LSTMForecaster(horizon=3, lookback=6, n_targets=1, hidden_layer_sizes=(3,), max_iter=2,
                       n_iter_no_change=np.inf, random_state=0),
    ).fit(series)  # fmt: skip
    scorer = make_forecast_scorer(weighted_absolute_percentage_error)
    forecast = pipeline.predict(series.where(np.arange(60) < 57))
    expected = weighted_absolute_percentage_error(series[-3:], forecast)
    assert scorer(pipeline, series) == pytest.approx(-expected)


def test_series_too_short_to_score():
    model = fitted()
    with pytest.raises(ValueError, match="series 1 has no step before the 3 to be forecast"):
        make_forecast_scorer(mean_quantile_loss)(model, [SERIES[0], SERIES[1][:3]])
