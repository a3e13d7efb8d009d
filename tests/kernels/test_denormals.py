"""Denormal numbers are zero in the kernels, in every thread; the caller's mode comes back."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import oracle
import pytest
from kernel_tools import Network, is_built, make_problem, named_arrays, same_bits
from problems_trust import cases, predicted
from sklearn.base import clone

import skrnn
from skrnn._kernels import LEVEL, get_engine
from skrnn._network.plan import CELLS

KERNELS = Path(skrnn.__file__).parent / "_kernels"
each_precision = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(name, marks=pytest.mark.skipif(not is_built(LEVEL, name), reason="not built"))
        for name in ("float32", "float64")
    ],
)
each_cell = pytest.mark.parametrize("cell", CELLS)


@contextmanager
def caller_flushes(dtype, flushes):
    """Let this thread flush, or not, and look at OpenMP's threads afterwards."""
    engine = get_engine(dtype)
    engine.flushing(1, flushes)
    try:
        if engine.flushing(1)[0] != flushes:
            pytest.skip("this processor has no mode that flushes")
        yield
        assert engine.flushing(1)[0] == flushes
        assert flushes or not engine.flushing(8).any()
    finally:
        engine.flushing(1, False)


def has_denormals(array):
    return ((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)).any()


def fading(cell, dtype, threads=1, **how):
    """Make a network whose gradients fade to denormal numbers on the way back through time."""
    spec = oracle.Spec(cell, (24,))
    lengths = [2500 - 100 * b for b in range(9)] if dtype == "float64" else [300] * 9
    problem = make_problem(spec, lengths, states=False, cotangents=False, scale=0.1)
    return Network(spec, **problem, level=LEVEL, dtype=dtype, threads=threads, **how)


@each_precision
@each_cell
def test_gradients_fade_to_zero_in_every_thread(cell, dtype):
    results = []
    for threads in (1, 2, 8):
        with caller_flushes(dtype, False):
            results.append(named_arrays(fading(cell, dtype, threads).run()))
    first = results[0]
    assert (first["d inputs"][0] == 0).all()
    for result in results:
        for name, array in result.items():
            assert not has_denormals(array), name
            assert same_bits(array, first[name]), name


@each_precision
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_moments_are_never_denormal(solver, dtype):
    network = fading("lstm", dtype)
    # the gradient of this column's weights is normal, its square and its hundredth are not
    network.values[:, 0] *= np.finfo(dtype).tiny * (1e3 if solver == "sgd" else 1e10)
    optimizer = network.optimizer(solver=solver)
    network.train(range(9), 3, optimizer)
    for moments in (optimizer.m, optimizer.v):
        if moments is not None:
            assert not has_denormals(moments)
    assert (optimizer.m != 0).any()


def test_a_thread_that_flushes_for_its_own_reasons_goes_on():
    with caller_flushes("float64", True):
        fading("rnn", "float64").run()


@pytest.mark.parametrize("case", cases())
def test_every_method_leaves_the_callers_mode(case):
    model, X, y = cases()[case]
    for flushes in (True, False):
        with caller_flushes(model.dtype, flushes):
            predicted(clone(model).fit(X, y), X)


def test_a_mode_comes_back_where_an_exception_leaves():
    network = fading("lstm", "float64")
    network.h0 = [np.zeros((9, 25))]  # one too many, which is found out on the way
    with (
        caller_flushes("float64", False),
        pytest.raises(ValueError, match="could not broadcast"),
    ):
        network.run()


def loops(text):
    """List the body of each parallel loop, its lines without their indentation."""
    pattern = r"^( +)for \w+ in prange\((?:.|\n)*?\):\n((?:\1 +.*\n)+)"
    found = re.findall(pattern, text, re.MULTILINE)
    return [[line.strip() for line in body.splitlines()] for _, body in found]


def test_every_task_flushes_and_restores():
    for path in sorted(KERNELS.rglob("*.p[xy][xdi]")):
        text = path.read_text()
        bodies = loops(text)
        assert len(bodies) == len(re.findall(r"in prange\(", text)), path.name
        for body in bodies:
            if "read_mode()" not in body[0]:  # the probe that looks
                assert body[0] == "flush_denormals()", (path.name, body)
                assert re.fullmatch(r"restore_worker\(\w+(\.\w+)?\.caller_mode\)", body[-1]), body
