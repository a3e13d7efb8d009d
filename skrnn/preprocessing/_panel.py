"""Panels: long tables of many series as DataFrames with an index of two levels."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn._data.time_axis import plain_dates


def to_panel(table, *, id="unique_id", time="ds", columns=None, freq=None):
    """Make a panel of a long table: one row per series and date.

    A panel is a DataFrame whose index has two levels (series, time). `LSTMForecaster` reads it as
    one series per value of the first level, and its forecasts have the same form.

    Parameters
    ----------
    table : DataFrame of pandas or polars, or Table of Arrow
        Long table, in any order.

    id : str, default='unique_id'
        Column with the names of the series.

    time : str, default='ds'
        Column with dates, periods or integers. Strings are converted by `pandas.to_datetime`.

    columns : str or list of str, default=None
        Columns of values, targets first. None takes all others, in their order.

    freq : str, default=None
        Frequency, as pandas writes it, to which every series is brought: dates that a series lacks
        between its first and its last become rows of NaN. None adds no row.

    Returns
    -------
    DataFrame
        Sorted by series (in the order in which they first occur) and time.

    Raises
    ------
    ValueError
        If a column is missing, a name or date is, a series has a date twice, or a date is not one
        of `freq`. The message names the series and the date.

    TypeError
        If `table` is no table.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.preprocessing import to_panel
    >>> sales = pd.DataFrame({"unique_id": ["a", "b", "a", "b"], "y": [1.0, 5.0, 2.0, 6.0],
    ...                       "ds": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"]})
    >>> to_panel(sales).loc["b", "y"].tolist()
    [5.0, 6.0]
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_panel needs pandas, which is not installed.") from error
    table = _to_pandas(table, pd)
    columns = [columns] if isinstance(columns, str) else columns
    if columns is None:
        columns = [name for name in table.columns if name not in (id, time)]
    if lacking := [name for name in (id, time, *columns) if name not in table.columns]:
        raise ValueError(f"table has no column {lacking[0]!r}; it has {list(table.columns)}.")
    if len(columns) == 0 or len(table) == 0:
        raise ValueError("table has no values: it needs rows, and columns beside id and time.")
    names, times = table[id], table[time]
    for found, what in ((names, id), (times, time)):
        if found.isna().any():
            raise ValueError(
                f"table lacks a value of {what!r} in row {int(found.isna().argmax())}."
            )
    if times.dtype.kind == "O" or isinstance(times.dtype, pd.StringDtype):
        times = pd.to_datetime(times)
    times = plain_dates(pd.Index(times))  # of Arrow, they are no dates to a frequency
    order = np.lexsort((times.argsort().argsort(), pd.factorize(names)[0]))
    index = pd.MultiIndex.from_arrays([names.to_numpy(), times], names=[id, time])
    panel = table[columns].set_axis(index).iloc[order]
    if (twice := panel.index.duplicated()).any():
        name, date = panel.index[int(twice.argmax())]
        raise ValueError(f"series {name!r} has the date {date} twice. Keep one row, or add them.")
    return panel if freq is None else _at_freq(panel, freq, pd)


def _to_pandas(table, pd):
    """Return a table of any of three libraries as a DataFrame of pandas."""
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "column_names"):  # Arrow
        return table.to_pandas()
    if hasattr(table, "columns") and hasattr(table, "get_column"):  # polars
        return pd.DataFrame({name: table.get_column(name).to_numpy() for name in table.columns})
    raise TypeError(
        f"table must be a table of pandas, polars or Arrow; got {type(table).__name__}."
    )


def _at_freq(panel, freq, pd):
    """Add rows of NaN for dates that series lack."""
    parts = {}
    for name, part in panel.groupby(level=0, sort=False):
        part = part.droplevel(0)
        whole = part.asfreq(freq)
        if (foreign := ~part.index.isin(whole.index)).any():
            date = part.index[int(foreign.argmax())]
            raise ValueError(
                f"series {name!r} has the date {date}, which does not fall on freq={freq!r}."
            )
        parts[name] = whole
    return pd.concat(parts, names=panel.index.names)
