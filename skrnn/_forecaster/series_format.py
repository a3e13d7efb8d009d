"""The user's format of series: taken apart in `fit`, and given to forecasts."""

import re
from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.formats import is_column
from skrnn._data.numbers import is_date
from skrnn._data.sequences import Sequences, lengths_to_offsets
from skrnn._data.single_series import is_panel, unwrap
from skrnn._data.time_axis import TimeAxis, is_time, read_time_axis

FEW_STEPS = 10  # of a table that is no more than that wide, but long, rows are no series
_PANEL = (
    "Set an index of dates, X.set_index('ds'), for one series; or of two levels (series, time) for "
    "several: skrnn.preprocessing.to_panel(X, id='unique_id', time='ds') makes it of long columns. "
    "For one series per row pass an array, X.to_numpy()"
)


@dataclass(frozen=True)
class SeriesFormat:
    """Format of the series that the user passed.

    Attributes
    ----------
    kind : {'single', 'panel', 'list'}
    axis : TimeAxis or None
        Dates of all series.
    columns : list or None
        Names of the columns, targets first; None for a Series and for arrays.
    name : object
        Of a Series.
    ids : list or None
        Names of the series of a panel.
    id_name : object
        Of the level of the index that holds them.
    """

    kind: str
    axis: TimeAxis | None = None
    columns: list | None = None
    name: object = None
    ids: list | None = None
    id_name: object = None

    def index(self, horizons):
        """Return the index of so many steps after each series."""
        import pandas as pd

        if self.kind == "single":
            return self.axis.following(0, int(horizons[0]))
        found, parts = {}, []
        for i, n in enumerate(horizons.tolist()):
            key = int(self.axis.last[i]), n
            if key not in found:
                found[key] = self.axis.following(i, n)
            parts.append(found[key])
        dates = parts[0].append(parts[1:]) if len(parts) > 1 else parts[0]
        ids = pd.Index(self.ids).take(np.repeat(np.arange(len(parts)), horizons))
        return pd.MultiIndex.from_arrays([ids, dates], names=[self.id_name, self.axis.name])

    def wrap(self, values, horizons, labels=None):
        """Make a Series or DataFrame of forecasts.

        Parameters
        ----------
        values : ndarray of shape (n_series, horizon, n_targets) or (..., n_labels)
        horizons : ndarray of shape (n_series,)
        labels : list, default=None
            Names of the last axis, if there is one more: levels, 'lower' and 'upper', or numbers
            of paths.
        """
        import pandas as pd

        rows = np.arange(values.shape[1]) < horizons[:, np.newaxis]
        table, index = values[rows], self.index(horizons)
        k = values.shape[2]
        names = [self.name] if self.columns is None else self.columns[:k]
        if labels is not None:
            columns = pd.Index(labels) if k == 1 else pd.MultiIndex.from_product([names, labels])
            return pd.DataFrame(table.reshape(len(table), -1), index=index, columns=columns)
        if k == 1 and (self.columns is None or self.kind == "single"):
            return pd.Series(table[:, 0], index=index, name=names[0])
        return pd.DataFrame(table, index=index, columns=names)


def read_format(X, *, freq=None, fitted=None, rows=False):
    """Take series out of tables, and check their dates and column names.

    Parameters
    ----------
    X : series
    freq : str, default=None
        Of the dates; None takes that of the fitted series, or finds it.
    fitted : SeriesFormat, default=None
        What the fitted series looked like.
    rows : bool, default=False
        Whether a table without dates has one series per row.

    Returns
    -------
    X : list of ndarray, or X as it is
    format_ : SeriesFormat or None
        None for several series without dates.
    """
    axis = None if fitted is None else fitted.axis
    freq = freq or (None if axis is None or _kind(X) != axis.kind else axis.freq)
    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    if _is_list_of_dated(X):
        parts = [_in_order(x, fitted) for x in X]
        offsets = lengths_to_offsets([len(x) for x in X])
        index = X[0].index if len(X) == 1 else X[0].index.append([x.index for x in X[1:]])
        format_ = SeriesFormat("list", read_time_axis(index, offsets, range(len(X)), freq),
                            _columns(X[0], fitted))  # fmt: skip
        return parts, format_
    if is_panel(X):
        return _read_panel(X, freq, fitted)
    table = hasattr(X, "columns") and not is_column(X)
    if table and not (
        index is not None and hasattr(index, "freq") and index.dtype.kind not in "iu"
    ):
        if not rows:
            _refuse_table(X, index)
        return X, None
    items, is_single = unwrap(X)
    if not is_single:
        return X, None
    format_ = SeriesFormat("single", None, _columns(X, fitted), getattr(X, "name", None))
    if index is not None and is_time(index):
        format_ = replace(format_, axis=read_time_axis(index, np.array([0, len(X)]), ["X"], freq))
        items = [_in_order(X, fitted)]
    elif index is not None:
        _refuse_strings(index)
    return items, format_


def ends_with(format_, future):
    """Return a format whose dates end where targets do, before the rows of steps to come."""
    if format_ is None or format_.axis is None or not len(future.values):
        return format_
    return replace(format_, axis=format_.axis.moved(-future.lengths))


def places_of(fitted, format_):
    """Return which fitted series each series of a panel is."""
    place = {name: i for i, name in enumerate(fitted.ids)}
    if unknown := [name for name in format_.ids if name not in place]:
        raise ValueError(
            f"X has the series {unknown[0]!r}, which fit did not have. Forecast it by "
            "predict(X) with its history."
        )
    return [place[name] for name in format_.ids]


def in_order_of(fitted, at, new, future, format_):
    """Reorder the new steps of a panel like the fitted series.

    Parameters
    ----------
    fitted : SeriesFormat
    at : list of int
        As `places_of` finds them.
    new, future : Sequences
    format_ : SeriesFormat

    Returns
    -------
    new, future : Sequences
        Without steps where a series has none.
    format_ : SeriesFormat
    """
    parts = []
    for given in (new, future):
        found = [given.values[:0]] * len(fitted.ids)
        for i, values in zip(at, given.arrays(), strict=True):
            found[i] = values
        parts.append(Sequences.of(found))
    last = fitted.axis.last.copy()
    last[at] = format_.axis.last
    return *parts, replace(format_, axis=replace(format_.axis, last=last), ids=fitted.ids)


def check_goes_on(fitted, format_, n_new, n_future):
    """Raise unless the dates of new steps follow those of the fitted series.

    Parameters
    ----------
    fitted, format_ : SeriesFormat
        Of the fitted series, and of the new steps; None or without dates: nothing is checked.
    n_new, n_future : ndarray of shape (n_series,)
        New steps of each, and rows of steps to come behind them.
    """
    if format_ is None or format_.axis is None:
        return
    if format_.axis.kind != fitted.axis.kind:
        raise ValueError(
            f"X has an index of the kind {format_.axis.kind!r}, but fit had {fitted.axis.kind!r}. "
            "Convert the index."
        )
    expected, found = fitted.axis.moved(n_new + n_future), format_.axis
    wrong = (expected.last != found.last) & (n_new + n_future > 0)
    if wrong.any():
        i = int(wrong.argmax())
        name = "X" if fitted.ids is None and fitted.kind == "single" else f"series {i}"
        name = name if fitted.ids is None else f"series {fitted.ids[i]!r}"
        raise ValueError(
            f"{name} ends at {found.date(i)} after {n_new[i] + n_future[i]} step(s), but its "
            f"history has ended at {fitted.axis.date(i)}, so that they would end at "
            f"{expected.date(i)}. Pass the steps that follow the history, without those that are "
            "known already and without gaps."
        )


def _kind(X):
    """Return the kind of the dates of X, as `TimeAxis` names them."""
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    index = getattr(first, "index", None) if hasattr(first, "iloc") else None
    if index is None or len(index) == 0:
        return None
    if index.nlevels > 1:
        index = index.get_level_values(-1)
    if index.dtype.kind in "iu":
        return "integer"
    return {"DatetimeIndex": "datetime", "PeriodIndex": "period"}.get(type(index).__name__)


def _is_list_of_dated(X):
    return (
        isinstance(X, (list, tuple)) and len(X) > 0
        and all(hasattr(x, "iloc") and type(x.index) is type(X[0].index) for x in X)
        and _kind(X) in ("datetime", "period")
    )  # fmt: skip


def _columns(X, fitted=None):
    """Return the names of columns, in the order of `fit`."""
    if not hasattr(X, "columns"):
        return None
    return list(X.columns) if fitted is None or fitted.columns is None else fitted.columns


def _in_order(X, fitted):
    """Return the numbers of a table, its columns in the order of those of `fit`."""
    columns, expected = _columns(X), None if fitted is None else fitted.columns
    if columns is None or expected is None or columns == expected:
        return X.to_numpy()
    if lacking := [name for name in expected if name not in columns]:
        raise ValueError(f"X lacks the columns {lacking}, which fit had: it has {columns}.")
    if unknown := [name for name in columns if name not in expected]:
        raise ValueError(f"X has the columns {unknown}, which fit did not have. Leave them out.")
    return X[expected].to_numpy()


def _read_panel(X, freq, fitted):
    """Cut a table with an index of two levels into series."""
    import pandas as pd

    if X.index.nlevels != 2:
        raise ValueError(
            f"The index of X has {X.index.nlevels} levels; a panel has two, series and time. Make "
            "one level of those that name a series."
        )
    time = X.index.get_level_values(1)
    if not is_time(time):
        raise ValueError(
            "The second level of the index of X holds no dates, periods or integers. "
            "Convert it, for example with pandas.to_datetime, or use "
            "skrnn.preprocessing.to_panel."
        )
    codes, ids = pd.factorize(X.index.get_level_values(0))
    if len(codes) == 0 or (codes < 0).any():
        raise ValueError("The index of X lacks the name of a series, or X is empty.")
    order = np.argsort(codes, kind="stable")  # series stand together, their dates as they were
    offsets = lengths_to_offsets(np.bincount(codes))
    axis = read_time_axis(time[order], offsets, list(ids), freq)
    values = _in_order(X, fitted)[order]
    format_ = SeriesFormat("panel", axis, _columns(X, fitted), getattr(X, "name", None), list(ids),
                        X.index.names[0])  # fmt: skip
    return np.split(values, offsets[1:-1]), format_


def _refuse_table(X, index):
    """Raise for a table whose rows are more likely steps than series."""
    if index is not None:
        _refuse_strings(index)
    names = [str(name) for name in getattr(X, "column_names", X.columns)]
    numbers = [re.search(r"\d+$", name) for name in names]
    counted = all(numbers) and (np.diff([int(n[0]) for n in numbers]) > 0).all()
    n = X.shape[0]
    numeric = np.asarray(X[:1]).dtype.kind in "biufO" and not _holds_text(X)
    if not numeric or (n > 2 * len(names) and not counted and not _are_dates(names)):
        raise ValueError(
            f"X is a table of {n} rows and the columns {names[:5]} without an index of dates: its "
            f"rows may be steps or series. {_PANEL}."
        )
    if len(names) <= FEW_STEPS and n > 4 * len(names):
        raise ValueError(
            f"X is a long table of {n} rows and {len(names)} columns without an index of dates: "
            f"its rows may be steps or series. {_PANEL}."
        )


def _holds_text(X):
    """Tell whether the first row of a table has strings or dates: names and times of steps."""
    row = np.asarray(X[:1])
    cells = row.ravel().tolist() if row.dtype == object else []
    return any(isinstance(cell, str) or is_date(cell) for cell in cells)


def _refuse_strings(index):
    """Raise for dates that are strings."""
    names = [name for name in index[:50] if isinstance(name, str)]
    if names and _are_dates(names):
        raise ValueError(
            f"The index of X holds dates as strings ({names[0]!r}), whose order and distances are "
            "not known. Convert it first: X.index = pandas.to_datetime(X.index)."
        )


def _are_dates(names):
    return all(re.match(r"\d{4}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}", name) for name in names)
