"""RNNRegressor: one or more numbers for each sequence."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_y

from skrnn._base import BaseRecurrentNetwork, check_sample_weight
from skrnn._batching import Targets
from skrnn._docs import documented
from skrnn._numbers import read_target_numbers
from skrnn._streaming import StreamingMixin


@documented
class RNNRegressor(StreamingMixin, RegressorMixin, BaseRecurrentNetwork):
    """Recurrent network that gives each sequence one or more numbers.

    The network is trained by back-propagation through time on half the squared error, averaged
    over outputs. Targets far from unit scale learn faster inside a
    :class:`~sklearn.compose.TransformedTargetRegressor`.

    Parameters
    ----------
    $training_parameters

    $cell_parameter

    bidirectional : bool, default=False
        Run a second network from the last step to the first.

    $pooling_parameter

    $gradient_parameters

    embedding_dim : int, array-like of int or None, default=None
        Width of the embedding of token input, or one width for each column of ids. For sequences
        of `str` it is chosen from the vocabulary when None; for integers it declares that they are
        token ids.

    $dtype_parameter

    Attributes
    ----------
    $fitted_attributes

    See Also
    --------
    RNNClassifier : A label for each sequence.

    References
    ----------
    $references

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(3, 12, size=300)]
    >>> y = [x.mean() for x in X]
    >>> reg = RNNRegressor(max_iter=100, n_iter_no_change=np.inf, random_state=0).fit(X, y)
    >>> bool(reg.score(X, y) > 0.9)
    True
    """

    _loss = "squared_error"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the network to sequences and their targets.

        Parameters
        ----------
        X : sequences
            A list of arrays of shape (n_timesteps, n_features) or (n_timesteps,), a 3-D array, a
            2-D array of univariate series one a row, or a list of lists of `str`; the guide has
            the whole table.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_sequences,), default=None
            Weights, not negative; None weighs all sequences 1.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            For input the network cannot learn from; the text names the sequence, the step and a
            remedy, and the estimator stays as it was.
        """
        return self._fit(X, y, sample_weight)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Go once through the given sequences, from where the network stands.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_sequences,), default=None
            Weights, not negative.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _encode_targets(self, sequences, y, sample_weight, *, reset):
        sample_weight = check_sample_weight(sample_weight, y)
        y = read_target_numbers(y, self.dtype)
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        numbers = np.asarray(y, dtype=self.dtype)
        if reset:
            self._y_ndim = numbers.ndim
        numbers = np.ascontiguousarray(numbers.reshape(len(numbers), -1))
        if not reset and numbers.shape[1] != self._architecture["n_outputs"]:
            raise ValueError(
                f"y has {numbers.shape[1]} outputs, but the network was started with "
                f"{self._architecture['n_outputs']}."
            )
        return Targets(None, numbers, sample_weight)

    def _initial_bias(self, targets):
        """Mean of the targets: the first outputs are right on average."""
        numbers = targets.numbers.astype(np.float64)  # their sum may overflow float32
        return np.average(numbers, axis=0, weights=targets.weights)

    def _score_outputs(self, outputs, targets):
        return r2_score(targets.numbers, outputs, sample_weight=targets.weights)

    def score(self, X, y, sample_weight=None):
        """Return R² of the predictions.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            True targets.

        sample_weight : array-like of shape (n_sequences,), default=None
            Weights, not negative.

        Returns
        -------
        float
        """
        weights = check_sample_weight(sample_weight, y)
        return super().score(X, read_target_numbers(y, np.float64), sample_weight=weights)

    def predict(self, X):
        """Return the predicted numbers.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), or (n_sequences, n_outputs) where y was 2-D; float64
        """
        outputs = self._outputs(X).astype(np.float64)
        return outputs[:, 0] if self._y_ndim == 1 else outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
