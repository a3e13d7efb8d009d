"""How many threads a kernel may use: OpenMP's count, as HistGradientBoosting takes it.

``OMP_NUM_THREADS`` and ``threadpoolctl.threadpool_limits(user_api="openmp")`` are obeyed; without
them it is the number of physical cores this process may use. Where OpenMP binds its threads
(``OMP_PROC_BIND``, ``OMP_PLACES``) those are the cores of its places. A joblib process worker gets
its share through ``OMP_NUM_THREADS``. After ``os.fork`` a child runs one thread: OpenMP's team does
not survive a fork, and waiting for it would hang.

Fits that run at the same time in threads of Python, those of the members of an ensemble under
joblib's backend "threading", share these threads: joblib does not limit threads that its workers
start there, and OpenMP's limits belong to the thread that sets them.
"""

import os
import time
from functools import cache
from pathlib import Path
from weakref import WeakValueDictionary

from joblib import cpu_count

from skrnn._kernels import cpu

FIRST_SLICE = 1  # batches
SLICE_SECONDS = 0.03  # a few turns of what else wants a core
SHORTEST_SECONDS = 0.005  # below it a slice says nothing
JUDGED_SECONDS = 0.06  # of slices together: processor time comes in turns, too
BUSY_SHARE = 0.87  # of the processor time of all threads; waiting threads spin, and take it too
MARGIN = 1.05  # how much faster another count has to be
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 4.0  # seconds between trials
TRIALS_SHARE = 0.05  # of the time, at most
REMEMBERED_SECONDS = 2.0  # that fewer threads were faster, for the fits that come next
QUOTA_SECONDS = 1.0  # between readings of a quota, each of which takes as long as a `predict`

_fewer: dict = {}  # {threads that may be used: (those that were faster, when)}

_quota: tuple = ((), 0, 0.0)  # what may change at once, processors, until when

# {thread of Python: the training loop that runs in it now}; a fit within another counts once. A
# loop that was interrupted where it would have left is forgotten as soon as nothing holds it.
FITTING: WeakValueDictionary = WeakValueDictionary()

_forked = False


def _note_fork():
    global _forked
    _forked = True
    FITTING.clear()  # the threads of the parent do not exist here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@cache
def _physical_cores(processors):
    """Count the cores that these processors belong to, by what Linux says of them.

    joblib asks a program, `lscpu`, and prints a trace where there is none. Where nothing is known
    of a processor it counts as a core.
    """
    cores = set()
    for number in processors:
        file = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        try:
            cores.add(file.read_text())
        except OSError:
            cores.add(number)
    return len(cores)


def _usable_cores():
    bound = cpu.bound_processors()
    if bound:
        return _physical_cores(frozenset(bound))
    if not hasattr(os, "sched_getaffinity"):
        return _processors(None)
    usable = frozenset(os.sched_getaffinity(0))
    return min(_processors(usable), _physical_cores(usable))


def _processors(usable):
    """Count what a container's quota and LOKY_MAX_CPU_COUNT leave of the usable processors."""
    global _quota
    now, given = time.monotonic(), (usable, os.environ.get("LOKY_MAX_CPU_COUNT"))
    known, count, until = _quota
    if known != given or now >= until:
        count = cpu_count()
        _quota = given, count, now + QUOTA_SECONDS
    return count


def effective_n_threads():
    """Return the number of threads to hand to a kernel now."""
    if _forked:
        return 1
    if os.environ.get("OMP_NUM_THREADS"):
        return cpu.max_threads()
    return max(1, min(cpu.max_threads(), _usable_cores()))


class ThreadChoice:
    """How many threads compute the batches of a fit: all that may, or fewer where that is faster.

    Where something else computes on a core, each parallel part of a batch waits until its last
    thread has been given a core: two threads can take many times as long as one. Bits do not
    depend on the count, so slices of an epoch may try another one. Half as many threads are tried
    when the threads got less processor time than they could use, and now and then in any case;
    twice as many now and then, where they are fewer than all. The faster count stays.

    Beside other fits of this process (`FITTING`) a slice has an equal share of the threads, if that
    is less; such slices are not noted.

    Attributes
    ----------
    most : int
        Threads that may be used.
    threads : int
        For the next slice.
    n_batches : int
        Of the next slice.
    """

    def __init__(self):
        self.most = effective_n_threads()
        count, since = _fewer.get(self.most, (self.most, 0.0))
        remembered = time.perf_counter() - since < REMEMBERED_SECONDS
        self.threads = self._chosen = count if remembered else self.most
        self.n_batches = FIRST_SLICE
        self._seconds = {}  # per batch, of the last slice with so many threads
        self._pause = SHORTEST_PAUSE
        self._earliest_trial, self._regular_trial = 0.0, LONGEST_PAUSE
        self._time = 0.0  # of all slices
        self._judged = 0.0, 0.0  # by both clocks, since the last judgement

    def note(self, n_batches, wall, processor):
        """Choose for the next slice, from the seconds by both clocks that the last one took.

        Slices of less than `SHORTEST_SECONDS` are not noted; the next one is to be longer.
        """
        threads = self.threads
        self._time += wall
        self._seconds[threads] = wall / n_batches
        self._judged = self._judged[0] + wall, self._judged[1] + processor
        if threads != self._chosen:
            self._end_trial(wall)
        elif self._time >= self._earliest_trial and self._judged[0] >= JUDGED_SECONDS:
            busy = self._judged[1] < BUSY_SHARE * threads * self._judged[0]
            self._judged = 0.0, 0.0
            if threads > 1 and (busy or self._time >= self._regular_trial):
                self.threads = threads // 2
            elif threads < self.most:
                self.threads = min(self.most, 2 * threads)
        seconds = self._seconds.get(self.threads, self._seconds[threads])
        self.n_batches = max(1, int(SLICE_SECONDS / seconds))

    def _end_trial(self, wall):
        """Keep the count that was tried, or go back."""
        if self._seconds[self.threads] * MARGIN < self._seconds[self._chosen]:
            self._chosen, self._pause = self.threads, SHORTEST_PAUSE
            _fewer[self.most] = self._chosen, time.perf_counter()
        else:
            self.threads, self._pause = self._chosen, min(LONGEST_PAUSE, 2 * self._pause)
        self._judged = 0.0, 0.0
        self._earliest_trial = self._time + max(self._pause, wall / TRIALS_SHARE)
        self._regular_trial = self._time + max(LONGEST_PAUSE, wall / TRIALS_SHARE)
