"""Pickles that name nothing that one version of NumPy has and another lacks.

NumPy 2 writes `numpy._core` into pickles of arrays, which NumPy 1.25 does not know. What is written
here is a call of `numpy.ndarray` itself.
"""

import operator
import pickle
from types import SimpleNamespace

import numpy as np


class Portable:
    """Stands for an array in what is pickled; an array is what is loaded.

    Parameters
    ----------
    array : ndarray
        Of any type but structures; of objects with one axis at most.
    """

    def __init__(self, array):
        self._array = array

    def __reduce_ex__(self, protocol):
        array = self._array
        if array.dtype.hasobject:
            return np.ndarray, (array.shape, "O"), None, None, enumerate(map(portable, array))
        numbers = np.ascontiguousarray(array).reshape(-1)
        if protocol < 5 or not numbers.size or array.dtype.kind in "mM":  # which have no buffers
            memory = bytearray(numbers.tobytes())
        else:  # of what may not be written, the copy that is loaded may
            memory = pickle.PickleBuffer(numbers if numbers.flags.writeable else numbers.copy())
        return np.ndarray, (array.shape, array.dtype.str, memory)


class PortableNumber:
    """The same of a NumPy scalar."""

    def __init__(self, number):
        self._number = number

    def __reduce__(self):
        return operator.getitem, (Portable(np.array(self._number)), ())


def portable(value):
    """Return a copy of what may be nested, with `Portable` in place of its arrays.

    Lists, dicts, tuples and namespaces are looked into.
    """
    if isinstance(value, np.ndarray):
        fits = type(value) is np.ndarray and value.dtype.names is None
        objects = value.dtype.hasobject and value.ndim != 1
        return value if not fits or objects else Portable(value)
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        return PortableNumber(value)
    if type(value) in (list, tuple):
        return type(value)(map(portable, value))
    if type(value) is dict:
        return {key: portable(part) for key, part in value.items()}
    if type(value) is SimpleNamespace:
        return SimpleNamespace(**portable(vars(value)))
    return value
