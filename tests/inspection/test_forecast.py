"""ForecastDisplay shows history, forecast, interval and truth, at their dates."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skrnn import LSTMForecaster
from skrnn.inspection import ForecastDisplay
from skrnn.preprocessing import CalendarFeatures


def test_forecast_display(pyplot):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(90)[:, np.newaxis] / [4, 7]) + rng.normal(size=(90, 2)) * 0.1
    parameters = {"horizon": 4, "lookback": 8, "max_iter": 2, "n_iter_no_change": np.inf}
    model = LSTMForecaster(**parameters, loss="gaussian").fit([waves])
    display = ForecastDisplay.from_estimator(
        model, [waves[:30], waves[:50]], series=1, target=1, coverage=0.5, truth=waves[50:54, 1]
    )
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), waves[:50, 1])
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), [50, 51, 52, 53])
    np.testing.assert_allclose(
        display.lines_[1].get_ydata(), model.predict([waves[:50]])[0, :, 1], rtol=1e-5
    )
    interval = model.predict_interval([waves[:50]], 0.5)[0, :, 1]
    np.testing.assert_allclose(display.interval, interval, rtol=1e-5)
    assert display.band_ is not None and len(display.lines_) == 3
    dated = pd.Series(waves[:, 0], index=pd.date_range("2024-01-31", periods=90, freq="D"))
    model = LSTMForecaster(**parameters).fit(dated)
    display = ForecastDisplay.from_estimator(model, dated, horizon=6)
    assert list(display.forecast.index) == list(model.predict(horizon=6).index)
    assert len(display.lines_[1].get_xdata()) == 6 and display.band_ is None
    assert display.plot(n_history=10).lines_[0].get_xdata()[0] == np.datetime64(dated.index[80])
    with pytest.raises(ValueError, match="calibrate"):
        ForecastDisplay.from_estimator(model, dated, coverage=0.9)
    with pytest.raises(NotFittedError):
        ForecastDisplay.from_estimator(LSTMForecaster(), dated)


def test_forecast_display_of_rows_and_covariates(pyplot):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 12))
    model = LSTMForecaster(max_iter=1, n_iter_no_change=np.inf).fit(rows, rows[:, 0])
    display = ForecastDisplay.from_estimator(model, rows, series=2)
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), rows[2])
    np.testing.assert_allclose(display.lines_[1].get_ydata(), model.predict(rows)[2:3], rtol=1e-5)
    series = rng.normal(size=(40, 3))
    model = LSTMForecaster(2, 6, n_targets=1, max_iter=1, n_iter_no_change=np.inf).fit([series])
    ahead = series[:32].copy()
    ahead[30:, 0] = np.nan
    display = ForecastDisplay.from_estimator(model, [ahead])
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), series[:30, 0])
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), [30, 31])


def test_a_forecast_of_a_pipeline_a_panel_and_a_truth_with_dates(pyplot):
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    series = pd.Series(np.sin(np.arange(60) / 5), index=days, name="y")
    parameters = {"horizon": 4, "lookback": 8, "hidden_layer_sizes": (3,), "max_iter": 1}
    model = LSTMForecaster(**parameters, loss="gaussian").fit(series[:50])
    for truth in (series[50:52], series[52:56]):  # fewer than forecast; later ones
        display = ForecastDisplay.from_estimator(model, series[:50], truth=truth)
        assert list(pd.DatetimeIndex(display.lines_[2].get_xdata())) == list(truth.index)
    with pytest.raises(ValueError, match="truth has 5 steps, but the forecast has 4"):
        ForecastDisplay.from_predictions([1, 2], np.ones(4), truth=np.ones(5))
    pipeline = make_pipeline(
        CalendarFeatures(("dayofweek",)), LSTMForecaster(**parameters, n_targets=1)
    )
    ahead = pd.Series(np.nan, index=days[50:54], name="y")
    X = pd.concat([series[:50], ahead])
    display = ForecastDisplay.from_estimator(pipeline.fit(series[:50]), X)
    assert list(pd.DatetimeIndex(display.lines_[1].get_xdata())) == list(days[50:54])
    panel = pd.concat({"a": series, "b": 10 + series})
    model = LSTMForecaster(**parameters, loss="gaussian").fit(panel)
    display = ForecastDisplay.from_estimator(model, panel, series=1, coverage=0.8)
    assert np.allclose(display.lines_[0].get_ydata(), 10 + series)
    assert display.lines_[1].get_xdata()[0] == days[-1] + pd.Timedelta(days=1)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()][-1] == "80 % interval"


def test_small_multiples_of_a_panel(pyplot):
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-01-01", periods=44, freq="D")
    panel = pd.concat({
        name: pd.DataFrame({"y": i + np.sin(np.arange(44)), "promo": i, "kind": "a"}, index=days)
        for i, name in enumerate("abcd")
    })  # fmt: skip
    known, later = panel.groupby(level=0).head(40), panel.groupby(level=0).tail(4)
    model = LSTMForecaster(4, 8, n_targets=1, loss="gaussian", hidden_layer_sizes=(3,), max_iter=1)
    display = ForecastDisplay.from_estimator(
        model.fit(known), known, series=["d", "b"], coverage=0.8, truth=later,
        X_future=later[["promo", "kind"]], n_history=9,
    )  # fmt: skip
    assert [ax.get_title() for ax in display.ax_] == ["d", "b"]
    (legend,) = display.figure_.legends
    found = [text.get_text() for text in legend.get_texts()]
    assert found == ["history", "forecast", "what came", "80 % interval"]
    for i, lines in zip([3, 1], display.lines_, strict=True):
        assert np.allclose(lines[0].get_ydata(), i + np.sin(np.arange(31, 40)))
        assert np.allclose(lines[2].get_ydata(), i + np.sin(np.arange(40, 44)))
        assert list(pd.DatetimeIndex(lines[1].get_xdata())) == list(days[40:])
    expected = model.predict(known, X_future=later[["promo", "kind"]]).loc["b", "y"]
    assert np.allclose(display.lines_[1][1].get_ydata(), expected)
    one = ForecastDisplay.from_estimator(
        model, known, series="b", truth=later, X_future=later[["promo", "kind"]]
    )
    assert np.allclose(one.lines_[1].get_ydata(), expected)
    assert type(one.ax_.xaxis.get_major_formatter()).__name__ == "ConciseDateFormatter"
    with pytest.raises(ValueError, match="X has no series 'e'"):
        ForecastDisplay.from_estimator(model, known, series=["e"])


def test_a_search_and_small_multiples_of_a_list(pyplot):
    waves = [np.sin(np.arange(60) / 5) + i for i in range(3)]
    search = GridSearchCV(
        LSTMForecaster(4, 8, max_iter=1), {"hidden_layer_sizes": [(2,), (3,)]}, cv=3
    )
    display = ForecastDisplay.from_estimator(search.fit(waves), waves, series=[0, 2])
    expected = search.best_estimator_.predict(waves)
    for i, lines in zip([0, 2], display.lines_, strict=True):
        assert np.allclose(lines[1].get_ydata(), expected[i])
    _, axes = pyplot.subplots(1, 2)
    display.plot(axes)
    assert axes[0].get_legend() is not None
    assert axes[1].get_legend() is None
    with pytest.raises(ValueError, match="ax holds 1 Axes, but there are 2 series"):
        display.plot(axes[0])
