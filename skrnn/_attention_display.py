"""AttentionDisplay: where a translator looks, in scikit-learn's manner."""

import numpy as np

from skrnn._displays import prepare_axes


class AttentionDisplay:
    """How much each target token looks at each step of the source.

    A row for each target token, from the first at the top, and a column for each step of the
    source. Where both go through a sentence in the same order, attention runs down the diagonal.

    Parameters
    ----------
    source : sequence of length n_timesteps
        Tokens, or steps that are measured, which are numbered.

    target : sequence of length n_tokens
        Tokens.

    weights : array-like of shape (n_tokens, n_timesteps) or (n_tokens + 1, n_timesteps)
        From 0 to 1. One row more than there are tokens is that of the end symbol.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    im_ : matplotlib AxesImage

    See Also
    --------
    skrnn.Seq2SeqTranslator.attention_weights : The weights.

    Examples
    --------
    >>> from skrnn.inspection import AttentionDisplay
    >>> weights = [[0.9, 0.1], [0.2, 0.8]]
    >>> display = AttentionDisplay.from_predictions(["hello", "you"], ["hallo", "du"], weights)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['hallo', 'du']
    """

    def __init__(self, source, target, weights):
        self.source = source
        self.target = target
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, x, y=None, *, ax=None, **kwargs):
        """Draw where a translator looks as it says one target.

        Parameters
        ----------
        estimator : Seq2SeqTranslator
            Fitted, with attention.

        x : sequence
            One source: an element of the X that `Seq2SeqTranslator.predict` takes.

        y : sequence of tokens, default=None
            Its target; None is what the estimator predicts.

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
        """Draw weights that are there already.

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
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        colorbar : bool, default=True
            Draw a scale beside it.

        **kwargs : dict
            To `Axes.imshow`: `cmap` and others.

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        ValueError
            If `weights` has not a row for each target token and a column for each step.
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
