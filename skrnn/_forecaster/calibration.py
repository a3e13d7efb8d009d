"""Errors of forecasts of series held out, and the calibrated distributions that follow from them.

Split-conformal prediction: at each origin of series held out, the error of each step ahead is kept,
and their quantiles make the intervals of later forecasts. What counts as an error depends on what
the network forecasts:

- a point: the difference of truth and forecast, as a multiple of the recent changes of the series;
- a distribution: the normal score of the truth in it, ``ndtri(F(truth))``, as conformalized
  quantile regression does with intervals (Romano et al., 2019). Where the scores have the quantile
  z* at a level p, the calibrated quantile at p is the value whose own score is z*.

A distribution is described here by some of its quantiles; between them, values are linear in the
normal score.
"""

from numbers import Integral, Real

import numpy as np
from scipy.special import ndtr
from sklearn.utils import check_scalar

from skrnn._data.sequences import Sequences
from skrnn._forecaster.adaptation import Adaptation, adaptation
from skrnn._forecaster.missing import Places
from skrnn._forecaster.quantile_function import describing_scores, own_quantiles, scores_between
from skrnn._forecaster.reading import read_series
from skrnn._forecaster.rollout import forecast
from skrnn._forecaster.transform import TINY

# Sample paths beyond the steps that the network forecasts at once, where scores are measured and
# where they are used: quantiles of more paths are others, among which truths lie elsewhere.
CALIBRATION_PATHS = 200
CALIBRATION_SEED = 0
OWN_SCALE_ORIGINS = 200  # of a series, where each origin is a computation of its own
SAMPLED_ORIGINS = 2000  # of all series, where each needs sample paths
CALIBRATED_NUMBERS = 1_000_000  # that the network reads at a time: some 50 MB with all copies
POINT_LOSSES = ("squared_error", "absolute_error")


def error_units(transform, known):
    """Return the unit of the errors of each series, of shape (n, 1, n_targets).

    It is the root mean square of the recent changes, over the steps that a forecast reads. (The
    deviation of a whole history would not do: that of a random walk grows with its length, its
    errors do not.)
    """
    units, k = [], transform.n_targets
    for values in known.arrays():
        y, lag = transform.truth(values[-transform.history_length :]), max(1, transform.lag)
        changes = y[lag:] - y[:-lag] if len(y) > lag else y[1:] - y[:-1]
        if transform.n_indicators:  # changes from or to what is missing are not known
            changes = changes[~np.isnan(changes).any(axis=1)]
        scale = transform.scale[:k]
        mean = ((changes / scale) ** 2).mean(axis=0) if len(changes) else np.ones(k)
        units.append(np.maximum(np.sqrt(mean), TINY) * scale)
    return np.array(units)[:, np.newaxis]


def held_out_errors(network, origins, horizon, by_series):
    """Forecast points from origins, and return how far the truth is from them.

    Parameters
    ----------
    network : Network
    origins : list of (history, covariates to come, truth)
    horizon : int
    by_series : bool
        Whether errors are multiples of the `error_units` of their series.

    Returns
    -------
    ndarray of shape (n, horizon, n_targets)
    """
    histories, futures, truths = zip(*origins, strict=True)
    known = Sequences.of(histories)
    details = forecast(network, known, Sequences.of(futures), horizon)
    errors = np.array(truths) - details[..., network.point]
    return errors / error_units(network.transform, known) if by_series else errors


def held_out_scores(network, copula, origins, horizon):
    """Forecast distributions from origins, and return the normal scores of the truth in them.

    Parameters
    ----------
    network, copula
        As `own_quantiles` takes them.
    origins : list of (history, covariates to come, truth)
    horizon : int

    Returns
    -------
    ndarray of shape (n, horizon, n_targets)
    """
    histories, futures, truths = zip(*origins, strict=True)
    scores = describing_scores(network)
    quantiles = own_quantiles(
        network, copula, Sequences.of(histories), Sequences.of(futures), horizon, ndtr(scores),
        CALIBRATION_PATHS, CALIBRATION_SEED,
    )  # fmt: skip
    return scores_between(quantiles, scores, np.array(truths))


class CalibrationMixin:
    """`calibrate` of a forecaster, and what it has measured."""

    def calibrate(self, X, *, horizon=None, n_steps=None, adaptation_rate=0.0):
        """Measure the errors on series held out, for intervals that hold as much as they promise.

        This is split-conformal prediction [9]_. At each origin of X with a whole lookback before it
        and a whole horizon after it, the error of each step ahead is kept. For a network of point
        forecasts, `predict_quantiles` adds quantiles of these errors to the forecasts. For a
        network that forecasts a distribution, an error is the place of the truth in it, and
        `predict_quantiles` takes the quantiles that have as much below them as is asked for [10]_:
        so levels that training got wrong, or that have changed since, become right, and a network
        trained with `loss='quantile'` has all levels. X must not have been used in `fit`, except as
        history. The coverage holds as long as future errors resemble those on X; if errors change
        with the season, calibrate again on the last weeks, or set `adaptation_rate`. A later `fit`
        or `partial_fit` discards the calibration.

        Errors of point forecasts of several series, or of series that are scaled by themselves
        (`scaling='series'`), are kept as multiples of the root mean square of the recent changes of
        each series, so that a small series gets a narrower interval than a large one.

        Parameters
        ----------
        X : series
            As in `fit`, for example the last part of the training series.

        horizon : int, default=None
            Number of steps ahead whose errors are measured; forecasts are fed back if there are
            more than the network makes at once, which is the number that None takes. Intervals
            reach no further ahead.

        n_steps : int, default=None
            Number of steps at the end of each series whose errors are measured; the steps before
            are history. None takes all steps that have a lookback before them.

        adaptation_rate : float, default=0.0
            Step size of adaptive conformal inference [11]_, for errors that grow or shrink with
            time. Going through X in the order of its origins, the level whose quantile is taken
            moves by this times the difference of the share asked for and the share below it, for
            each step ahead on its own. 0 weighs all errors of X alike; 0.002 per step of time
            follows a change within some 500 steps. Series must end at the same time. Levels that
            leave the range of the errors take the outermost one. `sample_paths` of point forecasts
            are not adapted.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If no series of X has a whole history and horizon, or if the network knows one quantile
            alone, which is no distribution.

        References
        ----------
        .. [9] Lei et al. (2018). Distribution-free predictive inference for regression.
        .. [10] Romano, Patterson and Candès (2019). Conformalized quantile regression.
        .. [11] Gibbs and Candès (2021). Adaptive conformal inference under distribution shift.
        """
        self._check_whole()
        of_points = self._architecture["loss"] in POINT_LOSSES
        if not of_points:
            self._check_distribution("calibrate needs")
        if horizon is not None:
            check_scalar(horizon, "horizon", Integral, min_val=1)
        if n_steps is not None:
            check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_scalar(adaptation_rate, "adaptation_rate", Real, min_val=0, max_val=1)
        transform, network = self._transform, self._network()
        k, h, length = transform.n_targets, horizon or transform.horizon, transform.history_length
        ahead = transform.n_blocks(h) * transform.horizon  # whole blocks, of covariates
        X, format_ = self._read_format(X)
        found, origins, size, times, owners = [], [], 0, [], []
        # Of one step the network reads targets and a block's covariates; it may forecast from each.
        width = transform.n_inputs + network.plan.n_outputs
        given = read_series(self, X, reset=False, format_=format_)
        where, transformer = Places(self._columns, format_, given[0].offsets), None
        if (own := self._target_transformer()).own:
            transformer = own  # of each origin
        else:
            given = own.apply(given[0], where).known, given[1]
        by_series = of_points and (transform.own_scale or len(given[0]) > 1)
        sampled = not of_points and h > transform.horizon
        most, spacing = OWN_SCALE_ORIGINS if transform.own_scale else np.inf, 1
        if sampled:
            most = max(1, min(most, SAMPLED_ORIGINS // len(given[0])))

        def measure():
            if of_points:
                found.append(held_out_errors(network, origins, h, by_series))
            else:
                found.append(held_out_scores(network, self._sampling_copula, origins, h))
            origins.clear()

        parts = zip(*(part.arrays() for part in given), strict=True)
        for i, (known, future) in enumerate(parts):
            rows = np.concatenate([known[:, k : k + transform.n_covariates], future])
            last = min(len(known) - h, len(rows) - ahead if transform.n_covariates else len(known))
            # A scale of the series' own is that of all its history, which differs at each origin.
            stops = range(
                length if n_steps is None else max(length, len(known) - n_steps), last + 1
            )
            stops = stops[:: max(1, int(len(stops) // most))]
            spacing = max(spacing, stops.step)
            times += [stop - len(known) for stop in stops]
            owners += [i] * len(stops)
            truth = transform.truth(known)
            for stop in stops:
                if transformer is not None:
                    whole, cut = Sequences.of([given[0].arrays()[i]]), np.array([stop])
                    series = np.array([i])
                    (known,) = transformer.apply(
                        whole, where, cuts=cut, series=series
                    ).known.arrays()
                    truth = transform.truth(known)
                history = known[0 if transform.own_scale else stop - length : stop]
                origins.append((history, rows[stop : stop + ahead], truth[stop : stop + h]))
                size += len(history) * width
                if size > CALIBRATED_NUMBERS:
                    measure()
                    size = 0
        if origins:
            measure()
        if sum(map(len, found)) < 2:
            raise ValueError(
                f"No series of X has more than {length} + {h} steps, of history and to be "
                "forecast: there is no error to learn from."
            )
        self._conformal, self._conformal_by_series = np.concatenate(found), by_series
        self._adaptation = None
        if adaptation_rate:
            self._adaptation = list(
                adaptation(
                    min(adaptation_rate * spacing, 1.0),
                    self._conformal,
                    np.array(times),
                    np.array(owners),
                )
            )
        return self

    def _discard_calibration(self):
        """Forget the errors, which are those of other weights."""
        self._conformal, self._conformal_by_series, self._adaptation = None, False, None

    def _units(self, known):
        """Return what calibrated errors are multiples of: (n, 1, n_targets)."""
        if not self._conformal_by_series:
            return np.ones((len(known), 1, self._transform.n_targets))
        return error_units(self._transform, known)

    def _check_calibrated(self, horizon):
        """Raise where no errors, or not those of so many steps ahead, have been measured."""
        if self._conformal is None:
            raise ValueError(
                f"A network trained with loss={self._architecture['loss']!r} knows no quantiles: "
                "call calibrate with series held out (anew after each fit and partial_fit), or "
                "train with a loss that has them, such as 'quantile' or 'gaussian'."
            )
        if horizon > (measured := self._conformal.shape[1]):
            raise ValueError(
                f"Errors have been measured up to {measured} step(s) ahead, but {horizon} are to "
                f"be forecast. Call calibrate(X, horizon={horizon}) with series held out."
            )

    def _error_quantiles(self, levels, horizon, strict=True):
        """Return quantiles of the held-out errors: (horizon, n_targets, n_levels).

        Where there are too few for a level, it is refused, or unless `strict` the outermost error
        stands.
        """
        errors = np.sort(self._conformal[:, :horizon], axis=0)  # NaN, of what is missing, last
        n = (~np.isnan(errors)).sum(axis=0)[..., np.newaxis]
        at = _places(levels, n)
        if strict and ((at < 0) | (at >= n)).any():
            extreme = levels[np.argmax(np.abs(levels - 0.5))]
            needed = int(np.ceil(round(max(extreme, 1 - extreme) / min(extreme, 1 - extreme), 9)))
            raise ValueError(
                f"The quantile {extreme:g} needs at least {needed} errors, but calibrate has found "
                f"{n.min()}. Pass it longer or more series held out, or ask for less coverage."
            )
        if self._adaptation is not None:
            rate, ranks = self._adaptation
            at = _places(Adaptation(rate, ranks[:, :, :horizon]).levels(levels), n)
        at = np.clip(at, 0, np.maximum(n - 1, 0))
        return np.take_along_axis(np.moveaxis(errors, 0, -1), at, axis=-1)


def _places(levels, n):
    """Return which of n errors in order has a level, counted from 0; outside of them for none.

    The level is raised for the one value to come, so that coverage holds in finite samples.
    """
    upper = np.ceil(np.round(levels * (n + 1), 9)) - 1
    lower = np.floor(np.round(levels * (n + 1), 9)) - 1
    return np.where(levels > 0.5, upper, lower).astype(int)
