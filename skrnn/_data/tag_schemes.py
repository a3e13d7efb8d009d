"""Tag schemes: how labels of steps mark spans (chunks, entities), and which label may follow which.

Ramshaw and Marcus (1995) introduced tags of begin, inside and outside; BIOES adds end and single.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from typing import NamedTuple

import numpy as np

from skrnn._data.labels import is_padding
from skrnn._data.sequences import locate

OUTSIDE = "O"


class Scheme(NamedTuple):
    """The tags of a scheme, which stand before the hyphen of a label."""

    tags: str  # all of them, in the order in which messages list them
    inside: str  # those that continue a span, which must be open
    closing: str  # those after which no span is open
    must_close: bool  # whether a span that is open must be continued up to a tag that closes it


SCHEMES = {
    "BIO": Scheme(tags="BIO", inside="I", closing="O", must_close=False),
    "BIOES": Scheme(tags="BIOES", inside="IE", closing="OES", must_close=True),
}


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
    rules = SCHEMES[scheme]
    of_spans = [tag for tag in rules.tags if tag != OUTSIDE]
    tags = []
    for label in classes.tolist():
        tag, hyphen, kind = str(label).partition("-")
        if label != OUTSIDE and not (tag in of_spans and hyphen):
            raise ValueError(
                f"The label {label!r} is not of the scheme {scheme}: 'O', or one of "
                f"{', '.join(of_spans)} with a hyphen and a type. Set tag_scheme=None for labels "
                "without a scheme."
            )
        tags.append((tag, kind))
    n = len(tags)
    forbidden = np.zeros((n + 2, n), dtype=bool)
    for j, (tag, kind) in enumerate(tags):
        forbidden[0, j] = tag in rules.inside
        forbidden[n + 1, j] = rules.must_close and tag not in rules.closing
        for i, (before, kind_before) in enumerate(tags):
            span_is_open = before not in rules.closing
            if tag in rules.inside:
                forbidden[1 + i, j] = not (span_is_open and kind == kind_before)
            else:
                forbidden[1 + i, j] = span_is_open and rules.must_close
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


def find_spans(labels, scheme, where=""):
    """Find the spans that the labels of one sequence mark, malformed ones as conlleval reads them.

    A span begins at a tag that is not `inside`, and at one that is where no span of its type is
    open; it ends where the next one begins, and at an O.

    Parameters
    ----------
    labels : list of str
        None, NaN and padding count as 'O'.

    scheme : {'BIO', 'BIOES'}

    where : str, default=""
        What messages put before the step, as in 'y_true, sequence 3, '.

    Returns
    -------
    list of (type, start, stop)

    Raises
    ------
    ValueError
        For a label that the scheme does not have, naming the step.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {list(SCHEMES)}, got {scheme!r}.")
    rules = SCHEMES[scheme]
    tags = frozenset(rules.tags)
    spans, start = [], None
    last_tag, last_kind = OUTSIDE, ""
    for step, label in enumerate([*labels, OUTSIDE]):
        tag, _, kind = (OUTSIDE if is_padding(label) else str(label)).partition("-")
        if tag not in tags:
            raise ValueError(
                f"Label {label!r} at {where}step {step} is not of the scheme {scheme!r}: it takes "
                f"'O', or one of {sorted(tags - {OUTSIDE})} with '-' and a type."
            )
        continues = tag in rules.inside and last_tag not in rules.closing and kind == last_kind
        begins = tag != OUTSIDE and not continues
        if start is not None and (begins or tag == OUTSIDE):
            spans.append((last_kind, start, step))
            start = None
        if begins:
            start = step
        last_tag, last_kind = tag, kind
    return spans
