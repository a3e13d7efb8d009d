"""Histories that a forecaster forecasts from: read from X, or kept from `fit` and `update`."""

from dataclasses import replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_scalar

from skrnn._data.sequences import Sequences
from skrnn._forecaster.future import read_future
from skrnn._forecaster.intervals import beyond_is_nan
from skrnn._forecaster.missing import Places
from skrnn._forecaster.reading import read_series
from skrnn._forecaster.rollout import Network, forecast
from skrnn._forecaster.series_format import (
    SeriesFormat,
    check_goes_on,
    ends_with,
    in_order_of,
    places_of,
)
from skrnn._forecaster.target_transformer import (
    TargetTransformer,
    TransformedSeries,
    requires_fit,
)


class Histories(NamedTuple):
    """Histories that forecasts are made from."""

    known: Sequences  # in transformed units
    future: Sequences  # covariates of steps to come
    horizons: np.ndarray  # (n_series,) steps to forecast of each
    format_: SeriesFormat | None  # its dates end where `known` does
    transformed: TransformedSeries  # what undoes the transformer


def _check_futures(given, horizons, format_):
    if (short := np.flatnonzero(given < horizons)).size:
        i = int(short[0])
        name = i if format_ is None or format_.ids is None else repr(format_.ids[i])
        raise ValueError(
            f"series {name} ends in {given[i]} step(s) of future covariates, but a forecast of "
            f"{horizons[i]} step(s) needs {horizons[i]}. Append rows that have the covariates, and "
            "NaN in place of the targets, or pass them as X_future, for the dates of "
            "future_index."
        )


class HistoriesMixin:
    """`update` and `future_index` of a forecaster, and forecasts from histories as arrays."""

    def update(self, X):
        """Append new observations to the histories of `predict()`; the weights do not change.

        Parameters
        ----------
        X : series
            New observations of each fitted series, in the order of `fit`; series of a panel are
            matched by name, and some may be absent. Dates must continue those of `fit`;
            observations without dates are taken to follow them. Rows of future covariates replace
            earlier ones.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If dates are known already or leave a gap, or if a series or a column is unknown.
        """
        self._check_whole()
        kept = self._form
        X, format_ = self._read_format(X)
        before, of_panel = self._histories, None
        if (
            kept is not None
            and kept.kind == "panel"
            and format_ is not None
            and format_.kind == "panel"
        ):
            of_panel = places_of(kept, format_)
            before = before.take(of_panel)
        new, future = read_series(self, X, reset=False, format_=format_, before=before)
        self._check_static(new, before, format_)
        if of_panel is not None:
            new, future, format_ = in_order_of(kept, of_panel, new, future, format_)
        if kept is not None and kept.axis is not None:
            check_goes_on(kept, format_, new.lengths, future.lengths)
            kept = replace(kept, axis=kept.axis.moved(new.lengths))
        left = [
            ahead if len(ahead) else before[n:]
            for ahead, before, n in zip(
                future.arrays(), self._futures.arrays(), new.lengths, strict=True
            )
        ]
        pairs = zip(self._histories.arrays(), new.arrays(), strict=True)
        known = Sequences.of([np.concatenate(pair) for pair in pairs])
        self._keep_histories(self._transform.kept(known), Sequences.of(left), kept)
        return self

    def _check_static(self, new, before, format_):
        """Raise for new steps with other static values than those of the history."""
        n = sum(j in self._columns.static for j, _ in self._columns.layout)
        if n == 0:
            return
        stop = len(self._columns.layout)
        for i, (values, history) in enumerate(zip(new.arrays(), before.arrays(), strict=True)):
            if (values[:, stop - n : stop] != history[-1, stop - n : stop]).any():
                name = i if format_ is None or format_.ids is None else repr(format_.ids[i])
                raise ValueError(
                    f"series {name} has other values in static_covariates than its history, but "
                    "they must not change. Fit anew, or forecast with predict(X)."
                )

    def future_index(self, horizon=None):
        """Return the dates that follow the fitted series and their updates.

        Use them to compute covariates of future steps, for example with `CalendarFeatures`.

        Parameters
        ----------
        horizon : int, default=None
            Number of steps; None takes `horizon` of the estimator.

        Returns
        -------
        DatetimeIndex, PeriodIndex, RangeIndex or MultiIndex
            For a panel, a MultiIndex (series, time).

        Raises
        ------
        ValueError
            If the fitted series had no dates.
        """
        self._check_whole()
        format_ = self._form
        if format_ is None or format_.axis is None or format_.kind == "list":
            raise ValueError("The fitted series had no dates. Fit series with a dated index.")
        horizon = self._transform.horizon if horizon is None else horizon
        check_scalar(horizon, "horizon", Integral, min_val=1)
        return format_.index(np.full(len(self._histories), int(horizon)))

    def _read_histories(self, X, horizon, X_future=None):
        """Read the histories to forecast from; None takes the ends of the fitted series.

        Returns
        -------
        Histories
        """
        self._check_whole()
        if X is None:
            known, future, format_ = self._histories, self._futures, self._form
        else:
            rows = self.n_features_in_ != self._step_width  # of a 2-D array: [x] is one of them
            X, format_ = (X, None) if rows else self._read_format(X)
            known, future = read_series(self, X, reset=False, format_=format_)
            format_ = ends_with(format_, future)
        if horizon is not None:
            check_scalar(horizon, "horizon", Integral, min_val=1)
        if X_future is not None:
            if X is not None and len(future.values):
                raise ValueError(
                    "X ends in rows to be forecast, and X_future has such rows as well. Pass one "
                    "of them."
                )
            future = read_future(self._columns, X_future, format_, len(known), horizon)
        if horizon is None:
            rows_ahead = future.lengths
            horizons = np.where(rows_ahead > 0, rows_ahead, self._transform.horizon)
        else:
            horizons = np.full(len(known), int(horizon))
        if self._transform.n_covariates and self._reads_future:
            _check_futures(future.lengths, horizons, format_)
        return self._transformed_histories(known, future, horizons, format_)

    def _transformed_histories(self, known, future, horizons, format_):
        """Return histories that forecasts are made from, in transformed units."""
        where = Places(self._columns, format_, known.offsets)
        transformed = self._target_transformer().apply(known, where)
        return Histories(transformed.known, future, horizons, format_, transformed)

    def _target_transformer(self, own=None):
        """Return the transformer of targets; `own` says whether scales are each series' own."""
        transformer, own = self._transformer, self._transform.own_scale if own is None else own
        own = own and transformer is not None and requires_fit(transformer)
        return TargetTransformer(transformer, own, self._columns.n_targets)

    @property
    def transformer_(self):
        """Fitted transformer of the targets, where all series share it."""
        own = "_transformer" in vars(self) and self._target_transformer().own
        if own or vars(self).get("_transformer") is None:
            raise AttributeError(
                "transformer_ is there after a fit with a transformer that all series share."
            )
        return self._transformer

    def _points(self, given):
        """Forecast points (n, horizon, n_targets) in the units of the series."""
        return given.transformed.undo(self._forecast(given)[..., self._network().point], axis=2)

    @property
    def _reads_future(self):
        """Whether covariates of the steps to come were there in training."""
        return self._every_step or len(self._futures.values) > 0

    def _forecast(self, given):
        """Forecast all series up to the longest of their horizons.

        Returns
        -------
        details : ndarray of shape (n, horizon, n_targets, outputs per target)
            In transformed units: points, quantiles, or mean and standard deviation; NaN beyond
            a series' own horizon.
        """
        details = forecast(self._network(), given.known, given.future, int(given.horizons.max()))
        self._check_finite(np.isfinite(details).all(axis=(1, 2, 3)))
        return beyond_is_nan(details, given.horizons)

    def _network(self, params=None):
        """Return the fitted network as pure functions take it."""
        loss, levels = self._architecture["loss"], self._architecture.get("quantiles", ())
        params = self._params if params is None else params
        return Network(self._transform, self._get_plan(), params, loss, np.array(levels))

    def _shaped(self, forecast, given, labels=None):
        """Return forecasts (n, horizon, n_targets, ...) in the format of the series.

        Dated series give tables, others arrays, which have only the axes that y, or a single
        series, had.
        """
        format_ = given.format_
        if format_ is not None and format_.axis is not None and format_.kind != "list":
            return format_.wrap(forecast, given.horizons, labels)
        if format_ is not None and format_.kind == "single":
            return forecast[0, :, 0] if forecast.shape[2] == 1 else forecast[0]
        if self._y_ndim == 1 and forecast.shape[1] == 1:
            return forecast[:, 0, 0]
        if forecast.shape[2] == 1:
            return forecast[:, :, 0]
        return forecast[:, 0] if self._y_ndim == 2 and forecast.shape[1] == 1 else forecast
