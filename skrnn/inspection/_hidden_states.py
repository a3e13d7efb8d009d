"""Hidden states of every step."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.features import FeaturesMixin
from skrnn._data.labels import split_steps
from skrnn._network.predict import top_states


def hidden_states(estimator, X):
    """Return the hidden states of the top layer at every step.

    For each sequence, these are the `output` of a recurrent layer in PyTorch.

    Parameters
    ----------
    estimator : RNNClassifier, RNNRegressor or LSTMTagger
        Fitted estimator.

    X : sequences
        As in the estimator's `fit`.

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=object
        An array of shape (T_i, n_directions * hidden_layer_sizes[-1]) for each sequence; with two
        directions those of the forward direction come first.

    Raises
    ------
    TypeError
        If `estimator` is not one of those named (a pipeline, for example).

    ValueError
        For X as in `predict`, and if states overflow.

    See Also
    --------
    skrnn.RNNClassifier.transform : One row of features per sequence, in pipelines.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.inspection import hidden_states
    >>> X = [np.ones((4, 2)), np.zeros((7, 2))]
    >>> model = RNNClassifier((16,), max_iter=5, n_iter_no_change=np.inf).fit(X, ["a", "b"])
    >>> [states.shape for states in hidden_states(model, X)]
    [(4, 16), (7, 16)]
    """
    labels_steps = isinstance(estimator, BaseRecurrentNetwork) and hasattr(estimator, "crf")
    if not (labels_steps or isinstance(estimator, FeaturesMixin)):
        raise TypeError(
            "hidden_states takes an RNNClassifier, an RNNRegressor or an LSTMTagger, got "
            f"{type(estimator).__name__}. For a pipeline, pass its last step, and X as transformed "
            "by the steps before it."
        )
    check_is_fitted(estimator)
    sequences, plan = estimator._sequences(X), estimator._get_plan()
    params = estimator._params
    if plan.pooling != "all":
        # The same network, but nothing is pooled: what its head says does not matter.
        head = plan.parameters["head_weight"].start
        plan = type(plan)(**{**estimator._architecture, "pooling": "all"})
        params = np.append(params[:head], np.zeros(plan.n_params - head, params.dtype))
    states = top_states(plan, params, sequences)
    estimator._check_finite(np.isfinite(states).all(axis=1), sequences)
    return split_steps(states, sequences.offsets)
