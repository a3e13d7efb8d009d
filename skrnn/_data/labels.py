"""The door for labels of steps, and tokens of targets: ragged collections become flat.

A label is a string, an integer or a boolean. None and NaN are no label, of a step; so is -1, but
only at the end of a sequence of integers, where it is padding: other negative integers are refused.
The tag schemes of chunks (BIO, BIOES) say which label may follow which.
"""

import warnings
from itertools import pairwise
from numbers import Integral, Number

import numpy as np

from skrnn._data.numbers import is_missing, refuse_masked
from skrnn._data.sequences import locate

PADDING = -1
OUTSIDE = "O"


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
    ValueError
        For what is no token, naming the sequence and the step.
    """
    row = cut_padding(row)
    if set(map(type, row)) <= {str}:
        return row
    for t, token in enumerate(row):
        number = isinstance(token, (Integral, float, np.floating))
        if is_missing(token) or (number and token < 0):
            raise ValueError(
                f"sequence {i} of {name} has {token!r} at step {t}, which is no token: None, NaN "
                f"and {PADDING} are padding, at the end of a sequence only. Leave out what is "
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
            f"sequence {i} has the label {labels[row]} at step {t}, but labels that are integers "
            f"are not negative; {PADDING} is padding, at the end of a sequence only. Write None "
            "(or NaN) where a step has no label, and strings where negative numbers are meant."
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
        f"sequence {i} has the label {label!r} at step {t}: a label is a string or an integer."
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
                f"classes has {label}, which is no label of a step: None and NaN are none, and "
                "labels that are integers are not negative."
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
    distinct = sorted(set(labels))
    signed, unsigned = np.iinfo(np.int64).max, np.iinfo(np.uint64).max
    large = any(isinstance(label, int) and signed < label <= unsigned for label in distinct[-1:])
    return np.array(distinct, dtype=np.uint64 if large else None)


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


# Tag schemes


def choose_scheme(tag_scheme, classes, codes, offsets):
    """Return the scheme that predictions are to keep; 'auto' takes none that y itself breaks.

    Parameters
    ----------
    tag_scheme : {'auto', 'BIO', 'BIOES'} or None
        What the user asked for.

    classes : ndarray of shape (n_classes,)

    codes : ndarray of shape (total_steps,)
        Labels of y as places in `classes`; -1 for none.

    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    {'BIO', 'BIOES'} or None
    """
    scheme = find_scheme(classes) if tag_scheme == "auto" else tag_scheme
    if scheme is None:
        return None
    forbidden = forbidden_paths(classes, scheme)  # raises for labels that are not of the scheme
    row = first_forbidden(codes, offsets, forbidden) if tag_scheme == "auto" else None
    if row is None:
        return scheme
    i, t = locate(offsets, row)
    warnings.warn(
        f"The labels look like {scheme}, but y itself does not keep to it: sequence {i} has "
        f"{classes.tolist()[codes[row]]!r} at step {t}. Predictions are left free; "
        f"tag_scheme={scheme!r} holds them to it, and tag_scheme=None silences this warning.",
        UserWarning,
        stacklevel=6,
    )
    return None


def find_scheme(classes):
    """Tell the scheme of labels by their tags: 'BIOES', 'BIO', or None where they are no chunks."""
    if classes.dtype.kind != "U":
        return None
    chunks = [str(c) for c in classes if c != OUTSIDE]
    tags = {c[0] for c in chunks if c[1:2] == "-" and c[0] in "BIES"}
    if not all(c[1:2] == "-" and c[0] in tags for c in chunks) or not tags & {"B", "S"}:
        return None
    if not tags & {"E", "S"}:
        return "BIO"
    return "BIOES" if "S" in tags or OUTSIDE in classes else None  # one may stand alone


def forbidden_paths(classes, scheme):
    """Say where a scheme forbids a label to stand.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    scheme : {'BIO', 'BIOES'}

    Returns
    -------
    ndarray of shape (n_classes + 2, n_classes), dtype=bool
        First row: at the start. Then: after label i. Last row: at the end.

    Raises
    ------
    ValueError
        For a label that the scheme has not, or labels of which none may stand alone.
    """
    tags = []
    for label in classes.tolist():
        tag, hyphen, kind = str(label).partition("-")
        if label != OUTSIDE and not (tag in list(scheme.replace("O", "")) and hyphen):
            raise ValueError(
                f"The label {label!r} is not of the scheme {scheme}: 'O', or one of "
                f"{', '.join(scheme.replace('O', ''))} with a hyphen and a type. Set "
                "tag_scheme=None for labels without a scheme."
            )
        tags.append((tag, kind))
    closed = "O" if scheme == "BIO" else "OES"  # after these nothing goes on
    goes_on = "I" if scheme == "BIO" else "IE"
    n = len(tags)
    forbidden = np.zeros((n + 2, n), dtype=bool)
    for j, (tag, kind) in enumerate(tags):
        forbidden[0, j] = tag in goes_on
        forbidden[n + 1, j] = scheme == "BIOES" and tag in "BI"
        for i, (before, kind_before) in enumerate(tags):
            open_chunk = before not in closed
            if tag in goes_on:
                forbidden[1 + i, j] = not (open_chunk and kind == kind_before)
            else:
                forbidden[1 + i, j] = open_chunk and scheme == "BIOES"
    if (forbidden[0] | forbidden[n + 1]).all():
        raise ValueError(
            f"No label of {classes.tolist()} may stand alone under the scheme {scheme}. Set "
            "tag_scheme=None."
        )
    return forbidden


def first_forbidden(codes, offsets, forbidden):
    """Find the first step whose label is forbidden where it stands.

    Parameters
    ----------
    codes : ndarray of shape (total_steps,)
        Places in the classes; -1 for no label.

    offsets : ndarray of shape (n_sequences + 1,)

    forbidden : ndarray of shape (n_classes + 2, n_classes)
        As `forbidden_paths` gives it.

    Returns
    -------
    int or None
        Its row among all steps.
    """
    filled = offsets[:-1][np.diff(offsets) > 0], offsets[1:][np.diff(offsets) > 0] - 1
    before = np.concatenate([[0], codes[:-1] + 1])
    known = (before > 0) & (codes >= 0)
    before[filled[0]], known[filled[0]] = 0, codes[filled[0]] >= 0
    wrong = known & forbidden[before, codes]
    wrong[filled[1]] |= (codes[filled[1]] >= 0) & forbidden[-1, codes[filled[1]]]
    return int(np.argmax(wrong)) if wrong.any() else None
