"""Readers, one per format of ``X``: each returns sequences end to end, and knows no estimator."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from datetime import date, timedelta
from itertools import chain

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from skrnn._data.numbers import is_missing
from skrnn._data.sequences import Sequences, lengths_to_offsets, locate


def read_numbers(X, input_format, dtype, *, embed, min_length, width, estimator):
    """Read numbers, or ids, in any format.

    Parameters
    ----------
    X : object
        In the format `input_format`.
    input_format : {'rows', 'cube', 'ragged'}
    dtype : dtype, or tuple of dtypes
        As in :func:`skrnn._data.validation.check_sequences`.
    embed : bool
        Whether the values are token ids, which keep their type.
    min_length : int
        Minimum number of steps, of 'rows'.
    width : int or None
        Number of features per step, of 'ragged'; None takes that of the first sequence.
    estimator : estimator instance
        What messages name.

    Returns
    -------
    sequences : Sequences
    padded : bool
        Whether some of 'rows' ended in padding.
    """
    if input_format == "rows":
        return read_rows(X, dtype, embed=embed, min_length=min_length, estimator=estimator)
    dtype = None if embed else dtype
    if input_format == "cube":
        return read_cube(X, dtype), False
    return read_ragged(X, dtype, width), False


def read_rows(X, dtype, *, embed, min_length, estimator):
    """Read a 2-D array: one sequence of one feature per row; trailing NaN is padding.

    Parameters
    ----------
    X : array-like of shape (n_sequences, n_timesteps)
    dtype : dtype, or tuple of dtypes
        As in :func:`skrnn._data.validation.check_sequences`.
    embed : bool
        Whether the values are token ids, which keep their type.
    min_length : int
        Minimum number of columns.
    estimator : estimator instance
        What messages name.

    Returns
    -------
    sequences : Sequences
    padded : bool
        Whether some rows ended in padding.
    """
    array = X if issparse(X) else np.asarray(X)
    if array.dtype.kind not in "biufc":
        array = _rows_to_numbers(array) if array.ndim == 2 else to_numbers(array, "X")
    with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
        array = check_array(
            array,
            dtype="numeric" if embed else list(dtype) if isinstance(dtype, tuple) else dtype,
            order="C", ensure_all_finite=False, ensure_min_features=max(1, min_length),
            input_name="X", estimator=estimator,
        )  # fmt: skip
    sequences = _without_padding(array[:, :, np.newaxis])
    return sequences, len(sequences.values) < array.size


def read_cube(array, dtype):
    """Read an array (n_sequences, n_timesteps, n_features); trailing all-NaN steps are padding.

    Parameters
    ----------
    array : ndarray
    dtype : dtype, tuple of dtypes, or None
        None keeps the type found.

    Returns
    -------
    Sequences
    """
    for count, what in ((len(array), "sample"), (array.shape[2], "feature")):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum of 1 is "
                "required by X."
            )
    if array.dtype.kind not in "biuf":
        array = _rows_to_numbers(array)
    dtype = _choose_dtype(dtype, array.dtype)
    if array.dtype != dtype:
        with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
            array = array.astype(dtype, order="C")
    return _without_padding(np.ascontiguousarray(array))


def read_ragged(items, dtype, width=None):
    """Read a collection of sequences of numbers, of any lengths.

    Parameters
    ----------
    items : list of array-like of shape (T_i, n_features) or (T_i,)
    dtype : dtype, tuple of dtypes, or None
        None keeps the type found.
    width : int, default=None
        Number of features per step; None takes that of the first sequence that is not empty.

    Returns
    -------
    Sequences
    """
    arrays = [a if type(a) is np.ndarray else _as_array(a, i) for i, a in enumerate(items)]
    dtypes = {array.dtype for array in arrays}
    if any(found.kind not in "biuf" for found in dtypes):
        arrays = [to_numbers(array, f"sequence {i}") for i, array in enumerate(arrays)]
        dtypes = {array.dtype for array in arrays}
    arrays, width = _align(arrays, width)
    dtype = _choose_dtype(dtype, np.result_type(*dtypes))

    offsets = lengths_to_offsets(np.fromiter(map(len, arrays), np.int64, len(arrays)))
    values = np.empty((offsets[-1], width), dtype)
    target = values if arrays[0].ndim == 2 else values[:, 0]
    with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
        np.concatenate(arrays, out=target, casting="unsafe")
    return Sequences(values, offsets)


def read_tokens(items):
    """Read a collection of sequences of strings.

    Parameters
    ----------
    items : list of sequences of str

    Returns
    -------
    tokens : list of str, of length total_steps
    offsets : ndarray of shape (n_sequences + 1,), dtype=int64
    """
    rows = [token_row(item, i) for i, item in enumerate(items)]
    tokens = list(chain.from_iterable(rows))
    strings = all(issubclass(kind, str) for kind in set(map(type, tokens)))
    offsets = lengths_to_offsets(np.fromiter(map(len, rows), np.int64, len(rows)))
    if not strings:
        row = next(row for row, token in enumerate(tokens) if not isinstance(token, str))
        i, t = locate(offsets, row)
        raise TypeError(
            f"X mixes strings and other values: sequence {i} has {tokens[row]!r} at step {t}, "
            "where one string per step is expected."
        )
    return tokens, offsets


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


def _without_padding(values):
    """Join sequences of (n_sequences, n_timesteps, n_features) without all-NaN steps at ends."""
    n_sequences, n_steps, width = values.shape
    offsets = np.arange(n_sequences + 1, dtype=np.int64) * n_steps
    if n_steps == 0 or values.dtype.kind != "f" or not np.isnan(values[:, -1]).any():
        return Sequences(values.reshape(-1, width), offsets)
    given = ~np.isnan(values).all(axis=2)
    lengths = np.where(given.any(axis=1), n_steps - given[:, ::-1].argmax(axis=1), 0)
    kept = np.arange(n_steps) < lengths[:, np.newaxis]
    return Sequences(values[kept], lengths_to_offsets(lengths))


def _choose_dtype(dtype, found):
    """Return the dtype of the values; None keeps the type found."""
    if isinstance(dtype, tuple):
        return found if found in dtype else np.dtype(dtype[0])
    return found if dtype is None else np.dtype(dtype)


def _as_array(item, i):
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


_OF_DATES = (
    "CalendarFeatures makes numbers of dates; or count from a start, "
    "(x - start) / np.timedelta64(1, 'D')."
)


def to_numbers(array, where):
    """Return ``array`` with a dtype of real numbers."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{where} has dtype {array.dtype}.")
    if array.dtype.kind in "Mm":
        raise TypeError(
            f"{where} has dtype {array.dtype}, which is not a type of numbers. {_OF_DATES}"
        )
    if array.dtype.kind not in "OU":
        hint = " Tokens are str: decode them." if array.dtype.kind == "S" else ""
        raise TypeError(f"{where} has dtype {array.dtype}, which is not a type of numbers.{hint}")
    if array.ndim == 1 and array.size and isinstance(array[0], np.ndarray):  # Arrow's nested lists
        return to_numbers(_stack_steps(array, where), where)
    flat = array.ravel()
    if flat.size and all(isinstance(value, dict) for value in flat):
        raise TypeError(
            f"{where} has dicts as steps, where numbers are expected. Make rows of numbers of "
            "them, [vectorizer.transform(x) for x in X] with a DictVectorizer(sparse=False) that "
            "was fitted to the steps of all sequences; or pass the words, as lists of str."
        )
    position = next((p for p, value in enumerate(flat) if isinstance(value, str)), None)
    if position is not None:
        step = position // max(1, array[:1].size)
        place = f"{where} has {str(flat[position])!r}"
        place += f" at step {step}" if array.ndim < 3 else ""
        raise TypeError(f"X mixes strings and numbers: {place}, where a number is expected.")
    dates = (v for v in flat if isinstance(v, (date, timedelta)) and not is_missing(v))
    if (first := next(dates, None)) is not None:
        raise TypeError(f"{where} has {first!s}, where a number is expected. {_OF_DATES}")
    try:
        missing = np.fromiter(map(is_missing, flat), bool, array.size).reshape(array.shape)
        return np.where(missing, np.nan, array).astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise TypeError(f"{where} holds a value that is not a number: {error}") from error


def _rows_to_numbers(array):
    """Convert the sequences of an array one by one, so that an error names the sequence."""
    return np.stack([to_numbers(row, f"sequence {i}") for i, row in enumerate(array)])


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
        return ValueError(f"{where} is not an array: a step is a number or a list of numbers.")
    return ValueError(
        f"{where} is not an array: its steps have different numbers of features, {widths[0]} at "
        f"step 0 and {widths[t]} at step {t}. Give every step the same; NaN stands for a missing "
        "value, which PerStep(SimpleImputer()) in a pipeline fills."
    )


def _align(arrays, expected):
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
