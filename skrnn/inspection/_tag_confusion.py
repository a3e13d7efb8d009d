"""TagConfusionDisplay: a confusion matrix of labels of steps, with scikit-learn's interface."""

from sklearn.metrics import ConfusionMatrixDisplay

from skrnn.metrics import flatten_labels


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
            If the two do not fit; the message names the sequence.
        """
        return super().from_predictions(*flatten_labels(y_true, y_pred), **kwargs)
