"""
What an LSTM's forget gate changes: how long its cell remembers before it has learned to
========================================================================================

The cell state goes from step to step as c_t = f * c_{t-1} + i * g, so what is in it, and the
gradient that comes back, shrinks by the forget gate f = sigmoid(... + b_f) a step. With b_f = 0 an
untrained network forgets half a step, and after 100 steps nothing is left of either; b_f = 1, with
which this package starts, keeps 0.73, b_f = 5 keeps 0.993 (Gers et al. 2000; Jozefowicz et al.
2015). For a few b_f the norms of dLoss/dh_t of the untrained network are printed, and how well
the network then learns, in 15 epochs, to repeat the first of 50 and of 100 random numbers. Draws
both to ``forget_gate.png`` where matplotlib is installed.

Run it as ``python examples/forget_gate.py``; it takes less than a minute.
"""

import numpy as np

from skrnn import RNNRegressor
from skrnn.inspection import gradient_flow

HIDDEN, SEQUENCES, EPOCHS = 32, 2000, 15
LENGTHS = (50, 100)
BIASES = (-1.0, 0.0, 1.0, 3.0, 5.0)


def numbers(n, length, rng):
    """Draw sequences of random numbers (n, length, 1); the target is the first."""
    X = rng.uniform(-1, 1, (n, length, 1))
    return X, X[:, 0, 0].copy()


def network(bias, X, y):
    """Make an LSTM with weights as drawn, but for the bias of its forget gate."""
    model = RNNRegressor(
        (HIDDEN,), solver="sgd", learning_rate_init=1e-30, max_iter=1, n_iter_no_change=np.inf,
        random_state=0, scaling="none",
    ).fit(X, y)  # fmt: skip  # a step that moves nothing
    weights = model.weights_
    weights["bias_ih_l0"][HIDDEN : 2 * HIDDEN] = bias  # gates i, f, g, o
    return model.set_weights(weights).set_params(solver="adam", learning_rate_init=0.003)


def learn(model, X, y, X_test, y_test):
    """Train for EPOCHS; returns the mean squared error on the test part after each."""
    errors = []
    for _ in range(EPOCHS):
        model.partial_fit(X, y)
        errors.append(float(np.mean((model.predict(X_test) - y_test) ** 2)))
    return errors


def draw(flows, curves, path="forget_gate.png"):
    """Draw gradients before training, and errors in training."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        from skrnn.inspection import GradientFlowDisplay
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure, axes = plt.subplots(1, 1 + len(LENGTHS), figsize=(11, 3.5))
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(BIASES)))
    for bias, color in zip(BIASES, colors, strict=True):
        GradientFlowDisplay(flows[bias]).plot(axes[0], color=color, label=f"b_f = {bias:g}")
        for ax, length in zip(axes[1:], LENGTHS, strict=True):
            ax.semilogy(range(1, EPOCHS + 1), curves[bias, length], color=color)
            ax.set(xlabel="epoch", ylabel="mean squared error", title=f"{length} steps to remember")
    axes[0].set_title("untrained")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def main():
    """Print gradients before training and errors after it for every bias."""
    rng = np.random.default_rng(0)
    data = {n: (*numbers(SEQUENCES, n, rng), *numbers(500, n, rng)) for n in LENGTHS}
    X, y, _, _ = data[LENGTHS[-1]]
    last = LENGTHS[-1] - 1
    flows, curves = {}, {}
    print(
        f"             untrained: norm of dLoss/dh_t     mean squared error after {EPOCHS} epochs"
    )
    print(f" b_f  sigmoid    t = 0    t = {last // 2}   t = {last}   "
          + "  ".join(f"{n:3} steps" for n in LENGTHS))  # fmt: skip
    for bias in BIASES:
        flow = flows[bias] = gradient_flow(network(bias, X, y), X[:200], y[:200])
        norms = flow.mean_gradient_norms[0, [0, last // 2, last]]
        for length, parts in data.items():
            curves[bias, length] = learn(network(bias, *parts[:2]), *parts)
        print(f"{bias:4g}  {1 / (1 + np.exp(-bias)):7.3f}  " + "  ".join(f"{n:7.1e}" for n in norms)
              + "   " + "  ".join(f"{curves[bias, n][-1]:9.4f}" for n in LENGTHS),
              flush=True)  # fmt: skip
    print(f"always the mean of y: {np.var(y):.4f}")
    draw(flows, curves)


if __name__ == "__main__":
    main()
