"""How many threads a kernel may use: OpenMP's count, as HistGradientBoosting takes it.

``OMP_NUM_THREADS`` and ``threadpoolctl.threadpool_limits(user_api="openmp")`` are obeyed; without
them it is the number of physical cores this process may use. A joblib process worker gets its
share through ``OMP_NUM_THREADS``. After ``os.fork`` a child runs one thread: OpenMP's team does not
survive a fork, and waiting for it would hang.
"""

import os
from functools import cache

from joblib import cpu_count

from skrnn._kernels import cpu

_forked = False


def _note_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@cache
def _physical_cores():
    return cpu_count(only_physical_cores=True)


def effective_n_threads():
    """Return the number of threads to hand to a kernel now."""
    if _forked:
        return 1
    if os.environ.get("OMP_NUM_THREADS"):
        return cpu.max_threads()
    return max(1, min(cpu.max_threads(), _physical_cores()))
