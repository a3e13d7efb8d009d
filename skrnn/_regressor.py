"""RNNRegressor: predict one or more numbers for each sequence.

Above 600 lines because more than half of them are the documentation of one class.
"""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.features import FeaturesMixin
from skrnn._base.foreign_weights import build
from skrnn._base.sklearn_api import Interval, StrOptions, _check_y, _fit_context
from skrnn._base.streaming import StreamingMixin
from skrnn._base.target_scale import fold, learn_scale, unfold
from skrnn._base.word_input import TokensMixin
from skrnn._data.numbers import read_target_numbers
from skrnn._data.sample_weight import check_sample_weight
from skrnn._network.batches import Targets
from skrnn._network.plan import POOLINGS


class RNNRegressor(
    StreamingMixin, FeaturesMixin, RegressorMixin, TokensMixin, BaseRecurrentNetwork
):  # fmt: skip
    """Recurrent network that predicts one or more numbers for each sequence.

    The network is trained by back-propagation through time on half the squared error, or on another
    `loss`, averaged over outputs. Targets may have any scale: they are standardized internally, and
    losses are those of the standardized targets.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Number of hidden units of each layer; several numbers stack layers.

    activation : {'tanh', 'relu', 'logistic'}, default='tanh'
        Activation function of the 'rnn' cell; 'lstm' and 'gru' have fixed ones.

    solver : {'adam', 'sgd'}, default='adam'
        Optimizer: Adam [1]_, or stochastic gradient descent with momentum.

    alpha : float, default=0.0001
        Strength of the L2 penalty on the weight matrices. It is divided by the weight of all data
        (the number of sequences, or of labeled steps) when added to the mean loss, as in
        scikit-learn's linear models: the more data, the less it counts.

    batch_size : int or 'auto', default='auto'
        Number of sequences per mini-batch; 'auto' is `min(32, n_sequences)`.

    learning_rate : {'constant', 'linear', 'invscaling', 'adaptive'}, default='constant'
        Schedule of the step size. 'constant' keeps it; 'linear' decreases it linearly to zero over
        `max_iter` epochs, which takes the noise out of the last weights. With `solver='sgd'`,
        'invscaling' divides the initial step size by `(sequences seen + 1) ** power_t`, and
        'adaptive' divides the step size by 5 each time the loss stalls.

    learning_rate_init : float, default=0.001
        Initial step size.

    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.

    max_iter : int, default=200
        Maximum number of epochs.

    shuffle : bool, default=True
        Draw a new order of the sequences for each epoch.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the order of the sequences, dropout and the validation part.
        With an int, the fit is the same to the last bit for any number of threads.

    tol : float, default=1e-4
        Smallest change of the loss (or of the validation score) that counts as improvement.

    verbose : bool, default=False
        Print one line per epoch.

    warm_start : bool, default=False
        Continue from the weights and the optimizer state of the previous `fit`. The vocabulary, the
        classes and the scale of the targets stay; improvement is judged by the data of this `fit`.

    momentum : float, default=0.9
        Momentum of 'sgd', between 0 and 1.

    nesterovs_momentum : bool, default=True
        Use Nesterov's form of momentum.

    early_stopping : bool, default=False
        Hold out `validation_fraction` of the sequences (stratified where each has one label; the
        ends of a forecaster's series and of a single text), from which nothing is learned, or watch
        the validation data that `fit` is given. Stop when `scoring` has not improved by `tol` for
        `n_iter_no_change` epochs; the best weights are kept. Without it the training loss decides,
        and the last weights are kept.

    validation_fraction : float, default=0.1
        Fraction of the sequences held out for `early_stopping`.

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay rates of Adam's first and second moments.

    epsilon : float, default=1e-8
        Term added to Adam's denominator, which keeps it from zero.

    n_iter_no_change : int, np.inf or 'auto', default=10
        Number of epochs without improvement after which training stops; `np.inf` never stops it.
        'auto' is 10, but `np.inf` for `learning_rate='linear'` without `early_stopping`: this
        schedule ends by itself, and a loss that stalls at a large step size may fall again at a
        small one.

    scoring : str, callable or None, default='loss'
        What `early_stopping` watches: the loss of the held-out part; the estimator's own `score`
        (None); the name of a scorer of scikit-learn; or a callable `scorer(estimator, X, y)`. Of
        epochs with equal scores the one with the lowest loss is kept.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Long short-term memory [2]_, gated recurrent unit [3]_ with the reset gate applied after
        the matrix product (as PyTorch and cuDNN do), or the simple recurrence
        `h_t = f(W_hh h_{t-1} + W_hx x_t + b)` [4]_.

    bidirectional : bool, default=False
        Add a second network that runs from the last step to the first.

    pooling : {'last', 'mean', 'max', 'attention'} or tuple of them, default='last'
        Pooling of the hidden states of the top layer, which the output layer reads: the final state
        of each direction (PyTorch's `h_n`), the mean or maximum over the steps of the sequence, or
        a weighted mean with learned weights, ``softmax_t(v . h_t)``, which
        :func:`skrnn.inspection.pooling_weights` returns. Of a tuple such as ``("last", "max")`` the
        output layer reads what each gives, side by side in the order last, mean, max, attention.

    dropout : float, default=0.0
        Fraction of the values dropped between layers and before the output layer, in training.

    recurrent_dropout : float, default=0.0
        Fraction of the hidden units dropped where they enter the recurrent product; one mask per
        sequence for all its steps [5]_.

    max_grad_norm : float or None, default=1.0
        Maximum global norm of the gradient of a batch, to which a longer one is scaled down [6]_;
        None does not clip.

    bptt_steps : int or None, default=None
        Number of steps of truncated back-propagation through time: the hidden state is carried on,
        but gradients go back through chunks of this many steps only, counted from where a direction
        ends. None goes back to the start. Networks of one direction (without a CRF), and one layer
        in two directions below a pooling (other than 'attention'), then need memory for a chunk,
        not for the longest sequence.

    embedding_dim : int, array-like of int or None, default=None
        Width of the embedding of token input, or one width per column of ids. None chooses it from
        the vocabulary for sequences of `str`. For integers, a width declares that they are token
        ids.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

    loss : {'squared_error', 'absolute_error', 'quantile', 'poisson'}, default='squared_error'
        Loss function. It decides what is predicted: the mean; the median; the `quantile` (pinball
        loss [7]_); or the mean of counts, through its logarithm (deviance of a Poisson
        distribution), for which targets must not be negative. Other distributions are those of
        `LSTMForecaster`: here each output is one number, for which 'absolute_error' stands where
        tails are heavy, and 'poisson' where counts vary more than a Poisson distribution, as its
        mean does not depend on their variance (quasi-likelihood).

    quantile : float, default=0.5
        Level of the quantile, between 0 and 1, for `loss='quantile'`.

    subwords : bool or 'chars', default=False
        For `str` input, embed prefixes of up to 4 characters, suffixes of up to 5 and the shape of
        a token in addition to the token itself, which is then read in lower case, as `LSTMTagger`
        does. 'chars' adds a small bidirectional LSTM over the characters of each token (Ling et al.
        2015; Lample et al. 2016).

    min_freq : int, default=1
        Minimum frequency in training; tokens (`str`), parts of tokens and characters that occur
        less often count as unknown.

    word_dropout : float, default=0.0
        Probability that a token, and each of its parts or columns independently, is replaced by the
        unknown one in training. The network learns from these places what an unknown token means.
        With `subwords='chars'` a character is replaced with a tenth of that probability.

    embeddings : dict, KeyedVectors, path-like or None, default=None
        Pretrained vectors of words, from which the rows of the embedding of `str` tokens start: a
        dict of words and vectors; gensim's `KeyedVectors`, or another object with `key_to_index`
        and `__getitem__`; or the path of a text file that :func:`~skrnn.datasets.read_word_vectors`
        reads (GloVe, word2vec, fastText; a path keeps copies and files of the estimator small). A
        word has the vector of its own spelling, else that of its lower-case form, and is then known
        whatever `min_freq`; words without a vector start from random ones. The width of the
        embedding is that of the vectors, with which `embedding_dim` must agree. `fit` reads them
        where it starts a network; a warm start goes on from what has become of them.

    freeze_embeddings : bool, default=False
        Leave the vectors of `embeddings` as they are, to the last bit. All other rows are trained:
        those of words without a vector, of unknown words and of parts. It may change before a warm
        start.

    embeddings_vocabulary : {'training', 'all'}, default='training'
        Words that are known: those of the training data, or in addition all that `embeddings` has a
        vector for, so that predictions know words that training did not have. The embedding then
        has a row for each of them, in memory and in files, and that of a language model an output.

    scaling : {'global', 'none'} or None, default='global'
        Scaling of numbers of X. 'global' subtracts the mean of each feature over all steps of the
        training data (as the weights count them, without what is held out) and divides by its
        standard deviation, in float64, as ``PerStep(StandardScaler())`` would; a warm start keeps
        both, and `partial_fit` those of its first call. 'none' or None reads X as it is. Tokens and
        ids are never scaled. `weights_` are those of the plain network, which reads X as it is.

    Attributes
    ----------
    n_features_in_ : int
        Number of features per step; for 2-D input (one series per row) its number of columns, as
        scikit-learn counts; for tokens the number of token columns (1 for `str`).

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names; defined only when X has column names that are all strings.

    vocabulary_ : dict
        Row of each token in the (first) embedding; for `str` input only. Tokens that occur only in
        sequences held out by early stopping are not in it.

    weights_ : dict of ndarray
        Weights under the names of PyTorch and in its layout.

    n_iter_ : int
        Number of epochs run by the last `fit`.

    t_ : int
        Number of sequences seen in training.

    loss_ : float
        Loss of the last epoch: the weighted mean over sequences (or steps), and the penalty.

    best_loss_ : float or None
        Lowest loss of any epoch; None with `early_stopping`.

    loss_curve_ : list of float
        Loss of each epoch.

    gradient_norm_ : float
        Mean global norm of the gradients of the last epoch, before clipping.

    validation_scores_ : list of float or None
        Score of the held-out part after each epoch: with `scoring='loss'` its negative loss. None
        without `early_stopping`. Warm starts append to it. NaN for an epoch that an interrupt has
        left without a score.

    best_validation_score_ : float or None
        Score of the weights that the last `fit` has kept; None without `early_stopping`.

    best_epoch_ : int or None
        Epoch of these weights, counted from 1 in `loss_curve_`; None without `early_stopping`.

    See Also
    --------
    RNNClassifier : Classify sequences.

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
    _scales_input = True
    _reading_parameters = ("subwords", "scaling", *TokensMixin._reading_parameters)
    _reads_parts = True  # of a store
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error", "quantile", "poisson"})],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        **TokensMixin._token_constraints,
        **TokensMixin._embedding_constraints,
        "scaling": [StrOptions({"global", "none"}), None],
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
        scaling="global",
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
        self.scaling = scaling

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

    @classmethod
    def from_weights(cls, weights, **params):
        """Make a regressor of weights that were learned elsewhere, without a fit.

        Parameters
        ----------
        weights : dict of str to array-like
            All weights of a network that reads numbers, under the names of `weights_`, as
            :func:`skrnn.export.from_torch` returns them. Their shapes say the cell, the layers,
            the directions and the number of features.

        **params : dict
            Parameters of the estimator, such as `pooling`.

        Returns
        -------
        regressor : RNNRegressor
            As after a fit that has seen no sequence: `n_iter_` and `t_` are 0, and there is no
            `loss_`. It predicts the outputs of the network as they are, in no other scale.

        Raises
        ------
        ValueError
            If a weight is missing, unknown, of another shape or not finite.
        """

        def targets(n_outputs):
            y = np.array([-1.0, 1.0])  # of mean 0 and deviation 1: nothing is scaled
            if params.get("loss") == "poisson":
                y = np.ones(2)
            return (y if n_outputs == 1 else np.tile(y[:, np.newaxis], n_outputs)), {}

        return build(cls, weights, params, targets)

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
