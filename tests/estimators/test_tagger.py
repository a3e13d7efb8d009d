"""LSTMTagger: it learns, what it predicts, and what labels, weights and words do to it."""

import warnings
from itertools import pairwise, product

import numpy as np
import oracle
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import delayed, joined, object_array, quick, tagged
from scipy.special import softmax

from skrnn import LSTMTagger
from skrnn._data.tag_schemes import forbidden_paths
from skrnn.metrics import token_accuracy_score
from skrnn.preprocessing import TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("crf", [False, True])
LEARN = {"hidden_layer_sizes": (12,), "learning_rate_init": 0.02, "max_iter": 25, "random_state": 0}
X, Y = tagged(40)
BIO = ["B-A", "B-B", "I-A", "I-B", "O"]
BIOES = [f"{tag}-{kind}" for tag in "BEIS" for kind in "AB"] + ["O"]


def learner(**params):
    return LSTMTagger(**{**LEARN, **params})


def tagger(**params):
    return quick(LSTMTagger, **params)


def named(y, names):
    return [[names[label] for label in labels] for labels in y]


def chunked(n=40, seed=0, classes=BIO):
    """Tokens and labels that mean nothing, but keep the scheme."""
    rng = np.random.default_rng(seed)
    X = [[f"w{k}" for k in rng.integers(0, 20, size)] for size in rng.integers(2, 7, n)]
    alone = [["B-A", "I-A"], ["O", "B-B"]] if "S-A" not in classes else [["B-A", "E-A"], ["S-B"]]
    return X, [[*alone[len(x) % 2], *["O"] * len(x)][: len(x)] for x in X]


# Learning


@BOTH
def test_learns_tokens(crf):
    model = learner(crf=crf).fit(*tagged(120))
    assert model.loss_curve_[-1] < 0.3 * model.loss_curve_[0]
    assert model.score(*tagged(60, seed=1)) > 0.95
    assert model.classes_.tolist() == ["ADJ", "NOUN", "TO", "VERB"]
    assert len([name for name in model.weights_ if name.startswith("embedding_weight")]) == 11
    assert list(model.vocabulary_) == sorted(model.vocabulary_)
    assert model.tag_scheme_ is None


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_learns_vectors(cell, bidirectional):
    model = learner(cell=cell, bidirectional=bidirectional).fit(*delayed(100))
    assert model.score(*delayed(60, seed=1)) > 0.95


def test_learns_what_follows_only_in_both_directions():
    x, y = delayed(100)
    x, y = [a[::-1] for a in x], [labels[::-1] for labels in y]
    assert learner().fit(x, y).score(x, y) > 0.95
    assert learner(bidirectional=False).fit(x, y).score(x, y) < 0.8


def padded(items, fill):
    longest = max(map(len, items))
    full = np.full((len(items), longest, *np.shape(items[0])[1:]), fill)
    for row, item in zip(full, items, strict=True):
        row[: len(item)] = item
    return full


def test_cubes_and_rows():
    x, y = delayed(80)
    y = named(y, [0, 1])
    lists = learner().fit(x, y)
    weights = lists._params.tobytes()
    cube = padded(x, np.nan)
    for labels in (padded(y, -1), padded(y, np.nan), y):
        model = learner().fit(cube, labels)
        assert model._params.tobytes() == weights
        assert model.score(cube, labels) == lists.score(x, y) > 0.95
        assert joined(model.predict(cube)) == joined(lists.predict(x))
    x, y = delayed(100, width=1, lengths=[5] * 100)
    rows = np.stack(x)[:, :, 0]
    model = learner().fit(rows, np.array(y))
    assert model.score(rows, y) > 0.95
    assert model.n_features_in_ == 5
    assert joined(model.predict(rows)) == joined(learner().fit(x, y).predict(x))


def test_integer_columns():
    rng = np.random.default_rng(0)
    x = [rng.integers(0, 6, (T, 2)) for T in rng.integers(1, 6, 150)]
    y = [["ABC"[k] for k in (a[:, 0] % 2 + (a[:, 1] == 3)).tolist()] for a in x]
    model = learner(embedding_dim=4).fit(x, y)
    assert model.score(x, y) > 0.95
    assert model.weights_["embedding_weight_0"].shape == (7, 4)
    assert "embedding_weight_0" not in learner(max_iter=1).fit(x, y).weights_


def test_object_series():
    x, y = pd.Series(X, index=range(40, 0, -1)), pd.Series(Y)
    model, plain = tagger().fit(x, y), tagger().fit(X, Y)
    assert joined(model.predict(x)) == joined(plain.predict(X))
    assert model.score(x, y) == plain.score(X, Y)
    arrays = object_array([np.array(sentence) for sentence in X])
    labels = object_array([np.array(tags, dtype=object) for tags in Y])
    assert joined(tagger().fit(arrays, labels).predict(arrays)) == joined(plain.predict(X))


def test_unknown_words_are_known_by_their_parts():
    train, labels = tagged(150)
    unseen = [["zzzzing"], ["qqness", "vvvous"], ["to", "hhhing"]]
    truth = [["VERB"], ["NOUN", "ADJ"], ["TO", "VERB"]]
    model = learner().fit(train, labels)
    assert [tags.tolist() for tags in model.predict(unseen)] == truth
    whole = learner(subwords=False).fit(train, labels)
    assert next(iter(whole.weights_)) == "embedding_weight"
    words = whole.predict_proba([["zzzzing"], ["qqness"]])
    assert_array_equal(words[0], words[1])
    assert whole.score(unseen, truth) < 1


# Predictions


@pytest.mark.parametrize("names", [["no", "yes!"], [3, 0], [True, False], ["ä", "O"]])
@pytest.mark.parametrize("equal", [False, True])
@BOTH
def test_form_of_predictions(names, equal, crf):
    x, y = delayed(20, lengths=[4] * 20 if equal else None)
    y = named(y, names)
    model = tagger(crf=crf, dtype="float64").fit(x, y)
    assert model.classes_.tolist() == sorted(names)
    predicted, probabilities = model.predict(x), model.predict_proba(x)
    for parts in (predicted, probabilities):
        assert parts.dtype == object
        assert parts.shape == (20,)
    for part, p, labels in zip(predicted, probabilities, y, strict=True):
        assert part.shape == (len(labels),)
        assert part.dtype == model.classes_.dtype == np.array(names).dtype
        assert p.shape == (len(labels), 2)
        assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
        if not crf:
            assert_array_equal(part, model.classes_[p.argmax(axis=1)])
    share = np.mean(np.concatenate(predicted) == np.concatenate([np.array(part) for part in y]))
    assert model.score(x, y) == pytest.approx(share)


def test_probabilities_are_the_oracle_s():
    x, y = delayed(20)
    model = tagger(dtype="float64").fit(x, y)
    spec = oracle.Spec("lstm", (8,), bidirectional=True, pooling="all")
    assert {k: w.shape for k, w in model.weights_.items()} == oracle.weight_shapes(spec, 2)
    for p, logits in zip(model.predict_proba(x), oracle.run(spec, model.weights_, x).logits):
        assert_allclose(p, softmax(logits, axis=1), atol=1e-12)


@pytest.mark.parametrize("names", [["D", "N", "V"], ["B-A", "I-A", "O"]])
def test_marginals_and_best_paths_by_brute_force(names):
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(T, 2)) for T in (1, 2, 3, 4, 4, 2, 1, 3)]
    y = [
        (["N", "D", "V", "N"] if "N" in names else ["B-A", "I-A", "O", "B-A"])[: len(a)] for a in x
    ]
    model = tagger(crf=True, dtype="float64").fit(x, y)
    weights = {k: rng.normal(size=w.shape) for k, w in model.weights_.items()}
    model.set_weights(weights)
    assert_array_equal(model.transitions_, weights["crf_transitions"])
    model.transitions_[:] = 9  # a copy
    start, between, end = (weights[f"crf_{part}"] for part in ("start", "transitions", "end"))
    spec = oracle.Spec("lstm", (8,), bidirectional=True, pooling="all", loss="crf", n_outputs=3)
    logits = oracle.run(spec, weights, x).logits
    allowed = np.ones((5, 3), bool)
    if model.tag_scheme_ == "BIO":
        allowed = ~forbidden_paths(model.classes_, "BIO")
    predicted, marginals = model.predict(x), model.predict_proba(x)
    for p, best, found in zip(logits, predicted, marginals, strict=True):
        scores = {}
        for path in product(range(3), repeat=len(p)):
            pairs = list(pairwise(path))
            if allowed[0, path[0]] and all(allowed[1 + i, j] for i, j in pairs):
                scores[path] = start[path[0]] + end[path[-1]] + sum(between[i, j] for i, j in pairs)
                scores[path] += sum(row[k] for row, k in zip(p, path))
        shares = softmax(list(scores.values()))
        expected = np.zeros_like(p)
        for path, share in zip(scores, shares):
            expected[range(len(p)), path] += share
        assert_allclose(found, expected, atol=1e-12)
        assert_array_equal(best, model.classes_[list(max(scores, key=scores.get))])


def test_transitions_need_a_crf():
    for model in (LSTMTagger(crf=True), tagger().fit(X, Y)):
        assert not hasattr(model, "transitions_")
    model = tagger(crf=True).fit(X, Y)
    assert model.transitions_.any()
    model.set_params(crf=False)  # says nothing of what is fitted
    assert hasattr(model, "transitions_")
    assert_allclose(np.concatenate(model.predict_proba(X)).sum(axis=1), 1, rtol=1e-5)


def test_score_counts_labelled_steps():
    model = tagger().fit(X, Y)
    predicted = model.predict(X)
    per_step = [np.linspace(0, 2, len(x)) for x in X]
    right = np.concatenate([p == np.array(t) for p, t in zip(predicted, Y)])
    expected = np.average(right, weights=np.concatenate(per_step))
    assert model.score(X, Y, sample_weight=per_step) == pytest.approx(expected)
    weights = np.arange(40.0)
    expected = np.average(right, weights=np.repeat(weights, [len(x) for x in X]))
    assert model.score(X, Y, sample_weight=weights) == pytest.approx(expected)
    assert model.score(X, [[None, *tags[1:]] for tags in Y]) == token_accuracy_score(
        [tags[1:] for tags in Y], [tags[1:] for tags in predicted]
    )
    assert model.score(X, [[np.nan, *tags[1:]] for tags in Y]) == model.score(
        X, [[None, *tags[1:]] for tags in Y]
    )


# Tag schemes


@pytest.mark.parametrize(
    ("given", "classes", "scheme"),
    [
        ("auto", BIO, "BIO"),
        ("auto", BIOES, "BIOES"),
        ("BIOES", [*BIO[:2], "E-A", "O"], "BIOES"),
        (None, BIO, None),
        (None, BIOES, None),
        ("auto", [*BIO, "X"], None),
    ],
)
@BOTH
def test_impossible_labels_are_never_predicted(given, classes, scheme, crf):
    rng = np.random.default_rng(1)
    y = [[None, name, None] for name in classes]
    model = tagger(tag_scheme=given, crf=crf).fit(rng.normal(size=(len(y), 3, 3)), y)
    assert model.tag_scheme_ == scheme
    x = [3 * rng.normal(size=(T, 3)) for T in rng.integers(1, 12, 100)]
    places = {name: k for k, name in enumerate(model.classes_)}
    forbidden = forbidden_paths(model.classes_, scheme) if scheme else None
    seen, refused = set(), 0
    for _ in range(4):
        model.set_weights({k: 2 * rng.normal(size=w.shape) for k, w in model.weights_.items()})
        for tags, p in zip(model.predict(x), model.predict_proba(x), strict=True):
            path = [places[tag] for tag in tags.tolist()]
            seen |= set(path)
            if scheme is None:
                refused += tags[0][0] == "I"
                continue
            assert not forbidden[0, path[0]]
            assert not forbidden[-1, path[-1]]
            assert not any(forbidden[1 + i, j] for i, j in pairwise(path))
            refused += path != p.argmax(axis=1).tolist()
            assert not (crf and p[0, forbidden[0]].any())
            assert not (crf and p[-1, forbidden[-1]].any())
    assert refused > 10  # which by itself the network would have predicted
    assert len(seen) > 2


@BOTH
def test_chunks_are_fitted_and_scored(crf):
    for classes in (BIO, BIOES):
        x, y = chunked(classes=classes)
        model = learner(crf=crf).fit(x, y)
        assert model.tag_scheme_ == ("BIO" if classes is BIO else "BIOES")
        assert model.score(x, y) > 0.9


# Unlabelled steps and weights


@pytest.mark.parametrize("numbers", [False, True])
@BOTH
def test_a_step_without_label_is_one_of_weight_0(numbers, crf):
    rng = np.random.default_rng(0)
    x, y = (X, Y) if not numbers else delayed(40)
    y = named(y, [0, 1]) if numbers else y
    hidden = [rng.random(len(labels)) < 0.4 for labels in y]
    hidden[3][:] = True
    weights = [1.0 - off for off in hidden]
    # in one batch: a batch is a mean over its labelled steps, those of weight 0 among them
    crf = {"crf": crf, "batch_size": len(x), "dtype": "float64"}
    expected = tagger(**crf).fit(x, y, sample_weight=weights)
    for i, missing in enumerate([None, np.nan]):
        part = [
            [missing if off else label for label, off in zip(labels, offs)]
            for labels, offs in zip(y, hidden)
        ]
        model = tagger(**crf).fit(x, part)
        assert_allclose(model._params, expected._params, atol=1e-6, err_msg=str(i))
        assert_allclose(model.loss_curve_, expected.loss_curve_)
    # what a label of weight 0 is does not matter
    other = [
        [y[0][0] if off else label for label, off in zip(labels, offs)]
        for labels, offs in zip(y, hidden)
    ]
    model = tagger(**crf).fit(x, other, sample_weight=weights)
    assert model._params.tobytes() == expected._params.tobytes()
    whole = tagger(**crf).fit(x, y)
    assert whole._params.tobytes() != expected._params.tobytes()


@BOTH
def test_learns_from_a_part_of_the_labels(crf):
    x, y = tagged(150)
    rng = np.random.default_rng(0)
    part = [[None if rng.random() < 0.5 else tag for tag in tags] for tags in y]
    model = learner(crf=crf).fit(x, part)
    hidden = [[a if b is None else None for a, b in zip(*tags)] for tags in zip(y, part)]
    assert model.score(x, hidden) > 0.95


@BOTH
def test_a_weight_a_sequence_is_that_of_its_steps(crf):
    weights = np.random.default_rng(0).uniform(0.5, 2, 40)
    model = tagger(crf=crf).fit(X, Y, sample_weight=weights)
    steps = [np.full(len(x), weight) for x, weight in zip(X, weights)]
    again = tagger(crf=crf).fit(X, Y, sample_weight=steps)
    assert model._params.tobytes() == again._params.tobytes()
    assert model._params.tobytes() != tagger(crf=crf).fit(X, Y)._params.tobytes()


@BOTH
def test_weight_2_is_a_sequence_twice(crf):
    # one batch holds all
    x, y = delayed(20)
    how = {"shuffle": False, "dtype": "float64", "crf": crf, "max_iter": 10}
    weighted = tagger(**how).fit(x, y, sample_weight=[2.0] * 5 + [1.0] * 15)
    twice = tagger(**how).fit(x[:5] + x, y[:5] + y)
    for name, weight in weighted.weights_.items():
        assert_allclose(weight, twice.weights_[name], atol=1e-8, err_msg=name)


def test_class_weight():
    balanced = tagger(class_weight="balanced").fit(X, Y)
    flat = [tag for tags in Y for tag in tags]
    shares = {tag: len(flat) / 4 / flat.count(tag) for tag in set(flat)}
    assert balanced._params.tobytes() == tagger(class_weight=shares).fit(X, Y)._params.tobytes()
    steps = [[shares[tag] for tag in tags] for tags in Y]
    by_step = tagger().fit(X, Y, sample_weight=steps)
    assert balanced._params.tobytes() == by_step._params.tobytes()
    heavy = tagger(class_weight={"TO": 1e4}).fit(X, Y)
    assert (np.concatenate(heavy.predict(X)) == "TO").all()


# Words


def test_the_unknown_row_is_learnt_where_words_are_dropped():
    for rate, learnt in ((0.0, False), (0.2, True)):
        weights = tagger(word_dropout=rate).fit(X, Y).weights_
        for c in range(11):
            assert weights[f"embedding_weight_{c}"][-1].any() == learnt
    rare = tagger(word_dropout=0.0, min_freq=2).fit(X, Y).weights_
    assert rare["embedding_weight_0"][-1].any()
    numbers = [tagger(word_dropout=rate).fit(*delayed(20)) for rate in (0.0, 0.5)]
    assert numbers[0]._params.tobytes() == numbers[1]._params.tobytes()


def test_minimum_frequency():
    model = tagger(min_freq=3, subwords=False).fit(X, Y)
    words = [word for sentence in X for word in sentence]
    assert set(model.vocabulary_) == {word for word in words if words.count(word) >= 3}
    assert model.weights_["embedding_weight"].shape[0] == len(model.vocabulary_) + 1


def widths(model):
    names = [name for name in model.weights_ if name.startswith("embedding_weight")]
    return [model.weights_[name].shape[1] for name in names]


def test_embedding_dim():
    sizes = [w.shape[0] for name, w in tagger().fit(X, Y).weights_.items() if "embedding" in name]
    own = [int(np.clip(round(1.6 * n**0.56), 4, 32 if c else 128)) for c, n in enumerate(sizes)]
    assert widths(tagger().fit(X, Y)) == own
    assert widths(tagger(embedding_dim=7).fit(X, Y)) == [7, *(min(width, 7) for width in own[1:])]
    given = tuple(range(2, 13))
    assert widths(tagger(embedding_dim=given).fit(X, Y)) == list(given)
    assert widths(tagger(embedding_dim=[5], subwords=False).fit(X, Y)) == [5]
    ids = TokenEncoder().fit_transform(X)
    assert widths(tagger(embedding_dim=7).fit(ids, Y)) == [7] * 11
    for wrong in ((3, 4), (3,) * 12, (3,) * 10 + (0,), (3.5,) * 11):
        with pytest.raises(ValueError, match="a width, or a width for each of the 11 token"):
            tagger(embedding_dim=wrong).fit(X, Y)


def test_auto_scheme_gives_way_where_y_breaks_it():
    X = [["a", "b"], ["c"], ["d", "e", "f"]] * 4
    y = [["B-x", "I-x"], ["O"], ["O", "I-x", "O"]] * 4  # IOB1: an I- may begin a chunk
    model = LSTMTagger((4,), max_iter=1, n_iter_no_change=np.inf, random_state=0)
    with pytest.warns(UserWarning, match="BIO.*sequence 2 has 'I-x' at step 1.*tag_scheme='BIO'"):
        assert model.fit(X, y).tag_scheme_ is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.set_params(tag_scheme="BIO").fit(X, y).tag_scheme_ == "BIO"
        assert model.set_params(tag_scheme="auto").fit(X[:2], y[:2]).tag_scheme_ == "BIO"
        # what stands after an unlabelled step is nobody's fault
        assert model.fit(X[:3], [["B-x", "I-x"], ["O"], [None, "I-x", "O"]]).tag_scheme_ == "BIO"
