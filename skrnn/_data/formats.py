"""What user data looks like: telling its form, and making arrays of single sequences.

Nothing here knows an estimator; :mod:`skrnn._data.sequences` describes the forms and does the rest.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Sequence
from itertools import chain
from numbers import Number

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

from skrnn._data.numbers import is_missing, refuse_masked

_ACCEPTED = (
    "X must be a list (or object array) of sequences, one array (n_timesteps, n_features) each, "
    "a 3-D array (n_sequences, n_timesteps, n_features), a 2-D array (n_sequences, n_timesteps) "
    "or a list of lists of str"
)
_PLAIN_STRINGS = (
    "X holds plain strings, and a str is not a sequence of tokens. Split each of them first: "
    "[list(s) for s in X] for characters, [s.split() for s in X] for words."
)


def recognise(X, *, embed=False):
    """Tell which form ``X`` has, without looking through all of it.

    Parameters
    ----------
    X : object
        What the user passed.

    embed : bool, default=False
        Whether integers are token ids.

    Returns
    -------
    form : {"rows", "cube", "ragged", "tokens"}
        The form, see :mod:`skrnn._data.sequences`.

    data : object
        ``X``, or a simpler container of the same sequences.
    """
    if isinstance(X, (str, bytes)):
        raise TypeError(_PLAIN_STRINGS)
    if isinstance(X, (list, tuple)):
        return _recognise_items(X, rows_allowed=not embed)
    if issparse(X):
        return "rows", X  # refused there in scikit-learn's words
    if hasattr(X, "__array__"):
        refuse_masked(X, "X")
        return _recognise_array(X, np.asarray(X))
    if isinstance(X, Sequence):
        return _recognise_items(list(X), rows_allowed=not embed)
    raise TypeError(f"{_ACCEPTED}; got {type(X).__name__}.")


def _recognise_array(X, array):
    if array.ndim > 3:
        raise ValueError(f"Found array with dim {array.ndim}, while dim <= 3 is required by X.")
    strings = _holds_strings(array)
    if array.ndim == 1 and (strings or array.dtype == object):
        return _recognise_items(array.tolist(), rows_allowed=False)
    if is_column(array):
        return _recognise_items(array[:, 0].tolist(), rows_allowed=False)
    if strings and array.ndim > 1:
        return "tokens", list(array)
    if array.ndim == 2 and array.dtype == object and any(map(_is_sequence, array[:1].ravel())):
        raise TypeError(
            f"X is a table of {array.shape[1]} columns with sequences in its cells, but a sequence "
            "of several features is one array: pass [numpy.column_stack(row) for row in "
            "X.to_numpy()]; or choose one column, as scikit-learn's ColumnTransformer does."
        )
    return ("cube", array) if array.ndim == 3 else ("rows", X)


def is_column(table):
    """Tell whether a table, 2-D array or DataFrame, is one column with a sequence in each cell."""
    if getattr(table, "ndim", 2) != 2 or getattr(table, "shape", (0, 0))[1] != 1 or len(table) == 0:
        return False
    array = np.asarray(table)
    return array.dtype == object and any(map(_is_sequence, array[:, 0]))


def _is_sequence(cell):
    return hasattr(cell, "__len__") and not isinstance(cell, (str, bytes, dict, set))


def _recognise_items(items, rows_allowed):
    if len(items) == 0:
        raise ValueError(
            "Found array with 0 sample(s) (shape=(0,)) while a minimum of 1 is required by X."
        )
    types = set(map(type, items))
    refuse_masked(items, "X")
    if types == {np.ndarray}:
        return "tokens" if _first_holds_strings(items) else "ragged", items
    if all(issubclass(kind, (str, bytes)) for kind in types):
        raise TypeError(_PLAIN_STRINGS)
    if all(issubclass(kind, (Number, np.generic)) for kind in types):
        return "rows", items  # 1-D: refused there in scikit-learn's words
    for i, item in enumerate(items):
        if item is None or isinstance(item, (str, bytes, dict, set, Number, np.generic)):
            raise TypeError(f"sequence {i} is of type {type(item).__name__}. {_ACCEPTED}.")
    if _first_holds_strings(items):
        return "tokens", items
    if rows_allowed and types <= {list, tuple} and _is_rectangle(items):
        return "rows", items
    return "ragged", items


def _first_holds_strings(items):
    """Tell whether the first sequence that is not empty holds strings."""
    for item in items:
        if len(item) if isinstance(item, (list, tuple)) else np.size(item):
            return _holds_strings(item)
    return False


def _holds_strings(item):
    if isinstance(item, (list, tuple)):
        return len(item) > 0 and (isinstance(item[0], str) or _holds_strings(item[0]))
    if not hasattr(item, "__array__"):
        return False
    array = np.asarray(item)
    if array.dtype == object and array.size:
        return isinstance(array.flat[0], str)
    return array.dtype.kind == "U"


def _is_rectangle(items):
    """Tell whether lists of scalars have one length, so that they are a 2-D array."""
    if len(items[0]) == 0 or len(set(map(len, items))) > 1:
        return False
    types = set(map(type, chain.from_iterable(items)))
    # A string among them makes them no array of numbers: the ragged reader names it.
    scalars = (Number, np.generic, type(None))
    return all(issubclass(kind, scalars) and not issubclass(kind, str) for kind in types)


def take_items(X, indices):
    """Return some of the items of a collection (sequences, targets, weights), in its own form.

    Parameters
    ----------
    X : array-like, or collection
    indices : ndarray of int
    """
    if isinstance(X, (list, tuple)) or not (hasattr(X, "iloc") or hasattr(X, "shape")):
        return [X[i] for i in indices.tolist()]
    return _safe_indexing(X, indices)


def check_same_columns(frames):
    """Raise if DataFrames, one per sequence, differ in their columns.

    Parameters
    ----------
    frames : sequence of DataFrame
        The sequences.
    """
    first = _column_names(frames[0])
    for i, frame in enumerate(frames):
        columns = _column_names(frame) if hasattr(frame, "columns") else None
        if columns is None:
            raise TypeError(
                f"sequence {i} is a {type(frame).__name__}, but sequence 0 is a DataFrame: "
                "pass DataFrames only, or arrays only."
            )
        if columns != first:
            raise ValueError(
                f"sequence {i} has the columns {columns}, but sequence 0 has {first}: "
                "all sequences need the same columns in the same order."
            )


def _column_names(frame):
    return list(getattr(frame, "column_names", frame.columns))  # those of Arrow's tables


def as_array(item, i):
    """Return sequence ``i``, given as anything but an array, as an array."""
    if issparse(item):
        raise TypeError(
            f"sequence {i} is sparse, but dense data is required. Use '.toarray()' to convert it."
        )
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise _uneven(item, f"sequence {i}") from error
    if array.dtype.kind == "U" and array.ndim < 3:
        # NumPy has made strings of the numbers: look at what the user wrote.
        return np.asarray(item, dtype=object)
    return array


def to_numbers(array, where):
    """Return ``array`` with a dtype of real numbers."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{where} has dtype {array.dtype}.")
    if array.dtype.kind not in "OU":
        raise TypeError(f"{where} has dtype {array.dtype}, which is not a type of numbers.")
    if array.ndim == 1 and array.size and isinstance(array[0], np.ndarray):  # Arrow's nested lists
        return to_numbers(_stack_steps(array, where), where)
    flat = array.ravel()
    position = next((p for p, value in enumerate(flat) if isinstance(value, str)), None)
    if position is not None:
        step = position // max(1, array[:1].size)
        place = f"{where} has {str(flat[position])!r}"
        place += f" at step {step}" if array.ndim < 3 else ""
        raise TypeError(f"X mixes strings and numbers: {place}, where a number is expected.")
    try:
        missing = np.fromiter(map(is_missing, flat), bool, array.size).reshape(array.shape)
        return np.where(missing, np.nan, array).astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise TypeError(f"{where} holds a value that is not a number: {error}") from error


def _stack_steps(steps, where):
    try:
        return np.stack(steps)
    except ValueError as error:
        raise _uneven(steps, where) from error


def _uneven(steps, where):
    """Make the error for steps that are no rows of one array; it names the first that differs."""
    widths = [len(step) if hasattr(step, "__len__") else 1 for step in steps]
    t = next((t for t, width in enumerate(widths) if width != widths[0]), None)
    if t is None:
        return ValueError(f"{where} is no array: a step is a number or a list of numbers.")
    return ValueError(
        f"{where} is no array: its steps have different numbers of features, {widths[0]} at step 0 "
        f"and {widths[t]} at step {t}. Give every step the same; NaN stands for a missing value, "
        "which PerStep(SimpleImputer()) in a pipeline fills."
    )


def align(arrays, expected):
    """Return arrays of one number of dimensions, and the number of features per step.

    The common case, all sequences alike, is decided by two passes of set building.
    """
    ndims = {array.ndim for array in arrays}
    if ndims == {2}:
        widths = {array.shape[1] for array in arrays}
        if len(widths) == 1:
            return arrays, widths.pop()
    if ndims == {1} and any(map(len, arrays)):
        return arrays, 1

    first, width = None, expected
    for i, array in enumerate(arrays):
        if array.ndim not in (1, 2):
            raise ValueError(
                f"sequence {i} has shape {array.shape}, but a sequence is an array "
                "(n_timesteps, n_features) or (n_timesteps,)."
            )
        if len(array) == 0:  # an empty sequence fits any number of features
            continue
        found = 1 if array.ndim == 1 else array.shape[1]
        if first is None and expected is None:
            first, width = i, found
        if found != width:
            reference = f"sequence {first} has {width}" if expected is None else f"not {width}"
            raise ValueError(
                f"sequence {i} has {found} features per step, {reference}.{_swap_hint(arrays)}"
            )
    if width is None:
        raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
    return [a.reshape(-1, width) if len(a) else np.empty((0, width)) for a in arrays], width


def _swap_hint(arrays):
    """Return a remedy where steps and features are plainly swapped."""
    rows = {len(array) for array in arrays}
    if len(rows) > 1 or len({array.shape[-1] for array in arrays}) == 1:
        return ""
    return (
        f" Every sequence has {rows.pop()} rows: if these are the features (channel-first "
        "data), pass [x.T for x in X]."
    )


def token_row(item, i):
    """Return the strings of sequence ``i`` as a list or tuple."""
    if isinstance(item, (list, tuple)):
        return item
    array = np.asarray(item)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"sequence {i} has shape {array.shape}, but strings are tokens, one per step. Encode "
            "several columns of strings as integers and set embedding_dim."
        )
    return array.tolist()
