"""LSTMLanguageModel: predict the next token, and with it the probability of sequences.

Above 600 lines because more than half of them are the documentation of one class.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils import check_random_state

from skrnn._base.early_stopping import hold_out
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.sklearn_api import Interval, StrOptions, _fit_context, validate_params
from skrnn._base.word_input import TokensMixin
from skrnn._data.formats import take_items
from skrnn._data.sample_weight import check_sample_weight
from skrnn._data.sequences import Sequences, lengths_to_offsets, step_rows
from skrnn._data.single_series import unwrap
from skrnn._language_model.likelihood import ContinuedDocument, cut_into_pieces, log_likelihoods
from skrnn._language_model.sampling import draw, uniform_numbers
from skrnn._language_model.special_tokens import SpecialTokens
from skrnn._language_model.streaming import TokenStreamingMixin
from skrnn._network.batches import Targets, TrainingData, first_states
from skrnn._network.initialize import log_priors

PARALLEL_PARTS = 32


class LSTMLanguageModel(TokenStreamingMixin, DensityMixin, TokensMixin, BaseRecurrentNetwork):
    """Recurrent network that predicts each token from those before it [7]_.

    Tokens are characters, words or ids. The network learns the probability of every sequence, the
    product of those of its tokens; new sequences are drawn from it token by token.

    From sequences it also learns where they start and end, by boundary tokens that cannot be
    confused with a token. A document is one long text, without a start or an end, which is cut into
    `batch_size` parts that are read in parallel.

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

    dropout : float, default=0.0
        Fraction of the values dropped between layers and before the output layer, in training.

    recurrent_dropout : float, default=0.0
        Fraction of the hidden units dropped where they enter the recurrent product; one mask per
        sequence for all its steps [5]_.

    max_grad_norm : float or None, default=1.0
        Maximum global norm of the gradient of a batch, to which a longer one is scaled down [6]_;
        None does not clip.

    bptt_steps : int or None, default=100
        Number of steps of truncated back-propagation through time [8]_: sequences are read in
        pieces of this many steps. The state is carried from piece to piece, gradients are not, and
        there is one optimizer step per piece. None reads whole sequences.

    embedding_dim : int or None, default=None
        Width of the embedding of tokens. None chooses it from the number of different tokens or,
        with `tie_embeddings`, takes the width of the last layer.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

    tie_embeddings : bool, default=False
        Use the weights of the output layer as the embedding [9]_, which saves most of the weights
        of a network for words. The embedding is then as wide as the last layer.

    min_freq : int, default=1
        Minimum frequency in training; tokens (`str`) that occur less often count as unknown.

    boundary_tokens : {'auto'} or bool, default='auto'
        Whether X consists of sequences with a start and an end, which the network learns, or of
        documents: running text, of which it learns neither. 'auto' takes a 1-D array, list or
        Series of ids as one document, and all else as sequences; `fit` refuses a single one, which
        could be either.

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
    LSTMTagger : Label each token.
    RNNClassifier : Classify sequences.

    Notes
    -----
    Sequences are lists of `str`, or of integers (ids, which need no vocabulary). All tokens that
    `fit` has not seen are one unknown token, which has a probability of its own and is never drawn.
    Together with it and the end symbol, the probabilities of the next token sum to one.

    In a document the probability of the first token is its frequency, so that the probabilities of
    all sequences of one length sum to one.

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
    .. [7] Mikolov et al. (2010). Recurrent neural network based language model.
    .. [8] Williams and Peng (1990). An efficient gradient-based algorithm for on-line training of
       recurrent network trajectories.
    .. [9] Press and Wolf (2017). Using the output embedding to improve language models.
    .. [10] Holtzman et al. (2020). The curious case of neural text degeneration.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import LSTMLanguageModel
    >>> X = [list("abab"), list("abababab"), list("ab")] * 20
    >>> model = LSTMLanguageModel((16,), learning_rate_init=0.01, max_iter=30, random_state=0,
    ...                           n_iter_no_change=np.inf).fit(X)
    >>> "".join(model.sample(prefix=["a"], temperature=0, max_length=1)[0])
    'ab'
    >>> likely, unlikely = model.score_samples([list("abab"), list("bbaa")])
    >>> bool(likely > unlikely + 5)
    True
    """

    __module__ = "skrnn"  # the path that files name

    _allowed: dict = {"loss": ("softmax",), "pooling": ("all",), "bidirectional": (False,)}
    _needed: tuple = ("_own_symbols", "_counts")
    _plan_names: dict = {**BaseRecurrentNetwork._plan_names, "tied": "tie_embeddings"}
    _min_length = 0
    _reading_parameters = ("boundary_tokens", *TokensMixin._reading_parameters)
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), None],
        "tie_embeddings": ["boolean"],
        "min_freq": [Interval(Integral, 1, None, closed="left")],
        "boundary_tokens": [StrOptions({"auto"}), "boolean"],
        **TokensMixin._embedding_constraints,
    }
    del _parameter_constraints["pooling"]
    del _parameter_constraints["bidirectional"]

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
        dropout=0.0,
        recurrent_dropout=0.0,
        max_grad_norm=1.0,
        bptt_steps=100,
        embedding_dim=None,
        dtype="float32",
        tie_embeddings=False,
        min_freq=1,
        boundary_tokens="auto",
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
            bidirectional=False,
            pooling="all",
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            max_grad_norm=max_grad_norm,
            bptt_steps=bptt_steps,
            embedding_dim=embedding_dim,
            dtype=dtype,
        )
        self.tie_embeddings = tie_embeddings
        self.min_freq = min_freq
        self.boundary_tokens = boundary_tokens
        self.embeddings = embeddings
        self.freeze_embeddings = freeze_embeddings
        self.embeddings_vocabulary = embeddings_vocabulary

    # -- fit ---------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to sequences, or to documents.

        Parameters
        ----------
        X : collection of n_sequences token sequences
            Lists of `str`, or lists or arrays of integers >= 0, which may be empty; or a 1-D array,
            list or Series of integers, one document. `boundary_tokens` says what they are. The
            integer -1 is an unknown token, and refused at the end, where it may be padding.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_sequences,), default=None
            Non-negative weight of each sequence; a weight counts as that many repetitions.

        X_val, sample_weight_val : as X and sample_weight, default=None
            Validation data for `early_stopping`, which then holds out no part of X.

        y_val : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the network cannot learn from the input. The message names the sequence, the step and
            a remedy, and the estimator is left unchanged.
        """
        if self.boundary_tokens == "auto" and not (self.warm_start and hasattr(self, "_params")):
            self._check_many(X)
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @staticmethod
    def _check_many(X):
        """Refuse a single sequence, which may be a document as well."""
        items, document = unwrap(X)
        if document or not hasattr(items, "__len__") or len(items) != 1:
            return
        if not isinstance(items, (str, bytes)) and not isinstance(next(iter(items)), str):
            raise ValueError(
                "X has 1 sequence (n_samples=1), which may be a document, running text without a "
                "start and an end, or a sequence with both. Set boundary_tokens=False for the "
                "first, boundary_tokens=True for the second."
            )

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, vocabulary=None):
        """Continue training with one epoch over the given sequences.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
            Tokens that are neither in the first call nor in its `vocabulary` are unknown. The first
            call decides between sequences and documents: a list, even of a single sequence, is read
            as sequences, unless `boundary_tokens` is False.

        vocabulary : array-like of str or of int, default=None
            All tokens (or ids) that will ever occur, for the first call only; None takes those of
            its X.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=True, vocabulary=vocabulary)

    def _read_data(
        self, X, y, sample_weight, *, reset, split_seed=None, validation=False, vocabulary=None
    ):  # fmt: skip
        self._set_boundaries(X, reset)

        def steps_to_learn(offsets):
            parts, held = self._parts(offsets, sample_weight, split_seed)
            return step_rows(parts, ~held)[0]

        sequences = self._read_sequences(
            X, reset=reset, vocabulary=vocabulary,
            learn_from=None if split_seed is None else steps_to_learn,
        )  # fmt: skip
        if reset:
            self._refuse_padding(sequences)
        weights = check_sample_weight(sample_weight, sequences)
        inputs, labels = self._special_tokens.next_tokens(sequences)
        if len(labels) == 0:
            raise ValueError(
                "X is a document of fewer than 2 tokens: there is nothing to predict. Pass a "
                "longer one, or set boundary_tokens=True."
            )
        if weights is not None:
            weights = np.repeat(weights, inputs.lengths)
        ids, offsets, held = inputs.values, inputs.offsets, np.zeros(len(inputs), bool)
        if split_seed is not None:
            parts, held = self._parts(sequences.offsets, sample_weight, split_seed)
            # Of a document the first token is not predicted, so that places are one less.
            offsets = offsets if len(held) == len(inputs) else np.maximum(parts - 1, 0)
        if not self._own_symbols and not validation:
            lengths = np.diff(offsets)
            steps = self._n_steps_of_a_part(int(lengths[~held].sum()))
            if len(held) > len(inputs):
                order, counts, offsets = self._with_lead(offsets)
                ids, lengths = ids[order], np.diff(offsets)
                labels = np.where(counts, labels[order], -1)
                weights = None if weights is None else weights[order]
            # What is held out advances alone, from its beginning to its end.
            offsets, held = self._cut_sequences(offsets, held, np.where(held, lengths, steps))[:2]
        documents = None
        if self.bptt_steps is not None and np.diff(offsets).max() > self.bptt_steps:
            offsets, held, documents = self._cut_sequences(offsets, held, self.bptt_steps)
        if not validation:
            self._count_tokens(labels, weights, np.repeat(held, np.diff(offsets)), reset)
        return TrainingData(
            Sequences(ids, offsets),
            Targets(labels, None, weights, offsets, self._special_tokens.unk + 1),
            documents,
            None if split_seed is None else held,
        )

    def _refuse_padding(self, sequences):
        """Refuse a sequence that ends with the id -1: an unknown token would be learned."""
        if getattr(self, "_vocabularies", None) is not None:
            return
        given = np.flatnonzero(sequences.lengths)
        last = sequences.values[sequences.offsets[given + 1] - 1, 0]
        if (ended := given[last == self._special_tokens.n_known]).size:
            i = ended[0]
            raise ValueError(
                f"sequence {i} ends with the id -1, at step {sequences.lengths[i] - 1}, which may "
                "be padding or an unknown token. Cut padding off, as in [x[x >= 0] for x in X]; "
                "give unknown tokens an id of their own."
            )

    @staticmethod
    def _cut_sequences(offsets, held, steps):
        """Cut sequences into pieces: their offsets, whether held out, and of which sequence."""
        held = held[np.diff(offsets) > 0]
        offsets, sequence = cut_into_pieces(offsets, steps)
        return offsets, held[sequence], sequence

    def _n_steps_of_a_part(self, n_steps):
        """Return the steps of each of the parts of a document that advance together."""
        return -(-n_steps // self._n_parallel_parts(n_steps))

    def _n_lead(self, start, stop):
        """Return how many steps are read before those from `start` to `stop`, which are held out.

        So the state is carried on into them, as training carries it, but over no more steps than
        are held out, so that the time at most doubles.
        """
        return min(start, self._n_steps_of_a_part(start), stop - start)

    def _with_lead(self, offsets):
        """Let the held-out end of a document begin with steps before it, which do not count.

        Returns
        -------
        order : ndarray of int
            Steps, some of which occur twice.
        counts : ndarray of bool
            Whether what comes next is to be predicted, for each of them.
        offsets : ndarray of shape (3,)
        """
        _, start, stop = offsets.tolist()
        lead = self._n_lead(start, stop)
        order = np.append(np.arange(start), np.arange(start - lead, stop))
        counts = np.ones(len(order), bool)
        counts[start : start + lead] = False
        return order, counts, np.array([0, start, stop + lead])

    def _parts(self, offsets, sample_weight, seed):
        """Return the offsets of parts of X, and whether early stopping holds each of them out.

        Parts are the sequences; of a single document its beginning, and its end, which is held out.
        """
        n, n_tokens = len(offsets) - 1, int(offsets[-1])
        if n > 1 or self._own_symbols:
            weights = check_sample_weight(sample_weight, np.empty(n))
            return offsets, hold_out(n, self.validation_fraction, seed, weights=weights)
        n_held = round(self.validation_fraction * (n_tokens - 1))
        if not 1 <= n_held <= n_tokens - 2:
            raise ValueError(
                f"The validation set is too small: of a document of {n_tokens} tokens "
                f"validation_fraction={self.validation_fraction} holds out {n_held}. Pass a longer "
                "one, or validation data of your own as X_val."
            )
        return np.array([0, n_tokens - n_held, n_tokens]), np.array([False, True])

    def _held_data(self, X, y, sample_weight, seed):
        X, _ = unwrap(X)
        lengths = [len(x) for x in X]
        parts, held = self._parts(lengths_to_offsets(lengths), sample_weight, seed)
        if len(held) > len(X):
            start, stop = (parts[1:] - 1).tolist()
            lead = self._n_lead(start, stop)
            document = take_items(X[0], np.arange(start - lead, stop + 1))
            return ContinuedDocument(document, lead + 1), None, None
        held = np.flatnonzero(held)
        weights = None if sample_weight is None else take_items(sample_weight, held)
        return take_items(X, held), None, weights

    def _set_boundaries(self, X, reset):
        """Decide between sequences and documents, or refuse a document where sequences are read."""
        document = unwrap(X)[1]
        if reset:
            given = self.boundary_tokens
            self._own_symbols = int(not document if given == "auto" else given)
        if document and self._own_symbols:
            raise ValueError(
                "X is a document, a 1-D array of ids, but the network reads sequences with a start "
                "and an end. Pass [X] for a single sequence, or start anew with "
                "boundary_tokens=False."
            )

    def _read_sequences(self, X, *, reset, dtype=None, **learning):
        """Return the sequences as rows of the vocabulary, the last one for unknown tokens."""
        X, _ = unwrap(X)
        sequences = super()._read_sequences(X, reset=reset, dtype=dtype, embed=True, **learning)
        if sequences.values.shape[1] != 1:
            raise ValueError(
                f"X has {sequences.values.shape[1]} columns of ids, but a language model reads "
                "one token per step. Pass sequences of shape (n_timesteps,)."
            )
        return sequences

    def _count_tokens(self, labels, weights, held, reset):
        """Count what comes next where: the first token of a document is as probable as its share.

        `partial_fit` and warm starts add to the counts.
        """
        n, learned = self._special_tokens.unk + 1, ~held
        counts = np.bincount(
            labels[learned], weights=None if weights is None else weights[learned], minlength=n
        )
        self._counts = counts.astype(np.float64) + (0 if reset else self._counts)

    @property
    def _log_frequencies(self):
        return log_priors(np.arange(len(self._counts)), self._counts, len(self._counts))

    @property
    def _special_tokens(self):
        return SpecialTokens(int(self._token_counts[0]), bool(self._own_symbols))

    def _n_parallel_parts(self, n_steps):
        """Parallel parts of a document: no more than have a whole piece each."""
        n_parts = PARALLEL_PARTS if self.batch_size == "auto" else self.batch_size
        return max(1, min(n_parts, n_steps // (self.bptt_steps or 1)))

    def _network_parameters(self, shared):
        [(rows, width)] = shared["embedding"]
        if self.tie_embeddings:
            last = int(np.ravel(self.hidden_layer_sizes)[-1])
            if self.embedding_dim not in (None, last):
                raise ValueError(
                    f"tie_embeddings=True needs an embedding as wide as the last layer ({last}), "
                    f"but embedding_dim={self.embedding_dim}. Set embedding_dim=None."
                )
            width = last
            if shared.get("n_frozen"):
                raise ValueError(
                    "freeze_embeddings=True needs tie_embeddings=False: tied, the vectors are the "
                    "weights of the output layer, which would be frozen too."
                )
        embedding = [(rows + self._own_symbols, width)]
        return {"tied": bool(self.tie_embeddings), **shared, "embedding": embedding}

    # -- use ---------------------------------------------------------------------------------

    def score_samples(self, X):
        """Return the log-likelihood of each sequence.

        Parameters
        ----------
        X : collection of n_sequences token sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=float64
            Natural logarithm of the probability of each sequence, including its end unless the
            network was fitted to documents. Unknown tokens share the probability of the unknown
            token evenly: there are assumed to be as many as were too rare in training
            (`min_freq`), but at least one.
        """
        return self._log_likelihoods(X)[0]

    def _log_likelihoods(self, X, unknown="include"):
        """Return the log-likelihood of each sequence, and how many tokens and ends it counts."""
        sequences, n_read = self._sequences(X), getattr(X, "n_read", 0)
        share = np.log(self._n_unseen)
        unk = self._special_tokens.unk
        inputs, labels = self._special_tokens.next_tokens(sequences)
        logs, _ = log_likelihoods(self._get_plan(), self._params, inputs, labels)
        self._check_finite(np.isfinite(logs), inputs)
        unseen = labels == unk
        logs[unseen] = logs[unseen] - share if unknown == "include" else 0
        counted = ~unseen | (unknown == "include")
        if n_read:  # of a document whose next tokens are predicted from the second on
            logs[: n_read - 1], counted[: n_read - 1] = 0, False
        rows = np.repeat(np.arange(len(inputs)), inputs.lengths)
        sums, counts = np.zeros((2, len(inputs)))  # bincount of nothing would be integers
        sums += np.bincount(rows, weights=logs, minlength=len(inputs))
        counts += np.bincount(rows, weights=counted, minlength=len(inputs))
        if not self._own_symbols and not n_read:
            given = sequences.lengths > 0
            first = self._special_tokens.of(sequences)[sequences.offsets[:-1][given]]
            logs, unseen = self._log_frequencies[first], first == unk
            logs[unseen] = logs[unseen] - share if unknown == "include" else 0
            sums[given] += logs
            counts[given] += ~unseen | (unknown == "include")
        return sums, counts

    @property
    def _n_unseen(self):
        """Assumed number of different unknown tokens: those too rare in training, at least one."""
        vocabularies = getattr(self, "_vocabularies", None)
        return 1 if vocabularies is None else max(1, vocabularies.n_rare[0])

    def score(self, X, y=None):
        """Return the mean log-likelihood of the sequences.

        Parameters
        ----------
        X : collection of n_sequences token sequences
            As in `fit`.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
        """
        return float(self.score_samples(X).mean())

    def perplexity(self, X, unknown="include"):
        """Return the perplexity: exp of the mean negative log-likelihood per token.

        Parameters
        ----------
        X : collection of n_sequences token sequences
            As in `fit`. Ends of sequences count as tokens.

        unknown : {'include', 'exclude'}, default='include'
            Whether unknown tokens count, with the probabilities of `score_samples`, or are left out
            of the mean (they are still read). Only perplexities with 'include' may be compared
            between models that know different tokens.

        Returns
        -------
        float
            Perplexity: 1 for a network that is always certain and correct, the number of different
            tokens for one that guesses.
        """
        if unknown not in ("include", "exclude"):
            raise ValueError(f"unknown must be 'include' or 'exclude'; got {unknown!r}.")
        sums, counts = self._log_likelihoods(X, unknown)
        if counts.sum() == 0:
            raise ValueError(
                "X has no token that counts: perplexity needs a token"
                + (", of those that fit has seen." if unknown == "exclude" else ".")
            )
        return float(np.exp(-sums.sum() / counts.sum()))

    @validate_params(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
            "temperature": [Interval(Real, 0, None, closed="left")],
            "top_k": [Interval(Integral, 1, None, closed="left"), None],
            "top_p": [Interval(Real, 0, 1, closed="right")],
            "prefix": ["array-like"],
            "max_length": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def sample(
        self, n_samples=1, random_state=None, *, temperature=1.0, top_k=None, top_p=1.0, prefix=(),
        max_length=100,
    ):  # fmt: skip
        """Draw sequences from the network.

        Parameters
        ----------
        n_samples : int, default=1
            Number of sequences.

        random_state : int, RandomState instance or None, default=None
            Source of randomness. With an int the sample is the same each time, for any number of
            threads, and begins the same for any `n_samples` and `max_length`.

        temperature : float, default=1.0
            Divisor of the logarithms of probabilities: below 1, probable tokens become more
            probable; 0 takes the most probable token each time.

        top_k : int or None, default=None
            Number of most probable tokens to draw from; None draws from all.

        top_p : float, default=1.0
            Probability mass to draw from: after `temperature` and `top_k`, only the smallest set of
            most probable tokens whose probabilities sum to at least this value is kept (nucleus
            sampling [10]_).

        prefix : sequence of tokens, default=()
            Beginning of all sequences. Without one, after a fit to documents, the first token is
            drawn by its frequency.

        max_length : int, default=100
            Maximum number of tokens drawn, not counting those of `prefix`.

        Returns
        -------
        list of list
            Tokens of each sequence, including `prefix`, in the form that `fit` takes.
        """
        self._check_whole()
        symbols, rng = self._special_tokens, check_random_state(random_state)
        read = symbols.bos
        if len(prefix):
            read += symbols.of(self._sequences([prefix])).tolist()
        uniforms = uniform_numbers(rng, n_samples, max_length)
        tokens = np.empty((n_samples, max_length + bool(read)), np.intp)
        if read:
            tokens[:, 0] = read[-1]
        else:
            shares = np.cumsum(np.exp(self._log_frequencies[: symbols.unk]))
            tokens[:, 0] = np.searchsorted(shares, uniforms[:, 0] * shares[-1], side="right")
            uniforms = np.ascontiguousarray(uniforms[:, 1:])
        if uniforms.shape[1]:
            draw(
                self._get_plan(), self._params, self._states_after(read[:-1], n_samples), tokens,
                uniforms, temperature=float(temperature), excluded=symbols.unk, end=symbols.eos,
                top_k=0 if top_k is None or top_k >= symbols.unk else int(top_k),
                top_p=float(top_p),
            )  # fmt: skip
        drawn = tokens[:, bool(read) :]
        self._check_finite((drawn >= 0).all(axis=1))
        names = range(symbols.n_known)
        if hasattr(self, "vocabulary_"):
            names = sorted(self.vocabulary_, key=self.vocabulary_.get)
        return symbols.lists(drawn, names, list(prefix))

    def _states_after(self, read, n):
        """Return n copies of the states after some symbols."""
        plan, ids = self._get_plan(), np.array(read, dtype=np.intp)
        if len(ids) == 0:
            return first_states(plan, n)
        one = Sequences(ids[:, np.newaxis], lengths_to_offsets([len(ids)]))
        _, states = log_likelihoods(plan, self._params, one, ids)  # any labels do
        return tuple(None if s is None else np.repeat(s, n, axis=1) for s in states)
