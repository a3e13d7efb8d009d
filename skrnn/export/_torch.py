"""Weights of PyTorch's modules under skrnn's names, and back."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import re

import numpy as np

from skrnn._data.formats import tensor_to_array

FIRST = "weight_ih_l0"
RECURRENT = re.compile(r"(weight|bias)_(ih|hh)_l\d+(_reverse)?")


def from_torch(state_dict, *, recurrent=None, head=None):
    """Rename the state of a module of PyTorch, for `from_weights` and `set_weights`.

    The module has one `torch.nn.LSTM`, `GRU` or `RNN`, and a `torch.nn.Linear` that reads its
    output, under whatever names. Layout, order of gates and bidirectional layers are the same in
    both packages; biases that a module does without are zeros here.

    Parameters
    ----------
    state_dict : dict of str to array-like
        ``module.state_dict()``: tensors, or arrays. PyTorch need not be installed.

    recurrent : str, default=None
        Name of the recurrent module in the state, such as ``'encoder'``. None finds it, if there
        is one only.

    head : str, default=None
        Name of the linear module. None finds it, if there is one only.

    Returns
    -------
    weights : dict of str to ndarray
        Weights under the names of `weights_`.

    Raises
    ------
    ValueError
        If a module is not found or not the only one, or if the state holds more than both.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.export import from_torch
    >>> rng = np.random.default_rng(0)
    >>> state = {  # of a module with self.gru = GRU(3, 4) and self.out = Linear(4, 2)
    ...     "gru.weight_ih_l0": rng.normal(size=(12, 3)),
    ...     "gru.weight_hh_l0": rng.normal(size=(12, 4)),
    ...     "gru.bias_ih_l0": np.zeros(12),
    ...     "gru.bias_hh_l0": np.zeros(12),
    ...     "out.weight": rng.normal(size=(2, 4)),
    ...     "out.bias": np.zeros(2),
    ... }
    >>> model = RNNClassifier.from_weights(from_torch(state), classes=["no", "yes"])
    >>> model.cell, model.predict([np.ones((5, 3))]).shape
    ('gru', (1,))
    """
    state = {name: tensor_to_array(value) for name, value in state_dict.items()}
    body = _find(state, recurrent, FIRST, "recurrent")
    weights = {}
    for name in [n for n in state if n.startswith(body) and RECURRENT.fullmatch(n[len(body) :])]:
        weights[name[len(body) :]] = state.pop(name)
    for name in [name for name in weights if name.startswith("weight")]:
        weights.setdefault(name.replace("weight", "bias"), np.zeros(len(weights[name])))
    linear = _find(state, head, "weight", "head")
    weights["head_weight"] = state.pop(f"{linear}weight")
    n_outputs = len(weights["head_weight"])
    weights["head_bias"] = state.pop(f"{linear}bias", np.zeros(n_outputs))
    if state:
        raise ValueError(
            f"state_dict holds more than a recurrent and a linear module: {', '.join(state)}. "
            "Leave out what the network can do without; embeddings, projections (proj_size) and "
            "further layers have no place here."
        )
    return weights


def to_torch(estimator, *, recurrent="rnn", head="head"):
    """Return the weights of a fitted estimator as the state of a module of PyTorch.

    Parameters
    ----------
    estimator : estimator
        Fitted to sequences of numbers, with an output layer that reads one pooling.

    recurrent : str, default='rnn'
        Name that the recurrent module has in the module.

    head : str, default='head'
        Name of the linear module.

    Returns
    -------
    state_dict : dict
        Tensors, for ``module.load_state_dict``.

    Raises
    ------
    ImportError
        Where PyTorch is not installed.
    ValueError
        If the network has weights that a recurrent and a linear module lack.
    """
    import torch

    weights = estimator.weights_
    heads = {"head_weight": f"{head}.weight", "head_bias": f"{head}.bias"}
    names = {n: f"{recurrent}.{n}" for n in weights if RECURRENT.fullmatch(n)}
    if left := sorted(set(weights) - set(names) - set(heads)):
        raise ValueError(
            f"{type(estimator).__name__} has {', '.join(left)}, which a recurrent and a linear "
            "module of PyTorch lack. Take them from weights_."
        )
    return {new: torch.from_numpy(weights[name]) for name, new in (names | heads).items()}


def _find(state, module, last, parameter):
    """Return the prefix of the one module that has a matrix of this name."""
    found = [n[: -len(last)] for n in state if n.endswith(last) and state[n].ndim == 2]
    found = [prefix for prefix in found if prefix == "" or prefix.endswith(".")]
    if module is not None:
        found = [prefix for prefix in found if prefix == f"{module}."]
    if len(found) != 1:
        names = ", ".join(repr(prefix.rstrip(".")) for prefix in found) or "none"
        raise ValueError(
            f"One {parameter} module is needed, and state_dict has {names}; it holds "
            f"{', '.join(state)}. Name the module by {parameter}=."
        )
    return found[0]
