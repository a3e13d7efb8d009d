"""One small fitted model of every estimator, and code run in an interpreter of its own."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
from problems import first_step, joined, means, quick, tagged

import skrnn
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)

ROOT, TESTS = Path(skrnn.__file__).parents[1], Path(__file__).parents[1]


def walks(n=30, seed=0):
    """Random walks of several lengths."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=length).cumsum() for length in rng.integers(4, 14, n)]


@cache
def cases():
    """Return {name: (estimator, X, y)}, not fitted, one of each kind."""
    gaussian = quick(LSTMForecaster, horizon=2, loss="gaussian", scaling="series")
    return {
        "classifier": (quick(RNNClassifier, bidirectional=True), *first_step(30)),
        "regressor": (quick(RNNRegressor, cell="gru", dtype="float64"), *means(30, outputs=2)),
        "tagger": (quick(LSTMTagger), *tagged(30)),
        "crf tagger": (quick(LSTMTagger, cell="rnn", crf=True), *tagged(30)),
        "forecaster": (quick(LSTMForecaster, horizon=3), walks(), None),
        "gaussian forecaster": (gaussian, walks(), None),
        "language model": (quick(LSTMLanguageModel, bptt_steps=5), tagged(30)[0], None),
        "translator": (quick(Seq2SeqTranslator), *tagged(30)),
    }


def predicted(model, X):
    """Return the bytes of all that a model predicts."""
    methods = ["predict", "predict_proba", "predict_interval", "predict_n_best"]
    methods += ["score_samples"] * (not hasattr(model, "predict"))  # that of a translator needs y
    if hasattr(model, "horizon") and model._architecture["loss"] == "squared_error":
        methods = ("predict",)  # intervals need `calibrate`
    if hasattr(model, "target_vocabulary_"):
        methods = ("predict", "predict_n_best")  # `score_samples` needs targets
    found = [getattr(model, name)(X) for name in methods if hasattr(model, name)]
    return b"".join(map(packed, found))


def packed(outcome):
    """Return the bytes of one prediction: an array, arrays in an array, or lists of tokens."""
    if isinstance(outcome, list) or (len(outcome) and isinstance(outcome[0], list)):
        return repr(outcome).encode()
    if outcome.dtype == object and any(isinstance(row, list) for row in outcome):
        return repr(outcome.tolist()).encode()
    return joined(outcome) if outcome.dtype == object else outcome.tobytes()


def run_python(code, *arguments, timeout=300, **env):
    """Run code in a new interpreter that finds skrnn and the tests; returns what it printed."""
    path = os.pathsep.join(map(str, (ROOT, TESTS / "helpers", TESTS / "guarantees")))
    process = subprocess.run(
        [sys.executable, "-u", "-c", code, *map(str, arguments)],  # it may end without a flush
        env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert process.returncode == 0, f"exit {process.returncode}\n{process.stderr[-3000:]}"
    return process.stdout
