"""Precision, recall and F1 of entities."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from itertools import chain, pairwise

import numpy as np
from sklearn.metrics import classification_report, make_scorer, precision_recall_fscore_support

from skrnn._data.label_pairs import as_list, read_label_pairs
from skrnn._data.labels import plain_labels
from skrnn._data.tag_schemes import OUTSIDE, find_spans, scheme_to_read

NO_TYPE = -1  # where the types of entities are numbered


def entity_spans(labels, scheme="auto", *, mode="lenient", suffix=None):
    """Return the entity spans that the labels of one sequence mark.

    Parameters
    ----------
    labels : sequence of str
        Each label is 'O' (outside), or a tag of the scheme and an entity type, as in 'B-PER'. The
        type is everything after the first hyphen and may be missing. None and NaN count as 'O'.

    scheme : {'auto', 'BIO', 'BIOES', 'BILOU', 'BMES', 'IOB1', 'IOE1', 'IOE2', 'IO'}, default='auto'
        Tagging scheme. 'auto' finds it from the labels. 'IOB2', 'IOBES' and 'BIOUL' are other
        names of 'BIO', 'BIOES' and 'BILOU'.

    mode : {'lenient', 'strict'}, default='lenient'
        What to do about malformed labels: 'lenient' reads them as conlleval, the script of the
        shared tasks, does; 'strict' leaves out the spans whose labels are not exactly those that
        the scheme writes for them.

    suffix : bool or None, default=None
        Whether tags stand behind types, as in 'PER-B', where the type is everything before the
        last hyphen. None finds it from the labels; what can be both is read as a tag in front.

    Returns
    -------
    list of (type, start, stop)
        Spans in the order of the steps; `stop` is the first step after the entity.

    Raises
    ------
    ValueError
        If a label does not belong to the scheme; the message names the step. With 'strict', if
        the labels do not tell the scheme.

    Notes
    -----
    For conlleval [1]_ an entity begins at a B- or S-, and at an I- or E- that follows an O, an E-
    or S-, or another type; it ends where the next entity begins, and at an O. The original script
    does not know S-, and continues an entity at a B- after an E- of the same type; on these two
    points the rules here are those of its variants for BIOES.

    The strict spans are those of the package seqeval, except that its IOB1 takes some malformed
    labels and its IOE1 leaves out single steps that are marked with E-.

    References
    ----------
    .. [1] Tjong Kim Sang and Buchholz (2000). Introduction to the CoNLL-2000 shared task: chunking.

    Examples
    --------
    >>> from skrnn.metrics import entity_spans
    >>> entity_spans(["B-PER", "I-PER", "O", "I-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4)]
    >>> entity_spans(["B-PER", "I-PER", "O", "I-LOC"], mode="strict")
    [('PER', 0, 2)]
    """
    strict = _is_strict(mode)
    labels = as_list(labels, "labels")
    labels = plain_labels(labels, np.array([0, len(labels)]))
    scheme, suffix = scheme_to_read(scheme, suffix, labels, strict=strict)
    return find_spans(labels, scheme, suffix=suffix, strict=strict)


def entity_precision_recall_f1_support(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    average="micro",
    labels=None,
    zero_division=0.0,
):
    """Return precision, recall, F1 and number of entities, as conlleval counts them.

    A predicted entity is correct if its type and both of its ends are correct.

    Parameters
    ----------
    y_true, y_pred : collections of label sequences
        True and predicted labels, one per step; :func:`entity_spans` says how they mark entities.
        A step whose true label is None or NaN counts as outside in both. Where entities should
        continue across such a step, as over the pieces of a word, remove the step first.

    scheme, mode, suffix
        As in :func:`entity_spans`. 'auto' finds one scheme from all labels, true and predicted.

    average : {'micro', 'macro', 'weighted'} or None, default='micro'
        'micro' counts the entities of all types together, as conlleval's overall figures do;
        'macro' is the mean over types; 'weighted' is the mean weighted by support; None returns
        the scores of each type.

    labels : list of str, default=None
        Entity types to count, in this order; None takes all types that occur, sorted.

    zero_division : {0.0, 1.0, np.nan, 'warn'}, default=0.0
        Value returned when the denominator is zero; 'warn' returns 0 and warns.

    Returns
    -------
    precision, recall, f1 : float, or ndarray of shape (n_types,) where `average` is None

    support : None, or ndarray of shape (n_types,) where `average` is None
        Number of true entities of each type.

    Raises
    ------
    ValueError, TypeError
        If lengths differ or a label does not belong to the scheme; the message names the sequence
        and the step.

    Examples
    --------
    >>> from skrnn.metrics import entity_f1_score
    >>> y_true = [["B-PER", "I-PER", "O"], ["B-LOC"]]
    >>> entity_f1_score(y_true, [["B-PER", "I-PER", "O"], ["B-PER"]])
    0.5
    """
    true, pred, types, codes = _entities(y_true, y_pred, scheme, mode, suffix, labels)
    scores = precision_recall_fscore_support(
        true, pred, labels=codes, average=average, zero_division=zero_division
    )
    if average is None:
        return tuple(score[: len(types)] for score in scores)
    return (*map(float, scores[:3]), None)


def entity_precision_score(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    average="micro",
    labels=None,
    zero_division=0.0,
):
    """Return the precision: the fraction of predicted entities that are correct.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, mode=mode, suffix=suffix, average=average, labels=labels,
        zero_division=zero_division,
    )[0]  # fmt: skip


def entity_recall_score(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    average="micro",
    labels=None,
    zero_division=0.0,
):
    """Return the recall: the fraction of true entities that are found.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, mode=mode, suffix=suffix, average=average, labels=labels,
        zero_division=zero_division,
    )[1]  # fmt: skip


def entity_f1_score(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    average="micro",
    labels=None,
    zero_division=0.0,
):
    """Return the F1 score: the harmonic mean of the precision and recall of entities.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, mode=mode, suffix=suffix, average=average, labels=labels,
        zero_division=zero_division,
    )[2]  # fmt: skip


def entity_classification_report(
    y_true,
    y_pred,
    *,
    scheme="auto",
    mode="lenient",
    suffix=None,
    labels=None,
    digits=2,
    output_dict=False,
    zero_division=0.0,
):
    """Report the precision, recall, F1 and support of each entity type, as text or as a dict.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`.

    digits : int, default=2
        Number of decimals of the text.

    output_dict : bool, default=False
        Return a dict, as of :func:`sklearn.metrics.classification_report`.

    Returns
    -------
    str or dict
        One line, or one dict, per type, and the averages over types: 'micro avg', 'macro avg' and
        'weighted avg'.
    """
    true, pred, types, codes = _entities(y_true, y_pred, scheme, mode, suffix, labels)
    report = classification_report(
        true, pred, labels=codes, target_names=types or ["(no entities)"], digits=digits,
        output_dict=output_dict, zero_division=zero_division,
    )  # fmt: skip
    if output_dict and not types:
        del report["(no entities)"]
    return report


entity_f1_scorer = make_scorer(entity_f1_score)


def _is_strict(mode):
    if mode not in ("lenient", "strict"):
        raise ValueError(f"mode must be 'lenient' or 'strict', got {mode!r}.")
    return mode == "strict"


def read_spans(y_true, y_pred, scheme, mode, suffix):
    """Return the true and the predicted spans of each sequence.

    Parameters
    ----------
    y_true, y_pred, scheme, mode, suffix
        As in :func:`entity_precision_recall_f1_support`.

    Returns
    -------
    true, pred : list of list of (type, start, stop)
    """
    strict = _is_strict(mode)
    trues, preds, offsets = read_label_pairs(y_true, y_pred)
    preds = [OUTSIDE if t is None else p for t, p in zip(trues, preds, strict=True)]
    scheme, suffix = scheme_to_read(scheme, suffix, chain(trues, preds), strict=strict)
    return tuple(
        [
            find_spans(
                steps[first:end], scheme, f"{name}, sequence {i}, ", suffix=suffix, strict=strict
            )
            for i, (first, end) in enumerate(pairwise(offsets.tolist()))
        ]
        for name, steps in (("y_true", trues), ("y_pred", preds))
    )


def _entities(y_true, y_pred, scheme, mode, suffix, labels):
    """Return true and predicted type of each span in either, the types, and their numbers.

    Spans that one side does not have are outside there. One entry is outside in both, and a number
    is given where there is no type: scikit-learn counts neither, but does not take nothing.
    """
    true, pred = (
        {(i, start, stop): type_ for i, one in enumerate(side) for type_, start, stop in one}
        for side in read_spans(y_true, y_pred, scheme, mode, suffix)
    )
    types = sorted({*true.values(), *pred.values()}) if labels is None else list(labels)
    numbers = {type_: number for number, type_ in enumerate(types)}
    spans = [*(true.keys() | pred.keys()), None]
    codes = [[numbers.get(side.get(span), NO_TYPE) for span in spans] for side in (true, pred)]
    return *codes, types, list(numbers.values()) or [0]
