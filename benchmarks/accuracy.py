"""Accuracy of RNNClassifier on short archives, beside what people already have.

Run it as ``SKRNN_DATA=folder python benchmarks/accuracy.py``. The official test parts are scored,
once; settings are chosen by ``benchmarks/defaults.py``, on training parts. 1NN-DTW and MiniRocket
are those of aeon, and are left out where it is not installed. What reads vectors gets each series
brought to one length by interpolation, its features side by side.
"""

import argparse
import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from defaults import SETS, load
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
# numba asks for the package coverage, of which name a script stands here.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != HERE]


def read(name):
    """Return the official parts of a set: X_train, y_train, X_test, y_test."""
    if name != "FSDD":
        return *load(name, "TRAIN"), *load(name, "TEST")
    sys.path.insert(0, str(HERE.parent / "examples"))
    from spoken_digits import TEST_RECORDINGS, load_fsdd, split

    folder = Path(os.environ.get("SKRNN_DATA", HERE.parents[1] / "shared" / "data")) / "fsdd"
    kept, held, y, y_held = split(*load_fsdd(folder), TEST_RECORDINGS)
    return kept, y, held, y_held


def resampled(X, length):
    """Return series as rows of one length (n, length * n_features)."""
    rows = []
    for x in X:
        x = np.asarray(x, dtype=float).reshape(len(x), -1)
        at = np.linspace(0, len(x) - 1, length)
        rows.append(np.stack([np.interp(at, np.arange(len(x)), column) for column in x.T], axis=1))
    return np.array(rows)


def of_vectors(make):
    """Return a method that reads vectors, from what makes its estimator of a seed."""

    def predict(X, y, X_test, seed):
        length = int(np.median([len(x) for x in X]))
        model = make_pipeline(StandardScaler(), make(seed))
        model.fit(resampled(X, length).reshape(len(X), -1), y)
        return model.predict(resampled(X_test, length).reshape(len(X_test), -1))

    return predict


def skrnn_by_default(X, y, X_test, seed):
    """RNNClassifier without a parameter, on what is in the files."""
    from skrnn import RNNClassifier

    return RNNClassifier(random_state=seed).fit(X, y).predict(X_test)


def nearest_neighbor(X, y, X_test, seed):
    """1NN-DTW without a window, of series as they are."""
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    def channels_first(X):
        return [np.asarray(x, dtype=float).reshape(len(x), -1).T for x in X]

    model = KNeighborsTimeSeriesClassifier(distance="dtw", n_neighbors=1)
    return model.fit(channels_first(X), np.asarray(y)).predict(channels_first(X_test))


def mini_rocket(X, y, X_test, seed):
    """MiniRocket, of series of one length."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    length = max(9, int(np.median([len(x) for x in X])))
    model = MiniRocketClassifier(random_state=seed)
    model.fit(resampled(X, length).transpose(0, 2, 1), np.asarray(y))
    return model.predict(resampled(X_test, length).transpose(0, 2, 1))


METHODS = {
    "skrnn, defaults": (skrnn_by_default, True),
    "MLP": (of_vectors(lambda seed: MLPClassifier(max_iter=1000, random_state=seed)), True),
    "logistic regression": (of_vectors(lambda seed: LogisticRegression(max_iter=5000)), False),
    "1NN-DTW": (nearest_neighbor, False),
    "MiniRocket": (mini_rocket, True),
}  # name -> (function, whether it draws random numbers)
AEON = ("1NN-DTW", "MiniRocket")


def main(argv=None):
    """Print one row per set: the mean of the seeds for each method; last their mean ranks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=[*SETS, "FSDD"], metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args(argv)
    methods = [
        name for name in args.methods
        if name not in AEON or importlib.util.find_spec("aeon") is not None
    ]  # fmt: skip
    print("| set |", " | ".join(methods), "| seconds |")
    print("|---" * (len(methods) + 2) + "|")
    table = []
    for name in args.sets:
        X, y, X_test, y_test = read(name)
        start, row = time.perf_counter(), []
        for method in methods:
            predict, draws = METHODS[method]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scores = [
                    np.mean(predict(X, y, X_test, seed) == np.asarray(y_test))
                    for seed in range(args.seeds if draws else 1)
                ]
            row.append(np.mean(scores))
        table.append(row)
        figures = " | ".join(f"{score:.3f}" for score in row)
        print(f"| {name} | {figures} | {time.perf_counter() - start:.0f} |", flush=True)
    ranks = rankdata(-np.round(table, 6), axis=1).mean(axis=0)
    print("| mean |", " | ".join(f"{mean:.3f}" for mean in np.mean(table, axis=0)), "| |")
    print("| mean rank |", " | ".join(f"{rank:.2f}" for rank in ranks), "| |")


if __name__ == "__main__":
    main()
