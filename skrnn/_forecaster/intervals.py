"""Quantiles and intervals of forecasts: from the network, or from errors on series held out."""

import numpy as np
from scipy.special import ndtri

from skrnn._data.sequences import Sequences
from skrnn._data.single_series import unwrap
from skrnn._forecaster.rollout import forecast
from skrnn._forecaster.series import read_series

OWN_SCALE_ORIGINS = 200  # of a series, where each origin is a computation of its own
CALIBRATED_NUMBERS = 1_000_000  # that the network reads at a time: some 50 MB with all copies


def _held_out_errors(network, origins, horizon):
    """Forecast from origins (history, covariates to come, truth): (n, horizon, n_targets)."""
    histories, futures, truths = zip(*origins, strict=True)
    details = forecast(network, Sequences.of(histories), Sequences.of(futures), horizon)
    return np.array(truths) - details[..., network.point]


class IntervalsMixin:
    """`predict_quantiles`, `predict_interval` and `calibrate` of a forecaster."""

    def predict_quantiles(self, X=None, quantiles=None, *, horizon=None):
        """Forecast quantiles.

        Parameters
        ----------
        X : series, default=None
            As in `predict`.

        quantiles : sequence of float, default=None
            Levels; None for those of the estimator. With `loss='quantile'` only levels that it was
            trained for, with 'gaussian' any, with other losses any after `calibrate`.

        horizon : int, default=None
            As in `predict`.

        Returns
        -------
        ndarray
            As of `predict`, with an axis of quantiles at the end.
        """
        self._check_whole()
        loss = self._architecture["loss"]
        known = self._architecture["quantiles"] if loss == "quantile" else self.quantiles
        levels = known if quantiles is None else quantiles
        levels = np.sort(np.asarray(levels, dtype=np.float64).ravel())
        if loss == "quantile":
            known = np.array(self._architecture["quantiles"])
            at = np.abs(known - levels[:, np.newaxis]).argmin(axis=1)
            if not np.allclose(known[at], levels):
                raise ValueError(f"The network knows the quantiles {known.tolist()} alone.")
        details, form, n_given = self._forecast(X, horizon)
        if loss == "quantile":
            found = details[..., at]
        elif loss == "gaussian":
            found = details[..., :1] + ndtri(levels) * details[..., 1:]
        else:
            found = details[..., :1] + self._errors(levels, details.shape[1])
        if form is not None:
            return found[0, :, 0] if found.shape[2] == 1 else found[0]
        return self._shaped(found, None, n_given)

    def predict_interval(self, X=None, coverage=0.9, *, horizon=None):
        """Forecast an interval for each value.

        Parameters
        ----------
        X : series, default=None
            As in `predict`.

        coverage : float, default=0.9
            Probability that a value lies within; its rest is shared by both sides.

        horizon : int, default=None
            As in `predict`.

        Returns
        -------
        ndarray
            As of `predict`, with an axis (lower, upper) at the end.
        """
        return self.predict_quantiles(X, [(1 - coverage) / 2, (1 + coverage) / 2], horizon=horizon)

    def calibrate(self, X, *, horizon=None):
        """Measure the errors on series held out, for intervals of a network of point forecasts.

        Split-conformal prediction [9]_: at each origin of X with a whole lookback before it and a
        whole horizon behind, the errors of each step ahead are kept; `predict_quantiles` adds their
        quantiles to its forecasts. X must not have been used in `fit`, save as history. Coverage
        holds as far as errors to come are like those of X: where they change with the season,
        calibrate anew on the last weeks.

        Parameters
        ----------
        X : series
            As in `fit`, for example the last part of the training series.

        horizon : int, default=None
            Steps ahead whose errors are measured, forecasts being fed back; None for those the
            network makes at once. Beyond them errors are taken to be those of the last.

        Returns
        -------
        self : object

        References
        ----------
        .. [9] Lei et al. (2018). Distribution-free predictive inference for regression.
        """
        self._check_whole()
        if self._architecture["loss"] not in ("squared_error", "absolute_error"):
            raise ValueError(
                "calibrate is for losses of a point; this network has its own quantiles."
            )
        frame, network = self._frame, self._network()
        k, h, need = frame.n_targets, horizon or frame.horizon, frame.need
        ahead = -(-h // frame.horizon) * frame.horizon  # whole blocks, of covariates
        X, _ = unwrap(X)
        found, origins, size = [], [], 0
        # Of one step the network reads targets and a block's covariates; it may forecast from each.
        width = k + frame.horizon * frame.n_covariates + network.plan.n_outputs
        given = read_series(self, X, reset=False)
        for known, future in zip(*(part.split() for part in given), strict=True):
            rows = np.concatenate([known[:, k:], future])
            last = min(len(known) - h, len(rows) - ahead if frame.n_covariates else len(known))
            # A scale of the series' own is that of all its history, which differs at each origin.
            stops = range(need, last + 1)
            stops = stops[:: max(1, len(stops) // OWN_SCALE_ORIGINS)] if frame.own_scale else stops
            for stop in stops:
                history = known[0 if frame.own_scale else stop - need : stop]
                origins.append((history, rows[stop : stop + ahead], known[stop : stop + h, :k]))
                size += len(history) * width
                if size > CALIBRATED_NUMBERS:
                    found.append(_held_out_errors(network, origins, h))
                    origins, size = [], 0
        if origins:
            found.append(_held_out_errors(network, origins, h))
        if sum(map(len, found)) < 2:
            raise ValueError(
                f"No series of X has more than {need} + {h} steps, of history and to be forecast: "
                "there is no error to learn from."
            )
        errors = np.concatenate(found)
        errors.sort(axis=0)
        self._conformal = errors
        return self

    def _errors(self, levels, horizon):
        """Quantiles of the held-out errors: (horizon, n_targets, n_levels)."""
        if self._conformal is None:
            raise ValueError(
                f"A network trained with loss={self._architecture['loss']!r} knows no quantiles: "
                "call calibrate with series held out, or train with loss='quantile' or 'gaussian'."
            )
        n = len(self._conformal)
        # The level is raised for the one value to come, so that coverage holds in finite samples.
        upper = np.ceil(levels * (n + 1)) - 1
        lower = np.floor(levels * (n + 1)) - 1
        at = np.clip(np.where(levels > 0.5, upper, lower), 0, n - 1).astype(int)
        errors = np.moveaxis(self._conformal[at], 0, -1)
        # Fed back, errors grow no less than within the last block.
        return errors[np.minimum(np.arange(horizon), len(errors) - 1)]
