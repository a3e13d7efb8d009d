"""The door for labels and weights of steps: ragged collections become flat arrays.

A label is a string, an integer or a boolean. None, NaN, or -1 among integers, is no label: the
step does not count. The tag schemes of chunks (BIO, BIOES) say which label may follow which.
"""

import warnings
from itertools import chain, pairwise
from numbers import Integral, Number

import numpy as np

from skrnn._sequences import locate

MISSING = -1
OUTSIDE = "O"


def read_labels(y, offsets):
    """Join the labels of all sequences.

    Parameters
    ----------
    y : collection of label sequences, or 2-D array-like
        One a sequence; what is longer than its sequence must end in missing labels (padding).

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
    labels = []
    for i, (length, given) in enumerate(zip(np.diff(offsets).tolist(), y, strict=True)):
        row = _as_list(given, i)
        if len(row) != length:
            row = _without_padding(row, length, i)
        labels += row
    kinds = set(map(type, labels))
    if any(not issubclass(kind, (str, Integral, np.bool_, type(None))) for kind in kinds):
        labels = [_plain(label, offsets, row) for row, label in enumerate(labels)]
        kinds = set(map(type, labels))
    strings = any(issubclass(kind, str) for kind in kinds)
    if strings and any(issubclass(kind, (Integral, np.bool_)) for kind in kinds):
        row = next(r for r, x in enumerate(labels) if isinstance(x, (Integral, np.bool_)))
        i, t = locate(offsets, row)
        raise TypeError(
            f"y mixes strings and numbers: sequence {i} has the label {labels[row]!r} at step {t}. "
            "Write all labels as strings, and None where a step has none."
        )
    if strings:
        return labels
    return [None if label is None or label == MISSING else label for label in labels]


def _as_list(given, i):
    if isinstance(given, (list, tuple)):  # of which NumPy might make strings throughout
        return list(given)
    if isinstance(given, (str, bytes, dict, set, Number, np.generic)) or given is None:
        raise TypeError(
            f"y has {given!r} for sequence {i}, where a sequence of labels is expected, one for "
            "each step. For one label a sequence use RNNClassifier."
        )
    array = np.asarray(given)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"y has shape {array.shape} for sequence {i}, where one label a step is expected."
        )
    return array.tolist()


def _without_padding(row, length, i):
    if len(row) > length and all(_is_missing(label) for label in row[length:]):
        return row[:length]
    raise ValueError(
        f"sequence {i} has {length} step(s), but y has {len(row)} label(s) for it. Give each step "
        "a label; None (or -1 for integers) where it has none."
    )


def _is_missing(label):
    return label is None or label == MISSING or label != label


def _plain(label, offsets, row):
    """Make an integer of a whole float, which is what a missing value makes of integers."""
    if label is None or isinstance(label, (str, Integral, np.bool_)):
        return label
    if isinstance(label, (float, np.floating)):
        if label != label:
            return None
        if label.is_integer():
            return int(label)
    i, t = locate(offsets, row)
    raise ValueError(
        f"sequence {i} has the label {label!r} at step {t}: a label is a string or an integer."
    )


def read_step_weights(sample_weight, offsets):
    """Return a weight for each step.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or collection of sequences of weights
        One for a sequence, which each of its steps gets, or one for each step.

    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    ndarray of shape (total_steps,), dtype=float64

    Raises
    ------
    ValueError
        Naming the sequence and the step.
    """
    lengths = np.diff(offsets)
    if len(sample_weight) != len(lengths):
        raise ValueError(
            f"sample_weight has {len(sample_weight)} items, but X has {len(lengths)} sequences."
        )
    if all(np.ndim(item) == 0 for item in sample_weight):
        weights = np.repeat(np.asarray(sample_weight, dtype=np.float64), lengths)
    else:
        found = [np.size(item) for item in sample_weight]
        if len(wrong := np.flatnonzero(found != lengths)):
            i = wrong[0]
            raise ValueError(
                f"sequence {i} has {lengths[i]} step(s), but sample_weight has {found[i]} for it. "
                "Give one weight for each sequence, or one for each step."
            )
        weights = np.fromiter(
            chain.from_iterable(map(np.ravel, sample_weight)), np.float64, offsets[-1]
        )
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
                "with crf=True the steps of a sequence weigh the same, or 0. Give one weight for "
                "each sequence, or set crf=False."
            )


def split_steps(flat, offsets):
    """Cut an array of all steps into a 1-D object array of arrays, one a sequence.

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
