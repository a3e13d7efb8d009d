"""Threads where OpenMP binds them to processors, and where no program tells of cores."""

import os

import pytest
from problems_trust import run_python

from skrnn._kernels import cpu
from skrnn._network import threads

CODE = """
import os, sys
if sys.argv[1] == "second":
    import sklearn.utils._openmp_helpers  # its OpenMP library binds the main thread
from skrnn._kernels import cpu
from skrnn._network.threads import effective_n_threads
print(effective_n_threads(), len(cpu.bound_processors()))
"""
two_processors = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2 or not cpu.openmp(),
    reason="needs two processors, and OpenMP",
)


@pytest.fixture(autouse=True)
def unbound(monkeypatch):
    for name in ("OMP_PROC_BIND", "OMP_PLACES", "OMP_NUM_THREADS", "GOMP_CPU_AFFINITY"):
        monkeypatch.delenv(name, raising=False)


@two_processors
@pytest.mark.parametrize("loaded", ["first", "second"])
@pytest.mark.parametrize(
    "setting", [{"OMP_PROC_BIND": "true"}, {"OMP_PROC_BIND": "close"}, {"OMP_PLACES": "threads"}]
)
def test_bound_threads_are_as_many(setting, loaded):
    n, bound = run_python(CODE, loaded, OMP_NUM_THREADS="2", **setting).split()
    assert int(n) == 2
    assert int(bound) == len(os.sched_getaffinity(0)), "they share fewer processors"


@two_processors
def test_places_are_obeyed():
    first = min(os.sched_getaffinity(0))
    places = {"OMP_PLACES": f"{{{first}}}", "OMP_NUM_THREADS": "2"}
    assert run_python(CODE, "first", **places).split() == ["1", "1"]


def test_siblings_are_one_core(monkeypatch, tmp_path):
    siblings = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    monkeypatch.setattr(
        threads.Path, "read_text", lambda path: siblings[int(path.parts[-3].removeprefix("cpu"))]
    )
    assert threads._physical_cores.__wrapped__({0, 1, 2, 3}) == 2
    assert threads._physical_cores.__wrapped__({0, 2}) == 1


def test_no_program_is_run():
    code = """
import subprocess, warnings
import numpy.testing  # which runs a program itself, in older versions
warnings.simplefilter("error", UserWarning)
def refused(*args, **kwargs):
    raise AssertionError(f"runs {args}")
subprocess.Popen.__init__ = refused
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from skrnn import RNNClassifier
warnings.simplefilter("ignore", ConvergenceWarning)
RNNClassifier((4,), max_iter=1).fit(np.zeros((4, 3, 2)), [0, 1, 0, 1])
print("fitted")
"""
    assert run_python(code) == "fitted\n"
