"""Arrays of single steps: states, inputs and outputs of the user, checked for their shapes."""

from numbers import Integral

import numpy as np

from skrnn._data.readers import to_numbers


def check_count(n):
    """Return the number of sequences a state is asked for, which must be one."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 0:
        raise ValueError(f"n_sequences must be an integer, 0 or more; got {n!r}.")
    return int(n)


def not_a_state(state):
    """Return the error for what cannot be a state."""
    return TypeError(
        "state must be an array with one row per sequence, as initial_state makes it; got "
        f"{type(state).__name__}."
    )


def read_state(state, width, dtype):
    """Return a state, in any form it may have got on its way, as one array in C order.

    Parameters
    ----------
    state : array-like of shape (n, width), or (n, 1, width): states of single sequences
    width : int
    dtype : dtype

    Returns
    -------
    ndarray of shape (n, width)
    """
    try:
        array = np.asarray(state)
    except ValueError:
        raise ValueError(
            "state is not an array: its rows have different lengths, or are of different networks. "
            f"Every row must have {width} numbers."
        ) from None
    if array.dtype.kind not in "fiu" or array.ndim == 0:
        raise not_a_state(state)
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2 or array.shape[1] != width:
        hint = {
            1: " A row of a state is state[i:i + 1], not state[i].",
            3: " h and c, layer after layer, stand side by side in one row.",
        }.get(array.ndim, "")
        raise ValueError(
            f"state has shape {array.shape}, but this network needs (n_sequences, {width}), as its "
            f"own initial_state makes it. The state of another network does not fit.{hint}"
        )
    with np.errstate(over="ignore"):  # too large for float32: found as infinity below
        array = np.ascontiguousarray(array, dtype=dtype)
    finite = np.isfinite(array).all(axis=1)
    if np.ma.is_masked(state) or not finite.all():
        raise ValueError(
            f"state has NaN, infinity or a masked value for sequence {int(np.argmin(finite))}. Go "
            "on from an earlier state, or begin anew with initial_state."
        )
    return array


def check_out(out, output, state):
    """Return the pair of arrays for the results: the user's, if there is one that fits.

    Parameters
    ----------
    out : (output, state) or None
    output, state : ndarray
        Arrays as they must be, returned where `out` is None.
    """
    if out is None:
        return output, state
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        raise TypeError("out must be a pair of arrays, (output, state).")
    for name, needed, given in zip(("output", "state"), (output, state), out, strict=True):
        if not isinstance(given, np.ndarray):
            raise TypeError(f"The {name} in out must be a NumPy array; got {type(given).__name__}.")
        one_number = needed.ndim == 1 and given.shape == (len(needed), 1)
        if given.dtype != needed.dtype or not (given.shape == needed.shape or one_number):
            raise ValueError(
                f"The {name} in out has shape {given.shape} and dtype {given.dtype}; it needs "
                f"shape {needed.shape} and dtype {needed.dtype}."
            )
        if not (given.flags.c_contiguous and given.flags.writeable):
            raise ValueError(f"The {name} in out must be in C order and writable; pass a copy.")
    if np.may_share_memory(*out):
        raise ValueError("The output and the state in out share memory; pass two arrays.")
    return out


def read_tokens(x, n):
    """Return the tokens of n sequences, `str`, as sequences of one step each."""
    _check_count(x, n)
    tokens = x.tolist() if hasattr(x, "tolist") else list(x)
    tokens = [t[0] if isinstance(t, (list, tuple)) and len(t) == 1 else t for t in tokens]
    for i, token in enumerate(tokens):
        if not isinstance(token, str):
            missing = token is None or type(token).__name__ == "NAType" or token != token
            raise TypeError(
                f"x has {'NaN or None' if missing else repr(token)} for sequence {i}, where a "
                "token, a str, is expected."
            )
    return [[token] for token in tokens]


def read_rows(x, n):
    """Return the steps of n sequences, numbers, as sequences of one step each.

    Unlike in whole sequences NaN is never padding here.
    """
    _check_count(x, n)
    if hasattr(x, "columns"):  # of DataFrames the names are to be checked
        rows = getattr(x, "iloc", x)
        return [rows[i : i + 1] for i in range(n)]
    array = as_numbers(x)
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ValueError(f"x has shape {array.shape}, but a step is (n_sequences, n_features).")
    array = array.reshape(n, 1, -1) if n else array
    check_finite(array)
    return array


def as_numbers(x):
    """Return a step as an array of numbers, not yet of any type or shape."""
    if np.ma.is_masked(x):
        raise ValueError("x has masked values. Fill or impute them first.")
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(
            "x is not an array: its sequences have steps of different numbers of features."
        ) from None
    return to_numbers(array, "x")


def check_finite(array):
    """Raise for NaN or infinity in the steps of n sequences, an array of n rows."""
    finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not finite.all():
        i = int(np.argmin(finite))
        found = "NaN" if np.isnan(array[i]).any() else "infinity"
        raise ValueError(
            f"x has {found} for sequence {i}. Impute missing values before; or wait, keeping the "
            "sequence's state, until the step is known."
        )


def _check_count(x, n):
    """Raise unless x has one step for each of n sequences."""
    try:
        found = None if isinstance(x, (str, bytes, dict)) else len(x)
    except TypeError:
        found = None
    if found is None:
        of_dict = " For a dict of features, pass [list(x.values())], in the order of fit."
        raise TypeError(
            f"x must hold one step per sequence, in an array or a list; got {type(x).__name__}."
            f"{of_dict if isinstance(x, dict) else ''}"
        )
    if found != n:
        single = " Pass [x] as the step of a single sequence." if n == 1 else ""
        raise ValueError(f"x has a step of {found} sequences, but state is of {n}.{single}")


def overflow(i, dtype):
    """Return the error for what is too large for the network's numbers."""
    return ValueError(
        f"The output or the new state of sequence {i} overflows {dtype}. Scale the input, for "
        "example with PerStep(StandardScaler()), or use dtype='float64'."
    )
