"""A splitter by time for the steps of one series, or of a panel."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from skrnn._data.single_series import is_panel
from skrnn._data.time_slices import TimeSlices


class TimeSeriesPanelSplit(BaseCrossValidator):
    """Split the steps of a panel by time, to cross-validate forecasters and search parameters.

    The rows of a panel are steps, so that scikit-learn's tools can split it by time. Each split
    trains on all series up to a cutoff and is scored on the `test_size` steps after it. The test
    set also holds the history of its series, from which forecasts are made: without y, `score` and
    the scorers of :mod:`skrnn.metrics` forecast the last `horizon` steps of each series from the
    steps before them.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits. The last split ends where the series end.

    test_size : int
        Number of steps to be forecast in each split, which is `horizon` of the forecaster.

    gap : int, default=0
        Number of steps between the training set and the steps to be forecast. They are history of
        the forecast, but are not learned from.

    max_train_size : int, default=None
        Maximum number of steps per series in the training set, counted back from its end. None
        takes all steps.

    history : int, default=None
        Number of steps per series in the test set before the steps to be forecast, for example
        `lookback` of the forecaster. None takes all steps; with `scaling='series'` a forecast
        depends on all of them.

    See Also
    --------
    backtest : Forecasts from several cutoffs in one table.
    skrnn.preprocessing.SlidingWindow : Windows, which scikit-learn's TimeSeriesSplit splits.

    Notes
    -----
    Series with dates are split at common dates, and the last split ends at the latest date of all
    series, so that nothing is learned from steps later than the test steps of another series.
    Series whose time is an integer are split at the same number of steps from their ends. A test
    set leaves out series that lack a step to be forecast or have no step before them; a training
    set leaves out series of fewer than two steps.

    A list of series cannot be split by time, because its items are whole series. Make a panel of
    them, with ``pandas.concat(dict(enumerate(X)))`` if they are Series or DataFrames.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.model_selection import TimeSeriesPanelSplit
    >>> days = pd.date_range("2024-01-01", periods=5)
    >>> panel = pd.concat({"a": pd.Series(range(5), days), "b": pd.Series(range(5), days)})
    >>> for train, test in TimeSeriesPanelSplit(n_splits=2, test_size=1).split(panel):
    ...     print(train, test)
    [0 1 2 5 6 7] [0 1 2 3 5 6 7 8]
    [0 1 2 3 5 6 7 8] [0 1 2 3 4 5 6 7 8 9]
    """

    __module__ = "skrnn.model_selection"  # the path that files name

    def __init__(self, n_splits=5, *, test_size, gap=0, max_train_size=None, history=None):
        self.n_splits = n_splits
        self.test_size = test_size
        self.gap = gap
        self.max_train_size = max_train_size
        self.history = history

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Yield the rows to train on and to test on.

        Parameters
        ----------
        X : DataFrame, Series or array of shape (n_timesteps,)
            A panel, whose index has two levels (series, time), or one series: a Series, a DataFrame
            whose index is dates, or a 1-D array.

        y, groups : object, default=None
            Ignored.

        Yields
        ------
        train, test : ndarray of int64
            Rows of X, in their order.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, if there are too few steps, or if the rows of X are not
            steps.
        """
        for name, least in [("n_splits", 1), ("test_size", 1), ("gap", 0), ("max_train_size", 2),
                            ("history", 1)]:  # fmt: skip
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not (whole and value >= least) and not (value is None and name in _OPTIONAL):
                raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}.")
        slices = _read_steps(X)
        n_steps = int(slices.n_steps().max())
        needed = self.n_splits * self.test_size + self.gap
        if n_steps < needed + 2:
            raise ValueError(
                f"X has {n_steps} step(s), but n_splits={self.n_splits} of test_size="
                f"{self.test_size} and gap={self.gap} need {needed} and two to train on."
            )
        for left in range(self.n_splits - 1, -1, -1):
            ends, cutoffs, trained = (
                np.minimum(slices.count_back(left * self.test_size + n)[0], slices.lengths)
                for n in (0, self.test_size, self.test_size + self.gap)
            )
            yield self._rows(slices, ends, cutoffs, trained, left)

    def _rows(self, slices, ends, cutoffs, trained, left):
        train, test = [], []
        for rows, end, cutoff, stop in zip(slices.rows, ends, cutoffs, trained, strict=True):
            if stop > 1:
                train.append(rows[max(0, stop - (self.max_train_size or stop)) : stop])
            if cutoff and end - cutoff == self.test_size:
                test.append(rows[max(0, cutoff - (self.history or cutoff)) : end])
        if not train or not test:
            raise ValueError(
                f"In split {self.n_splits - 1 - left} no series has "
                + ("two steps to train on." if not train else "all the steps to be forecast.")
            )
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


_OPTIONAL = ("max_train_size", "history")


def _read_steps(X):
    """Return the series of a table whose rows are steps; only the first column is looked at."""
    pandas = hasattr(X, "iloc")
    panel = is_panel(X)
    dated = pandas and (hasattr(X.index, "freq") or X.ndim == 1)
    array = isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object
    if not (panel or dated or array):
        raise TypeError(
            "The rows of X must be steps: pass a panel, whose index has two levels (series, time), "
            "or one series with dates as its index. Make a panel of series in a list or an array, "
            "pandas.concat({0: pandas.Series(x) ...}), or split the windows of SlidingWindow."
        )
    return TimeSlices(X, 1)
