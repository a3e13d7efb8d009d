"""Scorers of forecasters, for searches and cross-validation with and without y."""

from inspect import signature

import numpy as np

from skrnn._data.time_slices import TimeSlices
from skrnn.metrics._point_forecasts import (
    mean_absolute_scaled_error,
    root_mean_squared_scaled_error,
    symmetric_mean_absolute_percentage_error,
    weighted_absolute_percentage_error,
)
from skrnn.metrics._probabilistic_forecasts import mean_quantile_loss, weighted_interval_score


def make_forecast_scorer(metric, **options):
    """Make a scorer of forecasters from a metric of forecasts.

    A scorer is called as ``scorer(forecaster, X, y)``, by searches, cross-validation and early
    stopping. With y it compares the forecasts from the histories X with it; without y the last
    `horizon` steps of each series with the forecasts from the steps before. The forecaster may be
    the last step of a pipeline that leaves the targets as they are.

    Parameters
    ----------
    metric : callable
        A metric of this module, or one with the same parameters: `y_pred` or `y_quantiles`, and
        `y_train` if it reads the histories. Quantiles are those of the forecaster.

    **options
        Further parameters of the metric, such as ``season_length=12``.

    Returns
    -------
    scorer : callable
        Greater is better: it returns the metric with its sign changed.

    See Also
    --------
    sklearn.metrics.make_scorer : For metrics of y and predictions alone.

    Examples
    --------
    >>> from skrnn.metrics import make_forecast_scorer, mean_absolute_scaled_error
    >>> make_forecast_scorer(mean_absolute_scaled_error, season_length=12)
    make_forecast_scorer(mean_absolute_scaled_error, season_length=12)
    """
    return _ForecastScorer(metric, options)


class _ForecastScorer:
    def __init__(self, metric, options):
        self.metric, self.options = metric, options

    def __reduce__(self):
        return make_forecast_scorer, (self.metric,), {"options": self.options}

    def __repr__(self):
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"make_forecast_scorer({self.metric.__name__}{options})"

    def __call__(self, estimator, X, y=None, sample_weight=None):
        last = final_step(estimator)
        options, parameters = dict(self.options), signature(self.metric).parameters
        slices = TimeSlices(X, last.n_targets)
        every = np.arange(len(slices.lengths))
        if y is None:
            horizon = last.horizon_
            if (short := np.flatnonzero(slices.lengths <= horizon)).size:
                raise ValueError(
                    f"{slices.targets.called(short[0])} has no step before the {horizon} to be "
                    "forecast."
                )
            stops = slices.lengths - horizon
            true = [part[stop:] for part, stop in zip(slices.targets.parts, stops, strict=True)]
        else:
            stops = slices.lengths
            y = np.asarray(y, dtype=np.float64)
            true = y.reshape(len(every), last.horizon_, -1)
        true = np.reshape(true, (len(every), last.horizon_, -1))
        levels = sorted(last.quantiles) if "y_quantiles" in parameters else None
        if y is None:
            forecast = forecast_after(estimator, slices, every, stops, horizon, quantiles=levels)
        else:
            forecast = forecast_arrays(estimator, X, true.shape, quantiles=levels)
        if levels is not None:
            options["quantiles"] = levels
        if "y_train" in parameters:
            histories = zip(slices.targets.parts, stops, strict=True)
            options["y_train"] = [part[:stop] for part, stop in histories]
        if sample_weight is not None:
            options["sample_weight"] = sample_weight
        return -self.metric(true, forecast, **options)


def final_step(estimator):
    """Return the forecaster of a pipeline or a search, or the forecaster itself."""
    if hasattr(estimator, "steps"):
        return final_step(estimator.steps[-1][1])
    if hasattr(estimator, "best_estimator_"):
        return final_step(estimator.best_estimator_)
    return final_step(estimator.estimator) if hasattr(estimator, "estimator") else estimator


def transformed(estimator, X):
    """Return series as the forecaster at the end of a pipeline or a search reads them."""
    if hasattr(estimator, "steps"):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        return transformed(estimator.steps[-1][1], X)
    if hasattr(estimator, "best_estimator_"):
        return transformed(estimator.best_estimator_, X)
    return X


def forecast_after(estimator, slices, series, stops, ahead, *, quantiles=None):
    """Return the forecasts of the steps after a cutoff, as an array.

    Parameters
    ----------
    estimator : forecaster, or a pipeline or search that ends in one
    slices : TimeSlices
    series : ndarray of int of shape (n,)
        Which ones.
    stops : ndarray of int of shape (n,)
        Steps of each before the cutoff. Where the last of them are missing, the forecast begins
        before the cutoff, and is that much longer.
    ahead : int
    quantiles : sequence of float, default=None
        Levels; None for points.

    Returns
    -------
    ndarray of shape (n, ahead, n_targets), with an axis of quantiles if they were asked for
    """
    parts = np.empty(len(series), dtype=object)
    gaps, k = slices.gaps(series, stops), slices.targets.parts[0].shape[1]
    for gap in np.unique(gaps).tolist():
        at = np.flatnonzero(gaps == gap)
        X = slices.histories(series[at], stops[at] - gap, ahead + gap)
        shape, options = (len(at), ahead + gap, k), {"horizon": ahead + gap, "quantiles": quantiles}
        for i, found in zip(at, forecast_arrays(estimator, X, shape, **options), strict=True):
            parts[i] = found[gap:]
    return np.array(list(parts))


def forecast_arrays(estimator, X, shape, *, horizon=None, quantiles=None):
    """Return the forecasts of series as an array, whatever form the forecaster gives them.

    Parameters
    ----------
    estimator : forecaster, or a pipeline or search that ends in one
    X : series
        Histories, with rows for the steps to come where covariates need them.
    shape : (n_series, horizon, n_targets)
    horizon : int, default=None
        None for that of the forecaster.
    quantiles : sequence of float, default=None
        Levels; None for points.

    Returns
    -------
    ndarray of shape `shape`, with an axis of quantiles at the end if they were asked for
    """
    X, estimator = transformed(estimator, X), final_step(estimator)
    options = {} if horizon is None else {"horizon": horizon}
    if quantiles is None:
        return np.asarray(estimator.predict(X, **options), dtype=np.float64).reshape(shape)
    found = estimator.predict_quantiles(X, quantiles, **options)
    return np.asarray(found, dtype=np.float64).reshape(*shape, len(quantiles))


mean_absolute_scaled_error_scorer = make_forecast_scorer(mean_absolute_scaled_error)
root_mean_squared_scaled_error_scorer = make_forecast_scorer(root_mean_squared_scaled_error)
symmetric_mean_absolute_percentage_error_scorer = make_forecast_scorer(
    symmetric_mean_absolute_percentage_error
)
weighted_absolute_percentage_error_scorer = make_forecast_scorer(weighted_absolute_percentage_error)
mean_quantile_loss_scorer = make_forecast_scorer(mean_quantile_loss)
weighted_interval_score_scorer = make_forecast_scorer(weighted_interval_score)
