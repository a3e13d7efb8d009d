"""Initial weights: what lets a recurrent network learn without tuning."""

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

# Part of the class priors spread evenly, so that a class without a target (in `partial_fit`) gets
# a finite bias.
PRIOR_SMOOTHING = 0.01

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


def initialize(weights, rng, head_bias, cell, embeddings):
    """Draw the parameters of a network.

    - weight_ih: Glorot uniform, gate by gate (Glorot and Bengio 2010).
    - weight_hh: orthogonal, gate by gate, so that a repeated product neither grows nor shrinks
      (Saxe et al. 2014).
    - biases 0, but the LSTM's forget gate 1, so that it remembers before it has learned when to
      (Jozefowicz et al. 2015).
    - head_weight, attention_...: Glorot uniform; head_bias: given, so that the first outputs are
      already right on average.
    - embedding_weight: uniform with standard deviation 1 / sqrt(dim); 0 for unknown tokens.
    - pool_weight: 0, attention pooling begins as the mean.
    - crf_start, crf_transitions, crf_end: 0, a label does not yet say anything of the next.

    Parameters
    ----------
    weights : dict of ndarray
        Views of a vector of zeros under the names of `Plan`, which are filled in their order.
    rng : RandomState
    head_bias : ndarray of shape (n_outputs,)
    cell : Cell
    embeddings : list of str
        Which of the weights are embeddings; the head's too, where they are tied.
    """
    gates = cell.gates
    for name, weight in weights.items():
        if name.startswith("weight_ih"):
            H, D = weight.shape[0] // gates, weight.shape[1]
            weight[...] = _glorot(rng, weight.shape, D + H)
        elif name.startswith("weight_hh"):
            H = weight.shape[1]
            draw_orthogonal(rng, [weight[g * H : (g + 1) * H] for g in range(gates)])
        elif name.startswith("bias_ih") and cell.has_c:
            H = weight.shape[0] // gates
            weight[H : 2 * H] = 1.0
        elif name in embeddings:
            bound = np.sqrt(3.0 / weight.shape[1])
            weight[:-1] = rng.uniform(-bound, bound, weight[:-1].shape)
        elif name == "head_weight" or name.startswith("attention"):
            weight[...] = _glorot(rng, weight.shape, sum(weight.shape))
        elif name == "head_bias":
            weight[...] = head_bias


def initial_bias(targets, loss, n_outputs, quantiles=()):
    """Return the head's bias: outputs that are right on average before anything is learned.

    Parameters
    ----------
    targets : Targets
        What is learned from.
    loss : str
    n_outputs : int
    quantiles : sequence of float, default=()
        Levels, for 'quantile'.

    Returns
    -------
    ndarray of shape (n_outputs,)
    """
    if targets.labels is not None:
        return log_priors(targets.labels, targets.weights, n_outputs)
    if loss == "binary_log_loss":
        return log_odds(targets.values, targets.weights)
    if loss == "poisson":  # of a mean of 1
        return np.zeros(n_outputs)
    if loss == "negative_binomial":
        return first_dispersions(targets.values, targets.weights)
    return first_outputs(targets.values, targets.weights, loss, quantiles)


def log_priors(labels, weights, n_classes):
    """Log of the class priors: a head bias with which the first outputs are right on average.

    Parameters
    ----------
    labels : ndarray of int
        -1 does not count.
    weights : ndarray of float, or None
    n_classes : int

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    counted = labels >= 0
    weights = None if weights is None else weights[counted]
    priors = np.bincount(labels[counted], weights=weights, minlength=n_classes)
    priors = (1 - PRIOR_SMOOTHING) * priors / priors.sum() + PRIOR_SMOOTHING / n_classes
    return np.log(priors)


def log_odds(indicators, weights):
    """Log-odds of each label: a head bias with which the first outputs are right on average.

    Parameters
    ----------
    indicators : ndarray of shape (n, n_labels)
        0 or 1.
    weights : ndarray of shape (n,), or None

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    shares = np.average(indicators, axis=0, weights=weights)
    shares = (1 - PRIOR_SMOOTHING) * shares + PRIOR_SMOOTHING / 2
    return np.log(shares) - np.log1p(-shares)


def first_outputs(values, weights, loss, levels):
    """Numbers that are right on average: a head bias of their mean, median, quantiles or spread.

    Parameters
    ----------
    values : ndarray of shape (n, n_targets), with NaN
    weights : ndarray of shape (n,), or None
    loss : str
    levels : sequence of float
        Of 'quantile'.
    """
    bias = []
    for column in values.T:
        known = ~np.isnan(column)
        if weights is not None:
            known &= weights > 0
        x, w = np.zeros(1), np.ones(1)
        if known.any():
            x = column[known].astype(np.float64)
            w = np.ones(len(x)) if weights is None else weights[known]
        mean = np.average(x, weights=w)
        if loss == "squared_error":
            bias.append(mean)
        elif loss in ("gaussian", "student_t"):
            deviation = np.sqrt(np.average((x - mean) ** 2, weights=w))
            bias += [mean, np.log(max(deviation, 1e-3))]
            if loss == "student_t":  # with n = 6 degrees of freedom n / (n - 2) scale^2 is variance
                bias[-1] += 0.5 * np.log(4 / 6)
                bias.append(np.log(4.0))
        else:
            order = np.argsort(x)
            share = np.cumsum(w[order]) / w.sum()
            at = np.searchsorted(share, levels if loss == "quantile" else [0.5])
            bias += x[order][np.minimum(at, len(x) - 1)].tolist()
    return np.array(bias)


def first_dispersions(values, weights):
    """Log mean and log dispersion of counts, by moments, beside the logarithms of their scales.

    Parameters
    ----------
    values : ndarray of shape (n, 2 n_targets), with NaN
        A count and the logarithm of its scale in turn.
    weights : ndarray of shape (n,), or None

    Returns
    -------
    ndarray of shape (2 n_targets,)
    """
    weights = np.ones(len(values)) if weights is None else weights
    bias = []
    for count, log_scale in zip(values.T[::2], values.T[1::2], strict=True):
        known = ~np.isnan(count) & (weights > 0)
        mean, dispersion = 1.0, 1.0
        if known.any():
            w, scale = weights[known], np.exp(log_scale[known].astype(np.float64))
            x = count[known] / scale
            mean = max(np.average(x, weights=w), 1e-3)
            # The variance of x is mean / scale + dispersion mean^2.
            excess = np.average((x - mean) ** 2 - mean / scale, weights=w)
            dispersion = np.clip(excess / mean**2, 1e-2, 10)
        bias += [np.log(mean), np.log(dispersion)]
    return np.array(bias)


def _glorot(rng, shape, fan):
    bound = np.sqrt(6.0 / fan)
    return rng.uniform(-bound, bound, shape)


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
