"""Hidden states as features are those of the oracle, and features of a transformer."""

import numpy as np
import oracle
import pytest
import sklearn
from problems import first_step, means, quick, tagged
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn import LSTMForecaster, LSTMTagger, RNNClassifier, RNNRegressor
from skrnn.inspection import hidden_states

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NETWORKS = [("lstm", "tanh"), ("gru", "tanh"), ("rnn", "relu")]
POOL = {
    "mean": lambda h, H: h.mean(axis=0),
    "max": lambda h, H: h.max(axis=0),
    "last": lambda h, H: np.append(h[-1, :H], h[0, H:]),  # each direction's own last step
}
POOL["last", "max"] = lambda h, H: np.append(POOL["last"](h, H), POOL["max"](h, H))


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", POOL)
def test_the_states_are_the_oracle_s(cell, activation, bidirectional, pooling):
    X, y = first_step(30)
    model = quick(
        hidden_layer_sizes=(5, 3), cell=cell, activation=activation, bidirectional=bidirectional,
        pooling=pooling, dtype="float64", max_iter=2,
    ).fit(X, y)  # fmt: skip
    spec = oracle.Spec(cell, (5, 3), bidirectional, activation, pooling)
    expected = oracle.run(spec, model.weights_, X).outputs
    found = hidden_states(model, X)
    assert found.shape == (30,) and found.dtype == object
    for h, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(h, right, atol=1e-9)
    features = model.transform(X)
    np.testing.assert_allclose(features, [POOL[pooling](h, 3) for h in expected], atol=1e-9)
    weights = model.weights_
    logits = features @ weights["head_weight"].T + weights["head_bias"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        odds / odds.sum(axis=1, keepdims=True), model.predict_proba(X), atol=1e-9
    )


@pytest.mark.parametrize("crf", [False, True])
def test_states_of_tokens_and_of_empty_sequences(crf):
    X, y = tagged(20)
    model = quick(LSTMTagger, crf=crf, dtype="float64", max_iter=2).fit(X, y)
    states = hidden_states(model, [*X, []])
    assert [h.shape for h in states] == [(len(x), 16) for x in [*X, []]]
    weights = model.weights_
    if not crf:
        logits = states[3] @ weights["head_weight"].T + weights["head_bias"]
        odds = np.exp(logits)
        probabilities = model.predict_proba(X)[3]
        np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), probabilities, atol=1e-9)


def test_who_has_hidden_states():
    X, _ = first_step(10)
    with pytest.raises(NotFittedError):
        hidden_states(RNNClassifier(), X)
    with pytest.raises(NotFittedError):
        RNNRegressor().transform(X)
    forecaster = LSTMForecaster(max_iter=1).fit([np.arange(9.0)] * 2)
    for other in (forecaster, make_pipeline(LogisticRegression())):
        with pytest.raises(TypeError, match=f"got {type(other).__name__}"):
            hidden_states(other, X)
    model = quick(RNNRegressor, cell="rnn", activation="relu").fit(X, np.arange(10.0))
    model.set_weights({name: 10 * np.abs(w) for name, w in model.weights_.items()})
    X[3] = np.full((6, 2), 1e34)
    with pytest.raises(ValueError, match="sequence 3 overflow"):
        model.transform(X)
    with pytest.raises(ValueError, match=r"sequence 3, step \d, overflow"):
        hidden_states(model, X)


def test_features_in_a_pipeline():
    X, y = first_step(120)
    network = quick(max_iter=30, learning_rate_init=0.01)
    model = make_pipeline(network, LogisticRegression())
    assert cross_val_score(model, X, y, cv=3).min() > 0.8
    fitted = clone(network).fit(X, y)
    np.testing.assert_array_equal(clone(network).fit_transform(X, y), fitted.transform(X))
    assert make_pipeline(fitted).transform(X).dtype == np.float32


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_containers_and_names(library):
    frames = pytest.importorskip(library)
    X, y = means(20)
    model = quick(RNNRegressor, hidden_layer_sizes=(3,), bidirectional=True, max_iter=1).fit(X, y)
    names = [f"rnnregressor{i}" for i in range(6)]
    assert model.get_feature_names_out().tolist() == names
    plain = model.transform(X)
    table = model.set_output(transform=library).transform(X)
    assert isinstance(table, frames.DataFrame) and list(table.columns) == names
    np.testing.assert_array_equal(table.to_numpy(), plain)
    version = tuple(map(int, sklearn.__version__.split(".")[:2]))
    if library == "pandas" and version >= (1, 9):  # 1.6 keeps the index of a DataFrame alone
        series = frames.Series(X, index=[f"patient {i}" for i in range(20)])
        assert list(model.transform(series).index) == list(series.index)
