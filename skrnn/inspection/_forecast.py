"""ForecastDisplay: a series and its forecast, with scikit-learn's interface."""

from numbers import Integral

import numpy as np

from skrnn._base.sklearn_api import _safe_indexing, check_matplotlib_support
from skrnn._data.single_series import is_panel, unwrap
from skrnn.inspection._plotting import prepare_axes
from skrnn.metrics._forecast_scorers import final_step, transformed

COLUMNS = 3  # of small multiples
SIZE = 3.6, 2.4  # inches of each


class ForecastDisplay:
    """A series, its forecast and the prediction interval; or several, each on axes of its own.

    Parameters
    ----------
    history : array-like of shape (n,)
        Known values; the index of a pandas Series becomes the time axis. Of several series a list,
        as are the forecast, the interval and the truth.

    forecast : array-like of shape (horizon,)
        Forecast of the values that follow, likewise.

    interval : array-like of shape (horizon, 2), default=None
        Lower and upper bounds of the prediction interval.

    truth : array-like of shape (n_observed,), default=None
        Values observed later, drawn at their dates where they and the forecast have dates, else
        from the first step of the forecast on, of which there may be fewer.

    coverage : float, default=None
        Probability that a value lies within the interval, for the legend.

    names : list of str, default=None
        Titles of several series; None for a single one.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Of several series an array of Axes, one of each.

    figure_ : matplotlib Figure

    lines_ : list of matplotlib Line2D
        Lines of the history, the forecast and, if given, the truth. Of several series a list of
        such lists.

    band_ : matplotlib PolyCollection or None
        Area of the interval. Of several series a list.

    Examples
    --------
    >>> from skrnn.inspection import ForecastDisplay
    >>> display = ForecastDisplay.from_predictions([1, 2, 3], [4, 5], interval=[(3, 5), (3, 7)])
    >>> display.lines_[1].get_xdata().tolist()
    [3, 4]
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, history, forecast, interval=None, truth=None, coverage=None, names=None):
        self.history = history
        self.forecast = forecast
        self.interval = interval
        self.truth = truth
        self.coverage = coverage
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, X, *, horizon=None, coverage=None, series=0, target=0, truth=None,
        X_future=None, ax=None, **kwargs,
    ):  # fmt: skip
        """Forecast the continuation of a series, or of several, and plot it.

        Parameters
        ----------
        estimator : LSTMForecaster, or Pipeline or search that ends in one
            Fitted forecaster.

        X : series
            History, as in `LSTMForecaster.predict`; one series or several.

        horizon : int, default=None
            Number of steps to forecast, as in `LSTMForecaster.predict`.

        coverage : float, default=None
            Probability that a value lies within the interval, as in
            `LSTMForecaster.predict_interval`. None draws no interval.

        series : int, str, or list of these, default=0
            Which series to plot, if there are several: its number, or its name in a panel. A list
            draws small multiples.

        target : int, default=0
            Index of the target to plot, if there are several.

        truth : series, default=None
            As in the class; of several series a panel, or a list of one per series of X.

        X_future : rows of the steps to come, default=None
            As in `LSTMForecaster.predict`, as the forecaster reads them (after the other steps of
            a pipeline).

        ax : matplotlib Axes, or array of Axes, default=None
            Axes to draw on, one for each series; None creates a figure.

        **kwargs : dict
            As in `plot`.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            For X as `LSTMForecaster.predict` does; if `coverage` is given but the forecaster has
            no intervals, as `LSTMForecaster.predict_interval` does; for a series that is not in X.
        """
        several = isinstance(series, (list, tuple, range, np.ndarray))
        chosen = [_number(X, name) for name in (series if several else [series])]
        if several and not chosen:
            raise ValueError("series is empty: name at least one to be drawn.")
        options = {"horizon": horizon, "coverage": coverage}
        parts = []
        for i in chosen:
            given, future, later = _one_series(X, i), X_future, truth
            if not unwrap(X)[1]:
                future = None if X_future is None else _one_series(X_future, i, X)
                later = _truth_of(truth, i, X)
            options |= {"X_future": future}
            parts.append(_forecast_one(estimator, given, target, **options, truth=later))
        if not several:
            return cls(*parts[0], coverage).plot(ax, **kwargs)
        columns = [list(column) for column in zip(*parts, strict=True)]
        return cls(*columns, coverage, [_title(X, i) for i in chosen]).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, history, forecast, *, interval=None, truth=None, coverage=None, names=None, ax=None,
        **kwargs,
    ):  # fmt: skip
        """Plot a forecast from any source.

        Parameters
        ----------
        history, forecast, interval, truth, coverage, names : as in the class

        ax, **kwargs : as in `plot`

        Returns
        -------
        ForecastDisplay
        """
        return cls(history, forecast, interval, truth, coverage, names).plot(ax, **kwargs)

    def plot(self, ax=None, *, n_history=None, **kwargs):
        """Plot history, forecast, interval and truth.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            Axes to draw on, one for each series; None creates a figure.

        n_history : int, default=None
            Number of last steps of the history to plot; None plots all.

        **kwargs : dict
            Passed to `Axes.plot` for the forecast.

        Returns
        -------
        ForecastDisplay
        """
        if self.names is not None:
            return self._plot_several(ax, n_history, kwargs)
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
            label = "interval" if self.coverage is None else f"{100 * self.coverage:g} % interval"
            self.band_ = ax.fill_between(
                ahead, low, high, color=color, alpha=0.2, linewidth=0, label=label
            )
        if hasattr(past, "dtype") and past.dtype.kind == "M":
            _label_dates(ax)
        ax.legend(frameon=False)
        return self

    def _plot_several(self, axes, n_history, kwargs):
        """Draw each series on axes of its own, with one legend for all."""
        n = len(self.names)
        own_figure = axes is None
        if own_figure:
            axes = _small_multiples(self, n)
        axes = np.ravel(axes)
        if len(axes) < n:
            raise ValueError(f"ax holds {len(axes)} Axes, but there are {n} series.")
        parts = []
        for i, (name, ax) in enumerate(zip(self.names, axes, strict=False)):
            interval, truth = (None if x is None else x[i] for x in (self.interval, self.truth))
            part = ForecastDisplay(
                self.history[i], self.forecast[i], interval, truth, self.coverage
            )
            part.plot(ax, n_history=n_history, **kwargs)
            ax.set_title(name, fontsize="medium")
            if i or own_figure:
                ax.get_legend().remove()
            parts.append(part)
        self.ax_, self.figure_ = axes[:n], axes[0].figure
        self.lines_, self.band_ = [part.lines_ for part in parts], [part.band_ for part in parts]
        if own_figure:
            legend = axes[0].get_legend_handles_labels()
            self.figure_.legend(*legend, loc="outside lower center", ncols=4, frameon=False)
        return self


def _small_multiples(display, n):
    """Return axes of a new figure, three in a row."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    from matplotlib import pyplot as plt

    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    axes = plt.subplots(
        rows, columns, squeeze=False, layout="constrained",
        figsize=(SIZE[0] * columns, SIZE[1] * rows),
    )[1]  # fmt: skip
    for ax in axes.flat[n:]:
        ax.remove()
    return axes.flat[:n]


def _label_dates(ax):
    """Write dates short: what they have in common stands once, at the end of the axis."""
    from matplotlib import dates

    locator = dates.AutoDateLocator(maxticks=6)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _forecast_one(estimator, X, target, *, horizon, coverage, X_future, truth):
    """Return history, forecast, interval and truth of one target of one series."""
    given, estimator = transformed(estimator, X), final_step(estimator)
    options = {"horizon": horizon} | ({} if X_future is None else {"X_future": X_future})
    forecast = estimator.predict(given, **options)
    k = estimator._transform.n_targets
    interval = None
    if coverage is not None:
        interval = estimator.predict_interval(given, coverage, **options)
        interval = np.asarray(interval).reshape(-1, k, 2)[:, target]
    index = _dates(forecast)
    forecast = _like(np.asarray(forecast).reshape(-1, k)[:, target], index)
    history = X if unwrap(X)[1] or hasattr(X, "iloc") else X[0]
    values = _column(history, target)
    known = len(values) - int(np.argmin(np.isnan(values[::-1])))  # then rows to be forecast
    index = _dates(history)
    history = _like(values[:known], None if index is None else index[:known])
    if np.ndim(truth) == 2:
        truth = _like(_column(truth, target), _dates(truth))
    return history, forecast, interval, truth


def _column(series, target):
    """Return one column of a series as an array."""
    if hasattr(series, "iloc"):
        series = series.iloc[:, target] if series.ndim == 2 else series
        return series.to_numpy(dtype=np.float64)
    values = np.asarray(series)
    return np.asarray(values.reshape(len(values), -1)[:, target], dtype=np.float64)


def _number(X, name):
    """Return the number of a series, by its name where X is a panel."""
    if isinstance(name, Integral) and not isinstance(name, bool):
        return int(name)
    if is_panel(X):
        names = X.index.get_level_values(0).unique().tolist()
        if name in names:
            return names.index(name)
        raise ValueError(f"X has no series {name!r}; it has {names[:5]} ...")
    raise ValueError(f"series={name!r}: only the series of a panel have names. Give its number.")


def _title(X, i):
    if is_panel(X):
        return str(X.index.get_level_values(0).unique()[i])
    return f"series {i}"


def _truth_of(truth, i, X):
    """Return the truth of one series, where that of several is given."""
    if is_panel(truth):
        name = X.index.get_level_values(0).unique()[i] if is_panel(X) else i
        names = truth.index.get_level_values(0)
        if name not in names:
            raise ValueError(f"truth has no series {name!r}, which is to be drawn.")
        return truth[names == name].droplevel(0)
    nested = isinstance(truth, (list, tuple)) and len(truth) and np.ndim(truth[0]) > 0
    return truth[i] if nested else truth


def _like(values, index):
    """Put an index on values where there is one."""
    if index is None:
        return values
    import pandas as pd

    return pd.Series(values, index=index)


def _one_series(X, i, like=None):
    """Return one series of a panel or of several, which stays a collection without dates.

    Its number is that in `like`, where X holds rows of the steps to come.
    """
    if is_panel(X):
        like = X if like is None else like
        found = like.index.get_level_values(0).unique()
        if not -len(found) <= i < len(found):
            raise ValueError(f"X has {len(found)} series, but number {i} is to be drawn.")
        return X[X.index.get_level_values(0) == found[i]]
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
