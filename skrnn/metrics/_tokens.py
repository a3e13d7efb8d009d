"""Scores of labels, step by step."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.metrics import make_scorer

from skrnn._data.class_labels import label_array
from skrnn._data.label_pairs import read_label_pairs
from skrnn._data.sample_weight import read_step_weights


def flatten_labels(y_true, y_pred):
    """Join the labels of all labeled steps, for scikit-learn's own metrics.

    Parameters
    ----------
    y_true, y_pred : collections of label sequences
        True and predicted labels, one per step. In `y_true`, None and NaN mark a step without a
        label, as does -1 at the end of a sequence of integers.

    Returns
    -------
    true, pred : ndarray of shape (n_labeled_steps,)

    Raises
    ------
    ValueError, TypeError
        If the two do not match; the message names the sequence.

    Examples
    --------
    >>> from sklearn.metrics import f1_score
    >>> from skrnn.metrics import flatten_labels
    >>> f1_score(*flatten_labels([[1, 0, -1], [1]], [[1, 1, 1], [1]]))
    0.8
    """
    true, pred, _ = read_label_pairs(y_true, y_pred)
    steps = [step for step in zip(true, pred, strict=True) if step[0] is not None]
    return label_array([true for true, _ in steps]), label_array([pred for _, pred in steps])


def token_accuracy_score(y_true, y_pred, *, sample_weight=None):
    """Return the fraction of labeled steps whose label is predicted correctly.

    Parameters
    ----------
    y_true, y_pred : collections of label sequences
        True and predicted labels, one per step. In `y_true`, None and NaN mark a step without a
        label, as does -1 at the end of a sequence of integers.

    sample_weight : array-like of shape (n_sequences,) or collection of sequences, default=None
        One weight per sequence, which applies to each of its steps, or one weight per step.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If lengths differ, in which case the message names the sequence, or if no labeled step has
        a positive weight.

    See Also
    --------
    flatten_labels : Join the labels of all steps, for `sklearn.metrics.classification_report`.

    Examples
    --------
    >>> from skrnn.metrics import token_accuracy_score
    >>> token_accuracy_score([["D", "N", None], ["V"]], [["D", "N", "V"], ["N"]])
    0.6666666666666666
    """
    true, pred, offsets = read_label_pairs(y_true, y_pred)
    weights = np.array([label is not None for label in true], dtype=np.float64)
    if sample_weight is not None:
        weights *= read_step_weights(sample_weight, offsets)
    total = weights.sum()
    if not total > 0:
        raise ValueError("No step of y_true has both a label and a weight above 0.")
    right = [label == found for label, found in zip(true, pred, strict=True)]
    return float(np.dot(weights, right) / total)


token_accuracy_scorer = make_scorer(token_accuracy_score)
