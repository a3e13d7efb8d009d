"""Distributions of forecasts, as some of their quantiles describe them.

Between two of these quantiles values are linear in the normal score, and so they are beyond the
outermost ones.
"""

import numpy as np
from scipy.special import ndtri

from skrnn._forecaster.distributions import quantile
from skrnn._forecaster.rollout import forecast
from skrnn._forecaster.sampling import LARGEST_SCORE, sample_blocks, values_between

# Normal scores of the quantiles that describe a distribution: of fewer sample paths than a thousand
# nothing is known further out.
KNOWN_SCORES = np.concatenate([[-2, -1.5], np.arange(-1.25, 1.3, 0.25), [1.5, 2]])


def own_quantiles(network, copula, known, future, horizon, levels, n_paths, seed):
    """Return the quantiles of the distributions that a network forecasts.

    Parameters
    ----------
    network : Network
        With a loss of a distribution.
    copula : callable
        Returns the Copula; it is called where sample paths are needed, which is beyond the steps
        that the network forecasts at once.
    known, future : Sequences
        As `forecast` takes them.
    horizon : int
    levels : ndarray of shape (n_levels,)
        With the loss 'quantile', some of those that the network knows.
    n_paths : int
        Sample paths per series.
    seed : int

    Returns
    -------
    ndarray of shape (n, horizon, n_targets, n_levels)
        In the units of the series.
    """
    h = network.transform.horizon
    details = forecast(network, known, future, min(horizon, h))
    found = np.empty((len(known), horizon, details.shape[2], len(levels)))
    if network.loss == "quantile":
        at = np.abs(network.levels - levels[:, np.newaxis]).argmin(axis=1)
        found[:, :h] = details[..., at]
    else:
        found[:, :h] = quantile(network.loss, details, levels)
    if horizon > h:
        method = "inverted_cdf" if network.transform.counts else "weibull"
        for part, paths in sample_blocks(network, copula(), known, future, horizon, n_paths, seed):
            # Of few paths too, the next value lies below the quantile with this probability.
            ahead = np.quantile(paths[:, :, h:], levels, axis=1, method=method)
            found[part, h:] = np.moveaxis(ahead, 0, -1)
    return found


def describing_scores(network):
    """Return the normal scores of the quantiles that describe a network's distributions."""
    return ndtri(network.levels) if network.loss == "quantile" else KNOWN_SCORES


def scores_between(quantiles, known, values):
    """Return the normal scores of values in distributions: the inverse of `values_between`.

    Parameters
    ----------
    quantiles : ndarray of shape (..., n_known)
        Not decreasing along the last axis.
    known : ndarray of shape (n_known,)
        Normal scores of these quantiles, increasing.
    values : ndarray of shape (...)
        NaN where one is not known.

    Returns
    -------
    ndarray of shape (...)
        At most `LARGEST_SCORE` from 0. Where several quantiles equal a value, as those of counts
        do, it is the middle of theirs.
    """
    values = values[..., np.newaxis]
    shape = np.broadcast_shapes(quantiles.shape[:-1], values.shape[:-1])
    found = np.zeros(shape)
    # The first segment that ends above a value, and the last one that begins below it: they are one
    # save where quantiles equal the value.
    for at, forward in (
        ((quantiles < values).sum(axis=-1) - 1, True),
        ((quantiles <= values).sum(axis=-1) - 1, False),
    ):
        segment = np.clip(at, 0, len(known) - 2)[..., np.newaxis]
        below, above = (
            np.take_along_axis(
                np.broadcast_to(quantiles, (*shape, len(known))), segment + step, axis=-1
            )
            for step in (0, 1)
        )
        low, high = known[segment], known[segment + 1]
        width = above - below
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            score = low + (values - below) / width * (high - low)
        # Of a segment without width: the end that the value lies at, or infinity beyond it.
        end = low if forward else high
        flat = np.where(values > above, np.inf, np.where(values < below, -np.inf, end))
        score = np.where(width > 0, score, flat)
        found += np.clip(score[..., 0], -LARGEST_SCORE, LARGEST_SCORE) / 2
    return np.where(np.isnan(values[..., 0]), np.nan, found)


def calibrated_paths(paths, quantiles, calibrated, known):
    """Give the values of sample paths the places in calibrated distributions that they have in own.

    Parameters
    ----------
    paths : ndarray of shape (n, n_paths, horizon, n_targets)
    quantiles : ndarray of shape (n, horizon, n_targets, n_known)
        That describe the distributions of the network.
    calibrated : ndarray of the same shape
        That describe the calibrated ones.
    known : ndarray of shape (n_known,)
        Normal scores of both.

    Returns
    -------
    ndarray of shape (n, n_paths, horizon, n_targets)
    """
    scores = scores_between(quantiles[:, np.newaxis], known, paths)
    return values_between(calibrated[:, np.newaxis], known, scores)
