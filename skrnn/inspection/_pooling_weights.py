"""Weights of the steps in attention pooling."""

import numpy as np
from scipy.special import softmax

from skrnn._data.labels import split_steps
from skrnn.inspection._hidden_states import hidden_states


def pooling_weights(estimator, X):
    """Return the weight of every step in attention pooling.

    With `pooling="attention"` the output layer reads a mean of the hidden states whose weights,
    ``softmax_t(v . h_t)``, the network has learned: they say to which steps it looks.

    Parameters
    ----------
    estimator : RNNClassifier or RNNRegressor
        Fitted estimator with `pooling="attention"`, alone or in a tuple.

    X : sequences
        As in the estimator's `fit`.

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=object
        An array of shape (T_i,) for each sequence, of the network's dtype; it sums to 1.

    Raises
    ------
    TypeError
        If `estimator` is not one of those named (a pipeline, for example).

    ValueError
        If the network has no attention pooling, and for X as in `predict`.

    See Also
    --------
    hidden_states : What is weighted.
    permutation_importance : Which features matter.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.inspection import pooling_weights
    >>> X = [np.ones((4, 2)), np.zeros((7, 2))]
    >>> model = RNNClassifier((16,), pooling="attention", max_iter=5, n_iter_no_change=np.inf)
    >>> [weights.shape for weights in pooling_weights(model.fit(X, ["a", "b"]), X)]
    [(4,), (7,)]
    """
    states = hidden_states(estimator, X)  # refuses what has no hidden states to pool
    if "pool_weight" not in estimator.weights_:
        raise ValueError(
            f"This {type(estimator).__name__} has learned no weights of steps. Fit an "
            "RNNClassifier or an RNNRegressor with pooling='attention'."
        )
    v = estimator.weights_["pool_weight"]
    lengths = [len(rows) for rows in states]
    weights = np.concatenate([softmax(rows @ v) for rows in states])
    return split_steps(weights, np.cumsum([0, *lengths]))
