"""Print a hash of the weights of a fixed set of fits, to compare two commits.

    python tests/helpers/fit_hashes.py > here.txt
    PYTHONPATH=path/of/another/build python tests/helpers/fit_hashes.py > there.txt
    diff here.txt there.txt

Only the public API is used, so that the script runs on other commits as well: the skrnn that
Python finds first is the one that is hashed. A refactoring leaves every line as it was. Hashes
depend on the instruction set (``SKRNN_ISA``), not on the number of threads.
"""

import hashlib
import itertools
import sys
import warnings

import numpy as np

import skrnn

CELLS = (("lstm", "tanh"), ("gru", "tanh"), ("rnn", "tanh"), ("rnn", "relu"), ("rnn", "logistic"))
LAYERS = ((20,), (20, 12))
DTYPES = ("float32", "float64")
COMMON = {"max_iter": 3, "random_state": 0}
# Defaults that were others on earlier commits, which may lack the parameter.
CONSTANT = {"learning_rate": "constant", "learning_rate_init": 0.001, "n_iter_no_change": 10}
UNSCALED = {"scaling": "none"} if "scaling" in skrnn.RNNRegressor().get_params() else {}
FIRST = {**COMMON, **CONSTANT, **UNSCALED, "pooling": "last"}


def digest(estimator, outputs):
    """Return the first 16 digits of the SHA-256 of an estimator's weights, losses and outputs."""
    code = hashlib.sha256()
    for name, value in sorted(estimator.weights_.items()):
        code.update(name.encode())
        code.update(np.ascontiguousarray(value).tobytes())
    code.update(np.array(estimator.loss_curve_).tobytes())
    for output in outputs:
        code.update(repr(np.asarray(output).tolist()).encode())
    return code.hexdigest()[:16]


def make_data():
    """Return ragged sequences, series, words and what is to be learned of them."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 40, 30)
    X = [rng.normal(size=(n, 5)) for n in lengths]
    series = [
        np.sin(np.arange(n) / 7)[:, None] + 0.1 * rng.normal(size=(n, 1)) for n in (300, 120, 47)
    ]
    sources = [[str(t) for t in rng.integers(0, 9, n)] for n in rng.integers(2, 9, 40)]
    return {
        "X": X,
        "classes": np.array([int(x.sum() > 0) for x in X]),
        "indicators": np.array([[x.sum() > 0, x[0, 0] > 0, x[-1, 1] > 0] for x in X]).astype(int),
        "numbers": np.array([[x.sum(), x.mean()] for x in X]),
        "tags": [
            np.array(["O", "B-A", "I-A"])[(x[:, 0] > 0).astype(int) + (x[:, 1] > 0)] for x in X
        ],
        "words": [[str(t) for t in rng.integers(0, 30, n)] for n in lengths],
        "ids": [rng.integers(0, 30, (n, 2)) for n in lengths],
        "weights": rng.random(len(X)),
        "series": series,
        "text": [
            list(part) for part in ("".join(rng.choice(list("abcde "), n)) for n in (900, 70))
        ],
        "sources": sources,
        "targets": [source[::-1] for source in sources],
    }


def classifiers(d):
    """Fit classifiers: every cell, direction, depth, precision and pooling, then the options."""
    table = itertools.product(CELLS, (False, True), LAYERS, DTYPES, ("last", "mean", "max"))
    for (cell, activation), both, layers, dtype, pooling in table:
        dropout = {"last": {}, "mean": {"recurrent_dropout": 0.1}, "max": {"dropout": 0.2}}[pooling]
        model = skrnn.RNNClassifier(
            layers, activation, cell=cell, bidirectional=both, dtype=dtype, batch_size=8,
            **dropout, **{**FIRST, "pooling": pooling},
        ).fit(d["X"], d["classes"])  # fmt: skip
        name = f"classifier {cell} {activation} both={both} {layers} {dtype} {pooling}"
        yield name, model, [model.predict_proba(d["X"])]
    options = {
        "bptt": {"bptt_steps": 7, "hidden_layer_sizes": (16, 16)},
        "bptt both": {"bptt_steps": 7, "bidirectional": True, "pooling": "mean"},
        "early": {"early_stopping": True, "validation_fraction": 0.3},
        "early scored": {"early_stopping": True, "validation_fraction": 0.3, "scoring": "accuracy"},
        "sgd adaptive": {"solver": "sgd", "learning_rate": "adaptive", "max_grad_norm": None},
        "sgd invscaling": {"solver": "sgd", "learning_rate": "invscaling", "alpha": 0.1},
        "linear": {"learning_rate": "linear", "shuffle": False},
        "class_weight": {"class_weight": "balanced"},
    }
    for name, given in options.items():
        model = skrnn.RNNClassifier(batch_size=8, **{**FIRST, **given})
        model.fit(d["X"], d["classes"], d["weights"])
        yield f"classifier {name}", model, [model.predict(d["X"])]
    for name in ("words", "ids"):
        model = skrnn.RNNClassifier(batch_size=8, embedding_dim=4, **FIRST)
        yield f"classifier {name}", model.fit(d[name], d["classes"]), []
    model = skrnn.RNNClassifier(batch_size=8, **FIRST).fit(d["X"], d["indicators"])
    yield "classifier multilabel", model, [model.predict_proba(d["X"])]
    model = skrnn.RNNClassifier(batch_size=8, warm_start=True, **FIRST)
    model.fit(d["X"], d["classes"]).fit(d["X"], d["classes"])
    yield "classifier warm", model, []
    model = skrnn.RNNClassifier(batch_size=8, **FIRST)
    for _ in range(2):
        model.partial_fit(d["X"], d["classes"], classes=[0, 1])
    yield "classifier partial", model, []


def regressors(d):
    """Fit regressors: losses, cells, and several numbers per sequence."""
    for loss, dtype in itertools.product(("squared_error", "absolute_error", "quantile"), DTYPES):
        model = skrnn.RNNRegressor(
            (33,), loss=loss, dtype=dtype, batch_size=8, **COMMON, **UNSCALED
        )
        model.fit(d["X"], d["numbers"][:, 0], d["weights"])
        yield f"regressor {loss} {dtype}", model, [model.predict(d["X"])]
    for cell, activation in CELLS:
        model = skrnn.RNNRegressor(
            LAYERS[1], activation, cell=cell, bidirectional=True, dropout=0.1, batch_size=8,
            early_stopping=True, validation_fraction=0.2, **COMMON, **UNSCALED,
        ).fit(d["X"], d["numbers"])  # fmt: skip
        yield f"regressor {cell} {activation} early", model, [model.predict(d["X"])]


def taggers(d):
    """Fit taggers: with and without a CRF, of numbers, words and columns of ids."""
    for crf, name, dtype in itertools.product((False, True), ("X", "words", "ids"), DTYPES):
        for cell, layers in (("lstm", LAYERS[1]), ("gru", LAYERS[0]), ("rnn", LAYERS[0])):
            early = {"early_stopping": True, "validation_fraction": 0.2} if cell == "gru" else {}
            width = None if name != "ids" else 4
            model = skrnn.LSTMTagger(
                layers, cell=cell, crf=crf, dtype=dtype, batch_size=8, dropout=0.1,
                embedding_dim=width, **early, **COMMON,
            ).fit(d[name], d["tags"])  # fmt: skip
            outputs = [*model.predict(d[name]), *model.predict_proba(d[name])]
            yield f"tagger crf={crf} {name} {cell} {dtype}", model, outputs


def forecasters(d):
    """Fit forecasters: cells, losses, scalings, pieces that carry states, early stopping."""
    options = {
        "plain": {},
        "two layers": {"hidden_layer_sizes": LAYERS[1], "dropout": 0.1},
        "quantile": {"loss": "quantile"},
        "gaussian": {"loss": "gaussian"},
        "scaled each": {"scaling": "series", "difference": None},
        "season": {"difference": "season", "season_length": 7},
        "linear": {"autoregression": 5},
        "bptt": {"bptt_steps": 10},
        "early": {"early_stopping": True, "validation_fraction": 0.2},
    }
    for cell, dtype in itertools.product(("lstm", "gru", "rnn"), DTYPES):
        for name, given in options.items():
            settings = {"hidden_layer_sizes": (16,), **COMMON, **given}
            model = skrnn.LSTMForecaster(
                horizon=4, lookback=20, cell=cell, dtype=dtype, **settings
            ).fit(d["series"])  # fmt: skip
            yield f"forecaster {cell} {dtype} {name}", model, model.predict(d["series"])


def language_models(d):
    """Fit language models: cells, depths, tied weights, carried states, early stopping."""
    for cell, layers, dtype in itertools.product(("lstm", "gru", "rnn"), LAYERS, DTYPES):
        model = skrnn.LSTMLanguageModel(
            layers, cell=cell, dtype=dtype, dropout=0.1, **{**COMMON, "max_iter": 2}
        ).fit(d["text"])  # fmt: skip
        yield f"language model {cell} {layers} {dtype}", model, [model.score_samples(d["text"])]
    for name, given in {
        "bptt": {"bptt_steps": 20},
        "early": {"early_stopping": True, "validation_fraction": 0.4},
    }.items():
        model = skrnn.LSTMLanguageModel((16,), **{**COMMON, **given}).fit(d["words"])
        yield f"language model {name}", model, [model.score_samples(d["words"])]


def translators(d):
    """Fit translators: attention, cells, directions, depths, early stopping."""
    table = itertools.product(("dot", "additive", None), ("lstm", "gru", "rnn"), DTYPES)
    for attention, cell, dtype in table:
        early = {"early_stopping": True, "validation_fraction": 0.2} if cell == "rnn" else {}
        model = skrnn.Seq2SeqTranslator(
            LAYERS[1] if cell == "gru" else (16,), attention=attention, cell=cell, dtype=dtype,
            bidirectional=cell != "gru", dropout=0.1, label_smoothing=0.1, **early, **COMMON,
        ).fit(d["sources"], d["targets"])  # fmt: skip
        outputs = model.predict(d["sources"])
        yield f"translator {attention} {cell} {dtype}", model, outputs


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("skrnn of", skrnn.__file__, file=sys.stderr)
    data = make_data()
    for fits in (classifiers, regressors, taggers, forecasters, language_models, translators):
        for name, model, outputs in fits(data):
            print(digest(model, outputs), name)
