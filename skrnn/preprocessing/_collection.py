"""Collections of sequences, made from one table of steps."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from itertools import pairwise

import numpy as np


def as_collection(X, offsets, table):
    """Cut a table into sequences, in a collection like ``X``.

    Parameters
    ----------
    X : list, tuple, object array or Series
        The collection whose kind, and index, the result has; of a tuple it is a list.

    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences start in `table`.

    table : ndarray or DataFrame of shape (total_steps, n_columns)
        The steps of all sequences.

    Returns
    -------
    sequences : list, object array or Series of ndarray or DataFrame
        The sequences; arrays are views of `table`.
    """
    parts = [_cut(table, start, stop) for start, stop in pairwise(offsets.tolist())]
    if isinstance(X, (list, tuple)):
        return parts
    # Filled one by one: NumPy would make a 3-D array of sequences of one length.
    array = np.empty(len(parts), dtype=object)
    for i, part in enumerate(parts):
        array[i] = part
    return type(X)(array, index=X.index) if hasattr(X, "iloc") else array


def _cut(table, start, stop):
    if hasattr(table, "iloc"):
        return table.iloc[start:stop].reset_index(drop=True)
    return table[start:stop]
