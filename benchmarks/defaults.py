"""Cross-validated accuracy of settings of RNNClassifier: what its defaults are chosen by.

One protocol for all: stratified folds of the *training* parts of the sets in ``SKRNN_DATA/ts``, on
series as they are in the files. Run it as ``SKRNN_DATA=folder python benchmarks/defaults.py``;
``--list`` names the settings and ``--settings`` and ``--sets`` choose among them. ``--test`` scores
what has been chosen on the test parts, mean of five seeds: once, at the end.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier
from skrnn.datasets import read_arff, read_ts, read_txt
from skrnn.preprocessing import Frames, PerSequence, PerStep

READERS = {".ts": read_ts, ".txt": read_txt, ".arff": read_arff}
SETS = (
    "GunPoint", "Chinatown", "Beef", "Coffee", "ERing", "ItalyPowerDemand", "BasicMotions",
    "JapaneseVowels",
)  # fmt: skip
FRAMES = 32  # about so many steps are left of a series, each of four times its share of the steps
# The defaults that were there before those of today were chosen.
BEFORE = {
    "pooling": "last", "learning_rate": "constant", "learning_rate_init": 1e-3,
    "n_iter_no_change": 10, "scaling": "none",
}  # fmt: skip
RAW = {"scaling": "none"}
BOTH = {**BEFORE, "bidirectional": True, "pooling": "max"}
# A schedule that ends at 0 needs no criterion to stop.
LINEAR = {**BOTH, "learning_rate": "linear", "learning_rate_init": 3e-3, "n_iter_no_change": np.inf}
JOINED = {**LINEAR, "pooling": ("last", "mean", "max")}

# Name to the parameters, and what stands before the network: "frames", "scale" (of each feature
# over all steps), "white" (the features of all steps uncorrelated) and "series" (of each series by
# itself).
SETTINGS = {
    "before": (BEFORE, ()),
    "before, scaled": (BEFORE, ("scale",)),
    "default": ({}, ()),
    "default, batches of 8": ({"batch_size": 8}, ()),
    "default, batches of 16": ({"batch_size": 16}, ()),
    "default, two directions": ({"bidirectional": True}, ()),
    "default, two directions, batches of 8": ({"bidirectional": True, "batch_size": 8}, ()),
    "default, not scaled": (RAW, ()),
    "default, not scaled, last": ({**RAW, "pooling": "last"}, ()),
    "default, not scaled, last and mean": ({**RAW, "pooling": ("last", "mean")}, ()),
    "default, not scaled, rate .001": ({**RAW, "learning_rate_init": 1e-3}, ()),
    "default, not scaled, rate .01": ({**RAW, "learning_rate_init": 1e-2}, ()),
    "default, not scaled, ends where the loss stalls": ({**RAW, "n_iter_no_change": 10}, ()),
    "default, not scaled, two directions": ({**RAW, "bidirectional": True}, ()),
    "both directions, max": (BOTH, ()),
    "both, max, scaled": (BOTH, ("scale",)),
    "both, max, frames": (BOTH, ("frames",)),
    "both, max, frames, scaled": (BOTH, ("frames", "scale")),
    "linear": (LINEAR, ()),
    "linear, scaled": (LINEAR, ("scale",)),
    "linear, frames": (LINEAR, ("frames",)),
    "linear, frames, scaled": (LINEAR, ("frames", "scale")),
    "linear, frames, white": (LINEAR, ("frames", "white")),
    "linear, frames, scaled, mean": ({**LINEAR, "pooling": "mean"}, ("frames", "scale")),
    "linear, frames, scaled, last": ({**LINEAR, "pooling": "last"}, ("frames", "scale")),
    "linear, series, frames, scaled": (LINEAR, ("series", "frames", "scale")),
    "linear, frames, scaled, rate .01": (
        {**LINEAR, "learning_rate_init": 1e-2}, ("frames", "scale")
    ),
    "linear, frames, scaled, rate .001": (
        {**LINEAR, "learning_rate_init": 1e-3}, ("frames", "scale")
    ),
    "linear, frames, scaled, batches of 8": ({**LINEAR, "batch_size": 8}, ("frames", "scale")),
    "linear, frames, scaled, 128 units": (
        {**LINEAR, "hidden_layer_sizes": (128,)}, ("frames", "scale")
    ),
    "linear, frames, scaled, GRU": ({**LINEAR, "cell": "gru"}, ("frames", "scale")),
    "linear, frames, scaled, dropout .3": ({**LINEAR, "dropout": 0.3}, ("frames", "scale")),
    "linear, frames, scaled, alpha .1": ({**LINEAR, "alpha": 0.1}, ("frames", "scale")),
    "linear, frames, last and max": ({**LINEAR, "pooling": ("last", "max")}, ("frames",)),
    "linear, frames, joined": (JOINED, ("frames",)),
    "linear, frames, joined, scaled": (JOINED, ("frames", "scale")),
    "linear, frames, joined, one direction": ({**JOINED, "bidirectional": False}, ("frames",)),
    "linear, frames, joined, dropout .3": ({**JOINED, "dropout": 0.3}, ("frames",)),
    "linear, frames, joined, 128 units": ({**JOINED, "hidden_layer_sizes": (128,)}, ("frames",)),
    "linear, frames, joined, rate .01": ({**JOINED, "learning_rate_init": 1e-2}, ("frames",)),
    "linear, frames, joined, three members": ({**JOINED, "members": 3}, ("frames",)),
    "linear, frames, scaled, batches of 8, five members": (
        {**LINEAR, "batch_size": 8, "members": 5}, ("frames", "scale")
    ),
    "linear, frames, scaled, three members": ({**LINEAR, "members": 3}, ("frames", "scale")),
}  # fmt: skip


def load(name, part):
    """Return the series and labels of the "TRAIN" or "TEST" part of a set."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKRNN_DATA", beside)) / "ts"
    for ending, read in READERS.items():
        path = folder / f"{name}_{part}{ending}"
        if path.exists():
            return read(path, return_X_y=True)
    raise FileNotFoundError(f"no {name}_{part} in {folder}")


def make_model(setting, X, seed, epochs=None):
    """Return the pipelines of a setting, one per member, for series such as X."""
    params, before = SETTINGS[setting]
    params = {**params, **({} if epochs is None else {"max_iter": epochs})}
    steps = []
    for what in before:
        if what == "series":
            steps.append(PerSequence(StandardScaler()))
        elif what == "white":
            steps.append(PerStep(make_pipeline(StandardScaler(), PCA(0.9999, whiten=True))))
        elif what == "scale":
            steps.append(PerStep(StandardScaler()))
        else:
            stride = max(1, int(np.median([len(x) for x in X])) // FRAMES)
            steps.append(Frames(4 * stride, stride))
    members = params.pop("members", 1)
    return [
        make_pipeline(*steps, RNNClassifier(random_state=seed + 1000 * member, **params))
        for member in range(members)
    ]


def accuracy(setting, train, test, seed, epochs=None):
    """Fit a setting to one part and score it on the other."""
    X, y = train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        members = [model.fit(X, y) for model in make_model(setting, X, seed, epochs)]
    probabilities = np.mean([model.predict_proba(test[0]) for model in members], axis=0)
    return float(np.mean(members[0].classes_[probabilities.argmax(axis=1)] == test[1]))


def cross_validated(setting, name, folds, repeats, epochs):
    """Return the mean accuracy over the folds of a training part."""
    X, y = load(name, "TRAIN")
    X, y = list(X), np.asarray(y)
    right = 0.0
    for repeat in range(repeats):
        for train, test in StratifiedKFold(folds, shuffle=True, random_state=repeat).split(y, y):
            parts = [([X[i] for i in part], y[part]) for part in (train, test)]
            right += len(test) * accuracy(setting, *parts, repeat, epochs)
    return right / (repeats * len(y))


def tested(setting, name, seeds, epochs):
    """Return the mean accuracy on a test part."""
    train, test = load(name, "TRAIN"), load(name, "TEST")
    return np.mean([accuracy(setting, train, test, seed, epochs) for seed in range(seeds)])


def main(argv=None):
    """Print one row per setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="name the settings")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), metavar="NAME")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="NAME")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="instead of the setting's max_iter")
    parser.add_argument("--test", action="store_true", help="score on the test parts")
    args = parser.parse_args(argv)
    if args.list:
        print("\n".join(SETTINGS))
        return
    print("| setting |", " | ".join(args.sets), "| mean | seconds |")
    print("|---" * (len(args.sets) + 3) + "|")
    for setting in args.settings:
        start = time.perf_counter()
        if args.test:
            scores = [tested(setting, name, 5, args.epochs) for name in args.sets]
        else:
            scores = [
                cross_validated(setting, name, args.folds, args.repeats, args.epochs)
                for name in args.sets
            ]
        figures = " | ".join(f"{score:.3f}" for score in [*scores, np.mean(scores)])
        print(f"| {setting} | {figures} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
