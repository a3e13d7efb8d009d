"""Calendar features of each step, such as hour, weekday and month, as columns."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Collection

import numpy as np
from sklearn.base import BaseEstimator

from skrnn._base.sklearn_api import StrOptions
from skrnn._data.formats import refuse_masked
from skrnn.preprocessing._output import SequenceTransformerMixin, to_frame

_REMEDY = (
    "Pass a DatetimeIndex or PeriodIndex, a Series or DataFrame with such an index "
    "(frame.set_index(column of dates) makes one), a panel, whose index has two levels (series, "
    "time), a 1-D array of datetime64, or a list of these."
)
# What pandas calls it, the first number of the cycle, and its length; None: that of the month.
_CYCLES = {
    "minute": ("minute", 0, 60),
    "hour": ("hour", 0, 24),
    "dayofweek": ("day_of_week", 0, 7),
    "day": ("day", 1, None),
    "dayofyear": ("day_of_year", 1, 365.25),
    "week": ("week", 1, 365.25 / 7),
    "month": ("month", 1, 12),
    "quarter": ("quarter", 1, 4),
}
_NUMBERS = ("year", "weekend")  # which have no cycle: one column each, whatever the encoding


class CalendarFeatures(SequenceTransformerMixin, BaseEstimator):
    """Compute calendar features, such as hour, weekday and month, from the dates of the steps.

    Calendar features are known for the future, too. They are appended to the columns of a series,
    so that the targets come first and the covariates after them, as :class:`SlidingWindow` with
    `n_targets` expects. pandas is required.

    Parameters
    ----------
    features : tuple of str, default=("hour", "dayofweek", "month")
        Any of 'minute', 'hour', 'dayofweek' (0 is Monday), 'day' (of the month), 'dayofyear',
        'week' (ISO), 'month', 'quarter', 'year' and 'weekend' (1 on Saturday and Sunday, else 0),
        in the order of the columns.

    encoding : {'cyclic', 'number'}, default='cyclic'
        'cyclic' makes two columns per feature, the sine and cosine of the position in its cycle, so
        that 23 o'clock is close to 0 o'clock; 'number' makes one column of integers. 'year' and
        'weekend' have no cycle and are one column of integers in both.

    holidays : str, collection of dates, or None, default=None
        Holidays of a country, by its code ('DE'), or of a part of it ('DE-BY', 'US-CA'), as the
        package `holidays` knows them, which must be installed; or the dates themselves. They add a
        last column 'holiday', which is 1 on the days that are holidays, else 0.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        Columns of the series; defined only if `fit` saw a Series or DataFrames.

    See Also
    --------
    SlidingWindow : Cut series into windows and targets.

    Notes
    -----
    Nothing is learned: `transform` works without `fit`. Dates with a time zone are read in local
    time, periods at their start. Positions in a cycle count whole hours, days and so on, from
    midnight, from Monday, from the first of the month or from the first of January. The cycle of
    'day' is the length of the month; that of 'dayofyear' is 365.25 days, and that of 'week' the
    same time in weeks.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.preprocessing import CalendarFeatures
    >>> index = pd.date_range("2024-02-29", periods=3, freq="6h")
    >>> load = pd.Series([5.0, 7.0, 6.0], index=index, name="load")
    >>> CalendarFeatures(("hour",)).transform(load).round(3)
                         load  hour_sin  hour_cos
    2024-02-29 00:00:00   5.0       0.0       1.0
    2024-02-29 06:00:00   7.0       1.0       0.0
    2024-02-29 12:00:00   6.0       0.0      -1.0
    >>> CalendarFeatures(("dayofweek", "hour"), encoding="number").transform(index.to_numpy())
    array([[ 3,  0],
           [ 3,  6],
           [ 3, 12]])
    """

    __module__ = "skrnn.preprocessing"  # the path that files name

    _parameter_constraints: dict = {
        "features": ["array-like"],
        "encoding": [StrOptions({"cyclic", "number"})],
        "holidays": [str, "array-like", Collection, None],
    }

    def __init__(
        self, features=("hour", "dayofweek", "month"), *, encoding="cyclic", holidays=None
    ):
        self.features = features
        self.encoding = encoding
        self.holidays = holidays

    def fit(self, X, y=None):
        """Validate parameters and dates, and store the column names of the series.

        Parameters
        ----------
        X : DatetimeIndex, PeriodIndex, array, Series, DataFrame, or list of these
            As in :meth:`transform`.

        y : None
            Ignored.

        Returns
        -------
        self : CalendarFeatures
            The transformer.

        Raises
        ------
        TypeError
            As :meth:`transform` does.

        ValueError
            As :meth:`transform` does.

        ImportError
            If pandas is missing.
        """
        self._checked_names()
        parts = [_read(part, where) for part, where in _parts(X)]
        self.__dict__.pop("feature_names_in_", None)
        if parts and parts[0][1] is not None:
            self.feature_names_in_ = np.array(parts[0][1].columns, dtype=object)
        return self

    def transform(self, X):
        """Append calendar features to the series, or compute them from dates.

        Parameters
        ----------
        X : DatetimeIndex, PeriodIndex, array, Series, DataFrame, or list of these
            Dates of one series: an index, a 1-D array of datetime64, or a Series or DataFrame
            with such an index; a panel or its index, whose two levels are series and time; or a
            list with one of these per series.

        Returns
        -------
        DataFrame or ndarray of shape (T, n_columns), or list of these
            Columns of the series followed by the calendar features, under the same index. For
            dates without values, the calendar features only, as an array if the dates are an
            array. Column names become strings, as scikit-learn requires; the column of a Series
            without a name is called 'value'.

        Raises
        ------
        TypeError
            If X has no dates.

        ValueError
            If a name in `features` is unknown or occurs twice, if a date is missing (NaT), or if a
            series already has a column with the name of a calendar feature.

        ImportError
            If pandas is missing, or the package `holidays` where it is needed.
        """
        names = self._checked_names()
        refuse_masked([part for part, _ in _parts(X)], "X")
        tables = [self._transform_one(part, where, names) for part, where in _parts(X)]
        if (container := self._container()) != "default":
            if container == "polars" and not isinstance(X, (list, tuple)):
                raise ValueError(
                    "The dates of a series are its index, but a DataFrame of polars has no index. "
                    "Set the output to 'default' or 'pandas'."
                )
            tables = [
                to_frame(table, container, lambda _: self._columns(names)) for table in tables
            ]
        return tables if isinstance(X, (list, tuple)) else tables[0]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Columns of the series; None means those seen in `fit`, if any.

        Returns
        -------
        feature_names_out : ndarray of str
            Columns of the series, then 'hour_sin', 'hour_cos', ..., or 'hour', ... with
            ``encoding='number'``.
        """
        if input_features is None:
            input_features = getattr(self, "feature_names_in_", ())
        return np.array([*input_features, *self._columns(self._checked_names())], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def _checked_names(self):
        self._validate_params()
        names = self.features
        choices = [*_CYCLES, *_NUMBERS]
        unknown = [name for name in names if name not in choices]
        if unknown or len(set(names)) < len(names) or len(names) == 0:
            what = f"unknown: {unknown}" if unknown else "each at most once, and at least one"
            raise ValueError(f"features={names!r} must hold names among {choices}; {what}.")
        return list(names)

    def _columns(self, names):
        columns = []
        for name in names:
            plain = self.encoding == "number" or name in _NUMBERS
            columns += [name] if plain else [f"{name}_{part}" for part in ("sin", "cos")]
        return columns if self.holidays is None else [*columns, "holiday"]

    def _transform_one(self, part, where, names):
        dates, frame = _read(part, where)
        table = self._encode(dates, names)
        if isinstance(part, np.ndarray):
            return table
        columns = self._columns(names)
        index = part if frame is None else frame.index
        calendar = _pandas().DataFrame(table, index=index, columns=columns)
        if frame is None:
            return calendar
        if taken := [name for name in columns if name in frame.columns]:
            raise ValueError(
                f"{where} has the columns {taken} already: rename them, or leave them out of "
                "features."
            )
        return _pandas().concat([frame, calendar], axis=1)

    def _encode(self, dates, names):
        parts = []
        for name in names:
            number = _number(dates, name)
            if self.encoding == "number" or name in _NUMBERS:
                parts.append(number)
                continue
            _, first, length = _CYCLES[name]
            if length is None:
                length = np.asarray(dates.days_in_month)
            angle = 2 * np.pi * (number - first) / length
            parts += [np.sin(angle), np.cos(angle)]
        if self.holidays is not None:
            parts.append(self._is_holiday(dates))
        return np.column_stack(parts)

    def _is_holiday(self, dates):
        """Return 1 on holidays, by the local day of each date."""
        pd = _pandas()
        days = dates.tz_localize(None).normalize()
        free = self.holidays
        if isinstance(free, str):
            free = list(_holidays_of(free, sorted(set(days.year.tolist()))))
        else:
            free = list(free)
        try:
            free = pd.DatetimeIndex(pd.to_datetime(free)).tz_localize(None).normalize()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"holidays={self.holidays!r:.60} must be a code such as 'DE' or 'US-CA', or dates: "
                f"{error}"
            ) from None
        return days.isin(free).astype(np.int64)


def _holidays_of(code, years):
    """Return the holidays of a country, or of a part of it, in some years."""
    try:
        import holidays
    except ImportError as error:
        raise ImportError(
            f"holidays={code!r} needs the package holidays, which is not installed. Install it, or "
            "pass the dates themselves."
        ) from error
    country, _, part = code.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError as error:
        raise ValueError(f"holidays={code!r} is not known: {error}") from None


def _parts(X):
    """Return each series, and what to call it in an error."""
    if isinstance(X, (list, tuple)):
        return [(part, f"sequence {i}") for i, part in enumerate(X)]
    return [(X, "X")]


def _read(part, where):
    """Return the dates of one series as a DatetimeIndex, and its columns as a DataFrame or None."""
    pd = _pandas()
    frame = None
    dates = part
    if isinstance(part, (pd.Series, pd.DataFrame)):
        dates = part.index
        name = getattr(part, "name", None)
        frame = part if part.ndim == 2 else part.to_frame("value" if name is None else name)
        frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if isinstance(dates, pd.MultiIndex) and dates.nlevels == 2:  # of a panel: series, time
        dates = dates.get_level_values(1)
    if isinstance(dates, np.ndarray) and dates.dtype.kind == "M" and dates.ndim == 1:
        dates = pd.DatetimeIndex(dates)
    if isinstance(dates, pd.PeriodIndex):
        dates = dates.to_timestamp()
    if not isinstance(dates, pd.DatetimeIndex):
        found = f"{where} is of type {type(part).__name__}"
        found += "" if frame is None else f" with a {type(dates).__name__}"
        if isinstance(part, np.ndarray):
            found += f" of dtype {part.dtype} and shape {part.shape}"
        raise TypeError(f"{found}: there are no dates in it. {_REMEDY}")
    if dates.hasnans:
        raise ValueError(f"{where} has no date (NaT) at step {int(dates.isna().argmax())}.")
    return dates, frame


def _number(dates, name):
    if name == "weekend":
        return np.asarray(dates.day_of_week >= 5, dtype=np.int64)
    if name == "year":
        return np.asarray(dates.year, dtype=np.int64)
    source = dates.isocalendar() if name == "week" else dates
    return np.asarray(getattr(source, _CYCLES[name][0]), dtype=np.int64)


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError("CalendarFeatures needs pandas, which is not installed.") from error
    return pandas
