"""Rows of steps to come: which series and dates they are of, and the covariates known there."""

import numpy as np

from skrnn._data.numbers import is_missing
from skrnn._data.sequences import Sequences
from skrnn._data.single_series import is_panel
from skrnn._forecaster.columns import number_categories, with_plain_dates

_INDEX = "Make them for the dates of future_index, for example pandas.DataFrame(..., index=...)"


def read_future(columns, X, format_, n_series, horizon):
    """Read `X_future`, the rows of future steps.

    Parameters
    ----------
    columns : Columns
    X : DataFrame, array, or list of one per series
    format_ : SeriesFormat or None
        Of the histories: dates end where they do.
    n_series : int
        Number of histories.
    horizon : int or None
        Steps to be forecast; None for as many as there are rows.

    Returns
    -------
    Sequences
        Covariates, as `Columns.encode_ahead` makes them.

    Raises
    ------
    ValueError, TypeError
        For rows that lack, are not wanted, or are of other dates or series than those that follow,
        for columns that lack or are not known, and for covariates that are missing.
    """
    if not columns.ahead:
        raise ValueError(
            "X_future has covariates of steps to come, but the forecaster reads none: all columns "
            "are targets, or named in past_covariates or static_covariates. Leave X_future out."
        )
    dated = format_ is not None and format_.axis is not None
    ids = None if format_ is None else format_.ids
    parts = []
    tables = _by_series(X, format_, n_series)
    names = [f"series {i if ids is None else repr(ids[i])}" for i in range(n_series)]
    counts = [len(table) for table in tables]
    if horizon is None and min(counts) != max(counts):
        fewest, most = (names[counts.index(pick(counts))] for pick in (min, max))
        raise ValueError(
            f"X_future has {min(counts)} rows for {fewest} and {max(counts)} for {most}. Give all "
            "series the same number; for different horizons, append the rows to X, with NaN in "
            "place of the targets."
        )
    for i, (table, called) in enumerate(zip(tables, names, strict=True)):
        _check_length(table, called, horizon)
        if dated and hasattr(table, "iloc"):
            _check_dates(table.index, format_.axis.following(i, len(table)), called)
        if table.ndim == 1:  # a Series, or an array of one covariate
            table = table.to_frame() if hasattr(table, "iloc") else table[:, np.newaxis]
        rows = _numbers(columns, table, called)
        if (wrong := np.argwhere(~np.isfinite(rows[:, columns.ahead]))).size:
            t, j = wrong[0]
            at = table.index[t] if hasattr(table, "iloc") else f"step {t}"
            name = columns.called(columns.ahead[j])
            what = "NaN" if np.isnan(rows[t, columns.ahead[j]]) else "infinity"
            raise ValueError(
                f"X_future contains {what}.\n{called} has it at {at} ({name}): covariates that are "
                "known in advance must be known there. Fill it, or fit with the column named in "
                "past_covariates."
            )
        parts.append(columns.encode_ahead(rows))
    return Sequences.of(parts)


def _by_series(X, format_, n_series):
    """Return the rows of each history, in their order."""
    ids, X = None if format_ is None else format_.ids, with_plain_dates(X)
    if is_panel(X):
        import pandas as pd

        if ids is None:
            raise ValueError(
                "X_future is a panel, whose index has two levels, but the histories are no panel. "
                "Pass one table for one series, or a list with one table per series."
            )
        names = X.index.get_level_values(0)
        if unknown := [name for name in dict.fromkeys(names) if name not in set(ids)]:
            raise ValueError(
                f"X_future has rows of the series {unknown[0]!r}, which is not to be forecast. "
                "Leave them out."
            )
        codes = pd.Index(ids).get_indexer(names)
        order = np.argsort(codes, kind="stable")
        borders = np.searchsorted(codes[order], np.arange(len(ids) + 1))
        found = {name: order[borders[i] : borders[i + 1]] for i, name in enumerate(ids)}
        if lacking := [name for name in ids if len(found[name]) == 0]:
            raise ValueError(f"X_future lacks the rows of series {lacking[0]!r}. {_INDEX}.")
        dates = X.index.get_level_values(1)
        return [X.iloc[found[name]].set_axis(dates[found[name]], axis=0) for name in ids]
    if isinstance(X, dict) or np.ndim(X) == 0:
        raise TypeError(
            f"X_future is of type {type(X).__name__}; it must be a DataFrame, an array, or a list "
            f"of one per series. {_INDEX}."
        )
    single = format_ is not None and format_.kind == "single"
    if hasattr(X, "columns") or hasattr(X, "iloc"):
        tables = [X]
    elif isinstance(X, (list, tuple)) and (not single or any(hasattr(x, "columns") for x in X)):
        tables = [x if hasattr(x, "iloc") else np.asarray(x) for x in X]
    else:
        X = np.asarray(X)
        tables = [X] if single or (n_series == 1 and X.ndim < 3) else list(X)
    if ids is not None and hasattr(X, "iloc"):
        raise ValueError(
            "X_future has rows of one series, but the histories are a panel. Give it an index of "
            f"two levels, series and time. {_INDEX}."
        )
    if len(tables) != n_series:
        raise ValueError(
            f"X_future has rows of {len(tables)} series, but {n_series} are to be forecast."
        )
    if wrong := [table for table in tables if getattr(table, "ndim", 2) not in (1, 2)]:
        raise ValueError(
            f"X_future has an item of shape {wrong[0].shape}: rows of steps to come have shape "
            "(n_timesteps, n_columns)."
        )
    return [table if hasattr(table, "ndim") else table.to_pandas() for table in tables]


def _check_length(table, called, horizon):
    if len(table) == 0 or (horizon is not None and len(table) < horizon):
        raise ValueError(
            f"X_future has {len(table)} row(s) of {called}, but a forecast of "
            f"{horizon or 'one or more'} step(s) needs one row per step. {_INDEX}."
        )
    if horizon is not None and len(table) > horizon:
        raise ValueError(
            f"X_future has {len(table)} rows of {called}, but horizon={horizon}. Shorten "
            "X_future, or leave horizon out to forecast all of its steps."
        )


def _check_dates(found, expected, called):
    """Raise where the dates of rows are not those that follow the history."""
    if type(found) is not type(expected) and not (
        found.dtype.kind in "iu" and expected.dtype.kind in "iu"
    ):
        raise ValueError(
            f"X_future has a {type(found).__name__} of {called}, but its history has dates of the "
            f"kind of {type(expected).__name__}. {_INDEX}."
        )
    if getattr(found, "tz", None) is not getattr(expected, "tz", None) and (
        str(found.tz) != str(expected.tz)
    ):
        raise ValueError(
            f"The dates of X_future have the time zone {found.tz} for {called}, but its history "
            f"has {expected.tz}. {_INDEX}."
        )
    wrong = np.asarray(found != expected)
    if not wrong.any():
        return
    t = int(wrong.argmax())
    if t == 0 and found[0] < expected[0]:
        raise ValueError(
            f"X_future begins at {found[0]} for {called}, which is known already: its history ends "
            f"before {expected[0]}. Leave out the rows before that."
        )
    raise ValueError(
        f"X_future has {found[t]} for {called} where {expected[t]} is expected. Its rows must be "
        f"the steps that follow the history, in order and without gaps. {_INDEX}."
    )


def _numbers(columns, table, called):
    """Return rows as X has them: (n_steps, width), NaN in columns that are not known in advance."""
    ahead, names = columns.ahead, columns.names
    if hasattr(table, "columns") and names is not None:
        given = list(table.columns)
        if lacking := [names[j] for j in ahead if names[j] not in given]:
            raise ValueError(
                f"X_future lacks the columns {lacking}, which are known in advance: it has {given}."
            )
        if unknown := [name for name in given if name not in names]:
            raise ValueError(
                f"X_future has the columns {unknown}, which fit did not have. Leave them out."
            )
        table = table.reindex(columns=names)
    else:
        values = np.asarray(table)
        if values.shape[1] not in (len(ahead), columns.width):
            raise ValueError(
                f"X_future has {values.shape[1]} column(s) of {called}, but {len(ahead)} are known "
                f"beforehand (of {columns.width} in X)."
            )
        if values.shape[1] < columns.width:
            whole = np.full((len(values), columns.width), np.nan, object)
            whole[:, ahead] = values
            values = whole
        table = values
    table = number_categories(columns, table, f"X_future of {called} ")
    rows = np.full((len(table), columns.width), np.nan)
    for j in ahead:
        column = table.iloc[:, j] if hasattr(table, "iloc") else table[:, j]
        try:
            rows[:, j] = np.asarray(column, dtype=np.float64)
        except (TypeError, ValueError):
            wrong = next(x for x in column if not is_missing(x) and not _is_number(x))
            raise TypeError(
                f"X_future of {called} has {wrong!r} in {columns.called(j)}, which is not a number."
            ) from None
    return rows


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
