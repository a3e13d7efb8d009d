"""A lone series, and the dates of its forecast; the series of a panel."""

from dataclasses import dataclass
from itertools import pairwise
from numbers import Number

import numpy as np

from skrnn._data.formats import is_column
from skrnn._data.numbers import is_missing, refuse_masked


def unwrap(X):
    """Make a list of a lone series.

    Parameters
    ----------
    X : series
        A 1-D array or list of numbers, a pandas Series of numbers or a DataFrame with dates as its
        index are one series; all else is passed on.

    Returns
    -------
    X : list or object
    form : Lone or None
        What the lone series looked like.
    """
    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    dated = index is not None and hasattr(index, "freq")  # DatetimeIndex, PeriodIndex
    if hasattr(X, "columns"):
        if not dated or is_column(X):
            return X, None
        return [X.to_numpy()], Lone(index, list(X.columns), None)
    if isinstance(X, (list, tuple)):
        flat = len(X) > 0 and all(np.ndim(x) == 0 and not isinstance(x, str) for x in X)
        refuse_masked([X] if flat else X, "X")
        return ([np.asarray(X)], Lone(None, None, None)) if flat else (X, None)
    array = np.asarray(X) if hasattr(X, "__array__") else None
    if array is None or array.ndim != 1 or not _holds_numbers(array):
        return X, None
    refuse_masked([X], "X")
    return [array], Lone(index if dated else None, None, getattr(X, "name", None))


def _holds_numbers(array):
    if array.dtype.kind == "O":
        return len(array) > 0 and all(is_missing(x) or isinstance(x, Number) for x in array)
    return array.dtype.kind in "biuf"


def is_panel(X):
    """Tell whether X is of pandas and has an index of several levels: series, and time."""
    return hasattr(X, "iloc") and X.index.nlevels > 1


def series_of_panel(X):
    """Return the series of a panel, as a list of tables, or of arrays where X is a Series.

    Raises
    ------
    ValueError
        Where the rows of a series are not together.
    """
    import pandas as pd

    codes = pd.factorize(X.index.get_level_values(0))[0]
    if (back := np.flatnonzero(np.diff(codes) < 0)).size:
        name = X.index.get_level_values(0)[back[0] + 1]
        raise ValueError(
            f"The rows of series {name!r} are not together in X. Sort it first: X.sort_index()."
        )
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    parts = [X.iloc[start:stop] for start, stop in pairwise(borders)]
    return parts if X.ndim == 2 else [part.to_numpy() for part in parts]


@dataclass(frozen=True)
class Lone:
    """What a lone series looked like: its forecast looks the same.

    Attributes
    ----------
    index : DatetimeIndex, PeriodIndex or None
    columns : list or None
        Of a DataFrame.
    name : object
        Of a Series.
    """

    index: object
    columns: list | None
    name: object

    def wrap(self, forecast, n_given):
        """Give a forecast (horizon,) or (horizon, n_targets) the dates that follow.

        Parameters
        ----------
        forecast : ndarray
        n_given : int
            Steps of the series before the forecast.
        """
        if self.index is None:
            return forecast
        import pandas as pd

        dates = self.following(len(forecast), n_given)
        if self.columns is not None and forecast.ndim == 2:
            names = self.columns[: forecast.shape[1]]
            return pd.DataFrame(forecast, index=dates, columns=names)
        name = self.columns[0] if self.columns else self.name
        return pd.Series(forecast, index=dates, name=name)

    def following(self, n, n_given):
        """Return the dates of n steps after the first n_given."""
        import pandas as pd

        index = self.index[:n_given]
        if isinstance(index, pd.PeriodIndex):
            return pd.period_range(index[-1] + 1, periods=n, freq=index.freq)
        freq = index.freq or (pd.infer_freq(index) if len(index) > 2 else None)
        if freq is None:
            steps = np.diff(index.to_numpy())
            if len(steps) == 0 or (steps != steps[0]).any():
                raise ValueError(
                    "The dates of the series are not evenly spaced, so those of the forecast are "
                    "not known. Bring them to one frequency first, for example with asfreq, and "
                    "fill what is missing; or pass the values alone."
                )
            return pd.DatetimeIndex(index[-1] + steps[0] * np.arange(1, n + 1))
        return pd.date_range(index[-1], periods=n + 1, freq=freq)[1:]
