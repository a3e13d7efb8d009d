"""Averages of a metric of forecasts, over steps, targets and series."""

from numbers import Number

import numpy as np

from skrnn._data.sample_weight import read_weights


def average_scores(pairs, totals, counts, average, sample_weight, *, squared=False, scored=None):
    """Return totals per count: of each series, their mean, or over all steps at once.

    Parameters
    ----------
    pairs : ForecastPairs
    totals, counts : ndarray of shape (n_series, n_targets)
        A score is a total divided by its count. Totals that are NaN are left out.
    average : {'macro', 'micro'} or None
    sample_weight : array-like of shape (n_series,) or None
    squared : bool, default=False
        Take square roots, of scores per series or of the one over all steps.
    scored : ndarray of shape (n_series, n_targets), dtype=bool, default=None
        Which totals count; None for those whose count is not zero.

    Returns
    -------
    float, or one per series and target
    """
    if average not in ("macro", "micro", None):
        raise ValueError(f"average must be 'macro', 'micro' or None; got {average!r}.")
    n = len(totals)
    weights = np.ones(n) if sample_weight is None else read_weights(sample_weight, n)
    known = (counts > 0 if scored is None else scored) & ~np.isnan(totals)
    scores = np.full(totals.shape, np.nan)
    np.divide(totals, counts, out=scores, where=known & (counts > 0))
    if average is None:
        return _per_series(pairs.given, np.sqrt(scores) if squared else scores)
    weights = np.where(known, weights[:, np.newaxis], 0.0)
    if not weights.sum() > 0:
        raise ValueError(
            "No step of y_true can be scored: all are NaN, have no score or a weight of 0."
        )
    if average == "micro":
        parts = (np.where(known, part, 0.0) for part in (totals, counts))
        total, count = (float((weights * part).sum()) for part in parts)
        if count == 0:
            raise ValueError("All true values of series with a weight above 0 are zero.")
        return float(np.sqrt(total / count)) if squared else total / count
    scores = np.sqrt(scores) if squared else scores
    return float(np.average(np.where(known, scores, 0.0), weights=weights))


def totals_and_counts(losses):
    """Return the sum of the losses that are known, and their number, per series and target.

    Parameters
    ----------
    losses : list of ndarray of shape (n_timesteps, n_targets)
        NaN where a step is not scored.
    """
    totals = np.array([np.nansum(loss, axis=0) for loss in losses])
    counts = np.array([np.sum(~np.isnan(loss), axis=0) for loss in losses])
    return totals, counts


def check_zero_division(value):
    """Return the score of a zero denominator; None where that is an error."""
    if isinstance(value, str) and value == "raise":
        return None
    if isinstance(value, Number) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"zero_division must be 'raise' or a number; got {value!r}.")


def _per_series(given, scores):
    """Give scores (n_series, n_targets) the names of a panel's series."""
    scores = scores[:, 0] if scores.shape[1] == 1 else scores
    if given.ids is None:
        return scores
    import pandas as pd

    if scores.ndim == 1:
        return pd.Series(scores, index=given.ids)
    return pd.DataFrame(scores, index=given.ids, columns=given.columns[0])
