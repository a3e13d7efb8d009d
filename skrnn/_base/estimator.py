"""What all estimators share: parameters, the way from X to outputs, and the weights.

``fit`` runs: data in (`_sequences`) -> plan and initial weights (`_plan`, `_initialize`) -> epochs
(`_training`) -> batches (`_batching`) -> forward, BPTT and optimiser step (`_kernels`).
"""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _num_samples

from skrnn._base.callbacks import CallbackSupportMixin, Progress
from skrnn._base.early_stopping import Validation, hold_out
from skrnn._base.persistence import StateMixin, check_optimiser, make_plan
from skrnn._base.training import Training
from skrnn._data.formats import take_items
from skrnn._data.guards import OneFit, restore_on_error
from skrnn._data.sample_weight import read_weights
from skrnn._data.sequences import check_sequences, locate, step_rows
from skrnn._network.batches import Trainer, TrainingData, predict
from skrnn._network.initialize import initialize
from skrnn._network.optimizer import Optimiser
from skrnn._network.plan import CELLS, Plan, embedding_width

LABEL_LOSSES = ("softmax", "crf", "binary_log_loss")


class BaseRecurrentNetwork(CallbackSupportMixin, StateMixin, BaseEstimator):
    """Parameters, fit and weights of all recurrent estimators.

    Subclasses say what a target is: `_encode_targets` and `_initial_bias`, and name their `_loss`.
    """

    _min_length = 1  # fewest steps of a sequence
    _plan_class: type = Plan
    _trainer_class: type = Trainer
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
        ],
        "scoring": [str, callable, None],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", "mean", "max"})],
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

        `validation` is None or (X_val, y_val, sample_weight_val); `known` goes to `_encode`.

        A failure leaves the estimator as it was. An interrupt during training is no failure: it
        leaves the last complete state.
        """
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "_params") or not (self.warm_start or incremental)
        with OneFit(self), restore_on_error(self) as undo:
            data, watched, rng = self._begin(
                X, y, sample_weight, first=first, incremental=incremental, validation=validation,
                **known,
            )  # fmt: skip
            epochs = 1 if incremental else self.max_iter
            progress = Progress(self, X, y, sample_weight, epochs)
            training = Training(self, data, watched, rng, epochs, incremental, warm=not first)
            undo.keeps_interrupts = True
            training.run(progress)
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
            check_optimiser(self._optimiser, self._check_whole())
        X_val, y_val, _ = own = validation or (None, None, None)
        if any(part is not None for part in own):
            self._check_own_validation(X_val, y_val)
        splits = self.early_stopping and X_val is None
        rng = check_random_state(self.random_state)
        # Drawn first, so that a warm start holds out the same sequences.
        split_seed = rng.randint(2**31 - 1)
        data = self._encode(
            X, y, sample_weight, reset=first, split_seed=split_seed if splits else None, **known
        )
        learned = data.learned_from()
        rng = self._start(learned, rng, incremental) if first else self._continue(rng)
        if not self.early_stopping:
            return data, None, rng
        if not splits:
            data_val, given = self._encode_validation(*own), own
        else:
            data_val, given = None, None
            if self.scoring != "loss":
                given = self._held_out(X, y, sample_weight, split_seed)
        return data, Validation(data_val, None if self.scoring == "loss" else given), rng

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
            return self._encode(X_val, y_val, sample_weight_val, reset=False, validation=True)
        except (ValueError, TypeError) as error:
            raise type(error)(f"X_val, y_val or sample_weight_val: {error}") from error

    def _encode(
        self, X, y, sample_weight, *, reset, split_seed=None, validation=False, vocabulary=None,
        **known,
    ):  # fmt: skip
        """Validate what `fit` was given, and make of it what the network reads and is to say.

        Parameters
        ----------
        reset : bool
            Whether what is fitted to X and y (width, vocabulary, classes, scale) is to be learned.
        split_seed : int or None
            Of the part that early stopping holds out, from which none of that is learned.
        validation : bool
            Whether all of it is validation data.
        vocabulary : array-like or None
            As in `check_sequences`.
        **known
            For `_encode_targets`.

        Returns
        -------
        TrainingData
        """

        def steps_to_learn(offsets):
            check_n_targets(y, len(offsets) - 1)
            return step_rows(offsets, ~self._held(y, sample_weight, split_seed))[0]

        sequences = check_sequences(
            self, X, dtype=np.dtype(self.dtype), reset=reset, embed=self.embedding_dim is not None,
            min_length=self._min_length, columns=self._token_columns(), vocabulary=vocabulary,
            learn_from=None if split_seed is None else steps_to_learn,
        )  # fmt: skip
        check_n_targets(y, len(sequences))
        held = None if split_seed is None else self._held(y, sample_weight, split_seed)
        foreign = np.ones(len(sequences), bool) if validation else held
        targets = self._encode_targets(
            sequences, y, sample_weight, reset=reset, held=foreign, **known
        )
        return TrainingData(sequences, targets, None, held)

    def _held(self, y, sample_weight, seed):
        """Return which sequences early stopping holds out, ndarray of bool."""
        return hold_out(_num_samples(y), self.validation_fraction, seed)

    def _held_out(self, X, y, sample_weight, seed):
        """Return (X, y, sample_weight) of what early stopping holds out, for a scorer."""
        held = np.flatnonzero(self._held(y, sample_weight, seed))
        given = X, y, sample_weight
        return tuple(None if part is None else take_items(part, held) for part in given)

    def _start(self, data, rng, incremental):
        """Plan the network and draw its weights; returns what is to draw the rest."""
        bias = self._initial_bias(data.targets)
        if incremental and self._loss_name() in LABEL_LOSSES:
            bias = np.zeros_like(bias)  # what the first chunk lacks may come in the next
        self._architecture = {
            **self._network_parameters(),
            "n_features": data.sequences.values.shape[1],
            "n_outputs": len(bias),
            "loss": self._loss_name(),
        }
        self._read_by = {name: getattr(self, name) for name in self._reading_parameters}
        self.__dict__.pop("_plan", None)
        self.__dict__.pop("_params", None)
        self._params = self._draw_weights(rng, bias)
        self._optimiser = Optimiser(self, self._get_plan())
        self.n_iter_ = 0
        self.t_ = 0
        self.loss_curve_ = []
        for name in ("loss_", "gradient_norm_"):  # of the network that was there before
            self.__dict__.pop(name, None)
        self._set_history()
        return rng

    def _draw_weights(self, rng, bias):
        return initialize(self._get_plan(), rng, bias)

    def _continue(self, rng):
        """Copy what training changes, so that a failure can put it back."""
        asked = {**self._network_parameters(), "loss": self._loss_name()}
        asked |= {name: getattr(self, name) for name in self._reading_parameters}
        started = self._architecture | getattr(self, "_read_by", {})
        for name, value in asked.items():
            if value != started.get(name, value):
                name = self._plan_names.get(name, name)
                raise ValueError(
                    f"{name} has changed since the network was started, which is now to go on: "
                    "warm_start and partial_fit need the same network. Start anew with fit and "
                    "warm_start=False."
                )
        self._params = self._params.copy()
        optimiser = copy.deepcopy(self._optimiser)
        if optimiser is None or not optimiser.follow(self):
            optimiser = Optimiser(self, self._get_plan())
        self._optimiser = optimiser
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

    def _network_parameters(self):
        """Parameters that make the network, under the names of `Plan`."""
        hidden = self.hidden_layer_sizes
        hidden = tuple(hidden) if np.iterable(hidden) else (hidden,)
        if not hidden or not all(isinstance(h, Integral) and h > 0 for h in hidden):
            raise ValueError(
                "hidden_layer_sizes must name at least one layer of at least one unit, for "
                f"example (64,); got {self.hidden_layer_sizes!r}."
            )
        return {
            "cell": self.cell,
            "hidden": tuple(int(h) for h in hidden),
            "bidirectional": bool(self.bidirectional),
            "activation": self.activation,
            "pooling": self.pooling,
            "bptt_steps": self.bptt_steps,
            "embedding": self._embedding_size(),
            "dtype": np.dtype(self.dtype).name,
        }

    def _embedding_size(self):
        """Rows (the last for unknown tokens) and width for each token column; None for numbers.

        The width is given, or from the vocabulary; at most 128 for tokens, 32 for their parts.
        """
        if self._token_counts is None:
            return None
        rows = [int(n) + 1 for n in self._token_counts]
        given = self.embedding_dim
        widths = [embedding_width(n, 32 if c else 128) for c, n in enumerate(rows)]
        if isinstance(given, Integral):
            # Strings have parts, whose width follows from theirs; columns of integers are alike.
            parts = hasattr(self, "vocabulary_")
            widths = [min(w, given) if parts and c else given for c, w in enumerate(widths)]
        elif given is not None:
            widths = list(given)
            if len(widths) != len(rows) or not all(
                isinstance(w, Integral) and w > 0 for w in widths
            ):
                raise ValueError(
                    f"embedding_dim={given!r} must be a width, or a width for each of the "
                    f"{len(rows)} token columns."
                )
        return [(n, int(width)) for n, width in zip(rows, widths, strict=True)]

    def _token_columns(self):
        """Return what becomes of strings: None for tokens as they are."""
        return None

    def _noise(self):
        """Rates of what disturbs training against overfitting, under the names of `Options`."""
        return {"dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout}

    def _loss_name(self):
        return self._loss

    def _get_plan(self):
        if "_plan" not in self.__dict__:
            params = self.__dict__.get("_params")
            self._plan = make_plan(self._plan_class, self._architecture, params)
        return self._plan

    # -- use ---------------------------------------------------------------------------------

    def _sequences(self, X):
        """Validate X for prediction."""
        dtype, shortest = self._check_whole().dtype, self._min_length
        return check_sequences(self, X, dtype=dtype, reset=False, min_length=shortest)

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
        (GRU); `head_weight` (n_outputs, n_directions * H), `head_bias` (n_outputs,) and, for
        tokens, `embedding_weight` (n_tokens + 1, embedding_dim), the last row for unknown tokens;
        with several token columns `embedding_weight_0`, `embedding_weight_1`, ...
        """
        # An AttributeError, not check_is_fitted's: hasattr(estimator, "weights_") must be False.
        if "_params" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no weights yet: call fit first.")
        return {name: w.copy() for name, w in self._check_whole().views(self._params).items()}

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
        params = np.empty_like(self._params)
        views = self._get_plan().views(params)
        if missing := sorted(set(views) - set(weights)):
            raise ValueError(f"weights lack {', '.join(missing)}.")
        if unknown := sorted(set(weights) - set(views)):
            raise ValueError(f"weights hold {', '.join(unknown)}, which this network has not.")
        for name, view in views.items():
            with np.errstate(over="ignore"):  # too large for float32: found as infinity below
                new = np.asarray(weights[name], dtype=view.dtype)
            if new.shape != view.shape:
                raise ValueError(f"{name} must have shape {view.shape}, got {new.shape}.")
            if not np.isfinite(new).all():
                raise ValueError(f"{name} holds NaN or infinity.")
            view[...] = new
        self._params = params
        self._optimiser = None
        return self

    def __sklearn_is_fitted__(self):
        return "_params" in self.__dict__

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def check_n_targets(y, n_sequences):
    """Raise unless there is a target, or a sequence of labels, for each sequence.

    Parameters
    ----------
    y : array-like, or collection of label sequences
    n_sequences : int
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    if _num_samples(y) != n_sequences:
        raise ValueError(
            f"X has {n_sequences} sequences and y has {_num_samples(y)} targets: one target for "
            "each sequence is needed."
        )


def check_sample_weight(sample_weight, y):
    """Return sample weights as an array, or None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_sequences,), or None
    y : ndarray of shape (n_sequences, ...)

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=float64, or None
    """
    if sample_weight is None:
        return None
    sample_weight = read_weights(sample_weight, _num_samples(y))
    check_weights(sample_weight, "sample_weight")
    return sample_weight


def check_weights(weights, name):
    """Raise unless weights are finite, not negative, and weigh anything.

    Parameters
    ----------
    weights : ndarray of shape (n_sequences,)
    name : str
        What the text calls them.
    """
    wrong = np.flatnonzero(~((weights >= 0) & (weights < np.inf)))
    if len(wrong):
        raise ValueError(
            f"{name} must be finite and not negative; it is {weights[wrong[0]]} for sequence "
            f"{wrong[0]}."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"{name} adds up to {total}, which must be finite and not zero.")
