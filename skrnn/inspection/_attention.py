"""AttentionDisplay: the attention weights of a translator, with scikit-learn's interface."""

import numpy as np

from skrnn.inspection._plotting import prepare_axes


class AttentionDisplay:
    """Attention weights of each target token over the steps of the source, as a heat map.

    The map has one row per target token, the first at the top, and one column per step of the
    source. If both sentences have the same order, attention follows the diagonal.

    Parameters
    ----------
    source : sequence of length n_timesteps
        Tokens, or steps of numbers, which are shown by their index.

    target : sequence of length n_tokens
        Tokens of the target.

    weights : array-like of shape (n_tokens, n_timesteps) or (n_tokens + 1, n_timesteps)
        Weights from 0 to 1. An additional row is that of the end symbol.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    im_ : matplotlib AxesImage

    See Also
    --------
    skrnn.Seq2SeqTranslator.attention_weights : Compute the weights.

    Examples
    --------
    >>> from skrnn.inspection import AttentionDisplay
    >>> weights = [[0.9, 0.1], [0.2, 0.8]]
    >>> display = AttentionDisplay.from_predictions(["hello", "you"], ["hallo", "du"], weights)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['hallo', 'du']
    """

    __module__ = "skrnn.inspection"  # the path that files name

    def __init__(self, source, target, weights):
        self.source = source
        self.target = target
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, x, y=None, *, ax=None, **kwargs):
        """Plot the attention weights of a translator for one source.

        Parameters
        ----------
        estimator : Seq2SeqTranslator
            Fitted translator with attention.

        x : sequence
            One source, an element of the X that `Seq2SeqTranslator.predict` takes.

        y : sequence of tokens, default=None
            Target; None takes the target that the estimator predicts.

        ax, **kwargs : as in `plot`

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        ValueError, TypeError
            As in `Seq2SeqTranslator.attention_weights`.
        """
        target = estimator.predict([x])[0] if y is None else y
        weights = estimator.attention_weights([x], [target])[0]
        return cls(x, target, weights).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, source, target, weights, *, ax=None, **kwargs):
        """Plot given attention weights.

        Parameters
        ----------
        source, target, weights : as in the class

        ax, **kwargs : as in `plot`

        Returns
        -------
        AttentionDisplay
        """
        return cls(source, target, weights).plot(ax, **kwargs)

    def plot(self, ax=None, *, colorbar=True, **kwargs):
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        colorbar : bool, default=True
            Draw a color bar.

        **kwargs : dict
            Passed to `Axes.imshow`, such as `cmap`.

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        ValueError
            If `weights` does not have one row per target token and one column per step.
        """
        weights, n_tokens = np.asarray(self.weights), len(self.target)
        if weights.ndim != 2 or weights.shape not in (
            (n_tokens, len(self.source)),
            (n_tokens + 1, len(self.source)),
        ):
            raise ValueError(
                f"weights has shape {weights.shape}, but {n_tokens} target tokens and "
                f"{len(self.source)} source steps need ({n_tokens}, {len(self.source)}), or with "
                f"the end symbol ({n_tokens + 1}, {len(self.source)})."
            )
        ax = prepare_axes(self, ax)
        style = {"cmap": "viridis", "vmin": 0.0, "vmax": 1.0, "aspect": "auto", **kwargs}
        self.im_ = ax.imshow(weights, **style)
        rows = [*map(str, self.target), "(end)"][: len(weights)]
        ax.set(xlabel="source", ylabel="target")
        ax.set_xticks(range(len(self.source)), _step_names(self.source))
        ax.set_yticks(range(len(rows)), rows)
        if colorbar:
            self.figure_.colorbar(self.im_, ax=ax, label="attention")
        return self


def _step_names(source):
    """Tokens or ids as they are; steps that are measured are numbered."""
    first = np.asarray(source[0])
    tokens = first.ndim == 0 and first.dtype.kind in "Uiu"
    return [str(step) for step in (source if tokens else range(len(source)))]
