"""Errors of point forecasts, scaled or relative, so that series of any level can be compared."""

from numbers import Integral

import numpy as np

from skrnn._data.forecast_pairs import read_forecast_pairs, read_histories
from skrnn.metrics._forecast_average import (
    average_scores,
    check_zero_division,
    totals_and_counts,
)


def mean_absolute_scaled_error(
    y_true,
    y_pred,
    *,
    y_train,
    season_length=1,
    average="macro",
    sample_weight=None,
    zero_division="raise",
):
    r"""Return the mean absolute scaled error (MASE).

    Absolute errors are divided by the mean absolute error, on the history, of the forecast that
    repeats the value of one season before (Hyndman and Koehler 2006 [1]_)::

        MASE = mean_t |y_t - f_t| / mean_s |y_s - y_{s-m}|

    with t over the steps to be forecast, s over the history and m = `season_length`. Below 1 a
    forecast is better than the naive one was, one step (or season) ahead, in the history.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values: a 1-D array for one series, a 2-D array of shape (n_series, n_timesteps), a 3-D
        array of shape (n_series, n_timesteps, n_targets), a list of series of any lengths, a Series
        or DataFrame indexed by time, or a panel with the index (series, time). NaN is not scored.

    y_pred : as `y_true`
        Forecasts. Where both are pandas objects they are matched by their labels.

    y_train : as `y_true`
        History of each series before the forecast, of any length. Steps that are NaN are left out
        of the scale. Of a panel, the series are found by name.

    season_length : int, default=1
        Number of steps per season; 1 is the naive forecast.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets, as in the M4 competition; 'micro' the mean over
        all steps, so that long series count more; None returns one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    zero_division : 'raise' or float, default='raise'
        Score of a series whose scale is zero, because its history repeats itself or is not longer
        than a season: an error, or a number. NaN leaves such series out of the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, if a forecast of a known value is missing, or if a scale is zero
        and `zero_division` is 'raise'. The message names the series.

    See Also
    --------
    root_mean_squared_scaled_error : The same with squares.

    References
    ----------
    .. [1] Hyndman and Koehler (2006). Another look at measures of forecast accuracy.
       International Journal of Forecasting 22(4), 679-688.

    Examples
    --------
    >>> from skrnn.metrics import mean_absolute_scaled_error
    >>> mean_absolute_scaled_error([6, 8], [5, 5], y_train=[1, 2, 4, 5])
    1.5
    """
    pairs = read_forecast_pairs(y_true, y_pred)
    losses = [np.abs(true - pred) for true, pred in zip(pairs.true, pairs.pred, strict=True)]
    return _scaled(pairs, losses, np.abs, y_train, season_length, average, sample_weight,
                   zero_division)  # fmt: skip


def root_mean_squared_scaled_error(
    y_true,
    y_pred,
    *,
    y_train,
    season_length=1,
    average="macro",
    sample_weight=None,
    zero_division="raise",
):
    r"""Return the root mean squared scaled error (RMSSE).

    Squared errors are divided by the mean squared error, on the history, of the forecast that
    repeats the value of one season before (Hyndman and Koehler 2006 [1]_)::

        RMSSE = sqrt(mean_t (y_t - f_t)^2 / mean_s (y_s - y_{s-m})^2)

    with t over the steps to be forecast, s over the history and m = `season_length`. The M5
    competition [2]_ lets the history of each series begin at its first value that is not zero: cut
    `y_train` there to get its score; its weights are `sample_weight`.

    Parameters
    ----------
    y_true, y_pred, y_train : as of `mean_absolute_scaled_error`
        True values, forecasts, and histories.

    season_length : int, default=1
        Number of steps per season; 1 is the naive forecast.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' the root of the mean over all steps;
        None returns one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    zero_division : 'raise' or float, default='raise'
        Score of a series whose scale is zero: an error, or a number. NaN leaves such series out of
        the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        As `mean_absolute_scaled_error` does.

    References
    ----------
    .. [1] Hyndman and Koehler (2006). Another look at measures of forecast accuracy.
       International Journal of Forecasting 22(4), 679-688.
    .. [2] Makridakis, Spiliotis and Assimakopoulos (2022). M5 accuracy competition: results,
       findings, and conclusions. International Journal of Forecasting 38(4), 1346-1364.

    Examples
    --------
    >>> from skrnn.metrics import root_mean_squared_scaled_error
    >>> root_mean_squared_scaled_error([6, 8], [6, 4], y_train=[1, 3, 1])
    1.4142135623730951
    """
    pairs = read_forecast_pairs(y_true, y_pred)
    losses = [np.square(true - pred) for true, pred in zip(pairs.true, pairs.pred, strict=True)]
    return _scaled(pairs, losses, np.square, y_train, season_length, average, sample_weight,
                   zero_division, squared=True)  # fmt: skip


def symmetric_mean_absolute_percentage_error(
    y_true, y_pred, *, average="macro", sample_weight=None
):
    r"""Return the symmetric mean absolute percentage error (sMAPE), from 0 to 200.

    This is the definition of the M4 competition [1]_::

        sMAPE = mean_t 200 |y_t - f_t| / (|y_t| + |f_t|)

    A step whose true value and forecast are both zero counts as 0. Other definitions range from 0
    to 1, 2 or 100; and despite its name the score is lower for a forecast above the true value
    than for one as far below it.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values, in a form of those of `mean_absolute_scaled_error`. NaN is not scored.

    y_pred : as `y_true`
        Forecasts. Where both are pandas objects they are matched by their labels.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets, as in the M4 competition; 'micro' the mean over
        all steps; None returns one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, or if a forecast of a known value is missing.

    References
    ----------
    .. [1] Makridakis, Spiliotis and Assimakopoulos (2020). The M4 competition: 100,000 time series
       and 61 forecasting methods. International Journal of Forecasting 36(1), 54-74.

    Examples
    --------
    >>> from skrnn.metrics import symmetric_mean_absolute_percentage_error
    >>> symmetric_mean_absolute_percentage_error([100.0, 0.0], [60.0, 0.0])
    25.0
    """
    pairs = read_forecast_pairs(y_true, y_pred)
    losses = []
    for true, pred in zip(pairs.true, pairs.pred, strict=True):
        true, pred = true / 2, pred / 2  # the sum of two values may overflow
        size = np.abs(true) + np.abs(pred)
        losses.append(
            200 * np.divide(np.abs(true - pred), size, out=np.zeros_like(size), where=size != 0)
        )
    return average_scores(pairs, *totals_and_counts(losses), average, sample_weight)


def weighted_absolute_percentage_error(
    y_true, y_pred, *, average="macro", sample_weight=None, zero_division="raise"
):
    r"""Return the weighted absolute percentage error (WAPE), as a fraction.

    The sum of absolute errors is divided by the sum of the absolute true values [1]_::

        WAPE = sum_t |y_t - f_t| / sum_t |y_t|

    Single true values may be zero, unlike with
    :func:`~sklearn.metrics.mean_absolute_percentage_error`; series of counts have them.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values, in a form of those of `mean_absolute_scaled_error`. NaN is not scored.

    y_pred : as `y_true`
        Forecasts. Where both are pandas objects they are matched by their labels.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' divides the sum over all series by the
        sum over all series, so that those of large values decide (the "normalized deviation" of
        other libraries); None returns one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    zero_division : 'raise' or float, default='raise'
        Score of a series whose true values are all zero, unless `average` is 'micro': an error, or
        a number. NaN leaves such series out of the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, if a forecast of a known value is missing, or if all true values
        of a series are zero and `zero_division` is 'raise'. The message names the series.

    References
    ----------
    .. [1] Kolassa and Schütz (2007). Advantages of the MAD/Mean ratio over the MAPE. Foresight 6,
       40-43.

    Examples
    --------
    >>> from skrnn.metrics import weighted_absolute_percentage_error
    >>> weighted_absolute_percentage_error([0.0, 8.0, 2.0], [1.0, 6.0, 2.0])
    0.3
    """
    pairs = read_forecast_pairs(y_true, y_pred)
    instead = check_zero_division(zero_division)
    losses = [np.abs(true - pred) for true, pred in zip(pairs.true, pairs.pred, strict=True)]
    totals, counts = totals_and_counts(losses)
    sums = np.array([np.nansum(np.abs(true), axis=0) for true in pairs.true])
    scored = counts > 0
    zero = (sums == 0) & scored
    if average == "micro" and not zero[scored].all():
        return average_scores(pairs, totals, sums, average, sample_weight, scored=scored)
    if zero.any() and instead is None:
        called = pairs.given.called(np.flatnonzero(zero.any(axis=1))[0])
        raise ValueError(
            f"All true values of {called} are zero, so its errors have nothing to be divided by. "
            "Use average='micro', or say with zero_division what its score is (NaN leaves it out)."
        )
    sums[zero] = 1.0
    totals[zero] = np.nan if instead is None else instead
    return average_scores(pairs, totals, sums, average, sample_weight)


def _scaled(pairs, losses, size, y_train, m, average, sample_weight, zero_division, squared=False):
    """Divide losses by the mean size of the seasonal differences of the history."""
    instead = check_zero_division(zero_division)
    if isinstance(m, bool) or not isinstance(m, Integral) or m < 1:
        raise ValueError(f"season_length must be a positive integer; got {m!r}.")
    totals, counts = totals_and_counts(losses)
    scales = np.zeros_like(totals)
    for i, history in enumerate(read_histories(y_train, pairs)):
        steps = size(history[m:] - history[:-m])
        known = ~np.isnan(steps)
        np.divide(np.nansum(steps, axis=0), known.sum(axis=0), out=scales[i],
                  where=known.any(axis=0))  # fmt: skip
    zero = scales == 0
    if instead is None and (wrong := (zero & (counts > 0)).any(axis=1)).any():
        i = int(np.argmax(wrong))
        what = "constant" if m == 1 else f"the same in each season of {m} steps"
        raise ValueError(
            f"The history of {pairs.given.called(i)} in y_train is {what}, or not longer than "
            f"season_length={m}, so the scale of its errors is zero. Pass more of it, or say with "
            "zero_division what its score is (NaN leaves it out)."
        )
    scores = np.divide(totals, scales, out=np.full_like(totals, np.nan), where=~zero)
    if instead is not None:
        scores[zero] = counts[zero] * (instead**2 if squared else instead)
    return average_scores(pairs, scores, counts, average, sample_weight, squared=squared)
