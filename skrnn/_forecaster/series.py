"""Training pieces of series: how series are cut, and the inputs and targets of each piece."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skrnn._data.overlapping_sequences import OverlappingSequences, gathered
from skrnn._data.sequences import Sequences, lengths_to_offsets
from skrnn._forecaster.transform import constant_moves, mean_count, rms, std
from skrnn._network.overlapping_targets import OverlappingTargets, column

SCORED_ORIGINS = 50  # of a series held out, for a scorer
SIDE_BY_SIDE_BYTES = 2**26  # above it, steps that pieces share stand in memory once
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


def learn(transform, given, *, bptt_steps, reset, dtype=np.float64, complete=False, shared=None):
    """Return inputs and targets of the network for series.

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
        Without y every step is asked for what comes next.
    bptt_steps : int or None
        As in `learn_every_step`.
    reset : bool
        Learn the linear autoregression and the scales of inputs and targets as well.
    dtype : dtype
        Of what is read, and of what is asked for at every step.
    complete : bool, default=False
        Refuse series that lack a target for one of the steps ahead: that one would stay untrained.
    shared : bool, default=None
        As in `learn_every_step`.

    Returns
    -------
    transform : SeriesTransform
    pieces : Pieces
    """
    known, y, k = given.known, given.y, transform.n_targets
    n_series, n_warming = len(given.weights), None
    if reset and transform.lags:
        transform = learn_lags(transform, known, given.weights, y)
    if y is None:
        rows, changes, values, n_warming, counts, n_values = learn_every_step(
            transform, given, bptt_steps, dtype, shared
        )
    else:
        rows, values = learn_last_step(transform, known, given.future, y)
        changes = rows.values[:, :k].copy()
        rows = Sequences(rows.values.astype(dtype), rows.offsets)
        counts = n_values = np.ones(n_series, int)
    lacking = np.isnan(np.fmax.reduce(values, axis=(0, 2)))  # NaN where all are
    if lacking.all():
        raise ValueError(
            f"Every series is too short to learn from: the longest has {known.lengths.max()} "
            "step(s), and at least 2 are needed."
        )
    if complete and lacking.any():
        raise _untrained(lacking, known)
    weights = np.repeat(given.weights, n_values)
    if reset:
        row_weights = np.repeat(np.repeat(given.weights, counts), np.diff(rows.offsets))
        some_weights = row_weights if row_weights.any() else None
        if n_warming is not None:
            scale, sizes = _sizes_of_shared(
                transform, rows, changes, values, n_warming, row_weights, some_weights
            )
        else:
            flat, scale = values.reshape(len(values), -1), std(changes, some_weights)
            sizes = mean_count(flat, weights) if transform.counts else rms(flat.T, weights)
        del row_weights, some_weights
        moves = constant_moves(transform, known, y)
        transform = replace(
            transform,
            input_scale=scale,
            target_scale=sizes.reshape(values.shape[1:]),
            constant_moves=moves,
        )
        changes /= scale
    (rows.values if n_warming is None else rows.steps)[:, :k] = changes
    if transform.counts:
        of_values = np.repeat(np.arange(n_series), n_values)
        values = _beside_scales(transform, given, values, of_values)
    else:
        values /= transform.target_scale
    series = np.repeat(np.arange(n_series), counts)
    return transform, Pieces(rows, values, weights, series, n_warming)


def _sizes_of_shared(transform, rows, changes, values, n_warming, weights, some_weights):
    """Return the scales of inputs and of targets, of pieces that share steps: all steps count.

    Parameters
    ----------
    transform : SeriesTransform
    rows : OverlappingSequences
    changes, values, n_warming : ndarray
        As `learn_every_step` returns them.
    weights : ndarray of shape (total_steps,)
        Of the pieces' steps.
    some_weights : ndarray of shape (total_steps,), or None
        The same; None where all are 0.

    Returns
    -------
    scale : ndarray of shape (n_targets,)
    sizes : ndarray of shape (horizon * n_targets,)
    """
    scale = std(gathered(changes, rows.starts, rows.lengths), some_weights)
    flat = values.reshape(len(values), -1)
    targets = OverlappingTargets(flat, None, rows.starts, rows.lengths, n_warming)
    if transform.counts:
        return scale, mean_count(targets.load().values, weights)
    return scale, rms((column(targets, j) for j in range(flat.shape[1])), weights)


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


def learn_every_step(transform, given, bptt_steps, dtype, shared=None):
    """Return inputs and targets of the network for every step of series, in pieces.

    Parameters
    ----------
    transform : SeriesTransform
    given : Series
        Of what is their `history` no step is asked for; scales are those of history.
    bptt_steps : int or None
        With it pieces of so many steps follow one another, and the state is carried on; without it
        they overlap.
    dtype : dtype
        Of what is read and asked for.
    shared : bool, default=None
        Whether steps that overlapping pieces share stand in memory once; None: only where all
        pieces side by side took more than `SIDE_BY_SIDE_BYTES`.

    Returns
    -------
    rows : Sequences or OverlappingSequences
        Of shape (total_steps, n_inputs), one sequence per piece, without the changes of targets.
    changes : ndarray of shape (n_steps, n_targets), dtype=float64
        Which are to stand in the first columns of the steps of `rows`, once they are scaled.
    step_targets : ndarray of shape (n_steps, horizon, n_targets)
        NaN where a step does not count.
    n_warming : ndarray of shape (n_pieces,), or None
        Steps at the start of each that another piece has; None where pieces stand side by side.
    counts, n_steps : ndarray of shape (n_series,), dtype=int
        Pieces of each series, and steps of it in `changes`.
    """
    size, overlap = (bptt_steps, 0) if bptt_steps else (transform.lookback, transform.lookback)
    cuts, spans = given.cuts, []
    for length, cut in zip(np.diff(given.known.offsets), cuts, strict=True):
        # Steps that only warm the state up: as many as the state of a forecast is made from.
        first = max(0, cut - transform.horizon - transform.lookback)
        of_series = training_spans(length, size, overlap)
        spans.append([span for span in of_series if span[1] > first])
    counts = np.array([len(pieces) for pieces in spans])
    starts, stops, counted = np.array([span for pieces in spans for span in pieces]).T
    offsets = lengths_to_offsets(stops - starts)
    series = zip(given.known.arrays(), given.future.arrays(), cuts, spans, strict=True)
    k, h, width = transform.n_targets, transform.horizon, transform.n_inputs
    if shared is None:
        n_bytes = offsets[-1] * (width + h * k) * np.dtype(dtype).itemsize
        shared = overlap > 0 and n_bytes > SIDE_BY_SIDE_BYTES
    of_piece = np.repeat(np.arange(len(counts)), counts)
    n_warming = np.maximum(0, counted - starts)
    n_warming[np.cumsum(counts) - counts] = 0  # the first piece of a series has all its steps
    lengths = stops - starts - n_warming if shared else stops - starts
    n_steps = np.bincount(of_piece, lengths, len(counts)).astype(int)
    steps, changes = np.empty((n_steps.sum(), width), dtype), np.empty((n_steps.sum(), k))
    # With a long horizon these take more memory than all else, so they are filled in place.
    step_targets = np.empty((len(steps), h, k), dtype)
    ahead_of, done = np.arange(1, h + 1), 0
    for values, ahead, cut, pieces in series:
        y, z = transform.prepare(values, ahead, cut or None)
        missing = np.isnan(transform.truth(values)) if transform.n_indicators else None
        truth = y if missing is None else np.where(missing, np.nan, y)
        inputs = transform.inputs(y, z)
        for start, stop, first in pieces:
            before = max(0, start - transform.history_length)
            targets = transform.targets(y[before : stop + h], truth[before : stop + h])
            targets = targets[start - before : stop - before]
            # What the history is followed by within itself has been learned from.
            targets[np.arange(start, stop)[:, np.newaxis] + ahead_of < cut] = np.nan
            targets[: first - start] = np.nan
            left_out = max(0, first - start) if shared and start > pieces[0][0] else 0
            here = slice(done, done + stop - start - left_out)
            read = inputs[start + left_out : stop]
            changes[here], steps[here, k:] = read[:, :k], read[:, k:]
            step_targets[here] = targets[left_out:]
            done = here.stop
    if not shared:
        return Sequences(steps, offsets), changes, step_targets, None, counts, n_steps
    # Steps of a series without its first ones that no piece has.
    begins = np.cumsum(n_steps) - n_steps - starts[np.cumsum(counts) - counts]
    rows = OverlappingSequences(steps, begins[of_piece] + starts, offsets)
    return rows, changes, step_targets, n_warming, counts, n_steps


def learn_last_step(transform, known, future, y):
    """Return inputs and targets of the network for histories and the values that followed.

    Parameters
    ----------
    transform, known, future
        As in `learn_every_step`.
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
