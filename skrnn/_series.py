"""What a forecaster learns from series: how they are read, cut into pieces, and asked about."""

from dataclasses import replace

import numpy as np
from sklearn.utils import column_or_1d

from skrnn._frame import Frame, size, spread
from skrnn._numbers import read_target_numbers
from skrnn._sequences import Sequences, check_sequences, lengths_to_offsets, locate

LONGEST_LOOKBACK = 96  # of lookback=None: four days of hours, eight years of months


def read_series(estimator, X, *, reset):
    """Validate series; tell what is known from what is to be forecast.

    Parameters
    ----------
    estimator : LSTMForecaster
    X : series
        Steps at the end of a series whose targets are NaN are to be forecast.
    reset : bool
        True in `fit`.

    Returns
    -------
    known : Sequences
        All columns of the known steps.
    future : Sequences
        Covariates of the steps to come.

    Raises
    ------
    ValueError
        For NaN elsewhere, or a series of which nothing is known.
    """
    sequences = check_sequences(estimator, X, dtype=np.float64, reset=reset, allow_nan=True)
    if estimator._token_counts is not None:
        raise TypeError(
            f"{type(estimator).__name__} forecasts numbers, but X holds strings. Convert the "
            "series first, for example with numpy.asarray(x, dtype=float) or X.astype(float)."
        )
    k = count_targets(estimator) if reset else estimator._frame.n_targets
    values, offsets = sequences.values, sequences.offsets
    gaps = np.isnan(values)
    if not gaps.any():
        nothing = np.empty((0, values.shape[1] - k))
        return sequences, Sequences(nothing, np.zeros_like(offsets))
    steps = np.arange(len(values))
    last = np.where(gaps[:, :k].all(axis=1), -1, steps)
    stops = np.maximum.reduceat(last, offsets[:-1]) + 1  # of what is known
    if (empty := np.flatnonzero(stops <= offsets[:-1])).size:
        raise ValueError(
            f"Input X contains NaN.\nseries {empty[0]} has no step with known targets."
        )
    to_come = steps >= np.repeat(stops, np.diff(offsets))
    gaps[to_come, :k] = False
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        i, t = locate(offsets, row)
        raise ValueError(
            f"Input X contains NaN.\nseries {i} has NaN at step {t} (feature {column}). Impute it "
            "first, for example with PerStep(SimpleImputer()); only targets at the end of a "
            "series, which are to be forecast, may be NaN."
        )
    n_known = stops - offsets[:-1]
    return (
        Sequences(values[~to_come], lengths_to_offsets(n_known)),
        Sequences(values[to_come, k:], lengths_to_offsets(np.diff(offsets) - n_known)),
    )


def count_targets(estimator):
    """Return how many columns are forecast."""
    width, k = estimator._step_width, estimator.n_targets
    if k is not None and k > width:
        raise ValueError(f"n_targets={k}, but a step of X has only {width} feature(s).")
    return width if k is None else k


def read_followers(y, n, horizon, k):
    """Return what followed n series as (n, horizon, k), and how many dimensions it had.

    Parameters
    ----------
    y : array-like of shape (n,), (n, horizon) or (n, horizon, k)
    n, horizon, k : int
    """
    y = read_target_numbers(y, np.float64).astype(np.float64)
    if horizon == k == 1 and y.ndim > 1:
        y = column_or_1d(y, warn=True)
    if len(y) != n:
        raise ValueError(f"X has {n} series and y has {len(y)} targets.")
    if y.size != n * horizon * k:
        raise ValueError(
            f"y has shape {y.shape}, but horizon={horizon} and {k} target(s) need "
            f"({n}, {horizon}{f', {k}' if k > 1 else ''}). Set horizon to what y holds."
        )
    return y.reshape(n, horizon, k), y.ndim


def learn_frame(estimator, known, weights):
    """Learn the scales of training series.

    Parameters
    ----------
    estimator : LSTMForecaster
    known : Sequences
    weights : ndarray of shape (total_steps,)

    Returns
    -------
    Frame
        Without the scales of what the network reads and is asked for.
    """
    if estimator.difference == "season" and estimator.season_length is None:
        raise ValueError("difference='season' needs season_length, the steps of a season.")
    rows, k = known.values, count_targets(estimator)
    with np.errstate(over="ignore", invalid="ignore"):
        center, scale = np.average(rows, axis=0, weights=weights), spread(rows, weights)
    if not np.isfinite(center).all():
        raise ValueError(
            f"Feature {np.argmin(np.isfinite(center))} of X has values whose sum overflows: "
            "divide them by a power of ten first."
        )
    if estimator.scaling == "none":
        center[:k], scale[:k] = 0, 1
    return Frame(
        horizon=estimator.horizon,
        lookback=estimator.lookback or min(int(known.lengths.max()), LONGEST_LOOKBACK),
        n_targets=k,
        n_covariates=rows.shape[1] - k,
        difference=estimator.difference,
        season=estimator.season_length or 0,
        lags=estimator.autoregression or 0,
        center=center,
        scale=scale,
        own_scale=estimator.scaling == "series",
    )


def chunks(length, size, overlap):
    """Cut a series into pieces to learn from: (start, stop, first step that counts) of each.

    A piece has `size` steps that count; `overlap` steps of the one before only warm its state up.
    The first piece has no such steps, and is that much longer.
    """
    pieces = [(0, min(length, size + overlap), 0)]
    while pieces[-1][1] < length:
        stop = pieces[-1][1]
        pieces.append((stop - overlap, min(length, stop + size), stop))
    return pieces


def learn(frame, known, future, weights, followers, *, bptt_steps, reset):
    """Make of series what the network reads and is asked for.

    Parameters
    ----------
    frame : Frame
    known, future : Sequences
        As `read_series` gives them.
    weights : ndarray of shape (n_series,)
    followers : ndarray of shape (n_series, horizon, n_targets), or None
        What followed each series; None asks at every step for what comes next.
    bptt_steps : int or None
        As in `learn_every_step`.
    reset : bool
        Learn the linear autoregression and the scales of inputs and targets as well.

    Returns
    -------
    frame : Frame
    rows : Sequences
        Of shape (total_steps, n_inputs), one a piece.
    numbers : ndarray of shape (n_targets_asked, horizon, n_targets)
        Of each step, or with `followers` of each series; NaN where it does not count.
    weights : ndarray of shape (n_targets_asked,)
    counts : list of int
        Pieces of each series.
    """
    k, counts = frame.n_targets, [1] * len(known)
    if reset and frame.lags:
        frame = learn_lags(frame, known, weights, followers)
    if followers is None:
        rows, numbers, counts = learn_every_step(frame, known, future, bptt_steps)
    else:
        rows, numbers = learn_last_step(frame, known, future, followers)
    if np.isnan(numbers).all():
        raise ValueError(
            f"Every series is too short to learn from: the longest has {known.lengths.max()} "
            "step(s), and at least 2 are needed."
        )
    row_weights = np.repeat(np.repeat(weights, counts), rows.lengths)
    weights = row_weights if followers is None else weights
    if reset:
        scale = spread(rows.values[:, :k], row_weights)
        asked = size(numbers.reshape(len(numbers), -1), weights).reshape(-1, k)
        frame = replace(frame, input_scale=scale, target_scale=asked)
        rows.values[:, :k] /= scale
    return frame, rows, numbers / frame.target_scale, weights, counts


def learn_every_step(frame, known, future, bptt_steps):
    """Make of whole series what the network reads and is asked for, in pieces.

    Parameters
    ----------
    frame : Frame
    known, future : Sequences
        As `read_series` gives them.
    bptt_steps : int or None
        With it pieces of so many steps follow one another, and the state is carried on; without it
        they overlap.

    Returns
    -------
    rows : Sequences
        Of shape (total_steps, n_inputs), one sequence a piece.
    wanted : ndarray of shape (total_steps, horizon, n_targets)
        NaN where a step does not count.
    counts : list of int
        Pieces of each series.
    """
    size, overlap = (bptt_steps, 0) if bptt_steps else (frame.lookback, frame.lookback)
    rows, wanted, counts = [], [], []
    for values, ahead in zip(known.split(), future.split(), strict=True):
        y, z = frame.prepare(values, ahead)
        inputs, targets = frame.inputs(y, z), frame.targets(y)
        pieces = chunks(len(y), size, overlap)
        for start, stop, counted in pieces:
            rows.append(inputs[start:stop])
            wanted.append(targets[start:stop].copy())
            wanted[-1][: counted - start] = np.nan
        counts.append(len(pieces))
    return Sequences.of(rows), np.concatenate(wanted), counts


def learn_last_step(frame, known, future, followers):
    """Make of histories, and what followed each, what the network reads and is asked for.

    Parameters
    ----------
    frame, known, future
        As in `learn_every_step`.
    followers : ndarray of shape (n, horizon, n_targets)

    Returns
    -------
    rows : Sequences
        Of shape (total_steps, n_inputs).
    wanted : ndarray of shape (n, horizon, n_targets)
    """
    offsets = lengths_to_offsets(np.minimum(known.lengths, frame.lookback))
    width = frame.n_targets + frame.horizon * frame.n_covariates
    rows, wanted = np.empty((offsets[-1], width)), np.empty(followers.shape)
    for at, values, ahead in stacked(frame, known, future):
        wanted[at] = wanted_after(frame, values, followers[at])
        inputs = frame.inputs(*frame.prepare(values, ahead))[:, -frame.lookback :]
        rows[offsets[at, np.newaxis] + np.arange(inputs.shape[1])] = inputs
    return Sequences(rows, offsets), wanted


def stacked(frame, known, future):
    """Yield series of one length together, cut to what a forecast reads.

    Yields
    ------
    at : ndarray of int
        Which they are.
    known : ndarray of shape (n, T, n_targets + n_covariates)
    future : ndarray of shape (n, F, n_covariates), or None where it is not given
    """
    kept = known.lengths if frame.own_scale else np.minimum(known.lengths, frame.need)
    ahead = np.zeros_like(kept) if future is None else future.lengths
    pairs, group = np.unique(np.column_stack([kept, ahead]), axis=0, return_inverse=True)
    for g, (T, F) in enumerate(pairs):
        at = np.flatnonzero(group.ravel() == g)
        steps = known.offsets[at + 1, np.newaxis] - T + np.arange(T)
        coming = (
            None if future is None else future.values[future.offsets[at, np.newaxis] + np.arange(F)]
        )
        yield at, known.values[steps], coming


def learn_lags(frame, known, weights, followers=None):
    """Learn the linear autoregression from every step, or from what followed the last ones.

    Parameters
    ----------
    frame : Frame
    known : Sequences
    weights : ndarray of shape (n_series,)
    followers : ndarray of shape (n_series, horizon, n_targets), or None

    Returns
    -------
    Frame
    """

    def every_step():
        for values, weight in zip(known.split(), weights, strict=True):
            y = scaled_targets(frame, values)
            wanted = frame.targets(y)
            for steps, lagged in frame.lagged(y):
                yield lagged, wanted[steps], np.full(len(lagged), weight)

    def last_step():
        for at, values, _ in stacked(frame, known, None):
            y = scaled_targets(frame, values)
            yield frame.last_lagged(y), wanted_after(frame, values, followers[at]), weights[at]

    return frame.learn_lags(every_step() if followers is None else last_step())


def scaled_targets(frame, known):
    """Return the targets of (..., T, n_targets + n_covariates), scaled."""
    center, scale = frame.scales(known[..., : frame.n_targets])
    return (known[..., : frame.n_targets] - center) / scale


def wanted_after(frame, known, followers):
    """Return what is asked for after the last step: (n, horizon, n_targets)."""
    center, scale = frame.scales(known[..., : frame.n_targets])
    return (followers - center) / scale - frame.last_base(scaled_targets(frame, known))
