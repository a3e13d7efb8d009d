"""Training on Ray: the bits of one process, and a worker that is killed."""

import os
import signal
import sys

import numpy as np
import pytest

from skrnn import RNNClassifier
from skrnn.distributed import fit

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.long  # starts a cluster


def make(seed, n=60):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(5, 15, size=n)]
    return X, [int(x[:, 0].sum() > 0) for x in X]


class Shard:
    """A shard that a worker makes."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self):
        return make(self.seed)


class FatalOnce(Shard):
    """A shard whose worker is killed while it makes it, the first time."""

    def __init__(self, seed, mark):
        super().__init__(seed)
        self.mark = mark

    def __call__(self):
        if not os.path.exists(self.mark):
            open(self.mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__()


@pytest.fixture(scope="module", autouse=True)
def cluster():
    # Workers cannot import a test.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def classifier():
    return RNNClassifier((8,), max_iter=4, learning_rate_init=0.01, batch_size=8, random_state=0)


def same(a, b):
    return all(np.array_equal(w, b.weights_[name]) for name, w in a.weights_.items())


@pytest.fixture(scope="module")
def reference():
    return fit(classifier(), [make(0), make(1)], steps=2)


def test_the_bits_are_those_of_one_process(reference):
    assert same(fit(classifier(), [make(0), Shard(1)], steps=2, client=ray), reference)


def test_a_killed_worker_costs_its_work_only(reference, tmp_path):
    shards = [Shard(0), FatalOnce(1, str(tmp_path / "killed"))]
    assert same(fit(classifier(), shards, steps=2, client=ray), reference)
    assert (tmp_path / "killed").exists()


def test_errors_of_the_data_are_raised_as_they_are():
    with pytest.raises(ValueError, match="NaN"):
        fit(classifier(), [make(0), ([np.full((3, 2), np.nan)] * 4, [0, 1, 0, 1])], client=ray)
