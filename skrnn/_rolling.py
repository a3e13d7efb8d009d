"""Forecasts of any length from a network that makes them in blocks."""

from typing import NamedTuple

import numpy as np

from skrnn._batching import predict
from skrnn._plan import Plan
from skrnn._sequences import Sequences
from skrnn._series import Frame, stacked


class Network(NamedTuple):
    """A fitted forecaster without its parameters."""

    frame: Frame
    plan: Plan
    params: np.ndarray
    loss: str
    levels: np.ndarray  # of the quantile loss

    def outputs(self, sequences, states=None):
        """Return outputs, of every step or of the last: (n, horizon, n_targets, a target)."""
        sequences = Sequences(sequences.values.astype(self.plan.dtype), sequences.offsets)
        outputs = predict(self.plan, self.params, sequences, states=states).astype(np.float64)
        return outputs.reshape(len(outputs), self.frame.horizon, self.frame.n_targets, -1)

    def first_states(self, n):
        """Return zero states of n sequences, or None where layers differ in width."""
        if len(set(self.plan.hidden)) > 1:
            return None
        shape = len(self.plan.hidden), n, self.plan.hidden[0]
        has_c = self.plan.cell.has_c
        return np.zeros(shape, self.plan.dtype), np.zeros(shape, self.plan.dtype) if has_c else None

    def middle(self, details):
        """Return the point forecast of (..., outputs a target)."""
        if self.loss != "quantile":
            return details[..., 0]
        return details[..., int(np.argmin(np.abs(self.levels - 0.5)))]


def forecast(network, series, futures, horizon):
    """Forecast series, those of one length together.

    Parameters
    ----------
    network : Network
    series : list of ndarray of shape (T_i, n_features)
    futures : list of ndarray of shape (F_i, n_covariates)
    horizon : int

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, outputs a target)
        In the units of the series: points, quantiles, or mean and standard deviation.
    """
    details: list = [None] * len(series)
    for at, known, future in stacked(network.frame, series, futures):
        for i, one in zip(at, _roll(network, known, future, horizon), strict=True):
            details[i] = one
    return np.stack(details)


def _roll(network, known, future, horizon):
    """Forecast series of one length block by block, feeding points back in.

    The state is carried on: what was fed back is all that the network reads for the next block.
    """
    frame = network.frame
    k, h, fresh = frame.n_targets, frame.horizon, frame.lookback
    center, scale = frame.scales(known[..., :k])
    y, z = frame.prepare(known, future)
    states = network.first_states(len(known))
    blocks = [_block(network, y, z, fresh, states)]
    while h * len(blocks) < horizon:
        y = np.concatenate([y, network.middle(blocks[-1])], axis=1)
        if states is not None:
            fresh = h
            behind = max(0, y.shape[1] - h - max(1, frame.reach))  # read, and done with
            y, z = y[:, behind:], None if z is None else z[:, behind:]
        blocks.append(_block(network, y, z, fresh, states))
    details = np.concatenate(blocks, axis=1)[:, :horizon] * scale[..., np.newaxis]
    shift = np.broadcast_to(center[..., np.newaxis], (len(known), 1, k, 1))
    if network.loss == "gaussian":
        return np.concatenate([details[..., :1] + shift, details[..., 1:]], axis=-1)
    return np.sort(details + shift, axis=-1)  # quantiles learnt apart may cross


def _block(network, y, z, fresh, states):
    """Forecast `horizon` steps of scaled series, reading the last `fresh` of y (n, T, n_targets).

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, outputs a target), scaled
    """
    frame = network.frame
    start = max(0, y.shape[1] - fresh - frame.reach)
    y, z = y[:, start:], None if z is None else z[:, start:]
    inputs = frame.inputs(y, z)[:, -fresh:]
    n, T, width = inputs.shape
    offsets = np.arange(n + 1, dtype=np.int64) * T
    sequences = Sequences(inputs.reshape(-1, width), offsets)
    outputs = network.outputs(sequences, states)
    if network.plan.pooling == "all":
        outputs = outputs[offsets[1:] - 1]
    base = frame.last_base(y)[..., np.newaxis]
    size = np.asarray(frame.target_scale)[..., np.newaxis]
    if network.loss == "gaussian":
        mean = outputs[..., :1] * size + base
        return np.concatenate([mean, np.exp(outputs[..., 1:]) * size], axis=-1)
    return outputs * size + base
