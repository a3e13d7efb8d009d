"""Forecasts of tables: dates are checked and go on, columns have names, panels come back."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn import LSTMForecaster
from skrnn.preprocessing import to_panel

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
WAVE = np.sin(np.arange(120) / 5)
DAYS = pd.date_range("2024-01-01", periods=120, freq="D")


def quick(**params):
    return LSTMForecaster(**{"horizon": 4, "lookback": 8, "hidden_layer_sizes": (4,),
                             "max_iter": 2, "random_state": 0} | params)  # fmt: skip


def panel(index=DAYS, **columns):
    columns = columns or {"y": WAVE}
    parts = {
        name: pd.DataFrame({c: k + x[: len(index)] for c, x in columns.items()}, index=index)
        for k, name in enumerate(["north", "south", "west"])
    }
    return pd.concat(parts, names=["store", "date"])


# Dates


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-01-31", periods=40, freq="ME"),
        pd.date_range("2024-01-01", periods=40, freq="B"),
        pd.DatetimeIndex([d.replace(day=15) for d in pd.date_range("2020", periods=40, freq="MS")]),
        pd.date_range("2024-03-20", periods=40, freq="D", tz="Europe/Berlin"),
        pd.date_range("2024-03-30", periods=40, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-01-01", periods=40, freq="W-WED"),
        pd.date_range("2000-01-01", periods=40, freq="QS"),
        pd.date_range("2024-01-01", periods=40, freq="7min"),
        pd.period_range("2020-01", periods=40, freq="M"),
        pd.period_range("2020-01", periods=40, freq="2M"),
        pd.RangeIndex(100, 180, 2),
    ],
    ids=lambda index: f"{type(index).__name__}-{getattr(index, 'freqstr', None)}",
)
def test_dates_go_on_at_every_frequency(index):
    bare = pd.DatetimeIndex(index, freq=None) if hasattr(index, "tz") else index
    series = pd.Series(WAVE[:40], index=bare)
    assert list(quick().fit(series[:36]).predict().index) == list(index[36:])
    several = panel(bare[:36])
    assert list(quick().fit(several).predict().loc["south"].index) == list(index[36:])


def broken(kind):
    series = pd.Series(WAVE[:60], index=DAYS[:60])
    if kind == "order":
        return series.iloc[[*range(30), 31, 30, *range(32, 60)]]
    if kind == "twice":
        return pd.concat([series[:31], series[30:]])
    return series.drop(DAYS[30]) if kind == "gap" else series.rename({DAYS[30]: pd.NaT})


KINDS = {
    "order": r"not in order: 2024-02-01 00:00:00 is followed by 2024-01-31.*sort_index",
    "twice": r"has the date 2024-01-31 00:00:00 twice",
    "gap": r"not evenly spaced: 2024-01-30 00:00:00 is followed by 2024-02-01.*'D'.*asfreq",
    "nat": r"no date \(NaT\) at step 30",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["fit", "predict", "calibrate"])
@pytest.mark.parametrize("form", ["single", "list", "panel"])
def test_dates_are_checked(kind, call, form):
    sound = pd.Series(WAVE[:60], index=DAYS[:60])
    given = {
        "single": lambda s: s,
        "list": lambda s: [sound, s],
        "panel": lambda s: pd.concat({"north": sound, "south": s}),
    }[form]
    model = quick() if call == "fit" else quick().fit(given(sound))
    name = {"single": "'X'", "list": "1", "panel": "'south'"}[form]
    with pytest.raises(ValueError, match=f"series {name} .*{KINDS[kind]}"):
        getattr(model, call)(given(broken(kind)))


def test_another_frequency_is_refused():
    model = quick().fit(pd.Series(WAVE, index=DAYS))
    with pytest.raises(ValueError, match="at the frequency 'D'"):
        model.predict(pd.Series(WAVE, index=pd.date_range("2024", periods=120, freq="2D")))
    with pytest.raises(ValueError, match="at the frequency 'h'"):
        quick(freq="h").fit(pd.Series(WAVE, index=DAYS))
    with pytest.raises(ValueError, match="is not a frequency of pandas"):
        quick(freq="daily").fit(pd.Series(WAVE, index=DAYS))


@pytest.mark.parametrize("end", [119, 120])
def test_what_is_to_be_forecast_has_dates_of_its_own(end):
    X = pd.DataFrame({"y": WAVE, "x": WAVE}, index=DAYS)
    X.loc[DAYS[117:], "y"] = np.nan
    model = quick(n_targets=1).fit(X.iloc[:end])
    for forecast in (model.predict(), model.predict(X.iloc[:end])):
        assert list(forecast.index) == list(DAYS[117:end])


# Updates


@pytest.mark.parametrize("as_array", [False, True])
def test_updates_go_on(as_array):
    series = pd.Series(WAVE[:60], index=pd.DatetimeIndex(DAYS[:60], freq=None))
    model = quick().fit(series[:50])
    for stop in (51, 60):  # one date alone says nothing of a frequency
        new = series[stop - 1 if stop == 51 else 51 : stop]
        model.update(new.to_numpy() if as_array else new)
    assert list(model.predict().index) == list(DAYS[60:64])
    assert_allclose(model.predict(), model.predict(series), rtol=1e-5)


@pytest.mark.parametrize(("start", "stop"), [(45, 55), (51, 60), (0, 3)])
def test_updates_that_do_not_follow(start, stop):
    series = pd.Series(WAVE[:60], index=DAYS[:60])
    model = quick().fit(series[:50])
    before = model.predict()
    with pytest.raises(
        ValueError, match=r"history has ended at 2024-02-19.*without those that are"
    ):
        model.update(series[start:stop])
    pd.testing.assert_series_equal(model.predict(), before)


def test_updates_of_some_series_of_a_panel():
    whole = panel()
    known = whole[whole.index.get_level_values(1) < DAYS[100]]
    model = quick().fit(known)
    new = whole.loc[["west"]][100:110]
    forecast = model.update(new).predict()
    assert list(forecast.loc["west"].index) == list(DAYS[110:114])
    assert list(forecast.loc["north"].index) == list(DAYS[100:104])
    with pytest.raises(ValueError, match="the series 'east', which fit did not have"):
        model.update(new.rename({"west": "east"}))


# Columns


def test_columns_are_known_by_name():
    X = pd.DataFrame({"y": 100 + 10 * WAVE, "temp": np.cos(np.arange(120) / 7)}, index=DAYS)
    model = quick().fit(X)
    pd.testing.assert_frame_equal(model.predict(X[["temp", "y"]]), model.predict(X))
    model.update(X.set_index(X.index + pd.Timedelta(days=120))[["temp", "y"]][:1])
    with pytest.raises(ValueError, match=r"lacks the columns \['temp'\]"):
        model.predict(X[["y"]])
    with pytest.raises(ValueError, match=r"has the columns \['wind'\], which fit did not have"):
        model.predict(X.assign(wind=0.0))


# Panels


def test_a_panel_is_its_series():
    X = panel()
    model, arrays = quick(loss="gaussian").fit(X), [x.to_numpy() for _, x in X.groupby("store")]
    plain = quick(loss="gaussian").fit(arrays)
    forecast = model.predict()
    assert forecast.index.names == ["store", "date"]
    assert list(forecast.columns) == ["y"]
    assert_allclose(forecast.to_numpy().reshape(3, 4), plain.predict())
    interval = model.predict_interval(X, coverage=0.8)
    assert list(interval.columns) == ["lower", "upper"]
    assert_allclose(interval.to_numpy().reshape(3, 4, 2), plain.predict_interval(arrays, 0.8))
    assert list(model.predict_quantiles(quantiles=[0.9, 0.1]).columns) == [0.9, 0.1]
    paths = model.sample_paths(n_paths=3, horizon=6, random_state=0)
    assert paths.shape == (18, 3)
    assert_allclose(
        paths.loc["south"].T, plain.sample_paths(n_paths=3, horizon=6, random_state=0)[1]
    )
    assert model.score(X) == pytest.approx(plain.score(arrays))
    mixed = X.sort_index(level=1)  # by date: series are found all the same
    pd.testing.assert_frame_equal(model.predict(mixed), forecast)
    two = quick(n_targets=2, loss="gaussian").fit(panel(a=WAVE, b=-WAVE))
    assert list(two.predict_interval().columns) == [
        ("a", "lower"), ("a", "upper"), ("b", "lower"), ("b", "upper"),
    ]  # fmt: skip


def test_the_dates_that_covariates_are_needed_for():
    model = quick().fit(panel())
    assert model.future_index(2).equals(model.predict(horizon=2).index)
    with pytest.raises(ValueError, match="had no dates"):
        quick().fit(WAVE).future_index()


def test_only_the_ends_of_dates_are_kept():
    long = pd.Series(np.tile(WAVE, 100), index=pd.date_range("1970", periods=12000, freq="D"))
    assert len(pickle.dumps(quick().fit(long))) < 10_000


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": WAVE, "b": WAVE}),
        pd.DataFrame(np.column_stack([WAVE, WAVE])),
        pd.DataFrame({"ds": DAYS, "y": WAVE}),
        pd.DataFrame({"y": WAVE, "z": WAVE}, index=DAYS.astype(str)),
        pd.Series(WAVE, index=DAYS.astype(str)),
        pl.DataFrame({"a": WAVE, "b": WAVE}),
        panel().assign(day=1).set_index("day", append=True),
        panel().swaplevel(),
    ],
    ids=["names", "numbers", "ds", "strings", "series", "polars", "levels", "swapped"],
)
def test_tables_that_could_be_anything(table):
    with pytest.raises(ValueError, match=r"[Ii]ndex"):
        quick().fit(table)


@pytest.mark.parametrize("make", ["pandas", "polars", "arrow"])
def test_long_columns(make):
    table = panel().reset_index().sample(frac=1, random_state=0)
    expected = panel().loc[list(dict.fromkeys(table["store"]))]
    if make != "pandas":
        table = pl.DataFrame({name: table[name].to_numpy() for name in table.columns})
        table = table.to_arrow() if make == "arrow" else table
    found = to_panel(table, id="store", time="date")
    assert list(found.index.names) == ["store", "date"]
    assert_allclose(found["y"], expected["y"])
    assert list(found.index) == list(expected.index)


def test_long_columns_that_are_none():
    table = panel().reset_index()
    with pytest.raises(ValueError, match="no column 'unique_id'; it has"):
        to_panel(table)
    names = {"id": "store", "time": "date"}
    with pytest.raises(ValueError, match="series 'south' has the date 2024-01-03 00:00:00 twice"):
        to_panel(pd.concat([table, table[122:123]]), **names)
    gap = table.drop(index=125)
    with pytest.raises(ValueError, match="series 'south' is not evenly spaced"):
        quick().fit(to_panel(gap, **names))
    whole = to_panel(gap, freq="D", **names)
    assert len(whole) == 360
    assert np.flatnonzero(whole["y"].isna()).tolist() == [125]
    with pytest.raises(TypeError, match="table of pandas, polars or Arrow; got ndarray"):
        to_panel(WAVE)


@pytest.mark.parametrize("dtype", ["timestamp[ns][pyarrow]", "date32[day][pyarrow]"])
def test_dates_of_arrow_are_dates(dtype):
    """Pandas has them in a plain Index, and a series with such a one would have no dates."""
    pytest.importorskip("pyarrow")
    days = pd.date_range("2024-01-01", periods=30)
    table = pd.DataFrame({"id": ["a"] * 30 + ["b"] * 30, "ds": pd.Series([*days, *days]),
                          "y": np.arange(60.0) ** 1.5, "z": 1.0})  # fmt: skip
    arrow = table.astype({"ds": dtype, "y": "double[pyarrow]"})
    forecaster = quick(n_targets=1).fit(to_panel(table, id="id"))
    ahead = pd.DataFrame({"z": 1.0}, index=forecaster.future_index())
    expected = forecaster.predict(X_future=ahead)
    arrow_index = pd.MultiIndex.from_arrays([arrow["id"], arrow["ds"]])
    for given in (to_panel(arrow, id="id"), arrow.set_index(arrow_index)[["y", "z"]]):
        found = quick(n_targets=1).fit(given).predict(X_future=ahead)
        assert_array_equal(found, expected)
        assert found.index.equals(expected.index)
    one = arrow[:30].set_index("ds")["y"]
    assert quick().fit(one).predict().index[0] == pd.Timestamp("2024-01-31")
    objects = one.set_axis(days.date)  # of datetime, as a DataFrame has them after .dt.date
    assert quick().fit(objects).predict().index[0] == pd.Timestamp("2024-01-31")
    with pytest.raises(ValueError, match="not evenly spaced"):
        quick().fit(objects.drop(objects.index[5]))
    assert quick().fit([one, one]).update([one[-3:].set_axis(days[:3] + pd.Timedelta(days=30))] * 2)
