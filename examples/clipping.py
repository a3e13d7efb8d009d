"""
What clipping changes: one step down a cliff, or many small ones along it
=========================================================================

A plain tanh network, its recurrent weights drawn a little too large, learns by plain gradient
descent to add two marked numbers among 20. On most batches the gradient is short; on some it is
longer by orders of magnitude, and a step that long throws the weights away. `max_grad_norm` scales
a gradient whose norm is above it down to it (Pascanu et al. 2013). One batch a step, so that
`gradient_norm_` is that batch's norm, before clipping. Prints, for no clipping and for a few
values, how long gradients were and where the loss ends, and draws both to ``clipping.png`` where
matplotlib is installed.

Run it as ``python examples/clipping.py``; it takes less than a minute.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrnn import RNNRegressor

LENGTH, HIDDEN, BATCH, STEPS, SCALE = 20, 64, 32, 1500, 1.2
NORMS = (None, 10.0, 1.0, 0.1)


def batch(rng, n=BATCH):
    """Draw sequences (n, LENGTH, 2) of numbers and marks; the target is the marked ones' sum."""
    X = np.stack([rng.random((n, LENGTH)), np.zeros((n, LENGTH))], axis=2)
    rows, half = np.arange(n), LENGTH // 2
    marks = rng.integers(half, size=n), rng.integers(half, LENGTH, size=n)
    for at in marks:
        X[rows, at, 1] = 1
    return X, sum(X[rows, at, 0] for at in marks)


def learn(max_grad_norm):
    """Take STEPS steps, or as many as are finite; returns losses and gradient norms of each."""
    rng = np.random.default_rng(0)
    model = RNNRegressor(
        (HIDDEN,), cell="rnn", solver="sgd", momentum=0.0, learning_rate_init=1e-30, alpha=0.0,
        max_grad_norm=max_grad_norm, random_state=0, scaling="none",
    ).partial_fit(*batch(rng))  # fmt: skip  # a step that moves nothing
    weights = model.weights_
    weights["weight_hh_l0"] *= SCALE
    model.set_weights(weights).set_params(learning_rate_init=0.1)
    losses, norms = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that the step size is halved
        for _ in range(STEPS):
            try:
                model.partial_fit(*batch(rng))
            except ValueError:  # diverges at any step size: nothing is left to learn from
                break
            losses.append(model.loss_)
            norms.append(model.gradient_norm_)
    return np.array(losses), np.array(norms)


def draw(found, path="clipping.png"):
    """Draw gradient norms and losses of every step."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure, axes = plt.subplots(2, len(NORMS), figsize=(11, 5), sharex=True, sharey="row")
    for column, (limit, (losses, norms)) in zip(axes.T, found.items(), strict=True):
        column[0].semilogy(norms, linewidth=0.7)
        if limit is not None:
            column[0].axhline(limit, color="black", linestyle=":", linewidth=1)
        column[1].semilogy(losses, linewidth=0.7)
        column[0].set_title(f"max_grad_norm = {limit}")
        column[1].set_xlabel("step")
    axes[0, 0].set_ylabel("norm of the gradient")
    axes[1, 0].set_ylabel("loss")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def main():
    """Train with every limit and print what happened."""
    found = {}
    print("max_grad_norm   steps   norm of the gradient: median, longest   clipped   highest loss"
          f"   loss of the last {STEPS // 6}")  # fmt: skip
    for limit in NORMS:
        losses, norms = found[limit] = learn(limit)
        clipped = 0.0 if limit is None else (norms > limit).mean()
        print(f"{limit!s:13}   {len(norms):5}   {np.median(norms):28.2g}  {norms.max():7.2g}   "
              f"{clipped:7.0%}   {losses.max():12.3g}   "
              f"{losses[-STEPS // 6 :].mean():.3g}")  # fmt: skip
    draw(found)


if __name__ == "__main__":
    main()
