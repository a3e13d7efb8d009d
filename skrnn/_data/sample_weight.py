"""The door for weights: one per sequence, or one per step."""

from itertools import pairwise
from numbers import Number

import numpy as np

from skrnn._base.sklearn_api import _num_samples
from skrnn._data.formats import refuse_masked
from skrnn._data.numbers import read_numbers
from skrnn._data.sequences import locate


def read_weights(sample_weight, n_sequences):
    """Return a weight for each sequence.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or a number for all
    n_sequences : int

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=float64

    Raises
    ------
    TypeError, ValueError
        Naming the sequence.
    """
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n_sequences, sample_weight)
    weights = read_numbers(sample_weight, "sample_weight").astype(np.float64)
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar: one weight per sequence.")
    if len(weights) != n_sequences:
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_sequences,)}: one weight per "
            "sequence."
        )
    if len(wrong := np.flatnonzero(~((weights >= 0) & (weights < np.inf)))):
        raise ValueError(
            f"sample_weight must be finite and not negative; it is {weights[wrong[0]]} for "
            f"sequence {wrong[0]}."
        )
    return weights


def read_step_weights(sample_weight, offsets):
    """Return a weight for each step.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or collection of sequences of weights
        One per sequence, which each of its steps gets, or one per step; what is longer than its
        sequence must end in NaN or 0 (padding).

    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    ndarray of shape (total_steps,), dtype=float64

    Raises
    ------
    TypeError, ValueError
        Naming the sequence and the step.
    """
    lengths = np.diff(offsets)
    if isinstance(sample_weight, Number):
        return np.repeat(read_weights(sample_weight, len(lengths)), lengths)
    refuse_masked(sample_weight, "sample_weight")
    if len(sample_weight) != len(lengths):
        raise ValueError(
            f"sample_weight has {len(sample_weight)} items for {len(lengths)} sequences."
        )
    rows = sample_weight if isinstance(sample_weight, (list, tuple)) else np.asarray(sample_weight)
    if all(np.ndim(item) == 0 for item in rows):
        return np.repeat(read_weights(sample_weight, len(lengths)), lengths)
    weights = np.empty(offsets[-1])
    for i, (start, stop) in enumerate(pairwise(offsets.tolist())):
        row = read_numbers(rows[i], f"sample_weight of sequence {i}", "step").ravel()
        surplus = row[stop - start :]
        if len(row) < stop - start or not (np.isnan(surplus) | (surplus == 0)).all():
            raise ValueError(
                f"sequence {i} has {stop - start} step(s), but sample_weight has {len(row)} for "
                "it. Give one weight for each sequence, or one for each step."
            )
        weights[start:stop] = row[: stop - start]
    if len(wrong := np.flatnonzero(~((weights >= 0) & (weights < np.inf)))):
        i, t = locate(offsets, wrong[0])
        raise ValueError(
            "sample_weight must be finite and not negative; it is "
            f"{weights[wrong[0]]} for sequence {i}, step {t}."
        )
    return weights


def check_even_weights(weights, offsets):
    """Raise unless the steps of a sequence that count weigh the same: a CRF weighs sequences.

    Parameters
    ----------
    weights : ndarray of shape (total_steps,)
    offsets : ndarray of shape (n_sequences + 1,)
    """
    for i, (start, stop) in enumerate(pairwise(offsets)):
        some = weights[start:stop][weights[start:stop] > 0]
        if len(some) and some.min() != some.max():
            t = int(np.argmax(weights[start:stop] == some.max()))
            raise ValueError(
                f"sequence {i} weighs {some.max()} at step {t} and {some.min()} elsewhere, but "
                "with crf=True the steps of a sequence must weigh the same, or 0. Give one weight "
                "for each sequence, or set crf=False."
            )


def check_sample_weight(sample_weight, y):
    """Return sample weights as an array, or None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or None
    y : ndarray of shape (n_sequences, ...)

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=float64, or None
    """
    if sample_weight is None:
        return None
    sample_weight = read_weights(sample_weight, _num_samples(y))
    check_weights(sample_weight, "sample_weight")
    return sample_weight


def check_weights(weights, name):
    """Raise unless weights are finite, not negative, and weigh anything.

    Parameters
    ----------
    weights : ndarray of shape (n_sequences,)
    name : str
        What the text calls them.
    """
    wrong = np.flatnonzero(~((weights >= 0) & (weights < np.inf)))
    if len(wrong):
        raise ValueError(
            f"{name} must be finite and not negative; it is {weights[wrong[0]]} for sequence "
            f"{wrong[0]}."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"{name} adds up to {total}, which must be finite and not zero.")
