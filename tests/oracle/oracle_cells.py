"""The oracle's cells, a step of the LSTM, the GRU and the plain one, and a scan over all steps.

In the backward functions ``dz`` stands for the derivative of the loss with respect to ``z``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

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
