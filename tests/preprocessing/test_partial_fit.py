"""Pipelines that learn chunk by chunk, and the transformers in them."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skrnn import LSTMTagger, RNNClassifier
from skrnn.preprocessing import Frames, PerSequence, PerStep, TokenEncoder, partial_fit_pipeline

WORDS = [[["the", "cat"], ["a", "dog"]], [["the", "bird", "and"], ["an", "owl"]]]
LABELS = [[["D", "N"], ["D", "N"]], [["D", "N", "C"], ["D", "N"]]]


def chunks(n=3):
    rng = np.random.default_rng(0)
    for _ in range(n):
        X = [rng.normal(3, 2, size=(k, 2)) for k in rng.integers(4, 9, size=20)]
        yield X, np.array([int(x[:, 0].mean() > 3) for x in X])


def network(**params):
    return RNNClassifier((4,), random_state=0, **params)


def equal(a, b):
    return all(np.array_equal(w, b.weights_[name]) for name, w in a.weights_.items())


def test_each_step_learns_from_each_chunk():
    model = make_pipeline(None, PerStep(StandardScaler()), network())
    scaler, alone = PerStep(StandardScaler()), network()
    for X, y in chunks():
        assert partial_fit_pipeline(model, X, y, classes=[0, 1]) is model
        alone.partial_fit(scaler.partial_fit(X).transform(X), y, classes=[0, 1])
    assert equal(model[-1], alone)
    np.testing.assert_array_equal(model.predict(X), alone.predict(scaler.transform(X)))


def test_steps_that_learn_nothing():
    model = make_pipeline(
        Frames(2), PerStep(FunctionTransformer(np.tanh)), PerStep(None), network()
    )
    alone = network()
    for X, y in chunks():
        partial_fit_pipeline(model, X, y, classes=[0, 1])
        alone.partial_fit([np.tanh(x) for x in Frames(2).fit_transform(X)], y, classes=[0, 1])
    assert equal(model[-1], alone)


def test_first_the_transformers_then_the_network():
    model = make_pipeline(PerStep(StandardScaler()), network())
    for X, y in chunks():
        partial_fit_pipeline(model, X, y, learn="transformers")
    assert not hasattr(model[-1], "classes_")
    scaled = pickle.dumps(model[0])
    for X, y in chunks():
        partial_fit_pipeline(model, X, y, learn="last", classes=[0, 1])
    assert pickle.dumps(model[0]) == scaled
    everything = [x for X, _ in chunks() for x in X]
    np.testing.assert_allclose(
        model[0].transformer_.mean_, np.concatenate(everything).mean(axis=0), rtol=1e-12
    )


def test_weights_and_the_like_reach_the_last_step():
    X, y = next(chunks())
    model = make_pipeline(PerSequence(StandardScaler()), network())
    partial_fit_pipeline(model, X, y, classes=[0, 1], sample_weight=y)
    alone = network().partial_fit(model[0].transform(X), y, classes=[0, 1], sample_weight=y)
    assert equal(model[-1], alone)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (make_pipeline(PerStep(PCA()), network()), {}, "'perstep', PerStep, has no partial_fit"),
        (make_pipeline(PerStep(MinMaxScaler()), PCA()), {}, "last step 'pca', PCA, has no"),
        (network(), {}, "must be a Pipeline; got RNNClassifier"),
        (make_pipeline(network()), {"learn": "none"}, "learn must be"),
        (make_pipeline(network()), {"learn": "transformers", "classes": [0]}, "classes is passed"),
    ],
)
def test_what_cannot_learn_is_refused(model, given, message):
    X, y = next(chunks())
    with pytest.raises((TypeError, ValueError), match=message):
        partial_fit_pipeline(model, X, y, **given)


def test_an_error_leaves_all_steps_as_they_were():
    X, y = next(chunks())
    model = make_pipeline(PerStep(StandardScaler()), network())
    partial_fit_pipeline(model, X, y, classes=[0, 1])
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match="labels that the network does not know"):
        partial_fit_pipeline(model, [x + 1 for x in X], y + 5)
    np.testing.assert_array_equal(before[0].transformer_.mean_, model[0].transformer_.mean_)
    assert equal(before[-1], model[-1])


# -- tokens -----------------------------------------------------------------------------------


def test_a_vocabulary_grows_and_keeps_its_ids():
    encoder = TokenEncoder(prefixes=(1,), suffixes=(), shape=False)
    encoder.partial_fit(WORDS[0])
    assert encoder.vocabulary_ == {"a": 0, "cat": 1, "dog": 2, "the": 3}
    first = encoder.transform(WORDS[0])
    encoder.partial_fit(WORDS[1])
    assert encoder.vocabulary_ == {
        "a": 0, "cat": 1, "dog": 2, "the": 3, "an": 4, "and": 5, "bird": 6, "owl": 7,
    }  # fmt: skip
    np.testing.assert_array_equal(encoder.transform(WORDS[0]), first)
    assert encoder.transform([["bird", "emu"]])[0].tolist() == [[6, 4], [-1, -1]]


def test_a_rare_token_is_known_when_it_has_occurred_often_enough():
    encoder = TokenEncoder(min_freq=3, prefixes=(), suffixes=(), shape=False)
    encoder.partial_fit([["a", "a", "a", "b"]]).partial_fit([["b", "c"]])
    assert encoder.vocabulary_ == {"a": 0}
    assert pickle.loads(pickle.dumps(encoder)).partial_fit([["b"]]).vocabulary_ == {"a": 0, "b": 1}
    assert encoder.fit([["c", "c", "c"]]).vocabulary_ == {"c": 0}
    assert encoder.partial_fit([["b"]]).vocabulary_ == {"c": 0}  # fit forgets what was counted


def test_an_encoder_whose_parameters_changed_does_not_go_on():
    encoder = TokenEncoder().partial_fit(WORDS[0]).set_params(lowercase=False)
    with pytest.raises(ValueError, match="has changed since the vocabularies were started"):
        encoder.partial_fit(WORDS[1])
    with pytest.raises(TypeError, match="fitted on sequences of strings"):
        encoder.set_params(lowercase=True).partial_fit([np.ones((3, 1))])


def test_ids_that_came_after_the_network_are_refused():
    tagger = LSTMTagger((4,), embedding_dim=3, random_state=0)
    model = make_pipeline(TokenEncoder(prefixes=(), suffixes=()), tagger)
    classes = ["C", "D", "N"]
    partial_fit_pipeline(model, WORDS[0], LABELS[0], classes=classes)
    n_known = len(model[0].vocabulary_)
    with pytest.raises(ValueError, match=r"sequence 0 has a token id .* learn='transformers'"):
        partial_fit_pipeline(model, WORDS[1], LABELS[1])
    assert len(model[0].vocabulary_) == n_known
    partial_fit_pipeline(model, WORDS[1], LABELS[1], learn="last")  # unknown, as asked for


def test_a_sequence_of_another_width_is_refused_though_nothing_is_learned():
    scaler = PerSequence(StandardScaler()).partial_fit([np.ones((3, 2))])
    assert scaler.partial_fit([np.ones((5, 2))]) is scaler
    with pytest.raises(ValueError, match="3 features"):
        scaler.partial_fit([np.ones((5, 3))])
