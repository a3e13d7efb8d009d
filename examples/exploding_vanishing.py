"""
Why long sequences are hard: activations and gradients that explode or vanish
=============================================================================

A plain recurrent network that nobody has trained reads 100 steps, and its loss is about the last
one. The recurrent weights are an orthogonal matrix times a scale, so that going forward or back a
step multiplies by about that scale, less what the activation's slope takes. For three activations
and a few scales the norms of h_t are printed, where there is no input after the first step, and
those of dLoss/dh_t, where the input is noise. With ReLU both grow without bound. With the logistic
sigmoid, whose slope is at most 1/4, gradients vanish at any scale below 4. With tanh activations
stay within -1 and 1, at the cost of saturation: where the size of h_t is near 1 the slope,
1 - h_t^2, is near 0, and no gradient passes; how many units are there is printed as well. Draws
the norms to ``exploding_vanishing.png`` where matplotlib is installed.

Run it as ``python examples/exploding_vanishing.py``; it takes less than half a minute.
"""

import numpy as np

from skrnn import RNNRegressor
from skrnn.inspection import gradient_flow

STEPS, HIDDEN, SEQUENCES = 100, 64, 32
ACTIVATIONS = ("relu", "logistic", "tanh")
SCALES = (0.5, 0.9, 1.0, 1.1, 1.5, 3.0)
SATURATED = 0.95  # beyond it the slope of tanh is below 0.1


def network(activation, X, y):
    """Make an untrained network: one step, so small that it moves nothing."""
    model = RNNRegressor(
        (HIDDEN,), activation, cell="rnn", solver="sgd", learning_rate_init=1e-30, max_iter=1,
        n_iter_no_change=np.inf, random_state=0, dtype="float64", scaling="none",
    )  # fmt: skip
    return model.fit(X, y)


def rescaled(model, weights, scale):
    """Give a network recurrent weights `scale` times what they were."""
    return model.set_weights({**weights, "weight_hh_l0": scale * weights["weight_hh_l0"]})


def tanh_states(weights, X):
    """Compute h_t = tanh(W_ih x_t + W_hh h_{t-1} + b) of all sequences: (T, B, H)."""
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    h, states = np.zeros((len(X), HIDDEN)), []
    for x in np.moveaxis(X, 1, 0):
        h = np.tanh(x @ weights["weight_ih_l0"].T + h @ weights["weight_hh_l0"].T + bias)
        states.append(h)
    return np.array(states)


def draw(flows, path="exploding_vanishing.png"):
    """Draw norms of states (above) and of their gradients (below), a column an activation."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        from skrnn.inspection import GradientFlowDisplay
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure, axes = plt.subplots(2, len(ACTIVATIONS), figsize=(11, 6), sharex=True)
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(SCALES)))
    for column, activation in zip(axes.T, ACTIVATIONS, strict=True):
        for k, (ax, quantity) in enumerate(zip(column, ("hidden", "gradient"), strict=True)):
            for scale, color in zip(SCALES, colors, strict=True):
                GradientFlowDisplay(flows[activation, scale][k]).plot(
                    ax, quantity=quantity, color=color, label=f"x {scale}"
                )
            ax.get_legend().remove()
            ax.set_ylim(1e-15, 1e15)
        column[0].set(title=activation, xlabel="")
    axes[0, 0].legend(title="scale of W_hh", frameon=False, fontsize="small", ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def main():
    """Print and draw the norms for every activation and scale."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(SEQUENCES, STEPS, 2))
    y = rng.normal(size=SEQUENCES)
    echo = X * (np.arange(STEPS) == 0)[:, np.newaxis]  # the first step, then nothing
    flows = {}
    print("                       norm of h_t          norm of dLoss/dh_t")
    print(f"activation  scale      t = 0     t = {STEPS - 1}      t = 0     t = {STEPS - 1}")
    for activation in ACTIVATIONS:
        model = network(activation, X, y)
        weights = model.weights_
        for scale in SCALES:
            rescaled(model, weights, scale)
            pair = gradient_flow(model, echo, y), gradient_flow(model, X, y)
            flows[activation, scale] = pair
            # What enters at the last step is the error of the outputs: gradients are to be
            # compared along a line, not down a column.
            h, dh = pair[0].mean_hidden_norms[0], pair[1].mean_gradient_norms[0]
            print(f"{activation:10}  {scale:5}  {h[0]:9.2e}  {h[-1]:9.2e}  {dh[0]:9.2e}  "
                  f"{dh[-1]:9.2e}")  # fmt: skip
    print(f"\ntanh, last step: units with |h| > {SATURATED}, mean slope 1 - h^2")
    for scale in SCALES:
        last = tanh_states(rescaled(model, weights, scale).weights_, X)[-1]
        print(f"scale {scale:5}  {(np.abs(last) > SATURATED).mean():5.1%}  "
              f"{(1 - last**2).mean():5.2f}")  # fmt: skip
    draw(flows)


if __name__ == "__main__":
    main()
