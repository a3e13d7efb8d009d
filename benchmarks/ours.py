"""Our side: the public estimators, called as a user calls them."""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import skrnn

try:
    from threadpoolctl import ThreadpoolController
except ImportError:  # scikit-learn depends on it, so only a broken environment lacks it
    ThreadpoolController = None

NAME = "skrnn"
VERSION = skrnn.__version__


def model(shape):
    """Make the estimator of `shape`, stopping after exactly ``shape.epochs`` epochs."""
    return skrnn.RNNClassifier(
        hidden_layer_sizes=(shape.H,) * shape.layers,
        cell=shape.cell,
        bidirectional=shape.bidirectional,
        pooling="last",
        scaling="none",
        activation="tanh",
        solver="adam",
        alpha=0,
        batch_size=shape.B,
        learning_rate="constant",
        learning_rate_init=1e-3,
        max_iter=shape.epochs,
        tol=0,
        n_iter_no_change=10**6,
        max_grad_norm=1.0,
        dtype="float32",
        random_state=0,
    )


def fit(shape, X, y):
    """Train from scratch; this whole call is what is timed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model(shape).fit(X, y)


def predict(fitted, shape, X):
    """Predict labels; this whole call is what is timed."""
    return fitted.predict(X)


def prepare(X):
    """Bring data into the form this side likes best, before the clock starts."""
    return X


def threads(n):
    """Make a context in which this side computes with `n` threads."""
    if ThreadpoolController is None:
        return nullcontext()
    return ThreadpoolController().limit(limits=n, user_api="openmp")


def fma_peak_gflops():
    """Measure the peak of one core in float32, at the level in use; None where that fails."""
    try:
        from skrnn._kernels import fma_peak_gflops as measure
    except ImportError:
        return None
    return float(measure(seconds=1.0))


def cores_gflops(cores, seconds=0.03):
    """Measure the multiply-adds of several cores at once, in GFLOP/s; None where that fails.

    On a shared machine this is less than `cores` times the peak of one: a core may have to share
    its units with somebody else's thread, and does not say so.
    """
    try:
        from skrnn._kernels import get_engine
    except ImportError:
        return None
    tile_flops = get_engine(np.float32).tile_flops

    def work(_):
        done, start = 0.0, time.perf_counter()
        while time.perf_counter() < start + seconds:
            done += tile_flops(5000, 1e-3)[0]
        return done / (time.perf_counter() - start)

    with ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(work, range(cores))) / 1e9
