"""Parameters of the network that are set after `fit`: the fitted network decides until the next."""

import copy

import numpy as np
import pytest
from problems_trust import cases, predicted

from skrnn import LSTMForecaster
from skrnn.inspection import gradient_flow

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OTHERS = {
    "cell": ("rnn", "gru"),
    "hidden_layer_sizes": ((3, 2), (5,)),
    "activation": ("relu", "tanh"),
    "bidirectional": (False, True),
    "pooling": ("mean", "last"),
    "bptt_steps": (2, None),
    "embedding_dim": (9, None),
    "dtype": ("float32", "float64"),
    "crf": (True, False),
    "tag_scheme": (None, "bio"),
    "subwords": (False, True),
    "min_freq": (2, 1),
    "attention": (None, "dot"),
    "tie_embeddings": (True, False),
    "loss": ("quantile", "poisson"),
    "quantiles": ((0.2, 0.8), (0.5,)),
    "horizon": (1, 7),
    "lookback": (2, 5),
    "n_targets": (1, 3),
    "scaling": ("none", "series"),
    "difference": (None, "season"),
    "season_length": (3, 4),
    "autoregression": (2, 5),
}


def turned(model, way):
    """Return a copy of a fitted model of which all parameters of the network are set anew."""
    model = copy.deepcopy(model)
    known = model.get_params()
    return model.set_params(**{name: both[way] for name, both in OTHERS.items() if name in known})


def steps(model):
    """Return what two steps give; None where the network has no single step."""
    if not hasattr(model, "step"):
        return None
    width = model._step_width
    x = ["a", "b"] if hasattr(model, "vocabulary_") else np.ones((2, width))
    try:
        state = model.initial_state(2)
    except ValueError:
        return None
    return [model.step(x, state)[0].tolist(), model.step(x, model.step(x, state)[1])[1].tolist()]


def flow(model, X, y):
    if type(model).__name__ == "Seq2SeqTranslator":
        return None
    found = gradient_flow(model, X, y)
    return found.hidden_norms.tobytes(), found.gradient_norms.tobytes(), found.loss


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("name", cases())
def test_the_fitted_network_decides(name, way):
    estimator, X, y = cases()[name]
    model = copy.deepcopy(estimator).fit(X, y)
    other = turned(model, way)
    assert predicted(other, X) == predicted(model, X)
    assert other.score(X, y) == model.score(X, y)
    assert steps(other) == steps(model)
    assert flow(other, X, y) == flow(model, X, y)
    for key, weights in model.weights_.items():
        np.testing.assert_array_equal(other.weights_[key], weights)


def test_quantiles_are_those_of_the_network():
    series = np.sin(np.arange(60) / 3)
    model = LSTMForecaster(2, 8, loss="quantile", quantiles=(0.1, 0.9), max_iter=1).fit(series)
    expected = model.predict_quantiles(series)
    np.testing.assert_array_equal(turned(model, 0).predict_quantiles(series), expected)
