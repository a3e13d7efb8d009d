"""Scores of forecasts that say how sure they are: quantiles, intervals, samples."""

import numpy as np

from skrnn._data.forecast_pairs import read_forecast_pairs
from skrnn.metrics._forecast_average import average_scores, totals_and_counts


def mean_quantile_loss(y_true, y_quantiles, *, quantiles, average="macro", sample_weight=None):
    r"""Return the mean quantile loss (pinball loss) over all levels.

    For a forecast q of the quantile of level a the loss is (Koenker and Bassett 1978 [1]_)::

        L_a(y, q) = a max(y - q, 0) + (1 - a) max(q - y, 0)

    For one level this is :func:`~sklearn.metrics.mean_pinball_loss`; some libraries report twice as
    much. It is in the units of the values: compare series of unequal scales with weights.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values: a 1-D array for one series, a 2-D array of shape (n_series, n_timesteps), a 3-D
        array of shape (n_series, n_timesteps, n_targets), a list of series of any lengths, a Series
        or DataFrame indexed by time, or a panel with the index (series, time). NaN is not scored.

    y_quantiles : array-like, or list of these
        As `y_true` with one more axis at the end, one forecast per level; or DataFrames with one
        column per level, or for several targets with columns of two levels (target, quantile).

    quantiles : array-like of shape (n_quantiles,)
        Levels of the forecasts, in their order, each above 0 and below 1.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' the mean over all steps, so that long
        series count more; None returns one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, if a forecast of a known value is missing, or for levels that
        are not between 0 and 1 or that occur twice.

    References
    ----------
    .. [1] Koenker and Bassett (1978). Regression quantiles. Econometrica 46(1), 33-50.

    Examples
    --------
    >>> from skrnn.metrics import mean_quantile_loss
    >>> mean_quantile_loss([5.0, 1.0], [[3.0, 4.0], [3.0, 4.0]], quantiles=[0.25, 0.5])
    1.0
    """
    pairs, levels = _read_quantiles(y_true, y_quantiles, quantiles)
    losses = [_pinball(true, pred, levels).mean(axis=2)
              for true, pred in zip(pairs.true, pairs.pred, strict=True)]  # fmt: skip
    return average_scores(pairs, *totals_and_counts(losses), average, sample_weight)


def weighted_interval_score(y_true, y_quantiles, *, quantiles, average="macro", sample_weight=None):
    r"""Return the weighted interval score (WIS) of central intervals, and of the median.

    The interval of the levels a/2 and 1 - a/2, from l to u, has the interval score (Gneiting and
    Raftery 2007 [1]_)::

        IS_a(y) = (u - l) + 2/a max(l - y, 0) + 2/a max(y - u, 0)

    Of K intervals and the median m, the weighted interval score is (Bracher et al. 2021 [2]_)::

        WIS(y) = (|y - m| / 2 + sum_k a_k/2 IS_{a_k}(y)) / (K + 1/2)

    and without a median ``sum_k a_k/2 IS_{a_k}(y) / K``. With many levels it comes close to the
    continuous ranked probability score, and for a median alone it is the absolute error.

    Parameters
    ----------
    y_true, y_quantiles : as of `mean_quantile_loss`
        True values, and forecasts of quantiles.

    quantiles : array-like of shape (n_quantiles,)
        Levels of the forecasts, in their order: for each level a also 1 - a.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' the mean over all steps; None returns
        one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        As `mean_quantile_loss` does, and for levels that are not the bounds of central intervals.

    References
    ----------
    .. [1] Gneiting and Raftery (2007). Strictly proper scoring rules, prediction, and estimation.
       Journal of the American Statistical Association 102(477), 359-378.
    .. [2] Bracher, Ray, Gneiting and Reich (2021). Evaluating epidemic forecasts in an interval
       format. PLOS Computational Biology 17(2), e1008618.

    Examples
    --------
    >>> from skrnn.metrics import weighted_interval_score
    >>> weighted_interval_score([5.0], [[1.0, 2.0, 3.0]], quantiles=[0.25, 0.5, 0.75])
    2.6666666666666665
    """
    pairs, levels = _read_quantiles(y_true, y_quantiles, quantiles)
    order = np.argsort(levels)
    if not np.allclose(levels[order] + levels[order][::-1], 1, rtol=0, atol=1e-9):
        raise ValueError(
            f"quantiles={levels.tolist()} are not the bounds of central intervals: for each level "
            "a the level 1 - a is needed, as in (0.1, 0.5, 0.9)."
        )
    losses = []
    for true, pred in zip(pairs.true, pairs.pred, strict=True):
        true, pred = true[:, :, np.newaxis], pred[:, :, order]
        half = len(levels) // 2
        lower, upper, a = pred[:, :, :half], pred[:, :, ::-1][:, :, :half], 2 * levels[order][:half]
        outside = np.maximum(lower - true, 0) + np.maximum(true - upper, 0)
        loss = (a / 2 * (upper - lower) + outside).sum(axis=2)
        if len(levels) % 2:
            loss += np.abs(true - pred[:, :, half : half + 1])[:, :, 0] / 2
        losses.append(loss / (len(levels) / 2))
    return average_scores(pairs, *totals_and_counts(losses), average, sample_weight)


def interval_coverage(y_true, y_interval, *, average="macro", sample_weight=None):
    """Return the fraction of true values that lie within their interval, bounds included.

    Of an interval for 90 % it should be about 0.9: below, forecasts are too sure of themselves;
    above, they could be narrower. The weighted interval score judges coverage and width together.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values, in a form of those of `mean_quantile_loss`. NaN is not scored.

    y_interval : array-like, or list of these
        As `y_true` with one more axis at the end for (lower, upper), as `predict_interval` of a
        forecaster returns; or DataFrames with these columns.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' the fraction of all values; None
        returns one fraction per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, if a forecast of a known value is missing, or if a lower bound
        is above its upper bound. The message names the series.

    Examples
    --------
    >>> from skrnn.metrics import interval_coverage
    >>> interval_coverage([1.0, 5.0], [[0.0, 2.0], [0.0, 2.0]])
    0.5
    """
    pairs = read_forecast_pairs(y_true, y_interval, inner="bounds", name="y_interval")
    losses = []
    for i, (true, pred) in enumerate(zip(pairs.true, pairs.pred, strict=True)):
        if pred.shape[2] != 2:
            raise ValueError(
                f"y_interval of {pairs.given.called(i)} has {pred.shape[2]} bounds: a lower and an "
                "upper one are needed."
            )
        if (wrong := (pred[:, :, 0] > pred[:, :, 1]).any(axis=1)).any():
            raise ValueError(
                f"y_interval of {pairs.given.called(i)} has a lower bound above the upper one at "
                f"position {int(np.argmax(wrong))}."
            )
        inside = (pred[:, :, 0] <= true) & (true <= pred[:, :, 1])
        losses.append(np.where(np.isnan(true), np.nan, inside))
    return average_scores(pairs, *totals_and_counts(losses), average, sample_weight)


def crps_from_samples(y_true, y_samples, *, fair=False, average="macro", sample_weight=None):
    r"""Return the continuous ranked probability score (CRPS) of forecasts given as samples.

    The score of a distribution is the integral of the squared difference between its distribution
    function and that of a forecast that was sure of the true value (Gneiting and Raftery 2007
    [1]_). With X and X' drawn from it independently::

        CRPS(y) = E|X - y| - E|X - X'| / 2

    where the expectations are means over the samples x_1, ..., x_n: that of \|x_i - x_j\| over all
    n^2 pairs, which is the score of their empirical distribution, or with `fair` over the n(n - 1)
    pairs of different samples, which estimates without bias the score of the distribution that the
    samples were drawn from (Ferro 2014 [2]_). For one sample it is the absolute error.

    Parameters
    ----------
    y_true : array-like, Series, DataFrame, or list of series
        True values, in a form of those of `mean_quantile_loss`. NaN is not scored.

    y_samples : array-like, or list of these
        As `y_true` with one more axis at the end for the samples; or DataFrames with one column per
        sample. Their order does not matter.

    fair : bool, default=False
        Whether to estimate the score of the distribution behind the samples, for forecasts that
        have different numbers of samples; at least two are needed.

    average : {'macro', 'micro'} or None, default='macro'
        'macro' is the mean over series and targets; 'micro' the mean over all steps; None returns
        one score per series.

    sample_weight : array-like of shape (n_series,), default=None
        Non-negative weight of each series in the average.

    Returns
    -------
    float, or ndarray of shape (n_series,) or (n_series, n_targets) if `average` is None
        In the units of the values. For a panel, a Series or DataFrame with the names of the series.

    Raises
    ------
    ValueError, TypeError
        If the inputs do not match, or if a sample for a known value is missing.

    References
    ----------
    .. [1] Gneiting and Raftery (2007). Strictly proper scoring rules, prediction, and estimation.
       Journal of the American Statistical Association 102(477), 359-378.
    .. [2] Ferro (2014). Fair scores for ensemble forecasts. Quarterly Journal of the Royal
       Meteorological Society 140(683), 1917-1923.

    Examples
    --------
    >>> from skrnn.metrics import crps_from_samples
    >>> crps_from_samples([2.0], [[0.0, 1.0, 5.0]])
    0.8888888888888888
    """
    pairs = read_forecast_pairs(y_true, y_samples, inner="samples", name="y_samples")
    losses = []
    for i, (true, pred) in enumerate(zip(pairs.true, pairs.pred, strict=True)):
        n = pred.shape[2]
        if n < 1 + fair:
            raise ValueError(
                f"y_samples of {pairs.given.called(i)} has {n} sample(s) per step; at least "
                f"{1 + bool(fair)} needed."
            )
        pred = np.sort(pred, axis=2)
        # In order, sample i lies above i - 1 others and below n - i: sum over pairs in one pass.
        above = (2 * np.arange(1, n + 1) - n - 1) * pred
        spread = above.sum(axis=2) / (n * (n - 1) if fair else n * n)
        losses.append(np.abs(pred - true[:, :, np.newaxis]).mean(axis=2) - spread)
    return average_scores(pairs, *totals_and_counts(losses), average, sample_weight)


def _read_quantiles(y_true, y_quantiles, quantiles):
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantiles={quantiles!r} must be levels between 0 and 1.")
    if len(np.unique(levels)) < len(levels):
        raise ValueError(f"quantiles={quantiles!r} has a level twice.")
    pairs = read_forecast_pairs(y_true, y_quantiles, inner="quantiles", name="y_quantiles")
    if pairs.pred[0].shape[2] != len(levels):
        raise ValueError(
            f"y_quantiles has {pairs.pred[0].shape[2]} forecasts per step for {len(levels)} "
            "quantiles: the last axis holds one per level."
        )
    return pairs, levels


def _pinball(true, pred, levels):
    """Return the loss of each level: (n_timesteps, n_targets, n_quantiles)."""
    error = true[:, :, np.newaxis] - pred
    return np.maximum(levels * error, (levels - 1) * error)
