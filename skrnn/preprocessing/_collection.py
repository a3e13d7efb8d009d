"""Collections of sequences, made from one table of steps."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from itertools import pairwise

import numpy as np

from skrnn._data.formats import is_column


def as_collection(X, offsets, table, indexes=None):
    """Cut a table into sequences, in a collection like ``X``.

    Parameters
    ----------
    X : list, tuple, object array, Series, or table of one column
        The collection whose kind, index and column name the result has; of a tuple, or what is
        neither NumPy's nor pandas', it is a list.

    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences start in `table`.

    table : ndarray or DataFrame of shape (total_steps, n_columns)
        The steps of all sequences.

    indexes : list, default=None
        The index of each sequence, which it gets where it is a pandas DataFrame; None for one that
        counts the steps.

    Returns
    -------
    sequences : list, object array, Series or DataFrame, of ndarray or DataFrame
        The sequences; arrays are views of `table`.
    """
    parts = split_table(table, offsets)
    if hasattr(table, "iloc"):
        given = indexes or [None] * len(parts)
        parts = [_with_index(part, index) for part, index in zip(parts, given, strict=True)]
    pandas = hasattr(X, "iloc")
    if not (pandas or isinstance(X, np.ndarray)):
        return parts
    # Filled one by one: NumPy would make a 3-D array of sequences of one length.
    array = np.empty(len(parts), dtype=object)
    for i, part in enumerate(parts):
        array[i] = part
    column = is_column(X)
    if column:
        array = array[:, np.newaxis]
    if not pandas:
        return array
    names = {"columns": X.columns} if column else {"name": X.name}
    return type(X)(array, index=X.index, **names)


def split_table(table, offsets):
    """Return the rows of each sequence, of an array or a DataFrame of pandas or polars."""
    rows = table.iloc if hasattr(table, "iloc") else table
    return [rows[start:stop] for start, stop in pairwise(offsets.tolist())]


def _with_index(frame, index):
    return frame.reset_index(drop=True) if index is None else frame.set_axis(index)
