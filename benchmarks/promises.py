"""Figures of docs/guarantees.md that are seconds, which a busy machine must not fail a test for.

Each section is run with ``python benchmarks/promises.py NAME``; all of them without a name. Nothing
else should run on the machine meanwhile. A figure is printed beside what is promised.
"""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import warnings

import joblib
import numpy as np
from shapes import SHAPES
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    Seq2SeqTranslator,
)
from skrnn._network.threads import effective_n_threads
from skrnn.inspection import gradient_flow

REPEATS = 5
PLAIN = {
    "pooling": "last", "scaling": "none", "learning_rate": "constant", "learning_rate_init": 1e-3,
}  # fmt: skip


def classifier(**params):
    """Make a classifier that runs all its epochs."""
    fixed = {"n_iter_no_change": np.inf, "tol": 0, "random_state": 0, **PLAIN}
    return RNNClassifier(**{"hidden_layer_sizes": (64,), "max_iter": 3, **fixed, **params})


def data(n, T, D, scale=1.0):
    """Draw sequences and labels."""
    rng = np.random.default_rng(0)
    return scale * rng.normal(size=(n, T, D)), rng.integers(0, 2, n)


def report(name, figure, promised):
    """Print one figure."""
    print(f"{name:<58} {figure:>12}   promised: {promised}", flush=True)


# Oversubscription


def search(backend, samples):
    """Print the seconds of a search by two workers; run in a process of its own."""
    X, y = data(int(samples), 100, 8)
    grid = {"alpha": [0, 1e-4, 1e-3, 1e-2]}
    with joblib.parallel_backend(backend, n_jobs=2):
        GridSearchCV(classifier(max_iter=1), grid, cv=2).fit(X[:32], y[:32])  # starts the workers
        start = time.perf_counter()
        GridSearchCV(classifier(), grid, cv=2, refit=False).fit(X, y)
        print(time.perf_counter() - start)


def oversubscription():
    """Compare a search by two workers with one where each worker has one OpenMP thread."""
    for backend, promised in (("loky", "1.1"), ("threading", "1.25")):
        for samples in ("100", "1000"):
            seconds = {"": [], "1": []}
            for _ in range(REPEATS):
                for threads, taken in seconds.items():
                    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
                    env |= {"OMP_NUM_THREADS": threads} if threads else {}
                    command = [sys.executable, __file__, "search", backend, samples]
                    done = subprocess.run(
                        command, env=env, capture_output=True, text=True, check=True
                    )
                    taken.append(float(done.stdout))
            ours, one = (statistics.median(taken) for taken in seconds.values())
            figure = f"{ours / one:.2f}x"
            report(f"search, n_jobs=2, {backend}, {samples} sequences", figure, f"{promised}x")


# Ensembles


def members(how, samples):
    """Print the seconds of three fits of one thread, or of an ensemble of three networks."""
    X, y = data(int(samples), 100, 8)
    networks = [(f"seed {seed}", classifier(random_state=seed)) for seed in range(3)]
    classifier(max_iter=1).fit(X[:32], y[:32])
    start = time.perf_counter()
    if how == "ensemble":
        with joblib.parallel_config(backend="threading"):
            VotingClassifier(networks, voting="soft", n_jobs=3).fit(X, y)
    else:
        for _, network in networks:
            network.fit(X, y)
    print(time.perf_counter() - start)


def ensemble():
    """Compare an ensemble with the time of its fits, one thread each, divided by the cores."""
    cores = effective_n_threads()
    for samples in ("100", "1000"):
        seconds = {"ensemble": [], "single": []}
        for _ in range(REPEATS):
            for how, taken in seconds.items():
                env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
                env |= {"OMP_NUM_THREADS": "1"} if how == "single" else {}
                command = [sys.executable, __file__, "members", how, samples]
                done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
                taken.append(float(done.stdout))
        ours, single = (statistics.median(taken) for taken in seconds.values())
        figure = f"{ours / single * cores:.2f}x"
        report(f"ensemble of 3, {cores} cores, {samples} sequences", figure, "1.2x")


# Interrupts


def interrupt():
    """Send SIGINT at random moments of a fit of the largest shape of the benchmark."""
    shape = max(SHAPES, key=lambda shape: shape.training_flops() * shape.T * shape.B)
    X, y = data(shape.n_sequences, shape.T, shape.D)
    X = X.astype(np.float32)
    rng = np.random.default_rng(0)
    seconds, usable = [], 0
    for _ in range(50):
        model = classifier(hidden_layer_sizes=(shape.H,), batch_size=shape.B, max_iter=100)
        sent = []

        def send(sent=sent):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.05 + 2 * rng.random(), send)
        timer.start()
        try:
            model.fit(X, y)
        except KeyboardInterrupt:
            seconds.append(time.perf_counter() - sent[0])
        usable += not hasattr(model, "classes_") or np.isfinite(model.predict_proba(X[:3])).all()
    report("interrupt, 99th percentile of 50", f"{np.quantile(seconds, 0.99):.3f} s", "0.5 s")
    report("interrupt, usable or not fitted", f"{usable} of {len(seconds)}", "all")


# Interrupts of every other call


def words(n, T, kinds=20):
    """Draw token sequences."""
    drawn = np.random.default_rng(0).integers(0, kinds, (n, T))
    return [[f"w{k}" for k in row] for row in drawn]


def long_calls():
    """Return {name: call}, each of which takes some seconds."""
    X = np.random.default_rng(0).normal(size=(60_000, 100, 8)).astype(np.float32)
    halves = np.arange(len(X)) % 2
    few = {"max_iter": 1, "random_state": 0}
    tags = [X[:2, :, 0].argsort()[k] for k in range(2)]  # a hundred labels
    plain = RNNClassifier((128,), **few, **PLAIN).fit(X[:64], halves[:64])
    crf = LSTMTagger((8,), crf=True, **few).fit(list(X[:2]), tags)
    texts, document = words(9000, 100, 2000), np.arange(200) % 20
    language = LSTMLanguageModel((128,), **few).fit(texts[:20])
    drawing = LSTMLanguageModel((128,), **few).fit(document)
    pairs = words(2000, 20)
    translators = {
        beam: Seq2SeqTranslator((128,), beam_width=beam, max_length=500, **few) for beam in (1, 5)
    }
    for translator in translators.values():
        translator.fit(pairs[:20], pairs[:20])
    wave = np.sin(np.arange(60_000) / 6)
    forecaster = LSTMForecaster(horizon=4, hidden_layer_sizes=(64,), **few).fit(wave[:500])
    long = np.random.default_rng(0).normal(size=(2, 250_000, 2))
    flow = RNNClassifier((64,), **few, **PLAIN).fit(long[:, :50], [0, 1])
    return {
        "fit, one batch of two long sequences": lambda: flow.fit(long, [0, 1]),
        "fit, one batch of 6,000": lambda: plain.set_params(batch_size=6000).partial_fit(
            X[:6000], halves[:6000]
        ),
        "predict": lambda: plain.predict(X),
        "predict of a CRF": lambda: crf.predict(list(X)),
        "predict_proba of a CRF": lambda: crf.predict_proba(list(X)),
        "score_samples": lambda: language.score_samples(texts),
        "sample": lambda: drawing.sample(20, max_length=200_000),
        "translate, greedy": lambda: translators[1].predict(pairs),
        "translate, beam of 5": lambda: translators[5].predict(pairs),
        "forecast of 1,000,000 steps": lambda: forecaster.predict(wave, horizon=1_000_000),
        "calibrate": lambda: forecaster.calibrate(wave, horizon=64),
        "gradient_flow": lambda: gradient_flow(flow, long, [0, 1]),
    }


def interrupts():
    """Send SIGINT at random moments of the first second of every call that takes long."""
    rng = np.random.default_rng(0)
    for name, call in long_calls().items():
        seconds = []
        for _ in range(50):
            sent = []

            def send(sent=sent):
                sent.append(time.perf_counter())
                os.kill(os.getpid(), signal.SIGINT)

            timer = threading.Timer(0.05 + rng.random(), send)
            try:
                timer.start()
                call()
                timer.cancel()
                timer.join()
            except KeyboardInterrupt:
                seconds.append(time.perf_counter() - sent[0])
        figure = f"{np.quantile(seconds, 0.99):.3f} s" if seconds else "too short"
        report(f"interrupt, {name}, {len(seconds)} of 50", figure, "0.5 s")


# Denormals


def timed(call):
    """Return the median seconds of a call."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def denormals():
    """Compare inputs that keep all states of a network without biases denormal with common ones."""
    X, y = data(320, 100, 8)
    for cell in ("lstm", "gru", "rnn"):
        for dtype, tiny in (("float32", 1e-41), ("float64", 1e-311)):
            model = classifier(cell=cell, dtype=dtype, max_iter=1).fit(X, y)
            weights = {k: w * ("bias" not in k) for k, w in model.weights_.items()}

            def learn(X, model=model, weights=weights):
                model.set_weights(weights).partial_fit(X, y)

            learning = timed(lambda: learn(X * tiny)) / timed(lambda: learn(X))  # noqa: B023
            predict = model.set_weights(weights).predict
            using = timed(lambda: predict(X * tiny)) / timed(lambda: predict(X))  # noqa: B023
            figure = f"{using:.2f}x {learning:.2f}x"
            report(f"denormals, {cell}, {dtype}: predict, partial_fit", figure, "2x")


# Persistence


def persistence():
    """Compare pickles with the weights in them."""
    import pickle

    X, y = data(40, 10, 8)
    for width in (8, 64, 256):
        model = classifier(hidden_layer_sizes=(width,), max_iter=1).fit(X, y)
        size, weights = len(pickle.dumps(model)), model._params.nbytes
        figure = f"{size} / {weights}"
        report(f"pickle / weights in bytes, {width} units", figure, "1.1x + 4096")


SECTIONS = {
    f.__name__: f
    for f in (oversubscription, ensemble, interrupt, interrupts, denormals, persistence)
}


def main():
    """Run the sections named on the command line."""
    if sys.argv[1:2] == ["search"]:
        search(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["members"]:
        members(*sys.argv[2:])
        return
    for name in sys.argv[1:] or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
