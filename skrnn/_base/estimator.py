"""The base class of all estimators: parameters, the way from X to outputs, and the weights.

The way of a `fit` is told in README.md beside this file. Above 600 lines because the parameters of
all estimators stand here twice, and each method that an estimator fills in says what it must do.
"""

import copy
from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skrnn._base.callbacks import Progress
from skrnn._base.early_stopping import Validation, hold_out, make_score
from skrnn._base.input_scale import READ_TYPES, InputScaleMixin, fold, unfold
from skrnn._base.persistence import StateMixin, check_optimizer
from skrnn._base.sklearn_api import (
    CallbackSupportMixin,
    DocumentationLinkMixin,
    Interval,
    Options,
    StrOptions,
    _num_samples,
)
from skrnn._base.training import SETTINGS, TrainingLoop
from skrnn._data.formats import check_targets, take_items
from skrnn._data.guards import OneFit, restore_on_error
from skrnn._data.sequences import locate, step_rows
from skrnn._data.validation import check_sequences
from skrnn._network.batches import EpochRunner, TrainingData
from skrnn._network.cells import CELLS
from skrnn._network.optimizer import PARAMETERS, Optimizer
from skrnn._network.plan import (
    POOLED,
    POOLINGS,
    Plan,
    choose_pooling,
    count_outputs,
    embedding_sizes,
    make_plan,
)
from skrnn._network.predict import predict

DROPOUT_RATES = ("dropout", "recurrent_dropout", "word_dropout", "label_smoothing")
LABEL_LOSSES = ("softmax", "crf", "binary_log_loss")


class BaseRecurrentNetwork(
    DocumentationLinkMixin, CallbackSupportMixin, InputScaleMixin, StateMixin, BaseEstimator, ABC
):  # fmt: skip
    """Parameters, fit and weights of all recurrent estimators.

    An estimator has its `fit`, and either `_read_targets` or all of `_read_data`. It may replace
    `_read_sequences`, `_held_mask`, `_held_data` and `_network_parameters`. One that goes
    on step by step may replace three methods of `StreamingMixin`. Nothing else is meant to be
    replaced. What it is, it says in the attributes below.
    """

    _loss = "softmax"  # of the network; the parameter's where an estimator has one
    _min_length = 1  # fewest steps of a sequence
    _reads_parts = False  # of a store: what `_read_sequences` returns is in memory
    _plan_class: type = Plan
    _runner_class: type = EpochRunner
    # Raised whenever weights change in place: what was made of them before is then out of date.
    _weights_version = 0
    # What users call the parts of a network whose name in `Plan` is another.
    _plan_names: dict = {"hidden": "hidden_layer_sizes", "embedding": "embedding_dim"}
    # Parameters beside the network's that say how X and y are read: fixed when it is started.
    _reading_parameters: tuple = ()

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"tanh", "relu", "logistic"})],
        "solver": [StrOptions({"adam", "sgd"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", "linear"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
            StrOptions({"auto"}),
        ],
        "scoring": [str, callable, None],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions(set(POOLED)), tuple, list],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "bptt_steps": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "dtype": [StrOptions({"float32", "float64"}), Options(type, {np.float32, np.float64})],
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
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.cell = cell
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.max_grad_norm = max_grad_norm
        self.bptt_steps = bptt_steps
        self.embedding_dim = embedding_dim
        self.dtype = dtype

    # -- fit ---------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, *, incremental=False, validation=None, **known):
        """Fit or continue.

        `validation` is None or (X_val, y_val, sample_weight_val); `known` goes to `_read_data`.

        A failure leaves the estimator as it was. An interrupt during training is no failure: it
        leaves the last complete state.
        """
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "_params") or not (self.warm_start or incremental)
        settings = {name: getattr(self, name) for name in SETTINGS}
        settings["incremental"] = incremental
        settings["dropout_rates"] = {
            name: getattr(self, name) for name in DROPOUT_RATES if hasattr(self, name)
        }
        with OneFit(self), restore_on_error(self) as undo:
            data, watched, rng = self._begin(
                X, y, sample_weight, first=first, incremental=incremental, validation=validation,
                **known,
            )  # fmt: skip
            progress = None
            if getattr(self, "_skl_callbacks", None):
                epochs = 1 if incremental else self.max_iter
                progress = Progress(self, X, y, sample_weight, epochs)
            if not incremental:
                self.n_iter_ = 0
            loop = TrainingLoop(
                partial(self._runner_class, self._plan, params=self._params),
                data, settings, self._params, self._optimizer, vars(self), rng,
                validation=watched, warm=not first, record=self.__dict__.update, progress=progress,
            )  # fmt: skip
            del data  # early stopping has made two parts of it
            undo.keeps_interrupts = True
            try:
                self.__dict__.update(loop.run())
            finally:
                self._weights_version += 1
                self._params = loop.result
            if progress:
                progress.finish(self._params)
        return self

    def _begin(self, X, y, sample_weight, *, first, incremental=False, validation=None, **known):
        """Have a network and data: all of `fit` that comes before training.

        Returns
        -------
        data : TrainingData
        validation : Validation or None
            What early stopping watches.
        rng : RandomState
        """
        if not first:
            check_optimizer(self._optimizer, self._check_whole())
        X_val, y_val, _ = own = validation or (None, None, None)
        if any(part is not None for part in own):
            self._check_own_validation(X_val, y_val)
        splits = self.early_stopping and X_val is None
        rng = check_random_state(self.random_state)
        # Drawn first, so that a warm start holds out the same sequences.
        split_seed = rng.randint(2**31 - 1)
        data = self._read_data(
            X, y, sample_weight, reset=first, split_seed=split_seed if splits else None, **known
        )
        if first:
            targets = data.targets
            if data.held is not None:
                targets = targets.take(np.flatnonzero(~data.held))
            sequences = data.sequences
            width = sequences.n_columns if sequences.is_stored else sequences.values.shape[1]
            self._start(width, targets, rng, incremental)
        else:
            rng = self._continue(rng)
        if not self.early_stopping:
            return data, None, rng
        data_val = None if splits else self._encode_validation(*own)
        if self.scoring == "loss":
            return data, Validation(data_val, None), rng
        given = self._held_data(X, y, sample_weight, split_seed) if splits else own
        return data, Validation(data_val, make_score(self, *given)), rng

    def _check_own_validation(self, X_val, y_val):
        """Refuse validation data that would not be used, or are not whole."""
        if not self.early_stopping:
            raise ValueError(
                "X_val and y_val are passed to fit, but early_stopping is False, so that they "
                "would not be used. Set early_stopping=True, or leave them out."
            )
        if X_val is None:
            raise ValueError("y_val or sample_weight_val is passed to fit, but X_val is not.")

    def _encode_validation(self, X_val, y_val, sample_weight_val):
        """Validate the user's own validation data; nothing is learned from them."""
        try:
            return self._read_data(X_val, y_val, sample_weight_val, reset=False, validation=True)
        except (ValueError, TypeError) as error:
            raise type(error)(f"X_val, y_val or sample_weight_val: {error}") from error

    # -- what an estimator fills in ------------------------------------------------------------

    @abstractmethod
    def fit(self, X, y):
        """Fit the network to X and y; that of an estimator says what they are, and calls `_fit`."""

    def _is_to_scale(self):
        return self._scales_input and self.scaling not in (None, "none")

    def _types_read(self, reset, dtype):
        """Return the types that numbers of X may keep until they are scaled."""
        scales = self._is_to_scale() if reset else self._input_scale is not None
        return READ_TYPES if scales else dtype

    def _read_sequences(self, X, *, reset, dtype=None, embed=None, **learning):
        """Validate X and return what the network reads of it.

        Called by `fit` and `partial_fit`, and by every prediction (`reset=False`).

        Parameters
        ----------
        X : sequences
            As the user gave them.
        reset : bool
            Whether the width and the vocabulary are to be learned from X.
        dtype : dtype or tuple of dtypes, default=None
            Type of numbers; None takes that of the parameter, or what `_types_read` says.
        embed : bool, default=None
            Whether integers are token ids; None asks `embedding_dim`.
        **learning
            `vocabulary` and `learn_from`, as `check_sequences` takes them.

        Returns
        -------
        Sequences
            Values of shape (total_steps, n_features), or ids of shape (total_steps, n_columns).
        """
        if dtype is None:
            dtype = self._types_read(reset, np.dtype(self.dtype))
        within = None
        if isinstance(dtype, tuple):
            within = self._params.dtype if not reset else np.dtype(self.dtype)
        has_vectors = getattr(self, "embeddings", None) is not None
        return check_sequences(
            self, X, dtype=dtype, within=within, reset=reset,
            embed=self.embedding_dim is not None if embed is None else embed,
            min_length=self._min_length, columns=getattr(self, "_word_columns", None),
            vectors=self._word_vectors if has_vectors else None, **learning,
        )  # fmt: skip

    def _read_data(
        self, X, y, sample_weight, *, reset, split_seed=None, validation=False, vocabulary=None,
        **known,
    ):  # fmt: skip
        """Validate what `fit` was given; return what the network reads and is to say.

        Called once per `fit` or `partial_fit`, and once for the user's validation data. An
        estimator whose sequences follow from its targets, or the other way round, has its own; the
        others have `_read_sequences` and `_read_targets`.

        Parameters
        ----------
        X, y, sample_weight : object
            As the user gave them.
        reset : bool
            Whether what is fitted to X and y (width, vocabulary, classes, scale) is to be learned.
        split_seed : int or None
            Of the part that early stopping holds out, from which none of that is learned.
        validation : bool
            Whether all of it is validation data.
        vocabulary : array-like or None
            As in `check_sequences`.
        **known
            What else `partial_fit` was given, for `_read_targets`.

        Returns
        -------
        TrainingData
        """

        def steps_to_learn(offsets):
            check_targets(y, len(offsets) - 1)
            return step_rows(offsets, ~self._held_mask(y, sample_weight, split_seed))[0]

        sequences = self._read_sequences(
            X, reset=reset, vocabulary=vocabulary,
            learn_from=None if split_seed is None else steps_to_learn,
        )  # fmt: skip
        n = len(sequences.offsets) - 1
        check_targets(y, n)
        held = None if split_seed is None else self._held_mask(y, sample_weight, split_seed)
        foreign = np.ones(n, bool) if validation else held
        targets = self._read_targets(
            sequences, y, sample_weight, reset=reset, held=foreign, **known
        )
        if reset:
            self._input_center = self._input_scale = None
            if self._is_to_scale() and self._token_counts is None:
                self._learn_input_scale(sequences, targets.weights, foreign)
        return TrainingData(self._scaled(sequences, self.dtype), targets, None, held)

    def _read_targets(self, sequences, y, sample_weight, *, reset, held, **known):
        """Validate targets and weights; return what the loss compares with.

        Called by `_read_data`. Sets what is fitted to y (classes, scale, shape) where `reset`.

        Parameters
        ----------
        sequences : Sequences
            What the network reads.
        y, sample_weight : object
            As the user gave them; y has `len(sequences)` entries.
        reset : bool
            Whether classes, scale and the like are to be learned from y.
        held : ndarray of shape (n_sequences,), dtype=bool, or None
            Sequences from which nothing may be learned.
        **known
            What else `partial_fit` was given.

        Returns
        -------
        Targets
        """
        raise NotImplementedError

    def _held_mask(self, y, sample_weight, seed):
        """Choose the sequences that early stopping holds out.

        Called by `_read_data` and `_held_data`, with the same seed each time.

        Parameters
        ----------
        y, sample_weight : object
            As the user gave them.
        seed : int

        Returns
        -------
        ndarray of shape (n_sequences,), dtype=bool
        """
        return hold_out(_num_samples(y), self.validation_fraction, seed)

    def _held_data(self, X, y, sample_weight, seed):
        """Return what early stopping holds out, as the user gave it.

        Called once per `fit` where `scoring` is a scorer, which takes data as `score` does.

        Parameters
        ----------
        X, y, sample_weight : object
            As the user gave them.
        seed : int

        Returns
        -------
        (X, y, sample_weight)
        """
        held = np.flatnonzero(self._held_mask(y, sample_weight, seed))
        given = X, y, sample_weight
        return tuple(None if part is None else take_items(part, held) for part in given)

    def _network_parameters(self, shared):
        """Return the parameters that make the network, under the names of `Plan`.

        Called where a network is started, and where one goes on, to see that it is the same. Width
        of the input and number of outputs follow from the data and are not among them.

        Parameters
        ----------
        shared : dict
            What the parameters that all estimators share say of the network.

        Returns
        -------
        dict
            Those of `shared` and the estimator's own, which go before them.
        """
        return shared

    # -- fit: the network ----------------------------------------------------------------------

    def _shared_parameters(self):
        """Return what the parameters that all estimators share say of the network.

        Called where a network is started or goes on, for `_network_parameters`.

        Returns
        -------
        dict
            Under the names of `Plan`.
        """
        hidden = self.hidden_layer_sizes
        hidden = tuple(hidden) if np.iterable(hidden) else (hidden,)
        if not hidden or not all(isinstance(h, Integral) and h > 0 for h in hidden):
            raise ValueError(
                "hidden_layer_sizes must name at least one layer of at least one unit, for "
                f"example (64,); got {self.hidden_layer_sizes!r}."
            )
        hidden, embedding, pooling = tuple(map(int, hidden)), None, self.pooling
        if not isinstance(pooling, str):
            pooling = tuple(pooling) if tuple(pooling) in POOLINGS else choose_pooling(pooling)
        if self._token_counts is not None:
            parts = hasattr(self, "vocabulary_")
            embedding = embedding_sizes(self._token_counts, self.embedding_dim, parts)
        shared = {
            "cell": self.cell,
            "hidden": hidden,
            "bidirectional": bool(self.bidirectional),
            "activation": self.activation,
            "pooling": pooling,
            "loss": self._loss,
            "bptt_steps": self.bptt_steps,
            "embedding": embedding,
            "dtype": np.dtype(self.dtype).name,
        }
        if getattr(getattr(self, "_vocabularies", None), "n_vectors", 0):
            shared |= self._vector_parameters(embedding)
        if getattr(self, "subwords", False) == "chars":
            shared["characters"] = self._character_sizes()
        return shared

    def _start(self, n_features, targets, rng, incremental):
        """Plan the network and draw its weights; `targets` are those that may be learned from."""
        self._read_by = {name: getattr(self, name) for name in self._reading_parameters}
        self.__dict__.pop("_plan", None)
        self.__dict__.pop("_params", None)
        self.n_iter_ = 0
        self.t_ = 0
        self.loss_curve_ = []
        for name in ("loss_", "gradient_norm_"):  # of the network that was there before
            self.__dict__.pop(name, None)
        self._set_history()
        params = {name: getattr(self, name) for name in PARAMETERS}
        self._architecture = {
            **self._network_parameters(self._shared_parameters()),
            "n_features": n_features,
        }
        self._architecture["n_outputs"] = count_outputs(targets, self._architecture)
        if incremental and self._architecture["loss"] in LABEL_LOSSES:
            targets = None  # what the first chunk lacks may come in the next
        self._plan = plan = make_plan(self._plan_class, self._architecture)
        self._params = plan.initialize(rng, targets)
        if (vectors := self.__dict__.pop("_first_vectors", None)) is not None:
            plan.views(self._params)[plan.embedding_names[0]][: len(vectors)] = vectors
        self._optimizer = Optimizer.new(params, plan.n_params, plan.dtype)

    def _continue(self, rng):
        """Copy what training changes, so that a failure can put it back."""
        requested = self._network_parameters(self._shared_parameters())
        requested |= {name: getattr(self, name) for name in self._reading_parameters}
        if "n_frozen" in requested:  # may change: weights and moments are the same
            self._architecture = {**self._architecture, "n_frozen": requested["n_frozen"]}
            self.__dict__.pop("_plan", None)
        started = self._architecture | getattr(self, "_read_by", {})
        for name, value in requested.items():
            if value != started.get(name, value):
                name = self._plan_names.get(name, name)
                raise ValueError(
                    f"{name} has changed since the network was started, but warm_start and "
                    "partial_fit continue the same network. Set it back, or start anew with fit "
                    "and warm_start=False."
                )
        self._params = self._params.copy()
        params, plan = {name: getattr(self, name) for name in PARAMETERS}, self._get_plan()
        optimizer = copy.deepcopy(self._optimizer)
        if optimizer is None or not optimizer.follow(params):
            optimizer = Optimizer.new(params, plan.n_params, plan.dtype)
        self._optimizer = optimizer
        self.loss_curve_ = self.loss_curve_.copy()
        self._set_history()
        if isinstance(self.random_state, Integral):
            # The same seed again would repeat the first epochs' orders and dropout masks.
            return np.random.RandomState([self.random_state, self.t_ % 2**32])
        return rng

    def _set_history(self):
        """Set what early stopping, or its absence, records; scores that are there go on."""
        scores = getattr(self, "validation_scores_", None) if self.t_ else None
        self.best_loss_ = None if self.early_stopping else np.inf
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.validation_scores_ = list(scores or []) if self.early_stopping else None
        # Where training goes on and no epoch is better, the weights that it starts from are kept.
        kept = getattr(self, "best_epoch_", None) if self.t_ else None
        self.best_epoch_ = (kept or len(self.loss_curve_)) if self.early_stopping else None

    def _get_plan(self):
        if "_plan" not in self.__dict__:
            params = self.__dict__.get("_params")
            self._plan = make_plan(self._plan_class, self._architecture, params)
        return self._plan

    # -- use ---------------------------------------------------------------------------------

    def _sequences(self, X):
        """Validate X for prediction."""
        dtype = self._check_whole().dtype
        types = self._types_read(False, dtype)
        return self._scaled(self._read_sequences(X, reset=False, dtype=types), dtype)

    def _outputs(self, X, probabilities=False):
        """Return what the head puts out for each sequence of X."""
        sequences = self._sequences(X)
        outputs = predict(self._get_plan(), self._params, sequences, probabilities)
        self._check_finite(np.isfinite(outputs).all(axis=1))
        return outputs

    def _check_finite(self, finite, sequences=None):
        """Raise unless the outputs of each sequence (with `sequences`, each step) are finite."""
        if finite.all():
            return
        i, t = int(np.argmin(finite)), None
        if sequences is not None:
            i, t = locate(sequences.offsets, i)
        raise ValueError(
            f"The outputs for sequence {i}{'' if t is None else f', step {t},'} overflow "
            f"{self._get_plan().dtype}. Scale the input, for example with "
            "PerStep(StandardScaler()), or use dtype='float64'."
        )

    @property
    def weights_(self):
        """Weights under the names of PyTorch and in its layout, as a dict of copies.

        `weight_ih_l{k}[_reverse]` (gates * H, D), `weight_hh_...` (gates * H, H), `bias_ih_...`
        and `bias_hh_...` (gates * H,), with the gates in the order i, f, g, o (LSTM) or r, z, n
        (GRU); `head_weight` (n_outputs, n_poolings * n_directions * H), `head_bias` (n_outputs,),
        for attention pooling `pool_weight` (n_directions * H,) and, for tokens, `embedding_weight`
        (n_tokens + 1, embedding_dim), the last row for unknown tokens; with several token columns
        `embedding_weight_0`, `embedding_weight_1`, ... The network that reads characters has the
        same names with `characters_` before them.
        """
        # An AttributeError, not check_is_fitted's: hasattr(estimator, "weights_") must be False.
        if "_params" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no weights yet: call fit first.")
        weights = {name: w.copy() for name, w in self._check_whole().views(self._params).items()}
        if self._input_scale is None:
            return weights
        return fold(weights, self._input_center, self._input_scale)

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
        self._check_whole()
        if self._input_scale is not None:
            weights = unfold(weights, self._input_center, self._input_scale)
        params = np.empty_like(self._params)
        views = self._get_plan().views(params)
        if missing := sorted(set(views) - set(weights)):
            raise ValueError(f"weights lack {', '.join(missing)}.")
        if unknown := sorted(set(weights) - set(views)):
            raise ValueError(
                f"weights hold {', '.join(unknown)}, which this network does not have."
            )
        for name, view in views.items():
            with np.errstate(over="ignore"):  # too large for float32: found as infinity below
                new = np.asarray(weights[name], dtype=view.dtype)
            if new.shape != view.shape:
                raise ValueError(f"{name} must have shape {view.shape}, got {new.shape}.")
            if not np.isfinite(new).all():
                raise ValueError(f"{name} holds NaN or infinity.")
            view[...] = new
        self._params = params
        self._optimizer = None
        return self

    def __sklearn_is_fitted__(self):
        return "_params" in self.__dict__

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags
