"""Timing two sides fairly in one process: quick thread trial, then alternating calls."""

import os
import statistics
import time
from dataclasses import dataclass

import ours


@dataclass(frozen=True)
class Timing:
    """Median seconds of one side, at the thread count that suited it best."""

    seconds: float
    threads: int
    low: float
    high: float
    machine: float | None = None  # GFLOP/s of all cores at once between the calls, median


def available_cores():
    """Count the cores this process may use, in a container fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_counts():
    """List the thread counts a side may choose from."""
    return [1, 2] if available_cores() > 1 else [1]


def timed(side, call, threads):
    """Time one call with the thread count set just before it.

    Setting it each time matters: both sides may share an OpenMP run time, and then the count
    one of them sets is the count the other one gets.
    """
    with side.threads(threads):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def best_threads(side, call):
    """Find the fastest thread count by a quick trial; return it and its seconds.

    A call of half a second needs no warming up and is tried once a count, which is what keeps
    the whole run within minutes; shorter ones are warmed up and tried in turns, three times or for
    a second. What takes two seconds on all cores is so large a network that one core cannot be
    faster.
    """
    counts = thread_counts()
    first = timed(side, call, counts[-1])
    if first > 2:
        return counts[-1], first
    if first > 0.5:
        tried = {counts[-1]: first}
        tried |= {n: timed(side, call, n) for n in counts[:-1]}
    else:
        rounds = []
        while len(rounds) < 3 and sum(map(sum, rounds)) < 1:
            rounds.append([timed(side, call, n) for n in counts])
        tried = {n: min(taken) for n, taken in zip(counts, zip(*rounds), strict=True)}
    best = min(tried, key=tried.get)
    return best, tried[best]


def alternate(calls, repeats, threads=None):
    """Time several sides turn about.

    Parameters
    ----------
    calls : list of (side, callable)
        A side is a module with a ``threads(n)`` context.
    repeats : int
        Calls of each side, from five on twice as many where they are short; taking turns, a drift
        of the machine meets both alike.
    threads : list of int, optional
        A thread count for each side; by default the best of a quick trial.

    Returns
    -------
    list of Timing
    """
    if threads is None:
        trials = [best_threads(side, call) for side, call in calls]
        threads = [n for n, _ in trials]
        if repeats >= 5 and max(taken for _, taken in trials) < 0.25:
            repeats *= 2  # short calls are the noisy ones, and cheap to repeat
    seconds, machine = [[] for _ in calls], []
    for _ in range(repeats):
        machine.append(ours.cores_gflops(thread_counts()[-1]))
        for (side, call), n, taken in zip(calls, threads, seconds, strict=True):
            taken.append(timed(side, call, n))
    gave = None if None in machine else statistics.median(machine)
    return [
        Timing(statistics.median(taken), n, min(taken), max(taken), gave)
        for taken, n in zip(seconds, threads, strict=True)
    ]
