"""Quantiles, intervals and sample paths of forecasts: from the network, or from errors held out."""

from numbers import Integral, Real

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state, check_scalar

from skrnn._data.sequences import Sequences
from skrnn._forecaster.reading import read_series
from skrnn._forecaster.rollout import forecast
from skrnn._forecaster.sampling import Copula, learn_copula, sample_blocks
from skrnn._forecaster.transform import TINY

OWN_SCALE_ORIGINS = 200  # of a series, where each origin is a computation of its own
CALIBRATED_NUMBERS = 1_000_000  # that the network reads at a time: some 50 MB with all copies
POINT_LOSSES = ("squared_error", "absolute_error")


def _read_levels(levels):
    """Return levels in the order in which they were given.

    Raises
    ------
    ValueError
        For levels that are not between 0 and 1.
    """
    levels = np.asarray(levels, dtype=np.float64).ravel()
    if len(levels) == 0 or not ((levels > 0) & (levels < 1)).all():
        wrong = levels[~((levels > 0) & (levels < 1))]
        found = f"; got {wrong[0]:g}" if len(wrong) else ", at least one"
        hint = f". Write {wrong[0] / 100:g} for {wrong[0]:g} %" if (wrong >= 1).any() else ""
        raise ValueError(f"quantiles must lie between 0 and 1{found}{hint}.")
    return levels


def _held_out_errors(network, origins, horizon, by_series):
    """Forecast from origins (history, covariates to come, truth): (n, horizon, n_targets)."""
    histories, futures, truths = zip(*origins, strict=True)
    known = Sequences.of(histories)
    details = forecast(network, known, Sequences.of(futures), horizon)
    errors = np.array(truths) - details[..., network.point]
    return errors / error_units(network.transform, known) if by_series else errors


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


class IntervalsMixin:
    """`predict_quantiles`, `predict_interval`, `sample_paths` and `calibrate` of a forecaster."""

    def predict_quantiles(
        self, X=None, quantiles=None, *, horizon=None, n_paths=1000, random_state=0, X_future=None
    ):
        """Forecast quantiles.

        Parameters
        ----------
        X : series, default=None
            As in `predict`.

        quantiles : sequence of float, default=None
            Levels; None takes those of the estimator. With `loss='quantile'` only the levels that
            the network was trained for are allowed; with 'gaussian' all are, and with other losses
            all are after `calibrate`.

        horizon : int, default=None
            As in `predict`. Beyond the steps that the network forecasts at once, quantiles are
            those of sample paths (see `sample_paths`); a network of point forecasts has quantiles
            up to the calibrated horizon.

        n_paths : int, default=1000
            Number of sample paths per series, where they are needed.

        random_state : int, RandomState instance or None, default=0
            Seed of the sample paths.

        X_future : rows of the steps to come, default=None
            As in `predict`.

        Returns
        -------
        ndarray
            As returned by `predict`, with an axis of quantiles at the end, in the given order. With
            dates, a DataFrame whose columns are the levels, or (target, level).

        Raises
        ------
        ValueError
            If a level is not between 0 and 1 or unknown to the network, or if the network has not
            been calibrated, or only on fewer steps ahead or too few errors.
        """
        given = X, horizon, X_future
        return self._quantiles(given, quantiles, n_paths, random_state)

    def _quantiles(self, given, quantiles, n_paths, random_state, labels=None):
        """Forecast quantiles; in tables they are called `labels`, or as they are."""
        self._check_whole()
        loss, h = self._architecture["loss"], self._transform.horizon
        known = self._architecture["quantiles"] if loss == "quantile" else self.quantiles
        levels = _read_levels(known if quantiles is None else quantiles)
        if loss == "quantile":
            known = np.array(self._architecture["quantiles"])
            at = np.abs(known - levels[:, np.newaxis]).argmin(axis=1)
            if not np.allclose(known[at], levels):
                raise ValueError(f"The network knows the quantiles {known.tolist()} alone.")
        given = self._read_histories(*given)
        if loss in POINT_LOSSES:
            self._check_calibrated(int(given.horizons.max()))
            errors = self._error_quantiles(levels, int(given.horizons.max()))
            details = self._forecast(given)
            found = details[..., :1] + errors * self._units(given.known)[..., np.newaxis]
        else:
            longest = int(given.horizons.max())
            within = given._replace(horizons=np.minimum(given.horizons, h))
            details = self._forecast(within)
            found = np.empty((*details.shape[:1], longest, details.shape[2], len(levels)))
            if loss == "quantile":
                found[:, :h] = details[..., at]
            else:
                found[:, :h] = details[..., :1] + ndtri(levels) * details[..., 1:]
            if longest > h:
                for part, paths in self._sampled(given, n_paths, random_state):
                    found[part, h:] = np.moveaxis(
                        np.quantile(paths[:, :, h:], levels, axis=1), 0, -1
                    )
        found = beyond_is_nan(found, given.horizons)
        return self._shaped(found, given, levels.tolist() if labels is None else labels)

    def predict_interval(
        self, X=None, coverage=0.9, *, horizon=None, n_paths=1000, random_state=0, X_future=None
    ):
        """Forecast an interval for each value.

        Parameters
        ----------
        X : series, default=None
            As in `predict`.

        coverage : float, default=0.9
            Probability that a value lies within the interval; the remaining probability is divided
            equally between both sides.

        horizon, n_paths, random_state, X_future : as in `predict_quantiles`

        Returns
        -------
        ndarray
            As returned by `predict`, with an axis (lower, upper) at the end. With dates, a
            DataFrame whose columns are 'lower' and 'upper', or (target, 'lower') and (target,
            'upper').

        Raises
        ------
        ValueError
            As `predict_quantiles` does.
        """
        if not isinstance(coverage, Real) or not 0 < coverage < 1:
            hint = " Write 0.9 for 90 %." if isinstance(coverage, Real) and coverage >= 1 else ""
            raise ValueError(f"coverage={coverage!r} must lie between 0 and 1.{hint}")
        levels = [(1 - coverage) / 2, (1 + coverage) / 2]
        given = X, horizon, X_future
        return self._quantiles(given, levels, n_paths, random_state, ["lower", "upper"])

    def sample_paths(self, X=None, n_paths=100, *, horizon=None, random_state=None, X_future=None):
        """Draw continuations of each series from the distribution that the network forecasts.

        The steps of a path depend on one another, which is needed for sums over steps or the first
        day above a limit. Within the steps that the network forecasts at once, they depend on one
        another as its training errors did; beyond, the sampled values are fed back as input [10]_.
        For a network of point forecasts, a path is the forecast plus the errors of one origin of
        `calibrate`.

        Parameters
        ----------
        X : series, default=None
            As in `predict`.

        n_paths : int, default=100
            Number of paths per series.

        horizon : int, default=None
            As in `predict`.

        random_state : int, RandomState instance or None, default=None
            With an int, every call draws the same paths. Each series has random numbers of its own,
            which do not depend on the other series.

        X_future : rows of the steps to come, default=None
            As in `predict`.

        Returns
        -------
        ndarray of shape (n, n_paths, horizon), or (n, n_paths, horizon, n_targets)
            Sample paths, without the first axis for a single series. With dates, a DataFrame whose
            columns are the numbers of the paths, or (target, number).

        Raises
        ------
        ValueError
            If the network has no distribution: with `loss='quantile'` and a single level, or with a
            point loss before `calibrate`.

        References
        ----------
        .. [10] Salinas et al. (2020). DeepAR: probabilistic forecasting with autoregressive
           recurrent networks.
        """
        self._check_whole()
        given = self._read_histories(X, horizon, X_future)
        transform, longest = self._transform, int(given.horizons.max())
        check_scalar(n_paths, "n_paths", Integral, min_val=1)
        shape = len(given.known), n_paths, longest, transform.n_targets
        found = np.empty(shape)
        if self._architecture["loss"] in POINT_LOSSES:
            self._check_calibrated(longest)
            points, units = self._forecast(given)[..., 0], self._units(given.known)
            rng = check_random_state(random_state)
            errors = self._conformal[:, :longest]
            errors = errors[~np.isnan(errors).any(axis=(1, 2))]
            if len(errors) == 0:
                raise ValueError(
                    "calibrate has found no forecast all of whose true values are known, and a "
                    "path needs one. Call it with series that have such stretches."
                )
            for i in range(len(found)):
                chosen = rng.randint(len(errors), size=n_paths)
                found[i] = points[i] + errors[chosen] * units[i]
        else:
            for part, paths in self._sampled(given, n_paths, random_state):
                found[part] = paths
        beyond = np.arange(longest) >= given.horizons[:, np.newaxis]
        found.swapaxes(1, 2)[beyond] = np.nan
        format_ = given.format_
        if format_ is not None and format_.axis is not None and format_.kind != "list":
            return format_.wrap(np.moveaxis(found, 1, -1), given.horizons, list(range(n_paths)))
        found = found[..., 0] if transform.n_targets == 1 else found
        return found[0] if format_ is not None and format_.kind == "single" else found

    def _sampled(self, given, n_paths, random_state):
        """Yield (which series, paths of shape (n, n_paths, horizon, n_targets)) block by block."""
        check_scalar(n_paths, "n_paths", Integral, min_val=1)
        if self._architecture["loss"] == "quantile" and len(self._architecture["quantiles"]) < 2:
            raise ValueError(
                "Sample paths need a distribution, but the network knows the quantile "
                f"{self._architecture['quantiles'][0]} alone. Fit it with several quantiles, or "
                "forecast no more steps than it was trained for."
            )
        self._learn_copula()
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        copula = Copula(*self._copula)
        longest = int(given.horizons.max())
        for part, paths in sample_blocks(
            self._network(), copula, given.known, given.future, longest, n_paths, seed
        ):
            finite = np.ones(len(given.known), bool)
            finite[part] = np.isfinite(paths).all(axis=(1, 2, 3))
            self._check_finite(finite)
            yield part, paths

    def _learn_copula(self):
        """Learn how errors of the steps of a block depend on each other, where paths need it."""
        if (sample := self.__dict__.get("_copula_sample")) is not None:
            self._copula = list(learn_copula(self._network(), *sample))
            self._copula_sample = None

    def calibrate(self, X, *, horizon=None, n_steps=None):
        """Measure the errors on series held out, for intervals of a network of point forecasts.

        This is split-conformal prediction [9]_. At each origin of X with a whole lookback before it
        and a whole horizon after it, the error of each step ahead is kept, and `predict_quantiles`
        adds quantiles of these errors to the forecasts. X must not have been used in `fit`, except
        as history. The coverage holds as long as future errors resemble those on X; if errors
        change with the season, calibrate again on the last weeks. A later `fit` or `partial_fit`
        discards the calibration.

        Errors of several series, or of series that are scaled by themselves (`scaling='series'`),
        are kept as multiples of the root mean square of the recent changes of each series, so that
        a small series gets a narrower interval than a large one.

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

        Returns
        -------
        self : object

        References
        ----------
        .. [9] Lei et al. (2018). Distribution-free predictive inference for regression.
        """
        self._check_whole()
        if self._architecture["loss"] not in POINT_LOSSES:
            raise ValueError(
                "calibrate is for losses of a point; this network has its own quantiles."
            )
        if horizon is not None:
            check_scalar(horizon, "horizon", Integral, min_val=1)
        if n_steps is not None:
            check_scalar(n_steps, "n_steps", Integral, min_val=1)
        transform, network = self._transform, self._network()
        k, h, length = transform.n_targets, horizon or transform.horizon, transform.history_length
        ahead = transform.n_blocks(h) * transform.horizon  # whole blocks, of covariates
        X, format_ = self._read_format(X)
        found, origins, size = [], [], 0
        # Of one step the network reads targets and a block's covariates; it may forecast from each.
        width = transform.n_inputs + network.plan.n_outputs
        given = read_series(self, X, reset=False, format_=format_)
        by_series = transform.own_scale or len(given[0]) > 1
        for known, future in zip(*(part.arrays() for part in given), strict=True):
            rows = np.concatenate([known[:, k : k + transform.n_covariates], future])
            truth = transform.truth(known)
            last = min(len(known) - h, len(rows) - ahead if transform.n_covariates else len(known))
            # A scale of the series' own is that of all its history, which differs at each origin.
            stops = range(
                length if n_steps is None else max(length, len(known) - n_steps), last + 1
            )
            stops = (
                stops[:: max(1, len(stops) // OWN_SCALE_ORIGINS)] if transform.own_scale else stops
            )
            for stop in stops:
                history = known[0 if transform.own_scale else stop - length : stop]
                origins.append((history, rows[stop : stop + ahead], truth[stop : stop + h]))
                size += len(history) * width
                if size > CALIBRATED_NUMBERS:
                    found.append(_held_out_errors(network, origins, h, by_series))
                    origins, size = [], 0
        if origins:
            found.append(_held_out_errors(network, origins, h, by_series))
        if sum(map(len, found)) < 2:
            raise ValueError(
                f"No series of X has more than {length} + {h} steps, of history and to be "
                "forecast: there is no error to learn from."
            )
        self._conformal, self._conformal_by_series = np.concatenate(found), by_series
        return self

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
                "train with loss='quantile' or 'gaussian'."
            )
        if horizon > (measured := self._conformal.shape[1]):
            raise ValueError(
                f"Errors have been measured up to {measured} step(s) ahead, but {horizon} are to "
                f"be forecast. Call calibrate(X, horizon={horizon}) with series held out."
            )

    def _error_quantiles(self, levels, horizon):
        """Quantiles of the held-out errors: (horizon, n_targets, n_levels)."""
        errors = np.sort(self._conformal[:, :horizon], axis=0)  # NaN, of what is missing, last
        n = (~np.isnan(errors)).sum(axis=0)[..., np.newaxis]
        # The level is raised for the one value to come, so that coverage holds in finite samples.
        upper = np.ceil(np.round(levels * (n + 1), 9)) - 1
        lower = np.floor(np.round(levels * (n + 1), 9)) - 1
        at = np.where(levels > 0.5, upper, lower).astype(int)
        if ((at < 0) | (at >= n)).any():
            extreme = levels[np.argmax(np.abs(levels - 0.5))]
            needed = int(np.ceil(round(max(extreme, 1 - extreme) / min(extreme, 1 - extreme), 9)))
            raise ValueError(
                f"The quantile {extreme:g} needs at least {needed} errors, but calibrate has found "
                f"{n.min()}. Pass it longer or more series held out, or ask for less coverage."
            )
        return np.take_along_axis(np.moveaxis(errors, 0, -1), at, axis=-1)


def beyond_is_nan(values, horizons):
    """Put NaN in place of the steps (n, horizon, ...) beyond each series' own horizon."""
    beyond = np.arange(values.shape[1]) >= horizons[:, np.newaxis]
    if beyond.any():
        values[beyond] = np.nan
    return values
