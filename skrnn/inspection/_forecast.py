"""ForecastDisplay: a series and its forecast, with scikit-learn's interface."""

import numpy as np
from sklearn.pipeline import Pipeline

from skrnn._base.sklearn_api import _safe_indexing
from skrnn._data.single_series import is_panel, unwrap
from skrnn.inspection._plotting import prepare_axes


class ForecastDisplay:
    """A series, its forecast and the prediction interval.

    Parameters
    ----------
    history : array-like of shape (n,)
        Known values; the index of a pandas Series becomes the time axis.

    forecast : array-like of shape (horizon,)
        Forecast of the values that follow, likewise.

    interval : array-like of shape (horizon, 2), default=None
        Lower and upper bounds of the prediction interval.

    truth : array-like of shape (n_observed,), default=None
        Values observed later, drawn at their dates where they and the forecast have dates, else
        from the first step of the forecast on, of which there may be fewer.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    lines_ : list of matplotlib Line2D
        Lines of the history, the forecast and, if given, the truth.

    band_ : matplotlib PolyCollection or None
        Area of the interval.

    Examples
    --------
    >>> from skrnn.inspection import ForecastDisplay
    >>> display = ForecastDisplay.from_predictions([1, 2, 3], [4, 5], interval=[(3, 5), (3, 7)])
    >>> display.lines_[1].get_xdata().tolist()
    [3, 4]
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, history, forecast, interval=None, truth=None):
        self.history = history
        self.forecast = forecast
        self.interval = interval
        self.truth = truth

    @classmethod
    def from_estimator(
        cls, estimator, X, *, horizon=None, coverage=None, series=0, target=0, truth=None,
        ax=None, **kwargs,
    ):  # fmt: skip
        """Forecast the continuation of a series and plot it.

        Parameters
        ----------
        estimator : LSTMForecaster or Pipeline
            Fitted forecaster, or a pipeline that ends in one.

        X : series
            History, as in `LSTMForecaster.predict`; one series or several.

        horizon : int, default=None
            Number of steps to forecast, as in `LSTMForecaster.predict`.

        coverage : float, default=None
            Probability that a value lies within the interval, as in
            `LSTMForecaster.predict_interval`. None draws no interval.

        series : int, default=0
            Index of the series to plot, if there are several.

        target : int, default=0
            Index of the target to plot, if there are several.

        truth, ax, **kwargs : as in `from_predictions`

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            For X as `LSTMForecaster.predict` does; if `coverage` is given but the forecaster has
            no intervals, as `LSTMForecaster.predict_interval` does.
        """
        X = _one_series(X, series)
        if isinstance(estimator, Pipeline):
            given = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            given = X
        forecast = estimator.predict(given, horizon=horizon)
        k = estimator._transform.n_targets
        interval = None
        if coverage is not None:
            interval = estimator.predict_interval(given, coverage, horizon=horizon)
            interval = np.asarray(interval).reshape(-1, k, 2)[:, target]
        index = _dates(forecast)
        forecast = _like(np.asarray(forecast).reshape(-1, k)[:, target], index)
        history = X if unwrap(X)[1] or hasattr(X, "iloc") else X[0]
        values = np.asarray(history, dtype=np.float64)
        values = values.reshape(len(values), -1)[:, target]
        known = len(values) - int(np.argmin(np.isnan(values[::-1])))  # then rows to be forecast
        index = _dates(history)
        history = _like(values[:known], None if index is None else index[:known])
        return cls(history, forecast, interval, truth).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, history, forecast, *, interval=None, truth=None, ax=None, **kwargs):
        """Plot a forecast from any source.

        Parameters
        ----------
        history, forecast, interval, truth : as in the class

        ax, **kwargs : as in `plot`

        Returns
        -------
        ForecastDisplay
        """
        return cls(history, forecast, interval, truth).plot(ax, **kwargs)

    def plot(self, ax=None, *, n_history=None, **kwargs):
        """Plot history, forecast, interval and truth.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        n_history : int, default=None
            Number of last steps of the history to plot; None plots all.

        **kwargs : dict
            Passed to `Axes.plot` for the forecast.

        Returns
        -------
        ForecastDisplay
        """
        ax = prepare_axes(self, ax)
        past, ahead = _times(self.history, self.forecast)
        shown = slice(None if n_history is None else max(0, len(past) - n_history), None)
        style = {"color": "tab:blue", "label": "forecast", **kwargs}
        history = np.asarray(self.history)
        self.lines_ = ax.plot(past[shown], history[shown], color="black", label="history")
        self.lines_ += ax.plot(ahead, np.asarray(self.forecast), **style)
        if self.truth is not None:
            dated, truth = _dates(self.truth), np.asarray(self.truth)
            if dated is not None and _dates(self.forecast) is not None:
                places = _on_axis(dated)
            elif len(truth) > len(ahead):
                raise ValueError(
                    f"truth has {len(truth)} steps, but the forecast has {len(ahead)}. Cut it, or "
                    "give it the dates that it belongs to."
                )
            else:
                places = ahead[: len(truth)]
            self.lines_ += ax.plot(places, truth, "k:", label="what came")
        self.band_ = None
        if self.interval is not None:
            low, high = np.asarray(self.interval).T
            color = self.lines_[1].get_color()
            self.band_ = ax.fill_between(
                ahead, low, high, color=color, alpha=0.2, linewidth=0, label="interval"
            )
        ax.legend(frameon=False)
        return self


def _like(values, index):
    """Put an index on values where there is one."""
    if index is None:
        return values
    import pandas as pd

    return pd.Series(values, index=index)


def _one_series(X, i):
    """Return one series of a panel or of several, which stays a collection without dates."""
    if is_panel(X):
        names = X.index.get_level_values(0)
        return X[names == names.unique()[i]]
    return X if unwrap(X)[1] else _safe_indexing(X, [i])


def _dates(part):
    """Return the dates of a series, those of a panel without the name of its series, or None."""
    index = getattr(part, "index", None) if hasattr(part, "iloc") else None
    if is_panel(part):
        index = index.get_level_values(1)
    return index if hasattr(index, "dtype") and hasattr(index, "freq") else None


def _on_axis(index):
    return index.to_timestamp() if hasattr(index, "to_timestamp") else index


def _times(history, forecast):
    """Places on the time axis: dates where both have them, else steps."""
    indices = [_dates(part) for part in (history, forecast)]
    if all(index is not None for index in indices):
        return [_on_axis(index) for index in indices]
    n = len(history)
    return np.arange(n), np.arange(n, n + len(forecast))
