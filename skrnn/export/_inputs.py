"""Inputs of an exported graph: sequences padded to one length, and their lengths."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skrnn._data.sequences import lengths_to_offsets
from skrnn._forecaster import LSTMForecaster
from skrnn.preprocessing import PerStep


def split_model(model):
    """Return the transformers and the estimator of a pipeline, a search or an estimator."""
    if hasattr(model, "best_estimator_"):
        return split_model(model.best_estimator_)
    if isinstance(model, Pipeline):
        before, estimator = split_model(model.steps[-1][1])
        steps = [step for _, step in model.steps[:-1]]
        steps = [step for step in steps if step is not None and step != "passthrough"]
        return [*steps, *before], estimator
    return [], model


def onnx_inputs(model, X):
    """Return what a graph made by `to_onnx` reads: sequences padded to one length.

    Parameters
    ----------
    model : estimator, Pipeline or search
        Fitted model, as given to `to_onnx`.

    X : sequences
        As in the model's `predict`.

    Returns
    -------
    dict
        "X": ndarray of shape (n_sequences, longest, n_features), float64, or of tokens ids of shape
        (n_sequences, longest, n_columns), int64, where unknown tokens are -1; "lengths": ndarray of
        shape (n_sequences,), int64. Behind the end of a sequence there are zeros.

    See Also
    --------
    to_onnx : Make the graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.export import onnx_inputs
    >>> X = [np.ones((4, 2)), np.zeros((7, 2))]
    >>> model = RNNClassifier((16,), max_iter=5, n_iter_no_change=np.inf).fit(X, ["a", "b"])
    >>> found = onnx_inputs(model, X)
    >>> found["X"].shape, found["lengths"].tolist()
    ((2, 7, 2), [4, 7])
    """
    transformers, estimator = split_model(model)
    check_is_fitted(model)
    if transformers and isinstance(transformers[0], PerStep):
        steps = transformers[0]._read(X)
        values, offsets = np.asarray(steps.table, dtype=np.float64), steps.offsets
    elif isinstance(estimator, LSTMForecaster):
        known = estimator._read_histories(X, None).known
        values, offsets = known.values, known.offsets
    else:
        estimator._check_whole()
        sequences = estimator._read_sequences(X, reset=False, dtype=np.dtype("float64"))
        values, offsets = sequences.values, sequences.offsets
        if (counts := estimator._token_counts) is not None:
            values = np.where(values == counts, -1, values)
    return {"X": _padded(values, offsets), "lengths": np.diff(offsets)}


def _padded(values, offsets):
    """Return sequences as one array, zeros behind their ends."""
    lengths = np.diff(offsets)
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    padded = np.zeros((len(lengths), int(lengths.max(initial=0)), values.shape[1]), kind)
    at = np.repeat(np.arange(len(lengths)), lengths)
    padded[at, np.arange(len(values)) - lengths_to_offsets(lengths)[at]] = values
    return padded
