"""Measurements that need a process of their own; `bench.py` runs this and reads a number."""

import json
import sys
import time


def peak_memory():
    """Read the high-water mark of this process, in MB.

    Read from /proc where there is one: Linux carries ``ru_maxrss`` over from the parent of a
    fresh process, and the parent here is a big one.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def memory(side_name):
    """Make data, fit once, and return the peak of it all, framework included."""
    from importlib import import_module

    from shapes import MEMORY, dense_data

    side = import_module(side_name)
    X, y = dense_data(MEMORY)
    with side.threads(2):
        side.fit(MEMORY, side.prepare(X), y)
    return peak_memory()


def tagging(side_name):
    """Read the treebank, train a tagger for an epoch, and return the peak of it all."""
    from importlib import import_module

    import ours
    from tagging import NETWORK, OurTagger, treebank

    X, y = treebank("train")
    peer = side_name != "ours"
    side = import_module("pytorch") if peer else ours
    tagger = import_module("pytorch_tagging").Tagger if peer else OurTagger
    with side.threads(2):
        tagger(NETWORK).fit(X, y)
    return peak_memory()


def language(embedding_dim):
    """Train a language model of many tokens, and return what training adds to data and weights."""
    import ours
    from text import many_tokens

    model, X = many_tokens(int(embedding_dim))
    before = peak_memory()  # nothing large has been freed yet
    with ours.threads(2):
        model.fit(X)
    peak = peak_memory()
    weights = sum(array.nbytes for array in model.weights_.values()) / 2**20
    return peak - before - weights, weights


def panel(method):
    """Make a panel, have a forecaster do one thing with it, and return what that adds to the data.

    All but `fit` have learned from a few of the series.
    """
    import warnings

    import numpy as np
    import ours
    from forecasting import PANEL

    import skrnn

    warnings.simplefilter("ignore")
    values = np.random.default_rng(0).standard_normal(PANEL)
    values[..., 0].cumsum(axis=1, out=values[..., 0])
    model = skrnn.LSTMForecaster(
        12, 48, loss="squared_error" if method == "calibrate" else "gaussian", n_targets=1,
        past_covariates=list(range(1, PANEL[2])), hidden_layer_sizes=(8,), max_iter=1,
        random_state=0,
    )  # fmt: skip
    if method != "fit":
        model.fit(values[:50])
    before = peak_memory()  # nothing large has been freed yet
    with ours.threads(2):
        if method == "sample_paths":
            model.sample_paths(values, 20, horizon=24, random_state=0)
        else:
            getattr(model, method)(values)
    return peak_memory() - before, values.nbytes / 2**20


def import_time(statement, before):
    """Time one import statement in this fresh process, after another."""
    exec(before, {})
    start = time.perf_counter()
    exec(statement, {})
    return time.perf_counter() - start


if __name__ == "__main__":
    measures = {
        "memory": memory, "tagging": tagging, "language": language, "panel": panel,
        "import": import_time,
    }  # fmt: skip
    print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
