"""Forecasts of any length from a network that makes them in blocks."""

from typing import NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences
from skrnn._forecaster.distributions import (
    COUNT_LOSSES,
    dispersion,
    n_moved,
    parameters,
    rescaled,
)
from skrnn._forecaster.series import stacked
from skrnn._forecaster.transform import SeriesTransform
from skrnn._network.batches import first_states
from skrnn._network.border import BatchLimits, CarriedStates
from skrnn._network.plan import Options, Plan
from skrnn._network.predict import predict
from skrnn._network.threads import effective_n_threads

ROLL_SEQUENCES = 4096  # that feed themselves in one call
FORECAST_NUMBERS = 4_000_000  # that the steps of one block of series hold: some 100 MB with copies


class Network(NamedTuple):
    """A fitted forecaster without its parameters."""

    transform: SeriesTransform
    plan: Plan
    params: np.ndarray
    loss: str
    levels: np.ndarray  # of the quantile loss

    def outputs(self, sequences, states=None):
        """Return outputs, of every step or of the last: (n, horizon, n_targets, a target)."""
        with np.errstate(over="ignore"):  # what is too large saturates, or is found in the outputs
            values = sequences.values.astype(self.plan.dtype)
        sequences = Sequences(values, sequences.offsets)
        outputs = predict(self.plan, self.params, sequences, states=states).astype(np.float64)
        return outputs.reshape(len(outputs), self.transform.horizon, self.transform.n_targets, -1)

    @property
    def point(self):
        """Which output of a target is the point forecast."""
        return int(np.argmin(np.abs(self.levels - 0.5))) if self.loss == "quantile" else 0


def forecast(network, known, future, horizon):
    """Forecast series, in groups of equal length.

    Parameters
    ----------
    network : Network
    known : Sequences
        Of shape (total_steps, n_features).
    future : Sequences
        Of shape (total_steps_to_come, n_covariates).
    horizon : int

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, outputs per target)
        In the units of the series, as `distributions.parameters` has them.
    """
    width = network.plan.n_outputs // (network.transform.horizon * network.transform.n_targets)
    details = np.empty((len(known), horizon, network.transform.n_targets, width))
    for at, values, ahead in stacked(network.transform, known, future, FORECAST_NUMBERS):
        details[at] = _forecast(network, values, ahead, horizon)
    return details


def _forecast(network, known, future, horizon):
    """Forecast series of equal length: the first steps of a block, or block by block.

    Points are fed back in, and the state is carried on: what was fed back is all that the network
    reads for the next block.
    """
    transform = network.transform
    future = padded_future(transform, future, horizon)
    k, h, T = transform.n_targets, transform.horizon, known.shape[1]
    center, scale = transform.scales(known[..., :k])
    y, z = transform.prepare(known, future)
    states = first_states(network.plan, len(known)) if horizon > h else None
    details = last_block(network, y, z, states)
    if horizon > h:
        more = transform.n_blocks(horizon - h) * h
        steps = np.empty((len(known), T + h + more, k))
        steps[:, :T], steps[:, T : T + h] = y, details[..., network.point]
        rest = np.empty((len(known), more, k, details.shape[-1]))
        rule = {
            "input_scale": np.broadcast_to(transform.input_scale, (k,)).astype(np.float64),
            "target_scale": np.broadcast_to(transform.target_scale, (h, k)).astype(np.float64),
            "lag_weights": transform.lag_weights,
            "lag": transform.lag,
            "season": transform.season if transform.difference == "season" else 0,
            "point": network.point,
            "n_past": transform.n_past,
        }
        _feed_back(network.plan, network.params, states, rule, steps, z, rest)
        if network.loss in COUNT_LOSSES:
            rest[..., 1:] = dispersion(rest[..., 1:])
        details = np.concatenate([details, rest], axis=1)
    scale, center = scale[..., np.newaxis], center[..., np.newaxis]
    details = rescaled(network.loss, details[:, :horizon], scale, center)
    if network.loss == "quantile":
        details = np.sort(details, axis=-1)  # quantiles learned apart may cross
    return keep_constant(network, known[..., :k], details)


def padded_future(transform, future, horizon):
    """Append mean covariates for the steps of the last block beyond the horizon.

    Parameters
    ----------
    transform : SeriesTransform
    future : ndarray of shape (n, F, n_covariates)
    horizon : int

    Returns
    -------
    ndarray of shape (n, at least a whole number of blocks, n_covariates)
    """
    k, c = transform.n_targets, transform.n_covariates
    lacking = transform.n_blocks(horizon) * transform.horizon - future.shape[1]
    if not c + transform.n_past or lacking <= 0:
        return future
    means = np.broadcast_to(transform.center[k : k + c], (len(future), lacking, c))
    return np.concatenate([future, means], axis=1)


def keep_constant(network, y, details):
    """Forecast a constant history as constant, in place, unless such ones moved in training.

    Counts are left to the network: a series of which nothing was sold lately may sell.

    Parameters
    ----------
    network : Network
    y : ndarray of shape (n, T, n_targets)
    details : ndarray of shape (n, horizon, n_targets, outputs per target)

    Returns
    -------
    ndarray
        `details`.
    """
    transform = network.transform
    if transform.constant_moves or transform.counts:
        return details
    series, target = np.nonzero(transform.is_constant(y))
    if len(series) == 0:
        return details
    last, found = y[series, -1, target], details[series, :, target]
    point, moved = network.point, n_moved(network.loss, found.shape[-1])
    if transform.constant_moves is None:  # never seen in training: the network's spread stands
        shift = last[:, np.newaxis] - found[..., point]
        found[..., :moved] += shift[..., np.newaxis]
    else:
        found[...] = 0
        found[..., :moved] = last[:, np.newaxis, np.newaxis]
    details[series, :, target] = found
    return details


def last_block(network, y, z, states):
    """Forecast `horizon` steps of scaled series y (n, T, n_targets) from their last lookback.

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, outputs per target), scaled
    """
    start = max(0, y.shape[1] - network.transform.history_length)
    y, z = y[:, start:], None if z is None else z[:, start:]
    return block_outputs(network, y, z, states, network.transform.lookback)


def block_outputs(network, y, z, states, n_read):
    """Let the network read the last `n_read` steps of scaled series, and forecast one block.

    Parameters
    ----------
    network : Network
    y : ndarray of shape (n, T, n_targets)
    z : ndarray of shape (n, at least T + horizon - 1, n_covariates + n_past), or None
        As `SeriesTransform.prepare` gives it.
    states : (h, c) or None
        Before these steps; the states after them replace them.
    n_read : int

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, outputs per target), scaled
        As `distributions.parameters` has them.
    """
    transform = network.transform
    inputs = transform.inputs(y, z)[:, -n_read:]
    n, T, width = inputs.shape
    offsets = np.arange(n + 1, dtype=np.int64) * T
    outputs = network.outputs(Sequences(inputs.reshape(-1, width), offsets), states)
    if network.plan.pooling == "all":
        outputs = outputs[offsets[1:] - 1]
    base = transform.last_base(y)[..., np.newaxis]
    size = np.asarray(transform.target_scale)[..., np.newaxis]
    return parameters(network.loss, outputs, size, base)


def _feed_back(plan, params, states, rule, y, z, out):
    """Forecast series block by block, each from the forecasts before it.

    Parameters
    ----------
    plan : Plan
        Of one direction.
    params : ndarray of shape (n_params,)
    states : (h, c)
        After the steps before the last known block of y.
    rule : dict
        How steps are read and outputs become values: fields of `Rollout` in
        ``_kernels/forecast.pxd``.
    y : ndarray of shape (n, steps, n_targets)
        Known steps; the rest, as many as `out` has, is filled with what is fed back.
    z : ndarray of shape (n, at least steps - 1, n_covariates + n_past), or None
        As `SeriesTransform.prepare` gives it.
    out : ndarray of shape (n, steps to forecast, n_targets, outputs per target)
    """
    options = Options(threads=effective_n_threads())
    for start in range(0, len(y), ROLL_SEQUENCES):
        part = slice(start, start + ROLL_SEQUENCES)
        h, c = (None if s is None else np.ascontiguousarray(s[:, part]) for s in states)
        n = h.shape[1]
        workspace = plan.workspace(options, BatchLimits(n, n, 1))
        covariates = None if z is None else np.ascontiguousarray(z[part])
        plan.engine.rollout(
            plan, options, workspace, params, CarriedStates(h, c), rule, y[part], covariates,
            out[part],
        )  # fmt: skip
