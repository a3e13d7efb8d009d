"""The sections of the benchmark, each a function from a `Run` to a table."""

import statistics
import time
from dataclasses import dataclass, replace

import ours
from report import Table, duration, speedup, times, timing_cell, vendor, verdict
from shapes import (
    DEEP,
    GATES,
    GOALS,
    JAX_GOALS,
    LONG,
    LOWEST_LSTM_GOAL,
    RAGGED,
    SHAPES,
    SINGLE,
    dense_data,
    ragged_data,
    share_goal,
)
from timing import alternate, thread_counts, timed


@dataclass
class Run:
    """What a run measures with."""

    peer: object  # the other side's module, or None
    peak: float | None  # GFLOP/s of one core
    repeats: int = 5
    quick: bool = False
    isa: str | None = None

    def shapes(self):
        """Pair the shapes with their place in the lists of goals."""
        numbered = list(enumerate(SHAPES))
        if self.isa:  # beyond H = 256 a lower level has no goal, up to there it is far from it
            numbered = [(i, replace(s, batches=10)) for i, s in numbered if s.H <= 256]
        return numbered[:2] if self.quick else numbered

    def goal(self, cell, what, index):
        """Return the ratio to reach, or None where there is no goal."""
        # Below the machine's own level the goal is to be no slower.
        return 1.0 if self.isa else GOALS[cell, what][index]

    def sides(self):
        """List the modules that compete."""
        return [ours] if self.peer is None else [ours, self.peer]

    def race(self, shape, X, y, what, peer=None):
        """Time `what` ("fit" or "predict") of both sides; None for a missing peer."""
        calls = []
        some = 2 * shape.B  # enough to learn from what only predicts
        for side in self.sides() if peer is None else [ours, peer]:
            data = side.prepare(X)
            if what == "fit":
                calls.append((side, lambda s=side, d=data: s.fit(shape, d, y)))
            else:
                fitted = side.fit(replace(shape, epochs=1), data[:some], y[:some])
                calls.append((side, lambda s=side, f=fitted, d=data: s.predict(f, shape, d)))
        if peer is None:
            timings = alternate(calls, self.repeats)
        else:
            peer.warm_up(shape, data, y)
            timings = alternate(calls, self.repeats, [thread_counts()[-1]] * 2)
        return timings if len(timings) == 2 else [timings[0], None]

    def share_of_peak(self, shape, timing, what):
        """Divide the useful arithmetic by what the cores used could do; None if unknown.

        Two cores may do less at once than twice what one can do alone: what both did, measured
        between the calls, counts.
        """
        if self.peak is None:
            return None
        flops = shape.training_flops() * shape.epochs if what == "fit" else shape.forward_flops()
        rate = flops * shape.T * shape.n_sequences / timing.seconds / 1e9
        return rate / (self.peak if timing.threads == 1 else timing.machine)

    def cores_gave(self, timing):
        """Divide what all cores did at once by what one alone can; None if unknown."""
        if self.peak is None or timing.machine is None:
            return None
        return timing.machine / self.peak


def _percent(share):
    return "-" if share is None else f"{100 * share:.0f} %"


RACE_COLUMNS = ["network", "T, B, D, H", "ours", "PyTorch", "ratio", "goal", "verdict"]


def _race_table(run, title, cell, what):
    table = Table(
        title,
        [*RACE_COLUMNS, "of FMA peak", "share's goal", "share's verdict", "ratio at the peak",
         "cores gave"],
    )  # fmt: skip
    for index, shape in run.shapes():
        shape = shape.with_cell(cell)
        X, y = dense_data(shape)
        mine, theirs = run.race(shape, X, y, what)
        ratio, goal = speedup(mine, theirs), run.goal(cell, what, index)
        share = run.share_of_peak(shape, mine, what)
        floor = None if run.isa else share_goal(vendor(), cell, what, shape.H)
        at_peak = ratio / share if ratio and share else None
        if at_peak and floor and (cell, what) == ("lstm", "fit"):
            # What a fit at the goal's share of the peak would reach, if that is less.
            goal = min(goal, max(LOWEST_LSTM_GOAL, round(at_peak * floor, 2)))
        table.add(
            f"{cell} {what}",
            shape,
            timing_cell(mine),
            timing_cell(theirs),
            times(ratio),
            times(goal),
            verdict(ratio, goal),
            _percent(share),
            _percent(floor),
            verdict(share, floor),
            times(at_peak),
            times(run.cores_gave(mine)),
        )
    return table


def lstm_fit(run):
    """Compare the training of an LSTM."""
    return _race_table(run, "LSTM fit", "lstm", "fit")


def lstm_predict(run):
    """Compare the predictions of an LSTM."""
    return _race_table(run, "LSTM predict", "lstm", "predict")


def gru_fit(run):
    """Compare the training of a GRU."""
    return _race_table(run, "GRU fit", "gru", "fit")


def rnn_fit(run):
    """Compare the training of a plain tanh network."""
    return _race_table(run, "RNN (tanh) fit", "rnn", "fit")


def beside_jax(run):
    """Compare training with JAX: the whole step compiled, Adam included."""
    table = Table(
        "Beside JAX (fit)",
        ["network", "T, B, D, H", "ours", "JAX", "ratio", "goal", "verdict"],
        "The same network and Adam under `jit` over `lax.scan`, no Python within a step; compiled "
        "before the clock starts, on as many threads as JAX likes; medians of five, ten batches an "
        "epoch from the third shape on.",
    )
    try:
        import jax_side
    except ModuleNotFoundError as error:
        if error.name != "jax":
            raise
        print("Beside JAX: skipped, it is not installed. `make bench` installs it.")
        return table
    for cell in ("lstm", "gru"):
        for index, shape in run.shapes():
            goal = JAX_GOALS[cell][index]
            if goal is None:
                continue
            shape = shape.with_cell(cell)
            if index >= 2:  # or this table alone takes two minutes
                shape = replace(shape, batches=10)
            X, y = dense_data(shape)
            mine, theirs = run.race(shape, X, y, "fit", jax_side)
            ratio = speedup(mine, theirs)
            cells = [timing_cell(mine), duration(theirs.seconds), times(ratio), times(goal)]
            table.add(f"{cell} fit", shape, *cells, verdict(ratio, goal))
    return table


def ragged(run):
    """Compare unequal lengths with PyTorch's packed sequences and our own equal lengths."""
    table = Table(
        "Ragged sequences",
        RACE_COLUMNS,
        "Lengths uniform in 10..190, mean 100; PyTorch through `pack_padded_sequence`. The last "
        "rows compare with our own time for as many steps in equal lengths.",
        "The goal of the last is at most 1.25x.",
    )
    X, y = ragged_data(RAGGED)
    X_equal, y_equal = dense_data(RAGGED)
    for what, goal in [("fit", 4.0), ("predict", 3.0)]:
        mine, theirs = run.race(RAGGED, X, y, what)
        ratio = speedup(mine, theirs)
        cells = [
            timing_cell(mine),
            timing_cell(theirs),
            times(ratio),
            times(goal),
            verdict(ratio, goal),
        ]
        table.add(f"lstm {what}, ragged", RAGGED, *cells)
    calls = [
        (ours, lambda: ours.fit(RAGGED, X, y)),
        (ours, lambda: ours.fit(RAGGED, X_equal, y_equal)),
    ]
    uneven, even = alternate(calls, run.repeats)
    cost = round(uneven.seconds / even.seconds, 2)
    table.add(
        f"lstm fit, ragged over equal ({timing_cell(even)})",
        RAGGED,
        timing_cell(uneven),
        "-",
        times(cost),
        "<= 1.25x",
        verdict(cost, 1.25, at_least=False),
    )
    return table


def long_sequences(run):
    """Compare a step of long sequences, whose gradients fade, with one of short sequences."""
    table = Table(
        "Long sequences (fit)",
        ["network", "T, B, D, H", "per step", "T = 200", "ratio", "goal", "verdict"],
        "`pooling='last'`: on the way back through 2,000 steps the gradient becomes too small for "
        "normal numbers. Beside ten times as many batches, of as many sequences of 200 steps.",
    )
    for cell in GATES:
        long = LONG.with_cell(cell)
        short = replace(long, T=200, batches=long.T // 200 * long.batches)
        data = [(shape, *dense_data(shape)) for shape in (long, short)]
        calls = [(ours, lambda s=s, X=X, y=y: ours.fit(s, X, y)) for s, X, y in data]
        timings = alternate(calls, run.repeats)
        steps = long.T * long.n_sequences * long.epochs
        ratio = round(timings[0].seconds / timings[1].seconds, 2)
        cells = [f"{timing.seconds / steps * 1e9:.0f} ns" for timing in timings]
        met = verdict(ratio, 1.15, at_least=False)
        table.add(f"{cell} fit", long, *cells, times(ratio), "<= 1.15x", met)
    return table


def deep(run):
    """Compare the training of two bidirectional layers."""
    table = Table("Bidirectional, two layers", [*RACE_COLUMNS, "of FMA peak", "cores gave"])
    X, y = dense_data(DEEP)
    mine, theirs = run.race(DEEP, X, y, "fit")
    ratio = speedup(mine, theirs)
    cells = [timing_cell(mine), timing_cell(theirs), times(ratio), times(1.9), verdict(ratio, 1.9)]
    cells += [_percent(run.share_of_peak(DEEP, mine, "fit")), times(run.cores_gave(mine))]
    table.add("lstm fit", DEEP, *cells)
    return table


def single(run):
    """Time one sequence at a time through ``predict``, validation included."""
    table = Table(
        "One sequence at a time",
        ["network", "T, B, D, H", "ours", "PyTorch", "goal", "verdict"],
        "Median of single calls on one thread; `predict` includes validating the input.",
    )
    X, y = dense_data(SINGLE)
    calls = []
    for side in run.sides():
        fitted = side.fit(SINGLE, side.prepare(X), y)
        one = side.prepare(X[:1])
        calls.append((side, lambda s=side, f=fitted, x=one: s.predict(f, SINGLE, x)))
    taken = [[] for _ in calls]
    for _ in range(2 if run.quick else 20):  # in turns: some moments of a shared machine are slow
        for (side, call), seconds in zip(calls, taken, strict=True):
            with side.threads(1):
                for _ in range(100):
                    start = time.perf_counter()
                    call()
                    seconds.append(time.perf_counter() - start)
    medians = [statistics.median(seconds) for seconds in taken]
    mine, theirs = medians if len(medians) == 2 else [medians[0], None]
    goal = 60e-6
    met = verdict(mine, goal, at_least=False)
    table.add("lstm predict", SINGLE, duration(mine), duration(theirs), f"<= {duration(goal)}", met)
    return table


def threads(run):
    """Compare two threads with one, our side alone."""
    table = Table(
        "Two threads over one (LSTM fit)",
        ["T, B, D, H", "1 thread", "2 threads", "ratio", "goal", "verdict", "cores gave"],
        "Medians of three; eight batches at H = 512.",
        "The goal is 1.75x where a batch is half a millisecond of work or more; below that, to "
        "be no slower, give or take 3 % of noise.",
    )
    if len(thread_counts()) < 2:
        print("Two threads over one: skipped, there is one core.")
        return table
    for _, shape in run.shapes():
        X, y = dense_data(shape)
        if shape.H == 512:
            X, y = X[: 8 * shape.B], y[: 8 * shape.B]
        calls = [(ours, lambda s=shape, X=X, y=y: ours.fit(s, X, y))] * 2
        timed(*calls[0], 2)
        one, two = alternate(calls, min(3, run.repeats), threads=[1, 2])
        ratio = one.seconds / two.seconds
        worth = one.seconds / (shape.epochs * len(X) / shape.B) >= 0.5e-3
        goal, floor = ("1.75x", 1.75) if worth else ("1.00x", 0.97)
        cells = [duration(one.seconds), duration(two.seconds), times(ratio), goal]
        table.add(shape, *cells, verdict(ratio, floor), times(run.cores_gave(two)))
    return table
