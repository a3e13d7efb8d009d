"""The door for labels of steps, and tokens of targets: ragged collections become flat.

A label is a string, an integer or a boolean. None and NaN are no label, of a step; so is -1, but
only at the end of a sequence of integers, where it is padding: other negative integers are refused.
"""

from itertools import pairwise
from numbers import Integral, Number

import numpy as np

from skrnn._data.class_labels import label_array
from skrnn._data.formats import refuse_masked
from skrnn._data.numbers import is_missing
from skrnn._data.sequences import locate

PADDING = -1


# Tokens


def plain_tokens(row, i, name):
    """Return the tokens of a sequence without padding.

    Parameters
    ----------
    row : list
    i : int
        The sequence.
    name : str
        What the message calls all of them.

    Returns
    -------
    list

    Raises
    ------
    TypeError, ValueError
        For what is no token, naming the sequence and the step.
    """
    row = cut_padding(row)
    if set(map(type, row)) <= {str}:
        return row
    for t, token in enumerate(row):
        if isinstance(token, (list, tuple, dict, set, np.ndarray)):
            raise TypeError(
                f"sequence {i} of {name} has {token!r} at step {t}, which is not a token. Each "
                "sequence is one list of tokens; of several references, pass one at a time."
            )
        number = isinstance(token, (Integral, float, np.floating))
        if is_missing(token) or (number and token < 0):
            raise ValueError(
                f"sequence {i} of {name} has {token!r} at step {t}, which is not a token: None, "
                f"NaN and {PADDING} are padding, at the end of a sequence only. Leave out what is "
                "missing, and write negative integers as strings."
            )
    return [int(token) if _is_whole_float(token) else token for token in row]


# One label per step


def read_labels(y, offsets):
    """Join the labels of all sequences.

    Parameters
    ----------
    y : collection of label sequences, or 2-D array-like
        One per sequence; what is longer than its sequence must end in padding.

    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences of X start.

    Returns
    -------
    labels : list of length total_steps
        None where a step has no label.

    Raises
    ------
    TypeError, ValueError
        Naming the sequence and the step.
    """
    refuse_masked(y, "y")
    labels = []
    for i, (length, given) in enumerate(zip(np.diff(offsets).tolist(), as_rows(y), strict=True)):
        row = cut_padding(_as_list(given, i), length)
        if len(row) != length:
            padding = " Padding behind a sequence is None, NaN or -1." if len(row) > length else ""
            raise ValueError(
                f"sequence {i} has {length} step(s), but y has {len(row)} label(s) for it. Give "
                f"each step a label; None or NaN where it has none.{padding}"
            )
        labels += row
    return plain_labels(labels, offsets)


def as_rows(y):
    """Return a collection of sequences as one whose items are the sequences."""
    # Iterating over a table gives its columns.
    return y if isinstance(y, (list, tuple)) or not hasattr(y, "__array__") else np.asarray(y)


def _as_list(given, i):
    if isinstance(given, (list, tuple)):  # of which NumPy might make strings throughout
        return list(given)
    if isinstance(given, (str, bytes, dict, set, Number, np.generic)) or given is None:
        raise TypeError(
            f"y has {given!r} for sequence {i}, where a sequence of labels is expected, one for "
            "each step. For one label per sequence use RNNClassifier."
        )
    array = np.asarray(given)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"y has shape {array.shape} for sequence {i}, where one label per step is expected."
        )
    return array.tolist()


def cut_padding(row, length=0):
    """Cut padding, but no more than what is behind `length` values, off a list.

    Parameters
    ----------
    row : list
    length : int, default=0

    Returns
    -------
    list
        The row itself where there is nothing to cut.
    """
    stop = len(row)
    while stop > length and is_padding(row[stop - 1]):
        stop -= 1
    return row if stop == len(row) else row[:stop]


def is_padding(label):
    """Tell whether a label, or a token, at the end of a sequence is padding."""
    if isinstance(label, str):
        return False
    return is_missing(label) or (
        isinstance(label, (Integral, np.floating, float)) and label == PADDING
    )


def plain_labels(labels, offsets):
    """Bring the labels of all steps to one form.

    Parameters
    ----------
    labels : list of length total_steps
    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    list of length total_steps
        Strings, or integers and booleans; None for no label.

    Raises
    ------
    TypeError, ValueError
        For what is no label, naming the sequence and the step.
    """
    if not set(map(type, labels)) <= {str, int, bool, np.str_, type(None)}:
        labels = [_plain(label, offsets, row) for row, label in enumerate(labels)]
    if set(map(type, labels)) <= {str, np.str_, type(None)}:
        return labels
    labels = labels.copy()
    for start, stop in pairwise(offsets.tolist()):
        while stop > start and labels[stop - 1] in (None, PADDING):
            stop -= 1
            labels[stop] = None
    integers = [row for row, label in enumerate(labels) if isinstance(label, int)]
    if any(isinstance(label, str) for label in labels) and integers:
        i, t = locate(offsets, integers[0])
        raise TypeError(
            f"y mixes strings and numbers: sequence {i} has the label {labels[integers[0]]!r} at "
            f"step {t}. Write all labels as strings, and None where a step has none."
        )
    if (row := next((row for row in integers if labels[row] < 0), None)) is not None:
        i, t = locate(offsets, row)
        raise ValueError(
            f"sequence {i} has the label {labels[row]} at step {t}, but integer labels must not be "
            f"negative; {PADDING} is padding, at the end of a sequence only. Write None (or NaN) "
            "where a step has no label, and strings where negative numbers are meant."
        )
    return labels


def _plain(label, offsets, row):
    """Make a plain string of one of a subclass, and an integer of a whole float."""
    if isinstance(label, (np.str_, bool)) or is_missing(label):
        return None if is_missing(label) else label
    if isinstance(label, str):
        return str.__str__(label)  # of an enumeration the value
    if isinstance(label, np.bool_):
        return bool(label)
    if isinstance(label, Integral) or _is_whole_float(label):
        return int(label)
    i, t = locate(offsets, row)
    raise ValueError(
        f"sequence {i} has the label {label!r} at step {t}: a label is a string or an integer. "
        "Make one of each label, with str() of a fraction, .decode() of bytes or .name of an Enum."
    )


def read_classes(classes):
    """Return the labels that `partial_fit` is told of, as `read_labels` gives them."""
    given = list(classes) if isinstance(classes, (list, tuple, set)) else None
    if given is None:
        array = np.asarray(classes)
        if array.ndim != 1:
            raise TypeError(f"classes must be a list or an array of labels; got {classes!r}.")
        given = array.tolist()
    for label in given:
        if is_missing(label) or (isinstance(label, (Integral, float)) and label < 0):
            raise ValueError(
                f"classes has {label}, which is not a label of a step: None and NaN mark a missing "
                "label, and integer labels must not be negative."
            )
    return plain_labels(given, np.array([0, len(given)]))


def _is_whole_float(label):
    return isinstance(label, (float, np.floating)) and float(label).is_integer()


def label_classes(labels):
    """Return distinct labels, sorted, as an array that holds them as they are.

    Parameters
    ----------
    labels : collection of labels, none of them missing

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    return label_array(sorted(set(labels)))


def split_steps(flat, offsets):
    """Cut an array of all steps into a 1-D object array of arrays, one per sequence.

    Parameters
    ----------
    flat : ndarray of shape (total_steps, ...)
    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=object
    """
    parts = np.empty(len(offsets) - 1, dtype=object)
    for i in range(len(parts)):
        parts[i] = flat[offsets[i] : offsets[i + 1]].copy()
    return parts
