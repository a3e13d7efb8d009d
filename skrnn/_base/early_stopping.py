"""Early stopping: the choice of the part that is held out, and the scores of weights on it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from skrnn._network.batches import TrainingData

REMEDY = "or pass validation data of your own as X_val and y_val"


class Validation(NamedTuple):
    """What early stopping watches."""

    data: TrainingData | None  # None: what is held out of the training data
    score: Callable | None  # of the weights as they stand; None where the loss is watched


def hold_out(n, fraction, seed, *, labels=None, weights=None):
    """Choose sequences to hold out.

    Parameters
    ----------
    n : int
        Number of sequences.
    fraction : float
        Of the sequences that count, and of those that do not.
    seed : int
    labels : ndarray of shape (n,), default=None
        Classes, each of which gets its share of both parts.
    weights : ndarray of shape (n,), default=None
        A sequence of weight 0 does not count, whatever its class.

    Returns
    -------
    held : ndarray of shape (n,), dtype=bool

    Raises
    ------
    ValueError
        Where a part would be too small, or would lack a class.
    """
    held = np.zeros(n, dtype=bool)
    counts = np.ones(n, dtype=bool) if weights is None else weights > 0
    rows = np.flatnonzero(counts)
    n_held = int(np.ceil(fraction * len(rows)))
    if n_held < 2 or n_held >= len(rows):
        raise ValueError(
            f"The validation set is too small: {fraction} of {len(rows)} sequences leaves "
            f"{n_held} to validate on and {len(rows) - n_held} to learn from. Increase "
            f"'validation_fraction' or the size of your dataset, {REMEDY}."
        )
    strata = None if labels is None else labels[rows]
    if strata is not None:
        _check_strata(strata, n_held, fraction)
    _, chosen = train_test_split(rows, test_size=n_held, random_state=seed, stratify=strata)
    held[chosen] = True
    rest = np.flatnonzero(~counts)
    n_rest = round(fraction * len(rest))
    held[np.random.RandomState(seed).permutation(rest)[:n_rest]] = True
    return held


def _check_strata(labels, n_held, fraction):
    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        raise ValueError(
            f"Class {classes.tolist()[sizes.argmin()]!r} has only 1 sequence, so that it cannot be "
            "both learned from and held out for early stopping. Leave it out of X and y, collect "
            f"more of it, set early_stopping=False, {REMEDY}."
        )
    n_classes = len(classes)
    if min(n_held, len(labels) - n_held) < n_classes:
        raise ValueError(
            f"validation_fraction={fraction} of {len(labels)} sequences splits them into "
            f"{len(labels) - n_held} and {n_held}, but each part should be greater or equal to the "
            f"number of classes, {n_classes}. Choose a validation_fraction between "
            f"{n_classes / len(labels):.2g} and {1 - n_classes / len(labels):.2g}, {REMEDY}."
        )


def make_score(estimator, X, y, sample_weight):
    """Return a callable that scores an estimator as it stands, as its parameter `scoring` says.

    Parameters
    ----------
    estimator : BaseRecurrentNetwork
    X, y, sample_weight : object
        As the user gave them; y and sample_weight may be None.
    """
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    given = (X,) if y is None else (X, y)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}

    def score():
        try:
            return float(scorer(estimator, *given, **weights))
        except (TypeError, ValueError) as error:
            if not isinstance(estimator.scoring, str) or y is None or np.ndim(y[0]) == 0:
                raise
            raise ValueError(
                f"scoring={estimator.scoring!r} of scikit-learn knows no sequences of labels, "
                f"which {type(estimator).__name__} predicts ({error}). Take a scorer of "
                "skrnn.metrics, such as token_accuracy_scorer; or None for its own score."
            ) from error

    return score
