"""Numbers of y and weights, and what single values are: missing, dates."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from datetime import date, time, timedelta
from numbers import Number

import numpy as np
from scipy.sparse import issparse

from skrnn._data.formats import refuse_masked


def is_missing(value):
    """Tell whether a single value says that there is none: None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (Number, np.generic)) and bool(value != value)


def is_date(value):
    """Tell whether a single value is a date, a time or a span of time."""
    return isinstance(value, (date, time, timedelta, np.datetime64, np.timedelta64)) or (
        type(value).__name__ == "Period"
    )


def sparse_error(name):
    """Make the error for a sparse matrix, which NumPy takes for a single object."""
    return TypeError(f"{name} is sparse, but dense data is required: pass {name}.toarray().")


def read_numbers(values, name, item="sequence"):
    """Return numbers as an array of a type of real numbers; what is missing is NaN.

    Parameters
    ----------
    values : array-like
        One item, or row, per sequence.

    name : str
        What the message calls them: 'y', 'sample_weight'.

    item : str, default="sequence"
        What the message calls the first axis.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        For masked values, dates, strings and complex numbers; the message names the sequence.
    """
    refuse_masked(values, name)
    if issparse(values):
        raise sparse_error(name)
    array = _as_array(values, name)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{name} has dtype {array.dtype}.")
    numbers = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        value = array[place]
        number = np.nan if is_missing(value) else _number(value)
        if number is None or is_date(value):
            raise _no_number(value, name, f" for {item} {place[0]}" if place else "")
        numbers[place] = number
    return numbers


def read_target_numbers(y, dtype):
    """Return the targets of a regressor or forecaster.

    Parameters
    ----------
    y : array-like of shape (n_sequences, ...)
    dtype : dtype
        What all of them must fit into.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        For what is no finite number, naming the sequence and, of several, the output.
    """
    numbers = read_numbers(y, "y")
    if numbers.dtype.kind != "f":
        return numbers
    with np.errstate(over="ignore"):
        wrong = np.argwhere(~np.isfinite(numbers.astype(dtype)))
    if len(wrong) == 0:
        return numbers
    value, i = numbers[tuple(wrong[0])], wrong[0][:1]
    where = f"for sequence {i[0]}" if len(i) else "alone"
    if numbers.ndim > 1:
        where += f", output {', '.join(map(str, wrong[0][1:]))}"
    if np.isfinite(value):
        raise ValueError(
            f"y contains a value too large for dtype('{np.dtype(dtype)}'): {value} {where}. Scale "
            "it, for example with TransformedTargetRegressor, or use dtype='float64'."
        )
    kind = "NaN" if np.isnan(value) else "infinity"
    raise ValueError(
        f"Input y contains {kind}.\ny is {value} {where}. Leave sequences without a target out of "
        "X and y."
    )


def _as_array(values, name):
    try:
        array = np.asarray(values)
    except ValueError as error:
        widths = [np.size(item) for item in values]
        i = next((i for i, width in enumerate(widths) if width != widths[0]), 0)
        raise ValueError(
            f"{name} is not an array: it has {widths[0]} number(s) for sequence 0 and {widths[i]} "
            f"for sequence {i}. Give every sequence the same number."
        ) from error
    if array.dtype.kind == "U" and isinstance(values, (list, tuple)):
        return np.asarray(values, dtype=object)  # NumPy has made strings of the numbers
    return array


def _number(value):
    """Return a value as a float; None for one that is no number, a string above all."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


def _no_number(value, name, where):
    remedy = "Give numbers only."
    if isinstance(value, (str, bytes)):
        value = value.item() if isinstance(value, np.generic) else value
        remedy = "Convert strings first, for example with numpy.asarray(..., dtype=float)."
    elif is_date(value):
        remedy = "Convert dates to numbers first, for example days since the first date."
    return TypeError(f"{name} has {value!r}{where}, where a number is expected. {remedy}")
