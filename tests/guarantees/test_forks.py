"""Forked workers: OpenMP's team does not survive a fork, and nobody may wait for it.

Each parent is a fresh interpreter, because this one's past, whatever pytest ran, would be another.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
import pytest
from problems_trust import run_python
from threadpoolctl import threadpool_limits

import skrnn._network.batches
from skrnn import RNNClassifier
from skrnn._network.threads import effective_n_threads

SECONDS = 5  # a child that hangs hangs for ever; one that works takes a tenth of a second
WAYS = ("process", "pool", "executor")


def problem():
    """Return a model and data with work for two threads."""
    rng = np.random.default_rng(0)
    model = RNNClassifier((64,), max_iter=1, n_iter_no_change=np.inf, random_state=0)
    return model, rng.normal(size=(64, 30, 4)), np.arange(64) % 2


def work(task, threads, model, X, y):
    """Fit or predict where `threads` are allowed; return the threads taken, and the outcome."""
    with threadpool_limits(threads, user_api="openmp"):
        outcome = model.fit(X, y)._params if task == "fit" else model.predict_proba(X)
        return effective_n_threads(), outcome.tobytes()


def answer(connection, *arguments):
    connection.send(work(*arguments))


def forked(way, arguments):
    """Return what `work` gives in a forked child; raises where that takes too long."""
    fork = multiprocessing.get_context("fork")
    if way == "executor":
        executor = ProcessPoolExecutor(1, mp_context=fork)
        return executor.submit(work, *arguments).result(timeout=SECONDS)
    if way == "pool":
        with fork.Pool(2) as pool:
            return pool.apply_async(work, arguments).get(timeout=SECONDS)
    here, there = fork.Pipe()
    child = fork.Process(target=answer, args=(there, *arguments))
    child.start()
    if not here.poll(SECONDS):
        child.kill()
        raise TimeoutError
    child.join(SECONDS)
    assert child.exitcode == 0
    return here.recv()


def n_threads():
    """Count this process's threads, those of OpenMP and BLAS included, where that can be told."""
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None


def forking_process(threads):
    """Use `threads` threads, then fork in every way; print what went wrong."""
    model, X, y = problem()
    real = skrnn._network.threads.effective_n_threads
    skrnn._network.threads.effective_n_threads = lambda: threads  # there may be fewer
    before = n_threads()
    model.fit(X, y)
    skrnn._network.threads.effective_n_threads = real
    print("threads started:", threads - 1 if before is None else n_threads() - before)
    expected = {"fit": model._params.tobytes(), "predict": model.predict_proba(X).tobytes()}
    for way, task, allowed in product(WAYS, expected, (1, 2)):
        try:
            taken, outcome = forked(way, (task, allowed, model, X, y))
            good = taken == 1 and outcome == expected[task]
            print(way, task, allowed, "good" if good else f"{taken} threads, or another outcome")
        except (TimeoutError, multiprocessing.TimeoutError):
            print(way, task, allowed, "hangs")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("fresh:", pool.apply(effective_n_threads) == effective_n_threads())
    os._exit(0)  # the executors' hanging children, if any, are not waited for


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
@pytest.mark.parametrize("threads", [1, 2])
def test_forked_children_finish(threads):
    code = f"import test_forks; test_forks.forking_process({threads})"
    first, *children, new = run_python(code, OMP_NUM_THREADS="2").splitlines()
    assert first == f"threads started: {threads - 1}"
    assert len(children) == len(WAYS) * 2 * 2
    assert not [line for line in children if not line.endswith(" good")]
    assert new == "fresh: True"
