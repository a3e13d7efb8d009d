"""LossCurveDisplay: the course of training, with scikit-learn's interface."""

import numpy as np

from skrnn.inspection._plotting import prepare_axes


class LossCurveDisplay:
    """Training loss over the epochs and, with early stopping, validation scores.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.

    validation_scores : array-like of shape (n_scored_epochs,), default=None
        Scores on the validation part after the last `n_scored_epochs` epochs, which are fewer than
        the losses if a warm start has turned early stopping on. None without early stopping.

    best_epoch : int, default=None
        Epoch to mark, counted from 1: the one whose weights early stopping has kept. None marks no
        epoch.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the loss.

    validation_ax_ : matplotlib Axes or None
        Axes of the scores, which shares the epochs with `ax_`.

    figure_ : matplotlib Figure

    line_, validation_line_ : matplotlib Line2D
        Lines of the loss and of the scores; `validation_line_` is None without scores.

    best_line_ : matplotlib Line2D or None
        Vertical line at `best_epoch`; None without one.

    Examples
    --------
    >>> from skrnn.inspection import LossCurveDisplay
    >>> scores = [0.6, 0.8, 0.7]
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], validation_scores=scores, best_epoch=2).plot()
    >>> display.ax_.get_ylabel()
    'training loss'
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, loss_curve, validation_scores=None, best_epoch=None):
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `loss_curve_` and optionally `validation_scores_`, such as all
            estimators of this package and scikit-learn's `MLPClassifier`. The epoch that is marked
            is its `best_epoch_`; where an estimator has scores but no `best_epoch_`, it is the
            first epoch with the highest score.

        ax, **kwargs : as in `plot`

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If there is no `loss_curve_`.
        """
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"This {type(estimator).__name__} has no loss_curve_: call fit first. For a "
                "pipeline, pass its last step."
            )
        scores = getattr(estimator, "validation_scores_", None)
        best = getattr(estimator, "best_epoch_", None)
        if not hasattr(estimator, "best_epoch_") and scores is not None:
            best = len(estimator.loss_curve_) - len(scores) + int(np.nanargmax(scores)) + 1
        return cls(estimator.loss_curve_, scores, best).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot the loss, the scores on a second axis on the right, and the epoch that was kept.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        **kwargs : dict
            Passed to `Axes.plot` for the loss.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If there are more scores than losses, or if no loss belongs to `best_epoch`.
        """
        epochs = np.arange(1, len(self.loss_curve) + 1)
        n_scored = 0 if self.validation_scores is None else len(self.validation_scores)
        if n_scored > len(epochs):
            raise ValueError(
                f"There are {n_scored} validation scores, but losses of only {len(epochs)} epochs."
            )
        if self.best_epoch is not None and not 1 <= self.best_epoch <= len(epochs):
            raise ValueError(
                f"best_epoch must be an epoch of the loss curve, from 1 to {len(epochs)}, got "
                f"{self.best_epoch}."
            )
        ax = prepare_axes(self, ax)
        self.line_ = ax.plot(epochs, self.loss_curve, **{"color": "tab:blue", **kwargs})[0]
        ax.set(xlabel="epoch", ylabel="training loss")
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None:
            self.validation_ax_ = ax.twinx()
            self.validation_line_ = self.validation_ax_.plot(
                epochs[len(epochs) - n_scored :], self.validation_scores, color="tab:orange"
            )[0]
            self.validation_ax_.set_ylabel("validation score")
        self.best_line_ = None
        if self.best_epoch is not None:
            self.best_line_ = ax.axvline(
                self.best_epoch, color="gray", linestyle=":", label=f"best epoch: {self.best_epoch}"
            )
            ax.legend(handles=[self.best_line_], frameon=False)
        return self
