"""Cross-validated predictions and probabilities of label sequences."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import numpy as np
from sklearn import model_selection
from sklearn.base import BaseEstimator, is_classifier


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
