"""Tests for SlidingWindow: which steps windows and targets hold, and that nothing leaks."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNRegressor
from skrnn.preprocessing import PerStep, SlidingWindow


def steps(*lengths, width=1):
    """Series whose value tells series, step and feature: 1000 i + 10 t + c."""
    return [
        1000.0 * i + 10.0 * np.arange(length)[:, np.newaxis] + np.arange(width)
        for i, length in enumerate(lengths)
    ]


# What stands in windows and targets


def test_one_series_by_hand():
    windows, targets = SlidingWindow(3, 2).transform([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    assert_array_equal(windows, [[5, 4, 3], [4, 3, 2]])
    assert_array_equal(targets, [[2, 1], [1, 0]])
    series, origins = SlidingWindow(3, 2).origins([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    assert_array_equal(series, [0, 0])
    assert_array_equal(origins, [2, 3])


def test_ragged_series_by_hand():
    X = [np.arange(5.0), np.arange(2.0), np.arange(0.0), 10 + np.arange(4.0)]
    window = SlidingWindow(2, 1)
    windows, targets = window.transform(X)
    assert_array_equal(windows, [[0, 1], [1, 2], [2, 3], [10, 11], [11, 12]])
    assert_array_equal(targets, [2, 3, 4, 12, 13])
    series, origins = window.origins(X)
    assert_array_equal(series, [0, 0, 0, 3, 3])
    assert_array_equal(origins, [1, 2, 3, 1, 2])


@pytest.mark.parametrize("step", [1, 2, 3, 7])
@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_each_window_is_followed_by_its_targets(step, horizon, n_targets):
    X = steps(20, 3, 9, 10, width=3)
    window = SlidingWindow(4, horizon, step=step, n_targets=n_targets)
    windows, targets = window.transform(X)
    series, origins = window.origins(X)
    expected = [
        (i, t) for i, x in enumerate(X) for t in range(3, len(x) - horizon, step)
    ]  # by loops
    assert list(zip(series.tolist(), origins.tolist(), strict=True)) == expected
    assert windows.shape == (len(expected), 4, 3)
    n_targets = n_targets or 3
    targets = targets.reshape(-1, horizon, n_targets)
    for n, (i, t) in enumerate(expected):
        assert_array_equal(windows[n], X[i][t - 3 : t + 1])
        assert_array_equal(targets[n], X[i][t + 1 : t + 1 + horizon, :n_targets])


@pytest.mark.parametrize(
    ("horizon", "n_targets", "shape"),
    [(1, 1, ()), (4, 1, (4,)), (1, 2, (2,)), (4, 2, (4, 2)), (4, None, (4, 3))],
)
def test_axes_of_length_one_are_left_out(horizon, n_targets, shape):
    X = steps(4 + horizon, width=3)  # one window, an axis that stays
    windows, targets = SlidingWindow(4, horizon, n_targets=n_targets).transform(X)
    assert windows.shape == (1, 4, 3)
    assert targets.shape == (1, *shape)


def test_one_dimensional_series_give_two_dimensional_windows():
    X = steps(7)
    assert SlidingWindow(4).transform(X)[0].shape == (3, 4, 1)
    assert SlidingWindow(4).transform([x[:, 0] for x in X])[0].shape == (3, 4)
    assert SlidingWindow(4).transform(X[0][:, 0])[0].shape == (3, 4)
    assert SlidingWindow(4).transform(np.zeros((2, 7)))[0].shape == (6, 4)
    assert SlidingWindow(4).transform(np.zeros((2, 7, 1)))[0].shape == (6, 4, 1)


def test_padding_of_a_cube_is_no_step():
    cube = np.full((2, 6, 2), np.nan)
    cube[0], cube[1, :4] = 1.0, 2.0
    window = SlidingWindow(3)
    windows, _ = window.transform(cube)
    assert_array_equal(window.origins(cube)[0], [0, 0, 0, 1])
    assert np.isfinite(windows).all()


def test_dtype():
    assert SlidingWindow(2).transform(np.arange(5, dtype=np.float32))[0].dtype == np.float32
    assert SlidingWindow(2).transform(np.arange(5))[0].dtype == np.float64


def test_pandas():
    pd = pytest.importorskip("pandas")
    index = pd.date_range("2024-01-01", periods=6)
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) * 2}, index=index)
    window = SlidingWindow(3, 2, n_targets=1)
    expected, expected_targets = window.transform([frame.to_numpy()])
    for X in (frame, [frame]):  # a DataFrame is one series, its rows are steps
        windows, targets = window.transform(X)
        assert type(windows) is np.ndarray
        assert_array_equal(windows, expected)
        assert_array_equal(targets, expected_targets)
    assert_array_equal(window.transform(frame["a"])[0], expected[..., 0])
    assert_array_equal(window.transform([frame["a"]])[0], expected[..., 0])
    assert_array_equal(window.transform(frame["a"].astype(object))[0], expected[..., 0])
    with pytest.raises(ValueError, match=r"sequence 1 has the columns \['b', 'a'\]"):
        window.transform([frame, frame[["b", "a"]]])


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("width", [1, 4])
def test_windows_of_one_series_are_views(step, width):
    X = np.random.default_rng(0).normal(size=(10_000, width))
    windows, targets = SlidingWindow(200, 100, step=step).transform([X])
    assert windows.size > 100 * X.size / step / 2
    assert np.shares_memory(windows[:1], windows[1:2])
    assert np.shares_memory(windows[-1:], targets[-1 - 100 // step :])
    assert not windows.flags.writeable and not targets.flags.writeable
    assert not np.shares_memory(windows, X)  # what the user does to X later does not matter


# NaN


def test_missing_values_are_named():
    X = steps(6, 8, width=2)
    X[1][5, 1] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN\.\nsequence 1 has NaN at step 5 \(feature"):
        SlidingWindow(2).transform(X)
    with pytest.raises(ValueError, match="sequence 1 has NaN at step 1 "):
        SlidingWindow(2).origins(np.array([[0.0, 1, 2], [0, np.nan, 1]]))
    X[1][5, 1] = np.inf
    with pytest.raises(ValueError, match=r"infinity(.|\n)*sequence 1 has it at step 5"):
        SlidingWindow(2, drop_missing=True).transform(X)


def test_windows_with_missing_values_are_left_out():
    X = [np.arange(8.0), np.arange(5.0)]
    X[0][4] = np.nan
    window = SlidingWindow(2, 1, drop_missing=True)
    windows, targets = window.transform(X)
    assert_array_equal(windows, [[0, 1], [1, 2], [5, 6], [0, 1], [1, 2], [2, 3]])
    assert_array_equal(targets, [2, 3, 7, 2, 3, 4])
    series, origins = window.origins(X)
    assert_array_equal(series, [0, 0, 0, 1, 1, 1])
    assert_array_equal(origins, [1, 2, 6, 1, 2, 3])


def test_a_covariate_missing_among_the_targets_steps_does_not_matter():
    X = steps(5, width=2)
    X[0][4, 1] = np.nan  # step 4 is nothing but a target
    window = SlidingWindow(2, n_targets=1, drop_missing=True)
    assert_array_equal(window.transform(X)[1], [20, 30, 40])
    assert_array_equal(clone(window).set_params(n_targets=2).transform(X)[1][:, 0], [20, 30])


def test_nothing_missing_nothing_dropped():
    X = steps(9, 5)
    for a, b in zip(
        SlidingWindow(3).transform(X), SlidingWindow(3, drop_missing=True).transform(X), strict=True
    ):
        assert_array_equal(a, b)


def test_all_windows_missing():
    with pytest.raises(ValueError, match=r"All 3 windows .* no window is left"):
        SlidingWindow(2, drop_missing=True).transform([0.0, 1.0, np.nan, 3.0, 4.0])


# Leakage


@pytest.mark.parametrize("step", [1, 2, 3, 5, 24])
@pytest.mark.parametrize("horizon", [1, 2, 5, 12])
def test_time_series_split_with_gap_leaks_nothing(horizon, step):
    X = np.arange(400.0)
    window = SlidingWindow(10, horizon, step=step)
    windows, targets = window.transform(X)
    # Values are steps, so the data themselves tell what is known when.
    last_seen, last_told = windows[:, -1], targets.reshape(len(windows), -1)[:, -1]
    for train, test in TimeSeriesSplit(4, gap=window.gap).split(windows):
        assert last_told[train].max() <= last_seen[test].min()
    if window.gap:  # and one less would leak
        leaks = [
            last_told[train].max() > last_seen[test].min()
            for train, test in TimeSeriesSplit(4, gap=window.gap - 1).split(windows)
        ]
        assert all(leaks)


@pytest.mark.parametrize("lengths", [(60, 60, 60), (60, 45, 33)])
@pytest.mark.parametrize("step", [1, 2])
def test_series_side_by_side_leak_nothing(lengths, step):
    X = [np.arange(float(length)) for length in lengths]
    window = SlidingWindow(5, 4, step=step)
    windows, targets = window.transform(X)
    _, origins = window.origins(X)
    order = np.argsort(origins, kind="stable")
    windows, targets = windows[order], targets[order]
    # as the docstring has it
    cv = TimeSeriesSplit(3, gap=window.gap * len(X) + len(X) - 1)
    for train, test in cv.split(windows):
        assert targets[train].max() <= windows[test][:, -1].min()
    # A split of windows series after series does leak.
    windows, targets = window.transform(X)
    splits = TimeSeriesSplit(3, gap=window.gap).split(windows)
    assert any(targets[train].max() > windows[test][:, -1].min() for train, test in splits)


def test_grid_search():
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(160) / 3)[:, np.newaxis] + rng.normal(0, 0.05, size=(160, 2))
    window = SlidingWindow(8, 3, n_targets=1)
    windows, targets = window.transform([series])
    model = make_pipeline(
        PerStep(StandardScaler()),
        RNNRegressor((4,), max_iter=2, n_iter_no_change=np.inf, random_state=0),
    )
    cv = TimeSeriesSplit(2, gap=window.gap)
    grid = {"rnnregressor__learning_rate_init": [1e-8, 1e-2]}
    search = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(windows, targets)
    assert search.best_params_ == {"rnnregressor__learning_rate_init": 1e-2}
    assert search.predict(windows[-1:]).shape == (1, 3)


def test_origins_are_groups():
    X = steps(9, 12, 7)
    window = SlidingWindow(3, 2)
    windows, _ = window.transform(X)
    groups, _ = window.origins(X)
    for train, test in GroupKFold(3).split(windows, groups=groups):
        assert not set((windows[train] // 1000).flat) & set((windows[test] // 1000).flat)


# As an object of scikit-learn's


def test_clone_repr_and_params():
    window = SlidingWindow(3, 2, step=4, n_targets=1, drop_missing=True)
    copy = clone(window)
    assert copy.get_params() == window.get_params()
    assert repr(copy) == "SlidingWindow(drop_missing=True, horizon=2, n_targets=1, step=4, width=3)"
    assert "SlidingWindow" in window._repr_html_()
    window.transform(steps(20))
    assert vars(window) == vars(copy)  # it learns nothing


def test_a_pipeline_refuses_it():
    with pytest.raises(TypeError, match="implement fit and transform"):
        make_pipeline(SlidingWindow(3), Ridge()).fit(np.arange(9.0))


# Errors


def test_no_window_fits():
    message = r"longest series, sequence 1, has 5 step.*3 \+ 3 = 6 are needed\. Make"
    with pytest.raises(ValueError, match=message) as caught:
        SlidingWindow(3, 3).transform(steps(4, 5, 2))
    assert "[X]" not in str(caught.value)
    with pytest.raises(ValueError, match=r"X is 2-D.* pass \[X\]"):
        SlidingWindow(3, 3).transform(np.zeros((100, 5)))
    assert len(SlidingWindow(3, 2).transform(steps(4, 5, 2))[0]) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"width": 0},
        {"width": 2.0},
        {"width": 2, "horizon": 0},
        {"width": 2, "step": 0},
        {"width": 2, "n_targets": 0},
        {"width": 2, "drop_missing": 3},
    ],
)
@pytest.mark.parametrize("method", ["transform", "origins"])
def test_parameters_are_checked(params, method):
    with pytest.raises(ValueError, match=f"The '{list(params)[-1]}' parameter of SlidingWindow"):
        getattr(SlidingWindow(**params), method)(np.arange(9.0))


def test_more_targets_than_features():
    with pytest.raises(ValueError, match=r"n_targets=3, but a step of X has 2 feature"):
        SlidingWindow(2, n_targets=3).transform(steps(9, width=2))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([["a", "b", "c"]], TypeError, "X holds strings"),
        ("abc", TypeError, "plain strings"),
        (["a", "b"], TypeError, "plain strings"),
        (np.array(["a", "b"], dtype=object), TypeError, "plain strings"),
        ([], ValueError, r"0 sample"),
        (np.empty(0), ValueError, "1D array|0 sample"),
        (np.arange(5) + 1j, ValueError, "Complex data not supported"),
        ([np.empty(0), np.empty(0)], ValueError, "Every sequence of X is empty"),
        ([np.zeros((5, 2)), np.zeros((5, 3))], ValueError, "sequence 1 has 3 features"),
        (None, TypeError, "X must be a list"),
        (3.0, TypeError, "X must be a list"),
    ],
)
def test_bad_input(X, error, message):
    with pytest.raises(error, match=message):
        SlidingWindow(2).transform(X)


def test_a_column_of_series_is_no_series():
    pd = pytest.importorskip("pandas")
    window, X = SlidingWindow(2, 1), steps(5, 4)
    for given, expected in zip(
        window.transform(pd.DataFrame({"x": X})), window.transform(X), strict=True
    ):
        assert_array_equal(given, expected)
