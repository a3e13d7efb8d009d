"""The user's transformer of targets, in front of the scaling: applied to series, undone after.

It is increasing in each target, so that quantiles and sample paths go through its inverse as they
are. All else of a forecaster (differences, losses, errors held out) is in transformed units.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from skrnn._data.sequences import Sequences
from skrnn._forecaster.missing import Places

CHECKED_VALUES = 10_000  # of each target, evenly spaced in order
ROUND_TRIP = 1e-3  # of the range of values: an inverse that is further off is none
FEW_OFF = 0.05  # share of values that may be: outermost ones, which some transformers clip
BISECTIONS = 50  # as many digits as a number has
EDGE_BITS = 20  # so much nearer to the edge of a domain the inverse has nearly stopped to move
REMEDY = (
    "Use one that holds such values, for example PowerTransformer() or "
    "FunctionTransformer(numpy.log1p, numpy.expm1), or leave such values out"
)


class TransformedSeries(NamedTuple):
    """Series in transformed units, and what their transformers were fitted as."""

    known: Sequences
    y: np.ndarray | None
    fitted: Any  # of all series, or a list of one each; None: as they were
    where: Places | None = None  # what messages call the series

    def undo(self, values, axis):
        """Return values (n, ...) of targets along `axis` in the units of the series.

        Values below (or above) all that the transformer gives become the end of its domain, such
        as 0 for Box-Cox, where that is a number.

        Raises
        ------
        ValueError
            Where the inverse of a forecast is no finite number.
        """
        if self.fitted is None:
            return values
        last = np.array([part[-1] for part in self.known.arrays()])
        moved = np.moveaxis(values, axis, -1)
        n, k = len(moved), moved.shape[-1]
        last, size = last[:, :k], int(np.prod(moved.shape[1:-1]))
        found = np.empty((n, size, k))
        table = moved.reshape(n, size, k)
        if isinstance(self.fitted, list):
            for i, fitted in enumerate(self.fitted):
                found[i] = table[i] if fitted is None else _undone(fitted, table[i], last[i])
        else:
            found = _undone(self.fitted, table.reshape(-1, k), np.repeat(last, size, axis=0))
        found = np.moveaxis(found.reshape(moved.shape), -1, axis)
        wrong = ~np.isfinite(found) & ~np.isnan(values)
        if wrong.any():
            at = tuple(np.argwhere(wrong)[0])
            one = self.fitted[at[0]] if isinstance(self.fitted, list) else self.fitted
            raise ValueError(
                f"The forecast of {self.where.series(at[0])}, {at[axis - 1] + 1} step(s) ahead, is "
                f"{values[at]:g} in units of transformer={one!r}, whose inverse is not finite "
                "there. Use one that is defined everywhere, for example PowerTransformer() or "
                "FunctionTransformer(numpy.arcsinh, numpy.sinh), or ask for less coverage."
            )
        return found


class TargetTransformer(NamedTuple):
    """A transformer of targets.

    Attributes
    ----------
    transformer : transformer of scikit-learn, or None
        Fitted, unless each series has a clone of its own.
    own : bool
    n_targets : int
    """

    transformer: Any
    own: bool
    n_targets: int

    def apply(self, known, where, *, cuts=None, series=None, y=None, check=False):
        """Transform the targets of series.

        Parameters
        ----------
        known : Sequences
            As `read_series` gives them.
        where : Places
            What messages call series and steps.
        cuts : ndarray of shape (n_series,), default=None
            First steps that a transformer of a series' own is fitted to; 0 for all.
        series : ndarray of shape (n_series,), default=None
            Numbers of the series in messages; None counts.
        y : ndarray of shape (n_series, horizon, n_targets), default=None
            What followed each.
        check : bool, default=False
            Whether to check that each target is increasing and comes back.

        Returns
        -------
        TransformedSeries

        Raises
        ------
        ValueError
            For values that the transformer does not take; the message names series and step.
        """
        if self.transformer is None:
            return TransformedSeries(known, y, None)
        k = self.n_targets
        series = np.arange(len(known)) if series is None else series
        values, after = known.values.copy(), None if y is None else y.copy()
        gaps = filled(known.values, where.columns)
        fitted, parts = self.transformer, [slice(0, len(values))]
        if self.own:
            parts = [slice(*pair) for pair in zip(known.offsets, known.offsets[1:], strict=False)]
            fitted = []
        for i, part in enumerate(parts):
            place = _Place(where, series[i:], known.offsets[i:] - known.offsets[i])
            given, one = values[part, :k].copy(), fitted
            if self.own:
                rows = np.flatnonzero(~gaps[part][: (0 if cuts is None else cuts[i]) or None])
                one = None  # of a series without any change there is nothing to learn
                if (given[rows] != given[rows[:1]]).any():
                    one = fit_to(self.transformer, given, rows, place.step)
                fitted.append(one)
            if one is None:
                continue
            values[part, :k] = transform(one, given, place.step)
            if y is not None:
                of_y = slice(i, i + 1) if self.own else slice(None)
                found = transform(one, y[of_y].reshape(-1, k), partial(place.ahead, y.shape[1]))
                after[of_y] = found.reshape(after[of_y].shape)
            if check:
                check_increasing(one, given, values[part, :k])
        return TransformedSeries(Sequences(values, known.offsets), after, fitted, where)


class _Place:
    """What messages call rows of series, which begin at some offsets."""

    def __init__(self, where, series, offsets):
        self.where, self.series, self.offsets = where, series, offsets

    def step(self, row):
        i = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return f"{self.where.series(self.series[i])} at step {row - self.offsets[i]}"

    def ahead(self, horizon, row):
        return f"row {self.series[row // horizon]} of y (step {row % horizon + 1} ahead)"


def requires_fit(transformer):
    """Tell whether a transformer learns from data; one that does not is the same for all series."""
    return get_tags(transformer).requires_fit


def learn_transformer(transformer, known, where, *, own, weights, series):
    """Return the transformer of targets for training series.

    Parameters
    ----------
    transformer : transformer of scikit-learn, or None
    known : Sequences
        That are learned from.
    where : Places
    own : bool
        Whether scales are those of each series.
    weights : ndarray of shape (n_series,)
        Of weight 0 nothing is learned.
    series : ndarray of shape (n_series,)
        Their numbers in messages.

    Returns
    -------
    transformer of scikit-learn, or None
        As `TargetTransformer` has it.
    """
    if transformer is None or (own and requires_fit(transformer)):
        return None if transformer is None else clone(transformer)
    counted = np.repeat(weights > 0 if weights.any() else weights == 0, known.lengths)
    rows = np.flatnonzero(counted & ~filled(known.values, where.columns))
    place = _Place(where, series, known.offsets)
    return fit_to(transformer, known.values[:, : where.columns.n_targets], rows, place.step)


def filled(values, columns):
    """Tell which rows have a target that was missing."""
    if not columns.masked:
        return np.zeros(len(values), bool)
    return (values[:, -columns.n_targets :] > 0).any(axis=1)


def fit_to(transformer, values, rows, called):
    """Return a clone that is fitted to some rows of targets (n_steps, n_targets)."""
    try:
        with np.errstate(all="ignore"):
            return clone(transformer).fit(values[rows])
    except ValueError as error:
        raise _refused(transformer, values, called, error) from error


def transform(transformer, values, called):
    """Return transformed targets (n_rows, n_targets), all finite."""
    try:
        with np.errstate(all="ignore"):
            found = _table(transformer.transform(values), values.shape, transformer)
    except ValueError as error:
        raise _refused(transformer, values, called, error) from error
    wrong = ~np.isfinite(found)
    if wrong.any():
        row, j = np.argwhere(wrong)[0]
        raise ValueError(
            f"transformer={transformer!r} makes {found[row, j]:g} of {values[row, j]:g}, which "
            f"{called(row)} has. {REMEDY}."
        )
    return found


def _refused(transformer, values, called, error):
    row = int(np.argmin(values.min(axis=1)))
    return ValueError(
        f"transformer={transformer!r} does not take the targets: {error} The smallest value is "
        f"{values.min():g}, which {called(row)} has. {REMEDY}."
    )


def _table(found, shape, transformer):
    if hasattr(found, "toarray"):
        found = found.toarray()
    found = np.asarray(found, dtype=np.float64)
    if found.shape != shape:
        raise ValueError(
            f"transformer={transformer!r} makes an array of shape {found.shape} of targets of "
            f"shape {shape}, but a target must remain one column."
        )
    return found


def check_increasing(transformer, values, found):
    """Raise for a transformer that is not increasing in each target, or has no inverse.

    An increasing one of each column by itself turns sorted columns into its sorted output, which
    no other does.
    """
    order = np.sort(values, axis=0)
    step = max(1, len(order) // CHECKED_VALUES)
    order, expected = order[::step], np.sort(found, axis=0)[::step]
    with np.errstate(all="ignore"):
        made = _table(transformer.transform(order), order.shape, transformer)
        back = _table(transformer.inverse_transform(made), order.shape, transformer)
    scale = np.maximum(np.ptp(expected, axis=0), np.finfo(float).tiny)
    if not (np.abs(made - expected) <= 1e-6 * scale).all():
        raise ValueError(
            f"transformer={transformer!r} does not increase with each target by itself, so that "
            "quantiles of forecasts would not be those of the targets. Use one that does, for "
            "example with the opposite sign, or one per target (ColumnTransformer has no inverse: "
            "fit one forecaster per target instead)."
        )
    size = np.maximum(np.ptp(order, axis=0), np.abs(order).max(axis=0) * 1e-6)
    for j in range(order.shape[1]):
        distinct = np.append(True, np.diff(order[:, j]) > 0)
        off = ~(np.abs(back - order)[distinct, j] <= ROUND_TRIP * size[j])
        if off.mean() > FEW_OFF:
            at = np.flatnonzero(distinct)[np.argmax(off)]
            raise ValueError(
                f"transformer={transformer!r} has an inverse_transform that does not undo its "
                f"transform: {order[at, j]:g} comes back as {back[at, j]:g}. A FunctionTransformer "
                "needs its inverse_func, for example FunctionTransformer(numpy.log1p, numpy.expm1)."
            )


def _undone(transformer, table, last):
    """Return the inverse of a table (n_rows, n_targets), NaN where that is or none is near.

    `last` are transformed values of the same series, of which the inverse is known.
    """
    last = np.broadcast_to(last, table.shape)
    unknown = np.isnan(table)
    found = _inverse(transformer, np.where(unknown, last, table))
    wrong = ~np.isfinite(found) & ~unknown
    if wrong.any():
        found[wrong] = _at_edge(transformer, table, last, np.argwhere(wrong))
    found[unknown] = np.nan
    return found


def _inverse(transformer, table):
    with np.errstate(all="ignore"):
        return _table(transformer.inverse_transform(table), table.shape, transformer).copy()


def _at_edge(transformer, table, last, places):
    """Return the values at the end of the domain, beyond which there is no inverse.

    NaN where they grow without bound towards it.
    """
    rows, columns = places.T
    steps = np.arange(len(rows))

    def inverse(share):
        there = last[rows].copy()
        there[steps, columns] += share * (table[rows, columns] - last[rows, columns])
        return _inverse(transformer, there)[steps, columns]

    inside, outside = np.zeros(len(rows)), np.ones(len(rows))
    for bit in range(BISECTIONS):
        if bit == EDGE_BITS:
            near = inverse(inside)
        middle = (inside + outside) / 2
        fits = np.isfinite(inverse(middle))
        inside, outside = np.where(fits, middle, inside), np.where(fits, outside, middle)
    found, start = inverse(inside), inverse(np.zeros(len(rows)))
    return np.where(np.abs(found - near) <= 0.1 * np.abs(found - start), found, np.nan)
