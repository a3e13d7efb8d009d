"""Covariates of a forecaster: known beforehand, of the past, static, categories; X_future."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skrnn import LSTMForecaster
from skrnn._forecaster.columns import Columns
from skrnn._forecaster.transform import SeriesTransform
from skrnn.metrics import mean_absolute_scaled_error_scorer
from skrnn.model_selection import TimeSeriesPanelSplit, backtest
from skrnn.preprocessing import CalendarFeatures, SlidingWindow

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
NAMES = ["north", "south", "west"]


def quick(**params):
    given = {"horizon": 4, "lookback": 8, "hidden_layer_sizes": (4,), "max_iter": 2,
             "random_state": 0, "n_targets": 1}  # fmt: skip
    return LSTMForecaster(**given | params)


def of_all_kinds(**params):
    return quick(past_covariates="rain", static_covariates="region", **params)


def table(seed=0, index=DAYS):
    rng, n = np.random.default_rng(seed), len(index)
    return pd.DataFrame(
        {"y": rng.normal(size=n).cumsum(), "promo": rng.integers(0, 2, n), "rain": rng.random(n),
         "region": "coast" if seed % 2 else "hills", "kind": np.array(["a", "b", "c"])[rng.integers(
             0, 3, n)]}, index=index,
    )  # fmt: skip


def panel(**given):
    parts = {name: table(seed, **given) for seed, name in enumerate(NAMES)}
    return pd.concat(parts, names=["store", "date"])


def rows_for(index, promo=1.0, kind="b"):
    return pd.DataFrame({"kind": kind, "promo": promo}, index=index)


# What the network reads


def test_columns_by_hand():
    columns = Columns(5, 1, list("ypsuc"), (1,), (2,), {2: ["x", "z"], 4: [0, 1, 2]}, masked=True)
    rows = np.array([[5.0, 1.5, 1.0, -2.0, 2.0], [np.nan, np.nan, 1.0, -3.0, 0.0]])
    # y | u, c as three | p, s as two | missing p, missing y
    expected = [[5, -2, 0, 0, 1, 1.5, 0, 1, 0, 0], [np.nan, -3, 1, 0, 0, np.nan, 0, 1, 1, 1]]
    assert_array_equal(columns.encode(rows), expected)
    assert_array_equal(columns.encode_ahead(rows), np.array(expected)[:, 1:5])
    assert (columns.n_covariates, columns.n_past) == (4, 5)
    back = columns.decode(columns.encode(rows[:1]))
    assert back.tolist() == [[5.0, 1.5, "z", -2.0, 2]]


def test_inputs_by_hand():
    frame = SeriesTransform(
        2, 9, 1, 1, "last", 0, 0, np.zeros(3), np.array([1.0, 1.0, 2.0]), False, n_past=1
    )
    known = np.array([[1.0, 10.0, 100.0], [3.0, 11.0, 102.0], [6.0, 12.0, 104.0]])
    y, z = frame.prepare(known, np.array([[13.0], [14.0], [15.0]]))
    # the change; the covariate of the two steps that follow; what is known at the step alone
    expected = [[0, 11, 12, 50], [2, 12, 13, 51], [3, 13, 14, 52]]
    assert_array_equal(frame.inputs(y, z), expected)
    # Of steps to come that stays as it was last.
    assert z[:, 1].tolist() == [50, 51, 52, 52, 52]


def test_what_each_kind_teaches():
    rng = np.random.default_rng(0)
    moves, rain = rng.choice([-1.0, 0.0, 2.0], 400), rng.normal(size=400)
    words = np.array(["down", "none", "up"])[np.searchsorted([-1.0, 0.0, 2.0], moves)]
    known = pd.DataFrame({"y": moves.cumsum(), "word": words})
    late = pd.DataFrame({"y": np.r_[0, rain[:-1]].cumsum(), "rain": rain})
    for frame, options in [(known, {}), (late, {"past_covariates": "rain"})]:
        frame = frame.set_axis(pd.date_range("2023", periods=400, freq="D"))
        model = quick(
            horizon=1, hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=0.02,
            n_iter_no_change=np.inf, batch_size=32, **options,
        )  # fmt: skip
        found = backtest(model, frame, n_windows=60, refit=False)
        naive = frame["y"].diff().tail(60).abs().mean()
        assert (found["forecast"] - found["truth"]).abs().mean() < 0.2 * naive


def test_a_static_value_tells_series_apart():
    noisy = np.random.default_rng(0).normal(size=80)
    sides = [(np.arange(80.0) + noisy, 1), (noisy - np.arange(80.0), 0)]
    series = [np.column_stack([y, np.full(80, side)]) for y, side in sides]
    model = quick(lookback=2, horizon=2, static_covariates=[1], max_iter=80, batch_size=8,
                  learning_rate_init=0.02, n_iter_no_change=np.inf).fit(series)  # fmt: skip
    histories = [np.column_stack([noisy[:9], np.full(9, side)]) for side in (1.0, 0.0)]
    rise, fall = model.predict(histories)[:, 1]
    assert rise > fall + 1


def test_categories_of_any_type_are_the_same():
    words, found = panel(), []
    numbers = words.assign(kind=words["kind"].map({"a": 3, "b": 5, "c": 9}))
    types = words.astype({"kind": "category", "region": "category"})
    for X, kind, declared in [(words, "b", "from_dtype"), (types, "b", "from_dtype"),
                           (numbers, 5, ["kind", "region"])]:  # fmt: skip
        model = of_all_kinds(categorical_covariates=declared).fit(X)
        found.append(model.predict(X_future=rows_for(model.future_index(), kind=kind)))
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


# Steps to come


@pytest.mark.parametrize("loss", ["squared_error", "quantile", "gaussian"])
def test_rows_apart_and_rows_appended(loss):
    X = panel()
    model = of_all_kinds(loss=loss).fit(X)
    if loss == "squared_error":
        model.calibrate(X, horizon=9)
    for horizon in (1, 4, 9):
        F = rows_for(model.future_index(horizon)).iloc[:, ::-1]
        appended = pd.concat([X, F]).sort_index(kind="stable")
        for ask in (model.predict, model.predict_interval):
            whole = ask(appended)
            pd.testing.assert_frame_equal(ask(X_future=F), whole)
            pd.testing.assert_frame_equal(ask(X, X_future=F, horizon=horizon), whole)
        paths = model.sample_paths(X_future=F, n_paths=2, random_state=1)
        pd.testing.assert_frame_equal(
            paths, model.sample_paths(appended, n_paths=2, random_state=1)
        )
    mixed = F.loc[["west", "north", "south"]]
    pd.testing.assert_frame_equal(model.predict(X_future=mixed), model.predict(X_future=F))


def test_rows_of_one_series_and_of_arrays():
    one = table().drop(columns="region")
    model = quick(past_covariates=["rain"]).fit(one)
    F = rows_for(model.future_index(6))
    expected = model.predict(X_future=F)
    assert list(expected.index) == list(F.index)
    assert_array_equal(model.predict(X_future=F[["promo", "kind"]].to_numpy()), expected)
    numbers = [one[["y", "promo", "rain"]].to_numpy() + i for i in range(3)]
    several = quick(past_covariates=2).fit(numbers)
    future = np.arange(12.0).reshape(3, 4)
    expected = several.predict(X_future=list(future))
    assert_array_equal(several.predict(X_future=future[:, :, np.newaxis]), expected)
    wide = np.full((3, 4, 3), np.nan)
    wide[:, :, 1] = future
    assert_array_equal(several.predict(X_future=wide), expected)


def test_the_past_alone_is_read_of_what_is_not_known_beforehand():
    X = panel()
    model = of_all_kinds().fit(X)
    ahead = rows_for(model.future_index(9))
    expected = model.predict(X_future=ahead)
    silly = ahead.assign(y=1e9, rain=1e9, region="none such")[X.columns]
    with pytest.raises(ValueError, match=r"category 'none such' in column 'region'"):
        model.predict(X_future=silly)
    silly["region"] = "coast"
    assert_array_equal(model.predict(X_future=silly), expected)
    rainy = X.assign(rain=X["rain"] + (X.index.get_level_values(1) == DAYS[-1]))
    assert (model.predict(rainy, X_future=ahead) != expected).all(axis=None)


@pytest.mark.parametrize("params", [{}, {"difference": "season", "season_length": 3},
                                    {"autoregression": 5, "loss": "gaussian"}])  # fmt: skip
@pytest.mark.parametrize("known", [True, False])
def test_feeding_back_reads_the_last_values_of_the_past(params, known):
    X = table().drop(columns=["region", "kind"])
    X = X if known else X.drop(columns="promo")
    model = quick(lookback=60, past_covariates="rain", **params).fit(X)
    history, ahead = X[:40], X[40:51].drop(columns=["y", "rain"])
    ahead = {"X_future": ahead} if known else {"horizon": 11}
    longer = model.predict(history, **ahead)
    again = X[:51].copy()
    again["rain"] = again["rain"].where(again.index < DAYS[40], X["rain"].iloc[39])
    for start in (4, 8):
        again.iloc[40 : 40 + start, 0] = longer[:start]
        rest = {"X_future": X[["promo"]][40 + start : 51]} if known else {"horizon": 11 - start}
        assert_allclose(model.predict(again[: 40 + start], **rest)[:4], longer[start:][:4],
                        rtol=2e-4, atol=2e-5)  # fmt: skip


def test_updates_are_more_history():
    X = panel()
    early, late = X.groupby(level=0).head(50), X.groupby(level=0).tail(10)
    model = of_all_kinds().fit(early).update(late)
    F = rows_for(model.future_index())
    assert list(model.future_index().get_level_values(1)[:1]) == [DAYS[-1] + DAYS.freq]
    pd.testing.assert_frame_equal(model.predict(X_future=F), model.predict(X, X_future=F))
    with pytest.raises(ValueError, match=r"series 'north' has other values in static_covariates"):
        model.update(late.assign(region="coast"))


REFUSED = {
    "a row that lacks": (lambda F: F.drop(F.index[1]),
                         r"X_future has 3 rows for series 'north' and 4 for series 'south'"),
    "a gap": (lambda F: F.drop(F.index[[1, 5, 9]]),
              r"2024-03-03 00:00:00 for series 'north' where 2024-03-02 00:00:00 is expected.*"
              "future_index"),
    "a series that lacks": (lambda F: F.drop("south"), r"lacks the rows of series 'south'"),
    "a series more": (lambda F: pd.concat([F, F.loc[["south"]].rename({"south": "east"})]),
                      r"rows of the series 'east', which is not to be forecast"),
    "known days": (lambda F: F.set_axis(F.index.set_levels(DAYS[56:60], level=1)),
                   r"begins at 2024-02-26 00:00:00 for series 'north', which is known already"),
    "a column that lacks": (lambda F: F.drop(columns="promo"), r"lacks the columns \['promo'\]"),
    "a column more": (lambda F: F.assign(sun=1), r"has the columns \['sun'\], which fit did not"),
    "NaN": (lambda F: F.assign(promo=np.nan),
            r"contains NaN.\nseries 'north' has it at 2024-03-01 00:00:00 \(column 'promo'\)"),
    "text": (lambda F: F.assign(promo="yes"), r"'yes' in column 'promo', which is not a number"),
    "a category": (lambda F: F.assign(kind="d"),
                   r"X_future of series 'north' has the category 'd' in column 'kind' at 2024-03-01"
                   r".*has seen 'a', 'b', 'c'.*CategoricalDtype"),
    "a time zone": (
        lambda F: F.set_axis(F.index.set_levels(F.index.levels[1].tz_localize("UTC"), level=1)),
        r"time zone UTC for series 'north', but its history has None",
    ),
    "a dict": (lambda F: {"promo": [1.0] * 4}, r"X_future is of type dict; it must be"),
    "one series": (lambda F: F.loc["north"], r"rows of one series, but the histories are a panel"),
    "arrays too few": (lambda F: [F.to_numpy()[:4]], r"rows of 1 series, but 3 are to be forecast"),
    "an index of numbers": (lambda F: F.set_axis(pd.MultiIndex.from_product([NAMES, range(4)])),
                            r"its history has dates of the kind of DatetimeIndex"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_do_not_follow(name):
    model = of_all_kinds().fit(panel())
    change, message = REFUSED[name]
    F = rows_for(model.future_index())
    with pytest.raises((ValueError, TypeError), match=rf"(?s){message}"):
        model.predict(X_future=change(F))


def test_rows_and_horizons_that_do_not_fit():
    X = panel()
    model = of_all_kinds().fit(X)
    F = rows_for(model.future_index())
    with pytest.raises(ValueError, match=r"4 row\(s\) of series 'north', but a forecast of 5"):
        model.predict(X_future=F, horizon=5)
    with pytest.raises(ValueError, match=r"4 rows of series 'north', but horizon=3"):
        model.predict_interval(X_future=F, horizon=3)
    with pytest.raises(ValueError, match=r"series 'north' ends in 0 step.*pass them as X_fut"):
        model.predict()
    with pytest.raises(ValueError, match=r"to be forecast, and X_future has such rows"):
        model.predict(pd.concat([X, F]).sort_index(), X_future=F)
    plain = quick(n_targets=None).fit(X["y"])
    with pytest.raises(ValueError, match=r"the forecaster reads none.*Leave X_future out"):
        plain.predict(X_future=F)


# Columns


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"past_covariates": "snow"}, r"past_covariates names the column 'snow', but X has the"),
        ({"static_covariates": [9]}, r"static_covariates names the column 9, but X has 5 columns"),
        ({"past_covariates": "y"}, r"'y', which is one of the n_targets=1 first.*Move it behind"),
        ({"past_covariates": "rain", "static_covariates": "rain"}, r"'rain' is named in both"),
        ({"static_covariates": "promo"}, r"series 'north' has another value in column 'promo' at "),
        ({"n_targets": None, "past_covariates": "rain"}, r"n_targets is None.*Set n_targets"),
        ({"n_targets": None}, r"'region' of X holds strings.*Set n_targets"),
        ({"categorical_covariates": "rain"}, r"holds strings|mixes strings and numbers|number"),
    ],
)  # fmt: skip
def test_columns_that_are_not_named_right(params, message):
    model = quick(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(panel())
    assert not hasattr(model, "_columns")


def test_columns_are_found_by_name():
    X = panel()
    model = of_all_kinds().fit(X)
    F = rows_for(model.future_index())
    expected = model.predict(X_future=F)
    turned = X[X.columns[::-1]]
    pd.testing.assert_frame_equal(model.predict(turned, X_future=F), expected)
    with pytest.raises(ValueError, match=r"lacks the columns \['kind'\]"):
        model.predict(X.drop(columns="kind"), X_future=F)
    wrong = X.copy()
    wrong.loc[("south", DAYS[5]), "kind"] = "d"
    with pytest.raises(ValueError, match=r"'d' in column 'kind' at 2024-01-06.* of series 'south'"):
        model.predict(wrong, X_future=F)


def test_too_many_categories():
    X = table().assign(kind=[f"k{i}" for i in range(60)])
    longer = pd.concat([X.assign(kind=X["kind"] + f"-{i}") for i in range(5)]).set_axis(
        pd.date_range("2020", periods=300, freq="D"), axis=0
    )
    with pytest.raises(ValueError, match=r"Column 'kind' has 300 categories.*at most 255"):
        quick(static_covariates="region", past_covariates="rain").fit(longer)


def test_what_no_training_series_has_is_read_as_none():
    dtype = pd.CategoricalDtype(["a", "b", "c", "d", "e"])
    X = panel().astype({"kind": dtype})
    model = of_all_kinds().fit(X.assign(promo=1.0))
    F = [rows_for(model.future_index(), kind=kind, promo=promo).astype({"kind": dtype})
         for kind, promo in [("d", 1), ("e", 1), ("a", 1), ("d", 7)]]  # fmt: skip
    d, e, a, d7 = (model.predict(X_future=part).to_numpy() for part in F)
    assert_array_equal(d, e)
    assert (d != a).all()
    assert_array_equal(d, d7)  # a column that never changed has taught nothing


# Searches, windows and files


def test_searches_backtests_and_windows():
    X = panel()
    search = GridSearchCV(
        of_all_kinds(), {"hidden_layer_sizes": [(2,), (3,)]},
        cv=TimeSeriesPanelSplit(n_splits=2, test_size=4), error_score="raise",
        scoring=mean_absolute_scaled_error_scorer,
    ).fit(X)  # fmt: skip
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    F = rows_for(search.best_estimator_.future_index())
    assert len(search.best_estimator_.predict(X_future=F)) == 12
    frame = backtest(search.best_estimator_, X, n_windows=2)
    assert frame["forecast"].notna().all()
    by_hand = X.groupby(level=0).head(56)
    model = of_all_kinds(hidden_layer_sizes=search.best_params_["hidden_layer_sizes"]).fit(by_hand)
    last = model.predict(X_future=X.groupby(level=0).tail(4))["y"]
    assert_allclose(frame[frame["cutoff"] == DAYS[55]]["forecast"], last)
    numbers = [table(seed)[["y", "promo", "rain"]].to_numpy() for seed in range(2)]
    windows, targets = SlidingWindow(width=8, horizon=4, n_targets=1).transform(numbers)
    model = quick(past_covariates=[2]).fit(windows, targets)
    assert model.predict(windows).shape == targets.shape
    assert np.isfinite(model.score(windows, targets))


@pytest.mark.parametrize("scoring", ["loss", None, mean_absolute_scaled_error_scorer])
def test_early_stopping_with_columns_of_all_kinds(scoring):
    model = of_all_kinds(early_stopping=True, scoring=scoring, validation_fraction=0.3)
    model.fit(panel())
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.score(panel()))


def test_calendars_of_panels():
    X = panel()
    pipe = make_pipeline(
        CalendarFeatures(("weekend", "dayofweek"), encoding="number", holidays=[DAYS[3]]),
        of_all_kinds(categorical_covariates=["dayofweek", "kind", "region"]),
    ).fit(X)
    calendar, model = pipe
    F = calendar.transform(rows_for(model.future_index()))
    assert list(F["dayofweek"].loc["west"]) == [4, 5, 6, 0]
    assert pipe.predict(X, X_future=F).shape == (12, 1)
    dates = calendar.transform(model.future_index())
    pd.testing.assert_frame_equal(dates, F[list(dates)])


def test_files_and_steps():
    X = panel()
    model = of_all_kinds(scaling="global").fit(X)
    F = rows_for(model.future_index())
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.predict(X_future=F), model.predict(X_future=F))
    state = model.initial_state(1)
    rows = X.loc["north"].to_numpy()
    for t in range(8):  # as many as the lookback, and the covariates of the steps that follow
        block = rows[t : t + 5].copy()
        block[1:, 0] = np.nan
        found, state = model.step(block[np.newaxis], state)
    F = X.loc["north"][["promo", "kind"]][8:12]
    assert_allclose(found[0], model.predict([rows[:8]], X_future=[F.to_numpy()])[0], rtol=1e-5)
