"""
Train and search on a Dask cluster
==================================

Two worker processes on this machine stand in for a cluster: one grid search whose fits run side by
side, and one fit of a network on two shards of the data. Needs ``dask`` and ``distributed``.
"""

import dask
import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from skrnn import RNNClassifier
from skrnn import distributed as skrnn_distributed


def read_shard(seed, n_sequences=400):
    """Make sequences and labels where they are needed, as a file would be read."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 20, size=n_sequences)]
    return X, [int(x[:, 0].sum() > 0) for x in X]


def main():
    """Search, then train on shards."""
    X_test, y_test = read_shard(9)
    model = RNNClassifier(
        (16,), learning_rate="linear", learning_rate_init=0.01, max_iter=20, random_state=0
    )
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        X, y = read_shard(0)
        with joblib.parallel_config("dask"):
            search = GridSearchCV(model, {"pooling": ["last", "mean"]}, cv=3).fit(X, y)
        print(f"search on 400 sequences: {search.best_params_}, {search.score(X_test, y_test):.3f}")

        shards = [dask.delayed(read_shard)(seed) for seed in (0, 1)]
        model.set_params(**search.best_params_)
        skrnn_distributed.fit(model, shards, client=client, steps=4)
    print(f"one fit on two shards of 400:  {model.score(X_test, y_test):.3f}")


if __name__ == "__main__":  # worker processes import this file
    main()
