"""The door for labels of sequences: one for each, or a matrix that says which of several hold.

What classes weigh stands here too, of labels of sequences and of steps.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skrnn._data.numbers import is_date, is_missing, sparse_error


def read_indicators(y):
    """Return a matrix with a column of 0 and 1 for each of several labels, if y is one.

    Parameters
    ----------
    y : object
        What the user passed, without masked values: an array or sparse matrix, lists of lists, a
        DataFrame.

    Returns
    -------
    ndarray of shape (n_sequences, n_labels), dtype=bool, or None
        None for all that :func:`read_class_labels` is to read, or to refuse.
    """
    if isinstance(y, (list, tuple)) and (not len(y) or len(set(map(np.size, y))) > 1):
        return None
    array = y.toarray() if issparse(y) else np.asarray(y)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biufO":
        return None
    if array.dtype == object and not all(isinstance(x, (Real, np.bool_)) for x in array.flat):
        return None
    ones = array == 1
    return ones if (ones | (array == 0)).all() else None


def warn_if_labels_of_steps(n_labels, lengths):
    """Warn where a matrix of labels has a column for each step of the sequences.

    Parameters
    ----------
    n_labels : int
    lengths : ndarray of shape (n_sequences,)
    """
    if (lengths == n_labels).all():
        warnings.warn(
            f"y has {n_labels} columns of 0 and 1, and every sequence has {n_labels} steps: each "
            "column is read as one label that a sequence has or does not have (multilabel). "
            "LSTMTagger learns a label for each step.",
            UserWarning,
            stacklevel=6,
        )


def read_class_labels(y):
    """Return one label for each sequence.

    Parameters
    ----------
    y : array-like of shape (n_sequences,)
        Without masked values: `check_targets` has looked.

    Returns
    -------
    ndarray of shape (n_sequences,)

    Raises
    ------
    TypeError, ValueError
        For what is no label, naming the sequence, and for labels of steps.
    """
    if issparse(y):
        raise sparse_error("y")
    labels = _as_column(y)
    if labels.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\ny has dtype {labels.dtype}.")
    suspect = ()
    if labels.dtype.kind in "mM" or (labels.dtype == object and set(map(type, labels)) != {str}):
        suspect = range(len(labels))
    if labels.dtype.kind == "f":
        suspect = np.flatnonzero(~np.isfinite(labels))
    for i in suspect:
        _check_class_label(labels[i], i)
    if labels.dtype == object:
        labels = _of_one_kind(labels)
    check_classification_targets(labels)
    return labels


def _as_column(y):
    """Return y as a 1-D array; refuse labels of steps, and a row of numbers per sequence."""
    if isinstance(y, (list, tuple)):
        i = _first_sequence(y)
        if i is not None and len({np.size(item) for item in y}) > 1:
            raise _labels_of_steps(y[i], i)
    if isinstance(y, (list, tuple)):
        y = list(map(plain_string, y))
    array = label_array(y) if isinstance(y, list) else np.asarray(y)
    if array.dtype.kind == "U" and isinstance(y, (list, tuple)):
        array = np.asarray(y, dtype=object)  # NumPy makes strings of numbers among them
        array = np.asarray(y) if all(isinstance(label, str) for label in array.flat) else array
    if array.ndim == 2 and array.shape[1] > 1:
        raise _labels_of_steps(array[0], 0)
    column = column_or_1d(array, warn=True)
    if column.dtype == object:
        i = _first_sequence(column)
        if i is not None:
            raise _labels_of_steps(column[i], i)
    return column


def _first_sequence(labels):
    """Return the place of the first label that is a sequence, None where there is none."""
    kinds = [kind for kind in set(map(type, labels)) if not issubclass(kind, (str, np.generic))]
    if not any(issubclass(kind, (list, tuple)) or hasattr(kind, "__array__") for kind in kinds):
        return None
    return next((i for i, label in enumerate(labels) if np.ndim(label) > 0), None)


def _labels_of_steps(row, i):
    return ValueError(
        f"y should be a 1d array, one label for each sequence, but has {np.size(row)} for sequence "
        f"{i}. LSTMTagger learns a label for each step. For several labels per sequence, "
        "MultiLabelBinarizer makes columns of 0 and 1."
    )


def _check_class_label(label, i):
    if is_date(label):
        raise TypeError(
            f"y has {label!r} for sequence {i}: a date is not a label. Convert dates to strings "
            "first, for example the name of the month or y.astype(str)."
        )
    if is_missing(label):
        raise ValueError(
            f"Input y contains NaN.\nsequence {i} has no label (y has {label!r} for it). Leave it "
            "out of X and y."
        )
    if label in (np.inf, -np.inf):
        raise ValueError(f"Input y contains infinity.\ny has {label!r} for sequence {i}.")


def _of_one_kind(labels):
    """Return objects as the array that NumPy makes of them; strings stay objects."""
    strings = [isinstance(label, str) for label in labels]
    if all(strings):
        return labels
    if any(strings):
        i = strings.index(not strings[0])
        raise TypeError(
            f"y mixes strings and numbers: it has {labels[0]!r} for sequence 0 and {labels[i]!r} "
            f"for sequence {i}. Write all labels as strings."
        )
    return np.array(labels.tolist())


def label_array(labels):
    """Return labels as an array that holds them as they are: NumPy makes floats of large integers.

    Parameters
    ----------
    labels : list

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    array = np.array(labels)
    if array.dtype.kind == "f" and all(isinstance(label, int) and label >= 0 for label in labels):
        return np.array(labels, dtype=np.uint64)
    return array


def plain_string(label):
    """Return a member of a class such as ``Tag(str, Enum)`` as the string that it is."""
    return str.__str__(label) if isinstance(label, str) else label


# Classes


def class_weights(class_weight, classes, codes, sample_weight):
    """Return the weight of each class.

    Parameters
    ----------
    class_weight : dict, 'balanced' or None
        'balanced' makes all classes that occur weigh the same.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n,), dtype=intp
        Labels as places in `classes`.
    sample_weight : ndarray of shape (n,), or None
        A weight counts like that many repetitions.

    Returns
    -------
    ndarray of shape (n_classes,), or None
        None where all weigh 1; 1 for a class that does not occur.
    """
    if class_weight is None:
        return None
    if class_weight == "balanced":
        found = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        occurs = found > 0
        weights = np.ones(len(classes))
        weights[occurs] = found.sum() / (occurs.sum() * found[occurs])
        return weights
    weights = compute_class_weight(class_weight, classes=classes, y=classes)
    if not ((weights >= 0) & (weights < np.inf)).all():
        raise ValueError(f"class_weight must be finite and not negative; got {class_weight}.")
    return weights


def check_partial_weights(class_weight):
    """Raise where `partial_fit` cannot know the weights of classes."""
    if class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported by partial_fit, which does not see all "
            "labels. Compute the weights with compute_class_weight and pass them as a dict."
        )
