"""How many threads a kernel may use: OpenMP's count, as HistGradientBoosting takes it.

``OMP_NUM_THREADS`` and ``threadpoolctl.threadpool_limits(user_api="openmp")`` are obeyed; without
them it is the number of physical cores this process may use. Where OpenMP binds its threads
(``OMP_PROC_BIND``, ``OMP_PLACES``) those are the cores of its places. A joblib process worker gets
its share through ``OMP_NUM_THREADS``. After ``os.fork`` a child runs one thread: OpenMP's team does
not survive a fork, and waiting for it would hang.
"""

import os
from functools import cache
from pathlib import Path

from joblib import cpu_count

from skrnn._kernels import cpu

_forked = False


def _note_fork():
    global _forked
    _forked = True


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
    most = cpu_count()  # what a container's quota and LOKY_MAX_CPU_COUNT leave
    if hasattr(os, "sched_getaffinity"):
        most = min(most, _physical_cores(frozenset(os.sched_getaffinity(0))))
    return most


def effective_n_threads():
    """Return the number of threads to hand to a kernel now."""
    if _forked:
        return 1
    if os.environ.get("OMP_NUM_THREADS"):
        return cpu.max_threads()
    return max(1, min(cpu.max_threads(), _usable_cores()))
