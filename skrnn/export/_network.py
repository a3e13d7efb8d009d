"""A network in nodes of ONNX: embeddings, recurrent layers, pooling, output layer."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import re

import numpy as np

# Gates of ONNX, as places in PyTorch's order, which is that of the weights here:
# i, o, f, c from i, f, g, o; and z, r, h from r, z, n.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "logistic": "Sigmoid"}


def add_network(graph, plan, params, values, lengths):
    """Add all of a network.

    Parameters
    ----------
    graph : Graph
    plan : Plan
    params : ndarray of shape (n_params,)
    values : str
        Numbers (batch, time, n_features) of any type, or ids (batch, time, n_columns), int64, all
        of which have a row of their embedding.
    lengths : str
        int64, of shape (batch,).

    Returns
    -------
    str
        Outputs, float32: (batch, n_outputs), or (batch, time, n_outputs) for a head on every step.
    """
    weights = {name: w.astype(np.float32) for name, w in plan.views(params).items()}
    parts = r"(weight|bias)_(ih|hh)_l\d+(_reverse)?|head_(weight|bias)|embedding_weight(_\d+)?"
    parts += "|pool_weight"
    if unknown := [name for name in weights if not re.fullmatch(parts, name)]:
        raise ValueError(
            f"A network with {unknown[0]} cannot be exported: to_onnx has no nodes for that part."
        )
    if plan.embedding is not None:
        values = _embed(graph, values, [weights[name] for name in plan.embedding_names])
    else:
        values = graph.cast(values, np.float32)
        # Whatever the padding is: a NaN there must not reach a product.
        real = graph.add("Unsqueeze", graph.mask(values, lengths), graph.ints(2))
        values = graph.add("Where", real, values, np.float32(0))
    x = graph.add("Transpose", values, perm=(1, 0, 2))  # time, batch, features
    short = graph.cast(lengths, np.int32)
    for layer in range(len(plan.hidden)):
        states, last = _layer(graph, plan, weights, layer, x, short)
        # time, directions, batch, H -> time, batch, directions * H
        x = graph.add("Transpose", states, perm=(0, 2, 1, 3))
        x = graph.add("Reshape", x, graph.ints(0, 0, -1))
    names = (plan.pooling,) if isinstance(plan.pooling, str) else plan.pooling
    scores = weights.get("pool_weight")
    read = [_pool(graph, name, x, last, lengths, scores) for name in names]
    read = read[0] if len(read) == 1 else graph.add("Concat", *read, axis=1)
    outputs = graph.add("MatMul", read, np.ascontiguousarray(weights["head_weight"].T))
    return graph.add("Add", outputs, weights["head_bias"])


def _embed(graph, ids, tables):
    """Look up the rows of each token column, side by side."""
    found = [
        graph.add("Gather", table, graph.add("Gather", ids, np.int64(c), axis=2), axis=0)
        for c, table in enumerate(tables)
    ]
    return found[0] if len(found) == 1 else graph.add("Concat", *found, axis=2)


def _layer(graph, plan, weights, layer, x, lengths):
    """Add both directions of a layer: (states of all steps, last states)."""
    cell, activation = plan.architecture["cell"], plan.architecture["activation"]
    H, order = plan.hidden[layer], list(GATES[cell])

    def stacked(kind):
        """Return (n_directions, gates * H, ...) in the order of ONNX."""
        names = [f"{kind}_l{layer}{suffix}" for suffix in ("", "_reverse")[: plan.n_directions]]
        parts = [weights[name].reshape(len(order), H, -1)[order] for name in names]
        return np.stack([part.reshape(len(order) * H, -1) for part in parts])

    bias = np.concatenate([stacked("bias_ih")[..., 0], stacked("bias_hh")[..., 0]], axis=1)
    attributes = {
        "hidden_size": H, "direction": "bidirectional" if plan.n_directions == 2 else "forward",
    }  # fmt: skip
    if cell == "gru":
        attributes["linear_before_reset"] = 1  # the reset gate multiplies W_hn h + b_hn
    if cell == "rnn":
        attributes["activations"] = [ACTIVATIONS[activation]] * plan.n_directions
    made = graph.add(
        OPERATORS[cell], x, stacked("weight_ih"), stacked("weight_hh"), bias, lengths,
        n_outputs=3 if cell == "lstm" else 2, **attributes,
    )  # fmt: skip
    return made[0], made[1]


def _pool(graph, pooling, states, last, lengths, scores):
    """Return what the head reads of states (time, batch, width): (batch[, time], width)."""
    if pooling == "last":  # directions, batch, H
        last = graph.add("Transpose", last, perm=(1, 0, 2))
        return graph.add("Reshape", last, graph.ints(0, -1))
    states = graph.add("Transpose", states, perm=(1, 0, 2))
    if pooling == "all":
        return states
    real = graph.add("Unsqueeze", graph.mask(states, lengths), graph.ints(2))
    if pooling == "max":
        states = graph.add("Where", real, states, np.float32(-np.inf))
        return graph.add("ReduceMax", states, graph.ints(1), keepdims=0)
    if pooling == "attention":
        e = graph.add("MatMul", states, scores[:, np.newaxis])
        shares = graph.add("Softmax", graph.add("Where", real, e, np.float32(-np.inf)), axis=1)
        return graph.add("ReduceSum", graph.add("Mul", shares, states), graph.ints(1), keepdims=0)
    if pooling != "mean":
        raise ValueError(f"pooling={pooling!r} cannot be exported.")
    states = graph.add("Where", real, states, np.float32(0))
    total = graph.add("ReduceSum", states, graph.ints(1), keepdims=0)
    count = graph.cast(graph.add("Unsqueeze", lengths, graph.ints(1)), np.float32)
    return graph.add("Div", total, count)
