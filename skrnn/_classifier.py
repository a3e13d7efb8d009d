"""RNNClassifier: a label for each sequence."""

import numpy as np
from scipy.special import logsumexp
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import _check_y

from skrnn._base import BaseRecurrentNetwork, check_weights
from skrnn._batching import Targets

# Part of the class priors spread evenly, so that a class without a sequence (in `partial_fit`)
# gets a finite bias.
PRIOR_SMOOTHING = 0.01
MIN_CLASSES = 2


class RNNClassifier(ClassifierMixin, BaseRecurrentNetwork):
    """Recurrent network that gives each sequence a label.

    The network is trained by back-propagation through time on the softmax cross-entropy. Sequences
    may be of unequal lengths; nothing is padded in computation.

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
        Hold out `validation_fraction` of the sequences, stratified by label, and stop
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

    class_weight : dict, 'balanced' or None, default=None
        Weight of each class, multiplied with `sample_weight`; 'balanced' weighs classes inversely
        to their frequency.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.

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
    RNNRegressor : Numbers for each sequence.

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
    >>> from skrnn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)).cumsum(axis=0) for n in rng.integers(5, 20, size=200)]
    >>> y = ["up" if x[-1, 0] > 0 else "down" for x in X]
    >>> clf = RNNClassifier(max_iter=50, n_iter_no_change=np.inf, random_state=0).fit(X, y)
    >>> clf.predict([np.ones((4, 2)).cumsum(axis=0)])
    array(['up'], dtype='<U4')
    """

    _loss = "softmax"
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        cell="lstm",
        bidirectional=False,
        pooling="last",
        dropout=0.0,
        recurrent_dropout=0.0,
        max_grad_norm=1.0,
        bptt_steps=None,
        embedding_dim=None,
        dtype="float32",
        class_weight=None,
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
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the network to sequences and their labels.

        Parameters
        ----------
        X : sequences
            A list of arrays of shape (n_timesteps, n_features) or (n_timesteps,), a 3-D array, a
            2-D array of univariate series one a row, or a list of lists of `str`; the guide has
            the whole table.

        y : array-like of shape (n_sequences,)
            Labels.

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
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go once through the given sequences, from where the network stands.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,)
            Labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed in the first call.

        sample_weight : array-like of shape (n_sequences,), default=None
            Weights, not negative.

        Returns
        -------
        self : object
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which does not see all "
                "labels. Compute the weights with compute_class_weight and pass them as a dict."
            )
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def _encode_targets(self, y, sample_weight, *, reset, classes=None):
        y = column_or_1d(y, warn=True)
        _check_y(y, multi_output=False, y_numeric=False, estimator=self)
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y) if classes is None else unique_labels(classes)
            if len(self.classes_) < MIN_CLASSES:
                raise ValueError(
                    "This classifier needs sequences of at least 2 classes, but there is only one "
                    f"class: {self.classes_[0]}."
                )
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"classes={classes!r} are not those the network was started with: {self.classes_}."
            )
        labels = np.searchsorted(self.classes_, y)
        labels = np.minimum(labels, len(self.classes_) - 1).astype(np.intp)
        if len(bad := np.flatnonzero(self.classes_[labels] != y)):
            raise ValueError(
                f"y has labels that the network does not know: {np.unique(y[bad])[:5]} (the first "
                f"is that of sequence {bad[0]}); it was started with classes {self.classes_}."
            )
        weights = sample_weight
        if self.class_weight is not None:
            weights = compute_sample_weight(self.class_weight, y)
            check_weights(weights, "class_weight")
        if self.class_weight is not None and sample_weight is not None:
            weights = weights * sample_weight
            check_weights(weights, "The product of class_weight and sample_weight")
        return Targets(labels, None, weights)

    def _initial_bias(self, targets):
        """Log of the class priors: the first outputs are right on average."""
        n = len(self.classes_)
        priors = np.bincount(targets.labels, weights=targets.weights, minlength=n)
        priors = (1 - PRIOR_SMOOTHING) * priors / priors.sum() + PRIOR_SMOOTHING / n
        return np.log(priors)

    def _score_outputs(self, outputs, targets):
        return accuracy_score(targets.labels, outputs.argmax(axis=1), sample_weight=targets.weights)

    def predict(self, X):
        """Return the most probable label of each sequence.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
        """
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probability of each class for each sequence.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes), columns in the order of `classes_`
        """
        return self._outputs(X, probabilities=True)

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
        """
        outputs = self._outputs(X)
        return outputs - logsumexp(outputs, axis=1, keepdims=True)
