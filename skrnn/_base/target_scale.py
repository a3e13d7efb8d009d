"""Targets of a regressor at unit scale, for which the step sizes and clipping are made.

The network learns (y - center) / scale, so that 0.001 y is learned as y is. With a linear output
layer that is the plain network whose output weights are `scale` times as large and whose bias is
`scale * bias + center`: `fold` and `unfold` go from one to the other.
"""

import numpy as np

# A column whose values differ by less than rounding is constant.
ROUNDING = 8 * np.finfo(np.float64).eps


def learn_scale(target_values, weights, loss):
    """Find what brings each column of targets to unit scale.

    Parameters
    ----------
    target_values : ndarray of shape (n, n_outputs), dtype=float64
    weights : ndarray of shape (n,), or None
    loss : str
        Of 'poisson' the logarithm of a mean is learned: there is no center, and the scale is the
        mean.

    Returns
    -------
    center, scale : ndarray of shape (n_outputs,)
    """
    if weights is not None and not weights.any():
        weights = None
    # Divided by a power of two near the largest, squares neither overflow nor lose a bit.
    unit = np.ldexp(1.0, np.frexp(np.abs(target_values).max(axis=0))[1] - 1)
    values = target_values / unit
    mean = np.average(values, axis=0, weights=weights)
    if loss == "poisson":
        return np.zeros_like(mean), np.where(mean > 0, mean, 1.0) * unit
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    constant = deviation <= ROUNDING * np.abs(values).max(axis=0)
    return mean * unit, np.where(constant, 1.0, deviation) * unit


def fold(weights, center, scale, loss):
    """Return the weights of the plain network for those that were learned.

    Parameters
    ----------
    weights : dict of ndarray
    center, scale : ndarray of shape (n_outputs,)
    loss : str

    Returns
    -------
    dict of ndarray
        Those of the output layer in float64: a center far from 0 leaves float32 no digits.
    """
    W = weights["head_weight"].astype(np.float64)
    b = weights["head_bias"].astype(np.float64)
    if loss == "poisson":
        return {**weights, "head_weight": W, "head_bias": b + np.log(scale)}
    return {**weights, "head_weight": W * scale[:, np.newaxis], "head_bias": b * scale + center}


def unfold(weights, center, scale, loss):
    """Return the weights that are learned for those of the plain network: the inverse of `fold`."""
    W = np.asarray(weights["head_weight"], dtype=np.float64)
    b = np.asarray(weights["head_bias"], dtype=np.float64)
    if loss == "poisson":
        return {**weights, "head_bias": b - np.log(scale)}
    return {
        **weights, "head_weight": W / scale[:, np.newaxis], "head_bias": (b - center) / scale
    }  # fmt: skip
