"""Estimators made of weights that were learned elsewhere, without a fit before."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn._data.formats import tensor_to_array

CELL_OF_GATES = {4: "lstm", 3: "gru", 1: "rnn"}


def build(cls, weights, params, targets):
    """Make an estimator that has these weights.

    Parameters
    ----------
    cls : type
        Of an estimator.

    weights : dict of str to array-like
        All of them, under the names of `weights_`.

    params : dict
        Parameters of the estimator. What the shapes of the weights say may be left out.

    targets : callable
        Given the number of outputs, returns what `partial_fit` takes after X: targets of two
        sequences, and parameters by name.

    Returns
    -------
    estimator : estimator instance
    """
    weights = {name: tensor_to_array(value) for name, value in weights.items()}
    if lacking := {"weight_ih_l0", "weight_hh_l0", "head_weight"} - set(weights):
        raise ValueError(f"weights lack {', '.join(sorted(lacking))}.")
    if any(name.startswith("embedding") for name in weights):
        raise ValueError(
            "weights hold an embedding, whose tokens they do not name. Fit to tokens, and call "
            "set_weights then."
        )
    first, recurrent = weights["weight_ih_l0"], weights["weight_hh_l0"]
    n_layers = sum(f"weight_hh_l{k}" in weights for k in range(len(weights)))
    found = {
        "hidden_layer_sizes": tuple(
            weights[f"weight_hh_l{k}"].shape[1] for k in range(n_layers)
        ),
        "cell": CELL_OF_GATES.get(recurrent.shape[0] / recurrent.shape[1]),
        "bidirectional": "weight_hh_l0_reverse" in weights,
        "dtype": "float64" if recurrent.dtype == np.float64 else "float32",
    }  # fmt: skip
    width = found["hidden_layer_sizes"][-1] * (1 + found["bidirectional"])
    if weights["head_weight"].ndim == 2 and weights["head_weight"].shape[1] == width:
        # One pooling: of those without weights of their own it is, unless told, PyTorch's h_n.
        found["pooling"] = "attention" if "pool_weight" in weights else "last"
    requested = cls(**found | params)
    estimator = cls(
        **found | params | {"warm_start": False, "early_stopping": False, "verbose": False}
    )
    y, named = targets(len(weights["head_weight"]))
    X = [np.zeros((1, first.shape[1]))] * len(y)
    estimator.partial_fit(X, y, **named).set_weights(weights)
    estimator.set_params(**requested.get_params(deep=False))
    # It has seen no data: what the network was started with says nothing of these weights.
    estimator.n_iter_ = estimator.t_ = 0
    estimator.loss_curve_ = []
    estimator.best_loss_ = None
    for name in ("loss_", "gradient_norm_"):
        estimator.__dict__.pop(name, None)
    return estimator
