"""The one training loop: epochs, early stopping, divergence, reports."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrnn._base.early_stopping import Validation, Watch
from skrnn._network.batches import Diverged
from skrnn._network.optimizer import MAX_HALVINGS

AUTO_BATCH_SIZE = 32
# Where the penalty is so many times as large as alpha itself, it is all that is learned.
MOST_PENALTY = 1e6


class Training:
    """One run of `fit` or `partial_fit`.

    Sets `n_iter_`, `t_`, `loss_`, `gradient_norm_`, `loss_curve_` and what early stopping
    records; changes `_params` and `_optimiser` in place.

    Parameters
    ----------
    estimator : BaseRecurrentNetwork
        Planned, with weights and an optimiser.
    data : TrainingData
        With what early stopping holds out.
    validation : Validation or None
        What early stopping watches; without data of its own, what `data` holds out.
    rng : RandomState
        Draws orders and dropout masks.
    epochs : int
        Maximum number of epochs.
    incremental : bool
        Whether this is `partial_fit`, which knows no stall, and takes weights as they are.
    warm : bool
        Whether the weights have been trained before.
    """

    def __init__(self, estimator, data, validation, rng, epochs, incremental, warm):
        self.estimator = estimator
        self.rng = rng
        self.epochs = epochs
        self.incremental = incremental
        self.stalled = 0  # epochs in a row without improvement
        self.params = estimator._params
        self.validation = None if validation is None else validation.data
        if data.held is not None:
            data = self._hold_out(data)
        total = data.targets.total_weight()
        if data.targets.weights is not None and estimator.alpha > MOST_PENALTY * total:
            raise ValueError(
                f"The weights (sample_weight, class_weight) add up to {total:.3g}, beside which "
                f"the L2 penalty, alpha={estimator.alpha}, is all that would be learned. A weight "
                "counts as so many repetitions: multiply the weights until their mean is about 1, "
                "or set alpha=0."
            )
        # What fit leaves: the weights of the best epoch with early stopping, else the last.
        self.result = self.params.copy() if self.validation else self.params
        targets = data.targets if incremental else data.targets.normalized()
        size = self._batch_size(len(data.sequences))
        self.trainer = estimator._trainer_class(
            estimator._get_plan(), data.sequences, targets, size, self.params,
            estimator._optimiser, rng.randint(2**31 - 1), data.streams, penalty_weight=total,
            **estimator._dropout_rates(),
        )  # fmt: skip
        self.watch = None if validation is None else self._watch(validation, size)
        if not incremental:
            estimator.n_iter_ = 0
        self.lowest, self.sound = np.inf, self._snapshot()  # best epoch's loss, state before it
        self.best_validation_loss = np.inf
        if self.watch and warm:
            estimator.best_validation_score_, self.best_validation_loss = self.watch()

    def run(self, progress):
        """Run epochs until there are enough, the loss stalls, or a callback ends it.

        Parameters
        ----------
        progress : Progress
        """
        try:
            for _ in range(self.epochs):
                progress.epoch_begins()
                self._epoch()
                if self.watch:
                    self._validate()
                else:
                    self._note_loss()
                self._report()
                if progress.epoch_ends(self.result) or self._is_done():
                    break
            else:
                self._warn_not_converged()
        finally:
            self.estimator._weights_version += 1
            self.estimator._params = self.result
        progress.finish(self.result)

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
        return data.learned_from()

    def _watch(self, validation, batch_size):
        """Return what scores the weights on the validation part."""
        part = self.validation
        if not part.targets.given().any():
            raise ValueError(
                "No step of the validation part has a target, so that it says nothing of the "
                "weights. Increase validation_fraction, or pass X_val and y_val."
            )
        trainer = self.estimator._trainer_class(
            self.estimator._get_plan(), part.sequences, part.targets.normalized(),
            min(batch_size, len(part.sequences)), self.params, None, 0, part.streams,
        )  # fmt: skip
        return Watch(self.estimator, Validation(part, validation.given), trainer)

    def _batch_size(self, n):
        size = self.estimator.batch_size
        if size == "auto":
            return min(AUTO_BATCH_SIZE, n)
        if size > n:
            warnings.warn(
                "Got `batch_size` larger than sample size. It is going to be clipped.", stacklevel=6
            )
        return min(int(size), n)

    def _epoch(self):
        """Go once through the data; on divergence go back, halve the step size and try again."""
        estimator, trainer = self.estimator, self.trainer
        optimiser = trainer.optimiser
        n, units = len(trainer.data[0]) - 1, trainer.n_units
        before = self._snapshot()
        optimiser.epoch_begins(estimator.n_iter_ if not self.incremental else 0, self.epochs)
        while True:
            order = self.rng.permutation(units) if estimator.shuffle else np.arange(units)
            order = order.astype(np.intp, copy=False)
            try:
                report = trainer.epoch(order)
                # The kernel looks before a step, so that nothing looks behind the last one.
                if not (np.isfinite(self.params).all() and optimiser.is_finite()):
                    raise Diverged(len(report) - 1, *report[-1, :2])
                break
            except Diverged as fault:
                before = self._recover(fault)
        estimator._weights_version += 1
        losses, norms, rows = report.T
        loss = float((losses * rows).sum() / rows.sum())
        noted = {"n_iter_": estimator.n_iter_ + 1, "t_": estimator.t_ + n, "loss_": loss}
        noted["gradient_norm_"] = float(norms.sum() / len(norms))
        noted["loss_curve_"] = [*estimator.loss_curve_, loss]
        if self.watch:  # until the epoch is scored, if it ever is
            noted["validation_scores_"] = [*estimator.validation_scores_, np.nan]
        estimator.__dict__.update(noted)  # at once: an interrupt finds all of an epoch, or nothing
        optimiser.epoch_ends(estimator.t_)
        if estimator.loss_ <= self.lowest:
            self.lowest, self.sound = estimator.loss_, before

    def _snapshot(self):
        """Copy what an epoch changes, and note the epoch."""
        return self.estimator.n_iter_, self.params.copy(), self.trainer.optimiser.snapshot()

    def _recover(self, fault):
        """Go back and halve the step size, or give up with an error that says where.

        Back is before the best epoch: later weights are finite, but may be on their way out.
        """
        optimiser = self.trainer.optimiser
        epoch, self.params[:], snapshot = self.sound
        optimiser.restore(snapshot)
        where = (
            f"epoch {self.estimator.n_iter_ + 1}, batch {fault.batch + 1}: loss {fault.loss:.6g}, "
            f"gradient norm {fault.norm:.6g}"
        )
        stepped = optimiser.step or fault.batch or np.isfinite(fault.loss + fault.norm)
        if not stepped and self.estimator.n_iter_ == epoch:
            raise ValueError(
                f"The first step already overflows ({where}). Scale the input, for example with "
                "PerStep(StandardScaler()), and the targets, or use dtype='float64'."
            )
        if optimiser.halvings >= MAX_HALVINGS:
            raise ValueError(
                f"Training diverges at any step size ({where}, after {MAX_HALVINGS} halvings). "
                "Scale the input, or lower learning_rate_init or max_grad_norm."
            )
        optimiser.halvings += 1
        rate = optimiser.settings()["learning_rate"]
        warnings.warn(
            f"Training diverged at {where}. The last sound weights, those after epoch {epoch}, are "
            f"restored and the step size is halved to {rate:.3g}.",
            ConvergenceWarning,
            stacklevel=7,
        )
        return self.sound

    def _validate(self):
        """Score the held-out part and keep the best weights; of equal scores the lowest loss."""
        estimator, tol = self.estimator, self.estimator.tol
        score, loss = self.watch()
        if np.isnan(score):
            raise ValueError(
                f"The score of the validation part is NaN after epoch {estimator.n_iter_}, so that "
                "early stopping cannot tell good weights from bad ones. See what "
                f"scoring={estimator.scoring!r} makes of so few or such targets, or set "
                "scoring='loss'."
            )
        best, lowest = estimator.best_validation_score_, self.best_validation_loss
        estimator.validation_scores_[-1] = score
        improved = score >= best + tol or (score == best and loss <= lowest - tol)
        self.stalled = 0 if improved else self.stalled + 1
        if score > best or (score == best and loss < lowest):
            estimator.best_validation_score_, self.best_validation_loss = score, loss
            self.result = self.params.copy()

    def _note_loss(self):
        """Count epochs without improvement of the training loss, as MLPClassifier does."""
        estimator = self.estimator
        worse = estimator.loss_ > estimator.best_loss_ - estimator.tol
        self.stalled = self.stalled + 1 if worse else 0
        estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)

    def _is_done(self):
        estimator = self.estimator
        if self.incremental or self.stalled <= estimator.n_iter_no_change:
            return False
        if self.trainer.optimiser.goes_on():
            self.stalled = 0
            return False
        if estimator.verbose:
            kind = "Validation score" if self.watch else "Training loss"
            print(
                f"{kind} did not improve more than tol={estimator.tol:f} for "
                f"{estimator.n_iter_no_change} consecutive epochs. Stopping."
            )
        return True

    def _report(self):
        estimator = self.estimator
        if estimator.verbose:
            line = f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}"
            if self.watch:
                line += f", validation score = {estimator.validation_scores_[-1]:.6f}"
            print(line, flush=True)

    def _warn_not_converged(self):
        estimator = self.estimator
        # 'linear' ends where its step size does, which is no failure to converge.
        if self.incremental or estimator.learning_rate == "linear":
            return
        if np.isfinite(estimator.n_iter_no_change) and estimator.tol > 0:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
