"""What a forecaster makes of series: scaling, differences, chunks to learn from, and the way back.

At step t of a series with targets y and known covariates z the network reads, scaled,

    y_t - y_{t-1}    (difference 'last';  y_t - y_{t-s} for 'season', y_t for None)
    z_{t+1} .. z_{t+h}

and is asked for y_{t+j} - base_{t,j}, j = 1 .. h, each divided by its standard deviation in
training. The base is the last value y_t, or the last one known of the same season, or 0. So levels
never reach the network, and are given back to its outputs.

Arrays are (..., T, columns): one series, or several of one length.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.utils import column_or_1d

from skrnn._sequences import check_sequences, locate

LONGEST_LOOKBACK = 96  # of lookback=None: four days of hours, eight years of months
TINY = 1e-8  # a column that varies less, relative to its size, is constant


@dataclass(frozen=True)
class Frame:
    """How series are read: sizes and scales, learnt once.

    Attributes
    ----------
    horizon, lookback, n_targets, n_covariates : int
    difference : {'last', 'season'} or None
    season : int
        Steps of a season, for 'season'.
    center, scale : ndarray of shape (n_targets + n_covariates,)
    own_scale : bool
        Whether each series has its own center and scale of targets.
    input_scale : ndarray of shape (n_targets,), or float
        Of the changes that the network reads.
    target_scale : ndarray of shape (horizon, n_targets), or float
        Of what the network is asked for.
    """

    horizon: int
    lookback: int
    n_targets: int
    n_covariates: int
    difference: str | None
    season: int
    center: np.ndarray
    scale: np.ndarray
    own_scale: bool
    input_scale: np.ndarray | float = 1.0
    target_scale: np.ndarray | float = 1.0

    @property
    def reach(self):
        """Steps back from a step to the value that its input is a difference from."""
        return {None: 0, "last": 1, "season": self.season}[self.difference]

    def scales(self, y):
        """Center and scale of the targets y (..., T, n_targets): (..., 1, n_targets) each."""
        k = self.n_targets
        if not self.own_scale:
            return self.center[:k], self.scale[:k]
        return y.mean(axis=-2, keepdims=True), spread(y)[..., np.newaxis, :]

    def prepare(self, known, future):
        """Scale series of one length.

        Parameters
        ----------
        known : ndarray of shape (..., T, n_targets + n_covariates)
        future : ndarray of shape (..., F, n_covariates)

        Returns
        -------
        y : ndarray of shape (..., T, n_targets)
        z : ndarray of shape (..., at least T + horizon - 1, n_covariates), or None
            Covariates from step 1 on, 0 where they are not known.
        """
        k = self.n_targets
        center, scale = self.scales(known[..., :k])
        y = (known[..., :k] - center) / scale
        if not self.n_covariates:
            return y, None
        z = np.concatenate([known[..., k:], future], axis=-2)[..., 1:, :]
        z = (z - self.center[k:]) / self.scale[k:]
        lacking = max(0, known.shape[-2] + self.horizon - 1 - z.shape[-2])
        return y, np.concatenate([z, np.zeros((*z.shape[:-2], lacking, z.shape[-1]))], axis=-2)

    def bases(self, y, horizon):
        """Return what forecasts are relative to: (..., T, horizon, n_targets)."""
        T = y.shape[-2]
        ahead = np.arange(1, horizon + 1)
        at = np.repeat(np.arange(T)[:, np.newaxis], horizon, axis=1)
        if self.difference is None:
            return np.zeros((*y.shape[:-2], T, horizon, y.shape[-1]))
        if self.difference == "season":
            # The last value known of the season of step t + j; the last of all in the first season.
            seasonal = at + ahead - self.season * -(-ahead // self.season)
            at = np.where(seasonal < 0, at, seasonal)
        return y[..., at, :]

    def last_base(self, y):
        """Return what a forecast from the last step is relative to: (..., horizon, n_targets)."""
        return self.bases(y[..., -max(1, self.reach) :, :], self.horizon)[..., -1, :, :]

    def inputs(self, y, future):
        """Return what the network reads: (..., T, n_targets + horizon * n_covariates).

        `future` holds the scaled covariates of steps 1 .. T + horizon - 1 (those past the end of a
        series may be anything: what is asked for there does not count), or is None.
        """
        T, reach = y.shape[-2], self.reach
        changes = y.copy()
        if reach:
            changes[..., :reach, :] = 0
            changes[..., reach:, :] = y[..., reach:, :] - y[..., : max(T - reach, 0), :]
        changes /= self.input_scale
        if not self.n_covariates:
            return changes
        at = np.arange(T)[:, np.newaxis] + np.arange(self.horizon)
        known = future[..., at, :]
        return np.concatenate([changes, known.reshape(*known.shape[:-2], -1)], axis=-1)

    def targets(self, y):
        """Return what is asked for: (..., T, horizon, n_targets), NaN past the end."""
        T = y.shape[-2]
        at = np.arange(T)[:, np.newaxis] + np.arange(1, self.horizon + 1)
        ahead = np.where((at < T)[..., np.newaxis], y[..., np.minimum(at, T - 1), :], np.nan)
        return ahead - self.bases(y, self.horizon)


def spread(values, weights=None):
    """Return the standard deviation of each column; 1 for a constant one."""
    mean = np.average(values, axis=-2, weights=weights)
    deviation = np.sqrt(np.average((values - mean[..., np.newaxis, :]) ** 2, -2, weights))
    flat = deviation <= TINY * np.abs(values).max(axis=-2, initial=0.0)
    return np.where(flat, 1.0, deviation)


def size(numbers, weights):
    """Return the root mean square of each column, NaN left out; 1 where there is nothing."""
    known = ~np.isnan(numbers) * weights[:, np.newaxis]
    mean = (known * np.nan_to_num(numbers) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1e-300)
    return np.where(mean > 0, np.sqrt(mean), 1.0)


def first_outputs(numbers, weights, loss, levels):
    """Return the head's bias: outputs that are right on average before anything is learnt.

    Parameters
    ----------
    numbers : ndarray of shape (n, n_targets), with NaN
    weights : ndarray of shape (n,)
    loss : str
    levels : sequence of float
        Of 'quantile'.
    """
    bias = []
    for column in numbers.T:
        known = ~np.isnan(column) & (weights > 0)
        x, w = (column[known], weights[known]) if known.any() else (np.zeros(1), np.ones(1))
        mean = np.average(x, weights=w)
        if loss == "squared_error":
            bias.append(mean)
        elif loss == "gaussian":
            deviation = np.sqrt(np.average((x - mean) ** 2, weights=w))
            bias += [mean, np.log(max(deviation, 1e-3))]
        else:
            order = np.argsort(x)
            share = np.cumsum(w[order]) / w.sum()
            at = np.searchsorted(share, levels if loss == "quantile" else [0.5])
            bias += x[order][np.minimum(at, len(x) - 1)].tolist()
    return np.array(bias)


def chunks(length, lookback):
    """Cut a series into pieces to learn from: (start, stop, first step that counts) of each.

    A piece is at most two lookbacks long, and its first half, where the one before was at work
    already, only warms the state up: each step counts once, after at least a lookback.
    """
    pieces = [(0, min(length, 2 * lookback), 0)]
    while pieces[-1][1] < length:
        stop = pieces[-1][1]
        pieces.append((stop - lookback, min(length, stop + lookback), stop))
    return pieces


def read_series(estimator, X, *, reset):
    """Validate series; tell what is known from what is to be forecast.

    Parameters
    ----------
    estimator : LSTMForecaster
    X : series
        Steps at the end of a series whose targets are NaN are to be forecast.
    reset : bool
        True in `fit`.

    Returns
    -------
    series : list of ndarray of shape (T_i, n_features)
    futures : list of ndarray of shape (F_i, n_covariates)

    Raises
    ------
    ValueError
        For NaN elsewhere, or a series of which nothing is known.
    """
    sequences = check_sequences(estimator, X, dtype=np.float64, reset=reset, allow_nan=True)
    k = count_targets(estimator)
    missing = np.isnan(sequences.values[:, :k]).all(axis=1)
    gaps = np.isnan(sequences.values)
    series, futures = [], []
    for i, (start, stop) in enumerate(pairwise(sequences.offsets.tolist())):
        known = stop
        while known > start and missing[known - 1]:
            known -= 1
        if known == start:
            raise ValueError(f"Input X contains NaN.\nseries {i} has no step with known targets.")
        gaps[known:stop, :k] = False
        series.append(sequences.values[start:known])
        futures.append(sequences.values[known:stop, k:])
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        i, t = locate(sequences.offsets, row)
        raise ValueError(
            f"Input X contains NaN.\nseries {i} has NaN at step {t} (feature {column}). Impute it "
            "first, for example with PerStep(SimpleImputer()); only targets at the end of a "
            "series, which are to be forecast, may be NaN."
        )
    return series, futures


def count_targets(estimator):
    """Return how many columns are forecast."""
    width, k = estimator._step_width, estimator.n_targets
    if k is not None and k > width:
        raise ValueError(f"n_targets={k}, but a step of X has only {width} feature(s).")
    return width if k is None else k


def read_followers(y, n, horizon, k):
    """Return what followed n series as (n, horizon, k), and how many dimensions it had.

    Parameters
    ----------
    y : array-like of shape (n,), (n, horizon) or (n, horizon, k)
    n, horizon, k : int
    """
    y = np.asarray(y, dtype=np.float64)
    if not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity.")
    if horizon == k == 1 and y.ndim > 1:
        y = column_or_1d(y, warn=True)
    if len(y) != n:
        raise ValueError(f"X has {n} series and y has {len(y)} targets.")
    if y.size != n * horizon * k:
        raise ValueError(
            f"y has shape {y.shape}, but horizon={horizon} and {k} target(s) need "
            f"({n}, {horizon}{f', {k}' if k > 1 else ''}). Set horizon to what y holds."
        )
    return y.reshape(n, horizon, k), y.ndim


def learn_frame(estimator, series, weights):
    """Learn the scales of training series.

    Parameters
    ----------
    estimator : LSTMForecaster
    series : list of ndarray of shape (T_i, n_features)
    weights : ndarray of shape (total_steps,)

    Returns
    -------
    Frame
        Without the scales of what the network reads and is asked for.
    """
    if estimator.difference == "season" and estimator.season_length is None:
        raise ValueError("difference='season' needs season_length, the steps of a season.")
    rows, k = np.concatenate(series), count_targets(estimator)
    center, scale = np.average(rows, axis=0, weights=weights), spread(rows, weights)
    if estimator.scaling == "none":
        center[:k], scale[:k] = 0, 1
    return Frame(
        horizon=estimator.horizon,
        lookback=estimator.lookback or min(max(map(len, series)), LONGEST_LOOKBACK),
        n_targets=k,
        n_covariates=rows.shape[1] - k,
        difference=estimator.difference,
        season=estimator.season_length or 0,
        center=center,
        scale=scale,
        own_scale=estimator.scaling == "series",
    )


def learn_every_step(frame, series, futures):
    """Make of whole series what the network reads and is asked for, in pieces.

    Parameters
    ----------
    frame : Frame
    series, futures : list of ndarray
        As `read_series` gives them.

    Returns
    -------
    rows : list of ndarray of shape (T, n_inputs)
        One a piece.
    wanted : ndarray of shape (total_steps, horizon, n_targets)
        NaN where a step does not count.
    counts : list of int
        Pieces of each series.
    """
    rows, wanted, counts = [], [], []
    for known, future in zip(series, futures, strict=True):
        y, z = frame.prepare(known, future)
        inputs, targets = frame.inputs(y, z), frame.targets(y)
        pieces = chunks(len(y), frame.lookback)
        for start, stop, counted in pieces:
            rows.append(inputs[start:stop])
            wanted.append(targets[start:stop].copy())
            wanted[-1][: counted - start] = np.nan
        counts.append(len(pieces))
    return rows, np.concatenate(wanted), counts


def learn_last_step(frame, series, futures, followers):
    """Make of histories, and what followed each, what the network reads and is asked for.

    Parameters
    ----------
    frame, series, futures
        As in `learn_every_step`.
    followers : ndarray of shape (n, horizon, n_targets)

    Returns
    -------
    rows : list of ndarray of shape (T, n_inputs)
        One a series.
    wanted : ndarray of shape (n, horizon, n_targets)
    """
    rows: list = [None] * len(series)
    wanted = np.empty(followers.shape)
    for at, known, future in stacked(frame, series, futures):
        y, z = frame.prepare(known, future)
        center, scale = frame.scales(known[..., : frame.n_targets])
        wanted[at] = (followers[at] - center) / scale - frame.last_base(y)
        for i, inputs in zip(at, frame.inputs(y, z)[:, -frame.lookback :], strict=True):
            rows[i] = inputs
    return rows, wanted


def stacked(frame, series, futures):
    """Yield series of one length together, cut to what a forecast reads.

    Yields
    ------
    at : list of int
        Which they are.
    known : ndarray of shape (n, T, n_targets + n_covariates)
    future : ndarray of shape (n, F, n_covariates)
    """
    need = frame.lookback + frame.reach
    groups: dict = {}
    for i, (known, future) in enumerate(zip(series, futures, strict=True)):
        cut = known if frame.own_scale else known[-need:]
        groups.setdefault((len(cut), len(future)), []).append((i, cut, future))
    for members in groups.values():
        at, known, future = zip(*members, strict=True)
        yield list(at), np.stack(known), np.stack(future)
