"""Tests for backtests: what is known at each cutoff, what is forecast, in every form of series."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMForecaster
from skrnn._data.time_slices import TimeSlices
from skrnn.metrics import mean_absolute_scaled_error, mean_absolute_scaled_error_scorer
from skrnn.model_selection import TimeSeriesPanelSplit, backtest
from skrnn.preprocessing import CalendarFeatures, PerStep

pd = pytest.importorskip("pandas")

DAYS = pd.date_range("2024-01-01", periods=40, freq="D")
UP = np.arange(40.0)


class Naive(BaseEstimator):
    """Repeats the last value known, and notes what it has seen."""

    seen = None

    def __init__(self, horizon=3, n_targets=None):
        self.horizon = horizon
        self.n_targets = n_targets

    def fit(self, X, y=None):
        self.seen.append(("fit", X))
        return self

    def predict(self, X, *, horizon):
        self.seen.append(("predict", X))
        slices = TimeSlices(X, self.n_targets)
        last = [part[-1] for part in slices.targets.parts]
        found = np.repeat(np.array(last)[:, np.newaxis], horizon, axis=1)
        return found[0] if slices.targets.single else found

    def predict_quantiles(self, X, quantiles, *, horizon):
        return self.predict(X, horizon=horizon)[..., np.newaxis] + np.array(quantiles)


@pytest.fixture
def naive(monkeypatch):
    monkeypatch.setattr(Naive, "seen", [])
    return Naive()


def calls(kind):
    return [X for what, X in Naive.seen if what == kind]


def small(**options):
    given = {"horizon": 3, "lookback": 6, "hidden_layer_sizes": (3,), "max_iter": 2}
    return LSTMForecaster(**{**given, "n_iter_no_change": np.inf, "random_state": 0, **options})


# One series


def test_windows_of_an_array_by_hand(naive):
    frame = backtest(naive, UP[:10], n_windows=2, step=2)
    assert list(frame) == ["id", "cutoff", "step", "truth", "forecast"]
    assert frame["id"].tolist() == [0] * 6
    assert frame["cutoff"].tolist() == [4, 4, 4, 6, 6, 6]
    assert frame["step"].tolist() == [1, 2, 3] * 2
    assert frame["truth"].tolist() == [5, 6, 7, 7, 8, 9]
    assert frame["forecast"].tolist() == [4] * 3 + [6] * 3
    assert [len(X) for X in calls("fit")] == [5, 7]


def test_the_future_is_not_seen_but_its_covariates_are(naive):
    frame = pd.DataFrame({"y": UP, "x": 100 + UP, "shop": pd.Categorical(["s"] * 40)}, index=DAYS)
    backtest(clone(naive).set_params(n_targets=1), frame, n_windows=1)
    (known,), (predicted,) = calls("fit"), calls("predict")
    pd.testing.assert_frame_equal(known, frame[:37])
    assert_array_equal(predicted["y"], [*UP[:37], np.nan, np.nan, np.nan])
    pd.testing.assert_frame_equal(predicted[["x", "shop"]], frame[["x", "shop"]])
    assert frame["y"].notna().all()


def test_dates_and_quantiles(naive):
    series = pd.Series(UP.astype(int), index=DAYS.tz_localize("Europe/Berlin"))
    frame = backtest(naive, series, horizon=2, n_windows=3, quantiles=(0.9, 0.1))
    assert list(frame)[2:] == ["step", "date", "truth", "forecast", "q0.1", "q0.9"]
    assert frame["date"].tolist() == series.index[34:].tolist()
    assert frame["cutoff"].unique().tolist() == series.index[[33, 35, 37]].tolist()
    assert_allclose(frame["q0.9"] - frame["forecast"], 0.9)
    periods = series.set_axis(DAYS.to_period("D"))
    assert backtest(naive, periods, n_windows=1)["date"].tolist() == periods.index[37:].tolist()


@pytest.mark.parametrize(("refit", "fits"), [(True, 5), (False, 1), (2, 3), (np.int64(5), 1)])
def test_refit(naive, refit, fits):
    frame = backtest(naive, UP, refit=refit)
    assert len(calls("fit")) == fits
    assert_array_equal(frame["forecast"], frame["cutoff"])  # what has become known is read


def test_missing_truth_stays_missing(naive):
    series = np.where(UP == 38, np.nan, UP)
    assert_array_equal(backtest(naive, series, n_windows=1)["truth"], [37, np.nan, 39])
    # Rows for the future, at the end, are no part of what has been.
    rows = pd.Series(np.r_[UP[:30], [np.nan] * 10], index=DAYS)
    assert backtest(naive, rows, n_windows=1)["truth"].tolist() == [27, 28, 29]


def test_several_targets(naive):
    table = pd.DataFrame({"a": UP, "b": -UP}, index=DAYS)
    frame = backtest(naive, table, n_windows=1)
    assert frame["target"].tolist() == ["a", "b"] * 3
    assert frame["step"].tolist() == [1, 1, 2, 2, 3, 3]
    assert frame["truth"].tolist() == [37, -37, 38, -38, 39, -39]
    assert frame["forecast"].tolist() == [36, -36] * 3
    cube = backtest(naive, np.stack([table, 2 * table]), n_windows=1)
    assert cube["target"].tolist() == [0, 1] * 6
    assert cube["forecast"].tolist() == [36, -36] * 3 + [72, -72] * 3


# Several series


def test_arrays_are_cut_from_their_ends(naive):
    table = np.full((2, 40), np.nan)
    table[0], table[1, :20] = UP, UP[:20]
    for X in ([UP, UP[:20]], table, [pd.Series(UP), pd.Series(UP[:20])]):
        frame = backtest(naive, X, n_windows=2)
        assert frame["id"].tolist() == ([0] * 3 + [1] * 3) * 2
        assert frame["cutoff"].tolist() == [33] * 3 + [13] * 3 + [36] * 3 + [16] * 3
        assert_array_equal(frame["truth"], frame["cutoff"] + frame["step"])
    with pytest.raises(ValueError, match=r"series 1 has 5 step\(s\), but 2 window"):
        backtest(naive, [UP, UP[:5]], n_windows=2)


def dated(*spans):
    return {name: pd.Series(UP[a:b], index=DAYS[a:b]) for name, (a, b) in zip("abcde", spans)}


@pytest.mark.parametrize("form", ["panel", "mixed panel", "list"])
def test_dated_series_are_cut_at_one_date(naive, form):
    # All days; ends within the last window; begins after the first cutoff; ends early.
    parts = dated((0, 40), (5, 38), (35, 40), (0, 30))
    X = list(parts.values())
    if form != "list":
        X = pd.concat(parts, names=["shop", "day"])
    if form == "mixed panel":
        X = X.sort_index(level="day")
    with pytest.warns(UserWarning, match="1 series are in no window, series ('d'|3) for example"):
        frame = backtest(naive, X, n_windows=2)
    names = "abcd" if form != "list" else [0, 1, 2, 3]
    assert list(frame[frame["cutoff"] == DAYS[33]]["id"]) == [names[0]] * 3 + [names[1]] * 3
    last = frame[frame["cutoff"] == DAYS[36]]
    assert list(last["id"]) == [names[0]] * 3 + [names[1]] + [names[2]] * 3
    assert_array_equal(frame["date"], DAYS[frame["truth"].astype(int)])
    assert_array_equal(frame["date"], frame["cutoff"] + pd.to_timedelta(frame["step"], "D"))
    assert_array_equal(DAYS[frame["forecast"].astype(int)], frame["cutoff"])
    for known, cutoff in zip(calls("fit"), (DAYS[33], DAYS[36]), strict=True):
        values = pd.concat(known) if form == "list" else known
        assert DAYS[int(values.max())] == cutoff


# Forecasters


def test_forecaster_of_every_form_gives_what_it_gives_by_hand():
    series = pd.Series(np.sin(UP), index=DAYS)
    model = small(loss="gaussian")
    frame = backtest(model, series, n_windows=2, quantiles=[0.1, 0.5])
    assert not hasattr(model, "n_iter_")
    by_hand = clone(model).fit(series[:37])
    assert_allclose(frame["forecast"][3:], by_hand.predict())
    assert_allclose(frame[["q0.1", "q0.5"]][3:], by_hand.predict_quantiles(quantiles=[0.1, 0.5]))
    pieces = [np.sin(UP), np.cos(UP[:30])]
    frame = backtest(model, pieces, n_windows=1, refit=False)
    by_hand = clone(model).fit([part[:-3] for part in pieces]).predict()
    assert_allclose(frame["forecast"], by_hand.ravel())
    history = [part[:-3] for part in pieces]
    scores = mean_absolute_scaled_error(
        [g["truth"] for _, g in frame.groupby("id")],
        [g["forecast"] for _, g in frame.groupby("id")],
        y_train=history,
    )
    assert 0 < scores < 10


def test_pipelines_and_searches():
    series = pd.Series(np.sin(UP), index=DAYS, name="y")
    pipeline = make_pipeline(CalendarFeatures(("dayofweek",)), small(n_targets=1))
    frame = backtest(pipeline, series, n_windows=1)
    rows = series.where(series.index < DAYS[37])
    assert_allclose(frame["forecast"], clone(pipeline).fit(series[:37]).predict(rows))
    search = GridSearchCV(small(), {"max_iter": [1]}, cv=2)
    many = [np.sin(UP), np.cos(UP), np.sin(UP / 2), UP / 40]
    expected = backtest(small(max_iter=1), many, n_windows=1)
    pd.testing.assert_frame_equal(backtest(search, many, n_windows=1), expected)


def test_pipelines_that_change_the_targets_are_refused():
    series = pd.Series(10 + 3 * np.sin(UP), index=DAYS, name="y")
    with pytest.raises(ValueError, match="returns 3 columns for 1 of X"):
        backtest(make_pipeline(CalendarFeatures(("dayofweek",)), small()), series, n_windows=1)
    scaled = make_pipeline(PerStep(StandardScaler()), small())
    with pytest.raises(ValueError, match="changes the targets before they reach the forecaster"):
        backtest(scaled, [series.to_numpy()] * 2, n_windows=1)


# Refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon must be a positive integer; got 0"),
        ({"n_windows": 1.5}, "n_windows must be a positive"),
        ({"step": True}, "step must be a positive"),
        ({"refit": 0}, "refit, if not True or False, must be a positive"),
        ({"quantiles": [5]}, r"quantiles=\[5\] must be levels"),
        ({"n_windows": 14}, r"series 0 has 40 step\(s\), but 14 window\(s\) .* need 42"),
    ],
)
def test_options_that_are_refused(naive, options, message):
    with pytest.raises(ValueError, match=message):
        backtest(naive, UP, **options)


def test_steps_out_of_order_are_refused(naive):
    back = pd.Series(UP, index=DAYS)[::-1]
    with pytest.raises(ValueError, match="steps of series 'b' are not in the order of time"):
        backtest(naive, pd.concat({"a": back[::-1], "b": back}))


def test_without_pandas(naive, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="backtest needs pandas"):
        backtest(naive, UP)


# Real forecasters of panels


def panel(n=60):
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=n, freq="D")
    parts = {
        name: pd.DataFrame(
            {"y": size * rng.normal(size=n).cumsum(), "x": rng.random(n)}, index=days
        )
        for name, size in [("a", 1), ("b", 10), ("c", 1000)]
    }
    return pd.concat(parts, names=["shop", "day"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("refit", "fitted"), [(True, [0, 1, 2, 3]), (False, [0] * 4),
                                               (3, [0, 0, 0, 3])])  # fmt: skip
def test_windows_of_a_panel_by_hand(refit, fitted):
    X = panel()
    frame = backtest(small(n_targets=1), X, n_windows=4, refit=refit)
    for window, at in enumerate(fitted):
        model = small(n_targets=1).fit(X.groupby(level=0).head(48 + 3 * at))
        stop = 48 + 3 * window
        ahead = X.groupby(level=0).head(stop + 3).groupby(level=0).tail(3)
        expected = model.predict(X.groupby(level=0).head(stop), X_future=ahead[["x"]])
        found = frame[frame["cutoff"] == X.loc["a"].index[stop - 1]]
        assert_allclose(found["forecast"], expected["y"])
        assert_array_equal(found["truth"], ahead["y"])
        assert found["id"].tolist() == np.repeat(["a", "b", "c"], 3).tolist()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("refit", [True, False])
def test_conformal_intervals_are_calibrated_in_each_window(refit):
    X = panel()[["y"]]
    frame = backtest(small(), X, n_windows=2, calibrate=15, quantiles=(0.1, 0.9), refit=refit)
    for window in range(2):
        stop = 54 + 3 * window
        learned = X.groupby(level=0).head(stop - 15 if refit else 54 - 15)
        known = X.groupby(level=0).head(stop)
        tail = known.groupby(level=0).tail(15 + 7)  # what a lookback of 6 reads, and the errors
        model = small(scaling="global").fit(learned).calibrate(tail)
        expected = model.predict_quantiles(known, (0.1, 0.9))
        own = backtest(small(scaling="global"), X, n_windows=2, calibrate=15, refit=refit,
                       quantiles=(0.1, 0.9))  # fmt: skip
        found = own[own["cutoff"] == X.loc["a"].index[stop - 1]]
        assert_allclose(found[["q0.1", "q0.9"]], expected)
    width = (frame["q0.9"] - frame["q0.1"]).groupby(frame["id"]).mean()
    assert width["c"] > 20 * width["b"] > 20 * width["a"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_calibration_that_is_too_short():
    with pytest.raises(ValueError, match="calibrate=2 holds out too few steps"):
        backtest(small(), panel()[["y"]], calibrate=2)
    with pytest.raises(ValueError, match="and calibrate=50 need 65"):
        backtest(small(), panel()[["y"]], calibrate=50)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_over_a_panel_by_hand():
    X, cv = panel(), TimeSeriesPanelSplit(n_splits=2, test_size=3)
    search = GridSearchCV(small(n_targets=1), {"lookback": [3, 6]}, cv=cv, error_score="raise",
                          scoring=mean_absolute_scaled_error_scorer).fit(X)  # fmt: skip
    for i, lookback in enumerate([3, 6]):
        for split in range(2):
            stop = 54 + 3 * split
            known = X.groupby(level=0).head(stop)
            truth = X.groupby(level=0).head(stop + 3).groupby(level=0).tail(3)
            model = small(n_targets=1, lookback=lookback).fit(known)
            error = mean_absolute_scaled_error(
                truth[["y"]], model.predict(known, X_future=truth[["x"]]), y_train=known[["y"]]
            )
            assert search.cv_results_[f"split{split}_test_score"][i] == pytest.approx(-error)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_forecast_from_before_a_gap_is_longer():
    X = panel()[["y"]]
    X.loc[("b", X.loc["b"].index[[55, 56]]), "y"] = np.nan  # the last two before the cutoff
    frame = backtest(small(missing="mask"), X, n_windows=1)
    model = small(missing="mask").fit(X.groupby(level=0).head(57))
    found = frame[frame["id"] == "b"]["forecast"]
    assert_allclose(found, model.predict(X.loc[["b"]].iloc[:55], horizon=5)["y"].iloc[2:])
    expected = model.predict(X.loc[["a"]].iloc[:57])["y"]
    assert_allclose(frame[frame["id"] == "a"]["forecast"], expected)
