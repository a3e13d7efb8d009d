"""Ctrl-C while a kernel runs: the call ends before its work does, and nothing is learnt of it.

Seconds are for benchmarks/promises.py. Here a signal comes once the kernel has begun some seconds'
work; what shows that it was cut short is that the kernel never returned. `starmap` calls it from C,
where Python could not act on the signal before its result is noted.
"""

import functools
import itertools
import signal

import numpy as np
import pytest
from problems import quick, use_threads

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._kernels import get_engine
from skrnn.inspection import gradient_flow

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here"),
]


UNTOUCHED = 0xA5  # in every byte of a workspace that is marked before a kernel runs


class Interrupted(KeyboardInterrupt):
    """What the handler raises: told apart from the Ctrl-C of whoever runs the tests."""


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that runs a call whose first kernel of a name is interrupted."""
    engine = get_engine("float32")
    begun, ended, given = [], [], []

    def interrupting(kernel, marks):
        def run(*args, **kwargs):
            begun.append(kernel.__name__)
            given.extend(args)
            for part in args:
                if marks and isinstance(part, np.ndarray) and part.dtype == np.uint8:
                    part[:] = UNTOUCHED
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            try:
                ended.extend(itertools.starmap(functools.partial(kernel, **kwargs), [args]))
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            return ended[-1]

        return run

    def handler(number, frame):
        raise Interrupted

    def run(name, call, marks=False):
        monkeypatch.setattr(engine, name, interrupting(getattr(engine, name), marks))
        with pytest.raises(Interrupted):
            call()
        assert begun == [name] and not ended, "the kernel went on to its end"
        return given

    # An epoch is one call, whatever its first batches take.
    monkeypatch.setattr("skrnn._network.threads.FIRST_SLICE", 10**9)
    before = signal.signal(signal.SIGALRM, handler)
    yield run
    signal.signal(signal.SIGALRM, before)


def drawn(n, T, D=2, dtype=np.float32):
    return np.random.default_rng(0).normal(size=(n, T, D)).astype(dtype)


def words(n, T, kinds=20):
    drawn = np.random.default_rng(0).integers(0, kinds, (n, T))
    return [[f"w{k}" for k in row] for row in drawn]


def steps_taken(given):
    """Return the optimizer's count, as a kernel that trains has left it in its settings."""
    return next(part["step"] for part in given if isinstance(part, dict))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_predict(interrupt, monkeypatch, threads, pooling):
    use_threads(monkeypatch, threads)
    X = drawn(20_000, 100)
    model = quick(RNNClassifier, hidden_layer_sizes=(128,), pooling=pooling)
    model.fit(X[:8], np.arange(8) % 2)
    interrupt("predict", lambda: model.predict_proba(X))


def test_one_sequence(interrupt):
    model = quick(RNNRegressor, hidden_layer_sizes=(128,)).fit(drawn(8, 5), np.arange(8.0))
    given = interrupt("predict", lambda: model.predict([drawn(1, 400_000)[0]]), marks=True)
    # Later loops would have noticed too: most hidden states must not have been computed.
    arrays = [part for part in given if isinstance(part, np.ndarray)]
    [workspace] = [array for array in arrays if array.dtype == np.uint8]
    assert np.mean(workspace[:: 2**12] == UNTOUCHED) > 0.2


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_label_sequences(interrupt, method):
    X = list(drawn(400, 100))
    model = quick(LSTMTagger, crf=True, max_iter=1).fit(X[:4], list(np.arange(400).reshape(4, 100)))
    interrupt("predict", lambda: getattr(model, method)(X * 5))


@pytest.mark.parametrize("name", ["classifier", "crf", "two directions"])
def test_one_batch_of_fit(interrupt, name):
    model, X, y = {
        "classifier": (quick(RNNClassifier, hidden_layer_sizes=(64,)), drawn(2, 300_000), [0, 1]),
        "crf": (
            quick(LSTMTagger, crf=True, batch_size=600),
            list(drawn(600, 100)),
            list(np.random.default_rng(0).integers(0, 200, (600, 100))),
        ),
        "two directions": (
            quick(RNNClassifier, hidden_layer_sizes=(32, 32), bidirectional=True, dropout=0.1),
            drawn(2, 180_000),
            [0, 1],
        ),
    }[name]
    given = interrupt("train", lambda: model.set_params(max_iter=1).fit(X, y))
    assert steps_taken(given) == 0


def test_complete_batches_count(interrupt):
    """Batches done before the interrupt are kept, and the optimizer has counted them."""
    X = drawn(20_000, 50)
    model = quick(RNNClassifier, hidden_layer_sizes=(64,), max_iter=1, batch_size=16)
    model.partial_fit(X[:64], np.arange(64) % 2, classes=[0, 1])
    before, params = model._optimizer.step, model._params.copy()
    given = interrupt("train", lambda: model.partial_fit(X, np.arange(20_000) % 2))
    assert model._optimizer.step == steps_taken(given) < before + 20_000 // 16
    assert (model._optimizer.step > before) == (not np.array_equal(model._params, params))


def test_sampling(interrupt):
    model = quick(LSTMLanguageModel, hidden_layer_sizes=(128,), max_iter=1)
    model.fit(np.arange(200) % 20)  # one stream: nothing drawn is an end
    interrupt("sample", lambda: model.sample(1, max_length=1_000_000))


def test_likelihood(interrupt):
    texts = words(3000, 100, 2000)
    model = quick(LSTMLanguageModel, hidden_layer_sizes=(128,), max_iter=1).fit(texts[:20])
    interrupt("likelihood", lambda: model.score_samples(texts))


@pytest.mark.parametrize("beam_width", [1, 4])
def test_translation(interrupt, beam_width):
    X = words(20, 8)
    model = quick(Seq2SeqTranslator, hidden_layer_sizes=(128,), max_iter=1, beam_width=beam_width)
    model.set_params(max_length=2000).fit(X, X)
    weights = model.weights_
    weights["head_bias"][-1] = -1e4  # no end is ever likely: the search goes on to its last step
    model.set_weights(weights)
    interrupt("translate_decode", lambda: model.predict(X * 100))


def test_fit_of_a_translator(interrupt):
    X = words(32, 400)
    model = quick(Seq2SeqTranslator, hidden_layer_sizes=(64,), max_iter=1, batch_size=32)
    model.set_params(attention="additive")
    assert steps_taken(interrupt("translate_train", lambda: model.fit(X, X))) == 0


def test_a_long_forecast(interrupt):
    model = quick(LSTMForecaster, horizon=2, hidden_layer_sizes=(128,), max_iter=1)
    model.fit(np.sin(np.arange(200.0)))
    interrupt("rollout", lambda: model.predict(horizon=1_000_000))


def test_gradient_flow(interrupt):
    model = quick(RNNClassifier, hidden_layer_sizes=(64,), max_iter=1).fit(drawn(2, 9), [0, 1])
    interrupt("inspect_batch", lambda: gradient_flow(model, drawn(2, 50_000), [0, 1]))
