"""Models as graphs of ONNX: onnxruntime puts out what `predict` does, for ragged batches too."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from problems import first_step, means, quick, tagged, token_lists
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._forecaster.transform import SeriesTransform
from skrnn.export import onnx_inputs, to_onnx
from skrnn.export._forecaster import DETAILS
from skrnn.preprocessing import PerSequence, PerStep, TokenEncoder

pytest.importorskip("onnx", reason="onnx is not installed: exports are untested")
ort = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is not installed: exports are untested"
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def shaken(model):
    """Give a network weights so large that every gate matters, and none is like another."""
    rng = np.random.default_rng(1)
    weights = model.weights_
    shake = {name: w + rng.normal(scale=0.7, size=w.shape) for name, w in weights.items()}
    return model.set_weights(shake)


def run(model, X, inputs=None):
    """Return what the graph of a model puts out, by name."""
    data = to_onnx(model).SerializeToString()
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    found = session.run(None, onnx_inputs(model, X) if inputs is None else inputs)
    return dict(zip([output.name for output in session.get_outputs()], found, strict=True))


def close(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, **CLOSE)


def close_steps(found, expected):
    """Compare a padded output with arrays, one per sequence; NaN, '' or -1 is behind their ends."""
    for row, part in zip(found, expected, strict=True):
        if row.dtype.kind == "f":
            close(row[: len(part)], part)
            assert np.isnan(row[len(part) :]).all()
        else:
            np.testing.assert_array_equal(row[: len(part)], part)
            assert set(row[len(part) :].tolist()) <= {"", -1}


# Classifiers and regressors


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    "pooling", ["last", "mean", "max", "attention", ("mean", "last"), ("last", "max", "attention")]
)
@pytest.mark.parametrize(
    ("cell", "activation"),
    [("lstm", "tanh"), ("gru", "tanh"), ("rnn", "tanh"), ("rnn", "relu"), ("rnn", "logistic")],
)
def test_cells_and_poolings(cell, activation, pooling, bidirectional):
    X, y = first_step(20)
    how = {"cell": cell, "activation": activation, "pooling": pooling}
    model = quick(hidden_layer_sizes=(5, 3), bidirectional=bidirectional, **how).fit(X, y)
    found = run(shaken(model), X)
    close(found["probabilities"], model.predict_proba(X))
    assert found["label"].tolist() == model.predict(X).tolist()


def test_padding_and_company_do_not_matter():
    X, y = first_step(20)
    model = shaken(quick(bidirectional=True, pooling="max").fit(X, y))
    inputs = onnx_inputs(model, X)
    expected = run(model, X)["probabilities"]
    padded = np.pad(inputs["X"], ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    for x, length in zip(padded, inputs["lengths"], strict=True):
        x[length:] = np.nan
    found = run(model, X, {"X": padded, "lengths": inputs["lengths"]})
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(run(model, X[:1])["probabilities"], expected[:1], atol=1e-6)


IDS = [[[1, 2], [0, 1]], [[2, 2]], [[0, 0], [1, 1], [2, 1]]] * 5
LABELS = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]] * 5)


@pytest.mark.parametrize(
    ("params", "X", "y"),
    [
        ({}, *token_lists(20)),
        ({"embedding_dim": 3}, IDS, [3, 1, 2] * 5),
        ({"embedding_dim": [3, 2], "cell": "gru"}, IDS, [2.0, 1.0, 2.0] * 5),
        ({}, first_step(15)[0], LABELS),
        ({"dtype": "float64"}, first_step(15)[0], [True, False, True] * 5),
    ],
    ids=["strings", "ids", "columns", "labels", "float64"],
)
def test_classifiers(params, X, y):
    model = shaken(quick(**params).fit(X, y))
    found = run(model, X)
    close(found["probabilities"], model.predict_proba(X))
    assert found["label"].tolist() == model.predict(X).tolist()
    if isinstance(X[0][0], str):
        X = [[*X[0], "never seen"], *X[1:]]
        close(run(model, X)["probabilities"], model.predict_proba(X))


def test_any_unknown_id_is_an_unknown_token():
    model = shaken(quick(embedding_dim=3).fit(IDS, [0, 1, 2] * 5))
    inputs = onnx_inputs(model, IDS)
    for unknown in (-1, -7, 3, 10**12):
        inputs["X"][0, 0] = unknown
        X = [[[-1, -1], [0, 1]], *IDS[1:]]
        close(run(model, None, inputs)["probabilities"], model.predict_proba(X))


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "poisson"])
def test_regressors_in_units_of_y(loss, outputs):
    X, y = means(20, outputs=outputs)
    y = np.abs(y) * 1000 + 500
    model = shaken(quick(RNNRegressor, loss=loss).fit(X, y))
    found = run(model, X)["prediction"]
    assert found.shape == model.predict(X).shape
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-5)


# A label per step


@pytest.mark.parametrize("params", [{}, {"bidirectional": False, "subwords": False, "cell": "gru"}])
def test_taggers(params):
    X, y = tagged(20)
    model = shaken(quick(LSTMTagger, tag_scheme=None, **params).fit(X, y))
    X[0] = [*X[0], "neverseen"]
    found = run(model, X)
    close_steps(found["probabilities"], model.predict_proba(X))
    close_steps(found["label"], model.predict(X))


def test_taggers_of_numbers_and_of_empty_sequences():
    X, _ = first_step(10)
    X = [np.empty((0, 2)), *X]
    model = shaken(quick(LSTMTagger).fit(X, [np.arange(len(x)) % 3 for x in X]))
    found = run(model, X)
    close_steps(found["probabilities"], model.predict_proba(X))
    close_steps(found["label"], model.predict(X))


def test_a_tag_scheme_leaves_probabilities():
    X, y = [["a", "b", "c"]] * 4, [["B-X", "I-X", "O"]] * 4
    model = shaken(quick(LSTMTagger).fit(X, y))
    with pytest.warns(UserWarning, match="no output 'label'.*BIO"):
        found = run(model, X)
    assert list(found) == ["probabilities"]
    close_steps(found["probabilities"], model.predict_proba(X))


# Language models


@pytest.mark.parametrize("boundary_tokens", [True, False])
@pytest.mark.parametrize("tie_embeddings", [True, False])
def test_language_models(tie_embeddings, boundary_tokens):
    X = [words for words in tagged(20)[0] if len(words) > 1]
    how = {"tie_embeddings": tie_embeddings, "boundary_tokens": boundary_tokens, "min_freq": 1}
    model = shaken(quick(LSTMLanguageModel, **how).fit(X))
    X = [["never", *X[0]], *X[1:]]
    logs = run(model, X)["log_probabilities"]
    symbols = model._special_tokens
    ids = [symbols.of(model._sequences([words])).tolist() for words in X]
    likelihoods = []
    for row, symbols_of in zip(logs, ids, strict=True):
        following = [*symbols_of, symbols.n_known] if boundary_tokens else symbols_of[1:]
        places = np.arange(len(following))
        likelihoods.append(row[places, following].astype(float).sum())
        first_behind = len(symbols_of) + boundary_tokens
        assert np.isnan(row[first_behind:]).all() and not np.isnan(row[:first_behind]).any()
    expected = model.score_samples(X)
    if not boundary_tokens:  # the first token of a document is as probable as its share
        expected = expected - [model._log_frequencies[symbols_of[0]] for symbols_of in ids]
    close(np.array(likelihoods), expected)


# Forecasters


def walks(n=12, width=1, seed=0, shortest=4, constant=False):
    rng = np.random.default_rng(seed)
    walk = [rng.normal(size=(length, width)).cumsum(0) for length in rng.integers(shortest, 15, n)]
    return walk + [np.full((9, width), 3.0), np.full((2, width), 3.0)] * constant


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"difference": None, "scaling": "none"},
        {"difference": "season", "season_length": 5},
        {"autoregression": 3},
        {"autoregression": 6, "difference": "season", "season_length": 5, "loss": "quantile"},
        {"autoregression": 3, "difference": None, "loss": "absolute_error"},
        {"loss": "gaussian", "cell": "gru"},
        {"loss": "student_t", "difference": "season", "season_length": 5},
        {"loss": "poisson"},
        {"loss": "negative_binomial", "cell": "gru"},
    ],
    ids=str,
)
def test_forecasters(params, width):
    counts = params.get("loss") in ("poisson", "negative_binomial")
    train = walks(width=width)
    train = [np.abs(np.rint(x)) for x in train] if counts else train
    params = {"scaling": "global", **params}
    model = quick(LSTMForecaster, horizon=7, lookback=4, **params).fit(train)
    shaken(model)
    X = walks(width=width, seed=1, shortest=1, constant=True)
    X = [x * 1e4 for x in X] if params["scaling"] == "global" and not counts else X
    X = [np.abs(np.rint(x)) for x in X] if counts else X
    for moves in (model._transform.constant_moves, True, False):
        model._transform = dataclasses.replace(model._transform, constant_moves=moves)
        found = run(model, X)
        expected = model.predict(X).reshape(found["forecast"].shape)
        np.testing.assert_allclose(found["forecast"], expected, rtol=1e-5, atol=1e-5)
        if "quantiles" in found:
            levels = model.predict_quantiles(X, model._levels())
            np.testing.assert_allclose(
                found["quantiles"], levels.reshape(found["quantiles"].shape), rtol=1e-5, atol=1e-5
            )
        if "dispersion" in found or "degrees_of_freedom" in found:
            details = model._forecast(model._read_histories(X, None))
            for i, name in enumerate(DETAILS[model.loss]):
                expected = details[..., i]
                if name == "degrees_of_freedom":
                    expected = 2 + np.exp(np.minimum(expected, 12))
                np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5)
        if "std" in found:
            low, high = np.moveaxis(model.predict_quantiles(X, [0.158655254, 0.841344746]), -1, 0)
            np.testing.assert_allclose(
                found["std"], (high - low).reshape(found["std"].shape) / 2, rtol=1e-5, atol=1e-5
            )


def test_forecasters_of_histories_and_targets():
    X = walks(20)
    model = shaken(quick(LSTMForecaster, horizon=2).fit(X, np.zeros((20, 2))))
    close(run(model, X)["forecast"][:, :, 0], model.predict(X))


def test_every_part_of_a_transform_is_known_to_the_export():
    # A new one changes forecasts: _forecaster.py of the export has to say how, or to refuse it.
    assert {field.name for field in dataclasses.fields(SeriesTransform)} == {
        "horizon", "lookback", "n_targets", "n_covariates", "difference", "season", "lags",
        "center", "scale", "own_scale", "input_scale", "target_scale", "lag_weights",
        "constant_moves", "n_past", "n_indicators", "counts",
    }  # fmt: skip


# Pipelines


@pytest.mark.parametrize(
    "inner",
    [
        StandardScaler(),
        StandardScaler(with_mean=False, with_std=False),
        MinMaxScaler((-1, 1), clip=True),
        MaxAbsScaler(),
        RobustScaler(with_centering=False),
        make_pipeline(RobustScaler(), "passthrough", MinMaxScaler()),
        "passthrough",
        PCA(1),
    ],
    ids=str,
)
def test_pipelines(inner):
    if isinstance(inner, PCA):
        pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: PCA is untested")
    X, y = first_step(20)
    X = [x * [1e-3, 1] + [1e5, 0] for x in X]  # what float32 would not tell apart
    X_test = [x * [1, 3] for x in X]
    model = make_pipeline(PerStep(inner), quick()).fit(X, y)
    shaken(model[-1])
    close(run(model, X_test)["probabilities"], model.predict_proba(X_test))


def test_a_search():
    X, y = first_step(20)
    search = GridSearchCV(make_pipeline(PerStep(StandardScaler()), quick()), {}, cv=2).fit(X, y)
    close(run(search, X)["probabilities"], search.predict_proba(X))


def test_tables_have_their_columns_in_order():
    pd = pytest.importorskip("pandas", reason="pandas is not installed: tables are untested")
    X, y = first_step(20)
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    model = make_pipeline(PerStep(StandardScaler()), quick()).fit(frames, y)
    np.testing.assert_array_equal(onnx_inputs(model, frames)["X"][0, : len(X[0])], X[0])
    with pytest.raises(ValueError, match="feature names"):
        onnx_inputs(model, [frame[["b", "a"]] for frame in frames])


def test_metadata_have_the_vocabularies():
    X, y = tagged(20)
    model = quick(LSTMTagger, tag_scheme=None).fit(X, y)
    found = {prop.key: prop.value for prop in to_onnx(model).metadata_props}
    first, *others = json.loads(found["vocabularies"])
    assert first == {"part": "word", "length": 0, "lowercase": True, "ids": model.vocabulary_}
    assert [column["part"] for column in others][-1] == "shape"


# What cannot be said


def translator():
    return quick(Seq2SeqTranslator).fit(*tagged(10))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (translator, "beam search"),
        (lambda: quick(LSTMTagger, crf=True).fit(*tagged(10)), "crf=True"),
        (lambda: quick(LSTMForecaster, n_targets=1).fit(walks(width=2)), "covariates"),
        (lambda: quick(LSTMForecaster, scaling="series").fit(walks()), "scaling='series'"),
        (
            lambda: make_pipeline(PerSequence(StandardScaler()), quick()).fit(*first_step(20)),
            "PerSequence",
        ),
        (
            lambda: make_pipeline(TokenEncoder(), quick(embedding_dim=2)).fit(*token_lists(20)),
            "TokenEncoder",
        ),
        (lambda: SVC(), "SVC cannot be exported"),
        (lambda: RNNClassifier(), "not fitted"),
    ],
)
def test_what_has_no_nodes_is_refused(make, message):
    model = make()
    with pytest.raises(ValueError, match=message):
        to_onnx(model)


@pytest.mark.parametrize(("package", "inner"), [("onnx", "passthrough"), ("skl2onnx", PCA(1))])
def test_what_is_not_installed_is_named(package, inner, monkeypatch):
    model = make_pipeline(PerStep(inner), quick()).fit(*first_step(20))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        to_onnx(model)


def test_a_part_that_the_export_does_not_know_is_refused(monkeypatch):
    model = quick().fit(*first_step(20))
    plan = model._get_plan()
    views = {"char_weight": np.zeros(2), **plan.views(model._params)}
    monkeypatch.setattr(plan, "views", lambda params: views)
    with pytest.raises(ValueError, match="char_weight cannot be exported"):
        to_onnx(model)
