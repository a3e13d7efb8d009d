"""Entities that are found in part: counts of what is right, wrong, partial, missed and spurious."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from typing import NamedTuple

from skrnn.metrics._entities import read_spans

COUNTS = ("correct", "incorrect", "partial", "missed", "spurious")


class _Criterion(NamedTuple):
    """When a predicted entity that overlaps with a true one is correct, and else is what."""

    same_ends: bool
    same_type: bool
    otherwise: str

    def is_met(self, pred, true):
        return (not self.same_ends or pred[1:] == true[1:]) and (
            not self.same_type or pred[0] == true[0]
        )


CRITERIA = {
    "strict": _Criterion(True, True, "incorrect"),
    "exact": _Criterion(True, False, "incorrect"),
    "partial": _Criterion(True, False, "partial"),
    "ent_type": _Criterion(False, True, "incorrect"),
}


def entity_match_counts(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    labels=None,
    by_type=False,
):
    """Count entities that are found wholly, in part, or under another type.

    Four criteria are those of SemEval 2013, task 9 [1]_, as the package nervaluate counts them:

    - 'strict': both ends and the type must be right;
    - 'exact': both ends, whatever the type;
    - 'partial': both ends, whatever the type; entities that share a step count half;
    - 'ent_type': the type, of entities that share a step.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix
        As in :func:`entity_precision_recall_f1_support`.

    labels : list of str, default=None
        Entity types to count; None takes all that occur. Entities of other types are left out
        before anything is compared.

    by_type : bool, default=False
        Count each type apart, as if there were no other.

    Returns
    -------
    dict of str to dict
        For each criterion 'correct', 'incorrect', 'partial', 'missed' and 'spurious' (int);
        'possible' (true entities), 'actual' (predicted ones); 'precision', 'recall' and 'f1'
        (float), 0 where there is nothing to divide by. With `by_type` one such dict per type.

    Raises
    ------
    ValueError, TypeError
        If lengths differ or a label does not belong to the scheme; the message names the sequence
        and the step.

    Notes
    -----
    Predicted entities choose in their order, each among the true ones with which it shares a step
    and which none before it has chosen: one that makes it correct, the one whose ends are nearest
    if there are several; else the first. So an early entity may take the one that a later entity
    would have matched.

    References
    ----------
    .. [1] Segura-Bedmar, Martinez and Herrero-Zazo (2013). SemEval-2013 task 9: extraction of
       drug-drug interactions from biomedical texts.

    Examples
    --------
    >>> from skrnn.metrics import entity_match_counts
    >>> y_true = [["B-PER", "I-PER", "O", "B-LOC"]]
    >>> counts = entity_match_counts(y_true, [["B-PER", "O", "O", "B-ORG"]])
    >>> counts["strict"]["correct"], counts["ent_type"]["correct"], counts["partial"]["f1"]
    (0, 1, 0.75)
    """
    true, pred = read_spans(y_true, y_pred, scheme, mode, suffix)
    found = {type_ for side in (true, pred) for one in side for type_, _, _ in one}
    types = sorted(found) if labels is None else list(labels)
    if by_type:
        return {type_: _all_criteria(true, pred, {type_}) for type_ in types}
    return _all_criteria(true, pred, set(types))


def _all_criteria(true, pred, types):
    """Return the counts of all criteria for entities of some types."""
    pairs = [
        tuple([span for span in side if span[0] in types] for side in pair)
        for pair in zip(true, pred, strict=True)
    ]
    return {name: _counts(pairs, criterion) for name, criterion in CRITERIA.items()}


def _counts(pairs, criterion):
    counts = dict.fromkeys(COUNTS, 0)
    for true, pred in pairs:
        left = list(true)
        for span in pred:
            beside = [other for other in left if other[1] < span[2] and span[1] < other[2]]
            right = [other for other in beside if criterion.is_met(span, other)]
            if right:
                counts["correct"] += 1
                left.remove(min(right, key=lambda other: _distance(span, other)))
            elif beside:
                counts[criterion.otherwise] += 1
                left.remove(beside[0])
            else:
                counts["spurious"] += 1
        counts["missed"] += len(left)
    matched = counts["correct"] + counts["incorrect"] + counts["partial"]
    possible, actual = matched + counts["missed"], matched + counts["spurious"]
    good = counts["correct"] + 0.5 * counts["partial"]
    precision, recall = (good / n if n else 0.0 for n in (actual, possible))
    f1 = 2 * precision * recall / (precision + recall) if good else 0.0
    return {
        **counts, "possible": possible, "actual": actual,
        "precision": precision, "recall": recall, "f1": f1,
    }  # fmt: skip


def _distance(span, other):
    return abs(span[1] - other[1]) + abs(span[2] - other[2])
