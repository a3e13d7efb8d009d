"""Labels of chunks from one tag scheme to another."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn._data.label_pairs import as_list
from skrnn._data.labels import as_rows, plain_labels
from skrnn._data.tag_schemes import (
    OUTSIDE,
    check_scheme,
    find_spans,
    has_suffixes,
    split_label,
    write_tags,
)


def convert_tag_scheme(labels, source, target):
    """Write the labels of chunks in another tag scheme.

    Parameters
    ----------
    labels : collection of label sequences
        Labels such as 'B-PER', 'PER-B' or 'B', and 'O'. Every step has one.

    source, target : {'BIO', 'BIOES', 'BILOU', 'BMES', 'IOB1', 'IOE1', 'IOE2', 'IO'}
        Scheme of `labels`, which they must keep to, and scheme of the result.

    Returns
    -------
    list of list of str

    Raises
    ------
    ValueError
        If a step has no label or one that `source` would not write there, or if `target` cannot
        tell two entities apart; the message names the sequence and the step.

    Examples
    --------
    >>> from skrnn.preprocessing import convert_tag_scheme
    >>> convert_tag_scheme([["I-PER", "I-PER", "O", "I-LOC"]], "IOB1", "BIOES")
    [['B-PER', 'E-PER', 'O', 'S-LOC']]
    """
    source, target = check_scheme(source), check_scheme(target)
    rows = [as_list(row, f"labels[{i}]") for i, row in enumerate(as_rows(labels))]
    rows = [plain_labels(row, np.array([0, len(row)])) for row in rows]
    suffix = has_suffixes(label for row in rows for label in row)
    return [_convert(row, source, target, suffix, i) for i, row in enumerate(rows)]


def _convert(row, source, target, suffix, i):
    if None in row:
        raise ValueError(
            f"sequence {i} has no label at step {row.index(None)}: whether an entity goes on there "
            "is unknown. Leave such steps out first."
        )
    spans = find_spans(row, source, f"sequence {i}, ", suffix=suffix)
    written = write_tags(spans, len(row), source)
    for t, (label, tag) in enumerate(zip(row, written, strict=True)):
        if split_label(label, suffix)[0] != tag:
            raise ValueError(
                f"sequence {i} has {label!r} at step {t}, where {source} would write {tag!r}. "
                "Correct the label, or name the scheme that the labels keep to as source."
            )
    tags = write_tags(spans, len(row), target)
    if target == "IO":
        again = find_spans(
            [_label(t, r, suffix) for t, r in zip(tags, row, strict=True)], target, suffix=suffix
        )
        lost = [span for span in spans if span not in again]
        if lost:
            raise ValueError(
                f"sequence {i} has two entities of one type side by side at step {lost[0][1]}, "
                "which IO cannot tell apart. Choose another target."
            )
    return [_label(tag, label, suffix) for tag, label in zip(tags, row, strict=True)]


def _label(tag, label, suffix):
    """Return a label with another tag."""
    if tag == OUTSIDE:
        return label
    _, kind = split_label(label, suffix)
    if "-" not in label:
        return tag
    return f"{kind}-{tag}" if suffix else f"{tag}-{kind}"
