"""What is measured: the network shapes, their goals, and how much arithmetic they are."""

from dataclasses import dataclass, replace

import numpy as np

N_CLASSES = 10
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True)
class Shape:
    """One network on one kind of batch."""

    T: int  # time steps
    B: int  # sequences per batch
    D: int  # features per step
    H: int  # hidden units
    epochs: int = 1  # enough for a call to last a tenth of a second or more
    batches: int = 20  # an epoch
    cell: str = "lstm"
    layers: int = 1
    bidirectional: bool = False

    @property
    def n_sequences(self):
        """Sequences of the whole data set."""
        return self.batches * self.B

    def __str__(self):
        return f"{self.T}, {self.B}, {self.D}, {self.H}"

    def with_cell(self, cell):
        """Return the same shape with another cell."""
        return replace(self, cell=cell)

    def forward_flops(self):
        """Count the useful operations of a forward pass over one step of one row."""
        directions = 1 + self.bidirectional
        widths = [self.D] + [directions * self.H] * (self.layers - 1)
        gates = GATES[self.cell]
        return sum(directions * 2 * gates * self.H * (width + self.H) for width in widths)

    def training_flops(self):
        """Count those of a training step: forward, dW (as much again), dh.

        The gradient of the first layer's input is nobody's business and is not counted; that of
        a higher layer's input is.
        """
        directions = 1 + self.bidirectional
        gates = GATES[self.cell]
        into_hidden = self.layers * directions * 2 * gates * self.H * self.H
        into_layer_below = (self.layers - 1) * directions * 2 * gates * self.H
        into_layer_below *= directions * self.H
        return 2 * self.forward_flops() + into_hidden + into_layer_below


SHAPES = [
    Shape(50, 32, 8, 32, epochs=10),
    Shape(100, 32, 16, 64, epochs=4),
    Shape(128, 128, 64, 64, epochs=1),
    Shape(50, 64, 64, 128, epochs=2),
    Shape(100, 32, 128, 256, epochs=1),
    Shape(50, 64, 512, 512, epochs=1),
]

# Ratio of medians, PyTorch's time over ours, one figure per shape in the order above.
GOALS = {
    ("lstm", "fit"): [5, 3, 3, 1.9, 1.9, 1.5],
    ("lstm", "predict"): [2.5, 1.7, 1.7, 1.4, 1.25, 1.05],
    ("gru", "fit"): [12, 10, 5, 4, 2.5, 1.8],
    ("rnn", "fit"): [12, 8, 4, 3.5, 2.5, 1.6],
}
LOWEST_LSTM_GOAL = 1.3  # whatever share of its peak a machine allows
# The same over JAX's time.
JAX_GOALS = {"lstm": [3, 3, 3, 3, 3, None], "gru": [4, 4, 4, 2.5, 2.5, 1.8]}


def share_goal(vendor, cell, what, H):
    """Return the share of the cores' multiply-add peak to reach; None where there is no goal.

    From 128 units on the share of a fit depends on how far away the third level of cache is, where
    weights stream from: it is nearer in an AMD processor than in an Intel one.
    """
    if cell == "rnn":
        return None
    if what == "predict":
        return 0.80 if H >= 128 else None
    if H >= 128:
        return 0.78 if vendor == "AuthenticAMD" else 0.70
    return 0.62 if H == 64 else 0.45


RAGGED = Shape(100, 32, 16, 64)
LONG = Shape(2000, 8, 16, 64, batches=2)
DEEP = Shape(50, 64, 64, 128, layers=2, bidirectional=True)
SINGLE = Shape(50, 1, 8, 32)
MEMORY = Shape(100, 32, 128, 256)


def dense_data(shape, seed=0):
    """Make a float32 array ``(n, T, D)`` and labels; noise will do to measure time."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((shape.n_sequences, shape.T, shape.D), dtype=np.float32)
    return X, rng.integers(0, N_CLASSES, shape.n_sequences)


def ragged_data(shape, spread=90, seed=0):
    """Make sequences of lengths uniform in ``T - spread .. T + spread``, and labels.

    Lengths come in pairs that mirror each other, so their mean is `T` exactly and the equal
    lengths to compare with have just as many steps.
    """
    rng = np.random.default_rng(seed)
    half = rng.integers(shape.T - spread, shape.T + spread + 1, shape.n_sequences // 2)
    lengths = rng.permutation(np.concatenate([half, 2 * shape.T - half]))
    X = [rng.standard_normal((n, shape.D), dtype=np.float32) for n in lengths]
    return X, rng.integers(0, N_CLASSES, shape.n_sequences)
