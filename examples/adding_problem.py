"""
The adding problem: how far back a network learns to look
=========================================================

A sequence has T steps of two numbers: one drawn from 0 to 1, and a mark, which is 1 at two steps
(one in each half) and else 0. The target is the sum of the two marked numbers (Hochreiter and
Schmidhuber 1997); whoever always answers 1, the mean, has a mean squared error of 1/6. The loss
says something of the last step alone, so what the first mark needs must survive some T steps
back. A plain tanh network, a GRU and an LSTM of the same width are trained until the error on
sequences held out is below 0.001, or for `--epochs` epochs; and an LSTM once more whose forget
gates start with memories of up to T steps. The errors printed are those on fresh sequences. Draws
the learning curves to ``adding_problem.png`` where matplotlib is installed.

Run it as ``python examples/adding_problem.py --lengths 50``, which takes half a minute on one
core; all four lengths (50, 100, 200, 400), the default, take about ten minutes, more than half of
them for T = 400. ``--networks`` chooses among the networks, ``--seeds 0 1 2`` repeats it.
"""

import argparse
import time

import numpy as np

from skrnn import RNNRegressor

NETWORKS = {
    "rnn": "plain RNN (tanh)",
    "gru": "GRU",
    "lstm": "LSTM",
    "lstm-long": "LSTM, b_f up to log T",  # forgets more slowly from the start
}
COLORS = ("tab:red", "tab:blue", "tab:green", "tab:olive")
N_TRAIN, N_TEST, SOLVED = 10_000, 2_000, 0.001


def draw_problem(n, length, rng):
    """Draw sequences (n, length, 2) and the sums of their marked numbers (n,)."""
    X = np.zeros((n, length, 2), dtype=np.float32)
    X[:, :, 0] = rng.random((n, length))
    rows, half = np.arange(n), length // 2
    marks = rng.integers(half, size=n), rng.integers(half, length, size=n)
    for at in marks:
        X[rows, at, 1] = 1
    return X, sum(X[rows, at, 0] for at in marks)


def spread_memories(model, length, rng):
    """Start an LSTM with units that remember for 1 to `length` steps (Tallec and Ollivier 2018)."""
    still = {"solver": "sgd", "learning_rate_init": 1e-30}  # a step that moves nothing
    parameters = {name: getattr(model, name) for name in still}
    model.set_params(**still).partial_fit(*draw_problem(32, length, rng))
    weights = model.weights_
    memories = np.log(rng.uniform(1, length - 1, 64))
    weights["bias_ih_l0"][:64], weights["bias_ih_l0"][64:128] = -memories, memories  # gates i, f
    model.set_weights(weights).set_params(**parameters)


def learn(name, length, seed, epochs):
    """Train one network; returns its errors after each epoch on sequences held out, and itself."""
    rng = np.random.default_rng([seed, length])
    X_held, y_held = draw_problem(500, length, rng)
    cell = name.partition("-")[0]
    model = RNNRegressor(
        (64,), cell=cell, learning_rate_init=0.003, random_state=seed, scaling="none"
    )
    if name == "lstm-long":
        spread_memories(model, length, rng)
    errors = []
    while len(errors) < epochs and (not errors or errors[-1] > SOLVED):
        model.partial_fit(*draw_problem(N_TRAIN, length, rng))  # new sequences each epoch
        errors.append(float(np.mean((model.predict(X_held) - y_held) ** 2)))
    return errors, model


def draw(curves, path="adding_problem.png"):
    """Draw the error on held-out sequences after each epoch, a panel for each length."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    lengths = sorted({length for length, _ in curves})
    figure, axes = plt.subplots(1, len(lengths), figsize=(3 * len(lengths), 3), squeeze=False)
    for ax, length in zip(axes[0], lengths, strict=True):
        for color, name in zip(COLORS, NETWORKS, strict=True):
            for k, errors in enumerate(curves[length, name]):
                epochs = np.arange(1, len(errors) + 1)
                ax.semilogy(epochs, errors, color=color, label=None if k else NETWORKS[name])
        ax.axhline(1 / 6, color="black", linestyle=":", linewidth=1)
        ax.set(title=f"T = {length}", xlabel="epoch")
    axes[0, 0].set_ylabel("mean squared error")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def main():
    """Train every cell on every length."""
    parser = argparse.ArgumentParser(description="The adding problem.")
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    curves = {(length, name): [] for length in options.lengths for name in NETWORKS}
    for length in options.lengths:
        X, y = draw_problem(N_TEST, length, np.random.default_rng(12345))
        print(f"T = {length}: always 1 has a mean squared error of {np.mean((y - 1) ** 2):.4f}")
        for name in options.networks:
            for seed in options.seeds:
                start = time.perf_counter()
                errors, model = learn(name, length, seed, options.epochs)
                curves[length, name].append(errors)
                error = np.mean((model.predict(X) - y) ** 2)
                print(f"  {NETWORKS[name]:21} seed {seed}  mean squared error {error:.5f}  after "
                      f"{len(errors):2} epochs, {time.perf_counter() - start:4.0f} s",
                      flush=True)  # fmt: skip
    draw(curves)


if __name__ == "__main__":
    main()
