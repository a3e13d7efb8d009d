"""A forecaster that is fitted in no time, series for it, and the coverage of its intervals."""

import numpy as np

from skrnn import LSTMForecaster

WAVE = np.sin(np.arange(320) / 5)


def quick(**params):
    """Return a small forecaster of 6 steps that trains for two epochs."""
    return LSTMForecaster(**{"horizon": 6, "lookback": 16, "hidden_layer_sizes": (6,),
                             "max_iter": 2, "random_state": 0} | params)  # fmt: skip


def walks(n, length, seed=0):
    """Draw random walks."""
    return list(np.random.default_rng(seed).normal(size=(n, length)).cumsum(axis=1))


def covered(y, interval):
    """Return the share of truths within their intervals, for each step."""
    return ((y >= interval[..., 0]) & (y <= interval[..., 1])).mean(axis=0)
