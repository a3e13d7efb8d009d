"""The contract of RNNClassifier and RNNRegressor: parameters, attributes, weights, persistence."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import oracle
import pandas as pd
import pytest
from problems import first_step, means, token_lists
from scipy.special import softmax
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

import skrnn
from skrnn import RNNClassifier, RNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NEW = [
    "cell", "bidirectional", "pooling", "dropout", "recurrent_dropout", "max_grad_norm",
    "bptt_steps", "embedding_dim", "dtype",
]  # fmt: skip
QUICK = {"hidden_layer_sizes": (12,), "max_iter": 4, "random_state": 0}


def quick(make=RNNClassifier, **params):
    return make(**{**QUICK, **params})


def data_for(make):
    return first_step(40) if make is RNNClassifier else means(40)


# Parameters


@pytest.mark.parametrize(
    ("ours", "theirs"), [(RNNClassifier, MLPClassifier), (RNNRegressor, MLPRegressor)]
)
def test_parameters_are_the_perceptron_s(ours, theirs):
    different = {"hidden_layer_sizes": (64,), "activation": "tanh"}
    if ours is RNNClassifier:
        different |= {"learning_rate": "linear", "learning_rate_init": 0.003}
        different["n_iter_no_change"] = "auto"
    ours, theirs = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
    shared = [name for name in theirs if name not in ("max_fun", "loss")]  # of lbfgs; not ours
    assert list(ours)[: len(shared)] == shared
    for name in shared:
        assert ours[name].default == different.get(name, theirs[name].default), name
        assert ours[name].kind == theirs[name].kind, name


def test_new_parameters():
    defaults = {k: p.default for k, p in inspect.signature(RNNClassifier).parameters.items()}
    words = ["subwords", "min_freq", "word_dropout"]
    words += ["embeddings", "freeze_embeddings", "embeddings_vocabulary", "scaling"]
    assert list(defaults)[22:] == ["scoring", *NEW, "class_weight", *words]
    own = list(inspect.signature(RNNRegressor).parameters)[22:]
    assert own == ["scoring", *NEW, "loss", "quantile", *words]
    assert defaults["cell"] == "lstm"
    assert defaults["bidirectional"] is False
    assert defaults["pooling"] == ("last", "mean", "max")
    assert defaults["scaling"] == "global"
    assert defaults["max_grad_norm"] == 1.0
    assert defaults["bptt_steps"] is defaults["embedding_dim"] is defaults["class_weight"] is None
    assert defaults["dtype"] == "float32"


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
def test_get_and_set_params(make):
    estimator = make()
    assert set(estimator.get_params()) == set(inspect.signature(make).parameters)
    estimator.set_params(cell="gru", hidden_layer_sizes=(3, 4), dropout=0.5)
    assert clone(estimator).get_params() == estimator.get_params()
    with pytest.raises(ValueError, match="Invalid parameter"):
        estimator.set_params(n_units=3)


@pytest.mark.parametrize("hidden", [5, (5,), [5], np.array([5]), np.int32(5)])
def test_forms_of_hidden_layer_sizes(hidden):
    model = quick(hidden_layer_sizes=hidden).fit(*first_step(20))
    assert model.weights_["weight_hh_l0"].shape == (20, 5)


# Fitted attributes


def test_fitted_attributes():
    X, y = first_step(40)
    model = quick().fit(X, y)
    assert model.classes_.tolist() == ["down", "up"]
    assert model.n_features_in_ == 2
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(model, "vocabulary_")
    assert model.n_iter_ == len(model.loss_curve_) == 4
    assert model.t_ == 160
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is model.best_validation_score_ is None
    assert model.gradient_norm_ > 0


def test_unfitted_has_no_attributes():
    model = RNNClassifier()
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert not hasattr(model, "weights_")


def test_feature_names():
    X, y = first_step(40)
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    model = quick().fit(frames, y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(model.predict(frames), quick().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict([frame.rename(columns={"a": "c"}) for frame in frames])


# Learning


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_learns(cell, bidirectional, pooling):
    X, y = first_step(300)
    X_new, y_new = first_step(100, seed=1)
    model = RNNClassifier(
        (16,), cell=cell, bidirectional=bidirectional, pooling=pooling, learning_rate_init=0.01,
        max_iter=40, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert model.score(X_new, y_new) >= 0.9


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_learns_numbers(solver, cell):
    X, y = means(200)
    rate = {"adam": 0.01, "sgd": 0.05}[solver]
    model = RNNRegressor(
        (16,), cell=cell, solver=solver, learning_rate_init=rate, max_iter=40, random_state=0
    ).fit(X, y)
    assert model.loss_curve_[-1] < 0.2 * model.loss_curve_[0]
    assert model.score(*means(100, seed=1)) > 0.8


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
def test_activations(activation):
    X, y = first_step(200)
    model = RNNClassifier(
        (16,), activation, cell="rnn", pooling="max", learning_rate_init=0.01, max_iter=40,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.9


def test_learns_with_dropout_truncation_and_layers():
    X, y = first_step(300)
    model = RNNClassifier(
        (16, 12), dropout=0.1, recurrent_dropout=0.1, bptt_steps=4, learning_rate_init=0.01,
        pooling="mean", max_iter=40, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.score(*first_step(100, seed=1)) > 0.85
    assert {"weight_ih_l1", "bias_hh_l1"} <= set(model.weights_)


@pytest.mark.parametrize(
    "change",
    [{"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"bptt_steps": 2}, {"max_grad_norm": 0.01}],
)
def test_parameters_of_training_matter_and_prediction_is_deterministic(change):
    X, y = first_step(40)
    model = quick(**change).fit(X, y)
    probabilities = model.predict_proba(X)
    assert (probabilities != quick().fit(X, y).predict_proba(X)).any()
    np.testing.assert_array_equal(probabilities, model.predict_proba(X))


def test_float64():
    X, y = first_step(40)
    double, single = quick(dtype="float64").fit(X, y), quick(dtype=np.float32).fit(X, y)
    assert double.weights_["head_bias"].dtype == double.predict_proba(X).dtype == np.float64
    assert single.weights_["head_bias"].dtype == single.predict_proba(X).dtype == np.float32
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
def test_random_state(make):
    X, y = data_for(make)
    params = {"dropout": 0.2, "early_stopping": True}
    first = quick(make, **params).fit(X, y)
    again = quick(make, **params, random_state=0).fit(X, y)
    assert first._params.tobytes() == again._params.tobytes()
    assert first.validation_scores_ == again.validation_scores_
    other = quick(make, random_state=1).fit(X, y)
    assert first._params.tobytes() != other._params.tobytes()
    state = np.random.RandomState(0)
    drawn = [quick(make, random_state=state).fit(X, y)._params.tobytes() for _ in range(2)]
    assert drawn[0] != drawn[1]


# Predictions


def test_probabilities():
    X, y = first_step(60)
    y = np.where(np.arange(60) % 3 == 0, "other", y)
    model = quick().fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities), atol=1e-5)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), predicted)


@pytest.mark.parametrize("labels", [[False, True], [3, -1], ["ä", "b"], np.array([1.0, 2.0])])
def test_kinds_of_labels(labels):
    X, y = first_step(30)
    y = np.asarray(labels)[(y == "up").astype(int)]
    model = quick().fit(X, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(X).dtype == y.dtype


def test_several_outputs():
    X, y = means(150, outputs=2)
    model = RNNRegressor((16,), learning_rate_init=0.01, max_iter=40, random_state=0).fit(X, y)
    assert model.predict(X).shape == (150, 2)
    assert model.predict(X).dtype == np.float64
    assert r2_score(y, model.predict(X), multioutput="raw_values").min() > 0.8


def test_one_column_keeps_its_shape():
    X, y = means(40)
    column = quick(RNNRegressor).fit(X, y[:, np.newaxis])
    assert column.predict(X).shape == (40, 1)
    np.testing.assert_array_equal(column.predict(X)[:, 0], quick(RNNRegressor).fit(X, y).predict(X))


# Weights


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_weights_are_laid_out_as_the_oracle_s(cell, pooling):
    X, y = first_step(30)
    model = quick(
        cell=cell, bidirectional=True, pooling=pooling, hidden_layer_sizes=(7, 5), dtype="float64"
    ).fit(X, y)
    spec = oracle.Spec(cell, (7, 5), bidirectional=True, pooling=pooling)
    assert {k: w.shape for k, w in model.weights_.items()} == oracle.weight_shapes(spec, 2)
    logits = oracle.run(spec, model.weights_, X).logits
    np.testing.assert_allclose(model.predict_proba(X), softmax(logits, axis=1), atol=1e-12)


def test_lstm_by_hand():
    X, y = first_step(30)
    model = quick(dtype="float64", pooling="last").fit(X, y)
    w = model.weights_

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for x, expected in zip(X, model.predict_proba(X), strict=True):
        h = c = np.zeros(12)
        for step in x:
            z = w["weight_ih_l0"] @ step + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"]
            i, f, g, o = np.split(z, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        p = softmax(w["head_weight"] @ h + w["head_bias"])
        np.testing.assert_allclose(p, expected, atol=1e-12)


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
def test_weights_round_trip(make):
    X, y = data_for(make)
    source, target = quick(make).fit(X, y), quick(make, random_state=1, max_iter=1).fit(X, y)
    assert target.set_weights(source.weights_) is target
    if make is RNNClassifier:
        np.testing.assert_array_equal(target.predict_proba(X), source.predict_proba(X))
    else:  # the same network at the scale of other targets: to rounding
        np.testing.assert_allclose(target.predict(X), source.predict(X), rtol=1e-5, atol=1e-6)
    params = source._params.copy()
    source.weights_["head_bias"][:] = 99  # a copy
    assert source.set_weights(source.weights_)._params.tobytes() == params.tobytes()


def spoil(weights, name):
    if name == "missing":
        return {k: w for k, w in weights.items() if k != "head_bias"}
    if name == "unknown":
        return {**weights, "weight_ih_l7": np.zeros(3)}
    if name == "shape":
        return {**weights, "head_weight": weights["head_weight"].T}
    value = {"nan": np.nan, "too large": 1e300}[name]
    return {**weights, "bias_ih_l0": np.full(weights["bias_ih_l0"].shape, value)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "weights lack head_bias"),
        ("unknown", "weight_ih_l7"),
        ("shape", r"head_weight must have shape \(2, 36\), got \(36, 2\)"),
        ("nan", "bias_ih_l0 holds NaN or infinity"),
        ("too large", "bias_ih_l0 holds NaN or infinity"),
    ],
)
def test_bad_weights_change_nothing(name, message):
    X, y = first_step(30)
    model = quick().fit(X, y)
    before = model.predict_proba(X).tobytes()
    with pytest.raises(ValueError, match=message):
        model.set_weights(spoil(model.weights_, name))
    assert model.predict_proba(X).tobytes() == before


def test_training_goes_on_from_set_weights():
    X, y = first_step(40)
    model = quick(learning_rate_init=0.01, max_iter=30).fit(X, y)
    weights = model.weights_
    other = quick(max_iter=1, random_state=1).fit(X, y).set_weights(weights)
    assert other.partial_fit(X, y).loss_ < 1.2 * model.loss_ + 0.01


# Tokens


def test_token_lists():
    X, y = token_lists(200)
    model = RNNClassifier((12,), pooling="max", learning_rate_init=0.01, max_iter=40,
                          random_state=0).fit(X, y)  # fmt: skip
    assert model.vocabulary_ == {token: i for i, token in enumerate("abcdx")}
    assert model.n_features_in_ == 1
    assert model.weights_["embedding_weight"].shape[0] == 6
    assert model.score(*token_lists(100, seed=1)) > 0.95
    unknown = model.predict_proba([["zzz"], ["yyy"], ["a", "zzz", "x"]])
    np.testing.assert_array_equal(unknown[0], unknown[1])
    assert unknown[2].argmax() == 1


def test_integers_are_numbers_or_tokens():
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 9, (n, 2)) for n in rng.integers(1, 6, 40)]
    y = [int(x[0, 0] in (1, 4, 8)) for x in X]
    numbers = quick().fit(X, y)
    assert "embedding_weight" not in numbers.weights_
    tokens = quick(embedding_dim=3).fit(X, y)
    assert tokens.n_features_in_ == 2
    for column in ("embedding_weight_0", "embedding_weight_1"):
        assert tokens.weights_[column].shape == (10, 3)  # 9 + unknown
    widths = quick(embedding_dim=(3, 5)).fit(X, y).weights_
    assert widths["embedding_weight_1"].shape == (10, 5)
    assert widths["weight_ih_l0"].shape == (48, 8)
    assert tokens.weights_["weight_ih_l0"].shape == (48, 6)
    unknown = tokens.predict_proba([np.array([[99, 1]]), np.array([[50, 1]])])
    np.testing.assert_array_equal(unknown[0], unknown[1])


def test_tokens_are_laid_out_as_the_oracle_s():
    X, y = token_lists(40)
    model = quick(dtype="float64", embedding_dim=4, pooling="last").fit(X, y)
    ids = [np.array([[model.vocabulary_[token]] for token in sentence]) for sentence in X]
    logits = oracle.run(oracle.Spec("lstm", (12,)), model.weights_, ids).logits
    np.testing.assert_allclose(model.predict_proba(X), softmax(logits, axis=1), atol=1e-12)


# Copies and files


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
def test_copies_predict_the_same(make, tmp_path):
    X, y = data_for(make)
    model = quick(make).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        copy.deepcopy(model),
        copy.copy(model),
    ]
    for other in copies:
        assert other.predict(X).tobytes() == model.predict(X).tobytes()
        assert other.n_iter_ == model.n_iter_
        other.partial_fit(X, y)
    assert not hasattr(clone(model), "n_iter_")


def test_memory_mapped_model_predicts(tmp_path):
    X, y = first_step(30)
    model = quick(warm_start=True).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert mapped.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert mapped.fit(X, y).fit(X, y).t_ == 3 * model.t_


def test_size_of_a_pickle():
    X, y = first_step(40)
    size = {}
    for warm_start in (False, True):
        model = quick(hidden_layer_sizes=(128,), warm_start=warm_start).fit(X, y)
        size[warm_start] = len(pickle.dumps(model))
    weights = model._params.nbytes
    assert weights < size[False] < weights + 5000
    assert 3 * weights < size[True] < 3 * weights + 7000  # with Adam's two moments


def test_pickle_keeps_the_optimizer_for_warm_start():
    X, y = first_step(40)
    model = quick(warm_start=True).fit(X, y)
    other = pickle.loads(pickle.dumps(model))
    assert model.fit(X, y)._params.tobytes() == other.fit(X, y)._params.tobytes()


def test_show_versions(capsys):
    skrnn.show_versions()
    printed = capsys.readouterr().out
    for name in ("skrnn: ", "instruction set: ", "OpenMP: ", "threads: ", "numpy: "):
        assert name in printed
    assert skrnn.__version__ in printed
