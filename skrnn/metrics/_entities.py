"""Metrics of entities and tokens, and cross-validated predictions."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from itertools import pairwise

import numpy as np
from sklearn import model_selection
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import classification_report, make_scorer, precision_recall_fscore_support

from skrnn._data.label_pairs import as_list, read_label_pairs
from skrnn._data.labels import plain_labels
from skrnn._data.sample_weight import read_step_weights
from skrnn._data.tag_schemes import OUTSIDE, find_spans

NO_TYPE = -1  # where the types of entities are numbered


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
    return np.array([true for true, _ in steps]), np.array([pred for _, pred in steps])


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


def entity_spans(labels, scheme="BIO"):
    """Return the entity spans that the labels of one sequence mark.

    Parameters
    ----------
    labels : sequence of str
        Each label is 'O' (outside), or a tag of the scheme and an entity type, as in 'B-PER'. The
        type is everything after the first hyphen and may be empty. None and NaN count as 'O'.

    scheme : {'BIO', 'BIOES'}, default='BIO'
        Tagging scheme: begin, inside and outside; 'BIOES' adds end and single.

    Returns
    -------
    list of (type, start, stop)
        Spans in the order of the steps; `stop` is the first step after the entity.

    Raises
    ------
    ValueError
        If a label does not belong to the scheme; the message names the step.

    Notes
    -----
    Malformed labels are read as conlleval, the script of the shared tasks, reads them [1]_: an
    entity begins at a B- or S-, and at an I- or E- that follows an O, an E- or S-, or another
    type; it ends where the next entity begins, and at an O. The original script does not know S-,
    and continues an entity at a B- after an E- of the same type; on these two points the rules
    here are those of its variants for BIOES.

    References
    ----------
    .. [1] Tjong Kim Sang and Buchholz (2000). Introduction to the CoNLL-2000 shared task: chunking.

    Examples
    --------
    >>> from skrnn.metrics import entity_spans
    >>> entity_spans(["B-PER", "I-PER", "O", "I-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4)]
    """
    labels = as_list(labels, "labels")
    return find_spans(plain_labels(labels, np.array([0, len(labels)])), scheme)


def entity_precision_recall_f1_support(
    y_true, y_pred, *, scheme="BIO", average="micro", labels=None, zero_division=0.0
):
    """Return precision, recall, F1 and number of entities, as conlleval counts them.

    A predicted entity is correct if its type and both of its ends are correct.

    Parameters
    ----------
    y_true, y_pred : collections of label sequences
        True and predicted labels, one per step; :func:`entity_spans` says how they mark entities.
        A step whose true label is None or NaN counts as outside in both. Where entities should
        continue across such a step, as over the pieces of a word, remove the step first.

    scheme : {'BIO', 'BIOES'}, default='BIO'
        Tagging scheme: begin, inside and outside; 'BIOES' adds end and single.

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
    true, pred, types, codes = _entities(y_true, y_pred, scheme, labels)
    scores = precision_recall_fscore_support(
        true, pred, labels=codes, average=average, zero_division=zero_division
    )
    if average is None:
        return tuple(score[: len(types)] for score in scores)
    return (*map(float, scores[:3]), None)


def entity_precision_score(
    y_true, y_pred, *, scheme="BIO", average="micro", labels=None, zero_division=0.0
):
    """Return the precision: the fraction of predicted entities that are correct.

    Parameters
    ----------
    y_true, y_pred, scheme, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, average=average, labels=labels, zero_division=zero_division
    )[0]


def entity_recall_score(
    y_true, y_pred, *, scheme="BIO", average="micro", labels=None, zero_division=0.0
):
    """Return the recall: the fraction of true entities that are found.

    Parameters
    ----------
    y_true, y_pred, scheme, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, average=average, labels=labels, zero_division=zero_division
    )[1]


def entity_f1_score(
    y_true, y_pred, *, scheme="BIO", average="micro", labels=None, zero_division=0.0
):
    """Return the F1 score: the harmonic mean of the precision and recall of entities.

    Parameters
    ----------
    y_true, y_pred, scheme, average, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`, which says what is returned and raised.
    """
    return entity_precision_recall_f1_support(
        y_true, y_pred, scheme=scheme, average=average, labels=labels, zero_division=zero_division
    )[2]


def entity_classification_report(
    y_true, y_pred, *, scheme="BIO", labels=None, digits=2, zero_division=0.0
):
    """Build a text report of the precision, recall, F1 and support of each entity type.

    Parameters
    ----------
    y_true, y_pred, scheme, labels, zero_division
        As in :func:`entity_precision_recall_f1_support`.

    digits : int, default=2
        Number of decimals.

    Returns
    -------
    str
        One line per type, and the averages over types.
    """
    true, pred, types, codes = _entities(y_true, y_pred, scheme, labels)
    return classification_report(
        true, pred, labels=codes, target_names=types or ["(no entities)"], digits=digits,
        zero_division=zero_division,
    )  # fmt: skip


token_accuracy_scorer = make_scorer(token_accuracy_score)
entity_f1_scorer = make_scorer(entity_f1_score)


def cross_val_predict(
    estimator, X, y, *, groups=None, cv=None, n_jobs=None, params=None, method="predict"
):
    """Predict each sequence by an estimator fitted on the other folds.

    This wraps scikit-learn's function, which for probabilities would take each label sequence for
    one label; here the columns of all folds are aligned.

    Parameters
    ----------
    estimator : estimator
        Its `predict` must return a 1-D object array of arrays, one per sequence, and so must its
        `predict_proba` and `predict_log_proba`, with columns in the order of `classes_`.

    X : sequences
        Input of the estimator.

    y : collection of label sequences
        True labels, one per step.

    groups, cv, n_jobs, params
        As in :func:`sklearn.model_selection.cross_val_predict`.

    method : str, default='predict'
        The method to call.

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=object
        Predictions in the order of X. The columns of probabilities are the sorted classes of all
        folds. A class that a fold has not seen gets probability 0, or the lowest number as its
        logarithm, with a RuntimeWarning.

    Raises
    ------
    ValueError
        If the test folds do not hold each sequence exactly once.
    """
    encodes = method in ("predict_proba", "predict_log_proba") and not is_classifier(estimator)
    outputs = model_selection.cross_val_predict(
        _WithClasses(estimator, method) if encodes else estimator, X, y,
        groups=groups, cv=cv, n_jobs=n_jobs, params=params, method="predict" if encodes else method,
    )  # fmt: skip
    if not encodes:
        return outputs
    folds = {id(classes): classes for classes, _ in outputs}.values()
    union = np.unique(np.concatenate(list(folds)))
    for classes in folds:
        if len(classes) != len(union):
            warnings.warn(
                f"Number of classes in training fold ({len(classes)}) does not match total number "
                f"of classes ({len(union)}). Results may not be appropriate for your use case.",
                RuntimeWarning,
                stacklevel=2,
            )
    for i, (classes, output) in enumerate(outputs):
        lowest = 0 if method == "predict_proba" else np.finfo(output.dtype).min
        outputs[i] = np.full((len(output), len(union)), lowest, dtype=output.dtype)
        outputs[i][:, np.searchsorted(union, classes)] = output
    return outputs


class _WithClasses(BaseEstimator):
    """Predict what another method returns, each sequence with the fold's classes."""

    def __init__(self, estimator, method):
        self.estimator = estimator
        self.method = method

    def fit(self, X, y, **params):
        self.estimator.fit(X, y, **params)
        return self

    def predict(self, X):
        classes = np.asarray(self.estimator.classes_)
        outputs = getattr(self.estimator, self.method)(X)
        return np.fromiter(((classes, output) for output in outputs), dtype=object)

    def get_metadata_routing(self):
        return self.estimator.get_metadata_routing()


def _entities(y_true, y_pred, scheme, labels):
    """Return true and predicted type of each span in either, the types, and their numbers.

    Spans that one side does not have are outside there. One entry is outside in both, and a number
    is given where there is no type: scikit-learn counts neither, but does not take nothing.
    """
    true, pred = {}, {}
    trues, preds, offsets = read_label_pairs(y_true, y_pred)
    preds = [OUTSIDE if t is None else p for t, p in zip(trues, preds, strict=True)]
    for i, (first, end) in enumerate(pairwise(offsets.tolist())):
        for found, all_steps, name in ((true, trues, "y_true"), (pred, preds, "y_pred")):
            one = all_steps[first:end]
            for type_, start, stop in find_spans(one, scheme, f"{name}, sequence {i}, "):
                found[i, start, stop] = type_
    types = sorted({*true.values(), *pred.values()}) if labels is None else list(labels)
    numbers = {type_: number for number, type_ in enumerate(types)}
    spans = [*(true.keys() | pred.keys()), None]
    codes = [[numbers.get(side.get(span), NO_TYPE) for span in spans] for side in (true, pred)]
    return *codes, types, list(numbers.values()) or [0]
