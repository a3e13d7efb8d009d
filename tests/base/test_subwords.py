"""`subwords="chars"`: estimators that read the characters of words."""

import pickle

import numpy as np
import pytest
from problems import quick, use_threads
from sklearn.base import clone
from tables import each

from skrnn import LSTMTagger, RNNClassifier, RNNRegressor
from skrnn._data.sequences import LONGEST_WORD
from skrnn.datasets import SequenceStore
from skrnn.export import to_onnx
from skrnn.inspection import gradient_flow

# The tag of a word follows from a letter in its middle, where no affix reaches.
LETTERS = {"x": "ADJ", "y": "NOUN", "z": "VERB"}
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

KINDS = (LSTMTagger, RNNClassifier, RNNRegressor)


def words(n, seed):
    """Draw sentences of words that never come again, and their tags."""
    rng = np.random.default_rng(seed)

    def some(n):
        return "".join(rng.choice(list("abcd"), n))

    X = [[some(6) + rng.choice(list(LETTERS)) + some(6) for _ in range(k)]
         for k in rng.integers(1, 6, n)]  # fmt: skip
    return X, [[LETTERS[word[6]] for word in row] for row in X]


X, TAGS = words(120, 0)
FIRST = [row[0] for row in TAGS]
TARGETS = {LSTMTagger: TAGS, RNNClassifier: FIRST, RNNRegressor: [len(row) for row in X]}


def small(kind=LSTMTagger, **params):
    return quick(kind, **{"hidden_layer_sizes": (4,), "subwords": "chars", "max_iter": 2} | params)


def outputs(model, X):
    found = model.predict(X) if isinstance(model, RNNRegressor) else model.predict_proba(X)
    return np.concatenate(list(found)) if isinstance(model, LSTMTagger) else found


def test_unseen_words_are_known_by_what_no_affix_shows():
    X, y = words(300, 1)
    unseen = words(60, 2)
    how = {"hidden_layer_sizes": (16,), "max_iter": 30, "learning_rate_init": 0.01}
    scores = [small(subwords=kind, **how).fit(X, y).score(*unseen) for kind in ("chars", True)]
    assert scores[0] > 0.95
    assert scores[1] < 0.6


@each(kind=KINDS)
def test_fit_goes_on_and_comes_again(kind):
    y = TARGETS[kind]
    model = small(kind, early_stopping=True, max_iter=3).fit(X, y)
    again = clone(model).fit(X, y)
    for name, weight in model.weights_.items():
        assert np.array_equal(weight, again.weights_[name]), name
    # the characters of what is held out are not learned, so there are unknown ones
    warm = small(kind, warm_start=True).fit(X, y)
    loaded = pickle.loads(pickle.dumps(warm))
    assert np.array_equal(outputs(loaded, X), outputs(warm, X))
    assert np.array_equal(outputs(loaded.fit(X, y), X), outputs(warm.fit(X, y), X))
    moved = {name: 2 * weight for name, weight in warm.weights_.items()}
    assert not np.array_equal(outputs(warm.set_weights(moved), X), outputs(loaded, X))
    with pytest.raises(ValueError, match="subwords has changed"):
        warm.set_params(subwords=True).fit(X, y)


def test_partial_fit_takes_characters_from_the_vocabulary():
    model = small(LSTMTagger).partial_fit(
        X, TAGS, classes=list(LETTERS.values()), vocabulary=["qqqq"]
    )
    characters = model.weights_["characters_embedding_weight"]
    assert len(characters) == len("abcdxyzq") + 1
    before = model.predict_proba([["qa"]])[0]
    assert not np.array_equal(before, model.predict_proba([["ra"]])[0])
    # what is not known is one and the same
    assert np.array_equal(model.predict_proba([["ra"]])[0], model.predict_proba([["sa"]])[0])
    model.partial_fit([["qq", "rr"]], [["ADJ", "NOUN"]])
    assert not np.array_equal(before, model.predict_proba([["qa"]])[0])


@each(kind=KINDS)
def test_same_bits_for_any_number_of_threads(monkeypatch, kind):
    found = []
    for threads in (1, 3):
        use_threads(monkeypatch, threads)
        model = small(kind, hidden_layer_sizes=(64,), word_dropout=0.3).fit(X, TARGETS[kind])
        found.append((model.weights_, outputs(model, X)))
    for name, weight in found[0][0].items():
        assert np.array_equal(weight, found[1][0][name]), name
    assert np.array_equal(found[0][1], found[1][1])


def test_a_prediction_does_not_depend_on_the_company():
    model = small().fit(X, TAGS)
    whole = model.predict_proba(X)
    for i in (0, 7, 119):
        assert np.array_equal(model.predict_proba(X[i : i + 1])[0], whole[i])


def test_capitals_and_order_count():
    model = small().fit([*X, ["Abcd"]], [*TAGS, ["ADJ"]])
    a, b, c = model.predict_proba([["qAbdcq"], ["qAdbcq"], ["qabdcq"]])
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_words_of_any_length():
    model = small(word_dropout=0.0).fit([*X, ["", "a" * 5000]], [*TAGS, ["ADJ", "NOUN"]])
    half = "ab" * (LONGEST_WORD // 4)
    a, b, c = model.predict_proba([[half + "c" * 50 + half], [half + "d" * 99 + half], [""]])
    assert np.array_equal(a, b)  # which are told apart by nothing else either
    assert np.isfinite(c).all()


def test_weights_have_names():
    found = {n: w.shape for n, w in small().fit(X, TAGS).weights_.items() if "characters" in n}
    layer = {"weight_ih": (128, 32), "weight_hh": (128, 32), "bias_ih": (128,), "bias_hh": (128,)}
    expected = {"embedding_weight": (8, 32)}
    expected |= {
        f"{name}_l0{end}": size for end in ("", "_reverse") for name, size in layer.items()
    }
    assert found == {f"characters_{name}": size for name, size in expected.items()}


def test_pretrained_vectors_beside_characters():
    vectors = {X[0][0]: np.ones(5, np.float32), X[1][0]: np.zeros(5, np.float32)}
    model = small(embeddings=vectors, freeze_embeddings=True, word_dropout=0.0).fit(X, TAGS)
    assert model.n_pretrained_words_ == 2
    found = model.weights_["embedding_weight_0"][:2]
    assert np.array_equal(found, [vectors[word] for word in list(model.vocabulary_)[:2]])


def test_truncated_gradients_take_whole_sequences():
    long = [["ab", "cd", "ax"] * 60] * 4
    y = [["ADJ", "NOUN", "VERB"] * 60] * 4
    model = small(bidirectional=False, bptt_steps=8).fit(long, y)
    assert np.isfinite(model.loss_curve_).all()


def test_gradients_over_time():
    flow = gradient_flow(small().fit(X, TAGS), X, TAGS)
    assert flow.layers == ("l0", "l0_reverse")
    assert np.nanmax(flow.gradient_norms) > 0


@each(kind=KINDS)
@pytest.mark.parametrize(("embedding_dim", "what"), [(None, "numbers"), (3, "ids")])
def test_what_has_no_characters_is_refused(kind, embedding_dim, what):
    y = [["a", "b"]] * 2 if kind is LSTMTagger else [1, 2]
    model = small(kind, embedding_dim=embedding_dim)
    with pytest.raises(ValueError, match=f"reads the characters of words, but X holds {what}"):
        model.fit(np.zeros((2, 2), int), y)
    assert not hasattr(model, "n_features_in_")


def test_a_store_of_words_is_refused(tmp_path):
    store = SequenceStore.write(tmp_path / "store", X, FIRST)
    with pytest.raises(ValueError, match="reads the characters of words in memory"):
        small(RNNClassifier).fit(store, FIRST)


def test_ids_are_no_step_of_words():
    model = small(bidirectional=False).fit(X, TAGS)
    state = model.initial_state(2)
    with pytest.raises(TypeError, match="a token, a str, is expected"):
        model.step(np.zeros((2, 12), np.intp), state)
    assert model.step([], model.initial_state(0))[0].shape == (0, 3)
    many = model.step(["axb", "ayb"] * 600, model.initial_state(1200))[0]
    np.testing.assert_array_equal(many[:2], model.step(["axb", "ayb"], state)[0])


def test_a_graph_has_no_characters():
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="subwords='chars' cannot be exported"):
        to_onnx(small(RNNClassifier).fit(X, FIRST))


def test_a_state_without_its_characters_is_refused():
    state = small().fit(X, TAGS).__getstate__()
    for characters, message in (
        (None, "reads characters without knowing any"),
        ({"a": 0}, "does not fit those it knows"),
        (dict.fromkeys("abcdxyz", 0), "does not number its tokens"),
    ):
        changed = {**state, "_vocabularies": {**state["_vocabularies"], "characters": characters}}
        with pytest.raises(ValueError, match=message):
            LSTMTagger().__setstate__(changed)
