"""Sample paths: forecasts of any length whose steps depend on one another.

A network puts out the distribution of each of the `horizon` steps ahead, given the history. Within
such a block the steps of a path are joined by a Gaussian copula, whose correlations are those of
the network's own errors in training: each step's normal score is a linear function of those of the
steps just before, plus noise. What was sampled is fed back as input for the next block, as in
DeepAR (Salinas et al., 2020), so that the uncertainty of a block is part of that of the next.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from skrnn._data.sequences import lengths_to_offsets, step_rows
from skrnn._forecaster.distributions import (
    COUNT_LOSSES,
    PARAMETRIC_LOSSES,
    normal_scores,
    parameters,
    rescaled,
    values_at,
)
from skrnn._forecaster.rollout import block_outputs, keep_constant, last_block, padded_future
from skrnn._forecaster.series import stacked
from skrnn._forecaster.transform import TINY
from skrnn._network.batches import first_states

PATH_NUMBERS = 4_000_000  # that all paths of one block of series hold: some 100 MB with copies
COPULA_ORDER = 3  # steps before that a step of a block depends on
COPULA_ROWS = 20_000  # of training steps that correlations are learned from
LARGEST_SCORE = 10  # more says that the network is far off, not how steps depend on each other
FEW_ROWS = 10  # so many rows say as much of a correlation as the assumption that there is none


class Copula(NamedTuple):
    """Dependence between the normal scores of the steps of a block.

    The score of step j is ``sum over i of weights[j, i] * score of step j - 1 - i``, plus
    ``noise[j]`` times a standard normal number, for each target.
    """

    weights: np.ndarray  # (horizon, COPULA_ORDER, n_targets)
    innovation_std: np.ndarray  # (horizon, n_targets)

    def join(self, scores):
        """Turn independent standard normal numbers (..., horizon, n_targets) into joint ones."""
        joint = scores * self.innovation_std
        for j in range(1, len(self.innovation_std)):
            for i in range(min(j, COPULA_ORDER)):
                joint[..., j, :] += self.weights[j, i] * joint[..., j - 1 - i, :]
        return joint


def learn_copula(network, rows, values):
    """Learn the dependence between a network's errors at the steps of a block.

    Parameters
    ----------
    network : Network
    rows : Sequences
        What the network reads.
    values : ndarray of shape (n_rows, horizon, n_targets)
        What it is asked for, NaN where that is not known; of counts as `Pieces` has them.

    Returns
    -------
    Copula
    """
    outputs = network.outputs(rows)
    h, k = outputs.shape[1:3]
    if network.loss in PARAMETRIC_LOSSES:
        size = 1.0
        if network.loss in COUNT_LOSSES:
            values, size = values[..., ::2], np.exp(values[..., 1::2])[..., np.newaxis]
        details = parameters(network.loss, outputs, size, 0.0)
        scores = normal_scores(network.loss, details, values)
    else:
        outputs, standard_scores = np.sort(outputs, axis=-1), ndtri(network.levels[[0, -1]])
        width = (outputs[..., -1] - outputs[..., 0]) / (standard_scores[1] - standard_scores[0])
        scores = (values - outputs[..., network.point]) / np.maximum(width, TINY)
    scores = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)
    weights, innovation_std = np.zeros((h, COPULA_ORDER, k)), np.ones((h, k))
    for target in range(k):
        for j in range(1, h):
            order = min(j, COPULA_ORDER)
            part = scores[:, j - order : j + 1, target]
            part = part[np.isfinite(part).all(axis=1)][:, ::-1]  # step j, j - 1, ...
            moments = part.T @ part
            size = np.sqrt(np.maximum(np.diag(moments), 1e-300))
            correlations = moments / np.outer(size, size) * (len(part) / (len(part) + FEW_ROWS))
            np.fill_diagonal(correlations, 1 + 1e-6)
            found = np.linalg.solve(correlations[1:, 1:], correlations[1:, 0])
            weights[j, :order, target] = found
            innovation_std[j, target] = np.sqrt(max(1 - found @ correlations[1:, 0], 1e-6))
    return Copula(weights, innovation_std)


def sample_blocks(network, copula, known, future, horizon, n_paths, seed):
    """Sample paths of series, one block of series at a time.

    Parameters
    ----------
    network : Network
        With a loss of a distribution or of quantiles.
    copula : Copula
    known : Sequences
        Of shape (total_steps, n_features).
    future : Sequences
        Of shape (total_steps_to_come, n_covariates).
    horizon : int
    n_paths : int
    seed : int
        Each series has a generator of its own, so that its paths depend on no other series.

    Yields
    ------
    at : ndarray of int
        Which series they are.
    paths : ndarray of shape (n, n_paths, horizon, n_targets)
        In the units of the series.
    """
    transform = network.transform
    width = transform.n_inputs + transform.n_covariates
    size = (
        n_paths * (transform.n_blocks(horizon) * transform.horizon + transform.history_kept) * width
    )
    most = max(1, PATH_NUMBERS // size)
    for block, values, ahead in stacked(transform, known, future, PATH_NUMBERS):
        for start in range(0, len(block), most):
            part = slice(start, start + most)
            at = block[part]
            yield at, _sample(network, copula, values[part], ahead[part], horizon, n_paths,
                              [np.random.default_rng([seed, i]) for i in at])  # fmt: skip


def _sample(network, copula, known, future, horizon, n_paths, generators):
    transform = network.transform
    k, h, n, T = transform.n_targets, transform.horizon, len(known), known.shape[1]
    n_blocks = transform.n_blocks(horizon)
    center, scale = transform.scales(known[..., :k])
    y, z = transform.prepare(known, padded_future(transform, future, horizon))
    states = first_states(network.plan, n) if n_blocks > 1 else None
    details = keep_constant(network, y, last_block(network, y, z, states))[:, np.newaxis]
    kept = min(T, transform.history_kept)
    paths = np.empty((n, n_paths, kept + n_blocks * h, k))
    paths[:, :, :kept] = y[:, np.newaxis, T - kept :]
    scores = np.stack([g.standard_normal((n_paths, n_blocks * h, k)) for g in generators])
    for b in range(n_blocks):
        if b:
            if b == 1:  # from here on every path has a state of its own
                states = tuple(
                    None if s is None else np.ascontiguousarray(np.repeat(s, n_paths, axis=1))
                    for s in states
                )
            stop = kept + b * h
            start = max(0, stop - h - transform.history_kept)
            past = paths[:, :, start:stop].reshape(n * n_paths, -1, k)
            first = T - kept + start
            ahead = None if z is None else z[:, first : first + past.shape[1] + h - 1]
            ahead = None if z is None else np.repeat(ahead, n_paths, axis=0)
            details = block_outputs(network, past, ahead, states, h)
            details = details.reshape(n, n_paths, *details.shape[1:])
        joint = copula.join(scores[:, :, b * h : (b + 1) * h])
        paths[:, :, kept + b * h : kept + (b + 1) * h] = _values_at(network, details, joint, scale)
    paths = paths[:, :, kept : kept + horizon]
    if transform.constant_moves is False and not transform.counts:
        series, target = np.nonzero(transform.is_constant(y))
        paths[series, :, :, target] = y[series, -1, target][:, np.newaxis, np.newaxis]
    if transform.own_scale:
        center, scale = center[:, np.newaxis], scale[:, np.newaxis]
    paths = paths * scale + center
    return np.rint(paths) if transform.counts else paths


def _values_at(network, details, scores, scale=None):
    """Return the values that have the given normal scores under the network's distribution.

    Counts are drawn as such, then divided by `scale`: (n, 1, n_targets) or (n_targets,).
    """
    if network.loss in COUNT_LOSSES:
        scale = scale[:, np.newaxis] if scale.ndim > 1 else scale
        details = rescaled(network.loss, details, scale[..., np.newaxis], 0.0)
        return values_at(network.loss, details, scores) / scale
    if network.loss in PARAMETRIC_LOSSES:
        return values_at(network.loss, details, scores)
    return values_between(np.sort(details, axis=-1), ndtri(network.levels), scores)


def values_between(quantiles, known, scores):
    """Return the values whose normal scores are given, in distributions known by some quantiles.

    Parameters
    ----------
    quantiles : ndarray of shape (..., n_known)
        Not decreasing along the last axis.
    known : ndarray of shape (n_known,)
        Normal scores of these quantiles, increasing.
    scores : ndarray of shape (...)

    Returns
    -------
    ndarray of shape (...)
        Linear in the score between two quantiles, and beyond the outermost ones as between them and
        their neighbors.
    """
    slopes = np.diff(quantiles, axis=-1) / np.diff(known)
    segment = np.clip(np.searchsorted(known, scores) - 1, 0, len(known) - 2)
    segment = segment[..., np.newaxis]
    shape = np.broadcast_shapes(scores.shape, quantiles.shape[:-1])
    segment = np.broadcast_to(segment, (*shape, 1))
    below = np.take_along_axis(np.broadcast_to(quantiles, (*shape, len(known))), segment, axis=-1)[
        ..., 0
    ]
    slope = np.take_along_axis(np.broadcast_to(slopes, (*shape, len(known) - 1)), segment, axis=-1)[
        ..., 0
    ]
    return below + (scores - known[segment[..., 0]]) * slope


def training_sample(pieces, every_step):
    """Choose an evenly spaced part of the training data to learn a copula from.

    Parameters
    ----------
    pieces : Pieces
    every_step : bool
        Whether there is a target at each step, or one for each piece.

    Returns
    -------
    rows : Sequences
    values : ndarray of shape (n_rows, horizon, n_targets)
    """
    rows, values = pieces.rows, pieces.values
    lengths = rows.lengths if every_step else np.ones(len(rows), int)
    indices = np.arange(0, len(rows), max(1, int(lengths.sum()) // COPULA_ROWS))
    if rows.is_stored:
        return rows.take(indices).load(), pieces.shared.take(indices).load().values
    target_rows, _ = step_rows(lengths_to_offsets(lengths), indices)
    return rows.take(indices), values[target_rows]
