"""Threads where OpenMP binds them to processors, and where no program tells of cores."""

import os
from contextlib import nullcontext
from threading import Barrier

import numpy as np
import pytest
from joblib import parallel_config
from problems import first_step, use_threads
from problems_trust import run_python
from sklearn.ensemble import VotingClassifier

from skrnn import RNNClassifier
from skrnn._kernels import cpu
from skrnn._network import threads
from skrnn._network.batches import EpochRunner

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


def test_the_quota_is_read_once_a_second_and_settings_at_once(monkeypatch):
    clock, counts = [100.0], []
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(threads, "cpu_count", lambda: counts.append(1) or len(counts))
    monkeypatch.setattr(threads, "_quota", ((), 0, 0.0))
    usable = frozenset({0, 1})
    assert [threads._processors(usable) for _ in range(3)] == [1, 1, 1]
    assert threads._processors(frozenset({0})) == 2
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert threads._processors(frozenset({0})) == 3
    clock[0] += threads.QUOTA_SECONDS
    assert threads._processors(frozenset({0})) == 4


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


def simulate(monkeypatch, seconds, busy, total):
    """Note slices of a machine on which a batch takes so many seconds, by number of threads."""
    monkeypatch.setattr(threads, "effective_n_threads", lambda: max(seconds))
    monkeypatch.setattr(threads, "_fewer", {})
    choice, counts, time = threads.ThreadChoice(), [], 0.0
    while time < total:
        wall = choice.n_batches * seconds[choice.threads]
        counts += [choice.threads] * max(1, round(wall * 1e3))
        time += wall
        if wall < threads.SHORTEST_SECONDS:
            choice.n_batches *= 2
        else:
            choice.note(choice.n_batches, wall, wall * choice.threads * (0.6 if busy else 1.0))
    return choice, np.array(counts)


def test_all_threads_are_kept_where_they_help(monkeypatch):
    _, counts = simulate(monkeypatch, {2: 0.001, 1: 0.0018}, busy=False, total=20.0)
    assert np.mean(counts == 2) > 0.98
    assert np.any(counts == 1), "half as many are tried now and then"


def test_half_as_many_threads_are_used_where_they_are_faster(monkeypatch):
    _, counts = simulate(monkeypatch, {2: 0.02, 1: 0.002}, busy=True, total=5.0)
    assert np.mean(counts == 1) > 0.9, "another process computes"
    _, counts = simulate(monkeypatch, {2: 0.02, 1: 0.002}, busy=False, total=30.0)
    assert np.mean(counts == 1) > 0.75, "another thread of this process computes"


def test_the_next_fit_begins_where_the_last_one_ended(monkeypatch):
    simulate(monkeypatch, {2: 0.02, 1: 0.002}, busy=True, total=2.0)
    assert threads.ThreadChoice().threads == 1
    monkeypatch.setattr(threads, "REMEMBERED_SECONDS", 0.0)
    assert threads.ThreadChoice().threads == 2, "some time later"


def test_threads_that_do_not_help_are_halved_again(monkeypatch):
    choice, _ = simulate(monkeypatch, {8: 0.03, 4: 0.02, 2: 0.01, 1: 0.008}, busy=True, total=9.0)
    assert choice.threads in (1, 2)
    choice, _ = simulate(monkeypatch, {8: 0.03, 4: 0.01, 2: 0.02, 1: 0.03}, busy=True, total=9.0)
    assert choice._chosen == 4


def test_threads_come_back_when_the_other_process_has_ended(monkeypatch):
    choice, _ = simulate(monkeypatch, {2: 0.02, 1: 0.002}, busy=True, total=2.0)
    assert choice._chosen == 1
    for _ in range(300):
        wall = choice.n_batches * {1: 0.002, 2: 0.0011}[choice.threads]
        choice.note(choice.n_batches, wall, wall * choice.threads)
    assert choice._chosen == 2


@pytest.mark.parametrize("bptt", [None, 3])
def test_weights_are_the_same_whichever_counts_compute_them(monkeypatch, bptt):
    X, y = first_step()
    model = RNNClassifier(
        (8,), dropout=0.2, bptt_steps=bptt, batch_size=9, max_iter=3, random_state=0
    )
    model.fit(X, y)
    expected, losses, drawn = model.weights_["weight_hh_l0"], model.loss_curve_, []
    counts = iter(np.random.default_rng(0).integers(1, 4, 1000).tolist())

    def note(self, *args):
        self.threads, self.n_batches = next(counts), next(counts)
        drawn.append(self.threads)

    use_threads(monkeypatch, 3)
    monkeypatch.setattr(threads.ThreadChoice, "note", note)
    monkeypatch.setattr("skrnn._network.batches.SHORTEST_SECONDS", 0.0)
    model.fit(X, y)
    assert len(drawn) > 10
    assert set(drawn) == {1, 2, 3}
    assert model.loss_curve_ == losses
    np.testing.assert_array_equal(model.weights_["weight_hh_l0"], expected)


def record_threads(monkeypatch, meanwhile=lambda: None):
    """Let four threads be used; returns the list of how many each slice takes."""
    use_threads(monkeypatch, 4)
    monkeypatch.setattr(threads, "_fewer", {})
    train, taken = EpochRunner._train, []

    def recorded(self, options, *args):
        taken.append(options.threads)
        meanwhile()
        return train(self, options, *args)

    monkeypatch.setattr(EpochRunner, "_train", recorded)
    return taken


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_ensemble_of_networks_shares_the_threads_and_has_the_bits_of_single_fits(monkeypatch):
    X, y = first_step(20)
    networks = [RNNClassifier((4,), max_iter=2, random_state=seed) for seed in range(2)]
    model = VotingClassifier([(str(k), net) for k, net in enumerate(networks)], n_jobs=2)
    both = Barrier(2, timeout=300)
    with monkeypatch.context() as patch, parallel_config(backend="threading"):
        taken = record_threads(patch, both.wait)
        model.fit(X, y)
        assert len(taken) == 4, "a batch is an epoch"
        assert taken[2:] == [2, 2], "the first may begin before the other fit does"
    with monkeypatch.context() as patch:
        taken = record_threads(patch)
        networks[0].fit(X, y)
        assert set(taken) == {4}, "alone again"
    for member, network in zip(model.estimators_, networks, strict=True):
        alone = network.fit(X, np.searchsorted(model.classes_, y)).weights_
        for name, weight in member.weights_.items():
            np.testing.assert_array_equal(weight, alone[name], err_msg=name)


@pytest.mark.parametrize("fault", [False, True])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_within_a_fit_takes_all_threads(monkeypatch, fault):
    X, y = first_step(20)

    def scoring(estimator, X, y):
        RNNClassifier((4,), max_iter=1).fit(X, y)
        return np.nan if fault else 0.0

    taken = record_threads(monkeypatch)
    model = RNNClassifier((4,), max_iter=2, early_stopping=True, scoring=scoring)
    with pytest.raises(ValueError, match="NaN") if fault else nullcontext():
        model.fit(X, y)
    assert set(taken) == {4}
    assert not threads.FITTING
