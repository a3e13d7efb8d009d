"""Distributions that the outputs of a network stand for: parameters, quantiles, normal scores.

Of each target a network puts out

    quantile             quantiles
    gaussian             mean, log standard deviation
    student_t            location, log scale, shape v: n = 2 + e^v degrees of freedom
    poisson              log mean
    negative_binomial    log mean, log dispersion a: the variance is mean + a mean^2
    other losses         a point

as the kernels of the losses say (``losses.pxd`` and ``distributions.pxd`` in ``_kernels/heads``).
`parameters` turns them into details (..., outputs per target): scales, means and dispersions in
place of their logarithms; v stays. Values are scaled as ``values * scale + center``. The mean of
counts is scaled with a center of 0, and their distribution remains one of counts at any scale.
"""

import numpy as np
from scipy.special import betainc, gammaincinv, ndtr, ndtri, pdtr, stdtr, stdtrit

COUNT_LOSSES = ("poisson", "negative_binomial")
LOCATION_LOSSES = ("gaussian", "student_t")  # location and scale come first
PARAMETRIC_LOSSES = (*LOCATION_LOSSES, *COUNT_LOSSES)
FORECAST_LOSSES = ("squared_error", "absolute_error", "quantile", *PARAMETRIC_LOSSES)
LARGEST_SHAPE = 12.0  # of v and |log a|, as the kernels have it
LARGEST_PROBABILITY = 1 - 2.0**-53  # the count of which is finite
LARGEST_MEAN = 2.0**30  # of counts that are looked for one by one


def parameters(loss, outputs, size, base):
    """Turn outputs into details.

    Parameters
    ----------
    loss : str
    outputs : ndarray of shape (..., outputs per target)
    size, base : ndarray, which broadcast to (..., 1)
        What outputs are multiples of, and relative to.

    Returns
    -------
    ndarray of shape (..., outputs per target)
    """
    if loss in LOCATION_LOSSES:
        location = outputs[..., :1] * size + base
        return np.concatenate(
            [location, np.exp(outputs[..., 1:2]) * size, outputs[..., 2:]], axis=-1
        )
    if loss in COUNT_LOSSES:
        with np.errstate(over="ignore"):  # infinity is found in the forecasts
            mean = np.exp(outputs[..., :1]) * size + base
        return np.concatenate([mean, dispersion(outputs[..., 1:])], axis=-1)
    return outputs * size + base


def dispersion(log_dispersion):
    """Return dispersions of which the logarithm is put out, which the kernels bound."""
    return np.exp(np.clip(log_dispersion, -LARGEST_SHAPE, LARGEST_SHAPE))


def rescaled(loss, details, scale, center):
    """Return details of ``values * scale + center``; both broadcast to (..., 1)."""
    if loss in LOCATION_LOSSES:
        parts = [details[..., :1] * scale + center, details[..., 1:2] * scale, details[..., 2:]]
        return np.concatenate(parts, axis=-1)
    if loss in COUNT_LOSSES:
        return np.concatenate([details[..., :1] * scale, details[..., 1:]], axis=-1)
    return details * scale + center


def n_moved(loss, width):
    """Return how many of the details of a target move with its level."""
    return 1 if loss in PARAMETRIC_LOSSES else width


def quantile(loss, details, levels):
    """Return quantiles of a parametric loss.

    Parameters
    ----------
    loss : str
    details : ndarray of shape (..., outputs per target)
        In the units of the series.
    levels : ndarray, which broadcasts to (..., n)

    Returns
    -------
    ndarray of shape (..., n)
        Of counts they are counts: the smallest that is not exceeded with that probability.
    """
    first = details[..., :1]
    if loss == "gaussian":
        return first + ndtri(levels) * details[..., 1:]
    if loss == "student_t":
        return first + stdtrit(_freedom(details[..., 2:]), levels) * details[..., 1:2]
    return _count_quantile(levels, first, details[..., 1:] if loss != "poisson" else None)


def normal_scores(loss, details, values):
    """Return the normal scores of values (...) in their distributions.

    Counts have the middle of the probability of less and that of at most as much.

    Parameters
    ----------
    loss : str
    details : ndarray of shape (..., outputs per target)
    values : ndarray of shape (...)
    """
    first = details[..., 0]
    if loss == "gaussian":
        return (values - first) / details[..., 1]
    if loss == "student_t":  # by the lower tail, whose probabilities do not end at 1
        r = (values - first) / details[..., 1]
        return -np.sign(r) * ndtri(stdtr(_freedom(details[..., 2]), -np.abs(r)))
    shape = details[..., 1] if loss == "negative_binomial" else None
    return ndtri((_at_most(values - 1, first, shape) + _at_most(values, first, shape)) / 2)


def values_at(loss, details, scores):
    """Return the values (...) that have these normal scores: the inverse of `normal_scores`."""
    if loss == "gaussian":
        return details[..., 0] + scores * details[..., 1]
    if loss == "student_t":
        r = stdtrit(_freedom(details[..., 2]), ndtr(-np.abs(scores)))
        return details[..., 0] - np.sign(scores) * r * details[..., 1]
    return quantile(loss, details, ndtr(scores)[..., np.newaxis])[..., 0]


def nearest_counts(loss, values):
    """Return the nearest counts where the loss is of counts, and else the values themselves."""
    return np.maximum(np.rint(values), 0) if loss in COUNT_LOSSES else values


def _freedom(v):
    return 2 + np.exp(np.minimum(v, LARGEST_SHAPE))


def _at_most(count, mean, dispersion):
    """Return the probability of at most so many; a dispersion of None is that of Poisson."""
    known = np.maximum(count, 0)
    if dispersion is None:
        found = pdtr(known, mean)
    else:
        found = betainc(1 / dispersion, known + 1, 1 / (1 + dispersion * mean))
    return np.where(count < 0, 0.0, found)


def _count_quantile(levels, mean, dispersion):
    """Return the smallest counts that are not exceeded with given probabilities, by bisection.

    The ones of SciPy do not end for some parameters that a network may put out. Of large counts
    the continuous limit is near enough: a normal, or a gamma distribution.
    """
    is_poisson = dispersion is None
    levels, mean, dispersion = np.broadcast_arrays(levels, mean, 0.0 if is_poisson else dispersion)
    levels = np.minimum(levels, LARGEST_PROBABILITY)
    with np.errstate(invalid="ignore", over="ignore"):
        if is_poisson:
            found = mean + np.sqrt(mean) * ndtri(levels)
        else:
            found = mean * gammaincinv(1 / dispersion, levels) * dispersion
        found = np.maximum(np.rint(found), 0)
    small = mean <= LARGEST_MEAN
    levels, mean, dispersion = levels[small], mean[small], dispersion[small]

    def reached(counts, at):
        shape = None if is_poisson else dispersion[at]
        return _at_most(counts, mean[at], shape) >= levels[at]

    low, high = np.full(mean.shape, -1.0), np.ceil(mean)
    left = np.arange(len(mean))
    while (left := left[~reached(high[left], left)]).size:
        low[left], high[left] = high[left], 2 * high[left] + 1
    left = np.flatnonzero(high - low > 1)
    while left.size:
        middle = np.floor((low[left] + high[left]) / 2)
        enough = reached(middle, left)
        high[left] = np.where(enough, middle, high[left])
        low[left] = np.where(enough, low[left], middle)
        left = left[high[left] - low[left] > 1]
    found[small] = high
    return found


def check_counts(loss, values, called):
    """Raise for targets that are no counts, as a loss needs that is of counts.

    Parameters
    ----------
    loss : str
    values : ndarray of shape (n, n_targets)
        NaN is left out.
    called : callable
        What a message calls a row of `values`.
    """
    wrong = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"loss={loss!r} forecasts counts, but {called(row)} has {values[row, column]:g}, which "
            "is none. Round such values and leave out negative ones, or use loss='gaussian' or "
            "'student_t'."
        )
