"""Weights from and to modules of PyTorch. That the layout is the same, test_parity.py holds."""

import sys
import types

import numpy as np
import pytest

from skrnn import LSTMTagger, RNNClassifier, RNNRegressor
from skrnn.export import from_torch, to_torch

RNG = np.random.default_rng(0)
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
X = [RNG.normal(size=(length, 3)) for length in (5, 9, 2)]


class Tensor:
    """What is asked of a tensor that needs a gradient: numbers only after `detach`."""

    def __init__(self, array, attached=True):
        self.array, self.attached, self.ndim = array, attached, array.ndim

    def detach(self):
        return Tensor(self.array, attached=False)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        assert not self.attached
        return np.asarray(self.array, dtype)


def state_of(cell="lstm", hidden=(4, 5), bidirectional=False, n_outputs=2, bias=True):
    """Return the state of a module with self.body = LSTM(3, ...) and self.out = Linear(...)."""
    state, width = {}, 3
    directions = ("", "_reverse") if bidirectional else ("",)
    for k, units in enumerate(hidden):
        for way in directions:
            rows = GATES[cell] * units
            state[f"body.weight_ih_l{k}{way}"] = RNG.normal(size=(rows, width))
            state[f"body.weight_hh_l{k}{way}"] = RNG.normal(size=(rows, units))
            if bias:
                state[f"body.bias_ih_l{k}{way}"] = RNG.normal(size=rows)
                state[f"body.bias_hh_l{k}{way}"] = RNG.normal(size=rows)
        width = units * len(directions)
    state["out.weight"] = RNG.normal(size=(n_outputs, width))
    if bias:
        state["out.bias"] = RNG.normal(size=n_outputs)
    return state


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_shapes_say_the_network(cell, bidirectional):
    state = state_of(cell, bidirectional=bidirectional)
    model = RNNClassifier.from_weights(from_torch(state), classes=["no", "yes"])
    assert model.cell == cell
    assert model.bidirectional is bidirectional
    assert model.hidden_layer_sizes == (4, 5)
    assert model.dtype == "float64"
    assert model.n_iter_ == model.t_ == 0
    assert not hasattr(model, "loss_")
    for name, weight in model.weights_.items():
        there = name.replace("head_", "out.") if name.startswith("head") else f"body.{name}"
        np.testing.assert_array_equal(weight, state[there])


def test_classes_in_any_order():
    state = state_of(n_outputs=3)
    names = ["b", "c", "a"]
    model = RNNClassifier.from_weights(from_torch(state), classes=names)
    how = {"pooling": "last", "scaling": "none", "dtype": "float64"}
    fitted = RNNClassifier((4, 5), max_iter=1, **how).fit(X, ["a", "b", "c"])
    weights = from_torch(state)
    weights |= {n: weights[n][[2, 0, 1]] for n in ("head_weight", "head_bias")}
    np.testing.assert_array_equal(
        model.predict_proba(X), fitted.set_weights(weights).predict_proba(X)
    )
    assert model.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(("loss", "n_outputs"), [("squared_error", 1), ("squared_error", 3)])
def test_a_regressor_gives_the_outputs_as_they_are(loss, n_outputs):
    weights = from_torch(state_of("gru", (4,), n_outputs=n_outputs))
    model = RNNRegressor.from_weights(weights, pooling="mean")
    features = model.transform(X)
    expected = features @ weights["head_weight"].T + weights["head_bias"]
    np.testing.assert_allclose(model.predict(X), np.squeeze(expected), rtol=1e-12)


@pytest.mark.parametrize("pooling", [("last", "mean", "max"), "attention", "last"])
def test_the_head_says_the_default_poolings(pooling):
    fitted = RNNClassifier((4,), pooling=pooling, max_iter=1, random_state=0).fit(X, [0, 1, 0])
    model = RNNClassifier.from_weights(fitted.weights_, classes=[0, 1])
    assert model.pooling == pooling
    np.testing.assert_allclose(model.predict_proba(X), fitted.predict_proba(X), atol=1e-6)


def test_training_goes_on_from_there():
    model = RNNClassifier.from_weights(from_torch(state_of()), classes=[0, 1], max_iter=3)
    before = model.weights_["head_weight"]
    model.partial_fit(X, [0, 1, 0])
    assert model.t_ == 3
    assert 0 < np.abs(model.weights_["head_weight"] - before).max() < 0.01


def test_tensors_and_modules_without_bias():
    state = {name: Tensor(array) for name, array in state_of(bias=False).items()}
    weights = from_torch(state)
    assert not weights["bias_hh_l1"].any()
    assert RNNClassifier.from_weights(weights, classes=[0, 1]).predict(X).shape == (3,)


def test_to_torch_is_the_inverse(monkeypatch):
    torch = types.SimpleNamespace(from_numpy=Tensor)
    monkeypatch.setitem(sys.modules, "torch", torch)
    state = state_of("gru", (4,), bidirectional=True)
    model = RNNClassifier.from_weights(from_torch(state), classes=[0, 1])
    back = to_torch(model, recurrent="body", head="out")
    assert back.keys() == state.keys()
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor.detach(), state[name])
    tagger = LSTMTagger((2,), max_iter=1, crf=True).fit(X, [[0] * len(x) for x in X[:2]] + [[1, 0]])
    with pytest.raises(ValueError, match="crf_end, crf_start, crf_transitions"):
        to_torch(tagger)


WRONG = {
    "two recurrent modules": (
        lambda s: from_torch(s | {"other.weight_ih_l0": np.ones((4, 3))}),
        "One recurrent module is needed, and state_dict has 'body', 'other'",
    ),
    "no head": (
        lambda s: from_torch({n: v for n, v in s.items() if n.startswith("body")}),
        "One head module is needed, and state_dict has none",
    ),
    "something else": (
        lambda s: from_torch(s | {"body.weight_hr_l0": np.ones((2, 4))}),
        "holds more than .* body.weight_hr_l0",
    ),
    "classes that lack": (
        lambda s: RNNClassifier.from_weights(from_torch(s), classes=[0, 1, 2]),
        "head_weight has 2 outputs, and classes names 3",
    ),
    "a class twice": (
        lambda s: RNNClassifier.from_weights(from_torch(s), classes=[0, 0]),
        "names a class twice",
    ),
    "another shape": (
        lambda s: RNNRegressor.from_weights(from_torch(s), hidden_layer_sizes=(4, 6)),
        "must have shape",
    ),
    "no recurrent weights": (
        lambda s: RNNRegressor.from_weights({"head_weight": np.ones((1, 2))}),
        "weights lack weight_hh_l0, weight_ih_l0",
    ),
    "an embedding": (
        lambda s: RNNRegressor.from_weights(from_torch(s) | {"embedding_weight": np.ones((2, 3))}),
        "hold an embedding",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name):
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call(state_of())
