"""Transform a series before the network and invert it afterwards: scaling, differences, a baseline.

At step t of a series with targets y and covariates z known in advance the network reads, scaled,

    y_t - y_{t-1}    (difference 'last';  y_t - y_{t-s} for 'season', y_t for None)
    z_{t+1} .. z_{t+h}
    p_t              (columns that are known up to the last known step alone)

and is asked for y_{t+j} - base_{t,j}, j = 1 .. h, each divided by its standard deviation in
training. The base is the last value y_t, or the last one known of the same season, or 0; to it a
linear autoregression adds

    sum over i = 0 .. lags - 1 of w_{i,j} (y_{t-i} - y_t)     (w_{i,j} y_{t-i} without differences)

So levels never reach the network, and are given back to its outputs. `_kernels/forecast.pxd` says
the same of one step at a time.

Arrays are (..., T, columns): one series, or several of one length.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from skrnn._forecaster.distributions import COUNT_LOSSES

TINY = 1e-8  # a column that varies less, relative to its size, is constant
RIDGE = (
    0.01  # of the lags' mean square: between 0.001 and 0.1 ETTh1's months do not tell them apart
)
LONGEST_LOOKBACK = 96  # of lookback=None: four days of hours, eight years of months
UNREAD = 1e300  # the scale of a column that is read as 0
STEPS_AT_ONCE = 4096  # of lags side by side: 3 MB for 96 of them


@dataclass(frozen=True)
class SeriesTransform:
    """Sizes and scales of the transform, learned once.

    Attributes
    ----------
    horizon, lookback, n_targets, n_covariates : int
    difference : {'last', 'season'} or None
    season : int
        Steps of a season, for 'season'.
    lags : int
        Values that the linear autoregression reads; 0 for none.
    center, scale : ndarray of shape (n_columns,)
        Of targets, covariates and the rest.
    own_scale : bool
        Whether each series has its own center and scale of targets.
    input_scale : ndarray of shape (n_targets,), or float
        Of the changes that the network reads.
    target_scale : ndarray of shape (horizon, n_targets), or float
        Of what the network is asked for.
    lag_weights : ndarray of shape (lags, horizon, n_targets), or None
        None where there are no lags, or before they are learned.
    constant_moves : bool or None
        Whether in training a history without any change was followed by one; None where there was
        no such history.
    n_past : int
        Columns, behind targets and covariates, that are read at their own step alone.
    n_indicators : int
        The last of these, which are 1 where a value was missing; those of targets stand last.
    counts : bool
        Whether targets are counts: their center is 0 and their scale 1 + their mean, as DeepAR's
        (Salinas et al. 2020, section 3.3), so that zeros alone have a scale too.
    """

    horizon: int
    lookback: int
    n_targets: int
    n_covariates: int
    difference: str | None
    season: int
    lags: int
    center: np.ndarray
    scale: np.ndarray
    own_scale: bool
    input_scale: np.ndarray | float = 1.0
    target_scale: np.ndarray | float = 1.0
    lag_weights: np.ndarray | None = None
    constant_moves: bool | None = None
    n_past: int = 0
    n_indicators: int = 0
    counts: bool = False

    @property
    def lag(self):
        """Steps back from a step to the value that its input is a difference from."""
        return {None: 0, "last": 1, "season": self.season}[self.difference]

    @property
    def n_columns(self):
        """Columns of a known step."""
        return self.n_targets + self.n_covariates + self.n_past

    @property
    def n_inputs(self):
        """Numbers that the network reads of a step."""
        return self.n_targets + self.horizon * self.n_covariates + self.n_past

    @property
    def need(self):
        """`history_length` under the name that scripts look for."""
        return self.history_length

    @property
    def history_length(self):
        """Steps of a series that a forecast depends on."""
        return max(self.lookback + self.lag, self.lags)

    @property
    def history_kept(self):
        """Steps before a block that inputs and bases of the block after it depend on."""
        return max(1, self.lag, self.lags)

    @property
    def least_constant(self):
        """Steps without a change that are needed to call a history constant."""
        return max(3, self.history_length // 2)

    def kept(self, known):
        """Return what forecasts from the ends of series depend on, a copy, as Sequences."""
        return known.ends(None if self.own_scale else self.history_length)

    def is_constant(self, y):
        """Tell which histories (n, T, n_targets) have no change: (n, n_targets)."""
        y = y[:, -self.history_length :]
        return (y == y[:, :1]).all(axis=1) & (y.shape[1] >= self.least_constant)

    def scales(self, y):
        """Center and scale of the targets y (..., T, n_targets): (..., 1, n_targets) each."""
        k = self.n_targets
        if not self.own_scale:
            return self.center[:k], self.scale[:k]
        if self.counts:
            scale = 1 + y.mean(axis=-2, keepdims=True)
            return np.zeros_like(scale), scale
        lag = self.lag if y.shape[-2] > self.lag > 1 else 1
        return y.mean(axis=-2, keepdims=True), mean_change(y, lag)[..., np.newaxis, :]

    def n_blocks(self, steps):
        """Return how many blocks of `horizon` steps hold so many steps."""
        return -(-steps // self.horizon)

    def prepare(self, known, future, scaled_by=None):
        """Scale series of one length.

        Parameters
        ----------
        known : ndarray of shape (..., T, n_columns)
        future : ndarray of shape (..., F, n_covariates)
        scaled_by : int, default=None
            First steps whose own scale is taken, where series have their own; of None all.

        Returns
        -------
        y : ndarray of shape (..., T, n_targets)
        z : ndarray of shape (..., at least T + horizon - 1, n_covariates + n_past), or None
            Row t holds the covariates of step t + 1, 0 where they are not known, and what is read
            at step t alone, which stays as it was last in the steps to come.
        """
        k, c = self.n_targets, self.n_covariates
        center, scale = self.scales(known[..., :scaled_by, :k])
        y = (known[..., :k] - center) / scale
        if not c + self.n_past:
            return y, None
        z = np.concatenate([known[..., k : k + c], future], axis=-2)[..., 1:, :]
        z = (z - self.center[k : k + c]) / self.scale[k : k + c]
        lacking = max(0, known.shape[-2] + self.horizon - 1 - z.shape[-2])
        z = np.concatenate([z, np.zeros((*z.shape[:-2], lacking, c))], axis=-2)
        if not self.n_past:
            return y, z
        past = (known[..., k + c :] - self.center[k + c :]) / self.scale[k + c :]
        held = np.repeat(past[..., -1:, :], z.shape[-2] - past.shape[-2], axis=-2)
        held[..., self.n_past - self.n_indicators :] = 0
        return y, np.concatenate([z, np.concatenate([past, held], axis=-2)], axis=-1)

    def truth(self, known):
        """Return the targets of known steps (..., T, n_columns), NaN where one was missing."""
        k = self.n_targets
        if not self.n_indicators:
            return known[..., :k]
        return np.where(known[..., -k:] > 0, np.nan, known[..., :k])

    def bases(self, y):
        """Return what forecasts are relative to: (..., T, horizon, n_targets)."""
        bases = self._repeated(y)
        if self.lag_weights is None:
            return bases
        parts = [self._linear(lagged) for _, lagged in self.lagged(y)]
        return bases + np.concatenate(parts, axis=-3)

    def last_base(self, y):
        """Return what a forecast from the last step is relative to: (..., horizon, n_targets)."""
        base = self._repeated(y[..., -max(1, self.lag) :, :])[..., -1, :, :]
        if self.lag_weights is None:
            return base
        return base + self._linear(self.last_lagged(y))

    def _repeated(self, y):
        """Return the last value, that of the last season, or 0: (..., T, horizon, n_targets)."""
        T = y.shape[-2]
        ahead = np.arange(1, self.horizon + 1)
        at = np.repeat(np.arange(T)[:, np.newaxis], self.horizon, axis=1)
        if self.difference is None:
            return np.zeros((*y.shape[:-2], *at.shape, y.shape[-1]))
        if self.difference == "season":
            # The last value known of the season of step t + j; the last of all in the first season.
            seasonal = at + ahead - self.season * -(-ahead // self.season)
            at = np.where(seasonal < 0, at, seasonal)
        return y[..., at, :]

    def _linear(self, lagged):
        """Return the autoregression on lags (..., n_targets, lags): (..., horizon, n_targets)."""
        columns = [lagged[..., k, :] @ self.lag_weights[:, :, k] for k in range(self.n_targets)]
        return np.stack(columns, axis=-1)

    def lagged(self, y):
        """Yield the lags of a few steps at a time: (slice, (..., steps, n_targets, lags)).

        Before the start of a series its first value stands.
        """
        before = np.repeat(y[..., :1, :], self.lags - 1, axis=-2)
        windows = sliding_window_view(np.concatenate([before, y], axis=-2), self.lags, axis=-2)
        for start in range(0, y.shape[-2], STEPS_AT_ONCE):
            steps = slice(start, min(start + STEPS_AT_ONCE, y.shape[-2]))
            yield steps, self._from_last(windows[..., steps, :, ::-1])

    def last_lagged(self, y):
        """Return the lags of the last step: (..., n_targets, lags)."""
        at = np.maximum(y.shape[-2] - 1 - np.arange(self.lags), 0)
        return self._from_last(np.swapaxes(y[..., at, :], -1, -2))

    def _from_last(self, lagged):
        return lagged - lagged[..., :1] if self.difference else lagged

    def inputs(self, y, future):
        """Return what the network reads: (..., T, n_inputs).

        `future` is z of `prepare` (covariates past the end of a series may be anything: what is
        asked for there does not count), or None.
        """
        T, lag, c = y.shape[-2], self.lag, self.n_covariates
        changes = y.copy()
        if lag:
            changes[..., :lag, :] = 0
            changes[..., lag:, :] = y[..., lag:, :] - y[..., : max(T - lag, 0), :]
        changes /= self.input_scale
        if not c + self.n_past:
            return changes
        at = np.arange(T)[:, np.newaxis] + np.arange(self.horizon)
        ahead = future[..., :c][..., at, :]
        ahead = ahead.reshape(*ahead.shape[:-2], self.horizon * c)
        return np.concatenate([changes, ahead, future[..., :T, c:]], axis=-1)

    def targets(self, y, truth=None):
        """Return the targets, of shape (..., T, horizon, n_targets), with NaN past the end.

        `truth` is y with NaN where a value was missing; None where none was.
        """
        T = y.shape[-2]
        at = np.arange(T)[:, np.newaxis] + np.arange(1, self.horizon + 1)
        truth = (y if truth is None else truth)[..., np.minimum(at, T - 1), :]
        ahead = np.where((at < T)[..., np.newaxis], truth, np.nan)
        return ahead - self.bases(y)

    def learn_lags(self, parts):
        """Return a transform with a linear autoregression: ridge regression for each target.

        Parameters
        ----------
        parts : iterable of (lagged, step_targets, weights)
            As `lagged` gives them, (steps, n_targets, lags); what is asked for without them,
            (steps, horizon, n_targets), NaN where it is not known; and weights (steps,).
        """
        if self.n_indicators:
            return self._learn_lags_with_gaps(parts)
        k, h, p = self.n_targets, self.horizon, self.lags
        squares, products = np.zeros((k, p, p)), np.zeros((k, p, h))
        for lagged, step_targets, weights in parts:
            # Steps near the end, whose horizon is not known to the last, are left out.
            weights = weights * ~np.isnan(step_targets).any(axis=(1, 2))
            for i in range(k):
                weighted = lagged[:, i].T * weights
                squares[i] += weighted @ lagged[:, i]
                products[i] += weighted @ np.nan_to_num(step_targets[:, :, i])
        weights = np.linalg.solve(squares + _ridge(squares), products)  # (n_targets, lags, horizon)
        return replace(self, lag_weights=np.ascontiguousarray(weights.transpose(1, 2, 0)))

    def _learn_lags_with_gaps(self, parts):
        """Do the same where targets are missing: each step ahead has squares of its own."""
        k, h, p = self.n_targets, self.horizon, self.lags
        squares, products = np.zeros((k, h, p, p)), np.zeros((k, h, p, 1))
        for lagged, step_targets, weights in parts:
            for i in range(k):
                for j in range(h):
                    known = np.flatnonzero(~np.isnan(step_targets[:, j, i]))
                    weighted = lagged[known, i].T * weights[known]
                    squares[i, j] += weighted @ lagged[known, i]
                    products[i, j, :, 0] += weighted @ step_targets[known, j, i]
        weights = np.linalg.solve(squares + _ridge(squares), products)[..., 0]
        return replace(self, lag_weights=np.ascontiguousarray(weights.transpose(2, 1, 0)))


def _ridge(squares):
    """Return the penalty of squares (..., lags, lags), in the same shape."""
    p = squares.shape[-1]
    ridge = RIDGE * np.trace(squares, axis1=-2, axis2=-1) / p
    return np.where(ridge > 0, ridge, 1.0)[..., np.newaxis, np.newaxis] * np.eye(p)


def learn_transform(estimator, known, weights, n_series):
    """Learn the scales of training series.

    Parameters
    ----------
    estimator : LSTMForecaster
    known : Sequences
    weights : ndarray of shape (n_series,)
    n_series : int
        Series that `fit` was given, of which some may be held out.

    Returns
    -------
    SeriesTransform
        Without the scales of what the network reads and is asked for.
    """
    if estimator.difference == "season" and estimator.season_length is None:
        raise ValueError("difference='season' needs season_length, the steps of a season.")
    counts = estimator.loss in COUNT_LOSSES
    if counts and (estimator.autoregression is not None or estimator.difference == "season"):
        raise ValueError(
            f"loss={estimator.loss!r} reads counts as they are: set autoregression=None and "
            "difference=None. A season is learned from a lookback of several seasons, or from "
            "covariates such as those of CalendarFeatures."
        )
    own_scale = has_own_scale(estimator, n_series)
    columns, rows, lengths = estimator._columns, known.values, np.diff(known.offsets)
    k, weights = columns.n_targets, np.repeat(weights, lengths)
    weights = weights if weights.any() else None
    with np.errstate(over="ignore", invalid="ignore"):
        center, scale = np.average(rows, axis=0, weights=weights), std(rows, weights)
    if not np.isfinite(center).all():
        raise ValueError(
            f"Feature {np.argmin(np.isfinite(center))} of X has values whose sum overflows: "
            "divide them by a power of ten first."
        )
    if counts:
        center[:k], scale[:k] = 0, 1 + center[:k]
    if estimator.scaling == "none":
        center[:k], scale[:k] = 0, 1
    center[columns.are_flags], scale[columns.are_flags] = 0, 1
    # Of what was always the same nothing is learned: it is read as 0 whatever it is later.
    same = (rows == rows[0]).all(axis=0)
    same[:k] = False
    same[len(columns.layout) :] = False
    scale[same] = UNREAD
    return SeriesTransform(
        horizon=estimator.horizon,
        lookback=estimator.lookback or min(int(lengths.max()), LONGEST_LOOKBACK),
        n_targets=k,
        n_covariates=columns.n_covariates,
        difference=None if counts else estimator.difference,
        season=estimator.season_length or 0,
        lags=estimator.autoregression or 0,
        center=center,
        scale=scale,
        own_scale=own_scale,
        n_past=columns.n_past,
        n_indicators=len(columns.indicated),
        counts=counts,
    )


def has_own_scale(estimator, n_series):
    """Tell whether each of so many training series has a scale of its own."""
    if estimator.scaling == "auto":
        return bool(n_series > 1 and estimator._every_step)
    return estimator.scaling == "series"


def constant_moves(transform, known, y):
    """Tell whether constant histories are followed by a change; None if there are no such.

    One in twenty is enough: such series (counts of what is seldom sold) are the network's to
    forecast.

    Parameters
    ----------
    transform : SeriesTransform
    known : Sequences
        Series that were learned from.
    y : ndarray of shape (n_series, horizon, n_targets), or None
        What followed each, where its steps themselves are not to be forecast.
    """
    k, constant, moved = transform.n_targets, 0, 0
    for i, (start, stop) in enumerate(pairwise(known.offsets.tolist())):
        values = known.values[start:stop]
        whole = values[:, :k] if y is None else np.concatenate([values[:, :k], y[i]])
        steps = np.arange(len(values)) if y is None else np.array([len(values) - 1])
        steps = steps[steps >= transform.least_constant - 1]
        changes = np.zeros((len(whole), k), int)
        np.cumsum(whole[1:] != whole[:-1], axis=0, out=changes[1:])
        before = np.maximum(steps - transform.history_length + 1, 0)
        ahead = np.minimum(steps + transform.horizon, len(whole) - 1)
        still = (changes[steps] == changes[before]) & (ahead > steps)[:, np.newaxis]
        constant += still.sum()
        moved += (still & (changes[ahead] > changes[steps])).sum()
    return bool(moved > 0.05 * constant) if constant else None


def std(values, weights=None):
    """Return the standard deviation of each column; 1 for a constant one."""
    unit = power_of_two_scale(values)
    values = values / unit[..., np.newaxis, :]
    mean = np.average(values, axis=-2, weights=weights)
    largest = _largest(values)
    values -= mean[..., np.newaxis, :]  # in place: of a large panel each copy counts
    deviation = np.sqrt(np.average(np.square(values, out=values), -2, weights))
    flat = deviation <= TINY * largest
    return np.where(flat, 1.0, deviation * unit)


def mean_change(values, lag):
    """Return the mean absolute change of each column over `lag` steps; 1 for a constant one.

    That of a random walk does not grow with its length, as its deviation does, and a shift of the
    level counts once.
    """
    if values.shape[-2] <= lag:
        return np.ones((*values.shape[:-2], values.shape[-1]))
    unit = power_of_two_scale(values)
    values = values / unit[..., np.newaxis, :]
    mean = np.abs(values[..., lag:, :] - values[..., :-lag, :]).mean(axis=-2)
    flat = mean <= TINY * np.abs(values).max(axis=-2)
    return np.where(flat, 1.0, mean * unit)


def mean_count(values, weights):
    """Return the mean of each column of scaled counts, NaN left out; above 0 for zeros alone.

    Of n zeros it is that of half a count, as Jeffreys' prior of a Poisson distribution has it.
    """
    known = ~np.isnan(values) * weights[:, np.newaxis]
    n = known.sum(axis=0)
    total = (known * np.nan_to_num(values)).sum(axis=0)
    return np.where(total > 0, total, 0.5) / np.maximum(n, 0.5)


def power_of_two_scale(values):
    """Return, per column, a power of two that scales the largest value to near 1.

    Divided by it, values have squares that neither overflow nor lose a bit.
    """
    return np.ldexp(1.0, np.frexp(_largest(values))[1] - 1)


def _largest(values):
    """Return the largest absolute value of each column, without a copy of all."""
    high, low = values.max(axis=-2, initial=0.0), values.min(axis=-2, initial=0.0)
    return np.maximum(high, -low)


def rms(columns, weights):
    """Return the root mean square of each of some columns, NaN left out; 1 if nothing is left."""
    found = []
    for column in columns:  # one at a time: with a long horizon all take much memory
        known = ~np.isnan(column) * weights
        values = np.nan_to_num(column).astype(np.float64, copy=False)  # a copy either way
        unit = power_of_two_scale(values[:, np.newaxis])[0]
        values /= unit  # in place, as above
        np.square(values, out=values)
        values *= known
        mean = values.sum() / max(known.sum(), 1e-300)
        found.append(unit * np.sqrt(mean) if mean > 0 else 1.0)
    return np.array(found)
