"""Long tables, one row per step, as one sequence per sample, and back."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn.preprocessing._panel import _to_pandas


def from_long(table, *, by, time=None, columns=None):
    """Make one sequence per sample of a long table with one row per step.

    Parameters
    ----------
    table : DataFrame of pandas or polars, or Table of Arrow
        Long table. Rows of a sample need not stand together.

    by : str
        Column that names the sample which a row belongs to.

    time : str, default=None
        Column by which the steps of each sample are sorted: numbers, dates or strings. None keeps
        the order of the rows.

    columns : str or list of str, default=None
        Columns of the sequences. None takes all others, in their order. With a single `str`, each
        sequence is a 1-D array (of numbers, or of tokens); else a DataFrame with these columns.

    Returns
    -------
    Series of shape (n_samples,)
        The sequences, indexed by sample, in the order in which samples first occur. All estimators
        take it as X; labels that are indexed by sample are aligned by `labels.loc[X.index]`.

    Raises
    ------
    ValueError
        If a column is missing, the name or time of a row is, or a sample has a time twice. The
        message names the row, or the sample and the time.

    TypeError
        If `table` is no table.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.preprocessing import from_long
    >>> visits = pd.DataFrame({"patient": ["a", "b", "a"], "day": [2, 1, 1], "pulse": [80, 70, 75]})
    >>> from_long(visits, by="patient", time="day", columns="pulse").loc["a"].tolist()
    [75, 80]
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("from_long needs pandas, which is not installed.") from error
    table = _to_pandas(table, pd)
    known = [by] if time is None else [by, time]
    single = isinstance(columns, str)
    if columns is None:
        columns = [name for name in table.columns if name not in known]
    columns = [columns] if single else list(columns)
    if lacking := [name for name in (*known, *columns) if name not in table.columns]:
        raise ValueError(f"table has no column {lacking[0]!r}; it has {list(table.columns)}.")
    if not columns or not len(table):
        raise ValueError("table has no values: it needs rows, and columns beside by and time.")
    for name in known:
        if (missing := table[name].isna()).any():
            raise ValueError(f"table lacks a value of {name!r} in row {int(missing.argmax())}.")
    codes, names = pd.factorize(table[by])
    if time is None:
        order = np.argsort(codes, kind="stable")
    else:
        times = pd.factorize(table[time], sort=True)[0]
        order = np.lexsort((times, codes))
        same = (np.diff(codes[order]) == 0) & (np.diff(times[order]) == 0)
        if same.any():
            row = table.iloc[order[int(same.argmax())]]
            raise ValueError(
                f"sample {row[by]} has {time}={row[time]} twice. Keep one row, or leave out "
                "time, which keeps the order of the rows."
            )
    ends = np.cumsum(np.bincount(codes))
    values = table[columns].iloc[order].reset_index(drop=True)
    sequences = np.empty(len(names), dtype=object)
    for k, (start, end) in enumerate(zip(ends - np.bincount(codes), ends)):
        part = values.iloc[start:end]
        sequences[k] = part[columns[0]].to_numpy() if single else part.reset_index(drop=True)
    return pd.Series(sequences, index=pd.Index(names, name=by))


def to_long(X, *, by="sample", time="step", columns=None):
    """Make a long table, one row per step, of sequences or of what is predicted per step.

    Parameters
    ----------
    X : list, object array or Series of sequences
        Arrays of shape (n_steps,) or (n_steps, n_columns), lists of labels, or DataFrames. The
        index of a Series names the samples; else they are numbered.

    by, time : str, default='sample', 'step'
        Names of the columns with the sample and with the number of the step.

    columns : list of str, default=None
        Names of the other columns. None takes those of DataFrames; for one column 'value', for
        several 'value_0', 'value_1' and so on.

    Returns
    -------
    DataFrame
        With a fresh index.

    Raises
    ------
    ValueError
        If sequences have different numbers of columns, or `columns` another number than they have.
        The message names the sequence.

    Examples
    --------
    >>> from skrnn.preprocessing import to_long
    >>> to_long([["DET", "NOUN"], ["VERB"]], columns=["tag"])["tag"].tolist()
    ['DET', 'NOUN', 'VERB']
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_long needs pandas, which is not installed.") from error
    names = X.index if isinstance(X, pd.Series) else pd.RangeIndex(len(X))
    parts = []
    for k, x in enumerate(X):
        part = x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x))
        if not isinstance(x, pd.DataFrame):
            wide = part.shape[1]
            part.columns = ["value"] if wide == 1 else [f"value_{j}" for j in range(wide)]
        if columns is not None:
            if len(columns) != part.shape[1]:
                raise ValueError(
                    f"sequence {k} has {part.shape[1]} columns, but columns names {len(columns)}."
                )
            part = part.set_axis(columns, axis=1)
        if parts and list(part.columns) != list(parts[0].columns):
            raise ValueError(
                f"sequence {k} has the columns {list(part.columns)}, but sequence 0 has "
                f"{list(parts[0].columns)}."
            )
        parts.append(part)
    if not parts:
        raise ValueError("X holds no sequence.")
    lengths = [len(part) for part in parts]
    long = pd.concat(parts, ignore_index=True)
    if taken := {by, time} & set(long.columns):
        raise ValueError(
            f"X has a column {min(taken)!r} already: choose other names in by and time."
        )
    steps = np.concatenate([np.arange(n) for n in lengths])
    long.insert(0, by, np.repeat(np.asarray(names), lengths))
    long.insert(1, time, steps)
    return long
