"""Shared parts of displays: axes to draw on, and matplotlib, imported only when needed."""

from skrnn._base.sklearn_api import check_matplotlib_support


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
