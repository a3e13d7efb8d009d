"""Tell a single series from several, and cut a panel into its series."""

from itertools import pairwise
from numbers import Number

import numpy as np

from skrnn._data.formats import is_column, refuse_lazy, refuse_masked
from skrnn._data.numbers import is_missing


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
    is_single : bool
        Whether it was a lone series.
    """
    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    dated = index is not None and hasattr(index, "freq")  # DatetimeIndex, PeriodIndex
    if hasattr(X, "columns"):
        if not dated or is_column(X):
            return X, False
        return [X.to_numpy()], True
    if isinstance(X, (list, tuple)):
        flat = len(X) > 0 and all(np.ndim(x) == 0 and not isinstance(x, str) for x in X)
        if not flat:
            return X, False
        refuse_masked([X], "X")
        return [np.asarray(X)], True
    if not isinstance(X, np.ndarray):
        refuse_lazy(X, "X")
    array = np.asarray(X) if hasattr(X, "__array__") else None
    if array is None or array.ndim != 1 or not _holds_numbers(array):
        return X, False
    refuse_masked([X], "X")
    return [array], True


def _holds_numbers(array):
    if array.dtype.kind == "O":
        return len(array) > 0 and all(is_missing(x) or isinstance(x, Number) for x in array)
    return array.dtype.kind in "biuf"


def is_panel(X):
    """Tell whether X is of pandas and has an index of several levels: series, and time."""
    return hasattr(X, "iloc") and getattr(X.index, "nlevels", 1) > 1


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
