"""The formats of ``X``, told apart without looking through all of it.

``"rows"``
    2-D array-like ``(n_sequences, n_timesteps)``: univariate series, one per row; trailing NaN is
    padding. scikit-learn validates it, so that most messages and checks are scikit-learn's own.
``"cube"``
    3-D array ``(n_sequences, n_timesteps, n_features)``; trailing all-NaN steps are padding.
``"ragged"``
    A collection of ``(T_i, n_features)`` or ``(T_i,)`` sequences of numbers: a list, a 1-D object
    array or Series, or a table of one column, which has a `shape` that scikit-learn asks for.
``"tokens"``
    A collection of sequences of ``str``.

A list of lists of numbers is ambiguous. With equal lengths it is read as scikit-learn reads it,
a 2-D array, so that ``X.tolist()`` means what ``X`` means; with unequal lengths, or where
integers are token ids, it is ragged. Lists of arrays and object arrays are always ragged.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Iterator, Sequence
from itertools import chain
from numbers import Number

import numpy as np
from scipy.sparse import issparse

from skrnn._base.sklearn_api import _num_samples, _safe_indexing

_ACCEPTED = (
    "X must be a list (or object array) of sequences, one array (n_timesteps, n_features) each, "
    "a 3-D array (n_sequences, n_timesteps, n_features), a 2-D array (n_sequences, n_timesteps) "
    "or a list of lists of str"
)
_PLAIN_STRINGS = (
    "X holds plain strings, and a str is not a sequence of tokens. Split each of them first: "
    "[list(s) for s in X] for characters, [s.split() for s in X] for words."
)

_STORE = "write it part by part, with skrnn.datasets.SequenceStore.write, which takes a generator"
# Packages of such collections, and what brings one of them into memory.
_GATHERING = {
    "dask": ".compute()",
    "polars": ".collect()",
    "pyspark": ".toPandas()",
    "ray": ".to_pandas()",
}


def find_format(X, *, embed=False):
    """Tell which format ``X`` has, without looking through all of it.

    Parameters
    ----------
    X : object
        What the user passed.

    embed : bool, default=False
        Whether integers are token ids.

    Returns
    -------
    input_format : {"rows", "cube", "ragged", "tokens"}

    data : object
        ``X``, or a simpler container of the same sequences.
    """
    if isinstance(X, (str, bytes)):
        raise TypeError(_PLAIN_STRINGS)
    refuse_lazy(X, "X")
    if hasattr(X, "batch_sizes") and hasattr(X, "unsorted_indices"):  # a tuple of four tensors
        raise TypeError(
            "X is a PackedSequence of torch, whose rows are steps sorted by time. Pass the list of "
            "its sequences, torch.nn.utils.rnn.unpack_sequence(X)."
        )
    if is_store(X):
        return "ragged" if X.vocabulary is None else "tokens", X
    if isinstance(X, (list, tuple)):
        return _format_of_items(X, rows_allowed=not embed)
    if issparse(X):
        return "rows", X  # refused there in scikit-learn's words
    if hasattr(X, "__array__"):
        refuse_masked(X, "X")
        try:
            array = np.asarray(X)
        except (TypeError, ValueError) as error:  # ragged, or a container of several arrays
            raise TypeError(
                f"X is of type {type(X).__name__}, which is not one array ({error}). Pass the list "
                "of its sequences, such as [numpy.asarray(x) for x in X]."
            ) from error
        return _format_of_array(X, array)
    if isinstance(X, Sequence):
        return _format_of_items(list(X), rows_allowed=not embed)
    raise TypeError(f"{_ACCEPTED}; got {type(X).__name__}.")


def is_store(X):
    """Tell whether X is a `SequenceStore`, whose sequences are in a file."""
    return hasattr(type(X), "_stored_sequences")


def _format_of_array(X, array):
    if array.ndim > 3:
        raise ValueError(f"Found array with dim {array.ndim}, while dim <= 3 is required by X.")
    strings = _holds_strings(array)
    if array.ndim == 1 and (strings or array.dtype == object):
        return _format_of_items(array.tolist(), rows_allowed=False)
    if is_column(array):
        return _format_of_items(array[:, 0].tolist(), rows_allowed=False)
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


def _format_of_items(items, rows_allowed):
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


def refuse_lazy(values, name):
    """Raise for what is not in memory, or not computed yet, and which NumPy would gather silently.

    Parameters
    ----------
    values : object
        A collection, or a list of such.

    name : str
        What the message calls them: 'X', 'y', 'sample_weight'.

    Raises
    ------
    TypeError
    """
    where = ""
    if isinstance(values, (list, tuple)):
        # A list has few types; which of its items it is, is only asked where one is lazy.
        lazy = next((kind for kind in set(map(type, values)) if _may_be_lazy(kind)), None)
        if lazy is None:
            return
        place = next((i for i, item in enumerate(values) if _is_lazy(item)), None)
        if place is None:
            return
        values, where = values[place], f" (item {place})"
    elif not _may_be_lazy(type(values)) or not _is_lazy(values):
        return
    kind = type(values)
    if isinstance(values, Iterator):
        raise TypeError(
            f"{name}{where} is an iterator ({kind.__name__}), which can be read only once, but "
            f"data are read several times. Pass list({name}) if it fits into memory; else "
            f"{_STORE}, or pass it chunk by chunk to partial_fit."
        )
    package = kind.__module__.partition(".")[0]
    gather = _GATHERING.get(package, ".compute()")
    raise TypeError(
        f"{name}{where} is of type {package} {kind.__name__}, which is not in this process's "
        f"memory, and reading it would gather all of it here. If that is meant, pass "
        f"{name}{gather}. Else {_STORE}; or train where its parts are, with skrnn.distributed.fit."
    )


def _may_be_lazy(kind):
    return (
        hasattr(kind, "__dask_graph__")
        or issubclass(kind, Iterator)
        or kind.__module__.startswith(("pyspark.", "ray.", "polars.lazyframe"))
    )


def _is_lazy(values):
    # Containers such as those of xarray have the method, which gives None where all is in memory.
    has_graph = hasattr(type(values), "__dask_graph__")
    return values.__dask_graph__() is not None if has_graph else _may_be_lazy(type(values))


def refuse_masked(values, name):
    """Raise for masked values, which NumPy would take for values like all others, or lazy ones.

    Parameters
    ----------
    values : object
        An array, or arrays within lists, tuples, object arrays or a Series.

    name : str
        What the message calls them: 'X', 'y', 'sample_weight'.
    """
    refuse_lazy(values, name)
    place = _first_masked(values)
    if place is None:
        return
    where = f" in sequence {place[0]}" if place and len(values) > 1 else ""
    what, fill = ("steps", "numpy.nan) and an imputer") if name == "X" else ("sequences", "value)")
    raise ValueError(
        f"{name} has masked values{where}. Leave masked {what} out, or fill them first, for "
        f"example with {name}.filled({fill}."
    )


def _first_masked(values):
    """Return the indices of the first masked value, level by level; None where there is none."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return tuple(np.argwhere(mask)[0].tolist()) if mask.any() else None
    nested = (list, tuple, np.ndarray)
    if not isinstance(values, nested):
        # Of pandas' objects only those of arrays could hold masked ones.
        if not hasattr(values, "iloc") or getattr(values, "dtype", np.dtype(float)).kind != "O":
            return None
        values = np.asarray(values)
    if isinstance(values, np.ndarray) and (values.dtype.kind != "O" or values.ndim == 0):
        return None
    kinds = set(map(type, values))
    if any(issubclass(kind, nested) or hasattr(kind, "iloc") for kind in kinds):
        for i, value in enumerate(values):
            if (place := _first_masked(value)) is not None:
                return (i, *place)
    return None


def check_targets(y, n_sequences):
    """Raise unless there is a target for each sequence, and none of them is masked.

    Parameters
    ----------
    y : array-like, or collection of label sequences
        Not yet read.
    n_sequences : int
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    refuse_masked(y, "y")
    if _num_samples(y) != n_sequences:
        raise ValueError(
            f"X has {n_sequences} sequences and y has {_num_samples(y)} targets: one target for "
            "each sequence is needed."
        )


def take_items(X, indices):
    """Return some items of a collection (sequences, targets, weights), in one of its type.

    Parameters
    ----------
    X : array-like, or collection
    indices : ndarray of int
    """
    if isinstance(X, (list, tuple)) or not (hasattr(X, "iloc") or hasattr(X, "shape")):
        return [X[i] for i in indices.tolist()]
    return _safe_indexing(X, indices)


def tensor_to_array(value):
    """Return an array of what may be a tensor of PyTorch, with or without gradient."""
    for method in ("detach", "cpu"):
        if hasattr(value, method):
            value = getattr(value, method)()
    return np.asarray(value)
