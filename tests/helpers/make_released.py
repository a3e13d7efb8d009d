"""Save one small model of every kind, with what it predicts, for later versions to load.

Run it once for each release, and commit what it writes, ``tests/released/<version>/``; what an
earlier version wrote stays as it is::

    python tests/helpers/make_released.py

A file is a pickle of a dict: ``model``; ``inputs``, what its methods are given; ``expected``, what
each of them (by name) gave. ``test_released.py`` reads all of them.
"""

import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
from problems import first_step, means, quick, tagged

import skrnn
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._base.portable import portable

RELEASED = Path(__file__).parents[1] / "released"
PROTOCOL = 5  # of every Python that skrnn runs on, now and later


def walks(n=8, seed=0, shortest=5):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shortest + extra).cumsum() for extra in rng.integers(0, 7, n)]


def counts():
    """Draw counts of series of different sizes."""
    return [np.rint(np.exp(x - x.max() + i)) for i, x in enumerate(walks())]


def tiny(make, **params):
    return quick(make, **{"hidden_layer_sizes": (4,), "dtype": "float32"} | params)


def fitted():
    """Return {name: (model, X, methods)}: every class, and every part of a network, somewhere."""
    words, tags = tagged(12)
    firsts = np.array([row[0] for row in tags])
    small = {"hidden_layer_sizes": 4, "embedding_dim": 3}
    labels, intervals = ("predict", "predict_proba"), ("predict", "predict_interval")
    sentences = ("predict", "predict_n_best")
    quantile = {"loss": "quantile", "quantiles": (0.05, 0.5, 0.95), "autoregression": 2}
    relu = {"cell": "rnn", "activation": "relu", "hidden_layer_sizes": (3, 2)}
    search = {"attention": "additive", "beam_width": 2}
    tables = {
        "classifier": (tiny(RNNClassifier, bidirectional=True), *first_step(12), labels),
        "classifier_tokens": (tiny(RNNClassifier, pooling="max"), words, firsts, labels),
        "classifier_optimizer": (tiny(RNNClassifier, warm_start=True), *first_step(12), labels),
        "regressor": (tiny(RNNRegressor, cell="gru", pooling="mean"), *means(12, 0, 2), labels[:1]),
        "regressor_relu": (tiny(RNNRegressor, **relu), *means(12), labels[:1]),
        "tagger": (tiny(LSTMTagger), words, tags, labels),
        "tagger_crf": (tiny(LSTMTagger, cell="rnn", crf=True), words, tags, labels),
        "tagger_characters": (tiny(LSTMTagger, subwords="chars"), words, tags, labels),
        "forecaster": (tiny(LSTMForecaster, horizon=3), walks(), None, intervals),
        "forecaster_gaussian": (tiny(LSTMForecaster, loss="gaussian"), walks(), None, intervals),
        "forecaster_quantile": (tiny(LSTMForecaster, **quantile), walks(), None, intervals),
        "forecaster_student_t": (tiny(LSTMForecaster, loss="student_t"), walks(), None, intervals),
        "forecaster_poisson": (tiny(LSTMForecaster, loss="poisson"), counts(), None, intervals),
        "forecaster_negative_binomial": (
            tiny(LSTMForecaster, loss="negative_binomial"), counts(), None, intervals,
        ),
        "language_model": (tiny(LSTMLanguageModel), words, None, ("score_samples",)),
        "language_model_tied": (
            tiny(LSTMLanguageModel, tie_embeddings=True), words, None, ("score_samples",),
        ),
        "translator": (tiny(Seq2SeqTranslator, attention=None, **small), words, tags, sentences),
        "translator_attention": (
            tiny(Seq2SeqTranslator, **search, **small), words, tags,
            (*sentences, "attention_weights"),
        ),
    }  # fmt: skip
    models = {name: (model.fit(X, y), X[:5], how) for name, (model, X, y, how) in tables.items()}
    models["forecaster"][0].calibrate(walks(seed=1, shortest=20))
    return models


def outcomes(model, X, methods):
    """Return {method: what it gives}."""
    return {name: getattr(model, name)(X) for name in methods}


def main():
    folder = RELEASED / skrnn.__version__
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs converge nowhere
        models = fitted()
    for name, (model, X, methods) in models.items():
        # Arrays as `skrnn` pickles its own, so that every version of NumPy loads them.
        known = portable([X, outcomes(model, X, methods)])
        content = {"model": model, "inputs": known[0], "expected": known[1]}
        data = pickle.dumps(content, protocol=PROTOCOL)
        (folder / f"{name}.pickle").write_bytes(data)
        print(f"{name}: {len(data)} bytes, {', '.join(known[1])}")


if __name__ == "__main__":
    main()
