"""Backtests: forecasts from several cutoffs in the past, beside what came true."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone

from skrnn._data.time_slices import TimeSlices
from skrnn.metrics._forecast_scorers import final_step, forecast_after, transformed


def backtest(
    forecaster, X, *, horizon=None, n_windows=5, step=None, refit=True, quantiles=None,
    calibrate=None,
):  # fmt: skip
    """Forecast from several cutoffs in the past, each time from what was known at the cutoff.

    At each cutoff a clone of the forecaster is fitted on what was known then, and forecasts the
    steps after it (rolling origin, Tashman 2000 [1]_). The last window ends with the series.
    pandas is required.

    Parameters
    ----------
    forecaster : LSTMForecaster, or pipeline or search that ends in one
        Forecaster to test, which is cloned and not changed itself. Steps of a pipeline may add
        columns, but must leave the targets as they are.

    X : series
        One series, a list or array of series, or a panel, as `fit` of the forecaster takes them.
        Covariates known in advance are read for the steps after the cutoff; targets are not.

    horizon : int, default=None
        Number of steps to forecast. None takes `horizon` of the forecaster.

    n_windows : int, default=5
        Number of cutoffs.

    step : int, default=None
        Number of steps from one cutoff to the next. None takes `horizon`, so that each step is
        forecast once.

    refit : bool or int, default=True
        True fits at each cutoff, False only at the first; an integer k fits at every k-th cutoff.
        Between fits, the network reads the steps that have become known, with the same weights.

    quantiles : sequence of float, default=None
        Levels of the quantiles to forecast in addition. The forecaster must support them: by
        ``loss='quantile'`` with these levels, by the loss of a distribution, or by `calibrate`.

    calibrate : int, default=None
        Number of steps before each cutoff that are held out from `fit`, and whose errors the
        intervals of a forecaster with a loss of points are made of (split-conformal, see its
        method `calibrate`), anew in each window, whether or not it is fitted there. None holds out
        none.

    Returns
    -------
    frame : DataFrame
        One row per series, cutoff and step ahead, and per target if there are several, with the
        columns

        - 'id': the series, by name in a panel, otherwise by number;
        - 'cutoff': the last step known, by its label in the index or its number;
        - 'step': 1 for the first step ahead, 2 for the next, ...;
        - 'date': the step that is forecast, if the series have an index;
        - 'target': the column, if there are several targets;
        - 'truth', NaN where it is missing, and 'forecast';
        - 'q0.1', ...: the quantiles, if asked for.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range, a series is too short for all windows, steps are out of
        order, or a pipeline changes the targets.

    ImportError
        If pandas is missing.

    See Also
    --------
    TimeSeriesPanelSplit : Choose parameters, by searches over cutoffs in the past.
    skrnn.metrics.mean_absolute_scaled_error : Score forecasts.

    Notes
    -----
    Series with an index are cut at the same time: the cutoffs count back from the last label of
    all. A series that has not begun then, or ends before, is left out of that window. Series
    without an index are cut at the same number of steps from the end of each.

    References
    ----------
    .. [1] Tashman (2000). Out-of-sample tests of forecasting accuracy: an analysis and review.
       International Journal of Forecasting 16(4), 437-450.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import LSTMForecaster
    >>> from skrnn.model_selection import backtest
    >>> model = LSTMForecaster(lookback=8, hidden_layer_sizes=(4,), max_iter=9,
    ...                        n_iter_no_change=np.inf, random_state=0)
    >>> frame = backtest(model, np.sin(np.arange(60) / 5), horizon=2, n_windows=2)
    >>> frame[["id", "cutoff", "step", "truth"]].round(3)
       id  cutoff  step  truth
    0   0      55     1 -0.979
    1   0      55     2 -0.919
    2   0      57     1 -0.823
    3   0      57     2 -0.694
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("backtest needs pandas, which is not installed.") from error
    horizon = _positive("horizon", final_step(forecaster).horizon if horizon is None else horizon)
    n_windows = _positive("n_windows", n_windows)
    step = horizon if step is None else _positive("step", step)
    every = _refit_every(refit)
    levels = None if quantiles is None else _levels(quantiles)
    held_out = 0 if calibrate is None else _positive("calibrate", calibrate)
    if held_out and held_out < horizon:
        raise ValueError(
            f"calibrate={held_out} holds out too few steps to measure an error {horizon} steps "
            "ahead. Hold out at least horizon steps; each further step gives one more error."
        )
    slices = TimeSlices(X, final_step(forecaster).n_targets)
    model, frames = None, []
    for number, (stops, label) in enumerate(_windows(slices, horizon, n_windows, step, held_out)):
        if model is None or (every and number % every == 0):
            model = _fit(forecaster, slices, np.maximum(stops - held_out, 0))
        if held_out:
            begun = np.flatnonzero(stops > 0)
            known = transformed(model, slices.histories(begun, stops[begun], 0))
            longest = horizon + int(slices.gaps(begun, stops[begun]).max())
            final_step(model).calibrate(known, horizon=longest, n_steps=held_out)
        frames.append(_forecast_window(model, slices, stops, label, horizon, levels))
    _warn_of_left_out(slices, frames)
    return pd.concat([frame for frame, _ in frames], ignore_index=True)


def _fit(forecaster, slices, stops):
    """Return a clone that is fitted on what was known at a cutoff."""
    old = np.flatnonzero(stops > 1)
    if len(old) == 0:
        raise ValueError("No series has two steps before the first cutoff. Lower n_windows.")
    known = slices.histories(old, stops[old], 0)
    model = clone(forecaster).fit(known)
    if (changed := transformed(model, known)) is not known:
        parts = TimeSlices(changed, final_step(model).n_targets).targets.parts
        for i, part in zip(old.tolist(), parts, strict=True):
            given = slices.targets.parts[i][: stops[i]]
            if part.shape[1] != given.shape[1]:
                raise ValueError(
                    f"The pipeline returns {part.shape[1]} columns for {given.shape[1]} of X, and "
                    "the forecaster forecasts all of them. Set n_targets of the forecaster to the "
                    "number of targets."
                )
            if not np.allclose(part[: len(given)], given, rtol=1e-4, equal_nan=True):
                raise ValueError(
                    "The pipeline changes the targets before they reach the forecaster, so that "
                    "its forecasts would be in other units than X. Leave the targets as they are: "
                    "the forecaster scales by itself."
                )
    return model


def _windows(slices, horizon, n_windows, step, held_out):
    """Yield the steps that each series has before each cutoff, and the cutoff."""
    needed = horizon + (n_windows - 1) * step + held_out
    n_steps = slices.n_steps()
    if (short := np.flatnonzero(n_steps < needed + 2)).size:
        i = int(short[0])
        called = slices.targets.called(i) if len(n_steps) == len(slices.lengths) else "X"
        raise ValueError(
            f"{called} has {n_steps[i]} step(s), but {n_windows} window(s) of horizon={horizon} "
            f"with step={step}"
            + f" and calibrate={held_out}"
            * bool(held_out)
            + f" need {needed} steps, and at least two before them. Lower one of these, or leave "
            "short series out."
        )
    for number in reversed(range(n_windows)):
        yield slices.count_back(horizon + number * step)


def _forecast_window(model, slices, stops, label, horizon, levels):
    """Forecast all series that have begun before a cutoff and go on after it.

    Returns
    -------
    frame : DataFrame
    series : ndarray of int
        Which ones.
    """
    import pandas as pd

    targets = slices.targets
    remaining = np.where(stops > 0, np.minimum(horizon, slices.lengths - stops), 0)
    which = np.flatnonzero(remaining > 0)
    k = targets.parts[0].shape[1]
    points, quantiles = {}, {}
    for ahead in np.unique(remaining[which]).tolist():  # series end after other numbers of steps
        part = np.flatnonzero(remaining == ahead)
        task = model, slices, part, stops[part], ahead
        points.update(zip(part.tolist(), forecast_after(*task), strict=True))
        if levels is not None:
            found = forecast_after(*task, quantiles=levels)
            quantiles.update(zip(part.tolist(), found, strict=True))
    counts = remaining[which] * k  # rows per series
    if label is not None:
        cutoffs = pd.Index([label] * len(which))
    elif (cutoffs := _labels(targets, [(i, slice(stops[i] - 1, stops[i])) for i in which])) is None:
        cutoffs = stops[which] - 1
    spans = [(i, slice(stops[i], stops[i] + remaining[i])) for i in which.tolist()]
    columns = {
        "id": (which if targets.ids is None else targets.ids[which]).repeat(counts),
        "cutoff": cutoffs.repeat(counts),
        "step": np.concatenate([np.arange(1, n + 1).repeat(k) for n in remaining[which]]),
    }
    if (dates := _labels(targets, spans)) is not None:
        columns["date"] = dates.repeat(k)
    if k > 1:
        names = targets.columns[which[0]]
        columns["target"] = np.tile(np.arange(k) if names is None else names, counts.sum() // k)
    columns["truth"] = np.concatenate([targets.parts[i][span].ravel() for i, span in spans])
    columns["forecast"] = np.concatenate([points[i].ravel() for i, _ in spans])
    if levels is not None:
        table = np.concatenate([quantiles[i].reshape(-1, len(levels)) for i, _ in spans])
        columns |= {f"q{level:g}": table[:, j] for j, level in enumerate(levels)}
    return pd.DataFrame(columns), which


def _labels(targets, spans):
    """Return the labels of some steps, one series after the other; None where arrays have none."""
    parts = [targets.indexes[i] for i, _ in spans]
    if any(index is None for index in parts):
        return None
    first, *others = (index[span] for index, (_, span) in zip(parts, spans, strict=True))
    return first.append(others) if others else first


def _warn_of_left_out(slices, frames):
    found = np.unique(np.concatenate([which for _, which in frames]))
    left_out = np.setdiff1d(np.arange(len(slices.lengths)), found)
    if len(left_out):
        warnings.warn(
            f"{len(left_out)} series are in no window, {slices.targets.called(left_out[0])} for "
            "example, because they end before the first cutoff or begin after the last one.",
            UserWarning,
            stacklevel=3,
        )


def _positive(name, value):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    return int(value)


def _refit_every(refit):
    if isinstance(refit, (bool, np.bool_)):
        return int(refit)
    return _positive("refit, if not True or False,", refit)


def _levels(quantiles):
    levels = np.unique(np.asarray(quantiles, dtype=np.float64).ravel())
    if len(levels) == 0 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantiles={quantiles!r} must be levels between 0 and 1.")
    return levels.tolist()
