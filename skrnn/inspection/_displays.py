"""Displays with the interface of scikit-learn: `from_estimator`, `from_predictions`, `plot`."""

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.pipeline import Pipeline

from skrnn._base.sklearn_api import _safe_indexing, check_matplotlib_support
from skrnn._data.single_series import is_panel, unwrap
from skrnn.inspection._gradient_flow import gradient_flow
from skrnn.metrics import flatten_labels


def prepare_axes(display, ax):
    """Give a display its `ax_` and `figure_`; matplotlib is imported here and nowhere else.

    Parameters
    ----------
    display : display
    ax : matplotlib Axes or None
        None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots()
    display.ax_, display.figure_ = ax, ax.figure
    return ax


class GradientFlowDisplay:
    """Norms of hidden states or of their gradients over the steps, with one line per layer.

    Parameters
    ----------
    flow : GradientFlow
        Result of :func:`gradient_flow`.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    lines_ : list of matplotlib Line2D
        One line for each of `flow.layers`.

    See Also
    --------
    gradient_flow : Compute the norms.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor
    >>> from skrnn.inspection import GradientFlowDisplay
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 2))
    >>> y = X[:, 0, 0]
    >>> display = GradientFlowDisplay.from_estimator(RNNRegressor((16,)), X, y)
    >>> display.figure_.savefig("flow.png")  # doctest: +SKIP
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, flow):
        self.flow = flow

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, align="start", quantity="gradient", ax=None, **kwargs
    ):
        """Compute and plot the norms.

        Parameters
        ----------
        estimator, X, y, align : as in :func:`gradient_flow`

        quantity, ax, **kwargs : as in `plot`

        Returns
        -------
        GradientFlowDisplay
        """
        flow = gradient_flow(estimator, X, y, align=align)
        return cls(flow).plot(ax, quantity=quantity, **kwargs)

    def plot(self, ax=None, *, quantity="gradient", **kwargs):
        """Plot the means over the sequences that have a step, on a logarithmic axis.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        quantity : {'gradient', 'hidden'}, default='gradient'
            Norms of dLoss/dh_t, or of h_t.

        **kwargs : dict
            Passed to `Axes.plot`.

        Returns
        -------
        GradientFlowDisplay
        """
        if quantity not in ("gradient", "hidden"):
            raise ValueError(f"quantity must be 'gradient' or 'hidden', got {quantity!r}.")
        ax, flow = prepare_axes(self, ax), self.flow
        norms = flow.mean_gradient_norms if quantity == "gradient" else flow.mean_hidden_norms
        self.lines_ = [
            ax.plot(flow.steps, norm, **{"label": layer, **kwargs})[0]
            for layer, norm in zip(flow.layers, norms)
        ]
        ax.set(
            yscale="log",
            xlabel="step t" if flow.steps[0] == 0 else "step t, from the end",
            ylabel="norm of dLoss/dh_t" if quantity == "gradient" else "norm of h_t",
        )
        ax.legend(frameon=False)
        return self


class LossCurveDisplay:
    """Training loss over the epochs and, with early stopping, validation scores.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.

    validation_scores : array-like of shape (n_scored_epochs,), default=None
        Scores on the validation part after the last `n_scored_epochs` epochs, which are fewer than
        the losses if a warm start has turned early stopping on. None without early stopping.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the loss.

    validation_ax_ : matplotlib Axes or None
        Axes of the scores, which shares the epochs with `ax_`.

    figure_ : matplotlib Figure

    line_, validation_line_ : matplotlib Line2D
        Lines of the loss and of the scores; `validation_line_` is None without scores.

    Examples
    --------
    >>> from skrnn.inspection import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], validation_scores=[0.6, 0.8, 0.8]).plot()
    >>> display.ax_.get_ylabel()
    'training loss'
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, loss_curve, validation_scores=None):
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `loss_curve_` and optionally `validation_scores_`, such as all
            estimators of this package and scikit-learn's `MLPClassifier`.

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
                f"This {type(estimator).__name__} has no loss_curve_: call fit first. Of a "
                "pipeline pass the last step."
            )
        scores = getattr(estimator, "validation_scores_", None)
        return cls(estimator.loss_curve_, scores).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot the loss, and the scores on a second axis on the right.

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
            For more scores than losses.
        """
        epochs = np.arange(1, len(self.loss_curve) + 1)
        n_scored = 0 if self.validation_scores is None else len(self.validation_scores)
        if n_scored > len(epochs):
            raise ValueError(
                f"There are {n_scored} validation scores, but losses of {len(epochs)} epochs only."
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
        return self


class ForecastDisplay:
    """A series, its forecast and the prediction interval.

    Parameters
    ----------
    history : array-like of shape (n,)
        Known values; the index of a pandas Series becomes the time axis.

    forecast : array-like of shape (horizon,)
        Forecast of the values that follow, likewise.

    interval : array-like of shape (horizon, 2), default=None
        Lower and upper bounds of the prediction interval.

    truth : array-like of shape (n_observed,), default=None
        Values observed later, drawn at their dates where they and the forecast have dates, else
        from the first step of the forecast on, of which there may be fewer.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    lines_ : list of matplotlib Line2D
        Lines of the history, the forecast and, if given, the truth.

    band_ : matplotlib PolyCollection or None
        Area of the interval.

    Examples
    --------
    >>> from skrnn.inspection import ForecastDisplay
    >>> display = ForecastDisplay.from_predictions([1, 2, 3], [4, 5], interval=[(3, 5), (3, 7)])
    >>> display.lines_[1].get_xdata().tolist()
    [3, 4]
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, history, forecast, interval=None, truth=None):
        self.history = history
        self.forecast = forecast
        self.interval = interval
        self.truth = truth

    @classmethod
    def from_estimator(
        cls, estimator, X, *, horizon=None, coverage=None, series=0, target=0, truth=None,
        ax=None, **kwargs,
    ):  # fmt: skip
        """Forecast the continuation of a series and plot it.

        Parameters
        ----------
        estimator : LSTMForecaster or Pipeline
            Fitted forecaster, or a pipeline that ends in one.

        X : series
            History, as in `LSTMForecaster.predict`; one series or several.

        horizon : int, default=None
            Number of steps to forecast, as in `LSTMForecaster.predict`.

        coverage : float, default=None
            Probability that a value lies within the interval, as in
            `LSTMForecaster.predict_interval`. None draws no interval.

        series : int, default=0
            Index of the series to plot, if there are several.

        target : int, default=0
            Index of the target to plot, if there are several.

        truth, ax, **kwargs : as in `from_predictions`

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            For X as `LSTMForecaster.predict` does; if `coverage` is given but the forecaster has
            no intervals, as `LSTMForecaster.predict_interval` does.
        """
        X = _one_series(X, series)
        if isinstance(estimator, Pipeline):
            given = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            given = X
        forecast = estimator.predict(given, horizon=horizon)
        k = estimator._frame.n_targets
        interval = None
        if coverage is not None:
            interval = estimator.predict_interval(given, coverage, horizon=horizon)
            interval = np.asarray(interval).reshape(-1, k, 2)[:, target]
        index = _dates(forecast)
        forecast = _like(np.asarray(forecast).reshape(-1, k)[:, target], index)
        history = X if unwrap(X)[1] or hasattr(X, "iloc") else X[0]
        values = np.asarray(history, dtype=np.float64)
        values = values.reshape(len(values), -1)[:, target]
        known = len(values) - int(np.argmin(np.isnan(values[::-1])))  # then rows to be forecast
        index = _dates(history)
        history = _like(values[:known], None if index is None else index[:known])
        return cls(history, forecast, interval, truth).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, history, forecast, *, interval=None, truth=None, ax=None, **kwargs):
        """Plot a forecast from any source.

        Parameters
        ----------
        history, forecast, interval, truth : as in the class

        ax, **kwargs : as in `plot`

        Returns
        -------
        ForecastDisplay
        """
        return cls(history, forecast, interval, truth).plot(ax, **kwargs)

    def plot(self, ax=None, *, n_history=None, **kwargs):
        """Plot history, forecast, interval and truth.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        n_history : int, default=None
            Number of last steps of the history to plot; None plots all.

        **kwargs : dict
            Passed to `Axes.plot` for the forecast.

        Returns
        -------
        ForecastDisplay
        """
        ax = prepare_axes(self, ax)
        past, ahead = _times(self.history, self.forecast)
        shown = slice(None if n_history is None else max(0, len(past) - n_history), None)
        style = {"color": "tab:blue", "label": "forecast", **kwargs}
        history = np.asarray(self.history)
        self.lines_ = ax.plot(past[shown], history[shown], color="black", label="history")
        self.lines_ += ax.plot(ahead, np.asarray(self.forecast), **style)
        if self.truth is not None:
            dated, truth = _dates(self.truth), np.asarray(self.truth)
            if dated is not None and _dates(self.forecast) is not None:
                places = _on_axis(dated)
            elif len(truth) > len(ahead):
                raise ValueError(
                    f"truth has {len(truth)} steps, but the forecast has {len(ahead)}. Cut it, or "
                    "give it the dates that it belongs to."
                )
            else:
                places = ahead[: len(truth)]
            self.lines_ += ax.plot(places, truth, "k:", label="what came")
        self.band_ = None
        if self.interval is not None:
            low, high = np.asarray(self.interval).T
            color = self.lines_[1].get_color()
            self.band_ = ax.fill_between(
                ahead, low, high, color=color, alpha=0.2, linewidth=0, label="interval"
            )
        ax.legend(frameon=False)
        return self


def _like(values, index):
    """Put an index on values where there is one."""
    if index is None:
        return values
    import pandas as pd

    return pd.Series(values, index=index)


def _one_series(X, i):
    """Return one series of a panel or of several, which stays a collection without dates."""
    if is_panel(X):
        names = X.index.get_level_values(0)
        return X[names == names.unique()[i]]
    return X if unwrap(X)[1] else _safe_indexing(X, [i])


def _dates(part):
    """Return the dates of a series, those of a panel without the name of its series, or None."""
    index = getattr(part, "index", None) if hasattr(part, "iloc") else None
    if is_panel(part):
        index = index.get_level_values(1)
    return index if hasattr(index, "dtype") and hasattr(index, "freq") else None


def _on_axis(index):
    return index.to_timestamp() if hasattr(index, "to_timestamp") else index


def _times(history, forecast):
    """Places on the time axis: dates where both have them, else steps."""
    indices = [_dates(part) for part in (history, forecast)]
    if all(index is not None for index in indices):
        return [_on_axis(index) for index in indices]
    n = len(history)
    return np.arange(n), np.arange(n, n + len(forecast))


class TagConfusionDisplay(ConfusionMatrixDisplay):
    """Confusion matrix of the labels of all labeled steps.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Number of steps of the class of the row that were given the label of the column.

    display_labels : ndarray of shape (n_classes,), default=None
        Names of the classes; None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    im_, text_ : matplotlib AxesImage, ndarray of matplotlib Text
        As in :class:`~sklearn.metrics.ConfusionMatrixDisplay`, from which this class differs in
        the labels that it takes only.

    Examples
    --------
    >>> from skrnn.inspection import TagConfusionDisplay
    >>> display = TagConfusionDisplay.from_predictions([["N", "V"], ["N"]], [["N", "N"], ["N"]])
    >>> display.confusion_matrix.tolist()
    [[2, 0], [1, 0]]
    """

    __module__ = "skrnn.inspection"  # the path that files name

    @classmethod
    def from_estimator(cls, estimator, X, y, **kwargs):
        """Predict the labels of X and plot the confusion matrix.

        Parameters
        ----------
        estimator : LSTMTagger
            Fitted tagger, or any estimator whose `predict` returns label sequences.

        X : sequences
            As in `LSTMTagger.predict`.

        y : collection of label sequences
            True labels; a step without one (None or NaN) does not count.

        **kwargs : as in :meth:`sklearn.metrics.ConfusionMatrixDisplay.from_predictions`

        Returns
        -------
        TagConfusionDisplay
        """
        return cls.from_predictions(y, estimator.predict(X), **kwargs)

    @classmethod
    def from_predictions(cls, y_true, y_pred, **kwargs):
        """Plot the confusion matrix of given labels.

        Parameters
        ----------
        y_true, y_pred : collections of label sequences
            True and predicted labels, one per step; None and NaN in `y_true` mark a step
            without a label.

        **kwargs : as in :meth:`sklearn.metrics.ConfusionMatrixDisplay.from_predictions`
            `labels`, `normalize`, `ax`, `cmap` and others. `sample_weight` has one
            weight per labeled step.

        Returns
        -------
        TagConfusionDisplay

        Raises
        ------
        ValueError, TypeError
            Where the two do not fit; the text names the sequence.
        """
        return super().from_predictions(*flatten_labels(y_true, y_pred), **kwargs)
