"""Quantiles, intervals and sample paths of forecasts: from the network, or from errors held out."""

from numbers import Integral, Real

import numpy as np
from scipy.special import ndtr
from sklearn.utils import check_random_state, check_scalar

from skrnn._forecaster.calibration import CALIBRATION_PATHS, POINT_LOSSES, CalibrationMixin
from skrnn._forecaster.distributions import nearest_counts
from skrnn._forecaster.quantile_function import (
    calibrated_paths,
    describing_scores,
    own_quantiles,
)
from skrnn._forecaster.sampling import Copula, learn_copula, sample_blocks, values_between


def _read_levels(levels):
    """Return the quantile levels in their given order.

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


class IntervalsMixin(CalibrationMixin):
    """`predict_quantiles`, `predict_interval` and `sample_paths` of a forecaster."""

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
            the network was trained for are allowed; with losses of a distribution all are, and
            with losses of a point all are after `calibrate`.

        horizon : int, default=None
            As in `predict`. Beyond the steps that the network forecasts at once, quantiles are
            those of sample paths (see `sample_paths`); a network of point forecasts has quantiles
            up to the calibrated horizon.

        n_paths : int, default=1000
            Number of sample paths per series, where they are needed. After `calibrate` there are
            200, as when its errors were measured: only then do they fit the forecasts.

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
        check_scalar(n_paths, "n_paths", Integral, min_val=1)
        loss = self._architecture["loss"]
        known = self._architecture["quantiles"] if loss == "quantile" else self.quantiles
        levels = _read_levels(known if quantiles is None else quantiles)
        calibrated = loss in POINT_LOSSES or self._conformal is not None
        if loss == "quantile" and not calibrated:
            known = np.array(self._architecture["quantiles"])
            at = np.abs(known - levels[:, np.newaxis]).argmin(axis=1)
            if not np.allclose(known[at], levels):
                raise ValueError(
                    f"The network knows the quantiles {known.tolist()} alone. Fit it with the "
                    "others, or call calibrate with series held out, which gives all of them."
                )
        given = self._read_histories(*given)
        longest = int(given.horizons.max())
        if calibrated:
            self._check_calibrated(longest)
            errors = self._error_quantiles(levels, longest)
        if loss in POINT_LOSSES:
            units = self._units(given.known)[..., np.newaxis]
            found = self._forecast(given)[..., :1] + errors * units
        elif calibrated:
            scores = describing_scores(self._network())
            found = self._own_quantiles(given, ndtr(scores), CALIBRATION_PATHS, random_state)
            found = values_between(found[..., np.newaxis, :], scores, errors)
            found = nearest_counts(loss, found)
        else:
            found = self._own_quantiles(given, levels, n_paths, random_state)
        found = beyond_is_nan(given.transformed.undo(found, axis=2), given.horizons)
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
            found = np.empty((len(points), n_paths, longest, transform.n_targets))
            for i in range(len(found)):
                chosen = rng.randint(len(errors), size=n_paths)
                found[i] = points[i] + errors[chosen] * units[i]
        else:
            found = self._sampled(given, n_paths, random_state)
        beyond = np.arange(longest) >= given.horizons[:, np.newaxis]
        found = given.transformed.undo(found, axis=3)
        found.swapaxes(1, 2)[beyond] = np.nan
        format_ = given.format_
        if format_ is not None and format_.axis is not None and format_.kind != "list":
            return format_.wrap(np.moveaxis(found, 1, -1), given.horizons, list(range(n_paths)))
        found = found[..., 0] if transform.n_targets == 1 else found
        return found[0] if format_ is not None and format_.kind == "single" else found

    def _own_quantiles(self, given, levels, n_paths, random_state):
        """Forecast the quantiles that the network itself has: (n, horizon, n_targets, n_levels)."""
        found = own_quantiles(
            self._network(), self._sampling_copula, given.known, given.future,
            int(given.horizons.max()), levels, n_paths, _sampling_seed(random_state),
        )  # fmt: skip
        self._check_finite(np.isfinite(found).all(axis=(1, 2, 3)))
        return found

    def _sampling_copula(self):
        """Return the Copula of sample paths.

        Raises
        ------
        ValueError
            If the network has no distribution.
        """
        self._check_distribution("Sample paths need")
        self._learn_copula()
        return Copula(*self._copula)

    def _check_distribution(self, what):
        """Raise where a network of quantiles knows one alone."""
        if self._architecture["loss"] == "quantile" and len(self._architecture["quantiles"]) < 2:
            raise ValueError(
                f"{what} a distribution, but the network knows the quantile "
                f"{self._architecture['quantiles'][0]} alone. Fit it with several quantiles, or "
                "forecast no more steps than it was trained for."
            )

    def _sampled(self, given, n_paths, random_state):
        """Draw sample paths of shape (n, n_paths, horizon, n_targets), calibrated if errors are."""
        network, longest = self._network(), int(given.horizons.max())
        copula, seed = self._sampling_copula(), _sampling_seed(random_state)
        found = np.empty((len(given.known), n_paths, longest, self._transform.n_targets))
        if calibrated := self._conformal is not None:
            self._check_calibrated(longest)
            scores = describing_scores(network)
            quantiles = self._own_quantiles(given, ndtr(scores), CALIBRATION_PATHS, seed)
            errors = self._error_quantiles(ndtr(scores), longest, strict=False)
            places = values_between(quantiles[..., np.newaxis, :], scores, errors)
        for part, paths in sample_blocks(
            network, copula, given.known, given.future, longest, n_paths, seed
        ):
            found[part] = paths
            if calibrated:
                paths = calibrated_paths(paths, quantiles[part], places[part], scores)
                found[part] = nearest_counts(network.loss, paths)
        self._check_finite(np.isfinite(found).all(axis=(1, 2, 3)))
        return found

    def _learn_copula(self):
        """Learn how errors of the steps of a block depend on each other, where paths need it."""
        if (sample := self.__dict__.get("_copula_sample")) is not None:
            self._copula = list(learn_copula(self._network(), *sample))
            self._copula_sample = None


def _sampling_seed(random_state):
    return int(check_random_state(random_state).randint(2**31 - 1))


def beyond_is_nan(values, horizons):
    """Put NaN in place of the steps (n, horizon, ...) beyond each series' own horizon."""
    beyond = np.arange(values.shape[1]) >= horizons[:, np.newaxis]
    if beyond.any():
        values[beyond] = np.nan
    return values
