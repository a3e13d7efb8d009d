"""Forecasts of any length from a network that makes them in blocks."""

from typing import NamedTuple

import numpy as np

from skrnn._batching import predict
from skrnn._plan import Plan
from skrnn._sequences import Sequences
from skrnn._series import Frame


class Network(NamedTuple):
    """A fitted forecaster without its parameters."""

    frame: Frame
    plan: Plan
    params: np.ndarray
    loss: str
    levels: np.ndarray  # of the quantile loss

    def outputs(self, sequences):
        """Return the outputs of every step: (total_steps, horizon, n_targets, a target)."""
        sequences = Sequences(sequences.values.astype(self.plan.dtype), sequences.offsets)
        outputs = predict(self.plan, self.params, sequences).astype(np.float64)
        return outputs.reshape(len(outputs), self.frame.horizon, self.frame.n_targets, -1)

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
    frame = network.frame
    need = frame.lookback + frame.reach
    groups: dict = {}
    for i, (known, future) in enumerate(zip(series, futures, strict=True)):
        cut = known if frame.own_scale else known[-need:]
        groups.setdefault((len(cut), len(future)), []).append((i, cut, future))
    details: list = [None] * len(series)
    for members in groups.values():
        known = np.stack([cut for _, cut, _ in members])
        future = np.stack([future for _, _, future in members])
        for (i, _, _), one in zip(members, _roll(network, known, future, horizon), strict=True):
            details[i] = one
    return np.stack(details)


def _roll(network, known, future, horizon):
    """Forecast series of one length block by block, feeding points back in."""
    h = network.frame.horizon
    blocks: list = []
    while h * len(blocks) < horizon:
        blocks.append(_block(network, known, future))
        step = network.middle(blocks[-1])
        if network.frame.n_covariates:
            step = np.concatenate([step, future[:, :h]], axis=2)
        known, future = np.concatenate([known, step], axis=1), future[:, h:]
    return np.concatenate(blocks, axis=1)[:, :horizon]


def _block(network, known, future):
    """Forecast `horizon` steps of the network's own."""
    frame = network.frame
    k = frame.n_targets
    y, z = frame.prepare(known, future)
    inputs = frame.inputs(y, z)[:, -frame.lookback :]
    n, T, width = inputs.shape
    offsets = np.arange(n + 1, dtype=np.int64) * T
    outputs = network.outputs(Sequences(inputs.reshape(-1, width), offsets))[offsets[1:] - 1]
    scales = [np.broadcast_to(a, (n, 1, k)) for a in frame.scales(known[..., :k])]
    center, scale = (a[..., np.newaxis] for a in scales)
    base = frame.bases(y, frame.horizon)[:, -1, ..., np.newaxis]
    details = outputs * np.asarray(frame.target_scale)[..., np.newaxis]
    if network.loss == "gaussian":
        mean = (details[..., :1] + base) * scale + center
        deviation = np.exp(outputs[..., 1:]) * frame.target_scale[..., np.newaxis] * scale
        return np.concatenate([mean, deviation], axis=-1)
    details = (details + base) * scale + center
    return np.sort(details, axis=-1)  # quantiles learnt apart may cross
