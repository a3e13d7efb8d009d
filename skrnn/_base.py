"""What all estimators share: parameters, the training loop, and the way from X to outputs.

``fit`` runs: data in (`_sequences`) -> plan and initial weights (`_plan`, `_initialize`) -> epochs
(`BaseRecurrentNetwork._train`) -> batches (`_batching`) -> forward, BPTT and optimiser step
(`_kernels`).
"""

import warnings
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skrnn._batching import Diverged, Trainer, predict
from skrnn._initialize import initialize
from skrnn._optim import Optimiser
from skrnn._plan import Plan
from skrnn._sequences import check_sequences

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks yet."""


# A step size that still diverges after so many halvings (a factor of 1000) is not the cause.
MAX_HALVINGS = 10
AUTO_BATCH_SIZE = 32
VALIDATION_MINIMUM = 2


class BaseRecurrentNetwork(CallbackSupportMixin, BaseEstimator):
    """Parameters, training loop and weights of all recurrent estimators.

    Subclasses say what a target is: `_encode_targets`, `_initial_bias` and `_score_outputs`, and
    name their `_loss`.
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"tanh", "relu", "logistic"})],
        "solver": [StrOptions({"adam", "sgd"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
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
        "cell": [StrOptions({"lstm", "gru", "rnn"})],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", "mean", "max"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "bptt_steps": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), None],
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

    def _fit(self, X, y, sample_weight, *, incremental=False):
        """Fit or continue; a failure leaves the estimator as it was."""
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "_params") or not (self.warm_start or incremental)
        with self._unchanged_on_failure():
            sequences = check_sequences(
                self, X, dtype=np.dtype(self.dtype), reset=first,
                embed=self.embedding_dim is not None,
            )  # fmt: skip
            n_targets = _num_targets(y)
            if n_targets != len(sequences):
                raise ValueError(
                    f"X has {len(sequences)} sequences and y has {n_targets} targets: one target "
                    "for each sequence is needed."
                )
            if sample_weight is not None:
                sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
                if not (sample_weight >= 0).all():
                    raise ValueError("sample_weight must not be negative.")
                if not sample_weight.any():
                    raise ValueError("sample_weight has no positive entry: nothing to learn from.")
            targets = self._encode_targets(y, sample_weight, reset=first)
            rng = check_random_state(self.random_state)
            if first:
                self._start(sequences, targets, rng)
            else:
                self._params = self._params.copy()
            self._train(X, y, sequences, targets, sample_weight, rng, incremental)
        return self

    @contextmanager
    def _unchanged_on_failure(self):
        """Put every fitted attribute back when the block fails.

        An interrupt during training is not a failure: it leaves the last complete state.
        """
        before = dict(self.__dict__)
        self.__dict__.pop("_training", None)
        try:
            yield
        except BaseException as error:
            if not (isinstance(error, KeyboardInterrupt) and hasattr(self, "_training")):
                hooks = {k: v for k, v in self.__dict__.items() if "callback" in k}
                self.__dict__.clear()
                self.__dict__.update({**before, **hooks})
            raise
        finally:
            self.__dict__.pop("_training", None)

    def _start(self, sequences, targets, rng):
        """Plan the network and draw its weights."""
        hidden = self.hidden_layer_sizes
        hidden = tuple(hidden) if np.iterable(hidden) else (hidden,)
        if not hidden or not all(isinstance(h, Integral) and h > 0 for h in hidden):
            raise ValueError(
                "hidden_layer_sizes must name at least one layer of at least one unit, for "
                f"example (64,); got {self.hidden_layer_sizes!r}."
            )
        bias = self._initial_bias(targets)
        counts = self._token_counts
        self._architecture = {
            "cell": self.cell,
            "hidden": tuple(int(h) for h in hidden),
            "n_features": self._step_width,
            "n_outputs": len(bias),
            "bidirectional": self.bidirectional,
            "activation": self.activation,
            "pooling": self.pooling,
            "loss": self._loss,
            "bptt_steps": self.bptt_steps,
            "embedding": None if counts is None else self._embedding_size(counts),
            "dtype": np.dtype(self.dtype).name,
        }
        self.__dict__.pop("_plan", None)
        self._params = initialize(self._get_plan(), rng, bias)
        self._optimiser = None
        self.n_iter_ = 0
        self.t_ = 0
        self.loss_curve_ = []
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None

    def _embedding_size(self, counts):
        """Rows (one for unknown tokens in each column) and width: given, or from the vocabulary.

        1.6 n^0.56 is the rule fast.ai published for categories; at most 128.
        """
        rows = int((counts + 1).sum())
        if self.embedding_dim is not None:
            return rows, int(self.embedding_dim)
        return rows, int(np.clip(round(1.6 * rows**0.56), 4, 128))

    def _get_plan(self):
        if "_plan" not in self.__dict__:
            self._plan = Plan(**self._architecture)
        return self._plan

    def _train(self, X, y, sequences, targets, sample_weight, rng, incremental):
        """Run epochs until max_iter, a stall, or a callback ends it."""
        plan = self._get_plan()
        if self._optimiser is None or not (incremental or self.warm_start):
            self._optimiser = Optimiser(self.get_params(deep=False), plan.n_params, plan.dtype)
        else:
            self._optimiser.params = self.get_params(deep=False)
        sequences, targets, validation = self._hold_out(sequences, targets, rng)
        trainer = Trainer(
            plan, sequences, targets, self._batch_size(len(sequences)), self._params,
            self._optimiser, self.dropout, self.recurrent_dropout, rng.randint(2**31 - 1),
        )  # fmt: skip
        progress = _Progress(self, X, y, sample_weight, 1 if incremental else self.max_iter)
        best = self._params.copy() if validation else None
        self._training = True
        self._stalled = 0
        self.n_iter_ = 0 if not incremental else self.n_iter_
        try:
            for _ in range(1 if incremental else self.max_iter):
                progress.epoch_begins()
                self._epoch(trainer, rng)
                if validation:
                    best = self._validate(validation, best)
                else:
                    self._note_loss()
                self._report()
                stop = progress.epoch_ends()
                if stop or self._is_done(incremental):
                    break
            else:
                self._warn_not_converged(incremental)
        finally:
            if validation:
                self._params[:] = best
            del self._stalled
        progress.finish()

    def _hold_out(self, sequences, targets, rng):
        """Split off the validation part for early stopping."""
        if not self.early_stopping:
            return sequences, targets, None
        chosen = np.arange(len(sequences))
        train, held = train_test_split(
            chosen, test_size=self.validation_fraction, random_state=rng, stratify=targets.labels
        )
        if len(held) < VALIDATION_MINIMUM:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return (
            sequences.take(train),
            targets.take(train),
            (sequences.take(held), targets.take(held)),
        )

    def _batch_size(self, n):
        if self.batch_size == "auto":
            return min(AUTO_BATCH_SIZE, n)
        if self.batch_size > n:
            warnings.warn(
                "Got `batch_size` larger than sample size. It is going to be clipped.", stacklevel=5
            )
        return min(int(self.batch_size), n)

    def _epoch(self, trainer, rng):
        """Go once through the data; on divergence go back, halve the step size and try again."""
        n = len(trainer.data[0]) - 1
        optimiser = self._optimiser
        before = self._params.copy(), optimiser.snapshot()
        while True:
            order = (rng.permutation(n) if self.shuffle else np.arange(n)).astype(np.intp)
            try:
                losses, norms = trainer.epoch(order)
                break
            except Diverged as fault:
                self._params[:] = before[0]
                optimiser.restore(before[1])
                self._recover(fault, trainer)
        self.n_iter_ += 1
        self.t_ += n
        self.loss_ = float(_mean_loss(losses, trainer, order))
        self.gradient_norm_ = float(norms.mean())
        self.loss_curve_.append(self.loss_)
        optimiser.epoch_ends(self.t_)

    def _recover(self, fault, trainer):
        """Halve the step size, or give up with an error that says where."""
        where = (
            f"epoch {self.n_iter_ + 1}, batch {fault.batch + 1}: loss {fault.loss:.6g}, gradient "
            f"norm {fault.norm:.6g}"
        )
        if self._optimiser.step == 0 and fault.batch == 0:
            raise ValueError(
                f"The first step already overflows ({where}). Scale the input, for example with "
                "PerStep(StandardScaler()), and the targets, or use dtype='float64'."
            )
        if self._optimiser.halvings == MAX_HALVINGS:
            raise ValueError(
                f"Training diverges at any step size ({where}, after {MAX_HALVINGS} halvings). "
                "Scale the input, or lower learning_rate_init or max_grad_norm."
            )
        self._optimiser.halvings += 1
        rate = self._optimiser.settings(0)["learning_rate"]
        warnings.warn(
            f"Training diverged at {where}. The last finite weights are restored and the step size "
            f"is halved to {rate:.3g}.",
            ConvergenceWarning,
            stacklevel=6,
        )

    def _validate(self, validation, best):
        """Score the held-out part; returns the best parameters so far."""
        sequences, targets = validation
        outputs = predict(self._get_plan(), self._params, sequences)
        score = self._score_outputs(outputs, targets)
        self.validation_scores_.append(score)
        self._stalled = (
            self._stalled + 1 if score < self.best_validation_score_ + self.tol else 0
        )  # fmt: skip
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            return self._params.copy()
        return best

    def _note_loss(self):
        """Count epochs without improvement of the training loss, as MLPClassifier does."""
        self._stalled = self._stalled + 1 if self.loss_ > self.best_loss_ - self.tol else 0
        self.best_loss_ = min(self.best_loss_, self.loss_)

    def _is_done(self, incremental):
        if incremental or self._stalled <= self.n_iter_no_change:
            return False
        if self._optimiser.goes_on():
            self._stalled = 0
            return False
        if self.verbose:
            kind = "Validation score" if self.early_stopping else "Training loss"
            print(
                f"{kind} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
                "consecutive epochs. Stopping."
            )
        return True

    def _report(self):
        if self.verbose:
            line = f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}"
            if self.early_stopping:
                line += f", validation score = {self.validation_scores_[-1]:.6f}"
            print(line, flush=True)

    def _warn_not_converged(self, incremental):
        if not incremental and np.isfinite(self.n_iter_no_change) and self.tol > 0:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )

    # -- use ---------------------------------------------------------------------------------

    def _outputs(self, X, probabilities=False):
        """Return what the head puts out for each sequence of X."""
        check_is_fitted(self)
        sequences = check_sequences(self, X, dtype=self._get_plan().dtype, reset=False)
        return predict(self._get_plan(), self._params, sequences, probabilities)

    @property
    def weights_(self):
        """Weights under PyTorch's names and in its layout: a dict of copies.

        `weight_ih_l{k}[_reverse]` (gates * H, D), `weight_hh_...` (gates * H, H), `bias_ih_...`
        and `bias_hh_...` (gates * H,), with the gates in the order i, f, g, o (LSTM) or r, z, n
        (GRU); `head_weight` (n_outputs, n_directions * H), `head_bias` (n_outputs,) and, for
        tokens, `embedding_weight` (n_tokens, embedding_dim).
        """
        # An AttributeError, not check_is_fitted's: hasattr(estimator, "weights_") must be False.
        if "_params" not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no weights yet: call fit first.")
        return {name: w.copy() for name, w in self._get_plan().views(self._params).items()}

    def set_weights(self, weights):
        """Replace the weights of a fitted estimator: the inverse of `weights_`.

        Parameters
        ----------
        weights : dict of str to array-like
            As `weights_`, all of them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For a name that is missing or not known, a shape that differs, or a number that is not
            finite. The estimator is then as it was.
        """
        check_is_fitted(self)
        params = np.empty_like(self._params)
        views = self._get_plan().views(params)
        if missing := sorted(set(views) - set(weights)):
            raise ValueError(f"weights lack {', '.join(missing)}.")
        if unknown := sorted(set(weights) - set(views)):
            raise ValueError(f"weights hold {', '.join(unknown)}, which this network has not.")
        for name, view in views.items():
            new = np.asarray(weights[name], dtype=view.dtype)
            if new.shape != view.shape:
                raise ValueError(f"{name} must have shape {view.shape}, got {new.shape}.")
            if not np.isfinite(new).all():
                raise ValueError(f"{name} holds NaN or infinity.")
            view[...] = new
        self._params = params
        self._optimiser = None
        return self

    def __getstate__(self):
        """Leave out what can be made again, and the optimiser unless `warm_start` needs it."""
        state = super().__getstate__().copy()
        state.pop("_plan", None)
        if not self.warm_start and "_optimiser" in state:
            state["_optimiser"] = None
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


class _Progress:
    """Tells scikit-learn's callbacks (>= 1.9) of each epoch; does nothing without them."""

    def __init__(self, estimator, X, y, sample_weight, epochs):
        self.estimator = estimator
        self.root = None
        if not getattr(estimator, "_skl_callbacks", None):
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.root = estimator._init_callback_context(max_subtasks=epochs)
        self.root.call_on_fit_task_begin(**self.given)

    def epoch_begins(self):
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.given)

    def epoch_ends(self):
        """Whether a callback asks to stop."""
        if self.root is None:
            return False
        return self.epoch.call_on_fit_task_end(
            **self.given, reconstruction_attributes=self._reconstruction
        )

    def finish(self):
        if self.root is not None:
            self.root.call_on_fit_task_end(
                **self.given, reconstruction_attributes=self._reconstruction
            )

    def _reconstruction(self):
        """Attributes that, set on a copy, make it as if fit had stopped here."""
        return {"_params": self.estimator._params.copy()}


def _num_targets(y):
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    return len(y) if hasattr(y, "__len__") else np.asarray(y).shape[0]


def _mean_loss(losses, trainer, order):
    """Mean of the batches' losses, each weighing what its sequences weigh."""
    weights = trainer.targets.weights
    weights = np.ones(len(order)) if weights is None else weights[order]
    batch = np.add.reduceat(weights, trainer.bounds[:-1])
    return (losses * batch).sum() / batch.sum()
