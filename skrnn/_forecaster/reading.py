"""Read series as numbers: their known steps, and the covariates of future steps."""

import numpy as np
from sklearn.utils import column_or_1d

from skrnn._data.numbers import read_target_numbers
from skrnn._data.sequences import Sequences, lengths_to_offsets
from skrnn._data.validation import check_sequences
from skrnn._forecaster.distributions import COUNT_LOSSES, check_counts
from skrnn._forecaster.missing import Places, fill_gaps


def read_series(estimator, X, *, reset, format_=None, before=None):
    """Validate series, and separate their known steps from the steps to be forecast.

    Parameters
    ----------
    estimator : LSTMForecaster
    X : series
        Steps at the end of a series whose targets are NaN are to be forecast.
    reset : bool
        True in `fit`.
    format_ : SeriesFormat, default=None
        What they look like to the user, for messages.
    before : Sequences, default=None
        What came before these steps, as `known`: what is missing is filled from there.

    Returns
    -------
    known : Sequences
        What is read of the known steps, as `Columns.encode` makes it.
    future : Sequences
        Covariates of the steps to come.

    Raises
    ------
    ValueError
        For NaN elsewhere, a series of which nothing is known, or a value that is no count where the
        loss is of counts.
    """
    sequences = check_sequences(estimator, X, dtype=np.float64, reset=reset, allow_nan=True)
    if estimator._token_counts is not None:
        raise TypeError(
            f"{type(estimator).__name__} forecasts numbers, but X holds strings. Convert the "
            "series first, for example with numpy.asarray(x, dtype=float) or X.astype(float)."
        )
    if reset:
        estimator._columns = estimator._columns.of_width(estimator._step_width, estimator.n_targets)
    columns = estimator._columns
    k, values, offsets = columns.n_targets, sequences.values, sequences.offsets
    if before is not None and len(before) != len(sequences):
        raise ValueError(
            f"X has {len(sequences)} series, but the forecaster was fitted on {len(before)}. Pass "
            "new steps of each of them."
        )
    loss = estimator.loss if reset else estimator._architecture["loss"]
    if loss in COUNT_LOSSES:
        check_counts(loss, values[:, :k], Places(columns, format_, offsets).step)
    gaps = np.isnan(values)
    if not gaps.any() and columns.is_plain:
        nothing = np.empty((0, values.shape[1] - k))
        return sequences, Sequences(nothing, np.zeros_like(offsets))
    where = Places(columns, format_, offsets)
    steps = np.arange(len(values))
    unknown = gaps[:, :k].all(axis=1)
    stops = np.maximum.reduceat(np.where(unknown, -1, steps), offsets[:-1]) + 1  # of what is known
    to_come = steps >= np.repeat(stops, np.diff(offsets))
    empty = stops <= offsets[:-1]
    if before is None and empty.any():
        raise ValueError(
            f"Input X contains NaN.\n{where.series(int(empty.argmax()))} has no step with known "
            "targets."
        )
    lengths = np.where(empty, 0, stops - offsets[:-1])
    if columns.static:
        values, gaps = values.copy(), gaps.copy()
        where.spread_static(values, gaps)
    gaps[to_come, :k] = False
    gaps[np.ix_(to_come, (*columns.past, *columns.static))] = False
    allowed = ~to_come[:, np.newaxis] & columns.masked
    if (gaps & ~allowed).any():
        where.refuse_missing(*np.argwhere(gaps & ~allowed)[0], to_come)
    ahead = Sequences(
        columns.encode_ahead(values[to_come]), lengths_to_offsets(np.diff(offsets) - lengths)
    )
    begun = ~to_come
    if columns.masked and before is None:  # a series begins where its first target is known
        starts = np.minimum.reduceat(np.where(unknown, len(values), steps), offsets[:-1])
        begun &= steps >= np.repeat(starts, np.diff(offsets))
        lengths = stops - starts
    values = values if begun.all() else values[begun]
    known = Sequences(columns.encode(values), lengths_to_offsets(lengths))
    if columns.masked:
        transform = estimator if reset else estimator._transform
        season = estimator.season_length if reset else transform.season
        season = season if transform.difference == "season" and season else 0
        known = _filled(known, before, season, where)
    return known, ahead


def _filled(known, before, season, where):
    """Fill what is missing: the network reads no change there."""
    k, parts = where.columns.n_targets, []
    earlier = [known.values[:0]] * len(known) if before is None else before.arrays()
    for i, (values, history) in enumerate(zip(known.arrays(), earlier, strict=True)):
        history = history[-max(1, season) :]
        whole = np.concatenate([history, values])
        fill_gaps(whole, k, season)
        if len(whole) and np.isnan(whole[-1]).any():
            where.refuse_empty(i, int(np.isnan(whole[-1]).argmax()))
        parts.append(whole[len(history) :])
    return Sequences.of(parts)


def read_y(y, n, horizon, k, loss):
    """Return the targets y of n series, of shape (n, horizon, k), and the number of axes of y.

    Parameters
    ----------
    y : array-like of shape (n,), (n, horizon) or (n, horizon, k)
    n, horizon, k : int
    loss : str
        Of counts, y must be some.
    """
    y = read_target_numbers(y, np.float64).astype(np.float64)
    if horizon == k == 1 and y.ndim > 1:
        y = column_or_1d(y, warn=True)
    if len(y) != n:
        raise ValueError(f"X has {n} series and y has {len(y)} targets. Pass one per series.")
    if y.size != n * horizon * k:
        raise ValueError(
            f"y has shape {y.shape}, but horizon={horizon} and {k} target(s) need "
            f"({n}, {horizon}{f', {k}' if k > 1 else ''}). Set horizon to what y holds."
        )
    if loss in COUNT_LOSSES:
        check_counts(
            loss, y.reshape(n * horizon, k),
            lambda row: f"row {row // horizon} of y (step {row % horizon + 1} ahead)",
        )  # fmt: skip
    return y.reshape(n, horizon, k), y.ndim
