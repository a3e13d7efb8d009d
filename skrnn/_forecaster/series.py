"""Training pieces of series: how series are cut, and the inputs and targets of each piece."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skrnn._data.overlapping_sequences import OverlappingSequences, gathered
from skrnn._data.sequences import Sequences, lengths_to_offsets
from skrnn._forecaster.transform import constant_moves, mean_count, rms, std
from skrnn._network.overlapping_targets import OverlappingTargets, column

SCORED_ORIGINS = 50  # of a series held out, for a scorer
COMPARED_WINDOWS = 64  # to find out how many steps lie between neighbors


class Series(NamedTuple):
    """Series to learn from, as `read_series` gives them; or parts of series."""

    known: Sequences
    future: Sequences  # covariates of the steps to come
    weights: np.ndarray  # (n_series,)
    y: np.ndarray | None = None  # (n_series, horizon, n_targets) what followed each
    # Steps at the start of each that are history alone: no target lies among them, and scales are
    # theirs. (n_series,), None for none.
    history: np.ndarray | None = None
    # Which series each is a part of; None: all are different.
    parts_of: np.ndarray | None = None

    @property
    def cuts(self):
        """Return `history` as an array."""
        return np.zeros(len(self.weights), int) if self.history is None else self.history

    @property
    def series(self):
        """Return `parts_of` as an array."""
        return np.arange(len(self.weights)) if self.parts_of is None else self.parts_of

    def take(self, indices):
        """Return the chosen series."""
        arrays = (None if part is None else part[indices] for part in self[2:])
        return Series(self.known.take(indices), self.future.take(indices), *arrays)


class Pieces(NamedTuple):
    """What a network reads of series, and is asked for."""

    rows: Sequences | OverlappingSequences  # (total_steps, n_inputs), one per piece
    # (n_rows, horizon, n_targets) of each step, or with y of each series; NaN where it does not
    # count. Steps that pieces share stand there once. Of counts (n_rows, horizon, 2 n_targets):
    # each beside the logarithm of what the network's mean is a multiple of.
    values: np.ndarray
    weights: np.ndarray  # (n_rows,)
    series: np.ndarray  # (n_pieces,) which series each is a piece of
    # (n_pieces,) steps at the start of each that do not count; None where pieces share none.
    n_warming: np.ndarray | None = None

    @property
    def shared(self):
        """Return the targets of pieces that share steps; their values may have three axes."""
        rows = self.rows
        return OverlappingTargets(
            self.values, self.weights, rows.starts, rows.lengths, self.n_warming
        )

    def followed_by(self, others):
        """Return these pieces and those of other series."""
        if self.rows.is_stored:
            rows = self.rows.followed_by(others.rows)
        else:
            offsets = np.append(self.rows.offsets, others.rows.offsets[1:] + self.rows.offsets[-1])
            rows = Sequences(np.concatenate([self.rows.values, others.rows.values]), offsets)
        return Pieces(
            rows,
            np.concatenate([self.values, others.values]),
            np.concatenate([self.weights, others.weights]),
            np.concatenate([self.series, others.series + self.series.max(initial=-1) + 1]),
            None if self.n_warming is None else np.append(self.n_warming, others.n_warming),
        )


def cut_ends(given, fraction, k):
    """Split every series into its beginning, and its end with the beginning as history.

    Parameters
    ----------
    given : Series
    fraction : float
        Of the steps that can be forecast, those after the first.
    k : int
        Number of targets.

    Returns
    -------
    Series
        Twice as many, a beginning and an end in turn; as it was where ends would hold fewer than
        two steps in all, or leave too little to learn from.
    """
    lengths = given.known.lengths
    n_held = np.round(fraction * (lengths - 1)).astype(int)
    n_held = np.where(lengths - n_held < 2, 0, n_held)
    if n_held.sum() < 2:
        return given
    parts, ahead, history = [], [], []
    c = given.future.values.shape[1]
    series = zip(given.known.arrays(), given.future.arrays(), n_held, strict=True)
    for values, future, held in series:
        cut = len(values) - held
        parts += [values[:cut], values if held else values[:0]]
        ahead += [np.concatenate([values[cut:, k : k + c], future]), future]
        history += [0, cut if held else 0]
    at = np.repeat(np.arange(len(given.known)), 2)
    whole = Series(Sequences.of(parts), Sequences.of(ahead), given.weights[at], None,
                   np.array(history), at)  # fmt: skip
    return whole.take(np.flatnonzero(whole.known.lengths > 0))


def late_windows(given, fraction):
    """Find the last windows of each series, and earlier ones that share targets with them.

    Windows that follow one another in a series repeat its values; that is how they are known.

    Parameters
    ----------
    given : Series
        Windows and what followed them.
    fraction : float
        Of the windows of each series.

    Returns
    -------
    late, gaps : ndarray of shape (n_windows,), dtype=bool
    """
    n, lengths = len(given.known), given.known.lengths
    late, gaps = np.zeros(n, bool), np.zeros(n, bool)
    horizon, k = given.y.shape[1:]
    if n < 2 or (lengths != lengths[0]).any():
        return late, gaps
    windows = given.known.values.reshape(n, lengths[0], -1)[:, :, :k]
    whole = np.concatenate([windows, given.y], axis=1)

    def follows(shift, few=None):
        """Tell which windows are the one before, so many steps later."""
        return (whole[1:few, :-shift] == whole[: few and few - 1, shift:][: n - 1]).all(axis=(1, 2))

    shifts = range(1, whole.shape[1])
    step = max(shifts, key=lambda shift: np.count_nonzero(follows(shift, COMPARED_WINDOWS)))
    follow = np.append(False, follows(step))
    group = np.cumsum(~follow) - 1
    sizes = np.bincount(group)
    to_end = np.cumsum(sizes)[group] - np.arange(n)  # 1 for the last window of a series
    n_held = np.round(fraction * sizes).astype(int)[group]
    late = to_end <= n_held
    gaps = ~late & (n_held > 0) & (to_end <= n_held + (horizon - 1) // step)
    return late, gaps


def late_forecasts(held, transform, columns):
    """Return histories from the held-out part, and the values that followed them.

    Origins whose truth is missing in part are left out.

    Parameters
    ----------
    held : Series
    transform : SeriesTransform
    columns : Columns

    Returns
    -------
    histories : list of ndarray of shape (n_timesteps, n_features)
        As X has them; with covariates they end in rows for the steps to come, whose targets are
        NaN.
    y : ndarray of shape (n_histories, horizon, n_targets)
    """
    k, h, c = transform.n_targets, transform.horizon, transform.n_covariates
    histories, y = [], []
    series = zip(held.known.arrays(), held.future.arrays(), strict=True)
    for i, (values, ahead) in enumerate(series):
        if held.y is not None:
            stops = [len(values)]
        else:
            stops = range(max(held.cuts[i], 1), len(values) - h + 1)
            stops = stops[:: max(1, len(stops) // SCORED_ORIGINS)]
        for stop in stops:
            truth = transform.truth(values[stop : stop + h])
            after = held.y[i] if held.y is not None else truth
            if np.isnan(after).any():
                continue
            y.append(after)
            rows = np.concatenate([values[stop:, k : k + c], ahead])[: h * bool(c)]
            rows = np.column_stack([np.full((len(rows), k), np.nan), rows])
            histories.append(np.concatenate([columns.decode(values[:stop]), columns.decode(rows)]))
    if not histories:
        raise ValueError(
            f"The validation part of no series has the {h} steps of a forecast, which `scoring` "
            "needs. Increase validation_fraction, pass X_val and y_val, or set scoring='loss'."
        )
    return histories, np.array(y)


def training_spans(length, size, overlap):
    """Return the pieces of a series to learn from: (start, stop, first step that counts) each.

    A piece has `size` steps that count; `overlap` steps of the one before only warm its state up.
    The first piece has no such steps, and is that much longer.
    """
    pieces = [(0, min(length, size + overlap), 0)]
    while pieces[-1][1] < length:
        stop = pieces[-1][1]
        pieces.append((stop - overlap, min(length, stop + size), stop))
    return pieces


def learn(transform, given, *, bptt_steps, reset, dtype=np.float64, complete=False):
    """Return inputs and targets of the network for series.

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
        Without y every step is asked for what comes next.
    bptt_steps : int or None
        As in `read_every_step`.
    reset : bool
        Learn the linear autoregression and the scales of inputs and targets as well.
    dtype : dtype
        Of what is read, and of what is asked for at every step.
    complete : bool, default=False
        Refuse series that lack a target for one of the steps ahead: that one would stay untrained.

    Returns
    -------
    transform : SeriesTransform
    pieces : Pieces
    """
    known, y, k = given.known, given.y, transform.n_targets
    counts = [1] * len(given.weights)
    if reset and transform.lags:
        transform = learn_lags(transform, known, given.weights, y)
    if y is None:
        rows, changes, parts = read_every_step(transform, given, bptt_steps, dtype)
        counts = [len(pieces) for _, pieces in parts]
        n_warming = np.array([at - start for _, pieces in parts for start, _, at in pieces])
        values = targets_of_every_step(transform, given, parts, len(rows.steps), dtype)
        steps = [pieces[-1][1] - pieces[0][0] for _, pieces in parts]
        del parts
    else:
        rows, values = learn_last_step(transform, known, given.future, y)
        changes = rows.values[:, :k]
    lacking = np.array([np.isnan(values[:, j]).all() for j in range(values.shape[1])])
    if lacking.all():
        raise ValueError(
            f"Every series is too short to learn from: the longest has {known.lengths.max()} "
            "step(s), and at least 2 are needed."
        )
    if complete and lacking.any():
        raise _untrained(lacking, known)
    weights = given.weights if y is not None else np.repeat(given.weights, steps)
    if reset:
        row_weights = np.repeat(np.repeat(given.weights, counts), np.diff(rows.offsets))
        read = changes if y is not None else gathered(changes, rows.starts, rows.lengths)
        scale = std(read, row_weights if row_weights.any() else None)
        del read
        if y is not None:
            target_scale = _sizes(transform, values, None, weights)
        else:
            shared = OverlappingTargets(values, None, rows.starts, rows.lengths, n_warming)
            target_scale = _sizes(transform, values, shared, row_weights)
        del row_weights
        moves = constant_moves(transform, known, y)
        transform = replace(
            transform, input_scale=scale, target_scale=target_scale, constant_moves=moves
        )
        changes /= scale
    if y is None:
        rows.steps[:, :k] = changes
        if bptt_steps:  # pieces that follow one another and share no step
            rows, n_warming = rows.load(), None
    else:
        rows = Sequences(rows.values.astype(dtype), rows.offsets)
    series = np.repeat(np.arange(len(counts)), counts)
    if transform.counts:
        of_rows = series if y is not None else np.repeat(np.arange(len(steps)), steps)
        values = _beside_scales(transform, given, values, of_rows)
    else:
        values /= transform.target_scale
    return transform, Pieces(rows, values, weights, series, None if y is not None else n_warming)


def _sizes(transform, values, shared, weights):
    """Return what targets are multiples of, (horizon, n_targets): of pieces, whose steps all count.

    Parameters
    ----------
    transform : SeriesTransform
    values : ndarray of shape (n, horizon, n_targets)
    shared : OverlappingTargets or None
        The same of pieces that share steps.
    weights : ndarray of shape (n,)
    """
    h, k = values.shape[1:]
    if transform.counts:
        values = values if shared is None else shared.load().values
        return mean_count(values.reshape(len(values), -1), weights).reshape(h, k)
    values = values.reshape(len(values), -1)
    if shared is None:
        return rms(values.T, weights).reshape(h, k)
    shared = replace(shared, values=values)
    return rms((column(shared, j) for j in range(h * k)), weights).reshape(h, k)


def _beside_scales(transform, given, scaled, series):
    """Return counts, each beside the logarithm of its scale: (n_rows, horizon, 2 n_targets).

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
    scaled : ndarray of shape (n_rows, horizon, n_targets)
        Counts, scaled.
    series : ndarray of shape (n_rows,)
        Which series each is of.
    """
    k = transform.n_targets
    scales = np.empty((len(given.weights), 1, k))
    for i, (values, cut) in enumerate(zip(given.known.arrays(), given.cuts, strict=True)):
        scales[i] = transform.scales(values[: cut or None, :k])[1]
    pairs = np.empty((*scaled.shape, 2), scaled.dtype)
    pairs[..., 0] = np.rint(scaled * scales[series])
    pairs[..., 1] = np.log(scales * transform.target_scale)[series]
    pairs[np.isnan(scaled)] = np.nan
    return pairs.reshape(*scaled.shape[:2], 2 * k)


def _untrained(lacking, known):
    """Return the error for steps ahead for which no series has a target."""
    first = int(lacking.argmax())
    return ValueError(
        f"No series has a target {first + 1} steps ahead: the longest has "
        f"{known.lengths.max()} step(s), and horizon is {len(lacking)}, so that "
        f"{lacking.sum()} of its steps would stay untrained. Set horizon={first}: longer "
        "forecasts, predict(horizon=...), feed forecasts back in."
    )


def read_every_step(transform, given, bptt_steps, dtype):
    """Return what the network reads at every step of series, in pieces.

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
        Of what is their `history` no step is asked for; scales are those of history.
    bptt_steps : int or None
        With it pieces of so many steps follow one another, and the state is carried on; without it
        they overlap.
    dtype : dtype
        Of what is read.

    Returns
    -------
    rows : OverlappingSequences
        Of shape (total_steps, n_inputs), one sequence per piece, without the changes of targets.
    changes : ndarray of shape (n_steps, n_targets), dtype=float64
        Which stand in the first columns of ``rows.steps`` once they are scaled.
    parts : list of (scaled targets, pieces), one of each series
        Pieces as `training_spans` has them.
    """
    size, overlap = (bptt_steps, 0) if bptt_steps else (transform.lookback, transform.lookback)
    k, cuts, pieces_of, first_of = transform.n_targets, given.cuts, [], []
    for length, cut in zip(np.diff(given.known.offsets), cuts, strict=True):
        # Steps that only warm the state up: as many as the state of a forecast is made from.
        first = max(0, cut - transform.horizon - transform.lookback)
        spans = training_spans(length, size, overlap)
        pieces_of.append([span for span in spans if span[1] > first])
        first_of.append(pieces_of[-1][0][0])
    begins = lengths_to_offsets(given.known.lengths - first_of)
    steps, changes = np.empty((begins[-1], transform.n_inputs), dtype), np.empty((begins[-1], k))
    series = zip(given.known.arrays(), given.future.arrays(), cuts, strict=True)
    parts, starts = [], []
    for i, (values, ahead, cut) in enumerate(series):
        y, z = transform.prepare(values, ahead, cut or None)
        inputs = transform.inputs(y, z)[first_of[i] :]
        here = slice(begins[i], begins[i + 1])
        changes[here], steps[here, k:] = inputs[:, :k], inputs[:, k:]
        parts.append((y, pieces_of[i]))
        starts += [begins[i] + start - first_of[i] for start, _, _ in pieces_of[i]]
    offsets = lengths_to_offsets([stop - start for one in pieces_of for start, stop, _ in one])
    return OverlappingSequences(steps, np.array(starts, np.int64), offsets), changes, parts


def targets_of_every_step(transform, given, parts, n_steps, dtype):
    """Return what the network is asked for at every step of series that a piece has.

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
    parts : list
        As `read_every_step` returns it.
    n_steps : int
        Of all series, from the first that a piece has.
    dtype : dtype

    Returns
    -------
    ndarray of shape (n_steps, horizon, n_targets)
        NaN where a step does not count.
    """
    # With a long horizon these take more memory than all else, so they are filled in place.
    step_targets = np.empty((n_steps, transform.horizon, transform.n_targets), dtype)
    ahead_of, done = np.arange(1, transform.horizon + 1), 0
    for values, cut, (y, pieces) in zip(given.known.arrays(), given.cuts, parts, strict=True):
        missing = np.isnan(transform.truth(values)) if transform.n_indicators else None
        truth = y if missing is None else np.where(missing, np.nan, y)
        for start, stop, counted in pieces:
            before = max(0, start - transform.history_length)
            targets = transform.targets(
                y[before : stop + transform.horizon], truth[before : stop + transform.horizon]
            )
            targets = targets[start - before : stop - before]
            # What the history is followed by within itself has been learned from.
            targets[np.arange(start, stop)[:, np.newaxis] + ahead_of < cut] = np.nan
            targets[: counted - start] = np.nan
            new = max(0, counted - start) if start > pieces[0][0] else 0
            step_targets[done : done + len(targets) - new] = targets[new:]
            done += len(targets) - new
    return step_targets


def learn_last_step(transform, known, future, y):
    """Return inputs and targets of the network for histories and the values that followed.

    Parameters
    ----------
    transform, known, future
        As in `read_every_step`.
    y : ndarray of shape (n, horizon, n_targets)

    Returns
    -------
    rows : Sequences
        Of shape (total_steps, n_inputs).
    step_targets : ndarray of shape (n, horizon, n_targets)
    """
    offsets = lengths_to_offsets(np.minimum(known.lengths, transform.lookback))
    rows, step_targets = np.empty((offsets[-1], transform.n_inputs)), np.empty(y.shape)
    for at, values, ahead in stacked(transform, known, future):
        step_targets[at] = targets_after(transform, values, y[at])
        inputs = transform.inputs(*transform.prepare(values, ahead))[:, -transform.lookback :]
        rows[offsets[at, np.newaxis] + np.arange(inputs.shape[1])] = inputs
    return Sequences(rows, offsets), step_targets


def stacked(transform, known, future, most=None):
    """Yield groups of series of equal length, cut to the steps that a forecast reads.

    Parameters
    ----------
    transform : SeriesTransform
    known : Sequences
    future : Sequences or None
    most : int, default=None
        Numbers that the steps of the series yielded together may hold; None for no limit.

    Yields
    ------
    at : ndarray of int
        Which they are.
    known : ndarray of shape (n, T, n_columns)
    future : ndarray of shape (n, F, n_covariates), or None where it is not given
    """
    kept = (
        known.lengths
        if transform.own_scale
        else np.minimum(known.lengths, transform.history_length)
    )
    ahead = np.zeros_like(kept) if future is None else future.lengths
    pairs, group = np.unique(np.column_stack([kept, ahead]), axis=0, return_inverse=True)
    for g, (T, F) in enumerate(pairs):
        together = np.flatnonzero(group.ravel() == g)
        width = transform.n_inputs + transform.n_covariates
        size = len(together) if most is None else max(1, most // ((T + F) * width))
        for start in range(0, len(together), size):
            at = together[start : start + size]
            steps = known.offsets[at + 1, np.newaxis] - T + np.arange(T)
            coming = None
            if future is not None:
                coming = future.values[future.offsets[at, np.newaxis] + np.arange(F)]
            yield at, known.values[steps], coming


def learn_lags(transform, known, weights, y=None):
    """Learn the linear autoregression, from every step or from the values that followed.

    Parameters
    ----------
    transform : SeriesTransform
    known : Sequences
    weights : ndarray of shape (n_series,)
    y : ndarray of shape (n_series, horizon, n_targets), or None

    Returns
    -------
    SeriesTransform
    """

    def every_step():
        for values, weight in zip(known.arrays(), weights, strict=True):
            y = scaled_targets(transform, values)
            missing = np.isnan(transform.truth(values))
            step_targets = transform.targets(y, np.where(missing, np.nan, y))
            for steps, lagged in transform.lagged(y):
                yield lagged, step_targets[steps], np.full(len(lagged), weight)

    def last_step():
        for at, values, _ in stacked(transform, known, None):
            lagged = transform.last_lagged(scaled_targets(transform, values))
            yield lagged, targets_after(transform, values, y[at]), weights[at]

    return transform.learn_lags(every_step() if y is None else last_step())


def scaled_targets(transform, known):
    """Return the targets of (..., T, n_columns), scaled."""
    center, scale = transform.scales(known[..., : transform.n_targets])
    return (known[..., : transform.n_targets] - center) / scale


def targets_after(transform, known, y):
    """Return what is asked for after the last step: (n, horizon, n_targets)."""
    center, scale = transform.scales(known[..., : transform.n_targets])
    return (y - center) / scale - transform.last_base(scaled_targets(transform, known))
