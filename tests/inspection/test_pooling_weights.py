"""Tests for pooling_weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skrnn import LSTMTagger, RNNClassifier, RNNRegressor
from skrnn.inspection import hidden_states, pooling_weights

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def marked(n):
    """Noise in which one step, marked by the second feature, tells the class by the first."""
    rng = np.random.default_rng(0)
    X, y, at = [], rng.choice([-1.0, 1.0], size=n), []
    for sign in y:
        x = rng.normal(size=(rng.integers(8, 20), 2))
        x[:, 1] = 0
        at.append(rng.integers(len(x)))
        x[at[-1]] = 2 * sign, 3
        X.append(x)
    return X, y, at


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_features_are_the_weighted_mean(kind, bidirectional):
    X, y, _ = marked(20)
    model = kind(
        (5,), pooling=("attention", "max"), bidirectional=bidirectional, max_iter=3,
        learning_rate_init=0.1, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert np.any(model.weights_["pool_weight"] != 0)
    states, features = hidden_states(model, X), model.transform(X)
    width = states[0].shape[1]
    for weights, h, row in zip(pooling_weights(model, X), states, features, strict=True):
        assert_allclose(weights.sum(), 1, rtol=1e-5)
        assert_allclose(h.max(axis=0), row[:width], rtol=1e-5)
        assert_allclose(weights @ h, row[width:], rtol=1e-4, atol=1e-6)


def test_weights_find_the_step_that_tells():
    X, y, at = marked(60)
    model = RNNClassifier(
        (8,), cell="rnn", pooling="attention", max_iter=60, learning_rate="constant",
        learning_rate_init=0.02, scaling="none", random_state=0,
    ).fit(X, y)  # fmt: skip
    weights = pooling_weights(model, X)
    found = [abs(int(row.argmax()) - step) <= 1 for row, step in zip(weights, at, strict=True)]
    assert np.mean(found) > 0.8


def test_refusals():
    X, y, _ = marked(6)
    model = RNNClassifier((2,), max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=r"learned no weights of steps.*pooling='attention'"):
        pooling_weights(model, X)
    tagger = LSTMTagger((2,), max_iter=1).fit(X, [["a", *"b" * (len(x) - 1)] for x in X])
    with pytest.raises(ValueError, match="This LSTMTagger has learned no weights"):
        pooling_weights(tagger, X)
    with pytest.raises(TypeError, match="takes an RNNClassifier"):
        pooling_weights(object(), X)
