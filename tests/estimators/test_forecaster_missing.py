"""Missing values in the history of a forecaster: refused with a remedy, or read as a mask."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV

from skrnn import LSTMForecaster
from skrnn._data.sequences import Sequences
from skrnn._forecaster.columns import Columns
from skrnn._forecaster.missing import fill_gaps
from skrnn._forecaster.series import Series, learn
from skrnn._forecaster.transform import SeriesTransform
from skrnn.metrics import mean_absolute_scaled_error_scorer
from skrnn.model_selection import TimeSeriesPanelSplit, backtest
from skrnn.preprocessing import to_panel

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
DAYS = pd.date_range("2024-01-01", periods=80, freq="D")
WAVE = np.sin(np.arange(320) / 5)
NAN = np.nan


def quick(**params):
    return LSTMForecaster(**{"horizon": 4, "lookback": 8, "hidden_layer_sizes": (4,), "max_iter": 2,
                             "random_state": 0, "missing": "mask"} | params)  # fmt: skip


def holes(values, share=0.2, seed=0):
    values = np.array(values, dtype=np.float64)
    at = np.random.default_rng(seed).random(len(values)) < share
    at[[0, -1]] = False
    values[at] = NAN
    return values


def panel(**columns):
    parts = {}
    for k, name in enumerate(["north", "south", "west"]):
        parts[name] = pd.DataFrame({"y": holes(k + WAVE[k : k + 80], seed=k)}, index=DAYS)
        for column, values in columns.items():
            parts[name][column] = values
    return pd.concat(parts, names=["store", "date"])


# What is read and asked for


@pytest.mark.parametrize(("season", "expected"), [
    (0, [7, 7, 5, 5, 5, 6, 6]), (2, [7, 7, 5, 7, 5, 6, 5]),
])  # fmt: skip
def test_the_last_value_stands(season, expected):
    values = np.array([[NAN, 7, 5, NAN, NAN, 6, NAN]]).T
    fill_gaps(values, 1, season)
    assert values[:, 0].tolist() == expected


def test_what_is_missing_changes_nothing_and_is_not_asked_for():
    columns = Columns(1, 1, masked=True)
    known = columns.encode(np.array([[1.0], [2], [NAN], [4], [5], [NAN], [7]]))
    fill_gaps(known, 1)
    frame = SeriesTransform(2, 9, 1, 0, "last", 0, 0, np.zeros(2), np.ones(2), False, n_past=1,
                  n_indicators=1)  # fmt: skip
    given = Series(Sequences.of([known]), Sequences.of([np.empty((0, 0))]), np.ones(1))
    _, pieces = learn(frame, given, bptt_steps=None, reset=False)
    # change; indicator
    assert_array_equal(pieces.rows.values,
                       [[0, 0], [1, 0], [0, 1], [2, 0], [1, 0], [0, 1], [2, 0]])  # fmt: skip
    expected = [[1, NAN], [NAN, 2], [2, 3], [1, NAN], [NAN, 2], [2, NAN], [NAN, NAN]]
    assert_array_equal(pieces.values[..., 0], expected)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "gaussian"])
@pytest.mark.parametrize("params", [{}, {"scaling": "series", "autoregression": 12}, {
    "difference": "season", "season_length": 31, "bptt_steps": 16}], ids=str)  # fmt: skip
def test_a_wave_with_holes(loss, params):
    model = quick(
        loss=loss, horizon=8, lookback=32, hidden_layer_sizes=(16,), max_iter=40, batch_size=4,
        learning_rate_init=0.01, n_iter_no_change=np.inf, **params,
    )  # fmt: skip
    model.fit(holes(WAVE[:300]))
    assert np.abs(model.predict() - WAVE[300:308]).max() < 0.45
    assert np.abs(model.predict(holes(WAVE[:250], seed=1)) - WAVE[250:258]).max() < 0.45
    assert np.isfinite(model.predict(horizon=20)).all()
    assert model.score(holes(WAVE)) > 0.5


def test_the_linear_forecast_knows_what_is_known():
    # y_t = 0.9 y_{t-1} exactly: holes leave enough pairs to find it.
    walk = np.zeros(400)
    rng = np.random.default_rng(0)
    for t in range(1, 400):
        walk[t] = 0.9 * walk[t - 1] + rng.normal()
    alone = quick(horizon=1, autoregression=1, difference=None, scaling="none")
    whole = alone.fit(walk)._transform.lag_weights.item()
    assert whole == pytest.approx(0.9, abs=0.05)
    assert alone.fit(holes(walk))._transform.lag_weights.item() == pytest.approx(whole, abs=0.1)


@pytest.mark.parametrize("form", ["list", "rows", "panel"])
def test_series_that_begin_later(form):
    late = np.concatenate([np.full(30, NAN), WAVE[:50]])
    X = {
        "list": [WAVE[:80], late],
        "rows": np.array([WAVE[:80], late]),
        "panel": pd.concat({"a": pd.Series(WAVE[:80], DAYS), "b": pd.Series(late, DAYS)}),
    }[form]
    model = quick().fit(X)
    trimmed = quick().fit([WAVE[:80], WAVE[:50]])
    assert_array_equal(np.ravel(model.predict()), np.ravel(trimmed.predict()))
    with pytest.raises(ValueError, match=r"(series 1|series 'b') has NaN at step 0"):
        quick(missing="error").fit(X)


def test_several_targets_have_masks_of_their_own():
    two = np.column_stack([holes(WAVE, seed=1), holes(-WAVE, seed=2)])
    model = quick(horizon=8, lookback=32, hidden_layer_sizes=(16,), max_iter=40, batch_size=4,
                  learning_rate_init=0.01, n_iter_no_change=np.inf).fit([two[:300]])  # fmt: skip
    found = model.predict()[0]
    assert np.abs(found - np.column_stack([WAVE, -WAVE])[300:308]).max() < 0.5


# What is to be forecast, updates, intervals


def test_the_end_is_still_to_be_forecast():
    y, x = holes(WAVE[:60]), np.cos(np.arange(64))
    frame = pd.DataFrame({"y": np.r_[y, [NAN] * 4], "x": x}, index=DAYS[:64])
    model = quick(n_targets=1).fit(frame)
    assert list(model.predict().index) == list(DAYS[60:64])
    lacking = frame.assign(x=frame["x"].where(frame.index != DAYS[62]))
    with pytest.raises(
        ValueError, match=r"NaN at step 62, 2024-03-03 .*column 'x'.*to be forecast"
    ):
        model.predict(lacking)
    gap = frame.assign(x=frame["x"].where(frame.index != DAYS[30]))  # a gap of all columns
    assert np.isfinite(model.predict(gap)).all()


def test_updates_of_what_has_holes():
    X = panel(rain=holes(np.arange(80.0), seed=9))
    X.loc[(slice(None), DAYS[69]), "y"] = 1.0
    early, late = X.groupby(level=0).head(70), X.groupby(level=0).tail(10).copy()
    late.iloc[[0, 1, 10], 0] = NAN  # what comes first is filled from the history
    model = quick(n_targets=1, past_covariates="rain").fit(early)
    whole = pd.concat([early, late]).sort_index()
    pd.testing.assert_frame_equal(model.update(late).predict(), model.predict(whole))


def test_errors_of_what_is_missing_do_not_count():
    X = holes(WAVE, seed=3)
    model = quick().fit(X[:150]).calibrate(X, n_steps=120)
    history_length, truth = model._transform.history_length, X[200:]
    assert np.isnan(truth).sum() > 10
    errors = model._conformal[..., 0]
    assert_array_equal(np.isnan(errors[:, 0]), np.isnan(truth[: len(errors)]))
    assert history_length < 200
    interval = model.predict_interval(X, coverage=0.8) - model.predict(X)[:, np.newaxis]
    for step in range(4):
        known = np.sort(errors[~np.isnan(errors[:, step]), step])
        n = len(known)
        assert_allclose(
            interval[step], known[[int(0.1 * (n + 1)) - 1, int(np.ceil(0.9 * (n + 1))) - 1]]
        )
    assert np.isfinite(model.sample_paths(X, n_paths=5)).all()


def test_backtests_and_searches():
    X = panel()
    frame = backtest(quick(), X, n_windows=3, refit=2)
    assert frame["truth"].isna().sum() == X["y"].groupby(level=0).tail(12).isna().sum() > 0
    assert frame["forecast"].notna().all()
    for scoring in (mean_absolute_scaled_error_scorer, None):
        search = GridSearchCV(quick(), {"missing": ["mask"]}, scoring=scoring, error_score="raise",
                              cv=TimeSeriesPanelSplit(n_splits=2, test_size=4)).fit(X)  # fmt: skip
        assert np.isfinite(search.best_score_)


@pytest.mark.parametrize("scoring", ["loss", None])
def test_early_stopping(scoring):
    model = quick(early_stopping=True, scoring=scoring, max_iter=5).fit(panel())
    assert np.isfinite(model.validation_scores_).all()


# Refused


def test_the_message_has_a_remedy_that_works():
    X = panel()
    first = int(np.flatnonzero(X["y"].isna())[0])
    model = quick(missing="error")
    with pytest.raises(ValueError, match=(
        rf"series 'north' has NaN at step {first}, {DAYS[first]} \(column 'y'\)\. Set missing='mask"
        r"'.*interpolate\(limit_area='inside'\)"
    )):  # fmt: skip
        model.fit(X)
    assert not hasattr(model, "n_features_in_")
    model.set_params(missing="mask").fit(X)
    filled = X.groupby(level=0, group_keys=False).apply(
        lambda x: x.droplevel(0).interpolate(limit_area="inside").set_axis(x.index)
    )
    quick(missing="error").fit(filled)


def test_a_gap_of_dates_becomes_one_of_values():
    table = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": WAVE[:80]}).drop(index=[20, 21, 50])
    with pytest.raises(ValueError, match=r"not evenly spaced.*freq=.*"):
        quick().fit(to_panel(table))
    assert np.isfinite(quick().fit(to_panel(table, freq="D")).predict()).all(axis=None)


def test_a_column_without_any_value():
    X = panel(rain=NAN)
    with pytest.raises(ValueError, match=r"series 'north' has no value at all in column 'rain'"):
        quick(n_targets=1, past_covariates="rain").fit(X)
    with pytest.raises(ValueError, match=r"series 'south' has no step with known targets"):
        quick().fit(X["y"].mask(X.index.get_level_values(0) == "south"))
