"""RNNClassifier: classify sequences."""

import numpy as np
from scipy.special import expit, log_expit, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from skrnn._base.docstrings import documented
from skrnn._base.early_stopping import hold_out
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.features import FeaturesMixin
from skrnn._base.sklearn_api import StrOptions, _fit_context, _num_samples
from skrnn._base.streaming import StreamingMixin
from skrnn._base.word_input import TokensMixin
from skrnn._data.class_labels import (
    check_partial_weights,
    class_weights,
    read_class_labels,
    read_indicators,
    warn_if_labels_of_steps,
)
from skrnn._data.formats import refuse_masked
from skrnn._data.sample_weight import check_sample_weight, check_weights
from skrnn._network.batches import Targets
from skrnn._network.plan import POOLINGS

MIN_CLASSES = 2


@documented
class RNNClassifier(
    StreamingMixin, FeaturesMixin, ClassifierMixin, TokensMixin, BaseRecurrentNetwork
):  # fmt: skip
    """Recurrent network that classifies sequences.

    The network is trained by back-propagation through time on the softmax cross-entropy or, if a
    sequence may have any number of labels (multilabel), on the logistic cross-entropy of each
    label. Sequences may have unequal lengths; nothing is padded in computation.

    Parameters
    ----------
    $training_parameters

    $cell_parameter

    $direction_parameter

    $pooling_parameter

    $gradient_parameters

    $embedding_parameter

    $dtype_parameter

    class_weight : dict, 'balanced' or None, default=None
        Weight of each class, multiplied by `sample_weight`; 'balanced' weights classes inversely to
        their frequency.

    $subword_parameters

    $embeddings_parameters

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for a matrix of labels the numbers of its columns, 0 to
        n_classes - 1.

    $fitted_attributes

    See Also
    --------
    RNNRegressor : Predict numbers for each sequence.

    References
    ----------
    $references

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

    __module__ = "skrnn"  # the path that files name

    _loss = "softmax"
    _allowed: dict = {
        "loss": ("softmax", "binary_log_loss"),
        "pooling": POOLINGS,
    }
    _needed: tuple = ("classes_",)
    _reading_parameters = ("subwords", *TokensMixin._reading_parameters)
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        class_weight=None,
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
        self.class_weight = class_weight
        self.subwords = subwords
        self.min_freq = min_freq
        self.word_dropout = word_dropout
        self.embeddings = embeddings
        self.freeze_embeddings = freeze_embeddings
        self.embeddings_vocabulary = embeddings_vocabulary

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to sequences and their labels.

        Parameters
        ----------
        X : sequences
            A list of arrays of shape (n_timesteps, n_features) or (n_timesteps,), a 3-D array, a
            2-D array with one univariate series per row, or a list of lists of `str`. The user
            guide lists all forms.

        y : array-like of shape (n_sequences,) or (n_sequences, n_classes)
            Labels, or a matrix of 0 and 1 with one column per label, of which a sequence may have
            any number (multilabel).

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
    def partial_fit(self, X, y, classes=None, sample_weight=None, vocabulary=None):
        """Continue training with one epoch over the given sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,)
            Labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; required in the first call, except for a matrix of
            labels.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights; 1 counts as one sequence.

        vocabulary : array-like of str or of int, default=None
            All tokens (or ids) that will ever occur, for the first call only; None takes those of
            its X.

        Returns
        -------
        self : object
        """
        check_partial_weights(self.class_weight)
        if classes is None and not hasattr(self, "classes_") and read_indicators(y) is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(
            X, y, sample_weight, incremental=True, classes=classes, vocabulary=vocabulary
        )

    def _read_targets(self, sequences, y, sample_weight, *, reset, held, classes=None):
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, y)
        if (indicators := read_indicators(y)) is not None:
            warn_if_labels_of_steps(indicators.shape[1], sequences.lengths)
            return self._encode_indicators(indicators, sample_weight, reset=reset, held=held)
        y = read_class_labels(y)
        if reset:
            self._loss = "softmax"
            self.classes_ = np.unique(y) if classes is None else unique_labels(classes)
            if len(self.classes_) < MIN_CLASSES:
                raise ValueError(
                    "This classifier needs sequences of at least 2 classes, but there is only one "
                    f"class: {self.classes_[0]}."
                )
        elif self._loss != "softmax":
            raise ValueError(
                "y has one label per sequence, but the network was started with a matrix of "
                f"{len(self.classes_)} labels per sequence (multilabel)."
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
        learned = slice(None) if held is None else ~held
        if held is None or not held.all():
            self._class_weights = class_weights(
                self.class_weight, self.classes_, labels[learned],
                None if sample_weight is None else sample_weight[learned],
            )  # fmt: skip
        weights = sample_weight
        if self._class_weights is not None:
            weights = self._class_weights[labels]
            check_weights(weights, "class_weight")
            if sample_weight is not None:
                weights = weights * sample_weight
                check_weights(weights, "The product of class_weight and sample_weight")
        return Targets(labels, None, weights, n_labels=len(self.classes_))

    def _encode_indicators(self, y, sample_weight, *, reset, held):
        """Read a matrix with a column of 0 and 1 for each label."""
        if self.class_weight is not None:
            raise ValueError(
                "class_weight is for one label per sequence. Weigh sequences with sample_weight."
            )
        values = y.astype(self.dtype)
        if reset:
            self._loss = "binary_log_loss"
            self.classes_ = np.arange(values.shape[1])
        elif self._loss != "binary_log_loss" or values.shape[1] != len(self.classes_):
            started = (
                f"{len(self.classes_)} labels"
                if self._loss == "binary_log_loss"
                else "one label per sequence"
            )
            raise ValueError(
                f"y is a matrix of {values.shape[1]} labels per sequence (multilabel), but the "
                f"network was started with {started}."
            )
        return Targets(None, np.ascontiguousarray(values), sample_weight)

    def _held_mask(self, y, sample_weight, seed):
        sample_weight = check_sample_weight(sample_weight, y)
        labels = read_class_labels(y) if read_indicators(y) is None else None
        return hold_out(
            _num_samples(y), self.validation_fraction, seed, labels=labels, weights=sample_weight
        )

    def _is_multilabel(self):
        """Whether the fitted network gives each sequence any number of labels."""
        return self._architecture.get("loss") == "binary_log_loss"

    def predict(self, X):
        """Return the most probable label of each sequence.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), or (n_sequences, n_classes)
            Labels; for a network fitted to a matrix of labels, 1 for each label of probability 0.5
            or more.
        """
        outputs = self._outputs(X)
        if self._is_multilabel():
            return (outputs >= 0).astype(int)
        return self.classes_[outputs.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        """Return the accuracy: the fraction of sequences whose labels are all correct.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : array-like of shape (n_sequences,) or (n_sequences, n_classes)
            True labels.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights.

        Returns
        -------
        float
        """
        weights = check_sample_weight(sample_weight, y)
        check_is_fitted(self)
        refuse_masked(y, "y")
        if not self._is_multilabel():
            y = read_class_labels(y)
        elif (y := read_indicators(y)) is None:
            raise ValueError("y must have a column of 0 and 1 for each label, as in fit.")
        return super().score(X, y, sample_weight=weights)

    def predict_proba(self, X):
        """Return the probability of each class for each sequence.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes), columns in the order of `classes_`
            Probabilities. Rows add up to 1; for a network fitted to a matrix of labels, each
            column is a separate probability.
        """
        self._check_whole()
        if self._is_multilabel():
            return expit(self._outputs(X))
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
        if self._is_multilabel():
            return log_expit(outputs)
        return outputs - logsumexp(outputs, axis=1, keepdims=True)

    def _finish_step(self, raw, output):
        if self._is_multilabel():
            expit(raw, out=output)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
