"""Sliding windows over series, and the targets that follow each window."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from numbers import Integral, Number

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, clone

from skrnn._base.sklearn_api import DocumentationLinkMixin, Interval
from skrnn._data.formats import find_format, is_column
from skrnn._data.sequences import lengths_to_offsets, locate
from skrnn._data.validation import check_sequences

_POSITIVE = Interval(Integral, 1, None, closed="left")


class SlidingWindow(DocumentationLinkMixin, BaseEstimator):
    """Cut series into windows and the targets that follow them, for supervised learning.

    A window consists of `width` consecutive steps of a series. Its targets are the `horizon` steps
    after its last step, the origin of the forecast: everything known at the origin lies in the
    window, everything to be forecast lies after it.

    Parameters
    ----------
    width : int
        Number of steps per window.

    horizon : int, default=1
        Number of steps to forecast.

    step : int, default=1
        Distance between the origins of neighboring windows of a series.

    n_targets : int, default=None
        Number of features, counted from the first, that are targets; None means all. The other
        features, such as the columns of :class:`CalendarFeatures`, appear in the windows only.

    drop_missing : bool, default=False
        Leave out windows that contain NaN or whose targets do. Otherwise NaN is an error.

    Attributes
    ----------
    gap : int
        Minimum number of windows to leave out between training and test,
        ``(horizon - 1) // step``; see the notes.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : Cross-validation that trains on the past only.

    Notes
    -----
    Nothing is learned, so there is no ``fit``. A pipeline cannot change the number of samples and
    therefore refuses this object: cut first, then search or validate on the windows.

    Windows are in the order of time, one series after the other. For one series,
    ``TimeSeriesSplit(n_splits, gap=window.gap)`` therefore trains on nothing that is unknown at
    the test origins. Without the gap it would, because the targets of the last `horizon` - 1
    training windows reach beyond the first test origin. This is also a rolling-origin backtest
    with one fit per fold: `test_size` is the number of origins that a fit serves, and
    `max_train_size` makes the training set roll rather than grow. Anything that learns from the
    windows, such as a scaler, belongs in a pipeline behind them, so that it is fitted on the
    training windows only.

    For several series, :meth:`origins` returns the origin of each window. The series it returns
    are the ``groups`` of ``GroupKFold``, which tests on series not trained on. To split series
    that begin at the same time and run in parallel, order the windows by step, and leave out the
    same number of windows of each series::

        series, steps = window.origins(X)
        order = np.argsort(steps, kind="stable")
        windows, targets = windows[order], targets[order]
        cv = TimeSeriesSplit(n_splits, gap=window.gap * len(X) + len(X) - 1)

    Windows and targets of one series are read-only views of one copy of it. With several series,
    or with windows dropped, they take ``n_windows * (width + horizon)`` steps of memory, as they
    do when a search or an estimator copies them; a larger `step` makes fewer windows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from skrnn.preprocessing import SlidingWindow
    >>> SlidingWindow(width=3, horizon=2).transform([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    (array([[0., 1., 2.],
           [1., 2., 3.]]), array([[3., 4.],
           [4., 5.]]))
    >>> window = SlidingWindow(width=24, horizon=6)
    >>> windows, targets = window.transform(np.sin(np.arange(200)))
    >>> windows.shape, targets.shape
    ((171, 24), (171, 6))
    >>> cv = TimeSeriesSplit(n_splits=3, gap=window.gap)
    >>> search = GridSearchCV(Ridge(), {"alpha": [1e-6, 1.0]}, cv=cv).fit(windows, targets)
    >>> search.best_params_
    {'alpha': 1e-06}
    """

    __module__ = "skrnn.preprocessing"  # the path that files name

    _parameter_constraints: dict = {
        "width": [_POSITIVE],
        "horizon": [_POSITIVE],
        "step": [_POSITIVE],
        "n_targets": [_POSITIVE, None],
        "drop_missing": ["boolean"],
    }

    def __init__(self, width, horizon=1, *, step=1, n_targets=None, drop_missing=False):
        self.width = width
        self.horizon = horizon
        self.step = step
        self.n_targets = n_targets
        self.drop_missing = drop_missing

    @property
    def gap(self):
        """Minimum number of windows between training and test, so that no target leaks."""
        return (self.horizon - 1) // self.step

    def transform(self, X):
        """Cut series into windows and targets.

        Parameters
        ----------
        X : array-like, DataFrame, or collection of series
            One series, as a 1-D array-like of numbers or a DataFrame whose rows are steps; or
            several series, in any form that estimators take: a list of ``(T_i,)`` or
            ``(T_i, n_features)`` arrays or DataFrames, a 3-D array, or a 2-D array with one
            univariate series per row. Pass an array ``(T, n_features)`` that is one series as
            ``[array]``.

        Returns
        -------
        windows : ndarray of shape (n_windows, width, n_features) or (n_windows, width)
            Windows, without the last axis if every series is 1-D.

        targets : ndarray of shape (n_windows, horizon, n_targets)
            Steps after each window. Axes of length 1 are removed: the shape is
            ``(n_windows, horizon)`` for one target and ``(n_windows,)`` for one step of it.

        Raises
        ------
        ValueError
            If no series has ``width + horizon`` steps, if there are fewer than `n_targets`
            features, or if a value is NaN (without `drop_missing`) or infinite.

        TypeError
            If X does not hold numbers.
        """
        sequences, starts, flat = self._find(X)
        width = sequences.values.shape[1]
        spans = _cut_windows(sequences.values, starts, self.width + self.horizon)
        windows, targets = spans[:, : self.width], spans[:, self.width :, : self.n_targets]
        axes = tuple(axis for axis in (1, 2) if targets.shape[axis] == 1)
        return windows[..., 0] if flat and width == 1 else windows, targets.squeeze(axes)

    def origins(self, X):
        """Return the origins of the windows of :meth:`transform`.

        Parameters
        ----------
        X : array-like, DataFrame, or collection of series
            Series as in :meth:`transform`.

        Returns
        -------
        series : ndarray of shape (n_windows,), dtype=int64
            Index of the series of each window in X; 0 if X is one series.

        steps : ndarray of shape (n_windows,), dtype=int64
            Last step of each window, counted from the beginning of its series; the first target
            is the step after it.

        Raises
        ------
        ValueError
            As :meth:`transform` does.

        TypeError
            As :meth:`transform` does.
        """
        sequences, starts, _ = self._find(X)
        series = np.searchsorted(sequences.offsets, starts, side="right") - 1
        return series, starts + (self.width - 1) - sequences.offsets[series]

    def _find(self, X):
        """Return the series, the row of each window's first step, and whether series are 1-D."""
        self._validate_params()
        if _is_one_series(X):
            X = [X]
        door = clone(self)  # the door leaves on it what it finds
        sequences = check_sequences(
            door, X, dtype=(np.float64, np.float32), reset=True, allow_nan=True, min_length=0
        )
        if door._token_counts is not None:
            raise TypeError("SlidingWindow cuts series of numbers, but X holds strings.")
        width = sequences.values.shape[1]
        if self.n_targets is not None and self.n_targets > width:
            raise ValueError(f"n_targets={self.n_targets}, but a step of X has {width} feature(s).")
        input_format, items = find_format(X)
        starts = self._starts(sequences, input_format)
        missing = np.isnan(sequences.values)
        if missing.any():
            starts = self._without_missing(sequences, starts, missing)
        return (
            sequences,
            starts,
            input_format == "rows" or all(np.ndim(item) == 1 for item in items),
        )

    def _starts(self, sequences, input_format):
        needed = self.width + self.horizon
        counts = np.maximum((sequences.lengths - needed) // self.step + 1, 0)
        first = lengths_to_offsets(counts)
        if first[-1] == 0:
            longest = int(np.argmax(sequences.lengths))
            hint = (
                " X is 2-D, which means one univariate series per row; pass [X] if it is one "
                "series of several features."
            )
            raise ValueError(
                f"No window fits into X: the longest series, sequence {longest}, has "
                f"{sequences.lengths[longest]} step(s), but width + horizon = {self.width} + "
                f"{self.horizon} = {needed} are needed. Make width or horizon smaller, or pass "
                f"longer series.{hint if input_format == 'rows' else ''}"
            )
        within = np.arange(first[-1]) - np.repeat(first[:-1], counts)
        return np.repeat(sequences.offsets[:-1], counts) + self.step * within

    def _without_missing(self, sequences, starts, missing):
        if not self.drop_missing:
            row, column = np.argwhere(missing)[0]
            i, t = locate(sequences.offsets, row)
            raise ValueError(
                f"Input X contains NaN.\nsequence {i} has NaN at step {t} (feature {column}). "
                "Set drop_missing=True to leave out the windows it is part of, or impute it."
            )
        seen = lengths_to_offsets(missing.any(axis=1))
        missing_before = lengths_to_offsets(missing[:, : self.n_targets].any(axis=1))
        origins = starts + self.width
        stops = origins + self.horizon
        whole = (seen[origins] == seen[starts]) & (missing_before[stops] == missing_before[origins])
        if not whole.any():
            raise ValueError(
                f"All {len(starts)} windows of X, or their targets, contain NaN: no window is left "
                "with drop_missing=True. Impute NaN, or make width or horizon smaller."
            )
        return starts[whole]


def _is_one_series(X):
    """Tell a single series, 1-D or a DataFrame, from a collection of series."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(item, (Number, np.generic)) for item in X)
    if hasattr(X, "columns"):
        return not is_column(X)
    if not hasattr(X, "__array__") or getattr(X, "ndim", None) != 1 or len(X) == 0:
        return False
    array = np.asarray(X)
    if array.dtype == object:
        return not any(hasattr(item, "__len__") for item in array)
    return array.dtype.kind in "biufc"


def _cut_windows(values, starts, length):
    """Return `length` rows from each start on: a view where the starts are evenly spaced."""
    width = values.shape[1]
    # Rows lie end to end, so those of a span are one run of numbers.
    spans = sliding_window_view(values.reshape(-1), length * width)[::width]
    steps = np.unique(np.diff(starts))
    if len(steps) < 2:
        spans = spans[starts[0] : starts[-1] + 1 : int(steps[0]) if len(steps) else 1]
    else:
        spans = spans[starts]
    return spans.reshape(-1, length, width)
