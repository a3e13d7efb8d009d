"""LSTMTagger: label every step of a sequence."""

from itertools import pairwise

import numpy as np

from skrnn._base.docstrings import documented
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.sklearn_api import StrOptions, _fit_context
from skrnn._base.streaming import StreamingMixin
from skrnn._base.word_input import TokensMixin
from skrnn._data.class_labels import check_partial_weights, class_weights
from skrnn._data.formats import check_targets
from skrnn._data.labels import label_classes, read_classes, read_labels, split_steps
from skrnn._data.sample_weight import check_even_weights, read_step_weights
from skrnn._data.sequences import locate
from skrnn._data.tag_schemes import ALIASES, SCHEMES, choose_scheme, forbidden_paths
from skrnn._network.batches import Targets
from skrnn._network.predict import best_labels, label_marginals, predict
from skrnn.metrics import token_accuracy_score

MIN_CLASSES = 2


@documented
class LSTMTagger(StreamingMixin, TokensMixin, BaseRecurrentNetwork):
    """Recurrent network that labels each step of a sequence.

    It predicts part-of-speech tags, named entities, chunks, or the states of audio and sensor
    frames. A bidirectional network reads the whole sequence; a softmax at each step, or a
    conditional random field over all steps, chooses the labels. Sequences of `str` need no
    preparation: a token is represented by its embedding and those of its prefixes, suffixes and
    shape, so that words never seen in training are tagged by their form.

    Parameters
    ----------
    $training_parameters

    $cell_parameter

    bidirectional : bool, default=True
        Add a second network that runs from the last step to the first, so that a label can depend
        on the steps that follow.

    $gradient_parameters

    embedding_dim : int, array-like of int or None, default=None
        Width of the embedding of tokens; for several columns of integers the width of each, or one
        width per column. None chooses it from the number of different tokens. For integers, a width
        declares that they are token ids. The parts of `str` tokens have a width of at most 32.

    $dtype_parameter

    crf : bool, default=False
        Use a linear-chain conditional random field [7]_ over the labels of a sequence. It learns
        a score for each pair of neighboring labels, and the most probable sequence of labels is
        predicted (Viterbi) rather than the most probable label of each step.

    tag_scheme : str or None, default='auto'
        Scheme of chunk labels such as 'B-PER', 'I-PER', 'O': 'BIO' (IOB2), 'BIOES' (IOBES),
        'BILOU', 'BMES', 'IOB1', 'IOE1', 'IOE2' or 'IO'. Tags may stand behind types ('PER-B'), or
        alone ('B'). Label sequences that the scheme forbids, such as an I- after an O under BIO,
        are never predicted, with or without the CRF. 'auto' recognizes the scheme by the labels,
        and warns if y violates it.

    subwords : bool, default=True
        For `str` input, embed prefixes of up to 4 characters, suffixes of up to 5 and the shape
        of a token in addition to the token itself, as :class:`~skrnn.preprocessing.TokenEncoder`
        does, which has more parameters.

    min_freq : int, default=1
        Minimum frequency in training; tokens, and parts of tokens, that occur less often count as
        unknown.

    word_dropout : float, default=0.1
        Probability that a token, and each of its parts independently, is replaced by the unknown
        one in training. The network learns from these places what an unknown token means.

    class_weight : dict, 'balanced' or None, default=None
        Weight of each label, multiplied by `sample_weight`; 'balanced' weights labels inversely to
        their frequency. It is not supported with `crf=True`, whose loss is that of whole sequences.

    $embeddings_parameters

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.

    transitions_ : ndarray of shape (n_classes, n_classes)
        Score of label j after label i; defined only with `crf=True`.

    tag_scheme_ : str or None
        Scheme that predictions obey.

    $fitted_attributes

    See Also
    --------
    RNNClassifier : Classify sequences.
    skrnn.preprocessing.TokenEncoder : Encode tokens as columns of ids.
    skrnn.metrics : Metrics for label sequences and entities.

    Notes
    -----
    Steps whose label is None or NaN do not count in the loss; the CRF sums over all labels that
    they might have [8]_. The loss is the mean over the labeled steps.

    References
    ----------
    $references
    .. [7] Lafferty, McCallum and Pereira (2001). Conditional random fields: probabilistic models
       for segmenting and labeling sequence data.
    .. [8] Tsuboi et al. (2008). Training conditional random fields using incomplete annotations.

    Examples
    --------
    >>> from skrnn import LSTMTagger
    >>> X = [["the", "cat", "sat"], ["a", "dog", "barked"], ["the", "dog", "sat"]] * 20
    >>> y = [["DET", "NOUN", "VERB"]] * 60
    >>> tagger = LSTMTagger((16,), max_iter=20, random_state=0, n_iter_no_change=np.inf).fit(X, y)
    >>> tagger.predict([["the", "cow", "parked"]])[0].tolist()
    ['DET', 'NOUN', 'VERB']
    """

    __module__ = "skrnn"  # the path that files name

    _min_length = 0
    _allowed: dict = {"loss": ("softmax", "crf"), "pooling": ("all",)}
    _needed: tuple = ("classes_", "tag_scheme_")
    _plan_names: dict = {**BaseRecurrentNetwork._plan_names, "loss": "crf"}
    _lowercase = True
    _reading_parameters = ("tag_scheme", "subwords", *TokensMixin._reading_parameters)
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "crf": ["boolean"],
        "tag_scheme": [StrOptions({"auto", *SCHEMES, *ALIASES}), None],
        **TokensMixin._token_constraints,
        **TokensMixin._embedding_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    del _parameter_constraints["pooling"]

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
        bidirectional=True,
        dropout=0.0,
        recurrent_dropout=0.0,
        max_grad_norm=1.0,
        bptt_steps=None,
        embedding_dim=None,
        dtype="float32",
        crf=False,
        tag_scheme="auto",
        subwords=True,
        min_freq=1,
        word_dropout=0.1,
        class_weight=None,
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
            pooling="all",
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            max_grad_norm=max_grad_norm,
            bptt_steps=bptt_steps,
            embedding_dim=embedding_dim,
            dtype=dtype,
        )
        self.crf = crf
        self.tag_scheme = tag_scheme
        self.subwords = subwords
        self.min_freq = min_freq
        self.word_dropout = word_dropout
        self.class_weight = class_weight
        self.embeddings = embeddings
        self.freeze_embeddings = freeze_embeddings
        self.embeddings_vocabulary = embeddings_vocabulary

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to sequences and the labels of their steps.

        Parameters
        ----------
        X : sequences
            A list of lists of `str`, a list of arrays of shape (n_timesteps, n_features) or
            (n_timesteps,), a 3-D array, or a 2-D array with one univariate series per row. The user
            guide lists all forms. Sequences may be empty.

        y : collection of label sequences
            One label per step, a string or an integer. None and NaN mark a step without a label;
            -1 at the end of a sequence of integers is padding; other negative integers are refused.

        sample_weight : array-like of shape (n_sequences,), or collection of sequences, default=None
            Non-negative weights, one per sequence or one per step. With `crf=True` the weights of
            the steps of a sequence must be equal, or 0.

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
            As in `fit`. Tokens that are neither in the first call nor in its `vocabulary` are
            unknown.

        y : collection of label sequences
            As in `fit`.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; required in the first call.

        sample_weight : array-like of shape (n_sequences,), or collection of sequences, default=None
            As in `fit`; 1 counts as one step.

        vocabulary : array-like of str or of int, default=None
            All tokens (or ids) that will ever occur, for the first call only; None takes those of
            its X.

        Returns
        -------
        self : object
        """
        check_partial_weights(self.class_weight)
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(
            X, y, sample_weight, incremental=True, classes=classes, vocabulary=vocabulary
        )

    def _read_targets(self, sequences, y, sample_weight, *, reset, held, classes=None):
        offsets = sequences.offsets
        labels = read_labels(y, offsets)
        if reset:
            found = set(labels) - {None} if classes is None else read_classes(classes)
            self._set_classes(label_classes(found))
        elif classes is not None and set(self.classes_.tolist()) != set(read_classes(classes)):
            raise ValueError(
                f"classes={classes!r} are not those the network was started with: {self.classes_}."
            )
        place = {label: k for k, label in enumerate(self.classes_.tolist())}
        place[None] = -1
        try:
            codes = np.fromiter((place[label] for label in labels), np.intp, len(labels))
        except KeyError as error:
            i, t = locate(offsets, next(r for r, label in enumerate(labels) if label not in place))
            raise ValueError(
                f"sequence {i} has the label {error.args[0]!r} at step {t}, which the network does "
                f"not know; it was started with classes {self.classes_}."
            ) from None
        if reset:
            self.tag_scheme_ = choose_scheme(self.tag_scheme, self.classes_, codes, offsets)
        steps = np.zeros(len(codes), bool) if held is None else np.repeat(held, np.diff(offsets))
        weights = self._step_weights(codes, sample_weight, offsets, steps)
        return Targets(codes, None, weights, offsets, len(self.classes_))

    def _set_classes(self, classes):
        if len(classes) < MIN_CLASSES:
            raise ValueError(
                "This tagger needs labels of at least 2 classes, but there "
                + (f"is only one class: {classes[0]}." if len(classes) else "is no label at all.")
            )
        self.classes_ = classes

    def _step_weights(self, codes, sample_weight, offsets, held):
        """Weight of each step, 0 without a label; None where all weigh 1.

        Weights of classes are learned from the steps that are not `held`.
        """
        counts = codes >= 0
        if sample_weight is None and self.class_weight is None and counts.all():
            return None
        weights = counts.astype(np.float64)
        if sample_weight is not None:
            weights *= read_step_weights(sample_weight, offsets)
        if self.class_weight is not None:
            if self.crf:
                raise ValueError(
                    "class_weight needs crf=False: the loss of a CRF is that of whole sequences. "
                    "Weigh sequences with sample_weight."
                )
            learned = counts & ~held
            if learned.any() or not held.all():
                self._class_weights = class_weights(
                    self.class_weight, self.classes_, codes[learned], weights[learned]
                )
            weights[counts] *= self._class_weights[codes[counts]]
        if self.crf:
            check_even_weights(weights, offsets)
        with np.errstate(over="ignore"):
            total = weights.sum()
        if not 0 < total < np.inf:
            raise ValueError(
                f"The weights of labeled steps add up to {total}: there is nothing to learn from."
            )
        return weights

    def _has_crf(self):
        """Whether the fitted network has a CRF."""
        return self._architecture["loss"] == "crf"

    def _network_parameters(self, shared):
        return {**shared, "loss": "crf" if self.crf else "softmax"}

    def _path_scores(self, params):
        """Scores of starts, pairs and ends of labels, -inf where forbidden; None where free."""
        if not self._has_crf() and self.tag_scheme_ is None:
            return None
        n = len(self.classes_)
        scores = np.zeros((n + 2, n), self._get_plan().dtype)
        if self._has_crf():
            views = self._get_plan().views(params)
            scores[0] = views["crf_start"]
            scores[1:-1] = views["crf_transitions"]
            scores[-1] = views["crf_end"]
        if self.tag_scheme_ is not None:
            scores[forbidden_paths(self.classes_, self.tag_scheme_)] = -np.inf
        return scores

    def _codes(self, params, sequences):
        """Predicted label of every step, as its place in `classes_`."""
        plan, scores = self._get_plan(), self._path_scores(params)
        if scores is not None:
            codes = best_labels(plan, params, sequences, scores)
            self._check_finite(codes >= 0, sequences)
            return codes
        outputs = predict(plan, params, sequences)
        self._check_finite(np.isfinite(outputs).all(axis=1), sequences)
        return outputs.argmax(axis=1)

    def predict(self, X):
        """Predict the label of each step, the most probable allowed sequence of labels.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=object
            An array of shape (T_i,) for each sequence.
        """
        sequences = self._sequences(X)
        return split_steps(self.classes_[self._codes(self._params, sequences)], sequences.offsets)

    def predict_proba(self, X):
        """Return the probability of each label at each step.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=object
            An array of shape (T_i, n_classes) for each sequence, columns in the order of
            `classes_`: the softmax of each step or, with `crf=True`, the marginal probabilities
            over all label sequences that `tag_scheme` allows.
        """
        sequences = self._sequences(X)
        plan = self._get_plan()
        if self._has_crf():
            scores = self._path_scores(self._params)
            outputs = label_marginals(plan, self._params, sequences, scores)
        else:
            outputs = predict(plan, self._params, sequences, probabilities=True)
        self._check_finite(np.isfinite(outputs).all(axis=1), sequences)
        return split_steps(outputs, sequences.offsets)

    def score(self, X, y, sample_weight=None):
        """Return the accuracy: the fraction of labeled steps that are predicted correctly.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : collection of label sequences
            As in `fit`.

        sample_weight : array-like of shape (n_sequences,), or collection of sequences, default=None
            Weights, one per sequence or one per step.

        Returns
        -------
        float
        """
        sequences = self._sequences(X)
        check_targets(y, len(sequences))
        codes, offsets = self._codes(self._params, sequences), sequences.offsets
        predicted = split_steps(self.classes_[codes], offsets)
        labels = read_labels(y, offsets)
        y = [labels[start:stop] for start, stop in pairwise(offsets)]
        return token_accuracy_score(y, predicted, sample_weight=sample_weight)

    @property
    def transitions_(self):
        """Score of label j after label i, learned by the CRF, as a copy (n_classes, n_classes)."""
        if not ("_params" in self.__dict__ and self._has_crf()):
            raise AttributeError("transitions_ needs a fit with crf=True.")
        return self.weights_["crf_transitions"]
