"""Training on a Dask cluster of processes: the same bits as in one, and workers that die."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from skrnn import RNNClassifier
from skrnn.distributed import EngineLostError, fit

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.long  # each starts a cluster


def make(seed, n=60):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(5, 15, size=n)]
    return X, [int(x[:, 0].sum() > 0) for x in X]


SHARDS = [make(0), make(1)]


def classifier(max_iter=6):
    return RNNClassifier(
        (12,), max_iter=max_iter, learning_rate_init=0.01, batch_size=8, random_state=0
    )


def same(a, b):
    return all(np.array_equal(w, b.weights_[name]) for name, w in a.weights_.items())


@pytest.fixture(scope="module")
def reference():
    return fit(classifier(), SHARDS, steps=2)


@pytest.fixture
def cluster():
    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 10,
                "distributed.comm.timeouts.connect": "5s",
            }
        ),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster


@pytest.mark.parametrize("kind", ["local", "delayed", "bag"])
def test_same_bits_as_in_one_process(cluster, reference, kind):
    shards = SHARDS
    if kind == "delayed":
        shards = [dask.delayed(make)(0), dask.delayed(make)(1)]
    elif kind == "bag":
        pairs = [pair for X, y in SHARDS for pair in zip(X, y)]
        shards = pytest.importorskip("dask.bag").from_sequence(pairs, npartitions=2)
    with distributed.Client(cluster) as client:
        assert same(fit(classifier(), shards, client=client, steps=2), reference)


def test_other_collections_are_refused(cluster):
    array = pytest.importorskip("dask.array")
    with distributed.Client(cluster) as client, pytest.raises(TypeError, match="to_delayed"):
        fit(classifier(), array.zeros((4, 3)), client=client)


def kill_one_worker(client):
    workers = client.run(os.getpid)
    os.kill(next(iter(workers.values())), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["local", "delayed"])
def test_a_killed_worker_costs_its_round_not_the_fit(cluster, kind):
    many = 30
    reference = fit(classifier(many), SHARDS, steps=2)
    shards = SHARDS if kind == "local" else [dask.delayed(make)(0), dask.delayed(make)(1)]
    start = time.monotonic()
    with distributed.Client(cluster) as client:
        killer = threading.Timer(1.5, kill_one_worker, args=(client,))
        killer.start()
        model = fit(classifier(many), shards, client=client, steps=2)
        killer.join()
    assert same(model, reference)
    assert time.monotonic() - start < 60


def test_lost_scheduler_is_an_error_and_leaves_the_last_average(cluster):
    epochs = []

    def close_after_three(estimator, X, y):
        epochs.append(estimator.n_iter_)
        if len(epochs) == 3:
            cluster.close()
        return 0.0

    model = classifier(100).set_params(early_stopping=True, scoring=close_after_three)
    X_val, y_val = SHARDS[0]
    with (
        distributed.Client(cluster) as client,
        pytest.raises(EngineLostError, match="holds the last average, of epoch 4"),
    ):
        fit(model, SHARDS, client=client, steps=8, X_val=X_val, y_val=y_val)
    assert model.n_iter_ == 3
    assert model.predict(X_val[:3]).shape == (3,)
