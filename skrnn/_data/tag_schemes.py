"""Tag schemes: how labels of steps mark spans (chunks, entities), and which label may follow which.

Ramshaw and Marcus (1995) introduced tags of begin, inside and outside; Tjong Kim Sang and Veenstra
(1999) compare BIO (IOB2), IOB1, IOE1 and IOE2; BIOES, BILOU and BMES have tags of ends and singles.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from skrnn._data.labels import is_padding
from skrnn._data.sequences import locate

OUTSIDE = "O"


class Scheme(NamedTuple):
    """The tags that a scheme writes for the steps of a span."""

    first: str
    middle: str
    last: str
    only: str  # a span of one step
    after_same: str = ""  # first step of a span right behind one of its type, where it differs
    before_same: str = ""  # last step of a span right ahead of one of its type, where it differs

    @property
    def tags(self):
        """All tags in the order in which messages list them."""
        return "".join(dict.fromkeys("".join(self) + OUTSIDE))


SCHEMES = {
    "BIO": Scheme("B", "I", "I", "B"),
    "BIOES": Scheme("B", "I", "E", "S"),
    "BILOU": Scheme("B", "I", "L", "U"),
    "BMES": Scheme("B", "M", "E", "S"),
    "IOB1": Scheme("I", "I", "I", "I", after_same="B"),
    "IOE1": Scheme("I", "I", "I", "I", before_same="E"),
    "IOE2": Scheme("I", "I", "E", "E"),
    "IO": Scheme("I", "I", "I", "I"),
}
ALIASES = {"IOB2": "BIO", "IOBES": "BIOES", "BIOUL": "BILOU"}
# What a tag says in whatever scheme has it, for malformed labels to be read as conlleval does.
CONTINUES, CLOSES, ALL_TAGS = frozenset("IMEL"), frozenset("ELSUO"), frozenset("BIMELSU")


def check_scheme(scheme, *others):
    """Return the name of a scheme, or one of the others; raise a ValueError for another."""
    scheme = ALIASES.get(scheme, scheme) if isinstance(scheme, str) else scheme
    if scheme not in (*SCHEMES, *others):
        names = [*others, *SCHEMES, *ALIASES]
        raise ValueError(f"scheme must be one of {names}, got {scheme!r}.")
    return scheme


# One label


def split_label(label, suffix=False):
    """Return the tag and the type of a label, such as 'B' and 'PER' of 'B-PER'."""
    if suffix:
        kind, _, tag = str(label).rpartition("-")
    else:
        tag, _, kind = str(label).partition("-")
    return tag, kind


def has_suffixes(labels):
    """Tell whether tags stand behind types, as in 'PER-B': in all labels, and not before them."""
    chunks = {str(label) for label in labels} - {OUTSIDE}
    before, behind = (
        bool(chunks) and all(split_label(c, suffix)[0] in ALL_TAGS for c in chunks)
        for suffix in (False, True)
    )
    return behind and not before


# Which scheme labels follow


def find_schemes(labels):
    """Return the schemes that labels may follow by their tags, the likeliest first.

    Parameters
    ----------
    labels : iterable of str

    Returns
    -------
    tuple of str
        Empty where they are no labels of chunks.
    """
    labels = set(labels)
    if not all(isinstance(label, str) for label in labels):
        return ()
    chunks = labels - {OUTSIDE}
    suffix = has_suffixes(chunks)
    tags = {split_label(label, suffix)[0] for label in chunks}
    if not tags or not tags <= ALL_TAGS:
        return ()
    if not all("-" in label for label in chunks):
        # Single letters may mean anything: only a whole alphabet tells.
        whole = ({*"BIO"}, {*"BIES"}, {*"BILU"}, {*"BMES"})
        if any("-" in label for label in chunks) or not any(
            labels == letters or chunks == letters for letters in whole
        ):
            return ()
    if tags == {"I"}:
        return ("IO",)
    for names in (("BIO", "IOB1"), ("IOE2", "IOE1"), ("BIOES",), ("BMES",), ("BILOU",)):
        scheme = SCHEMES[names[0]]
        if tags <= set(scheme.tags):
            alone = scheme.only in tags or OUTSIDE in labels  # one label may stand alone
            return names if alone else ()
    return ()


def scheme_to_read(scheme, suffix, labels, *, strict=False):
    """Return the scheme by which metrics read labels, and whether tags stand behind types.

    Parameters
    ----------
    scheme : str
        'auto', or a name of `SCHEMES` or `ALIASES`.

    suffix : bool or None
        None finds it out.

    labels : iterable of labels

    strict : bool, default=False
        Whether it matters which of the schemes with the same tags it is.

    Returns
    -------
    scheme : str
    suffix : bool

    Raises
    ------
    ValueError
        If the scheme is unknown, or it matters and cannot be found.
    """
    labels = {label for label in labels if not is_padding(label)}
    suffix = has_suffixes(labels) if suffix is None else bool(suffix)
    scheme = check_scheme(scheme, "auto")
    if scheme != "auto":
        return scheme, suffix
    found = find_schemes(labels) if has_suffixes(labels) == suffix else ()
    if found:
        return found[0], suffix
    tags = {split_label(label, suffix)[0] for label in labels} - {OUTSIDE}
    if strict and tags:
        raise ValueError(
            "mode='strict' needs a scheme, and the labels do not tell which it is: their tags are "
            f"{sorted(tags)}. Set scheme to one of {list(SCHEMES)}."
        )
    tags &= ALL_TAGS  # that of another is an error, which names where it is
    return next((name for name in SCHEMES if tags <= set(SCHEMES[name].tags)), "BIO"), suffix


def choose_scheme(tag_scheme, classes, codes, offsets):
    """Return the scheme that predictions are to keep; 'auto' takes none that y itself breaks.

    Parameters
    ----------
    tag_scheme : str or None
        What the user asked for: 'auto', or a name of `SCHEMES` or `ALIASES`.

    classes : ndarray of shape (n_classes,)

    codes : ndarray of shape (total_steps,)
        Labels of y as places in `classes`; -1 for none.

    offsets : ndarray of shape (n_sequences + 1,)

    Returns
    -------
    str or None
        A name of `SCHEMES`.
    """
    if tag_scheme is None:
        return None
    if tag_scheme != "auto":
        scheme = check_scheme(tag_scheme)
        forbidden_paths(classes, scheme)  # raises for labels that are not of the scheme
        return scheme
    schemes = find_schemes(classes.tolist())
    if schemes == ("IO",):  # which forbids nothing
        return None
    if not schemes:
        _warn_of_small_letters(classes)
        return None
    rows = [first_forbidden(codes, offsets, forbidden_paths(classes, s)) for s in schemes]
    for scheme, row in zip(schemes, rows, strict=True):
        if row is None:
            return scheme
    i, t = locate(offsets, rows[0])
    warnings.warn(
        f"The labels look like {schemes[0]}, but y itself violates it: sequence {i} has "
        f"{classes.tolist()[codes[rows[0]]]!r} at step {t}. Predictions are left free; "
        f"tag_scheme={schemes[0]!r} holds them to it, and tag_scheme=None silences this warning.",
        UserWarning,
        stacklevel=6,
    )
    return None


def _warn_of_small_letters(classes):
    schemes = find_schemes(str(label).upper() for label in classes.tolist())
    if schemes:
        warnings.warn(
            f"The labels look like {schemes[0]} in small letters: {classes.tolist()[0]!r}. "
            "Predictions are left free. Write the tags in capitals for the scheme to be kept; "
            "tag_scheme=None silences this warning.",
            UserWarning,
            stacklevel=7,
        )


# Which label may follow which


def forbidden_paths(classes, scheme):
    """Say where a scheme forbids a label to stand.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)

    scheme : str
        A name of `SCHEMES`.

    Returns
    -------
    ndarray of shape (n_classes + 2, n_classes), dtype=bool
        First row: at the start. Then: after label i. Last row: at the end.

    Raises
    ------
    ValueError
        If the scheme does not have a label, or if none of the labels may stand alone.
    """
    rules = SCHEMES[scheme]
    suffix = has_suffixes(classes.tolist())
    of_spans = [tag for tag in rules.tags if tag != OUTSIDE]
    tags = []
    for label in classes.tolist():
        tag, kind = split_label(label, suffix)
        if label != OUTSIDE and tag not in of_spans:
            raise ValueError(
                f"The label {label!r} is not of the scheme {scheme}: 'O', or one of "
                f"{', '.join(of_spans)}, alone or with a hyphen and a type"
                + _capitals_hint(label, of_spans)
                + ". Set tag_scheme=None for labels without a scheme."
            )
        tags.append((tag, kind))
    allowed = _allowed_pairs(rules)
    n = len(tags)
    forbidden = np.zeros((n + 2, n), dtype=bool)
    for j, (tag, kind) in enumerate(tags):
        for row, (before, kind_before) in enumerate([(OUTSIDE, None), *tags]):
            forbidden[row, j] = (before, tag, kind_before == kind) not in allowed
        forbidden[n + 1, j] = (tag, OUTSIDE, False) not in allowed
    if (forbidden[0] | forbidden[n + 1]).all():
        raise ValueError(
            f"No label of {classes.tolist()} may stand alone under the scheme {scheme}. Set "
            "tag_scheme=None."
        )
    return forbidden


class _Place(NamedTuple):
    """Where in a span a tag stands, and whether a span of the same type is right beside."""

    starts: bool
    ends: bool
    after_same: bool = False
    before_same: bool = False


def _places(rules, tag):
    """Return all places that a scheme writes a tag for; None is outside."""
    places = [None] if tag == OUTSIDE else []
    for starts, ends, after, before in product((False, True), repeat=4):
        if after <= starts and before <= ends and _tag(rules, starts, ends, after, before) == tag:
            places.append(_Place(starts, ends, after, before))
    return places


def _tag(rules, starts, ends, after_same, before_same):
    if after_same and rules.after_same:
        return rules.after_same
    if before_same and rules.before_same:
        return rules.before_same
    if starts:
        return rules.only if ends else rules.first
    return rules.last if ends else rules.middle


def _allowed_pairs(rules):
    """Return (tag, next tag, whether their types are the same) of all pairs that may occur."""
    places = {tag: _places(rules, tag) for tag in rules.tags}
    return {
        (tag, following, same_type)
        for tag, following, same_type in product(places, places, (False, True))
        if any(_may_follow(a, b, same_type) for a in places[tag] for b in places[following])
    }


def _may_follow(place, following, same_type):
    if place is not None and not place.ends:  # the span goes on
        return following is not None and not following.starts and same_type
    beside = place is not None and following is not None and same_type
    return (
        (place is None or place.before_same == beside)
        and (following is None or (following.starts and following.after_same == beside))
    )  # fmt: skip


def _capitals_hint(label, of_spans):
    small = str(label)[:1].upper() in [*of_spans, OUTSIDE] and str(label)[:1].islower()
    return " (in capitals)" if small else ""


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


# Spans


def find_spans(labels, scheme, where="", *, suffix=False, strict=False):
    """Find the spans that the labels of one sequence mark, malformed ones as conlleval reads them.

    A span begins at a tag that does not continue one, and at one that does where no span of its
    type is open; it ends where the next one begins, and at an O.

    Parameters
    ----------
    labels : list of str
        None, NaN and padding count as 'O'.

    scheme : str
        A name of `SCHEMES`.

    where : str, default=""
        What messages put before the step, as in 'y_true, sequence 3, '.

    suffix : bool, default=False
        Whether tags stand behind types, as in 'PER-B'.

    strict : bool, default=False
        Leave out the spans whose labels are not those that the scheme writes for them.

    Returns
    -------
    list of (type, start, stop)

    Raises
    ------
    ValueError
        For a label that the scheme does not have, naming the step.
    """
    tags = frozenset(SCHEMES[scheme].tags)
    steps = []
    for step, label in enumerate(labels):
        tag, kind = split_label(OUTSIDE if is_padding(label) else label, suffix)
        if tag not in tags:
            pattern = "a type and '-' before it" if suffix else "'-' and a type"
            raise ValueError(
                f"Label {label!r} at {where}step {step} is not of the scheme {scheme!r}: it takes "
                f"'O', or one of {sorted(tags - {OUTSIDE})} with {pattern}"
                + _capitals_hint(label, tags)
                + "."
            )
        steps.append((tag, kind))
    spans, start = [], None
    last_tag, last_kind = OUTSIDE, ""
    for step, (tag, kind) in enumerate([*steps, (OUTSIDE, "")]):
        continues = tag in CONTINUES and last_tag not in CLOSES and kind == last_kind
        begins = tag != OUTSIDE and not continues
        if start is not None and (begins or tag == OUTSIDE):
            spans.append((last_kind, start, step))
            start = None
        if begins:
            start = step
        last_tag, last_kind = tag, kind
    if not strict:
        return spans
    right = write_tags(spans, len(steps), scheme)
    return [
        (kind, start, stop)
        for kind, start, stop in spans
        if all(steps[t][0] == right[t] for t in range(start, stop))
    ]


def write_tags(spans, n_steps, scheme):
    """Return the tags that a scheme writes for spans.

    Parameters
    ----------
    spans : list of (type, start, stop)
        In the order of the steps.

    n_steps : int

    scheme : str
        A name of `SCHEMES`.

    Returns
    -------
    list of str, of length n_steps
    """
    rules = SCHEMES[scheme]
    tags = [OUTSIDE] * n_steps
    ends = ("", -1, -1)
    beside = [a[0] == b[0] and a[2] == b[1] for a, b in pairwise([ends, *spans, ends])]
    for (_, start, stop), after, before in zip(spans, beside, beside[1:], strict=False):
        for t in range(start, stop):
            first, last = t == start, t == stop - 1
            tags[t] = _tag(rules, first, last, after and first, before and last)
    return tags
