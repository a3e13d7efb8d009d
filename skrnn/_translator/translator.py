"""Seq2SeqTranslator: translate a sequence into tokens of another length.

Above 600 lines because more than half of them are the documentation of one class.
"""

from itertools import chain, compress
from numbers import Integral, Real

import numpy as np

from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.sklearn_api import Interval, StrOptions, _fit_context
from skrnn._base.word_input import TokensMixin
from skrnn._data.formats import check_targets
from skrnn._data.sample_weight import check_sample_weight
from skrnn._network.batches import Targets
from skrnn._network.plan import embedding_width
from skrnn._translator.copying import copied_tokens
from skrnn._translator.decoding import attention_weights, decode, target_log_probabilities
from skrnn._translator.encoder_decoder import EncoderDecoder, EncoderDecoderRunner
from skrnn._translator.targets import (
    default_max_lengths,
    longest_targets,
    read_targets,
    target_labels,
    target_vocabulary,
)
from skrnn.metrics import sequence_error_rate


class Seq2SeqTranslator(TokensMixin, BaseRecurrentNetwork):
    """Encoder-decoder network that turns a sequence into another of any length.

    It translates spelling into pronunciation, one language into another, or a written date into its
    parts. An encoder reads the source; its final states start a decoder, which predicts the target
    token by token [7]_ [3]_ and, with attention, looks back at each step at the relevant parts of
    the source [8]_ [9]_. Sources are token sequences, or sequences of numbers as for the other
    estimators.

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
        Add a second encoder that runs from the last step to the first. Each layer of the decoder is
        as wide as all directions of that of the encoder together.

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
        Width of the embeddings of source and target tokens; None chooses it from the number of
        different tokens. For integers, a width declares that they are token ids. An array holds the
        widths of the columns of the source; that of the target is then chosen.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

    attention : {'dot', 'additive'} or None, default='dot'
        Score of an encoder output for a decoder state: their product [9]_, or a layer of tanh units
        [8]_, which takes more time. Without attention the final states carry all information.

    beam_width : int, default=1
        Number of hypotheses that beam search keeps per source. The search ends when none of them
        can become better than the best result. 1 takes the most probable token at each step.

    length_penalty : float, default=1.0
        Exponent of the length: hypotheses are compared by `log_probability / length **
        length_penalty`. 0 does not compensate for length, larger values prefer longer targets
        [10]_.

    max_length : int or None, default=None
        Maximum number of tokens of a prediction. None allows 16 tokens more than twice the longest
        target among the training sources that were not longer, but at most twice the longest target
        of all.

    min_freq : int, default=1
        Minimum frequency in training; rarer `str` tokens of the source count as unknown.

    word_dropout : float, default=0.0
        Fraction of the tokens read by the encoder and the decoder that are replaced by the unknown
        token in training.

    label_smoothing : float, default=0.0
        Fraction of the target probability that is distributed evenly over all tokens rather than
        assigned to the true one [11]_. About 0.1 keeps the network from overconfidence.

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

    copy_unknown : str, int or None, default=None
        Target token that stands for unknown ones in `y`, such as '<unk>'. Where it is predicted,
        the source token with the largest attention weight is put in its place [9]_ [12]_, so that
        names and numbers pass through; it needs `attention` and tokens in X. None leaves
        predictions as they are.

    Attributes
    ----------
    target_vocabulary_ : dict
        Output of each target token, in sorted order. The end symbol is the output after them, the
        start symbol the row of that number of the embedding: neither can be confused with a token.

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
    LSTMTagger : Label each step of the source.
    skrnn.metrics.sequence_error_rate : Fraction of sequences not predicted exactly.
    skrnn.metrics.token_error_rate : Edit distance per true token.

    Notes
    -----
    In training the decoder reads the true target, shifted by one (teacher forcing). The loss is
    the mean cross entropy of the target tokens and the end symbol. Attention is Luong's "global"
    form without input feeding: the context vector goes to the output layer, not into the next
    step. `weights_` has `encoder_weight_ih_l0` and so on, `decoder_weight_ih_l0` and so on,
    `encoder_embedding_weight`, `decoder_embedding_weight` (n_tokens + 2, dim), whose last rows are
    those of the start symbol and of unknown tokens, `head_weight` and `head_bias`, and
    `attention_combine` (H, 2 H), `attention_query`, `attention_key` (H, H), `attention_vector`
    (H,), H the width of the decoder.

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
    .. [7] Sutskever, Vinyals and Le (2014). Sequence to sequence learning with neural networks.
    .. [8] Bahdanau, Cho and Bengio (2015). Neural machine translation by jointly learning to
       align and translate.
    .. [9] Luong, Pham and Manning (2015). Effective approaches to attention-based neural machine
       translation.
    .. [10] Wu et al. (2016). Google's neural machine translation system.
    .. [11] Szegedy et al. (2016). Rethinking the inception architecture for computer vision.
    .. [12] Jean et al. (2015). On using very large target vocabulary for neural machine
       translation.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import Seq2SeqTranslator
    >>> X = [list(word) for word in ("ab", "ba", "abb", "bab", "aab", "bba")] * 20
    >>> y = [[letter.upper() for letter in reversed(word)] for word in X]
    >>> translator = Seq2SeqTranslator((16,), learning_rate_init=0.02, max_iter=20, random_state=0,
    ...                                n_iter_no_change=np.inf).fit(X, y)
    >>> translator.predict([["a", "b"], ["b", "a", "b"]]).tolist()
    [['B', 'A'], ['B', 'A', 'B']]
    """

    __module__ = "skrnn"  # the path that files name

    _plan_class = EncoderDecoder
    _runner_class = EncoderDecoderRunner
    _allowed: dict = {"loss": ("softmax",)}
    _needed: tuple = ("target_vocabulary_", "_longest_targets")
    _plan_names: dict = {**BaseRecurrentNetwork._plan_names, "target_embedding": "embedding_dim"}
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "attention": [StrOptions({"dot", "additive"}), None],
        "beam_width": [Interval(Integral, 1, None, closed="left")],
        "length_penalty": [Interval(Real, 0, np.inf, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "min_freq": [Interval(Integral, 1, None, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        **TokensMixin._embedding_constraints,
        "copy_unknown": [str, Integral, None],
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
        attention="dot",
        beam_width=1,
        length_penalty=1.0,
        max_length=None,
        min_freq=1,
        word_dropout=0.0,
        label_smoothing=0.0,
        embeddings=None,
        freeze_embeddings=False,
        embeddings_vocabulary="training",
        copy_unknown=None,
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
        self.attention = attention
        self.beam_width = beam_width
        self.length_penalty = length_penalty
        self.max_length = max_length
        self.min_freq = min_freq
        self.word_dropout = word_dropout
        self.label_smoothing = label_smoothing
        self.embeddings = embeddings
        self.freeze_embeddings = freeze_embeddings
        self.embeddings_vocabulary = embeddings_vocabulary
        self.copy_unknown = copy_unknown

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to sources and their targets.

        Parameters
        ----------
        X : sequences
            A list of lists of `str`, or any of the forms of numbers and ids that the other
            estimators take; the user guide lists all of them. A source has at least one step.

        y : collection of token sequences
            Target of each source: lists of strings, or of integers, of any lengths; targets may be
            empty.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights, each of which applies to every token of a target.

        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation data for `early_stopping`, which then holds out no part of X. Target tokens
            that do not occur in `y` do not count.

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
    def partial_fit(self, X, y, target_tokens=None, sample_weight=None, vocabulary=None):
        """Continue training with one epoch over the given sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`. Tokens that are neither in the first call nor in its `vocabulary` are
            unknown.

        y : collection of token sequences
            As in `fit`.

        target_tokens : array-like, default=None
            All target tokens that will ever occur, for the first call only; None takes those of its
            `y`.

        sample_weight : array-like of shape (n_sequences,), default=None
            As in `fit`; 1 counts as one token.

        vocabulary : array-like of str or of int, default=None
            All source tokens (or ids) that will ever occur, for the first call only; None takes
            those of its X.

        Returns
        -------
        self : object
        """
        return self._fit(
            X, y, sample_weight, incremental=True, target_tokens=target_tokens,
            vocabulary=vocabulary,
        )  # fmt: skip

    def _read_targets(self, sequences, y, sample_weight, *, reset, held, target_tokens=None):
        rows = read_targets(y)
        held = np.zeros(len(rows), bool) if held is None else held
        if target_tokens is not None:
            (target_tokens,) = read_targets([target_tokens])
        learned = list(compress(rows, ~held))
        if reset:
            tokens = chain.from_iterable(learned) if target_tokens is None else target_tokens
            self.target_vocabulary_ = target_vocabulary(tokens)
            self._longest_targets = np.empty((0, 2), np.int64)
        elif target_tokens is not None and sorted(set(target_tokens)) != self._tokens():
            raise ValueError("target_tokens are not those the network was started with.")
        self._longest_targets = longest_targets(
            self._longest_targets, np.diff(sequences.offsets)[~held], list(map(len, learned))
        )
        labels, offsets = target_labels(rows, self.target_vocabulary_, held)
        self._copied_output(sequences)
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, np.empty(len(rows)))
            weights = np.repeat(weights, np.diff(offsets))
        return Targets(labels, None, weights, offsets, len(self.target_vocabulary_) + 1)

    def _tokens(self):
        """Target tokens in the order of the outputs."""
        return list(self.target_vocabulary_)

    def _network_parameters(self, shared):
        shared = {name: value for name, value in shared.items() if name != "pooling"}
        rows = len(self.target_vocabulary_) + 2
        given = self.embedding_dim
        width = int(given) if isinstance(given, Integral) else embedding_width(rows)
        return {**shared, "target_embedding": (rows, width), "attention": self.attention}

    def _decode(self, params, sequences, beam_width, n_best=1):
        self._validate_params()  # set_params may have changed those of decoding
        limits = self.max_length
        if limits is None:
            limits = default_max_lengths(self._longest_targets, sequences.lengths)
        penalty = self.length_penalty
        found = decode(self._get_plan(), params, sequences, beam_width, penalty, limits, n_best)
        self._check_finite(np.array([len(tokens) > 0 for tokens in found.tokens]))
        return found

    def predict(self, X):
        """Predict the target of each source.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=object
            A list of target tokens for each source, at most `max_length` of them.
        """
        sequences = self._sequences(X)
        found = self._decode(self._params, sequences, self.beam_width)
        told = self._told(X, sequences, found.tokens)
        return np.fromiter((best[0] for best in told), dtype=object)

    def _told(self, X, sequences, targets):
        """Return the tokens of several predictions of each source; unknown ones are copied."""
        tokens, unknown = self._tokens(), self._copied_output(sequences)
        if unknown is None:
            return [[[tokens[k] for k in target] for target in found] for found in targets]
        return copied_tokens(
            self._get_plan(), self._params, X, sequences, targets, tokens, unknown
        )  # fmt: skip

    def _copied_output(self, sequences):
        """Return the output that stands for unknown tokens, which are copied; None for none."""
        if self.copy_unknown is None:
            return None
        if self.attention is None or sequences.values.dtype.kind != "i":
            raise ValueError(
                f"copy_unknown={self.copy_unknown!r} copies tokens of the source by their "
                "attention weights: it needs tokens in X (strings, or ids and embedding_dim), and "
                "attention='dot' or 'additive'. Set copy_unknown=None."
            )
        if self.copy_unknown not in self.target_vocabulary_:
            raise ValueError(
                f"copy_unknown={self.copy_unknown!r} is no target token that fit has seen, so that "
                "it is never predicted. Write it into y in place of the tokens that are to count "
                "as unknown, or set copy_unknown=None."
            )
        return self.target_vocabulary_[self.copy_unknown]

    def predict_n_best(self, X, n_best=5):
        """Return the best targets of each source, with their log-probabilities.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        n_best : int, default=5
            Maximum number of targets per source; the beam is at least as wide.

        Returns
        -------
        list of list of (list, float)
            Targets of each source with the natural logarithms of their probabilities, including the
            end symbol, in the order of `length_penalty`. The first is that of `predict` if the beam
            is equally wide.
        """
        if not isinstance(n_best, Integral) or n_best < 1:
            raise ValueError(f"n_best must be a positive integer; got {n_best!r}.")
        sequences = self._sequences(X)
        n_best = int(n_best)
        found = self._decode(self._params, sequences, max(self.beam_width, n_best), n_best)
        told = self._told(X, sequences, found.tokens)
        return [
            [(y, float(p)) for y, p in zip(best, logs, strict=True)]
            for best, logs in zip(told, found.log_probabilities, strict=True)
        ]

    def score_samples(self, X, y):
        """Return the log-probability of the given target of each source.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : collection of token sequences
            One target per source.

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=float64
            Natural logarithms of the probabilities of the targets, including the end symbol; those
            of `predict_n_best` for the same targets, up to rounding. A target with a token that is
            not in `target_vocabulary_` cannot be predicted: -inf.
        """
        sequences, target = self._with_targets(X, y, unknown=True)
        scores = target_log_probabilities(self._get_plan(), self._params, sequences, *target)
        self._check_finite(~np.isnan(scores))
        return scores

    def attention_weights(self, X, y=None):
        """Return the attention weights of each target token over the steps of the source.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : collection of token sequences, default=None
            Targets; None takes those of `predict`, before anything is copied.

        Returns
        -------
        list of ndarray of shape (n_tokens + 1, n_timesteps)
            Weights with one row per target token, and one for the end symbol; rows add up to 1.
        """
        if self._check_whole().attention is None:
            raise ValueError("A network with attention=None has no attention weights.")
        if y is None:
            tokens = self._tokens()
            found = self._decode(self._params, self._sequences(X), self.beam_width)
            y = [[tokens[k] for k in best[0]] for best in found.tokens]
        sequences, target = self._with_targets(X, y)
        return attention_weights(self._get_plan(), self._params, sequences, *target)

    def _with_targets(self, X, y, unknown=False):
        """Return sources, and (labels, offsets) of a target for each.

        With `unknown`, targets may contain unknown tokens, which have no label.
        """
        sequences = self._sequences(X)
        check_targets(y, len(sequences))
        rows = read_targets(y)
        held = np.full(len(rows), unknown)
        return sequences, target_labels(rows, self.target_vocabulary_, held)

    def score(self, X, y, sample_weight=None):
        """Return the fraction of sequences that are predicted exactly.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        y : collection of token sequences
            True targets, which may contain unknown tokens.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weights.

        Returns
        -------
        float
        """
        return 1.0 - sequence_error_rate(y, self.predict(X), sample_weight=sample_weight)
