"""The compiled side. One engine for every (instruction set, precision) pair, chosen here.

This package imports nothing of the Python side. ``SKRNN_ISA`` (``avx512``, ``avx2`` or ``base``)
forces an instruction set; without it the best one the processor has is taken.
"""

import ctypes
import os
import time
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module

import numpy as np
from threadpoolctl import ThreadpoolController


def _places():
    """Numbers of the processors that the OpenMP libraries already loaded bind threads to."""
    found = set()
    for library in ThreadpoolController().select(user_api="openmp").lib_controllers:
        with suppress(AttributeError):  # before OpenMP 4.5
            runtime = library.dynlib
            for place in range(runtime.omp_get_num_places()):
                ids = (ctypes.c_int * runtime.omp_get_place_num_procs(place))()
                runtime.omp_get_place_proc_ids(place, ids)
                found.update(ids)
    return found


@contextmanager
def _as_if_loaded_first():
    """Let OpenMP find the processors this process was given.

    With OMP_PROC_BIND or OMP_PLACES each OpenMP library binds the main thread to its first place as
    it is loaded, and takes as places what that thread may run on. scikit-learn's comes with a
    library of its own: loaded second, ours would find one processor for all its threads.
    """
    binds = any(os.environ.get(v) for v in ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"))
    places = _places() if binds and hasattr(os, "sched_setaffinity") else None
    if not places:
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setaffinity(0, places | before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


with _as_if_loaded_first():
    from skrnn._kernels import cpu


def _choose_level():
    forced = os.environ.get("SKRNN_ISA", "").lower()
    if not forced:
        return cpu.levels()[0]
    if forced not in cpu.levels():
        raise ImportError(
            f"SKRNN_ISA={forced!r}, but this processor and build have {', '.join(cpu.levels())}."
        )
    return forced


LEVEL = _choose_level()
# Loaded now, not by the first fit: while Python imports an extension it drops one in four Ctrl-C.
for _precision in ("f32", "f64"):
    with suppress(ModuleNotFoundError):  # a build of one precision
        import_module(f"skrnn._kernels.{LEVEL}_{_precision}")


@cache
def get_engine(dtype, level=None):
    """Return the compiled module for a precision.

    Parameters
    ----------
    dtype : dtype-like
        float32 or float64.

    level : str, default=None
        Instruction set; that of this process (`LEVEL`) when None.

    Returns
    -------
    module
        See ``engine.pyx`` for its functions.
    """
    precision = {4: "f32", 8: "f64"}[np.dtype(dtype).itemsize]
    return import_module(f"skrnn._kernels.{level or LEVEL}_{precision}")


def fma_peak_gflops(seconds=0.2):
    """Measure float32 multiply-add speed of one core, in GFLOP/s.

    Runs the register tile out of the level-1 cache; the best of several short runs.
    """
    tile_flops = get_engine(np.float32).tile_flops
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        flops, _ = tile_flops(2000, 1e-3)
        best = max(best, flops / (time.perf_counter() - start))
    return best / 1e9
