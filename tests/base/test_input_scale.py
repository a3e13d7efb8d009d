"""`scaling`: numbers of X at unit scale, whoever asks the network."""

import pickle

import numpy as np
import oracle
import pytest
from problems import data_for, first_step, quick, token_lists
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier, RNNRegressor
from skrnn._base.input_scale import BLOCK, learn_scale
from skrnn._data.sequences import Sequences
from skrnn.datasets import SequenceStore
from skrnn.inspection import hidden_states
from skrnn.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])


def moved(X, by=5e4, unit=1e-3):
    """Sequences in units of a thousandth, far from 0; float64."""
    return [by + unit * np.asarray(x, dtype=np.float64) for x in X]


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@BOTH
def test_it_is_a_standard_scaler_before_the_network(make):
    X, y = data_for(make)
    X = moved(X)
    model = quick(make, dtype="float32").fit(X, y)
    pipeline = make_pipeline(
        PerStep(StandardScaler()), quick(make, dtype="float32", scaling="none")
    )
    expected = outputs(pipeline.fit(X, y), X)
    np.testing.assert_allclose(outputs(model, X), expected, rtol=1e-4, atol=1e-5)
    assert model.scaling == "global"


@BOTH
def test_none_reads_what_is_there(make):
    X, y = data_for(make)
    one, other = (quick(make, scaling=scaling).fit(X, y) for scaling in ("none", None))
    assert one._params.tobytes() == other._params.tobytes()
    scaled = quick(make).fit(moved(X), y)
    assert scaled._params.tobytes() != one._params.tobytes()
    plain = quick(make, scaling="none").fit(moved(X, 0, 1), y)
    assert plain._params.tobytes() == one._params.tobytes()


@BOTH
@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_are_those_of_a_network_that_reads_x_as_it_is(make, bidirectional):
    X, y = data_for(make)
    X = [3 + 5 * x for x in X]
    how = {"bidirectional": bidirectional, "pooling": "mean", "dtype": "float64"}
    model = quick(make, **how).fit(X, y)
    spec = oracle.Spec("lstm", (8,), bidirectional=bidirectional, pooling="mean")
    expected = oracle.run(spec, model.weights_, X).logits
    found = outputs(model, X)
    expected = softmax(expected, axis=1) if make is RNNClassifier else expected[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    model.set_weights(model.weights_)
    np.testing.assert_allclose(outputs(model, X), found, rtol=1e-9, atol=1e-11)
    names = {"classes": model.classes_} if make is RNNClassifier else {}
    made = make.from_weights(model.weights_, pooling="mean", dtype="float64", **names)
    np.testing.assert_allclose(outputs(made, X), found, rtol=1e-9, atol=1e-11)


@BOTH
def test_steps_are_scaled(make):
    X, y = data_for(make)
    X = moved(X)
    model = quick(make, dtype="float64").fit(X, y)
    expected = outputs(model, X[:1])
    # as the kernel could take it but for its type, and what needs a second look
    for read in (lambda x: x[np.newaxis], lambda x: [x.tolist()]):
        state = model.initial_state(1)
        for x in X[0]:
            output, state = model.step(read(x), state)
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="features"):
        model.step(X[0][:1, :1].repeat(len(X[0][0]) + 1, axis=1), model.initial_state(1))


def test_a_step_of_one_feature_is_not_stretched():
    X, y = data_for(RNNRegressor)
    X = [np.column_stack([x, x]) for x in X]
    model = quick(RNNRegressor).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.step(np.ones((1, 1)), model.initial_state(1))


@BOTH
def test_a_store_is_scaled_as_what_is_in_memory(make, tmp_path):
    X, y = data_for(make)
    X = moved(X)
    store = SequenceStore.write(tmp_path / "store", X, dtype="float64")
    model, stored = quick(make).fit(X, y), quick(make).fit(store, y)
    assert stored._params.tobytes() == model._params.tobytes()
    np.testing.assert_array_equal(outputs(stored, store), outputs(model, X))


def test_padding_is_not_counted():
    X, y = first_step(30)
    X = [x[:, :1] for x in X]
    longest = max(map(len, X))
    padded = np.full((len(X), longest, 1), np.nan)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    model = quick().fit(X, y)
    for table in (padded, padded[:, :, 0]):
        again = quick().fit(table, y)
        assert again._input_scale.tobytes() == model._input_scale.tobytes()
        np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(X))


def test_what_is_held_out_is_not_counted():
    X, y = first_step(60)
    model = quick(early_stopping=True, max_iter=1).fit(X, y)
    held = model._held_mask(y, None, np.random.RandomState(0).randint(2**31 - 1))
    learned = np.concatenate([x for x, h in zip(X, held, strict=True) if not h])
    np.testing.assert_allclose(model._input_center, learned.mean(axis=0))
    np.testing.assert_allclose(model._input_scale, learned.std(axis=0))


def test_a_weight_counts_as_repetitions():
    X, y = first_step(20)
    weights = np.arange(20) % 4
    model = quick(max_iter=1).fit(X, y, sample_weight=weights)
    steps = np.concatenate([x for x, n in zip(X, weights, strict=True) for _ in range(n)])
    np.testing.assert_allclose(model._input_center, steps.mean(axis=0))
    np.testing.assert_allclose(model._input_scale, steps.std(axis=0))


@BOTH
def test_the_first_call_says_the_scale(make):
    X, y = data_for(make)
    classes = {"classes": np.unique(y)} if make is RNNClassifier else {}
    model = quick(make).partial_fit(X, y, **classes)
    scale = model._input_scale
    model.partial_fit(moved(X, 7, 100), y)
    assert model._input_scale is scale
    warm = quick(make, warm_start=True).fit(X, y)
    warm.fit(moved(X, 7, 100), y)
    assert warm._input_scale.tobytes() == scale.tobytes()
    warm.set_params(scaling="none")
    with pytest.raises(ValueError, match="scaling has changed since the network was started"):
        warm.fit(X, y)


def test_tokens_and_ids_are_no_numbers():
    words, y = token_lists(20)
    ids = [np.array([[len(word)] for word in sentence]) for sentence in words]
    model = quick().fit(*first_step(10))
    assert model._input_scale is not None
    assert model.fit(words, y)._input_scale is None
    assert quick(embedding_dim=3).fit(ids, y)._input_scale is None


def test_too_far_from_the_training_data():
    X, y = first_step(20)
    model, width = quick(dtype="float32").fit(moved(X, 0, 1e-30), y), X[0].shape[1]
    far = np.zeros((3, width))
    far[2, 0] = 1e20
    with pytest.raises(ValueError, match=r"sequence 1 has 1e\+20 at step 2 \(feature 0\), too far"):
        model.predict([np.zeros((3, width)), far])


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e15])
@pytest.mark.parametrize("unit", [2.0**-600, 1.0, 2.0**600])
def test_numbers_of_any_size(offset, unit):
    rng = np.random.default_rng(0)
    whole = rng.integers(-8, 8, (BLOCK + 100, 2)).astype(np.float64)  # exact beside the offsets
    values = (offset + whole) * unit
    center, scale = learn_scale(Sequences(values, np.array([0, 50, len(values)])))
    np.testing.assert_allclose(center / unit, offset + whole.mean(axis=0), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(scale / unit, whole.std(axis=0), rtol=1e-9)


def test_ends_of_the_range_and_constants():
    largest = np.finfo(np.float64).max
    values = np.array([[largest, 0.1], [-largest, 0.1], [largest, 0.1]])
    center, scale = learn_scale(Sequences(values, np.array([0, 3])))
    np.testing.assert_allclose(center, [largest / 3, 0.1])
    np.testing.assert_allclose(scale, [largest * np.sqrt(8 / 9), 1.0])
    center, scale = learn_scale(Sequences(np.empty((0, 2)), np.array([0, 0])))
    assert (center.tolist(), scale.tolist()) == ([0, 0], [1, 1])


def test_copies_scale_and_damaged_ones_are_refused():
    X, y = first_step(20)
    model = quick().fit(moved(X), y)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict_proba(moved(X)), model.predict_proba(moved(X)))
    np.testing.assert_array_equal(
        np.concatenate(hidden_states(other, moved(X))),
        np.concatenate(hidden_states(model, moved(X))),
    )
    for name, value in (
        ("_input_scale", np.zeros(X[0].shape[1])), ("_input_scale", None),
        ("_input_center", np.zeros(9)), ("_input_center", np.full(X[0].shape[1], np.nan)),
    ):  # fmt: skip
        setattr(other, name, value)
        with pytest.raises(ValueError, match="not what was fitted"):
            other.predict(X)
        setattr(other, name, getattr(model, name))
