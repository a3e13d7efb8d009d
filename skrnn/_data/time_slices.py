"""Series cut in time: what is known up to a step, with or without rows for the steps to come."""

import numpy as np

from skrnn._data.forecast_pairs import SeriesValues, read_values


class TimeSlices:
    """Series in the form they were given in, to be cut at any step.

    Parameters
    ----------
    X : series
        As `fit` of a forecaster takes it: one series, a list, an array of them, or a panel.
    n_targets : int or None
        Number of columns, counted from the first, that are forecast; None for all.

    Attributes
    ----------
    targets : SeriesValues
        Their targets, up to the last that is known.
    lengths : ndarray of shape (n_series,), dtype=int64
        Steps of each up to the last known target.
    rows : list of ndarray of int, or None
        Which rows of X are the steps of each; None where its items are series.

    Raises
    ------
    TypeError, ValueError
        For what is no series, or whose steps are not in the order of time.
    """

    def __init__(self, X, n_targets):
        if not hasattr(X, "iloc") and getattr(X, "ndim", 1) > 1:
            X = list(np.asarray(X))
        self._X, self._k = X, n_targets
        given = read_values(_first_columns(X, n_targets), "X")
        self.rows = None if not given.single else [np.arange(len(X))]
        if given.ids is not None:
            codes = given.ids.get_indexer(X.index.get_level_values(0))
            order = np.argsort(codes, kind="stable")
            self.rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        self.lengths = np.array([_n_known(part) for part in given.parts])
        for i, index in enumerate(given.indexes):
            if index is not None and not index.is_monotonic_increasing:
                raise ValueError(
                    f"The steps of {given.called(i)} are not in the order of time: sort them "
                    "first, with sort_index()."
                )
        ends = self.lengths.tolist()
        self.targets = SeriesValues(
            [p[:end].reshape(end, -1) for p, end in zip(given.parts, ends, strict=True)],
            [None if x is None else x[:end] for x, end in zip(given.indexes, ends, strict=True)],
            given.columns, given.ids, given.single,
        )  # fmt: skip

        self._timeline = None
        indexes = self.targets.indexes
        if all(hasattr(index, "freq") for index in indexes):  # dates or periods
            first, *others = indexes
            self._timeline = (first.append(others) if others else first).unique().sort_values()

    def n_steps(self):
        """Return how many steps there are to count back: of all dates, or of each series.

        Returns
        -------
        ndarray of shape (1,) or (n_series,)
        """
        return self.lengths if self._timeline is None else np.array([len(self._timeline)])

    def count_back(self, n):
        """Find the cutoff n steps before the end: of all dates, or of each series without dates.

        Parameters
        ----------
        n : int
            Less than the steps there are.

        Returns
        -------
        stops : ndarray of shape (n_series,), dtype=int64
            Steps of each series up to the cutoff.
        label : object
            The cutoff; None without dates.
        """
        if self._timeline is None:
            return np.maximum(self.lengths - n, 0), None
        label = self._timeline[len(self._timeline) - n - 1]
        stops = [index.searchsorted(label, side="right") for index in self.targets.indexes]
        return np.array(stops), label

    def gaps(self, series, stops):
        """Return how many steps before a cutoff have no target: (n,), dtype=int64.

        What follows a cutoff is forecast from the last step known before it.
        """
        parts = (self.targets.parts[i][:stop] for i, stop in zip(series, stops, strict=True))
        return np.array([len(part) - (_n_known(part) or len(part)) for part in parts])

    def histories(self, series, stops, ahead):
        """Return some series up to a step, and rows for the steps to come without their targets.

        Parameters
        ----------
        series : ndarray of int
            Which ones.
        stops : ndarray of int
            Steps of each that are known.
        ahead : int
            Rows after them, where targets are NaN and all other columns as they are.

        Returns
        -------
        object
            In the form that was given; of arrays a list.
        """
        spans = list(zip(np.asarray(series).tolist(), np.asarray(stops).tolist(), strict=True))
        if self.targets.single:
            return self._cut_one(self._X, spans[0][1], ahead)
        if self.rows is None:
            return [self._cut_one(self._X[i], stop, ahead) for i, stop in spans]
        rows = np.concatenate([self.rows[i][: stop + ahead] for i, stop in spans])
        late = np.concatenate([np.arange(stop + ahead) >= stop for _, stop in spans])
        return self._without_targets(self._X.iloc[rows], late)

    def _cut_one(self, x, stop, ahead):
        late = np.arange(stop + ahead) >= stop
        if hasattr(x, "iloc"):
            return self._without_targets(x.iloc[: stop + ahead], late)
        part = np.array(x[: stop + ahead])  # of objects where there are strings
        part = part if part.dtype == object else part.astype(np.float64)
        part[(late, slice(None, self._k)) if part.ndim > 1 else late] = np.nan
        return part

    def _without_targets(self, part, late):
        if not late.any():
            return part
        part = part.copy()
        if part.ndim == 1:
            part = part.astype(np.float64)
            part.iloc[late] = np.nan
            return part
        for name in part.columns[: self._k]:
            part[name] = part[name].astype(np.float64).mask(late)
        return part


def _first_columns(X, k):
    if isinstance(X, (list, tuple)):
        return [x if np.ndim(x) < 2 else _first_columns(x, k) for x in X]
    if k is None or np.ndim(X) < 2:
        return X
    if hasattr(X, "iloc"):
        return X.iloc[:, :k]
    array = np.asarray(X)[:, :k]
    return array.astype(np.float64) if array.dtype == object else array


def _n_known(part):
    """Return the number of steps up to the last that has a target."""
    known = np.flatnonzero(~np.isnan(part.reshape(len(part), -1)).all(axis=1))  # any target
    return int(known[-1]) + 1 if len(known) else 0
