"""Missing values of series: what messages say of them, and what stands in their place."""

import numpy as np

from skrnn._data.sequences import locate


class Places:
    """Names of series, rows and columns for error messages about missing values.

    Parameters
    ----------
    columns : Columns
    format_ : SeriesFormat or None
        Of X, with dates if it had some.
    offsets : ndarray of shape (n_series + 1,)
        Of the rows of X.
    """

    def __init__(self, columns, format_, offsets):
        self.columns, self.format_, self.offsets = columns, format_, offsets

    def series(self, i):
        """Return what a message calls a series."""
        ids = None if self.format_ is None else self.format_.ids
        return f"series {i if ids is None else repr(ids[i])}"

    def step(self, row):
        """Return what a message calls a step of a series, which is a row of X."""
        i, t = locate(self.offsets, row)
        return f"{self.series(i)} at step {t}"

    def refuse_missing(self, row, column, to_come):
        """Raise for a value that must not be missing."""
        i, t = locate(self.offsets, row)
        place = f"step {t}"
        axis = None if self.format_ is None else self.format_.axis
        if axis is not None and axis.freq is not None:
            n_after = int(self.offsets[i + 1] - self.offsets[i]) - 1 - t
            counts = np.zeros(len(self.offsets) - 1, int)
            counts[i] = -n_after
            place += f", {axis.moved(counts).date(i)}"
        found = (
            f"Input X contains NaN.\n{self.series(i)} has NaN at {place} "
            f"({self.columns.called(column)})"
        )
        if to_come[row]:
            raise ValueError(
                f"{found}, which is to be forecast: covariates that are known in advance must be "
                "known there. Fill them, or name the column in past_covariates."
            )
        raise ValueError(
            f"{found}. Set missing='mask', so that the network is told of it, or impute it first, "
            "for example with x.interpolate(limit_area='inside') of each series. Only targets at "
            "the end of a series, which are to be forecast, may be NaN."
        )

    def refuse_empty(self, i, place):
        """Raise for a series that has no value of a column at all."""
        layout = self.columns.layout
        raise ValueError(
            f"{self.series(i)} has no value at all in {self.columns.called(layout[place][0])}. "
            "Fill it, or leave the series or the column out."
        )

    def spread_static(self, values, gaps):
        """Give all steps of a series its static values, in place; refuse those that change."""
        for i in range(len(self.offsets) - 1):
            rows = slice(self.offsets[i], self.offsets[i + 1])
            for j in self.columns.static:
                known = values[rows, j][~gaps[rows, j]]
                if len(known) == 0:
                    continue
                if (known != known[0]).any():
                    t = int(np.flatnonzero(~gaps[rows, j])[np.argmax(known != known[0])])
                    raise ValueError(
                        f"{self.series(i)} has another value in {self.columns.called(j)} at step "
                        f"{t} than before, but the column is named in static_covariates. Name it "
                        "in past_covariates, or in neither if it is known for the steps to come."
                    )
                values[rows, j], gaps[rows, j] = known[0], False


def fill_gaps(values, n_targets, season=0):
    """Fill missing values of a series in place, by the last known value or that a season before.

    Either way the network, which reads changes, reads none. Before the first value that one stands.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_columns)
    n_targets : int
    season : int, default=0
        Steps of a season, for targets whose changes are those from season to season.
    """
    gaps = np.isnan(values)
    for j in np.flatnonzero(gaps.any(axis=0)):
        missing, known = np.flatnonzero(gaps[:, j]), np.flatnonzero(~gaps[:, j])
        if len(known) == 0:
            continue
        last = np.maximum(np.searchsorted(known, missing) - 1, 0)
        values[missing, j] = values[known[last], j]
        if season and j < n_targets:
            for t in missing[missing >= season]:
                values[t, j] = values[t - season, j]
