"""Adaptive conformal inference: levels that follow the share of truths that intervals have held.

Split-conformal intervals hold as much as they promise where errors to come are like those measured.
Where errors grow or shrink with the time of year, the level whose quantile is taken follows
(Gibbs and Candès, 2021): with the level p asked for and p_t in use at time t,

    p_{t+1} = p_t + rate * (p - share of series whose truth lay at or below its quantile at p_t)

for each step ahead on its own, as soon as the truth of that step is known. `calibrate` goes through
the origins of the series held out in their order, with no error before its time.
"""

from typing import NamedTuple

import numpy as np

LEAST_KNOWN = 20  # errors that ranks among errors need
GROWTH = 1.1  # of the errors known, until ranks are taken among the new ones too


class Adaptation(NamedTuple):
    """What levels are adapted by.

    ``ranks[t, s, j]`` is the rank, from 0 to 1, of the error j + 1 steps ahead of series s from the
    origin at time t, among the errors known at that time; NaN where there is none.
    """

    rate: float
    ranks: np.ndarray  # (n_times, n_series, horizon, n_targets)

    def levels(self, levels):
        """Return the levels in use after the last truth: (horizon, n_targets, n_levels)."""
        T, _, h, k = self.ranks.shape
        ahead = np.arange(h)
        now = np.broadcast_to(levels, (h, k, len(levels))).astype(np.float64)
        used = np.empty((T, *now.shape))
        for t in range(T + h):
            origin = t - 1 - ahead  # whose truth so many steps ahead has become known
            at = np.clip(origin, 0, T - 1)
            ranks = np.moveaxis(self.ranks[at, :, ahead], 1, -1)[:, :, np.newaxis]  # series last
            known = ~np.isnan(ranks)
            below = ((ranks <= used[at, ahead][..., np.newaxis]) & known).sum(axis=-1)
            n = np.where(
                ((origin >= 0) & (origin < T))[:, np.newaxis, np.newaxis], known.sum(axis=-1), 0
            )
            now = np.where(n > 0, now + self.rate * (levels - below / np.maximum(n, 1)), now)
            if t < T:
                used[t] = now
        return now


def adaptation(rate, errors, times, series):
    """Return what levels are adapted by.

    Parameters
    ----------
    rate : float
    errors : ndarray of shape (n, horizon, n_targets)
        NaN where one is not known.
    times : ndarray of shape (n,), dtype=int
        Of their origins; the last is as old in all series.
    series : ndarray of shape (n,), dtype=int
        Which series each is of.

    Returns
    -------
    Adaptation
    """
    times = times - times.min()
    h, k = errors.shape[1:]
    ranks = np.full((times.max() + 1, series.max() + 1, h, k), np.nan)
    for j in range(h):
        for target in range(k):
            at = np.flatnonzero(~np.isnan(errors[:, j, target]))
            order = at[np.argsort(times[at], kind="stable")]
            values, when = errors[order, j, target], times[order]
            # Of the origin at each time, the errors known: those of origins j + 1 steps before.
            known = np.searchsorted(when, when - 1 - j, side="right")
            start = np.searchsorted(known, LEAST_KNOWN)
            while start < len(order):
                stop = max(start + 1, np.searchsorted(known, GROWTH * known[start]))
                among = np.sort(values[: known[start]])
                upto = np.searchsorted(among, values[start:stop], side="right")
                here = order[start:stop]
                ranks[times[here], series[here], j, target] = upto / (len(among) + 1)
                start = stop
    return Adaptation(rate, ranks)
