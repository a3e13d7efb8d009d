"""The door for what metrics of forecasts compare: true values, forecasts, and histories."""

from dataclasses import dataclass, replace
from numbers import Number

import numpy as np

from skrnn._data.formats import refuse_masked
from skrnn._data.numbers import is_missing, read_numbers

_FORMS = (
    "a 1-D array for one series, a 2-D array with one series per row, a list of series, a Series "
    "or DataFrame with dates as its index, or a panel, whose index has two levels (series, time)"
)


@dataclass(frozen=True)
class SeriesValues:
    """Values of series, as they were given.

    Attributes
    ----------
    parts : list of ndarray of shape (n_timesteps, ...), dtype=float64
    indexes : list of Index or None
        The labels of the steps of each series, where pandas gave them.
    columns : list of (list or None)
        The names of the columns of each series that is a DataFrame.
    ids : Index or None
        The series of a panel.
    single : bool
        Whether one series was given, not a collection.
    """

    parts: list
    indexes: list
    columns: list
    ids: object
    single: bool

    def called(self, i):
        """Return what a message calls series i."""
        return f"series {i if self.ids is None else repr(self.ids[i])}"


@dataclass(frozen=True)
class ForecastPairs:
    """True values and forecasts of series, step by step.

    Attributes
    ----------
    true : list of ndarray of shape (n_timesteps, n_targets)
        NaN where a step is not scored.
    pred : list of ndarray of shape (n_timesteps, n_targets, ...)
        Forecasts, with a last axis for quantiles or samples where they were asked for.
    given : SeriesValues
        The true values as they were given.
    """

    true: list
    pred: list
    given: SeriesValues

    @property
    def n_targets(self):
        """Number of columns that are forecast."""
        return self.true[0].shape[1]


def read_forecast_pairs(y_true, y_pred, *, inner=None, name="y_pred"):
    """Return true values and forecasts; those of pandas are matched by their labels.

    Parameters
    ----------
    y_true : series
        One of the forms of `_FORMS`; NaN is not scored.
    y_pred : series
        The same, with one more axis at the end where `inner` is given; of a DataFrame, columns.
    inner : str, default=None
        What lies along the last axis of forecasts: "quantiles", "samples", "bounds".
    name : str, default="y_pred"
        What messages call `y_pred`.

    Returns
    -------
    ForecastPairs

    Raises
    ------
    TypeError, ValueError
        Where the two do not fit, naming the series and the step.
    """
    true = read_values(y_true, "y_true")
    widths = {part[:1].size for part in true.parts if len(part)} or {1}
    if len(widths) > 1 or {part.ndim for part in true.parts} > {1, 2}:
        raise ValueError(
            f"The series of y_true have {min(widths)} and {max(widths)} columns: give each the "
            "same targets."
        )
    pred = read_values(y_pred, name, single=true.single if inner else None)
    pred = _in_order(true, pred, name)
    (k,) = widths
    whole = replace(true, parts=[part.reshape(len(part), k) for part in true.parts])
    parts = [_fit_forecast(whole, pred, i, inner, name, true) for i in range(len(true.parts))]
    widths = {part.shape[2] for part in parts if inner}
    if len(widths) > 1:
        raise ValueError(f"The series of {name} have {min(widths)} and {max(widths)} {inner}.")
    _check_finite(whole, parts, name)
    return ForecastPairs(whole.parts, parts, true)


def read_histories(y_train, pairs):
    """Return the histories that came before the true values, in their order.

    Parameters
    ----------
    y_train : series
        In a form of `_FORMS`. A panel may hold more series.
    pairs : ForecastPairs

    Returns
    -------
    list of ndarray of shape (n_timesteps, n_targets)

    Raises
    ------
    TypeError, ValueError
        Where they do not fit, naming the series.
    """
    given = pairs.given
    train = _in_order(given, read_values(y_train, "y_train"), "y_train", more=True)
    parts = []
    for i, part in enumerate(train.parts):
        index, truth = train.indexes[i], given.indexes[i]
        if index is not None and truth is not None and len(index) and len(truth):
            _check_before(index, truth, given.called(i))
        part = _by_column(part, train.columns[i], given.columns[i], "y_train", given.called(i))
        part = part.reshape(len(part), -1)
        if part.shape[1] != pairs.n_targets:
            raise ValueError(
                f"y_train has {part.shape[1]} column(s) for {given.called(i)}, but y_true has "
                f"{pairs.n_targets}: leave covariates out of it."
            )
        if np.isinf(part).any():
            raise ValueError(f"y_train of {given.called(i)} has an infinite value.")
        parts.append(part)
    return parts


def read_values(y, name, *, single=None):
    """Return the values of one series or of several.

    Parameters
    ----------
    y : series
        In a form of `_FORMS`.
    name : str
        What messages call it.
    single : bool, default=None
        Whether y is one series, where its form could mean two things and that is known.

    Returns
    -------
    SeriesValues
    """
    refuse_masked(y, name)
    if isinstance(y, (str, bytes, dict, set)) or not (hasattr(y, "__len__") and len(y)):
        raise TypeError(f"{name} must be {_FORMS}; got {y!r:.60}.")
    if hasattr(y, "iloc"):
        if y.index.nlevels == 2:
            return _read_panel(y, name)
        if y.index.nlevels > 2:
            raise ValueError(
                f"The index of {name} has {y.index.nlevels} levels; a panel has two: the series, "
                "then the time."
            )
        if y.ndim == 1 and not _holds_sequences(y):
            return _one(y, name)
        if y.ndim == 2:
            if single or hasattr(y.index, "freq") or y.shape[1] == 1:
                return _one(y, name)
            raise ValueError(
                f"{name} is a DataFrame whose index is neither of dates nor of two levels: its "
                "rows may be series or steps. Pass y.to_numpy() for one series per row, or set "
                "the index: dates for one series, (series, time) for several."
            )
        y = list(y)
    elif hasattr(y, "columns"):
        raise TypeError(
            f"{name} is a {type(y).__module__.partition('.')[0]} table, whose rows have no index. "
            "Pass arrays, or a pandas DataFrame with dates, or with series and time, as its index."
        )
    if not isinstance(y, (list, tuple)):
        y = np.asarray(y)
        if y.dtype != object:
            if single or (y.ndim == 1 and single is None):
                return _one(y, name)
        elif y.ndim == 1 and not _holds_sequences(y):
            return _one(y, name)
    elif all(isinstance(item, (Number, np.generic)) or is_missing(item) for item in y) or single:
        return _one(np.asarray(y, dtype=None if single else object), name)
    given = [_one(item, f"{name}[{i}]") for i, item in enumerate(y)]
    names = ("parts", "indexes", "columns")
    return SeriesValues(*([getattr(one, name)[0] for one in given] for name in names), None, False)


def _holds_sequences(y):
    return any(hasattr(item, "__len__") and not isinstance(item, str) for item in y)


def _one(y, name):
    """Read one series, with the labels of its steps where it has them."""
    index = y.index if hasattr(y, "iloc") else None
    columns = list(y.columns) if hasattr(y, "columns") else None
    if index is not None and not index.is_unique:
        raise ValueError(f"{name} has the step {index[index.duplicated()][0]} twice.")
    if np.ndim(y) == 0:
        raise TypeError(f"{name} is {y!r:.60}, which is not a series. Pass {_FORMS}.")
    values = read_numbers(y, name, "step").astype(np.float64)
    return SeriesValues([values], [index], [columns], None, True)


def _read_panel(y, name):
    ids = y.index.get_level_values(0).unique()
    parts, indexes = [], []
    codes = ids.get_indexer(y.index.get_level_values(0))
    times = y.index.get_level_values(1)
    values = read_numbers(y, name, "row").astype(np.float64)
    order = np.argsort(codes, kind="stable")
    stops = np.cumsum(np.bincount(codes, minlength=len(ids)))
    for i, rows in enumerate(np.split(order, stops[:-1])):
        index = times[rows]
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise ValueError(f"{name} has the step {twice} of series {ids[i]!r} twice.")
        parts.append(values[rows])
        indexes.append(index)
    columns = [list(y.columns) if y.ndim == 2 else None] * len(ids)
    return SeriesValues(parts, indexes, columns, ids, False)


def _in_order(true, other, name, *, more=False):
    """Return the other series in the order of the true ones."""
    if (true.ids is None) != (other.ids is None):
        which = name if true.ids is None else "y_true"
        raise ValueError(
            f"{which} is a panel, with a name per series, and the other is not: pass both as "
            "panels, so that series are matched by name."
        )
    if true.ids is None:
        if len(other.parts) != len(true.parts):
            raise ValueError(
                f"y_true has {len(true.parts)} series and {name} has {len(other.parts)}."
            )
        return other
    at = other.ids.get_indexer(true.ids)
    if (at < 0).any():
        raise ValueError(f"{name} has no series {true.ids[at < 0][0]!r}, which y_true has.")
    if not more and len(other.ids) > len(true.ids):
        extra = other.ids[~other.ids.isin(true.ids)][0]
        raise ValueError(f"y_true has no series {extra!r}, which {name} has.")
    picked = ([part[i] for i in at] for part in (other.parts, other.indexes, other.columns))
    return SeriesValues(*picked, true.ids, other.single)


def _fit_forecast(true, pred, i, inner, name, given):
    """Return the forecasts of series i under the labels of its true values."""
    part, index, labels = pred.parts[i], pred.indexes[i], true.indexes[i]
    called = given.called(i)
    if index is not None and labels is not None:
        at = index.get_indexer(labels)
        if (at < 0).any():
            raise ValueError(
                f"{name} of {called} has no forecast for {labels[at < 0][0]}, which y_true has. "
                "Give both the same index."
            )
        if len(index) > len(labels):
            extra = index[~index.isin(labels)][0]
            raise ValueError(
                f"{name} of {called} has a forecast for {extra}, which y_true does not have. Give "
                "both the same index, with NaN in y_true for steps that are not scored."
            )
        part = part[at]
    elif len(part) != len(true.parts[i]):
        raise ValueError(
            f"{called} has {len(true.parts[i])} step(s) in y_true but {len(part)} in {name}."
        )
    k = true.parts[i].shape[1]
    if inner is None:
        part = _by_column(part, pred.columns[i], true.columns[i], name, called)
        if part.size != true.parts[i].size:
            raise ValueError(
                f"{name} of {called} has shape {part.shape}, but y_true has {k} column(s)."
            )
        return part.reshape(len(part), k)
    framed = pred.columns[i] is not None and k > 1
    if framed:
        targets = [column[0] for column in pred.columns[i] if isinstance(column, tuple)]
        expected = np.repeat(np.array(true.columns[i] or [None], dtype=object), len(targets) // k)
        if list(expected) != targets:
            raise ValueError(
                f"The columns of {name} must have two levels, the targets of y_true in its order "
                f"and the {inner} of each; or pass an array with the {inner} on its last axis."
            )
    elif part.ndim != given.parts[i].ndim + 1 and not (k == 1 and part.ndim in (2, 3)):
        raise ValueError(
            f"{name} of {called} has shape {part.shape}: it needs that of y_true, "
            f"{given.parts[i].shape}, and the {inner} on one more axis at the end."
        )
    return part.reshape(len(part), k, -1)


def _by_column(part, columns, expected, name, called):
    """Return columns in the order of the true ones, where both have names and several of them."""
    if columns is None or expected is None or len(expected) == 1 == len(columns):
        return part
    if missing := [column for column in expected if column not in columns]:
        raise ValueError(f"{name} of {called} has no column {missing[0]!r}, which y_true has.")
    if name != "y_train" and len(columns) > len(expected):
        raise ValueError(f"{name} of {called} has the columns {columns}, y_true has {expected}.")
    return part[:, [columns.index(column) for column in expected]]


def _check_before(index, truth, called):
    try:
        overlap = index.max() >= truth.min()
    except TypeError:  # labels that have no order say nothing of time
        return
    if overlap:
        raise ValueError(
            f"y_train of {called} reaches {index.max()}, but y_true begins at {truth.min()}: the "
            "scale is that of what came before the forecast. Cut y_train there."
        )


def _check_finite(true, parts, name):
    for i, part in enumerate(parts):
        if (wrong := np.isinf(true.parts[i]).any(axis=1)).any():
            step = _step(true, i, wrong)
            raise ValueError(f"y_true of {true.called(i)} is infinite at step {step}.")
        unknown = ~np.isfinite(part).reshape(*true.parts[i].shape, -1).all(axis=2)
        if (wrong := (unknown & ~np.isnan(true.parts[i])).any(axis=1)).any():
            raise ValueError(
                f"{name} of {true.called(i)} is not finite at step {_step(true, i, wrong)}, whose "
                "true value is known. Set the true value to NaN if the step is not to be scored."
            )


def _step(true, i, wrong):
    step = int(np.argmax(wrong))
    return step if true.indexes[i] is None else true.indexes[i][step]
