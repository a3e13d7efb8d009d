"""Kinds of columns: targets, covariates of the future, the past or the series, and categories.

Users' columns become those that a network reads, in this order:

- targets;
- covariates known in advance, which are read for the steps to come;
- the rest, which is read at its own step alone: covariates of the past, those that stay as they are
  (static), and with `missing='mask'` indicators of what was missing.

A categorical column becomes one column per category, 1 where a step has it and 0 elsewhere. What
these columns add to the gates is a learned vector per category, an embedding as wide as the gates.
"""

import operator
from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.formats import is_column
from skrnn._data.numbers import is_missing
from skrnn._data.single_series import is_panel
from skrnn._data.time_axis import plain_dates

MOST_CATEGORIES = 255  # of one column, each of which the network reads as a column
FEW_NAMES = 8  # that a message lists


@dataclass(frozen=True)
class Columns:
    """Kinds, widths and categories of the columns of series.

    Attributes
    ----------
    width : int
        Number of columns of X.
    n_targets : int
        The first columns, which are forecast.
    names : list or None
        Names of the columns of tables.
    past, static : tuple of int
        Columns that are read up to the last known step alone, and that are the same at all steps.
    categories : dict of {int: list}
        Categories of columns that have some.
    masked : bool
        Whether values of the history may be missing.
    """

    width: int
    n_targets: int
    names: list | None = None
    past: tuple = ()
    static: tuple = ()
    categories: dict | None = None
    masked: bool = False

    def of_width(self, width, n_targets):
        """Return these columns where X has so many; n_targets may be None, which is all."""
        if n_targets is not None and n_targets > width:
            raise ValueError(f"n_targets={n_targets}, but a step of X has only {width} feature(s).")
        return replace(self, width=width, n_targets=width if n_targets is None else n_targets)

    @property
    def ahead(self):
        """Columns that are known in advance."""
        own = {*self.past, *self.static}
        return [j for j in range(self.n_targets, self.width) if j not in own]

    @property
    def layout(self):
        """Column of X, and number of its category or None, of each column that is made of X."""
        found = [(j, None) for j in range(self.n_targets)]
        for j in (*self.ahead, *self.past, *self.static):
            n = None if j not in self._categories else len(self._categories[j])
            found += [(j, None)] if n is None else [(j, category) for category in range(n)]
        return found

    @property
    def _categories(self):
        return self.categories or {}

    @property
    def indicated(self):
        """Places in `layout` whose missing values have an indicator, targets last."""
        if not self.masked:
            return []
        numbers = [i for i, (j, n) in enumerate(self.layout) if j in self.past and n is None]
        return [*numbers, *range(self.n_targets)]

    @property
    def n_covariates(self):
        """Number of columns read for the steps to come."""
        ahead = set(self.ahead)
        return sum(j in ahead for j, _ in self.layout)

    @property
    def n_past(self):
        """Number of columns read at their own step alone."""
        return len(self.layout) - self.n_targets - self.n_covariates + len(self.indicated)

    @property
    def is_plain(self):
        """Whether the network reads X as it is."""
        return not (self.past or self.static or self._categories or self.masked)

    @property
    def keeps_order(self):
        """Whether the columns that are read are those of X, in their order."""
        return not self.masked and self.layout == [(j, None) for j in range(self.width)]

    @property
    def are_flags(self):
        """Which columns of those read are 0 or 1: (n_targets + n_covariates + n_past,)."""
        flags = [n is not None for _, n in self.layout] + [True] * len(self.indicated)
        return np.array(flags, bool)

    def called(self, j):
        """Return what a message calls a column."""
        return f"feature {j}" if self.names is None else f"column {self.names[j]!r}"

    def encode(self, values):
        """Encode rows of X as the columns that the network reads, with NaN for missing values.

        Parameters
        ----------
        values : ndarray of shape (n_steps, width)
            Categories by their numbers.

        Returns
        -------
        ndarray of shape (n_steps, n_targets + n_covariates + n_past)
        """
        if self.is_plain or self.keeps_order:
            return values
        layout, indicated = self.layout, self.indicated
        found = np.empty((len(values), len(layout) + len(indicated)))
        for i, (j, category) in enumerate(layout):
            found[:, i] = values[:, j]
            if category is not None:
                known = ~np.isnan(found[:, i])
                found[known, i] = found[known, i] == category
        for i, place in enumerate(indicated):
            found[:, len(layout) + i] = np.isnan(found[:, place])
        return found

    def encode_ahead(self, values):
        """Make covariates of steps to come of rows of X: (n_steps, n_covariates)."""
        if self.is_plain:
            return values[:, self.n_targets :]
        k = self.n_targets
        return self.encode(values)[:, k : k + self.n_covariates]

    def decode(self, values):
        """Return rows of X that `encode` makes such columns of; missing targets are NaN."""
        if self.is_plain:
            return values
        names = (name for found in self._categories.values() for name in found)
        has_strings = any(isinstance(name, str) for name in names)
        rows = np.full((len(values), self.width), np.nan, object if has_strings else np.float64)
        for i, (j, category) in enumerate(self.layout[: values.shape[1]]):
            if category is None:
                rows[:, j] = values[:, i]
            else:
                rows[values[:, i] == 1, j] = self._categories[j][category]
        if self.masked and values.shape[1] > len(self.layout):
            k = self.n_targets
            missing = values[:, -k:] > 0
            # At the end NaN would say that the step is to be forecast: there the last value stays.
            missing[np.flatnonzero(~missing.all(axis=1))[-1] + 1 :] = False
            rows[:, :k][missing] = np.nan
        return rows


def read_columns(estimator, X):
    """Determine the kind of each column of the training series from the parameters and X.

    Parameters
    ----------
    estimator : LSTMForecaster
    X : series

    Returns
    -------
    Columns

    Raises
    ------
    ValueError
        If a column is missing in X, or is named for two purposes.
    """
    tables = _tables(X)
    first = tables[0] if tables else None
    names = None if first is None else _names(first)
    if names is not None and len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"X has {names.count(name)} columns called {name!r}, but later calls match columns by "
            "name. Rename or leave out all but one of them."
        )
    k, declared_categories = estimator.n_targets, estimator.categorical_covariates
    declared = {"past_covariates": estimator.past_covariates,
                "static_covariates": estimator.static_covariates}  # fmt: skip
    by_type = isinstance(declared_categories, str) and declared_categories == "from_dtype"
    if not by_type:
        declared["categorical_covariates"] = declared_categories
    named = any(_listed(given) for given in declared.values())
    masked = estimator.missing == "mask"
    if k is None and named:
        raise ValueError(
            "Covariates are named, but n_targets is None, which forecasts all columns. Set "
            "n_targets to the number of columns to be forecast; they stand first."
        )
    if k is None and by_type and names is not None:
        for j in range(_width(first)):
            if any(_is_text(table, j) for table in tables if hasattr(table, "columns")):
                raise TypeError(
                    f"Column {names[j]!r} of X holds strings or categories, but n_targets is None, "
                    "which forecasts all columns. Set n_targets to the number of columns to be "
                    "forecast; they stand first."
                )
    if first is None or k is None or k >= _width(first):
        if named:
            raise ValueError(
                "Covariates are named, but X has no columns behind those that are forecast "
                f"(n_targets={k}). Pass a DataFrame with dates as its index, a panel, or arrays of "
                "shape (n_timesteps, n_features)."
            )
        width = 1 if first is None else _width(first)
        return Columns(width, width if k is None else k, names, masked=masked)
    found = {name: _places(name, given, names, _width(first), k)
             for name, given in declared.items()}  # fmt: skip
    past, static = found["past_covariates"], found["static_covariates"]
    if both := set(past) & set(static):
        raise ValueError(
            f"Column {_shown(names, min(both))} is named in both past_covariates and "
            "static_covariates. Name it in one of them."
        )
    if by_type:
        places = [j for j in range(k, _width(first)) if any(_is_text(t, j) for t in tables)]
    else:
        places = found["categorical_covariates"]
    categories = {j: _find_categories(tables, j, _shown(names, j)) for j in places}
    return Columns(_width(first), k, names, tuple(past), tuple(static), categories or None, masked)


def number_categories(columns, X, called=None):
    """Replace categories in X by their numbers; the rest of X is unchanged.

    Parameters
    ----------
    columns : Columns
    X : series
    called : str, default=None
        What messages call X where it is a table of rows, one series.

    Returns
    -------
    object
        X, or a copy of the same kind (of arrays a list).

    Raises
    ------
    ValueError
        For a category that `fit` has not seen; the message names it, its series and step.
    """
    if not columns.categories:
        return X
    if called is not None or _is_dated_table(X):
        return _numbered(columns, X, called or "X ")
    if not _tables(X):
        return X
    return [_numbered(columns, x, f"series {i} ") if _is_table(x) else x for i, x in enumerate(X)]


def with_plain_dates(X):
    """Return tables, one or a list of them, with an index that has `plain_dates`."""
    if isinstance(X, (list, tuple)):
        return [with_plain_dates(x) for x in X] if any(hasattr(x, "iloc") for x in X) else X
    if not hasattr(X, "iloc"):
        return X
    if X.index.nlevels == 1:
        index = plain_dates(X.index)
        return X if index is X.index else X.set_axis(index, axis=0)
    time = X.index.get_level_values(-1)
    if (plain := plain_dates(time)) is time:
        return X
    import pandas as pd

    levels = [X.index.get_level_values(i) for i in range(X.index.nlevels - 1)]
    index = pd.MultiIndex.from_arrays([*levels, plain], names=X.index.names)
    return X.set_axis(index, axis=0)


def _numbered(columns, table, called):
    names, pandas = _names(table), hasattr(table, "iloc")
    table = table.copy() if pandas else np.array(table, dtype=object)
    for j, known in columns.categories.items():
        place = j
        if names is not None and columns.names is not None:
            place = names.index(columns.names[j]) if columns.names[j] in names else table.shape[1]
        if place >= table.shape[1]:  # what lacks is named where series are read
            continue
        values = table.iloc[:, place] if pandas else table[:, place]
        codes = _codes(values, known)
        if (unknown := np.flatnonzero(codes == -2)).size:
            row = int(unknown[0])
            raise ValueError(
                f"{called}has the category {_at(values, row)!r} in {columns.called(j)} "
                f"at {_where(table, row)}, which fit has not seen: it has seen {_few(known)}. "
                "Replace it, or declare it before fit by a pandas.CategoricalDtype that lists "
                "it (what no training series has is then read as none of the categories)."
            )
        codes = np.where(codes < 0, np.nan, codes)
        if pandas:
            table.isetitem(place, codes)
        else:
            table[:, place] = codes
    return table if pandas else _floats(table)


def _floats(table):
    try:
        return table.astype(np.float64)
    except (TypeError, ValueError):
        return table  # other strings, refused where numbers are read


def _codes(values, known):
    """Return the number of each value among known ones; -1 for a missing one, -2 for others."""
    place = {name: i for i, name in enumerate(known)}
    distinct, inverse = _distinct(values)
    numbers = np.array(
        [-1 if is_missing(name) else place.get(name, -2) for name in distinct], dtype=np.int64
    )
    return numbers[inverse]


def _distinct(values):
    """Return the distinct values of a column, and which of them each is."""
    if hasattr(values, "iloc"):
        import pandas as pd

        codes, distinct = pd.factorize(values, use_na_sentinel=True)
        return [*distinct.tolist(), None], np.where(codes < 0, len(distinct), codes)
    found: dict = {}
    inverse = [
        found.setdefault(None if is_missing(value) else value, len(found))
        for value in values.tolist()
    ]
    return list(found), np.array(inverse, np.int64)


def _find_categories(tables, j, shown):
    """Return the categories of a column, in order."""
    found: dict = {}
    for table in tables:
        values = table.iloc[:, j] if hasattr(table, "iloc") else _objects(table)[:, j]
        dtype = getattr(values, "dtype", None)
        known = values.cat.categories.tolist() if str(dtype) == "category" else _distinct(values)[0]
        found.update(dict.fromkeys(name for name in known if not is_missing(name)))
    if len(found) > MOST_CATEGORIES:
        raise ValueError(
            f"Column {shown} has {len(found)} categories, and the network reads each as a column: "
            f"at most {MOST_CATEGORIES} are allowed. Give the rare ones one name, or numbers that "
            "describe them."
        )
    if not found:
        raise ValueError(f"Column {shown} has no category: all its values are missing.")
    return sorted(found, key=lambda name: (type(name).__name__, name))


def _is_text(table, j):
    """Tell whether a column holds strings, or is a categorical one of pandas."""
    if hasattr(table, "iloc"):
        values = table.iloc[:, j]
        if str(values.dtype) == "category":
            return True
        if values.dtype.kind in "biufcmM":
            return False
        values = values.dropna()
        return len(values) > 0 and isinstance(values.iloc[0], str)
    values = _objects(table)[:, j] if _may_hold_text(table) else ()
    return any(isinstance(value, str) for value in values)


def _may_hold_text(table):
    return np.asarray(table).dtype.kind in "OU"


def _objects(table):
    return np.asarray(table, dtype=object)


def _tables(X):
    """Return the tables of steps that X is, or holds."""
    if _is_dated_table(X):
        return [X]
    if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.ndim in (1, 3)):
        return [x for x in X if _is_table(x)]
    return []


def _is_dated_table(X):
    """Tell whether X is a panel, or one series with dates."""
    if not hasattr(X, "iloc") or X.ndim != 2 or is_column(X):
        return False
    return is_panel(X) or hasattr(X.index, "freq")


def _is_table(x):
    """Tell whether an item of X is a table of steps."""
    return hasattr(x, "columns") or (isinstance(x, np.ndarray) and x.ndim == 2)


def _names(table):
    if not hasattr(table, "columns"):
        return None
    return list(getattr(table, "column_names", table.columns))


def _width(table):
    return table.shape[1]


def _listed(given):
    if given is None:
        return []
    return [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)


def _shown(names, j):
    return repr(j if names is None else names[j])


def _places(parameter, given, names, width, k):
    """Return the places of columns that a parameter names."""
    found = []
    for column in _listed(given):
        if isinstance(column, str):
            if names is None or column not in names:
                has = "no names" if names is None else f"the columns {_few(names)}"
                raise ValueError(f"{parameter} names the column {column!r}, but X has {has}.")
            place = names.index(column)
        else:
            place = operator.index(column)
            if not 0 <= place < width:
                raise ValueError(
                    f"{parameter} names the column {place}, but X has {width} columns, from 0 to "
                    f"{width - 1}."
                )
        if place < k:
            raise ValueError(
                f"{parameter} names the column {_shown(names, place)}, which is one of the "
                f"n_targets={k} first, which are forecast. Move it behind them."
            )
        if place not in found:
            found.append(place)
    return sorted(found)


def _few(names):
    shown = ", ".join(map(repr, list(names)[:FEW_NAMES]))
    return shown + (", ..." if len(names) > FEW_NAMES else "")


def _at(values, row):
    value = values.iloc[row] if hasattr(values, "iloc") else values[row]
    return value.item() if isinstance(value, np.generic) else value


def _where(table, row):
    if not hasattr(table, "iloc"):
        return f"step {row}"
    label = table.index[row]
    return f"{label[1]} of series {label[0]!r}" if isinstance(label, tuple) else f"{label}"
