"""RNNRegressor: predict one or more numbers for each sequence."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from skrnn._base.docstrings import documented
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.features import FeaturesMixin
from skrnn._base.sklearn_api import Interval, StrOptions, _check_y, _fit_context
from skrnn._base.streaming import StreamingMixin
from skrnn._base.target_scale import fold, learn_scale, unfold
from skrnn._base.word_input import TokensMixin
from skrnn._data.numbers import read_target_numbers
from skrnn._data.sample_weight import check_sample_weight
from skrnn._network.batches import Targets
from skrnn._network.plan import POOLINGS


@documented
class RNNRegressor(
    StreamingMixin, FeaturesMixin, RegressorMixin, TokensMixin, BaseRecurrentNetwork
):  # fmt: skip
    """Recurrent network that predicts one or more numbers for each sequence.

    The network is trained by back-propagation through time on half the squared error, or on another
    `loss`, averaged over outputs. Targets may have any scale: they are standardized internally, and
    losses are those of the standardized targets.

    Parameters
    ----------
    $training_parameters

    $cell_parameter

    $direction_parameter

    $pooling_parameter

    $gradient_parameters

    $embedding_parameter

    $dtype_parameter

    loss : {'squared_error', 'absolute_error', 'quantile', 'poisson'}, default='squared_error'
        Loss function. It decides what is predicted: the mean; the median; the `quantile` (pinball
        loss [7]_); or the mean of counts, through its logarithm (deviance of a Poisson
        distribution), for which targets must not be negative.

    quantile : float, default=0.5
        Level of the quantile, between 0 and 1, for `loss='quantile'`.

    $subword_parameters

    $embeddings_parameters

    Attributes
    ----------
    $fitted_attributes

    See Also
    --------
    RNNClassifier : Classify sequences.

    References
    ----------
    $references
    .. [7] Koenker and Bassett (1978). Regression quantiles.

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

    __module__ = "skrnn"  # the path that files name

    _allowed: dict = {
        "loss": ("squared_error", "absolute_error", "quantile", "poisson"),
        "pooling": POOLINGS,
    }
    _needed: tuple = ("_y_ndim", "_target_center", "_target_scale")
    _reading_parameters = ("subwords", *TokensMixin._reading_parameters)
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error", "quantile", "poisson"})],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        **TokensMixin._token_constraints,
        **TokensMixin._embedding_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(64,),
        activation="tanh",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        scoring="loss",
        cell="lstm",
        bidirectional=False,
        pooling="last",
        dropout=0.0,
        recurrent_dropout=0.0,
        max_grad_norm=1.0,
        bptt_steps=None,
        embedding_dim=None,
        dtype="float32",
        loss="squared_error",
        quantile=0.5,
        subwords=False,
        min_freq=1,
        word_dropout=0.0,
        embeddings=None,
        freeze_embeddings=False,
        embeddings_vocabulary="training",
    ):
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            scoring=scoring,
            cell=cell,
            bidirectional=bidirectional,
            pooling=pooling,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            max_grad_norm=max_grad_norm,
            bptt_steps=bptt_steps,
            embedding_dim=embedding_dim,
            dtype=dtype,
        )
        self.loss = loss
        self.quantile = quantile
        self.subwords = subwords
        self.min_freq = min_freq
        self.word_dropout = word_dropout
        self.embeddings = embeddings
        self.freeze_embeddings = freeze_embeddings
        self.embeddings_vocabulary = embeddings_vocabulary

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to sequences and their targets.

        Parameters
        ----------
        X : sequences
            A list of arrays of shape (n_timesteps, n_features) or (n_timesteps,), a 3-D array, a
            2-D array with one univariate series per row, or a list of lists of `str`. The user
            guide lists all forms.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights; a weight counts as that many repetitions of its sequence. None
            gives all sequences weight 1.

        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation data for `early_stopping`, which then holds out no part of X.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the network cannot learn from the input. The message names the sequence, the step and
            a remedy, and the estimator is left unchanged.
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, vocabulary=None):
        """Continue training with one epoch over the given sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            Targets. Those of the first call set the scale at which the network learns, and should
            have the mean and spread of those to come.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights; 1 counts as one sequence.

        vocabulary : array-like of str or of int, default=None
            All tokens (or ids) that will ever occur, for the first call only; None takes those of
            its X.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=True, vocabulary=vocabulary)

    def _read_targets(self, sequences, y, sample_weight, *, reset, held):
        sample_weight = check_sample_weight(sample_weight, y)
        y = read_target_numbers(y, np.float64)
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        values = np.asarray(y, dtype=np.float64)
        # In one order in memory, so that sums have the same bits whatever y is an array of.
        y_ndim, values = values.ndim, np.ascontiguousarray(values.reshape(len(values), -1))
        if not reset and values.shape[1] != self._architecture["n_outputs"]:
            raise ValueError(
                f"y has {values.shape[1]} outputs, but the network was started with "
                f"{self._architecture['n_outputs']}."
            )
        if self.loss == "poisson":
            self._check_counts(values)
        if reset:
            learned = slice(None) if held is None else ~held
            self._y_ndim = y_ndim
            weights = None if sample_weight is None else sample_weight[learned]
            self._target_center, self._target_scale = learn_scale(
                values[learned], weights, self.loss
            )
        with np.errstate(over="ignore"):  # too large for the network: found as infinity below
            values = ((values - self._target_center) / self._target_scale).astype(self.dtype)
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"The target of sequence {row} (output {column}) is too far from those that the "
                f"scale was learned from for dtype('{np.dtype(self.dtype)}'). Transform y, for "
                "example with TransformedTargetRegressor, or use dtype='float64'."
            )
        return Targets(None, np.ascontiguousarray(values), sample_weight)

    def _check_counts(self, values):
        """Refuse targets that no Poisson distribution gives."""
        if (values < 0).any():
            row, column = np.argwhere(values < 0)[0]
            raise ValueError(
                f"loss='poisson' needs targets that are not negative, but that of sequence {row} "
                f"is {values[row, column]} (output {column})."
            )
        if not values.any(axis=0).all():
            raise ValueError(
                "loss='poisson' needs a target above 0, but all are 0 for output "
                f"{int(np.argmin(values.any(axis=0)))}: the logarithm of their mean is not finite."
            )

    def _network_parameters(self, shared):
        levels = (float(self.quantile),) if self.loss == "quantile" else ()
        return {**shared, "loss": self.loss, "quantiles": levels}

    @property
    def weights_(self):
        """Weights under the names of PyTorch and in its layout, as a dict of copies.

        These are the weights of the plain network, whose outputs are predictions in the units of y
        (with 'poisson' their logarithms). Those of the output layer are float64.
        """
        weights = super().weights_  # an AttributeError before fit
        scale = self._target_center, self._target_scale
        return fold(weights, *scale, self._architecture["loss"])

    def set_weights(self, weights):
        """Replace the weights of a fitted estimator: the inverse of `weights_`.

        Parameters
        ----------
        weights : dict of str to array-like
            All weights, as in `weights_`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a name is missing or unknown, a shape differs, or a number is not finite. The
            estimator is then left unchanged.
        """
        check_is_fitted(self)
        shapes = {name: p.shape for name, p in self._get_plan().parameters.items()}
        head = ("head_weight", "head_bias")
        # What does not fit is refused there.
        if all(name in weights and np.shape(weights[name]) == shapes[name] for name in head):
            scale = self._target_center, self._target_scale
            weights = unfold(weights, *scale, self._architecture["loss"])
        return super().set_weights(weights)

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination R² of the predictions.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,) or (n_sequences, n_outputs)
            True targets.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights.

        Returns
        -------
        float
        """
        weights = check_sample_weight(sample_weight, y)
        return super().score(X, read_target_numbers(y, np.float64), sample_weight=weights)

    def predict(self, X):
        """Predict the targets of each sequence.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), or (n_sequences, n_outputs) where y was 2-D; float64
            Means, or with `loss='absolute_error'` medians, or with `loss='quantile'` quantiles.
        """
        outputs = self._in_units_of_y(self._outputs(X))
        return outputs[:, 0] if self._y_ndim == 1 else outputs

    def _in_units_of_y(self, outputs):
        """Return what the network's outputs (n, n_outputs) say of y, float64."""
        outputs = outputs.astype(np.float64)
        if self._architecture["loss"] == "poisson":
            return np.exp(outputs) * self._target_scale
        return outputs * self._target_scale + self._target_center

    def _step_arrays(self, n, output=None):
        k = len(self._target_scale)
        if output is None:
            output = np.empty(n if self._y_ndim == 1 else (n, k))
        elif output.dtype != np.float64 or output.size != n * k:
            raise ValueError("the array for the outputs does not fit")
        return output, np.empty((n, k), self._get_plan().dtype)

    def _finish_step(self, raw, output):
        output[...] = self._in_units_of_y(raw).reshape(output.shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
