"""Words as input: parts, rare words, and pretrained vectors, in all estimators that read words."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from tables import each

from skrnn import (
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)

WORDS = [f"w{i}" for i in range(12)]
X = [[WORDS[i] for i in np.random.default_rng(s).integers(0, 12, 5)] for s in range(30)]
TAGS = [["odd" if int(w[1:]) % 2 else "even" for w in x] for x in X]
TARGETS = {
    LSTMTagger: TAGS,
    RNNClassifier: [tags[0] for tags in TAGS],
    RNNRegressor: [float(x[0][1:]) for x in X],
    LSTMLanguageModel: None,
    Seq2SeqTranslator: TAGS,
}
# w0 and w1 have no vector, w77 and w78 no place in X.
VECTORS = {
    w: np.random.default_rng(i).normal(size=3) for i, w in enumerate([*WORDS[2:], "w77", "w78"])
}
SMALL = {
    "hidden_layer_sizes": 4, "max_iter": 3, "learning_rate_init": 0.05, "random_state": 0,
    "alpha": 1.0, "tol": 0,
}  # fmt: skip


def fitted(kind, **params):
    return kind(**SMALL | {"embeddings": VECTORS} | params).fit(X, TARGETS[kind])


def table(model):
    """Return the embedding of words."""
    name = next(name for name in model.weights_ if "embedding_weight" in name)
    return model.weights_[name]


@each(kind=TARGETS, solver=("adam", "sgd"))
def test_frozen_vectors_stay_to_the_last_bit(kind, solver):
    model = fitted(kind, freeze_embeddings=True, solver=solver)
    assert model.n_pretrained_words_ == 10
    for word, row in model.vocabulary_.items():
        if word in VECTORS:
            np.testing.assert_array_equal(table(model)[row], VECTORS[word].astype(np.float32))
    start = table(fitted(kind, freeze_embeddings=True, max_iter=1, learning_rate_init=1e-30))
    for word in ("w0", "w1"):  # a random vector would be useless if it were frozen
        row = model.vocabulary_[word]
        assert row >= 10
        assert (table(model)[row] != start[row]).any()


@each(kind=TARGETS)
def test_tuned_vectors_start_from_those_given(kind):
    still, moved = (fitted(kind, learning_rate_init=rate) for rate in (1e-30, 0.05))
    rows = [still.vocabulary_[word] for word in WORDS[2:]]
    given = np.array([VECTORS[word] for word in WORDS[2:]], np.float32)
    np.testing.assert_allclose(table(still)[rows], given, rtol=0, atol=1e-20)
    assert (table(moved)[rows] != given).any(axis=1).sum() >= 8


@each(kind=TARGETS)
def test_words_that_only_have_a_vector_are_known_if_asked_for(kind):
    assert "w77" not in fitted(kind).vocabulary_
    model = fitted(kind, embeddings_vocabulary="all")
    assert model.n_pretrained_words_ == 12
    np.testing.assert_allclose(
        table(model)[model.vocabulary_["w77"]], VECTORS["w77"], rtol=1e-6
    )  # no batch has touched it


def test_an_unseen_word_is_tagged_by_its_vector():
    vectors = {w: [int(w[1:]) % 2, 1.0] for w in (*WORDS, "w77", "w78")}
    model = LSTMTagger(
        8, max_iter=40, learning_rate_init=0.02, random_state=0, subwords=False, word_dropout=0,
        embeddings=vectors, embeddings_vocabulary="all", freeze_embeddings=True,
        n_iter_no_change=np.inf,
    ).fit(X, TAGS)  # fmt: skip
    assert model.predict([["w77", "w78", "w77"]])[0].tolist() == ["odd", "even", "odd"]


@each(kind=(RNNClassifier, RNNRegressor))
def test_frozen_vectors_in_truncated_passes(kind):
    long = [x * 30 for x in X]  # more steps than a chunk has
    params = {"bptt_steps": 20, "embeddings": VECTORS, "freeze_embeddings": True}
    model = kind(**SMALL | params).fit(long, TARGETS[kind])
    for word, row in model.vocabulary_.items():
        if word in VECTORS:
            np.testing.assert_array_equal(table(model)[row], VECTORS[word].astype(np.float32))


@each(kind=TARGETS)
def test_a_warm_start_goes_on_and_may_thaw(kind):
    model = fitted(kind, freeze_embeddings=True, warm_start=True)
    before = table(model)
    model.set_params(embeddings="no such file").fit(X, TARGETS[kind])
    np.testing.assert_array_equal(table(model)[:10], before[:10])
    model.set_params(freeze_embeddings=False).fit(X, TARGETS[kind])
    assert (table(model)[:10] != before[:10]).any()
    with pytest.raises(ValueError, match="embedding_dim"):
        model.set_params(embedding_dim=7).fit(X, TARGETS[kind])


def test_copies_and_files():
    model = fitted(LSTMTagger, freeze_embeddings=True)
    again = pickle.loads(pickle.dumps(model))
    assert again.n_pretrained_words_ == 10
    for a, b in zip(again.predict_proba(X), model.predict_proba(X), strict=True):
        np.testing.assert_array_equal(a, b)
    assert clone(model).embeddings.keys() == VECTORS.keys()


def test_spellings():
    vectors = {"paris": [1.0, 0], "Rome": [0, 1.0], "oslo": [1.0, 1], "OSLO": [2.0, 2]}
    X, y = [["Paris", "ROME", "Oslo", "it"]] * 4, ["a", "b"] * 2
    model = RNNClassifier(2, max_iter=1, freeze_embeddings=True, embeddings=vectors).fit(X, y)
    rows = {word: table(model)[row].tolist() for word, row in model.vocabulary_.items()}
    assert list(rows) == ["Oslo", "Paris", "ROME", "it"]
    assert (rows["Oslo"], rows["Paris"]) == ([1, 1], [1, 0])
    # In small letters a word may have a vector in capitals only, in the form that X has.
    tagger = LSTMTagger(
        2, max_iter=1, freeze_embeddings=True, embeddings=vectors, embeddings_vocabulary="all"
    ).fit([["Rome", "it"]] * 4, [["A", "B"]] * 4)
    rows = {word: table(tagger)[row].tolist() for word, row in tagger.vocabulary_.items()}
    assert {word: rows[word] for word in ("rome", "paris", "oslo")} == {
        "rome": [0, 1], "paris": [1, 0], "oslo": [1, 1],
    }  # fmt: skip


def test_an_unseen_word_is_read_as_its_lower_case_form():
    vectors = {"paris": [1.0, 0], "rome": [0, 1.0]}
    model = RNNClassifier(2, max_iter=2, embeddings=vectors, embeddings_vocabulary="all")
    model.fit([["paris", "it"], ["it", "is"]] * 4, ["a", "b"] * 4)
    same, other = model.predict_proba([["ROME"], ["IT"]]), model.predict_proba([["rome"], ["it"]])
    np.testing.assert_array_equal(same[0], other[0])
    assert (same[1] != other[1]).any()  # 'it' has no vector: its row is that of small letters


def test_rare_words_with_a_vector_are_known():
    rare = [[*x, "w77"] if i == 0 else x for i, x in enumerate(X)]
    y = [[*tags, "odd"] if i == 0 else tags for i, tags in enumerate(TAGS)]
    for vectors, known in ((VECTORS, True), ({"w2": [1.0]}, False)):
        model = LSTMTagger(**SMALL | {"min_freq": 2, "embeddings": vectors}).fit(rare, y)
        assert ("w77" in model.vocabulary_) == known


def test_sources(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{w} {' '.join(map(repr, v.tolist()))}\n" for w, v in VECTORS.items()))
    keyed = SimpleKeyedVectors(VECTORS)
    of_dict = fitted(LSTMTagger)
    for source in (path, str(path), keyed):
        for name, weights in fitted(LSTMTagger, embeddings=source).weights_.items():
            np.testing.assert_array_equal(weights, of_dict.weights_[name])


class SimpleKeyedVectors:
    """What is used of gensim's KeyedVectors."""

    def __init__(self, vectors):
        self.key_to_index = {word: i for i, word in enumerate(vectors)}
        self.vectors = np.array(list(vectors.values()))

    def __getitem__(self, word):
        return self.vectors[self.key_to_index[word]]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"embedding_dim": 5}, "embedding_dim=5, but embeddings has vectors of 3 numbers"),
        ({"embedding_dim": [5, 5]}, "embedding_dim"),
        ({"embeddings": {"zzz": [1]}}, "for none of the 12 words"),
        ({"embeddings": {"w1": [1, 2], "w2": [1]}}, "1 numbers for 'w2', but one of 2 for 'w1'"),
        ({"embeddings": {"w1": [1, np.nan]}}, "for 'w1' that is not finite"),
        ({"embeddings": {"w1": [1e39]}}, "for 'w1' that is not finite"),
        ({"embeddings": {"w1": "a"}}, "no vector of numbers for 'w1'"),
        ({"embeddings": {"w1": 3}}, r"shape \(\) for 'w1'"),
        ({"embeddings": [1, 2]}, "type list, where a dict"),
        ({"embeddings": SimpleNamespace(wv=1)}, "embeddings=model.wv"),
        ({"embeddings": {1: [1.0]}, "embeddings_vocabulary": "all"}, "vector for 1"),
    ],
)
def test_what_is_refused(params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted(RNNClassifier, **params)


@pytest.mark.parametrize("embedding_dim", [None, 3])
def test_numbers_have_no_word_vectors(embedding_dim):
    model = RNNClassifier(embeddings=VECTORS, embedding_dim=embedding_dim)
    with pytest.raises(ValueError, match="embeddings holds vectors of words, but X holds"):
        model.fit(np.zeros((4, 3), int), [0, 1, 0, 1])
    assert "_params" not in vars(model)


def test_a_tied_embedding_cannot_be_frozen():
    params = {"hidden_layer_sizes": 3, "tie_embeddings": True}
    with pytest.raises(ValueError, match="freeze_embeddings=True needs tie_embeddings=False"):
        fitted(LSTMLanguageModel, freeze_embeddings=True, **params)
    model = fitted(LSTMLanguageModel, learning_rate_init=1e-30, **params)
    np.testing.assert_allclose(model.weights_["head_weight"][0], VECTORS["w10"], rtol=1e-6)


@each(kind=(RNNClassifier, RNNRegressor))
def test_parts_of_words_as_the_tagger_has_them(kind):
    model = kind(**SMALL | {"subwords": True, "word_dropout": 0.1}).fit(X, TARGETS[kind])
    tagger = LSTMTagger(**SMALL).fit(X, TAGS)
    sizes = [
        [w.shape[0] for name, w in m.weights_.items() if name.startswith("embedding_weight")]
        for m in (model, tagger)
    ]
    assert sizes[0] == sizes[1]
    assert model.vocabulary_ == tagger.vocabulary_
    unseen = [["W99"], ["x7"]]
    a, b = model.predict(unseen) if kind is RNNRegressor else model.predict_proba(unseen)
    assert np.any(a != b)  # told apart by their parts
    with pytest.raises(ValueError, match="subwords has changed"):
        model.set_params(warm_start=True, subwords=False).fit(X, TARGETS[kind])


def test_capitals_count_where_there_are_no_parts():
    y = ["a", "b"] * 4
    assert set(RNNClassifier(2, max_iter=1).fit([["A"], ["a"]] * 4, y).vocabulary_) == {"A", "a"}


def test_no_file_is_read_where_words_are_not(tmp_path):
    assert "gensim" not in sys.modules
    with pytest.raises(FileNotFoundError):
        fitted(RNNClassifier, embeddings=tmp_path / "none.txt")
