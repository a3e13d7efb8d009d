"""GradientFlowDisplay: norms over the steps, with scikit-learn's interface."""

from skrnn.inspection._gradient_flow import gradient_flow
from skrnn.inspection._plotting import prepare_axes


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
