"""The side of a worker: a look at its shard, and local steps from the common weights."""

import pickle

import numpy as np

from skrnn._base.sklearn_api import _num_samples
from skrnn._data.formats import take_items


def unpack(shard):
    """Return X, y and weights of a shard, (X, y), (X, y, sample_weight) or X alone."""
    parts = shard if isinstance(shard, tuple) else (shard,)
    return (*parts, None, None)[:3]


def from_pairs(pairs):
    """Make a shard of pairs (x, y) or triples (x, y, weight)."""
    return tuple(map(list, zip(*pairs)))


def take(shard, rows):
    """Return X, y and weights of some sequences of a shard."""
    rows = np.asarray(rows)
    return [None if part is None else take_items(part, rows) for part in unpack(shard)]


def survey(shard, wants):
    """Return what must be known of all data before the network is made.

    Parameters
    ----------
    shard : tuple
    wants : set of str
        Of 'classes', 'vocabulary' and 'target_tokens'.

    Returns
    -------
    dict
        `n_sequences`; under each name of `wants` the distinct values, or None.
    """
    X, y, _ = unpack(shard)
    seen = {"n_sequences": _num_samples(X)}
    if "classes" in wants:
        seen["classes"] = distinct(y)
    if "vocabulary" in wants:
        seen["vocabulary"] = distinct(X) if holds_strings(X) else None
    if "target_tokens" in wants:
        seen["target_tokens"] = distinct(y)
    return seen


def holds_strings(X):
    """Whether X is token sequences: whether the first item that is there is a string."""
    for x in X:
        for item in [x] if isinstance(x, str) else x:
            return isinstance(item, str)
    return False


def distinct(values):
    """Return the sorted distinct labels or tokens of a vector or of a collection of sequences."""
    found = set()
    for value in values:
        if isinstance(value, str) or not np.iterable(value):
            found.add(value)
        else:
            found.update(value.tolist() if isinstance(value, np.ndarray) else value)
    return sorted(v for v in found if v is not None and v == v)  # no missing label


def first_rows(shard, n):
    """Return X, y and weights of the first sequences of a shard."""
    return take(shard, np.arange(min(n, _num_samples(unpack(shard)[0]))))


def local_steps(shard, packed, rows, seed, settings):
    """Take steps from the common weights, on some sequences of the shard.

    Parameters
    ----------
    shard : tuple
    packed : bytes
        Pickled estimator with the common weights and moments.
    rows : ndarray of int
        The sequences, in the order in which they are read.
    seed : int
        Of dropout.
    settings : dict
        Parameters of the estimator for these steps: the step size, the penalty.

    Returns
    -------
    dict or None
        `params`, `m`, `v`, `step`, and the `loss` and `weight` of the sequences; None without any.
    """
    X, y, sample_weight = take(shard, rows)
    if not len(rows) or (sample_weight is not None and not np.any(sample_weight)):
        return None
    estimator = pickle.loads(packed)
    estimator.set_params(**settings, shuffle=False, random_state=seed, early_stopping=False)
    given = {} if sample_weight is None else {"sample_weight": sample_weight}
    if y is not None:
        given["y"] = y
    estimator.partial_fit(X, **given)
    optimizer = estimator._optimizer
    weight = len(rows) if sample_weight is None else float(np.sum(sample_weight))
    return {
        "params": estimator._params,
        "m": optimizer.m,
        "v": optimizer.v,
        "step": optimizer.step,
        "loss": estimator.loss_,
        "weight": weight,
    }
