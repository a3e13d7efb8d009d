"""Write the golden files: what PyTorch says of LSTM, GRU and plain networks.

Run it where PyTorch is installed; the tests only read what it wrote::

    python tests/helpers/make_golden.py

Two kinds of file go to ``tests/golden``, all float64.

``<cell>_<layers>layer_<one|two>way.npz``: one forward and backward pass over a ragged batch.

======================================  =======================================================
``about``                               JSON: ``kind`` ("pass"), the fields of the oracle's
                                        ``Spec`` that describe the network, ``n_features``, and
                                        the versions that wrote the file
``lengths``                             (n,) steps of each sequence
``inputs``, ``outputs``                 (sum of lengths, width), sequences one after another
``h0``, ``c0``, ``h_n``, ``c_n``        (n_layers * n_directions, n, H); ``c`` for the LSTM only
``d_outputs``, ``d_hn``, ``d_cn``       cotangents; the scalar differentiated is
                                        sum(outputs * d_outputs) + sum(h_n * d_hn) + ...
``weights/<name>``, ``grads/<name>``    under PyTorch's names
``d_inputs``, ``d_h0``, ``d_c0``        gradients
======================================  =======================================================

``training_<adam|sgd>.npz``: ten steps of full-batch training of an LSTM with a linear head on
``h_n``, mean cross-entropy.

======================================  =======================================================
``about``                               JSON: ``kind`` ("training"), the ``Spec`` fields,
                                        ``n_features``, the solver and its parameters, clipping
``lengths``, ``inputs``, ``targets``    data, as above
``initial/<name>``, ``final/<name>``    weights before and after, the head's among them
``losses``, ``grad_norms``              (10,) before each step; norms before clipping
======================================  =======================================================

The gradients are PyTorch's, the two optimizers are written out below: they follow scikit-learn's
``MLPClassifier``, whose formulas differ from PyTorch's (where epsilon enters Adam; where the
learning rate enters the velocity). What is random is drawn on a coarse binary grid, which float64
holds exactly and zip packs well.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

GOLDEN = Path(__file__).parents[1] / "golden"
N_FEATURES = 3
LENGTHS = [7, 5, 5, 1, 9, 2]

# file name -> (module, cell, activation)
NETWORKS = {
    "lstm": (nn.LSTM, "lstm", "tanh"),
    "gru": (nn.GRU, "gru", "tanh"),
    "rnn_tanh": (nn.RNN, "rnn", "tanh"),
    "rnn_relu": (nn.RNN, "rnn", "relu"),
}

# layers -> hidden width: 18 spills over any vector register, 5 does not fill one
WIDTHS = {1: 18, 2: 5}


def draw(rng, shape, scale=1.0, grid=16):
    """Draw normal numbers, rounded to multiples of 1 / grid."""
    return torch.from_numpy(np.round(scale * rng.standard_normal(shape) * grid) / grid)


def build(rng, module, activation, n_layers, bidirectional, width):
    """Make a float64 network and fill it with random weights."""
    options = {"nonlinearity": activation} if module is nn.RNN else {}
    network = module(
        N_FEATURES, width, n_layers, bidirectional=bidirectional, batch_first=True, **options
    ).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(draw(rng, tuple(parameter.shape), scale=1 / math.sqrt(width)))
    return network


def run_packed(network, sequences, state=None):
    """Run a ragged batch; return the outputs as a list of (T_i, width), and the final state."""
    lengths = [len(sequence) for sequence in sequences]
    packed = pack_padded_sequence(
        pad_sequence(sequences, batch_first=True), lengths, batch_first=True, enforce_sorted=False
    )
    outputs, final = network(packed, state)
    padded, _ = pad_packed_sequence(outputs, batch_first=True)
    return [rows[:length] for rows, length in zip(padded, lengths, strict=True)], final


def about(kind, cell, activation, n_layers, bidirectional, width, **more):
    """Describe a file, as JSON."""
    return json.dumps(
        {
            "kind": kind,
            "cell": cell,
            "hidden": [width] * n_layers,
            "bidirectional": bidirectional,
            "activation": activation,
            "n_features": N_FEATURES,
            **more,
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        }
    )


def save(name, arrays):
    """Write one file, tensors and all."""
    arrays = {
        key: value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        for key, value in arrays.items()
    }
    np.savez_compressed(GOLDEN / f"{name}.npz", **arrays)


def one_pass(seed, name, n_layers, bidirectional):
    """Write the golden file of one network."""
    rng = np.random.default_rng(seed)
    module, cell, activation = NETWORKS[name]
    width, n_directions = WIDTHS[n_layers], 1 + bidirectional
    network = build(rng, module, activation, n_layers, bidirectional, width)

    sequences = [draw(rng, (length, N_FEATURES)).requires_grad_() for length in LENGTHS]
    d_outputs = [draw(rng, (length, n_directions * width)) for length in LENGTHS]
    state_shape = (n_layers * n_directions, len(LENGTHS), width)
    state_names = ["h", "c"] if cell == "lstm" else ["h"]
    initial = {s: draw(rng, state_shape).requires_grad_() for s in state_names}
    d_final = {s: draw(rng, state_shape) for s in state_names}

    # PyTorch's state is h, or for the LSTM (h, c)
    state = (initial["h"], initial["c"]) if cell == "lstm" else initial["h"]
    outputs, final = run_packed(network, sequences, state)
    final = dict(zip(state_names, final if cell == "lstm" else (final,), strict=True))
    loss = sum((o * d).sum() for o, d in zip(outputs, d_outputs, strict=True))
    loss = loss + sum((final[s] * d_final[s]).sum() for s in state_names)
    loss.backward()

    arrays = {
        "about": about("pass", cell, activation, n_layers, bidirectional, width),
        "lengths": LENGTHS,
        "inputs": torch.cat(sequences),
        "outputs": torch.cat(outputs),
        "d_outputs": torch.cat(d_outputs),
        "d_inputs": torch.cat([sequence.grad for sequence in sequences]),
    }
    for s in state_names:
        arrays[f"{s}0"], arrays[f"{s}_n"] = initial[s], final[s]
        arrays[f"d_{s}n"], arrays[f"d_{s}0"] = d_final[s], initial[s].grad
    for key, parameter in network.named_parameters():
        arrays[f"weights/{key}"], arrays[f"grads/{key}"] = parameter, parameter.grad
    save(f"{name}_{n_layers}layer_{'two' if bidirectional else 'one'}way", arrays)


class Adam:
    """Adam as MLPClassifier has it."""

    def __init__(self):
        self.t, self.m, self.v = 0, {}, {}

    def step(self, name, parameter, learning_rate_init, beta_1, beta_2, epsilon):
        """Update one parameter; `t` is advanced by the caller, once for all."""
        # m = b1 m + (1 - b1) g    lr_t = lr sqrt(1 - b2^t) / (1 - b1^t)
        # v = b2 v + (1 - b2) g^2  p = p - lr_t m / (sqrt(v) + eps)
        g = parameter.grad
        self.m[name] = beta_1 * self.m.get(name, 0.0) + (1 - beta_1) * g
        self.v[name] = beta_2 * self.v.get(name, 0.0) + (1 - beta_2) * g**2
        rate = learning_rate_init * math.sqrt(1 - beta_2**self.t) / (1 - beta_1**self.t)
        parameter -= rate * self.m[name] / (self.v[name].sqrt() + epsilon)


class Sgd:
    """Gradient descent with Nesterov's momentum as MLPClassifier has it."""

    def __init__(self):
        self.t, self.velocity = 0, {}

    def step(self, name, parameter, learning_rate_init, momentum, nesterovs_momentum):
        """Update one parameter."""
        # v = momentum v - lr g    p = p + momentum v - lr g   (without Nesterov: p = p + v)
        g = parameter.grad
        self.velocity[name] = momentum * self.velocity.get(name, 0.0) - learning_rate_init * g
        if nesterovs_momentum:
            parameter += momentum * self.velocity[name] - learning_rate_init * g
        else:
            parameter += self.velocity[name]


SOLVERS = {
    "adam": (Adam, {"learning_rate_init": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    "sgd": (Sgd, {"learning_rate_init": 0.1, "momentum": 0.9, "nesterovs_momentum": True}),
}


def training(seed, solver):
    """Write ten steps of training."""
    rng = np.random.default_rng(seed)
    width, n_outputs, n_steps, max_norm = 5, 3, 10, 1.0
    lengths = [4, 7, 2, 5, 5, 1, 8, 3, 6, 4, 2, 7]
    network = build(rng, nn.LSTM, "tanh", 1, False, width)
    head = nn.Linear(width, n_outputs).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(draw(rng, tuple(parameter.shape)))
    parameters = dict(network.named_parameters())
    parameters |= {"head_weight": head.weight, "head_bias": head.bias}
    sequences = [draw(rng, (length, N_FEATURES)) for length in lengths]
    targets = torch.from_numpy(rng.integers(0, n_outputs, len(lengths)))

    optimizer_class, settings = SOLVERS[solver]
    optimizer = optimizer_class()
    arrays = {
        "about": about(
            "training",
            "lstm",
            "tanh",
            1,
            False,
            width,
            pooling="last",
            loss="softmax",
            n_outputs=n_outputs,
            solver=solver,
            max_grad_norm=max_norm,
            # g *= min(1, max_grad_norm / (norm + clip_epsilon)); PyTorch's own has 1e-6 here
            clip_epsilon=0.0,
            **settings,
        ),
        "lengths": lengths,
        "inputs": torch.cat(sequences),
        "targets": targets,
    }
    for name, parameter in parameters.items():
        arrays[f"initial/{name}"] = parameter.detach().clone()

    losses, norms = [], []
    for _ in range(n_steps):
        for parameter in parameters.values():
            parameter.grad = None
        _, (h_n, _) = run_packed(network, sequences)
        loss = nn.functional.cross_entropy(head(h_n[-1]), targets)
        loss.backward()
        losses.append(loss.item())
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters.values()])
        norms.append(norm.item())
        optimizer.t += 1
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.grad *= min(1.0, max_norm / norms[-1])
                optimizer.step(name, parameter, **settings)

    # a golden run that never clips, or always does, would not test the clipping
    assert min(norms) < max_norm < max(norms), norms
    arrays |= {"losses": losses, "grad_norms": norms}
    arrays |= {f"final/{name}": parameter for name, parameter in parameters.items()}
    save(f"training_{solver}", arrays)


def main():
    """Write all files."""
    torch.set_num_threads(1)
    GOLDEN.mkdir(exist_ok=True)
    seed = 0
    for name in NETWORKS:
        for n_layers in WIDTHS:
            for bidirectional in [False, True]:
                one_pass(seed, name, n_layers, bidirectional)
                seed += 1
    for solver in SOLVERS:
        training(107, solver)  # of a few seeds, one whose norms cross max_norm


if __name__ == "__main__":
    main()
