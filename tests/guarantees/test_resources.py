"""Threads, memory, signals and the processor's state: what a library must leave as it found it.

Seconds are for benchmarks/promises.py. Interrupts in training: test_faults.py.
"""

import ctypes
import os
import platform
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import use_threads
from problems_trust import cases, predicted, run_python
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from skrnn import RNNClassifier
from skrnn._kernels import cpu
from skrnn._network.threads import effective_n_threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_case = pytest.mark.parametrize("case", cases())
on_linux = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")


def fitted(case):
    model, X, y = cases()[case]
    return clone(model).fit(X, y), X


# Threads: whose count is obeyed


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
@pytest.mark.parametrize("variable", [None, "2"])
def test_affinity_is_obeyed(variable, monkeypatch):
    if variable is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("one processor: there is nothing to narrow")
    try:
        with threadpool_limits(2, user_api="openmp"):
            assert effective_n_threads() == 2
            os.sched_setaffinity(0, {min(before)})
            assert effective_n_threads() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_threadpoolctl_is_obeyed():
    for limit in (1, 2):
        with threadpool_limits(limit, user_api="openmp"):
            assert effective_n_threads() <= limit
    with threadpool_limits(1000, user_api="openmp"):
        assert effective_n_threads() <= (os.cpu_count() or 1)
    assert cpu.openmp(), "the kernels were built without OpenMP: nothing is tested here"


def test_thread_pools_are_left_as_they_were():
    model, X = fitted("classifier")
    before = threadpool_info()
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(model.predict, [X] * 8))
    assert threadpool_info() == before


# Concurrency


@each_case
def test_concurrent_predictions_are_serial_ones(case):
    model, X = fitted(case)
    rng = np.random.default_rng(0)
    parts = [[X[i] for i in rng.integers(0, len(X), size)] for size in (1, 2, 3, 5, 8)]
    expected = [predicted(model, part) for part in parts]
    del model._plan  # made by whoever comes first
    start = threading.Barrier(8)

    def work(seed):
        start.wait()
        choices = np.random.default_rng(seed).integers(0, len(parts), N_PREDICTS // 8)
        return all(predicted(model, parts[i]) == expected[i] for i in choices)

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(8)))


N_PREDICTS = 800


@pytest.mark.long
@each_case
def test_thousands_of_concurrent_predictions(case, monkeypatch):
    monkeypatch.setitem(globals(), "N_PREDICTS", 8000)
    test_concurrent_predictions_are_serial_ones(case)


def test_concurrent_fits_do_not_disturb_each_other(monkeypatch):
    # Two threads each, more than there may be processors.
    use_threads(monkeypatch, 2)

    def fit(case):
        model, X, y = cases()[case]
        model = clone(model).set_params(hidden_layer_sizes=(64,)).fit(X, y)
        return model._params.tobytes()

    names = list(cases())
    expected = list(map(fit, names))
    with ThreadPoolExecutor(len(names)) as executor:
        for _ in range(3):
            assert list(executor.map(fit, names)) == expected


# Memory that fails


ALLOCATIONS = """
import os, sys, warnings
import failing_numpy
from problems import state
from problems_trust import cases, predicted
warnings.simplefilter("ignore")
failing_numpy.install()
stride = int(sys.argv[1])
for case in sys.argv[2:]:
    model, X, y = cases()[case]
    model.fit(X, y)
    predict = getattr(model, "predict", None) or model.score_samples
    for method in (predict, getattr(model, "partial_fit", model.fit), model.fit):
        arguments = (X,) if method == predict else (X, y)
        before, n, places = (predicted(model, X), state(model)), 1, 0
        while True:
            failing_numpy.fail_at(n)
            try:
                method(*arguments)
            except MemoryError:
                places += 1
            else:
                assert failing_numpy.count < n, f"{case}: allocation {n} failed unnoticed"
                break
            finally:
                failing_numpy.fail_at(None)
            after = predicted(model, X), state(model)
            assert after == before, f"{case}, {method.__name__}: changed by failure {n}"
            n += stride
        print(places)
os._exit(0)  # the allocator is Python's own, which would be gone before its last array
"""


@pytest.mark.parametrize(
    ("stride", "names"),
    [
        (11, ["classifier"]),
        (37, ["crf tagger", "forecaster"]),
        pytest.param(1, list(cases()), marks=pytest.mark.long),
    ],
)
def test_allocations_that_fail(stride, names):
    places = run_python(ALLOCATIONS, stride, *names, timeout=1200).split()
    assert len(places) == 3 * len(names)
    assert all(int(n) * stride >= 20 for n in places)


# The limit stands close above what the process has; its stack of threads was there before.
LIMIT = """
import resource, warnings
import numpy as np
from problems import state
from problems_trust import cases, predicted
warnings.simplefilter("ignore")
model, X, y = cases()["classifier"]
model.fit(X, y)
before = predicted(model, X), state(model)
large = np.ones((512, 2000, 2), dtype=np.float32)
labels = np.resize(model.classes_, len(large))
expected = model.predict(large).tobytes()
pages = int(open("/proc/self/statm").read().split()[0])
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
for room in (1, 4, 8, 16):
    for call in (lambda: model.predict(large), lambda: model.fit(large, labels)):
        resource.setrlimit(
            resource.RLIMIT_AS, (pages * resource.getpagesize() + (room << 20), hard)
        )
        try:
            call()
        except MemoryError:
            print("refused")
        assert predicted(model, X) == before[0]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        assert state(model) == before[1]
assert model.predict(large).tobytes() == expected
model.fit(large, labels)
"""


@on_linux
def test_a_limit_of_address_space():
    assert run_python(LIMIT, OMP_NUM_THREADS="1").split() == ["refused"] * 8


# Memory that grows


GROWTH = """
import os, sys, threading, warnings
import numpy as np
from problems_trust import cases
warnings.simplefilter("ignore")
n, threaded = int(sys.argv[1]), sys.argv[2] == "threads"

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

model, X, y = cases()["classifier"]
model.fit(X, y)
rng = np.random.default_rng(0)
whole = rng.normal(size=(400, 2))

def predict():
    model.predict([whole[:length] for length in rng.integers(1, 400, 3)])

def run(times):
    for _ in range(times):
        if threaded:
            thread = threading.Thread(target=predict)
            thread.start()
            thread.join()
        else:
            predict()

run(n // 5)  # arenas and caches fill
before = resident()
run(n)
print(resident() - before)
"""


@on_linux
@pytest.mark.parametrize("how", ["alone", "threads"])
@pytest.mark.parametrize(
    ("times", "teams"), [(2000, "1"), pytest.param(10_000, "2", marks=pytest.mark.long)]
)
def test_resident_memory(times, teams, how):
    assert int(run_python(GROWTH, times, how, OMP_NUM_THREADS=teams)) <= 2**20


# Signals


SIGINT = """
import os, signal, sys, threading, warnings
import numpy as np
from skrnn import RNNClassifier
warnings.simplefilter("ignore")
# A shell starts a job in the background with SIGINT ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
X, y = rng.normal(size=(640, 100, 16)), rng.integers(0, 2, 640)
for seed in range(int(sys.argv[1])):
    model = RNNClassifier((64,), max_iter=100_000, tol=0, n_iter_no_change=np.inf)
    timer = threading.Timer(0.02 + 0.2 * rng.random(), os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        model.fit(X, y)
    except KeyboardInterrupt:
        fitted = hasattr(model, "classes_")
        if fitted:
            assert np.isfinite(model._params).all() and model.predict(X[:5]).shape == (5,)
        else:
            assert not [name for name in vars(model) if name.endswith("_")]
        print("fitted" if fitted else "not fitted")
"""


@pytest.mark.skipif(os.name != "posix", reason="needs kill")
@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.long)])
def test_sigint_at_any_moment(times):
    found = run_python(SIGINT, times).splitlines()
    assert len(found) == times
    assert "fitted" in found


IMPORTS = """
import sys, warnings
from problems_trust import cases
warnings.simplefilter("ignore")
for model, X, y in cases().values():
    before = set(sys.modules)
    model.fit(X, y)
    print(sorted(set(sys.modules) - before))
"""


def test_a_fit_imports_nothing():
    # Python drops an interrupt that arrives while it imports
    assert set(run_python(IMPORTS).splitlines()) == {"[]"}


# The processor's state


def floating_point_mode():
    """Return what rounds, traps and flushes: MXCSR, without the flags of what has happened."""
    environment = (ctypes.c_uint32 * 8)()
    ctypes.CDLL("libm.so.6").fegetenv(environment)
    return environment[7] & ~0x3F


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="reads MXCSR"
)
@each_case
def test_the_floating_point_mode_is_left_alone(case):
    before = floating_point_mode()
    assert before & 0x8040 == 0  # neither flushes nor takes denormals for zero
    model, X = fitted(case)
    predicted(model, X)
    assert floating_point_mode() == before
    assert np.float32(1e-38) * np.float32(0.5) > 0


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_denormal_input_is_input(cell, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    X = np.array([[tiny] * 9, [0.0] * 9, [-tiny] * 9, [1.0] * 9])[:, :, np.newaxis]
    model = RNNClassifier((8,), cell=cell, dtype=dtype, max_iter=2, random_state=0)
    got = model.fit(X, [0, 1, 0, 1]).predict_proba(X)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[0], got[1])
