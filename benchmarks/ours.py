"""Our side: the public estimators, called as a user calls them."""

import warnings
from contextlib import nullcontext

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
        activation="tanh",
        solver="adam",
        alpha=0,
        batch_size=shape.B,
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
    return float(measure())
