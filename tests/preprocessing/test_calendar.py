"""Tests for CalendarFeatures: the columns by hand, the forms dates come in, what is refused."""

import re
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn.preprocessing import CalendarFeatures, PerStep, SlidingWindow

pd = pytest.importorskip("pandas")

ALL = ("minute", "hour", "dayofweek", "day", "dayofyear", "week", "month", "quarter")
# A Thursday at the end of February in a leap year, and the last minute of a Sunday and a year.
DATES = pd.DatetimeIndex(["2024-02-29 06:15", "2023-12-31 23:59"])


def load(n=4, **kwargs):
    index = pd.date_range("2024-03-01", periods=n, freq="6h", **kwargs)
    return pd.DataFrame({"load": np.arange(float(n)), "wind": 1.0}, index=index)


def on_circle(column, position):
    """Compare sine and cosine of a row with a position in the cycle, 0 to 1."""
    expected = [np.sin(2 * np.pi * position), np.cos(2 * np.pi * position)]
    assert_allclose(column, expected, rtol=0, atol=1e-14)


# The columns


def test_numbers_by_hand():
    table = CalendarFeatures(ALL, encoding="number").transform(DATES)
    assert list(table.columns) == list(ALL)
    assert_array_equal(table, [[15, 6, 3, 29, 60, 9, 2, 1], [59, 23, 6, 31, 365, 52, 12, 4]])
    assert (table.dtypes == np.int64).all()


def test_positions_by_hand():
    table = CalendarFeatures(ALL).transform(DATES)
    assert list(table.columns[:4]) == ["minute_sin", "minute_cos", "hour_sin", "hour_cos"]
    rows = table.to_numpy().reshape(2, len(ALL), 2)
    week = 365.25 / 7
    leap_day = (15 / 60, 6 / 24, 3 / 7, 28 / 29, 59 / 365.25, 8 / week, 1 / 12, 0)
    last_day = (59 / 60, 23 / 24, 6 / 7, 30 / 31, 364 / 365.25, 51 / week, 11 / 12, 3 / 4)
    for row, positions in zip(rows, (leap_day, last_day), strict=True):
        for column, position in zip(row, positions, strict=True):
            on_circle(column, position)


def test_order_of_columns_is_that_of_features():
    table = CalendarFeatures(("month", "hour"), encoding="number").transform(DATES)
    assert_array_equal(table, [[2, 6], [12, 23]])


def test_neighbors_in_time_are_neighbors_on_the_circle():
    hours = CalendarFeatures(("hour",)).transform(pd.date_range("2024-01-01", periods=48, freq="h"))
    distances = np.linalg.norm(np.diff(hours, axis=0), axis=1)
    assert_allclose(distances, 2 * np.sin(np.pi / 24))


def test_time_zones_count_by_their_clock():
    dates = pd.DatetimeIndex(["2024-07-01 23:30"], tz="UTC").tz_convert("Europe/Berlin")
    table = CalendarFeatures(("hour", "dayofweek"), encoding="number").transform(dates)
    assert_array_equal(table, [[1, 1]])  # 01:30 on Tuesday


def test_periods_count_by_their_start():
    periods = pd.period_range("2024Q4", periods=2, freq="Q")
    table = CalendarFeatures(("month", "quarter"), encoding="number").transform(periods)
    assert table.index is periods
    assert_array_equal(table, [[10, 4], [1, 1]])


def test_year_and_weekend_have_no_cycle():
    for encoding, columns in (
        ("number", ["year", "hour", "weekend"]),
        ("cyclic", ["year", "hour_sin", "hour_cos", "weekend"]),
    ):
        table = CalendarFeatures(("year", "hour", "weekend"), encoding=encoding).transform(DATES)
        assert list(table.columns) == columns
        assert table["year"].tolist() == [2024, 2023]
        assert table["weekend"].tolist() == [0, 1]
    week = CalendarFeatures(("weekend",)).transform(pd.date_range("2024-01-01", periods=7))
    assert week["weekend"].tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_holidays_that_are_given():
    index = pd.date_range("2024-12-24 22:00", periods=30, freq="h", tz="America/New_York")
    for free in (["2024-12-25"], [pd.Timestamp("2024-12-25")], {pd.Timestamp("2024-12-25").date()}):
        calendar = CalendarFeatures(("hour",), holidays=free)
        table = calendar.fit(index).transform(index)
        assert list(table.columns) == list(calendar.get_feature_names_out())
        assert table.columns[-1] == "holiday"
        assert_array_equal(table["holiday"], index.day == 25)  # by the clock, not by UTC
    with pytest.raises(ValueError, match="must be a code such as 'DE' or 'US-CA', or dates"):
        CalendarFeatures(holidays=["Christmas"]).transform(index)


def test_holidays_of_a_country(monkeypatch):
    days = pd.date_range("2023-12-31", periods=370)
    table = CalendarFeatures(("year",), holidays="DE-BY")
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ImportError, match="'DE-BY' needs the package holidays, which is not inst"):
        table.transform(days)
    monkeypatch.undo()
    pytest.importorskip("holidays")
    free = days[table.transform(days)["holiday"] == 1]
    assert {pd.Timestamp("2024-01-06"), pd.Timestamp("2024-12-25")} <= set(free)
    assert len(free) < 20
    with pytest.raises(ValueError, match="holidays='XX' is not known"):
        CalendarFeatures(holidays="XX").transform(days)


# Forms


def test_series_and_frames_keep_their_columns_first():
    frame = load()
    table = CalendarFeatures(("hour",), encoding="number").transform(frame)
    assert list(table.columns) == ["load", "wind", "hour"]
    pd.testing.assert_frame_equal(table[["load", "wind"]], frame)
    assert table["hour"].tolist() == [0, 6, 12, 18]
    assert list(frame.columns) == ["load", "wind"]  # the input is as it was

    table = CalendarFeatures(("hour",), encoding="number").transform(frame["load"])
    assert list(table.columns) == ["load", "hour"]
    table = CalendarFeatures(("hour",), encoding="number").transform(frame["load"].rename(None))
    assert list(table.columns) == ["value", "hour"]


def test_names_become_strings():
    frame = load().set_axis([0, 1], axis=1)
    assert list(CalendarFeatures(("month",)).transform(frame).columns[:2]) == ["0", "1"]
    assert CalendarFeatures(("month",)).transform(frame[0]).columns[0] == "0"


def test_an_hour_that_comes_twice():
    index = pd.date_range("2024-10-27", periods=5, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"load": np.arange(5.0)}, index=index.tz_localize(None))
    assert not frame.index.is_unique
    table = CalendarFeatures(("hour",), encoding="number").transform(frame)
    assert_array_equal(table, [[0, 0], [1, 1], [2, 2], [3, 2], [4, 3]])


@pytest.mark.parametrize("unit", ["ns", "s", "h", "D"])
def test_arrays_give_arrays(unit):
    array = DATES.to_numpy().astype(f"datetime64[{unit}]")
    out = CalendarFeatures(("month", "day"), encoding="number").transform(array)
    assert type(out) is np.ndarray
    assert_array_equal(out, [[2, 29], [12, 31]])
    assert CalendarFeatures().transform(array).shape == (2, 6)


def test_list_in_list_out():
    parts = [load(3), load(5)["load"], DATES, DATES.to_numpy()]
    out = CalendarFeatures().transform(parts)
    assert isinstance(out, list)
    for part, table in zip(parts, out, strict=True):
        alone = CalendarFeatures().transform(part)
        assert type(alone) is type(table)
        assert_array_equal(alone, table)
    assert [table.shape for table in out] == [(3, 8), (5, 7), (2, 6), (2, 6)]
    assert [table.shape for table in CalendarFeatures().transform([DATES])] == [(2, 6)]


def test_covariates_in_windows():
    calendar = CalendarFeatures(("hour",), encoding="number")
    windows, targets = SlidingWindow(2, n_targets=2).transform(calendar.transform([load()]))
    assert_array_equal(windows[1], [[1, 1, 6], [2, 1, 12]])
    assert_array_equal(targets[1], [3, 1])


# As a transformer


def test_fit_learns_nothing_but_names():
    calendar = CalendarFeatures(("hour",))
    frame = load()
    before = calendar.transform(frame)
    pd.testing.assert_frame_equal(calendar.fit_transform(frame), before)
    assert calendar.get_feature_names_out().tolist() == before.columns.tolist()
    assert calendar.get_feature_names_out(["x"]).tolist() == ["x", "hour_sin", "hour_cos"]
    calendar.fit([frame, frame])
    assert calendar.get_feature_names_out().tolist() == before.columns.tolist()
    calendar.fit(DATES)  # an earlier fit leaves nothing
    assert calendar.get_feature_names_out().tolist() == ["hour_sin", "hour_cos"]
    assert clone(calendar).get_params() == {
        "features": ("hour",), "encoding": "cyclic", "holidays": None,
    }  # fmt: skip
    assert "encoding='number'" in repr(CalendarFeatures(encoding="number"))


def test_names_of_numbers_are_those_of_the_features():
    calendar = CalendarFeatures(["week", "day"], encoding="number")
    assert calendar.get_feature_names_out().tolist() == ["week", "day"]


def test_in_a_pipeline_of_sequences():
    X = [load(4), load(6)]
    pipeline = make_pipeline(CalendarFeatures(("hour",)), PerStep(StandardScaler())).fit(X)
    assert [x.shape for x in pipeline.transform(X)] == [(4, 4), (6, 4)]
    names = ["load", "wind", "hour_sin", "hour_cos"]
    assert pipeline.get_feature_names_out().tolist() == names


# Errors


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("X", "found"),
    [
        (np.zeros((3, 2)), "X is of type ndarray of dtype float64 and shape (3, 2)"),
        (np.zeros((1, 1), "datetime64[s]"), "X is of type ndarray of dtype datetime64[s] and"),
        (pd.Series([1.0, 2.0]), "X is of type Series with a RangeIndex"),
        (pd.DataFrame({"date": DATES}), "X is of type DataFrame with a RangeIndex"),
        ([DATES, pd.Series([1.0])], "sequence 1 is of type Series with a RangeIndex"),
        (list(DATES), "sequence 0 is of type Timestamp"),
        (None, "X is of type NoneType"),
    ],
)
def test_no_dates(X, found, method):
    with pytest.raises(TypeError, match=re.escape(found) + ".*no dates.*Pass a DatetimeIndex"):
        getattr(CalendarFeatures(), method)(X)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"features": ("hour", "era")}, r"'weekend'\]; unknown: \['era'\]"),
        ({"features": ("hour", "hour")}, "each at most once"),
        ({"features": ()}, "at least one"),
        ({"features": "hour"}, "must be an array-like. Got 'hour' instead"),
        ({"features": 3}, "The 'features' parameter of CalendarFeatures"),
        ({"encoding": "onehot"}, "The 'encoding' parameter of CalendarFeatures"),
    ],
)
def test_bad_parameters(params, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(CalendarFeatures(**params), method)(DATES)


def test_missing_dates_are_named():
    dates = pd.DatetimeIndex(["2024-01-01", None])
    with pytest.raises(ValueError, match=r"sequence 1 has no date \(NaT\) at step 1"):
        CalendarFeatures().transform([DATES, dates])


def test_columns_taken():
    table = CalendarFeatures().transform(load())
    with pytest.raises(ValueError, match=r"X has the columns \['hour_sin', 'hour_cos'\] already"):
        CalendarFeatures(("hour",)).transform(table)


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="CalendarFeatures needs pandas"):
        CalendarFeatures().transform(DATES.to_numpy())
