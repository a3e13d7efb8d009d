"""LSTMTagger: label every step of a sequence.

Above 600 lines because more than half of them are the documentation of one class.
"""

from itertools import pairwise

import numpy as np

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


class LSTMTagger(StreamingMixin, TokensMixin, BaseRecurrentNetwork):
    """Recurrent network that labels each step of a sequence.

    It predicts part-of-speech tags, named entities, chunks, or the states of audio and sensor
    frames. A bidirectional network reads the whole sequence; a softmax at each step, or a
    conditional random field over all steps, chooses the labels. Sequences of `str` need no
    preparation: a token is represented by its embedding and those of its prefixes, suffixes and
    shape, so that words never seen in training are tagged by their form.

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

    bidirectional : bool, default=True
        Add a second network that runs from the last step to the first, so that a label can depend
        on the steps that follow.

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
        Width of the embedding of tokens; for several columns of integers the width of each, or one
        width per column. None chooses it from the number of different tokens. For integers, a width
        declares that they are token ids. The parts of `str` tokens have a width of at most 32.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

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

    subwords : bool or 'chars', default=True
        For `str` input, embed prefixes of up to 4 characters, suffixes of up to 5 and the shape
        of a token in addition to the token itself, as :class:`~skrnn.preprocessing.TokenEncoder`
        does, which has more parameters. 'chars' adds a small bidirectional LSTM over the characters
        of each token, whose final states stand beside the embeddings [9]_ [10]_: more accurate for
        languages with rich endings, at up to twice the time of `fit`.

    min_freq : int, default=1
        Minimum frequency in training; tokens, parts of tokens and characters that occur less often
        count as unknown.

    word_dropout : float, default=0.1
        Probability that a token, and each of its parts independently, is replaced by the unknown
        one in training. The network learns from these places what an unknown token means. With
        `subwords='chars'` a character is replaced with a tenth of that probability.

    class_weight : dict, 'balanced' or None, default=None
        Weight of each label, multiplied by `sample_weight`; 'balanced' weights labels inversely to
        their frequency. It is not supported with `crf=True`, whose loss is that of whole sequences.

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

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.

    transitions_ : ndarray of shape (n_classes, n_classes)
        Score of label j after label i; defined only with `crf=True`.

    tag_scheme_ : str or None
        Scheme that predictions obey.

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
    skrnn.preprocessing.TokenEncoder : Encode tokens as columns of ids.
    skrnn.metrics : Metrics for label sequences and entities.

    Notes
    -----
    Steps whose label is None or NaN do not count in the loss; the CRF sums over all labels that
    they might have [8]_. The loss is the mean over the labeled steps.

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
    .. [7] Lafferty, McCallum and Pereira (2001). Conditional random fields: probabilistic models
       for segmenting and labeling sequence data.
    .. [8] Tsuboi et al. (2008). Training conditional random fields using incomplete annotations.
    .. [9] Ling et al. (2015). Finding function in form: compositional character models for open
       vocabulary word representation.
    .. [10] Lample et al. (2016). Neural architectures for named entity recognition.

    Examples
    --------
    >>> import numpy as np
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
    _reads_parts = True  # of a store
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
