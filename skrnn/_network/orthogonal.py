"""Orthogonal matrices, uniformly distributed: QR of Gaussian ones, several at a time."""

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock

import numpy as np
from scipy.linalg import cython_lapack
from threadpoolctl import ThreadpoolController

from skrnn._network.threads import effective_n_threads

# Columns that LAPACK takes together, in both of the routines: its own optimum for them.
COLUMNS = 32
LEAST_THREADED = 192  # units; a smaller matrix takes less time than a thread's start
CACHE_LINE = 8  # float64 numbers
# LAPACK reads 32 bits, or 64 where it is built for them; the first are where both look for them.
_INTEGER = ctypes.c_int64 if sys.byteorder == "little" else ctypes.c_int

_blas_lock = Lock()


def _free_lock():
    global _blas_lock
    _blas_lock = Lock()  # the parent's may have been held by a thread that the child lacks


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_lock)


def draw_orthogonal(rng, blocks):
    """Fill square matrices with orthogonal ones, uniformly distributed (Mezzadri 2007).

    Each is Q of the QR decomposition of a matrix of standard normal numbers, where the signs of R
    are made positive. Large ones are decomposed on two threads at most while the next are drawn,
    in order, so that the numbers do not depend on the threads. BLAS computes in its caller's
    thread alone: the other threads of OpenBLAS go on spinning for some 25 ms after they have
    helped, of which a fit that follows lost a tenth of its time. One thread also means one order
    of sums.

    Parameters
    ----------
    rng : RandomState
    blocks : list of ndarray of shape (n, n), dtype=float32 or float64
        Written to.
    """
    n = len(blocks[0])
    threads = min(2, len(blocks), effective_n_threads()) if n >= LEAST_THREADED else 1
    lapack = _lapack()
    with _one_blas_thread():
        if threads == 1:
            for block in blocks:
                _decompose(lapack, rng.standard_normal((n, n)), block)
            return
        # Of some builds of BLAS the limit holds in the thread alone that sets it.
        with ThreadPoolExecutor(threads, initializer=_limit_blas) as pool:
            tasks = [
                pool.submit(_decompose, lapack, rng.standard_normal((n, n)), block)
                for block in blocks
            ]
        for task in tasks:
            task.result()


def _decompose(lapack, gaussian, block):
    """Write Q of a matrix to `block`, each column with the sign of R's diagonal.

    `numpy.linalg.qr` does the same to the last bit, in nearly twice the time at n = 512: it
    lays the columns n numbers apart. Where that is a power of two, rows of a block of columns
    share few places of the cache. Here columns are an odd number of cache lines apart.
    """
    geqrf, orgqr = lapack
    n = len(gaussian)
    stride = CACHE_LINE * (-(-n // CACHE_LINE) | 1)
    values = np.empty(stride * n + CACHE_LINE)
    start = -(values.ctypes.data // values.itemsize) % CACHE_LINE
    matrix = values[start : start + stride * n].reshape(n, stride).T[:n]
    matrix[...] = gaussian
    tau, work = np.empty(n), np.empty(COLUMNS * n)
    size, apart, room, failed = (_INTEGER(k) for k in (n, stride, len(work), 0))
    geqrf(
        size, size, matrix.ctypes.data, apart, tau.ctypes.data, work.ctypes.data, room, failed
    )  # fmt: skip
    signs = np.sign(matrix.diagonal())
    orgqr(
        size, size, size, matrix.ctypes.data, apart, tau.ctypes.data, work.ctypes.data, room, failed
    )  # fmt: skip
    np.multiply(matrix, signs, out=block, casting="same_kind")


@cache
def _lapack():
    """Return dgeqrf and dorgqr of SciPy's LAPACK, which take the distance of columns.

    `scipy.linalg.lapack` has no argument for it. SciPy offers the functions to compiled code, as
    `scipy.LowLevelCallable` describes.
    """
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    address_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    values, integer = ctypes.c_void_p, ctypes.POINTER(_INTEGER)
    kinds = {
        "dgeqrf": [integer, integer, values, integer, values, values, integer, integer],
        "dorgqr": [integer, integer, integer, values, integer, values, values, integer, integer],
    }
    found = []
    for name, arguments in kinds.items():
        capsule = cython_lapack.__pyx_capi__[name]
        address = address_of(capsule, name_of(capsule))
        found.append(ctypes.CFUNCTYPE(None, *arguments)(address))
    return found


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def _limit_blas():
    _blas().limit(limits=1)


@contextmanager
def _one_blas_thread():
    """Let BLAS compute in the calling thread alone.

    The lock keeps fits that start at the same time from restoring each other's limit.
    """
    with _blas_lock, _blas().limit(limits=1):
        yield
