"""The oracle: recurrent networks in plain NumPy, against which the kernels are tested.

Everything here is float64, one sequence and one step at a time, forward and backward written by
hand from the equations. It is meant to be read and believed, not to be fast: no packing, no fused
loops, nothing shared with the code under test.

Weights are a dict under PyTorch's names and layout. A *scan* is one direction of one layer; its
parameters carry the suffix ``l0``, ``l0_reverse``, ``l1``, ... Each step of a scan computes two
pre-activations, and the cell turns them into the new state::

    a_t = W_ih x_t + b_ih                (n_gates * H,)
    b_t = W_hh (m * h_{t-1}) + b_hh      (n_gates * H,)   m: the recurrent dropout mask, or 1
    h_t, c_t = cell(a_t, b_t, h_{t-1}, c_{t-1})

so a cell is a pair of functions that know nothing of matrices, and a new cell is one entry of
`CELLS`. Poolings and losses are tables in the same way.

In the backward functions ``dz`` stands for the derivative of the loss with respect to ``z``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# --------------------------------------------------------------------------------------------------
# What goes in, what comes out
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """What a network is made of.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    hidden : tuple of int
        Width of each layer, the lowest first.
    bidirectional : bool, default=False
    activation : {"tanh", "relu", "logistic"}, default="tanh"
        Of the rnn cell; the others ignore it.
    pooling : {"last", "mean", "max", "all"}, default="last"
        What the head sees of the top layer: each direction's own final state, the mean or the
        maximum over the steps (the first step wins a tie), or every step by itself.
    loss : {"softmax", "squared_error"}, default="softmax"
    n_outputs : int, default=2
    alpha : float, default=0.0
        L2 penalty on the weight matrices; neither biases nor the embedding are penalised.
    bptt_steps : int or None, default=None
        The recurrent gradient is cut every so many steps, counted back from where each direction
        ends. The state itself is carried on unchanged.
    """

    cell: str
    hidden: tuple
    bidirectional: bool = False
    activation: str = "tanh"
    pooling: str = "last"
    loss: str = "softmax"
    n_outputs: int = 2
    alpha: float = 0.0
    bptt_steps: int | None = None


@dataclass
class Result:
    """What `run` returns. Lists over scans go ``l0``, ``l0_reverse``, ``l1``, ...

    Attributes
    ----------
    loss : float
    outputs : list of ndarray of shape (T_i, n_directions * H)
        Top layer, one array a sequence.
    h_n, c_n : list of ndarray of shape (n_sequences, H_l)
        Final states, one array a scan. `c_n` is None for a cell without a cell state.
    logits : ndarray of shape (n_sequences, n_outputs), list of (T_i, n_outputs), or None
        What the head says; a list where pooling is "all", None where there is no head.
    grads : dict
        Derivatives of the loss, keys and shapes as in the weights.
    d_inputs : list of ndarray of shape (T_i, D)
        The same for the inputs, after the embedding if there is one.
    d_h0, d_c0 : list of ndarray of shape (n_sequences, H_l)
        The same for the initial states. `d_c0` is None for a cell without a cell state.
    """

    loss: float
    outputs: list
    h_n: list
    c_n: list | None
    logits: np.ndarray | list | None
    grads: dict
    d_inputs: list
    d_h0: list
    d_c0: list | None


# --------------------------------------------------------------------------------------------------
# Activations: the function, and its derivative written in terms of the output y
# --------------------------------------------------------------------------------------------------


def sigmoid(z):
    """Logistic function, 1 / (1 + exp(-z)), without overflow on either side."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


ACTIVATIONS = {
    "tanh": (np.tanh, lambda y: 1 - y**2),
    "relu": (lambda z: np.maximum(z, 0.0), lambda y: (y > 0) * 1.0),
    "logistic": (sigmoid, lambda y: y * (1 - y)),
}


# --------------------------------------------------------------------------------------------------
# Cells
#
# forward(a, b, h_prev, c_prev, activation) -> h, c, saved
# backward(dh, dc, saved, activation)       -> da, db, dh_prev, dc_prev
#
# dh_prev holds only what reaches h_prev past the matrix product; the scan adds W_hh' db.
# A cell without a cell state hands c through.
# --------------------------------------------------------------------------------------------------


def lstm_forward(a, b, h_prev, c_prev, activation):
    """Step the LSTM cell, gates in the order i, f, g, o."""
    # i = sigmoid(a_i + b_i)    g = tanh(a_g + b_g)    c = f * c_prev + i * g
    # f = sigmoid(a_f + b_f)    o = sigmoid(a_o + b_o) h = o * tanh(c)
    z_i, z_f, z_g, z_o = np.split(a + b, 4)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return h, c, (i, f, g, o, c, c_prev)


def lstm_backward(dh, dc, saved, activation):
    """Step the LSTM cell back."""
    i, f, g, o, c, c_prev = saved
    # h = o * tanh(c), and c also goes on to the next step, whence the dc that came in
    do = dh * np.tanh(c)
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    # c = f * c_prev + i * g
    di, df, dg, dc_prev = dc * g, dc * c_prev, dc * i, dc * f
    # sigmoid' = y (1 - y), tanh' = 1 - y^2
    dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
    return dz, dz, np.zeros_like(dh), dc_prev


def gru_forward(a, b, h_prev, c_prev, activation):
    """Step the GRU cell, gates in the order r, z, n, reset gate applied after the product."""
    # r = sigmoid(a_r + b_r)    n = tanh(a_n + r * b_n)
    # z = sigmoid(a_z + b_z)    h = (1 - z) * n + z * h_prev
    a_r, a_z, a_n = np.split(a, 3)
    b_r, b_z, b_n = np.split(b, 3)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    h = (1 - z) * n + z * h_prev
    return h, c_prev, (r, z, n, b_n, h_prev)


def gru_backward(dh, dc, saved, activation):
    """Step the GRU cell back."""
    r, z, n, b_n, h_prev = saved
    # h = (1 - z) * n + z * h_prev
    dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z
    # n = tanh(a_n + r * b_n)
    da_n = dn * (1 - n**2)
    dr, db_n = da_n * b_n, da_n * r
    # r and z are sigmoids of a + b
    da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
    return np.concatenate([da_r, da_z, da_n]), np.concatenate([da_r, da_z, db_n]), dh_prev, dc


def rnn_forward(a, b, h_prev, c_prev, activation):
    """Step the plain cell."""
    # h = activation(a + b)
    function, _ = ACTIVATIONS[activation]
    h = function(a + b)
    return h, c_prev, h


def rnn_backward(dh, dc, saved, activation):
    """Step the plain cell back."""
    h = saved
    _, derivative = ACTIVATIONS[activation]
    dz = dh * derivative(h)
    return dz, dz, np.zeros_like(dh), dc


class Cell(NamedTuple):
    """One row of `CELLS`."""

    n_gates: int
    has_c: bool
    forward: Callable
    backward: Callable


CELLS = {
    "lstm": Cell(4, True, lstm_forward, lstm_backward),
    "gru": Cell(3, False, gru_forward, gru_backward),
    "rnn": Cell(1, False, rnn_forward, rnn_backward),
}


# --------------------------------------------------------------------------------------------------
# A scan: one layer, one direction, one sequence
# --------------------------------------------------------------------------------------------------


def scan_order(n_steps, reverse):
    """Return the steps in the order in which a direction visits them."""
    return list(reversed(range(n_steps))) if reverse else list(range(n_steps))


def scan_forward(spec, weights, suffix, x, h, c, mask):
    """Run a cell over the steps of one sequence.

    Parameters
    ----------
    spec : Spec
    weights : dict
    suffix : str
        Names the scan, and with it the direction.
    x : ndarray of shape (T, D)
    h, c : ndarray of shape (H,)
        Initial state.
    mask : ndarray of shape (H,) or float
        Multiplies h_{t-1} on its way into the matrix product, and nowhere else.

    Returns
    -------
    outputs : ndarray of shape (T, H)
        h_t at row t, in either direction.
    h, c : ndarray of shape (H,)
        Final state.
    tape : list
        What the backward pass needs of each step.
    """
    W_ih, W_hh = weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"]
    b_ih, b_hh = weights[f"bias_ih_{suffix}"], weights[f"bias_hh_{suffix}"]
    outputs, tape = np.zeros((len(x), len(h))), [None] * len(x)

    for t in scan_order(len(x), suffix.endswith("_reverse")):
        a = W_ih @ x[t] + b_ih
        b = W_hh @ (mask * h) + b_hh
        h_prev = h
        h, c, saved = CELLS[spec.cell].forward(a, b, h_prev, c, spec.activation)
        outputs[t], tape[t] = h, (h_prev, saved)
    return outputs, h, c, tape


def scan_backward(spec, weights, grads, suffix, x, mask, tape, d_outputs, dh, dc):
    """Run back over the steps of one sequence, adding to `grads`.

    Parameters
    ----------
    spec, weights, suffix, x, mask : as in `scan_forward`
    grads : dict
        Gradients of the scan's weights are added to what is there.
    tape : list
        From `scan_forward`.
    d_outputs : ndarray of shape (T, H)
    dh, dc : ndarray of shape (H,)
        Derivatives with respect to the final state, beyond what came through `d_outputs`.

    Returns
    -------
    dx : ndarray of shape (T, D)
    dh, dc : ndarray of shape (H,)
        Derivatives with respect to the initial state.
    """
    W_ih, W_hh = weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"]
    dx = np.zeros_like(x)

    order = scan_order(len(x), suffix.endswith("_reverse"))
    for steps_back, t in enumerate(reversed(order), start=1):
        h_prev, saved = tape[t]
        da, db, dh_prev, dc_prev = CELLS[spec.cell].backward(
            dh + d_outputs[t], dc, saved, spec.activation
        )
        # a = W_ih x_t + b_ih
        grads[f"weight_ih_{suffix}"] += np.outer(da, x[t])
        grads[f"bias_ih_{suffix}"] += da
        dx[t] = W_ih.T @ da
        # b = W_hh (m * h_prev) + b_hh
        grads[f"weight_hh_{suffix}"] += np.outer(db, mask * h_prev)
        grads[f"bias_hh_{suffix}"] += db
        dh = dh_prev + mask * (W_hh.T @ db)
        dc = dc_prev
        # truncated: nothing flows back out of a chunk, counted from where the direction ends
        if spec.bptt_steps is not None and steps_back % spec.bptt_steps == 0:
            dh, dc = np.zeros_like(dh), np.zeros_like(dc)
    return dx, dh, dc


# --------------------------------------------------------------------------------------------------
# Poolings: (T, n_directions * H) outputs -> the rows the head sees, one row or T of them
#
# forward(outputs, H) -> rows;  backward(d_rows, outputs, H) -> d_outputs
# --------------------------------------------------------------------------------------------------


def last_forward(outputs, H):
    """Take each direction's final state: step T - 1 going forward, step 0 in reverse."""
    return np.concatenate([outputs[-1, :H], outputs[0, H:]])[None, :]


def last_backward(d_rows, outputs, H):
    """Hand the derivative back to those two steps."""
    d_outputs = np.zeros_like(outputs)
    d_outputs[-1, :H] = d_rows[0, :H]
    d_outputs[0, H:] = d_rows[0, H:]
    return d_outputs


def mean_forward(outputs, H):
    """Average over the steps."""
    return outputs.sum(axis=0, keepdims=True) / len(outputs)


def mean_backward(d_rows, outputs, H):
    """Share the derivative out evenly."""
    return np.ones_like(outputs) * d_rows / len(outputs)


def max_forward(outputs, H):
    """Take the largest value over the steps, unit by unit."""
    return outputs.max(axis=0, keepdims=True)


def max_backward(d_rows, outputs, H):
    """Give the derivative to the step that won; argmax is the first of equals."""
    d_outputs = np.zeros_like(outputs)
    for unit, t in enumerate(outputs.argmax(axis=0)):
        d_outputs[t, unit] = d_rows[0, unit]
    return d_outputs


def all_forward(outputs, H):
    """Keep every step."""
    return outputs


def all_backward(d_rows, outputs, H):
    """Hand back every step."""
    return d_rows


POOLINGS = {
    "last": (last_forward, last_backward),
    "mean": (mean_forward, mean_backward),
    "max": (max_forward, max_backward),
    "all": (all_forward, all_backward),
}


# --------------------------------------------------------------------------------------------------
# Losses: (rows, n_outputs) logits p and the targets y -> (rows,) losses and their derivatives dp
# --------------------------------------------------------------------------------------------------


def softmax_loss(p, y):
    """Cross-entropy of integer targets."""
    # l = -log q_y    q = exp(p) / sum exp(p)    dl/dp = q - onehot(y)
    rows, y = np.arange(len(p)), np.reshape(y, len(p))
    shifted = p - p.max(axis=1, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dp = np.exp(log_q)
    dp[rows, y] -= 1
    return -log_q[rows, y], dp


def squared_error_loss(p, y):
    """Half the squared error, averaged over the outputs."""
    # l = 1/2 mean_k (p_k - y_k)^2    dl/dp_k = (p_k - y_k) / n_outputs
    error = p - np.reshape(y, p.shape)
    return 0.5 * (error**2).mean(axis=1), error / p.shape[1]


LOSSES = {"softmax": softmax_loss, "squared_error": squared_error_loss}


# --------------------------------------------------------------------------------------------------
# Names and shapes
# --------------------------------------------------------------------------------------------------


def scans(spec):
    """List the scans as (layer, direction, suffix), in PyTorch's order.

    Parameters
    ----------
    spec : Spec

    Returns
    -------
    scans : list of (int, int, str)
        (0, 0, "l0"), (0, 1, "l0_reverse"), (1, 0, "l1"), ...
    """
    directions = ["", "_reverse"] if spec.bidirectional else [""]
    return [
        (layer, direction, f"l{layer}{ending}")
        for layer in range(len(spec.hidden))
        for direction, ending in enumerate(directions)
    ]


def weight_shapes(spec, n_features, embedding=None, head=True):
    """Say which weights a network has, and of what shape.

    Parameters
    ----------
    spec : Spec
    n_features : int
        Columns of a sequence: of numbers, or of ids where there is an embedding.
    embedding : tuple (V, E), default=None
        Rows and width of the embedding.
    head : bool, default=True

    Returns
    -------
    shapes : dict of str -> tuple of int
    """
    n_gates, n_directions = CELLS[spec.cell].n_gates, 1 + spec.bidirectional
    shapes, width = {}, n_features
    if embedding is not None:
        shapes["embedding_weight"] = tuple(embedding)
        width = n_features * embedding[1]
    for layer, _, suffix in scans(spec):
        H = spec.hidden[layer]
        D = width if layer == 0 else n_directions * spec.hidden[layer - 1]
        shapes[f"weight_ih_{suffix}"] = (n_gates * H, D)
        shapes[f"weight_hh_{suffix}"] = (n_gates * H, H)
        shapes[f"bias_ih_{suffix}"] = (n_gates * H,)
        shapes[f"bias_hh_{suffix}"] = (n_gates * H,)
    if head:
        shapes["head_weight"] = (spec.n_outputs, n_directions * spec.hidden[-1])
        shapes["head_bias"] = (spec.n_outputs,)
    return shapes


def random_weights(rng, spec, n_features, embedding=None, head=True, scale=0.5):
    """Draw normal weights of the shapes that `weight_shapes` gives.

    Parameters
    ----------
    rng : numpy.random.Generator
    spec, n_features, embedding, head : as in `weight_shapes`
    scale : float, default=0.5

    Returns
    -------
    weights : dict of str -> ndarray
    """
    shapes = weight_shapes(spec, n_features, embedding, head)
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def is_penalised(name):
    """Tell whether `alpha` applies to a weight: to matrices, not to biases or the embedding."""
    return name.startswith(("weight_ih", "weight_hh", "head_weight"))


# --------------------------------------------------------------------------------------------------
# The stack: all scans over one sequence
# --------------------------------------------------------------------------------------------------


def stack_forward(spec, weights, x, h0, c0, masks):
    """Run all layers over one sequence.

    Parameters
    ----------
    spec : Spec
    weights : dict
    x : ndarray of shape (T, D)
    h0, c0 : list of ndarray of shape (H_l,)
        Initial states, one a scan.
    masks : dict
        As `run` takes them, for this sequence.

    Returns
    -------
    outputs : ndarray of shape (T, n_directions * H)
        Of the top layer, the directions side by side.
    h_n, c_n : list of ndarray of shape (H_l,)
        Final states, one a scan.
    saved : list of (x, mask, tape)
        What `scan_backward` needs of each scan.
    """
    h_n, c_n, saved, outputs = [], [], [], [x]
    for (layer, direction, suffix), h, c in zip(scans(spec), h0, c0, strict=True):
        if direction == 0:  # a new layer reads what the one below wrote
            x = np.concatenate(outputs, axis=1) * masks.get(("input", layer), 1.0)
            outputs = []
        mask = masks.get(("recurrent", layer, direction), 1.0)
        output, h, c, tape = scan_forward(spec, weights, suffix, x, h, c, mask)
        outputs.append(output)
        h_n.append(h)
        c_n.append(c)
        saved.append((x, mask, tape))
    return np.concatenate(outputs, axis=1), h_n, c_n, saved


def stack_backward(spec, weights, grads, d_outputs, d_hn, d_cn, masks, saved):
    """Run back through all layers, adding to `grads`.

    Parameters
    ----------
    spec, weights, masks : as in `stack_forward`
    grads : dict
    d_outputs : ndarray of shape (T, n_directions * H)
    d_hn, d_cn : list of ndarray of shape (H_l,)
        One a scan.
    saved : list
        From `stack_forward`.

    Returns
    -------
    dx : ndarray of shape (T, D)
    d_h0, d_c0 : list of ndarray of shape (H_l,)
        One a scan.
    """
    d_h0, d_c0 = [None] * len(saved), [None] * len(saved)
    for layer in reversed(range(len(spec.hidden))):
        H, d_below = spec.hidden[layer], 0.0
        for s, (at, direction, suffix) in enumerate(scans(spec)):
            if at != layer:
                continue
            x, mask, tape = saved[s]
            d_own = d_outputs[:, direction * H : (direction + 1) * H]
            dx, d_h0[s], d_c0[s] = scan_backward(
                spec, weights, grads, suffix, x, mask, tape, d_own, d_hn[s], d_cn[s]
            )
            d_below = d_below + dx  # both directions read the same input
        d_outputs = d_below * masks.get(("input", layer), 1.0)
    return d_outputs, d_h0, d_c0


# --------------------------------------------------------------------------------------------------
# The whole network
# --------------------------------------------------------------------------------------------------


def run(
    spec,
    weights,
    sequences,
    targets=None,
    sample_weight=None,
    h0=None,
    c0=None,
    d_outputs=None,
    masks=None,
    d_hn=None,
    d_cn=None,
):
    """Run a network forward and backward over some sequences.

    The loss is, with a head and targets, over sequences i (over all steps where pooling is "all")::

        (sum_i w_i l_i + alpha / 2 * sum of squares of the weight matrices) / sum_i w_i

    and without targets, whatever the cotangents make of it::

        sum(outputs * d_outputs) + sum(h_n * d_hn) + sum(c_n * d_cn)

    Where both are given, their sum.

    Parameters
    ----------
    spec : Spec
    weights : dict of str -> ndarray
        See `weight_shapes`.
    sequences : list of ndarray of shape (T_i, n_features)
        Numbers; or, if there is an ``embedding_weight``, its rows, one id a column.
    targets : array-like, default=None
        (n,) ints or (n, n_outputs) floats; where pooling is "all", a list of such with T_i rows.
    sample_weight : array-like of shape (n,) or list of (T_i,), default=None
        A weight for each target; ones by default.
    h0, c0 : list of ndarray of shape (n, H_l), default=None
        Initial states, one array a scan; zeros by default.
    d_outputs : list of ndarray of shape (T_i, n_directions * H), default=None
        Cotangents of the top layer's outputs.
    masks : dict, default=None
        Multipliers for dropout: ``("input", layer)``: list of (T_i, width), on the layer's input;
        ``("recurrent", layer, direction)``: (n, H_l), on h_{t-1} where it enters the matrix
        product; ``("head",)``: (n, n_directions * H), or list of (T_i, n_directions * H) where
        pooling is "all", on what the head sees.
    d_hn, d_cn : list of ndarray of shape (n, H_l), default=None
        Cotangents of the final states, one array a scan.

    Returns
    -------
    result : Result
    """
    weights = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
    grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
    n = len(sequences)
    has_c = CELLS[spec.cell].has_c
    has_head = "head_weight" in weights
    pool_forward, pool_backward = POOLINGS[spec.pooling]
    total_loss = 0.0

    def states(given):
        # one (n, H_l) array a scan
        if given is None:
            return [np.zeros((n, spec.hidden[layer])) for layer, _, _ in scans(spec)]
        return [np.asarray(state, dtype=np.float64) for state in given]

    h0, c0, d_hn, d_cn = states(h0), states(c0), states(d_hn), states(d_cn)
    h_n, c_n, d_h0, d_c0 = states(None), states(None), states(None), states(None)
    all_outputs, all_logits, d_inputs = [], [], []

    if targets is not None:
        if sample_weight is None:
            sample_weight = (
                [np.ones(len(sequence)) for sequence in sequences]
                if spec.pooling == "all"
                else np.ones(n)
            )
        total_weight = sum(np.sum(w) for w in sample_weight)

    for i, sequence in enumerate(sequences):
        mask = {key: value[i] for key, value in (masks or {}).items()}

        # Embedding: the rows of the ids, side by side
        if "embedding_weight" in weights:
            ids = np.asarray(sequence)
            x = weights["embedding_weight"][ids].reshape(len(ids), -1)
        else:
            x = np.asarray(sequence, dtype=np.float64)

        # The layers
        outputs, h_i, c_i, saved = stack_forward(
            spec, weights, x, [h[i] for h in h0], [c[i] for c in c0], mask
        )
        for s in range(len(saved)):
            h_n[s][i], c_n[s][i] = h_i[s], c_i[s]
        all_outputs.append(outputs)

        # Cotangents from outside
        d_top = np.zeros_like(outputs)
        if d_outputs is not None:
            d_top += d_outputs[i]
            total_loss += np.sum(outputs * d_outputs[i])
        for s in range(len(saved)):
            total_loss += np.sum(h_n[s][i] * d_hn[s][i]) + np.sum(c_n[s][i] * d_cn[s][i])

        # Head: p = W (m * pooled) + b, a row at a time
        if has_head:
            head_mask = mask.get(("head",), 1.0)
            rows = pool_forward(outputs, spec.hidden[-1]) * head_mask
            logits = rows @ weights["head_weight"].T + weights["head_bias"]
            all_logits.append(logits)
        if targets is not None:
            w = np.reshape(sample_weight[i], len(rows)) / total_weight
            losses, dp = LOSSES[spec.loss](logits, targets[i])
            total_loss += np.sum(w * losses)
            dp = w[:, None] * dp
            grads["head_weight"] += dp.T @ rows
            grads["head_bias"] += dp.sum(axis=0)
            d_rows = (dp @ weights["head_weight"]) * head_mask
            d_top += pool_backward(d_rows, outputs, spec.hidden[-1])

        # The layers, and the embedding, backward
        dx, dh_i, dc_i = stack_backward(
            spec, weights, grads, d_top, [d[i] for d in d_hn], [d[i] for d in d_cn], mask, saved
        )
        for s in range(len(saved)):
            d_h0[s][i], d_c0[s][i] = dh_i[s], dc_i[s]
        d_inputs.append(dx)
        if "embedding_weight" in weights:
            d_embedded = dx.reshape(*ids.shape, -1)
            for t, column in np.ndindex(ids.shape):
                grads["embedding_weight"][ids[t, column]] += d_embedded[t, column]

    # Penalty: alpha / 2 * |W|^2 / sum_i w_i
    if targets is not None:
        for name in filter(is_penalised, weights):
            total_loss += 0.5 * spec.alpha * np.sum(weights[name] ** 2) / total_weight
            grads[name] += spec.alpha * weights[name] / total_weight

    logits = None
    if has_head:
        logits = all_logits if spec.pooling == "all" else np.concatenate(all_logits)
    return Result(
        loss=float(total_loss),
        outputs=all_outputs,
        h_n=h_n,
        c_n=c_n if has_c else None,
        logits=logits,
        grads=grads,
        d_inputs=d_inputs,
        d_h0=d_h0,
        d_c0=d_c0 if has_c else None,
    )
