"""RNNRegressor: one or more numbers for each sequence."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_y

from skrnn._base import BaseRecurrentNetwork
from skrnn._batching import Targets


class RNNRegressor(RegressorMixin, BaseRecurrentNetwork):
    """Recurrent network that gives each sequence one or more numbers.

    The network is trained by back-propagation through time on half the squared error, averaged
    over outputs. Targets far from unit scale learn faster inside a
    :class:`~sklearn.compose.TransformedTargetRegressor`.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Hidden units of each layer; a tuple of several stacks layers.

    activation : {'tanh', 'relu', 'logistic'}, default='tanh'
        Activation of the 'rnn' cell; 'lstm' and 'gru' have their own.

    solver : {'adam', 'sgd'}, default='adam'
        Optimiser: Adam [1]_, or stochastic gradient descent with momentum.

    alpha : float, default=0.0001
        Strength of the L2 penalty on the weight matrices. It is divided by the weight of the
        batch (its number of sequences) when added to the loss.

    batch_size : int, default='auto'
        Sequences of a mini-batch; 'auto' is `min(32, n_sequences)`.

    learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
        Schedule, for `solver='sgd'`: constant; divided by `(sequences seen + 1) ** power_t`; or
        divided by 5 each time the loss stalls.

    learning_rate_init : float, default=0.001
        Initial step size.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Most epochs.

    shuffle : bool, default=True
        Draw a new order of the sequences for each epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order, dropout and the validation part. An int makes the fit
        the same to the last bit, for any number of threads.

    tol : float, default=1e-4
        What counts as improvement of the loss (or of the validation score).

    verbose : bool, default=False
        Print a line an epoch.

    warm_start : bool, default=False
        Go on from the weights and the optimiser state of the previous `fit`.

    momentum : float, default=0.9
        Of 'sgd', between 0 and 1.

    nesterovs_momentum : bool, default=True
        Use Nesterov's form of momentum.

    early_stopping : bool, default=False
        Hold out `validation_fraction` of the sequences, and stop
        when their score has not improved by `tol` for `n_iter_no_change` epochs; the best weights
        are kept. Without it the training loss decides, and the last weights are kept.

    validation_fraction : float, default=0.1
        Part of the sequences held out for `early_stopping`.

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of Adam's first and second moments.

    epsilon : float, default=1e-8
        Keeps Adam's denominator from zero.

    n_iter_no_change : int, default=10
        Epochs without improvement before training stops; `np.inf` for never.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Long short-term memory [2]_, gated recurrent unit [3]_ with the reset gate applied after
        the matrix product (as PyTorch and cuDNN do), or the simple recurrence
        `h_t = f(W_hh h_{t-1} + W_hx x_t + b)` [4]_.

    bidirectional : bool, default=False
        Run a second network from the last step to the first.

    pooling : {'last', 'mean', 'max'}, default='last'
        What the output layer reads of the top layer's hidden states: each direction's own final
        state (PyTorch's `h_n`), or the mean or maximum over the sequence's steps.

    dropout : float, default=0.0
        Part of the values dropped between layers and before the output layer, in training.

    recurrent_dropout : float, default=0.0
        Part of the hidden units dropped where they enter the recurrent product; one mask a
        sequence for all its steps [5]_.

    max_grad_norm : float or None, default=1.0
        The gradient of a batch is scaled down to this global norm where it is longer [6]_.

    bptt_steps : int or None, default=None
        Truncated back-propagation through time: the hidden state is carried on, but gradients go
        back through chunks of this many steps, counted from where a direction ends. None goes
        back to the start.

    embedding_dim : int or None, default=None
        Width of the embedding of token input. For sequences of `str` it is chosen from the
        vocabulary when None; for integers it declares that they are token ids.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

    Attributes
    ----------
    n_features_in_ : int
        Features of a step; for 2-D input (series, one a row) its number of columns, as
        scikit-learn counts; for tokens the number of token columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, where X had them and they are all strings.

    vocabulary_ : dict
        Token to row of the embedding; for `str` input only.

    weights_ : dict of ndarray
        Weights under PyTorch's names and in its layout.

    n_iter_ : int
        Epochs run by the last `fit`.

    t_ : int
        Sequences seen in training.

    loss_ : float
        Loss of the last epoch.

    best_loss_ : float or None
        Lowest loss of an epoch; None with `early_stopping`.

    loss_curve_ : list of float
        Loss of each epoch.

    gradient_norm_ : float
        Mean global norm of the gradients of the last epoch, before clipping.

    validation_scores_ : list of float or None
        Score on the held-out part after each epoch; None without `early_stopping`.

    best_validation_score_ : float or None
        The best of them.

    See Also
    --------
    RNNClassifier : A label for each sequence.

    References
    ----------
    .. [1] Kingma and Ba (2015). Adam: a method for stochastic optimization.
    .. [2] Hochreiter and Schmidhuber (1997). Long short-term memory.
    .. [3] Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.
    .. [4] Elman (1990). Finding structure in time.
    .. [5] Gal and Ghahramani (2016). A theoretically grounded application of dropout in
       recurrent neural networks.
    .. [6] Pascanu, Mikolov and Bengio (2013). On the difficulty of training recurrent neural
       networks.

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

    def _encode_targets(self, y, sample_weight, *, reset):
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        with np.errstate(over="ignore"):  # too large for float32: found as infinity below
            numbers = np.asarray(y, dtype=self.dtype)
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"y contains a value too large for dtype('{np.dtype(self.dtype)}'). Scale it, for "
                "example with TransformedTargetRegressor, or use dtype='float64'."
            )
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
