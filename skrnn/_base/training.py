"""The one training loop: epochs, early stopping, divergence, reports. It knows no estimator."""

import warnings
from threading import get_ident

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrnn._network.batches import Diverged
from skrnn._network.optimizer import MAX_HALVINGS, Snapshot, all_finite
from skrnn._network.threads import FITTING

AUTO_BATCH_SIZE = 32
AUTO_PATIENCE = 10
# Largest ratio of alpha to the total weight of the data: beyond, only the penalty is learned.
MOST_PENALTY = 1e6
# Parameters of an estimator that the loop obeys.
SETTINGS = (
    "alpha", "batch_size", "max_iter", "shuffle", "tol", "n_iter_no_change", "verbose", "scoring",
    "learning_rate",
)  # fmt: skip
# What a loop records, and what it goes on from.
HISTORY = (
    "n_iter_", "t_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_",
    "best_epoch_", "_weights_version",
)  # fmt: skip


def choose_patience(n_iter_no_change, learning_rate, watched):
    """Return the number of epochs without improvement that end the training.

    Under the 'linear' schedule it ends by itself, and a loss that stalls at a large step size may
    fall again at a small one.

    Parameters
    ----------
    n_iter_no_change : int, np.inf or 'auto'
    learning_rate : str
    watched : bool
        Whether validation data decide, not the training loss.
    """
    if n_iter_no_change != "auto":
        return n_iter_no_change
    return np.inf if learning_rate == "linear" and not watched else AUTO_PATIENCE


class TrainingLoop:
    """One run of `fit` or `partial_fit`.

    Changes `params` and `optimizer` in place.

    Parameters
    ----------
    make_runner : callable
        Given sequences, targets and a number of sequences per batch, and optionally `optimizer`,
        `documents`, `normalize` and `dropout_rates`, returns an `EpochRunner` of the network.
    data : TrainingData
        With what early stopping holds out.
    settings : dict
        Values of `SETTINGS`; `dropout_rates`, a dict of those of `EpochRunner`; and `incremental`,
        whether this is `partial_fit`, which knows no stall, and takes weights as they are.
    params : ndarray of shape (n_params,)
    optimizer : Optimizer
    history : dict
        What is recorded so far, under the names of `HISTORY`; what else it holds is passed over.
    rng : RandomState
        Draws orders and dropout masks.
    validation : Validation, default=None
        What early stopping watches; without data of its own, what `data` holds out.
    warm : bool, default=False
        Whether the weights have been trained before: the validation part is scored at once.
    record : callable
        Given what is added to the history, a dict, each time: what an interrupt leaves.
    progress : Progress, default=None
        Told of epochs; may end the training.

    Attributes
    ----------
    history : dict
    result : ndarray of shape (n_params,)
        Weights to keep: with early stopping those of the best epoch, else `params`.
    validation : TrainingData or None
    """

    def __init__(
        self, make_runner, data, settings, params, optimizer, history, rng, *, record,
        validation=None, warm=False, progress=None,
    ):  # fmt: skip
        self.make_runner = make_runner
        self.settings = settings
        self.params = params
        self.optimizer = optimizer
        self.history = {name: history.get(name, 0) for name in HISTORY}
        self.rng = rng
        self.record = record
        self.progress = progress
        self.incremental = settings["incremental"]
        self.epochs = 1 if self.incremental else settings["max_iter"]
        self.stalled = 0  # epochs in a row without improvement
        self.validation = None if validation is None else validation.data
        if data.held is not None:
            data = self._hold_out(data)
        self.n_sequences = len(data.sequences.offsets) - 1
        size = self._batch_size(self.n_sequences)
        # What fit leaves: the weights of the best epoch with early stopping, else the last.
        self.result = self.params.copy() if self.validation else self.params
        self.seed = rng.randint(2**31 - 1)
        self.runner = make_runner(
            data.sequences, data.targets, size, optimizer=optimizer, documents=data.documents,
            normalize=not self.incremental, **settings["dropout_rates"],
        )  # fmt: skip
        self.penalty_weight = self.runner.total_weight
        if data.targets.weights is not None:
            self._check_penalty()
        self.watched = None
        if validation is not None:
            self.watched, self.score = self._watch(size), validation.score
        self.patience = choose_patience(
            settings["n_iter_no_change"], settings["learning_rate"], self.watched is not None
        )
        self.lowest, self.sound = np.inf, None  # best epoch's loss, state before it
        self.best_validation_loss = np.inf
        if self.watched and warm:
            score, self.best_validation_loss = self._score()
            self._note(best_validation_score_=score)

    def run(self):
        """Run epochs until there are enough, the loss stalls, or a callback ends it.

        Returns
        -------
        history : dict
        """
        progress, thread = self.progress, get_ident()
        outermost = thread not in FITTING
        try:
            if outermost:
                FITTING[thread] = self
            for _ in range(self.epochs):
                if progress:
                    progress.epoch_begins()
                self._epoch()
                if self.watched:
                    self._validate()
                else:
                    self._note_loss()
                self._report()
                if (progress and progress.epoch_ends(self.result)) or self._is_done():
                    break
            else:
                self._warn_not_converged()
        finally:
            if outermost:
                FITTING.pop(thread, None)
        return self.history

    def _note(self, **new):
        self.history = {**self.history, **new}
        self.record(new)

    def _hold_out(self, data):
        """Set the validation part; returns the training part."""
        for held, name in ((~data.held, "training"), (data.held, "validation")):
            part = data.take(held)
            weights = part.targets.weights
            if not part.sequences.lengths.any() or (weights is not None and not weights.any()):
                raise ValueError(
                    f"All sequences of the {name} part have weight 0 or are empty. Leave such "
                    "sequences out of X and y, or set early_stopping=False."
                )
        self.validation = part
        return data.take(~data.held)

    def _check_penalty(self):
        """Refuse weights of data beside which the penalty is all that counts."""
        alpha = self.settings["alpha"]
        if alpha > MOST_PENALTY * self.penalty_weight:
            raise ValueError(
                f"The weights (sample_weight, class_weight) add up to {self.penalty_weight:.3g}, "
                f"so that beside them only the L2 penalty, alpha={alpha}, would be learned. A "
                "weight counts as that many repetitions: multiply the weights until their mean is "
                "about 1, or set alpha=0."
            )

    def _watch(self, batch_size):
        """Return what runs the validation part."""
        part = self.validation
        if not part.targets.given().any():
            raise ValueError(
                "No step of the validation part has a target, so that it cannot tell good weights "
                "from bad ones. Increase validation_fraction, or pass X_val and y_val."
            )
        return self.make_runner(
            part.sequences, part.targets, min(batch_size, len(part.sequences)),
            documents=part.documents, normalize=True,
        )  # fmt: skip

    def _score(self):
        """Return (score, loss) of the validation part; its negative loss where that is watched."""
        loss = self.watched.loss()
        return (-loss if self.score is None else self.score()), loss

    def _batch_size(self, n):
        size = self.settings["batch_size"]
        if size == "auto":
            return min(AUTO_BATCH_SIZE, n)
        if size > n:
            warnings.warn(
                "Got `batch_size` larger than sample size. It is going to be clipped.", stacklevel=6
            )
        return min(int(size), n)

    def _epoch(self):
        """Go once through the data; on divergence go back, halve the step size and try again."""
        optimizer, runner, history = self.optimizer, self.runner, self.history
        units = runner.n_units
        before = history["n_iter_"], optimizer.step, Snapshot(*self._moving())
        if self.sound is None:
            self.sound = before
        optimizer.epoch_begins(0 if self.incremental else history["n_iter_"], self.epochs)
        shuffle = self.settings["shuffle"]
        while True:
            if shuffle and runner.windows is not None:  # neighbors in the file are read together
                order = runner.windows.shuffled(self.rng)
            else:
                order = self.rng.permutation(units) if shuffle else np.arange(units)
            order = order.astype(np.intp, copy=False)
            try:
                report = runner.epoch(order, optimizer.settings(self.seed, self.penalty_weight))
                # The kernel looks before a step, so that nothing looks behind the last one.
                if not (all_finite(self.params) and optimizer.is_finite()):
                    raise Diverged(len(report) - 1, *report[-1, :2])
                break
            except Diverged as fault:
                before = self._recover(fault)
        losses, norms, rows = report.T
        loss, seen = float((losses * rows).sum() / rows.sum()), history["t_"] + self.n_sequences
        new = {"n_iter_": history["n_iter_"] + 1, "t_": seen, "loss_": loss}
        new["gradient_norm_"] = float(norms.sum() / len(norms))
        new["loss_curve_"] = [*history["loss_curve_"], loss]
        new["_weights_version"] = history["_weights_version"] + 1
        if self.watched:  # until the epoch is scored, if it ever is
            new["validation_scores_"] = [*history["validation_scores_"], np.nan]
        self.history = {**history, **new}
        self.record(new)  # at once: an interrupt finds all of an epoch, or nothing
        optimizer.epoch_ends(seen)
        if loss <= self.lowest:
            self.lowest, self.sound = loss, before

    def _moving(self):
        """Return the arrays that a step changes."""
        return self.params, self.optimizer.m, self.optimizer.v

    def _recover(self, fault):
        """Go back and halve the step size, or give up with an error that says where.

        Back is before the best epoch: later weights are finite, but may be on their way out.
        """
        optimizer, n_iter = self.optimizer, self.history["n_iter_"]
        epoch, optimizer.step, snapshot = self.sound
        snapshot.restore(*self._moving())
        where = (
            f"epoch {n_iter + 1}, batch {fault.batch + 1}: loss {fault.loss:.6g}, "
            f"gradient norm {fault.norm:.6g}"
        )
        stepped = optimizer.step or fault.batch or np.isfinite(fault.loss + fault.norm)
        if not stepped and n_iter == epoch:
            raise ValueError(
                f"The first step already overflows ({where}). Scale the input, for example with "
                "PerStep(StandardScaler()), and the targets, or use dtype='float64'."
            )
        if optimizer.halvings >= MAX_HALVINGS:
            raise ValueError(
                f"Training diverges at any step size ({where}, after {MAX_HALVINGS} halvings). "
                "Scale the input, or lower learning_rate_init or max_grad_norm."
            )
        optimizer.halvings += 1
        rate = optimizer.settings()["learning_rate"]
        warnings.warn(
            f"Training diverged at {where}. The last sound weights, those after epoch {epoch}, are "
            f"restored and the step size is halved to {rate:.3g}.",
            ConvergenceWarning,
            stacklevel=7,
        )
        return self.sound

    def _validate(self):
        """Score the held-out part and keep the best weights; of equal scores the lowest loss."""
        tol, history = self.settings["tol"], self.history
        score, loss = self._score()
        if np.isnan(score):
            raise ValueError(
                f"The score of the validation part is NaN after epoch {history['n_iter_']}, so "
                "that early stopping cannot tell good weights from bad ones. Check that "
                f"scoring={self.settings['scoring']!r} is defined for these targets, or set "
                "scoring='loss'."
            )
        best, lowest = history["best_validation_score_"], self.best_validation_loss
        new = {"validation_scores_": [*history["validation_scores_"][:-1], score]}
        improved = score >= best + tol or (score == best and loss <= lowest - tol)
        self.stalled = 0 if improved else self.stalled + 1
        if score > best or (score == best and loss < lowest):
            new["best_validation_score_"], self.best_validation_loss = score, loss
            new["best_epoch_"] = len(history["loss_curve_"])
            self.result = self.params.copy()
        self._note(**new)

    def _note_loss(self):
        """Count epochs without improvement of the training loss, as MLPClassifier does."""
        loss, best = self.history["loss_"], self.history["best_loss_"]
        self.stalled = self.stalled + 1 if loss > best - self.settings["tol"] else 0
        self._note(best_loss_=min(best, loss))

    def _is_done(self):
        settings = self.settings
        if self.incremental or self.stalled <= self.patience:
            return False
        if self.optimizer.goes_on():
            self.stalled = 0
            return False
        if settings["verbose"]:
            kind = "Validation score" if self.watched else "Training loss"
            print(
                f"{kind} did not improve more than tol={settings['tol']:f} for "
                f"{self.patience} consecutive epochs. Stopping."
            )
        return True

    def _report(self):
        if not self.settings["verbose"]:
            return
        line = f"Iteration {self.history['n_iter_']}, loss = {self.history['loss_']:.8f}"
        if self.watched:
            line += f", validation score = {self.history['validation_scores_'][-1]:.6f}"
        print(line, flush=True)

    def _warn_not_converged(self):
        settings = self.settings
        # 'linear' ends where its step size does, which is no failure to converge.
        if self.incremental or settings["learning_rate"] == "linear":
            return
        if np.isfinite(self.patience) and settings["tol"] > 0:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({settings['max_iter']}) reached and "
                "the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
