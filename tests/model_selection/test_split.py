"""Tests for the splitter of panels by time."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from skrnn import LSTMForecaster
from skrnn.metrics import mean_absolute_scaled_error, mean_absolute_scaled_error_scorer
from skrnn.model_selection import TimeSeriesPanelSplit

pd = pytest.importorskip("pandas")

DAYS = pd.date_range("2024-01-01", periods=30, freq="D")


def panel(*spans):
    """Make a panel of series that begin and end on days of their own; values are days."""
    parts = {name: pd.Series(range(a, b), index=DAYS[a:b]) for name, (a, b) in zip("abcd", spans)}
    return pd.concat(parts, names=["id", "day"]).astype(float)


def days(X, rows):
    return {name: part.tolist() for name, part in X.iloc[rows].groupby("id")}


def test_all_series_are_split_at_the_same_day():
    # All days; begins after the first cutoff; ends within the last test; ends before it.
    X = panel((0, 30), (21, 30), (0, 28), (0, 22))
    splits = list(TimeSeriesPanelSplit(3, test_size=3, gap=2).split(X))
    assert len(splits) == TimeSeriesPanelSplit(3, test_size=3).get_n_splits(X) == 3
    for (train, test), cutoff in zip(splits, (21, 24, 27), strict=True):
        learned, tested = days(X, train), days(X, test)
        assert max(map(max, learned.values())) == cutoff - 3  # and a gap of two days
        assert all(len(part) > 1 for part in learned.values())
        # A forecast is of the last three days of a series, and has history.
        assert all(part[-3:] == [cutoff, cutoff + 1, cutoff + 2] for part in tested.values())
        assert all(part[0] < cutoff for part in tested.values())
        assert tested["a"] == list(range(cutoff + 3))
        assert_array_equal(np.sort(train), train)
    assert [list(days(X, test)) for _, test in splits] == [["a", "c"], ["a", "b", "c"], ["a", "b"]]
    assert [list(days(X, train)) for train, _ in splits] == [["a", "c", "d"]] * 2 + [list("abcd")]


def test_order_of_rows_does_not_matter():
    X = panel((0, 30), (5, 30))
    mixed = X.sort_index(level="day")
    for one, other in zip(*(TimeSeriesPanelSplit(2, test_size=4).split(x) for x in (X, mixed))):
        for a, b in zip(one, other, strict=True):
            assert days(X, a) == days(mixed, b)


def test_lengths_of_training_and_history():
    X = panel((0, 30))
    ((train, test),) = TimeSeriesPanelSplit(1, test_size=3, max_train_size=6, history=4).split(X)
    assert days(X, train)["a"] == list(range(21, 27))
    assert days(X, test)["a"] == list(range(23, 30))


def test_integer_times_are_counted_from_the_end():
    X = pd.concat({i: pd.Series(np.arange(n), index=range(n)) for i, n in enumerate((30, 10))})
    ((train, test),) = TimeSeriesPanelSplit(1, test_size=3).split(X)
    assert len(train) == 27 + 7
    assert len(test) == 40


@pytest.mark.parametrize("make", [
    np.asarray,
    lambda values: pd.Series(values, index=DAYS),
    lambda values: pd.DataFrame({"y": values, "shop": pd.Categorical(["s"] * 30)}, index=DAYS),
])  # fmt: skip
def test_one_series(make):
    X = make(np.arange(30.0))
    ((train, test),) = TimeSeriesPanelSplit(1, test_size=3, gap=1).split(X)
    assert_array_equal(train, np.arange(26))
    assert_array_equal(test, np.arange(30))


def test_search_over_a_series_of_steps():
    series = pd.Series(np.sin(np.arange(60.0)), index=pd.date_range("2024-01-01", periods=60))
    model = LSTMForecaster(horizon=3, lookback=6, hidden_layer_sizes=(3,), max_iter=2,
                           n_iter_no_change=np.inf, random_state=0)  # fmt: skip
    cv = TimeSeriesPanelSplit(2, test_size=3)
    search = GridSearchCV(model, {"hidden_layer_sizes": [(2,), (3,)]}, cv=cv, error_score="raise",
                          scoring=mean_absolute_scaled_error_scorer).fit(series)  # fmt: skip
    by_hand = []
    for stop in (54, 57):
        forecast = clone(model).fit(series[:stop]).predict()
        truth = series[stop : stop + 3]
        by_hand.append(-mean_absolute_scaled_error(truth, forecast, y_train=series[:stop]))
    found = [search.cv_results_[f"split{i}_test_score"][1] for i in (0, 1)]
    assert found == pytest.approx(by_hand)
    assert np.isfinite(cross_val_score(model, series.to_numpy(), cv=cv)).all()  # R²


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_splits": 0}, "n_splits must be an integer of at least 1; got 0"),
        ({"test_size": None}, "test_size must be an integer"),
        ({"gap": -1}, "gap must be an integer of at least 0"),
        ({"max_train_size": 1}, "max_train_size must be an integer of at least 2"),
        ({"history": 0}, "history must be an integer of at least 1"),
        (
            {"test_size": 10},
            r"X has 30 step\(s\), but n_splits=5 of test_size=10 and gap=0 need 50",
        ),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        next(TimeSeriesPanelSplit(**{"test_size": 2, **options}).split(panel((0, 30))))


def test_splits_without_series():
    with pytest.raises(ValueError, match="In split 0 no series has all the steps to be forecast"):
        next(TimeSeriesPanelSplit(1, test_size=3).split(panel((0, 25), (27, 30))))


@pytest.mark.parametrize("X", [
    [np.arange(30.0)] * 3,
    np.ones((3, 30)),
    pd.DataFrame(np.ones((30, 2))),
])  # fmt: skip
def test_what_has_no_rows_of_steps(X):
    with pytest.raises(TypeError, match="The rows of X must be steps"):
        next(TimeSeriesPanelSplit(2, test_size=2).split(X))
