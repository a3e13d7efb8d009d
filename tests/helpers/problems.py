"""Small problems a recurrent network learns in a second, quick estimators for them, real data."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from skrnn import RNNClassifier, RNNRegressor
from skrnn.datasets import read_ts

DATA = Path(
    os.environ.get("SKRNN_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data")
)


def use_threads(monkeypatch, n):
    """Let all of the package compute with `n` threads, more than there may be processors."""
    for name, module in list(sys.modules.items()):
        if name.startswith("skrnn.") and hasattr(module, "effective_n_threads"):
            monkeypatch.setattr(module, "effective_n_threads", lambda: n)


def first_step(n=120, seed=0, longest=8, width=2):
    """Ragged sequences whose label is the sign of the first step: it takes memory.

    Ends are as wild as starts, and one in eight sequences has a single step.
    """
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(n) < 0.125, 1, rng.integers(2, longest, n))
    X = [rng.normal(size=(length, width)) for length in lengths]
    for x in X:
        x[0, 0] += np.sign(x[0, 0])  # away from the border
    return X, np.array(["down", "up"])[[int(x[0, 0] > 0) for x in X]]


def means(n=120, seed=0, outputs=1):
    """Ragged sequences and the means of their features."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 2)) + rng.normal(size=2) for length in rng.integers(1, 8, n)]
    y = np.array([x.mean(axis=0) for x in X])
    return X, y[:, 0] if outputs == 1 else y


def token_lists(n=120, seed=0):
    """Sentences of letters; the label says whether an "x" is among them."""
    rng = np.random.default_rng(seed)
    X = [[str(t) for t in rng.choice(list("abcd"), size)] for size in rng.integers(1, 7, n)]
    y = rng.integers(0, 2, n)
    for sentence, label in zip(X, y, strict=True):
        if label:
            sentence[rng.integers(len(sentence))] = "x"
    return X, y


ENDINGS = {"ing": "VERB", "ness": "NOUN", "ous": "ADJ"}


def tagged(n=60, seed=0):
    """Sentences of made-up words, and a tag for each word: its ending says which.

    But "run" is a verb after "to" and else a noun, and a sentence has one to six words.
    """
    rng = np.random.default_rng(seed)
    X, y = [], []
    for size in rng.integers(1, 7, n):
        words, tags = [], []
        for kind in rng.integers(0, 5, size):
            if kind < 3:
                ending, tag = list(ENDINGS.items())[kind]
                word = "".join(rng.choice(list("bcdfglmopt"), 3)) + ending
            else:
                word = ("to", "run")[kind - 3]
                tag = "TO" if word == "to" else "VERB" if words[-1:] == ["to"] else "NOUN"
            words.append(word)
            tags.append(tag)
        X.append(words)
        y.append(tags)
    return X, y


def delayed(n=80, seed=0, width=2, lengths=None):
    """Vectors; the label of a step is whether the first feature of the step before is positive."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 7, n) if lengths is None else lengths
    X = [rng.normal(size=(length, width)) for length in lengths]
    for x in X:
        x[:, 0] += np.sign(x[:, 0])
    return X, [[False, *(x[:-1, 0] > 0).tolist()] for x in X]


def object_array(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def joined(parts):
    """Return the bytes of arrays, one a sequence, and check that they are in an object array."""
    assert parts.dtype == object and parts.ndim == 1
    return b"".join(part.tobytes() for part in parts)


def read_split(name):
    """Read the official split of a UCR/UEA set, or skip the test."""
    folder = DATA / "ts"
    files = [folder / f"{name}_{part}.ts" for part in ("TRAIN", "TEST")]
    if not all(file.is_file() for file in files):
        pytest.skip(f"{name}_TRAIN.ts and _TEST.ts are not in {folder}: set SKRNN_DATA")
    (X_train, y_train), (X_test, y_test) = (read_ts(file, return_X_y=True) for file in files)
    return X_train, X_test, y_train, y_test


QUICK = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
BOTH = pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])


def quick(make=RNNClassifier, **params):
    return make(**{**QUICK, **params})


def data_for(make, n=40, seed=0):
    return first_step(n, seed) if make is RNNClassifier else means(n, seed)


def state(estimator):
    """Return all that a failure must leave as it was, as bytes."""
    return pickle.dumps({**vars(estimator), "_plan": None})
