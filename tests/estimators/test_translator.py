"""Seq2SeqTranslator: what it learns, what it refuses, and scikit-learn's tools around it."""

import inspect
import pickle
from itertools import product

import numpy as np
import oracle
import pytest
from oracle_attention import run_pair
from problems import quick, state, use_threads
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.model_selection import cross_val_predict as sklearn_cross_val_predict
from sklearn.utils._param_validation import InvalidParameterError

from skrnn import RNNClassifier, Seq2SeqTranslator
from skrnn._network.plan import CELLS
from skrnn._translator.encoder_decoder import ATTENTION
from skrnn.metrics import (
    cross_val_predict,
    sequence_error_rate,
    sequence_error_rate_scorer,
    token_error_rate,
    token_error_rate_scorer,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def reversed_words(n, seed=0, longest=6):
    """Draw sources of letters; targets are their capitals, from the last to the first."""
    rng = np.random.default_rng(seed)
    X = [list(rng.choice(list("abcd"), rng.integers(1, longest + 1))) for _ in range(n)]
    X = [[str(letter) for letter in x] for x in X]
    return X, [[letter.upper() for letter in x[::-1]] for x in X]


X, Y = reversed_words(40)


def translator(**params):
    return quick(Seq2SeqTranslator, **params)


# What it learns


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_learns_to_reverse(attention, cell):
    x, y = reversed_words(600)
    model = translator(
        attention=attention, cell=cell, hidden_layer_sizes=(32,), learning_rate_init=0.01,
        learning_rate="linear", max_iter=25,
    ).fit(x, y)  # fmt: skip
    assert model.score(*reversed_words(200, seed=1)) > 0.95


@pytest.mark.parametrize(("smoothing", "sure"), [(0.0, 1.0), (0.5, 0.75)])
def test_label_smoothing(smoothing, sure):
    # two outputs, A and the end: 1 - 0.5 + 0.5 / 2 is the best probability of either
    how = {"learning_rate_init": 0.05, "learning_rate": "linear", "max_iter": 100}
    model = translator(alpha=0, label_smoothing=smoothing, **how)
    model.fit([["a"]] * 32, [["A"]] * 32)
    [[(best, log_probability)]] = model.predict_n_best([["a"]], 1)
    assert best == ["A"]
    assert abs(np.exp(log_probability / 2) - sure) < 0.01


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_networks(cell, bidirectional):
    how = {"hidden_layer_sizes": (5, 3), "learning_rate_init": 0.01}
    model = translator(cell=cell, bidirectional=bidirectional, **how).fit(X, Y)
    D, gates = 1 + bidirectional, CELLS[cell].gates
    shapes = {name: w.shape for name, w in model.weights_.items()}
    assert shapes["decoder_weight_hh_l0"] == (gates * D * 5, D * 5)
    assert shapes["decoder_weight_ih_l1"] == (gates * D * 3, D * 5)
    assert shapes["head_weight"] == (5, D * 3)
    assert shapes["attention_combine"] == (D * 3, 2 * D * 3)
    assert ("encoder_weight_hh_l1_reverse" in shapes) == bidirectional
    assert "encoder_head_weight" not in shapes
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_numbers_in_and_integers_out():
    rng = np.random.default_rng(0)
    levels = [rng.integers(0, 3, rng.integers(1, 7)) for _ in range(300)]
    x = [
        np.repeat(row, 2)[:, None] + 0.1 * rng.standard_normal((2 * len(row), 1)) for row in levels
    ]
    model = translator(learning_rate_init=0.01, hidden_layer_sizes=(24,), max_iter=30).fit(
        x, levels
    )
    assert model.score(x, levels) > 0.6
    assert all(type(token) is int for row in model.predict(x[:5]) for token in row)


def test_no_token_is_the_start_or_the_end():
    y = [["<s>", "</s>", "<unk>", "", *row] for row in Y]
    model = translator(learning_rate_init=0.03, max_iter=60, hidden_layer_sizes=(32,)).fit(X, y)
    assert set(model.target_vocabulary_) == {"<s>", "</s>", "<unk>", "", *"ABCD"}
    assert model.predict(X[:1])[0][:4] == ["<s>", "</s>", "<unk>", ""]
    assert model.score(X, y) > 0.5


def test_empty_targets():
    y = [[] if len(row) < 3 else row for row in Y]
    model = translator(learning_rate_init=0.03, max_iter=40, hidden_layer_sizes=(32,)).fit(X, y)
    assert [] in model.predict(X).tolist()
    with pytest.raises(ValueError, match="Every target is empty"):
        translator().fit(X, [[]] * len(X))


# Prediction


def test_max_length_ends_everything():
    x, y = [["a"], ["b"]] * 10, [["A"] * 30] * 20
    model = translator(max_length=7).fit(x, y)
    for beam_width in (1, 4):
        assert max(map(len, model.set_params(beam_width=beam_width).predict(x))) <= 7
    assert max(map(len, model.set_params(max_length=None).predict(x))) <= 60
    assert max(map(len, model.set_params(max_length=1, beam_width=1).predict(x))) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_beam_search_finds_the_best_of_all_targets(seed):
    rng = np.random.default_rng(seed)
    x, y = (
        [["xyz"[i] for i in rng.integers(0, 3, int(rng.integers(low, 5)))] for _ in range(60)]
        for low in (1, 0)
    )
    model = translator(
        hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=15, random_state=seed,
        attention=None, bidirectional=False, max_length=4, dtype="float64",
    ).fit(x, y)  # fmt: skip
    every = [list(target) for n in range(5) for target in product("xyz", repeat=n)]
    lengths = np.array([len(target) + 1 for target in every])
    for source, found in zip(x[:12], model.set_params(beam_width=4).predict(x[:12]), strict=True):
        scores = model.score_samples([source] * len(every), every) / lengths
        assert scores[every.index(found)] == pytest.approx(scores.max(), rel=1e-9)


def test_the_longest_target_limits_no_short_source():
    x = [["a"], ["a", "b"], ["a"] * 9, ["b"] * 5]
    model = translator(max_iter=1).fit(x * 5, [["A"], ["A"] * 3, ["B"] * 100, ["A"] * 2] * 5)
    assert model._longest_targets.tolist() == [[1, 1], [2, 3], [9, 100]]
    weights = model.weights_
    weights["head_bias"][-1] = -1e4  # never the end
    lengths = [len(y) for y in model.set_weights(weights).predict([*x, ["a"] * 20])]
    assert lengths == [2 + 16, 6 + 16, 200, 6 + 16, 200]
    model.partial_fit(x[:1], [["A"] * 7])
    assert model._longest_targets.tolist() == [[1, 7], [9, 100]]


def test_n_best():
    model = translator(learning_rate_init=0.02, max_iter=15).fit(X, Y)
    found = model.predict_n_best(X, 4)
    for targets in found:
        tokens = [tuple(y) for y, _ in targets]
        assert 1 <= len(set(tokens)) == len(tokens) <= 4
        each = [p / (len(y) + 1) for y, p in targets]
        assert each == sorted(each, reverse=True)
        assert sum(np.exp(p) for _, p in targets) <= 1
    wide = model.set_params(beam_width=4).predict(X)
    assert wide.tolist() == [targets[0][0] for targets in found]
    assert [one[0][0] for one in model.set_params(beam_width=1).predict_n_best(X, 1)] == (
        model.predict(X).tolist()
    )
    for name, value in (
        ("beam_width", 0), ("length_penalty", np.nan), ("length_penalty", np.inf), ("max_length", 0)
    ):  # fmt: skip
        before = model.get_params()[name]
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            model.set_params(**{name: value}).predict(X)
        model.set_params(**{name: before})
    for n_best in (0, 1.5, "all"):
        with pytest.raises(ValueError, match="n_best must be a positive integer"):
            model.predict_n_best(X, n_best)


@pytest.mark.parametrize("attention", ATTENTION)
def test_score_samples_are_those_of_the_oracle(attention, monkeypatch):
    model = translator(attention=attention, cell="gru", dtype="float64").fit(X, Y)
    end, hidden = len(model.target_vocabulary_), model.hidden_layer_sizes
    sources, targets, expected = [], [], []
    for x, y in zip(X, Y, strict=True):
        sources.append(np.array([[model.vocabulary_[token]] for token in x]))
        labels = np.array([*(model.target_vocabulary_[token] for token in y), end])
        targets.append((np.append(end, labels[:-1]), labels))
    specs = oracle.Spec("gru", hidden, True), oracle.Spec("gru", tuple(2 * h for h in hidden))
    logits = run_pair(specs, attention, model.weights_, sources, targets)[2]
    for z, (_, labels) in zip(logits, targets, strict=True):
        expected.append(log_softmax(z, axis=1)[np.arange(len(labels)), labels].sum())
    np.testing.assert_allclose(model.score_samples(X, Y), expected, rtol=1e-9)
    monkeypatch.setattr("skrnn._translator.decoding.DECODE_NUMBERS", 40)  # few sequences per call
    np.testing.assert_allclose(model.score_samples(X, Y), expected, rtol=1e-9)


def test_score_samples_of_what_is_predicted():
    model = translator(learning_rate_init=0.02, max_iter=15, dtype="float64").fit(X, Y)
    best = model.predict_n_best(X, 3)
    for k in range(3):
        scores = model.score_samples(X, [found[k][0] for found in best])
        np.testing.assert_allclose(scores, [found[k][1] for found in best], rtol=1e-9)
    # all targets of at most two tokens and a longer one do not have more than all probability
    every = [list(y) for n in range(3) for y in product("ABCD", repeat=n)]
    assert 0 < np.exp(model.score_samples([X[0]] * len(every), every)).sum() < 1
    assert model.score_samples(X[:2], [["A", "Z"], []])[0] == -np.inf
    with pytest.raises(ValueError, match="2 sequences and y has 1 targets"):
        model.score_samples(X[:2], Y[:1])


def test_attention_weights():
    model = translator().fit(X, Y)
    for y, given in ((None, model.predict(X)), (Y, Y)):
        for rows, source, target in zip(model.attention_weights(X, y), X, given, strict=True):
            assert rows.shape == (len(target) + 1, len(source))
            np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="attention=None has no attention weights"):
        translator(attention=None).fit(X, Y).attention_weights(X)


def test_sources_alone_and_together():
    model = translator(beam_width=3).fit(X, Y)
    together = model.predict(X)
    assert together.dtype == object
    assert together.shape == (len(X),)
    assert [model.predict([x])[0] for x in X] == together.tolist()
    assert model.predict([["new", "tokens"]]).shape == (1,)


# What it refuses


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (["ab"] * 40, TypeError, "y has 'ab' for sequence 0.*list\\(s\\) for s in y"),
        ([["A"]] * 39 + [["A", 3]], TypeError, "sequence 39 of y has 3 at step 1.*all strings"),
        ([["A"]] * 39 + [[None, "A"]], ValueError, "sequence 39 of y has None at step 0"),
        ([["A"]] * 39, ValueError, "X has 40 sequences and y has 39 targets"),
        ([["A"]] * 39 + [3], TypeError, "y has 3 for sequence 39"),
        (None, ValueError, "requires y to be passed"),
    ],
)
def test_silly_targets(y, error, message):
    model = translator().fit(X, Y)
    before = state(model)
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert state(model) == before


def test_silly_sources():
    with pytest.raises(ValueError, match="sequence 1 is empty"):
        translator().fit([["a"], []], [["A"], ["B"]])
    with pytest.raises(TypeError, match="plain strings"):
        translator().fit(["ab", "ba"], [["A"], ["B"]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attention", "luong"), ("beam_width", 0), ("length_penalty", -1), ("max_length", 0),
        ("word_dropout", 1), ("min_freq", 0), ("label_smoothing", 1),
    ],
)  # fmt: skip
def test_silly_parameters(name, value):
    with pytest.raises(InvalidParameterError, match=name):
        translator(**{name: value}).fit(X, Y)


def test_parameters():
    ours = inspect.signature(Seq2SeqTranslator).parameters
    theirs = inspect.signature(RNNClassifier).parameters
    words = ["embeddings", "freeze_embeddings", "embeddings_vocabulary"]
    new = ["attention", "beam_width", "length_penalty", "max_length", "min_freq", "word_dropout"]
    new += ["label_smoothing", *words, "copy_unknown"]
    others = {"pooling", "scaling", "class_weight", "subwords", "min_freq", "word_dropout", *words}
    shared = [name for name in theirs if name not in others]
    assert list(ours) == [*shared, *new]
    own = ("bidirectional", "learning_rate", "learning_rate_init", "n_iter_no_change")
    for name in shared:
        assert ours[name].kind == theirs[name].kind
        assert name in own or ours[name].default == theirs[name].default, name


# Going on, copies, tools


def test_partial_fit():
    model = translator(learning_rate_init=0.02, hidden_layer_sizes=(24,))
    for _ in range(60):
        assert model.partial_fit(X[:20], Y[:20], target_tokens=list("DCBAE")) is model
        model.partial_fit(X[20:], Y[20:])
    assert list(model.target_vocabulary_) == list("ABCDE")
    assert model.score(X, Y) > 0.5
    before = state(model)
    with pytest.raises(ValueError, match="sequence 1 of y has 'Z' at step 2"):
        model.partial_fit(X[:2], [["A"], ["A", "B", "Z"]])
    with pytest.raises(ValueError, match="target_tokens are not those"):
        model.partial_fit(X, Y, target_tokens=["A"])
    assert state(model) == before


def test_warm_start():
    model = translator(warm_start=True).fit(X, Y)
    loss = model.loss_
    assert model.fit(X, Y).loss_ < loss
    for name, value in (("attention", None), ("hidden_layer_sizes", (3,)), ("embedding_dim", 2)):
        kept = model.get_params()[name]
        with pytest.raises(ValueError, match=f"^{name} has changed since the network was started"):
            model.set_params(**{name: value}).fit(X, Y)
        model.set_params(**{name: kept})
    pickle.loads(pickle.dumps(model)).fit(X, Y)


def test_early_stopping():
    x, y = reversed_words(200)
    model = translator(
        early_stopping=True, learning_rate_init=0.02, max_iter=60, n_iter_no_change=5,
        validation_fraction=0.2, hidden_layer_sizes=(24,),
    ).fit(x, y)  # fmt: skip
    assert model.best_validation_score_ == max(model.validation_scores_) > -0.2
    assert len(model.validation_scores_) == model.n_iter_


def test_sample_weight():
    # a sequence that weighs nothing might as well not be there; twice is weight two
    x, y = reversed_words(30)
    how = {"batch_size": 60, "shuffle": False, "alpha": 0.0, "dtype": "float64"}
    twice = translator(**how).fit(x + x[:10], y + y[:10])
    weights = np.ones(30)
    weights[:10] = 2
    weighted = translator(**how).fit(x, y, sample_weight=weights)
    assert abs(twice.loss_ - weighted.loss_) < 1e-10
    assert 0 < model_score(weighted, x, y, weights) <= 1 or weighted.score(x, y) == 0
    for bad in (np.zeros(30), -np.ones(30), np.ones(29)):
        with pytest.raises(ValueError):
            translator().fit(x, y, sample_weight=bad)


def model_score(model, x, y, weights):
    return model.score(x, y, sample_weight=weights)


def test_copies_predict_the_same():
    model = translator().fit(X, Y)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict_n_best(X) == model.predict_n_best(X)
    assert not hasattr(clone(model), "target_vocabulary_")
    other = translator(max_iter=1, random_state=3).fit(X, Y).set_weights(model.weights_)
    assert other.predict_n_best(X) == model.predict_n_best(X)
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    damaged = model.__getstate__()
    damaged["target_vocabulary_"] = {"A": 0}
    with pytest.raises(ValueError, match="cannot be loaded: target_vocabulary_"):
        Seq2SeqTranslator().__setstate__(damaged)
    damaged = model.__getstate__()
    damaged["_architecture"] = {**damaged["_architecture"], "target_embedding": (10**9, 10**9)}
    with pytest.raises(ValueError, match="cannot be loaded"):
        Seq2SeqTranslator().__setstate__(damaged)


def test_one_random_state_one_fit_at_any_number_of_threads(monkeypatch):
    found = []
    for threads in (1, 1, 2, 5):
        use_threads(monkeypatch, threads)
        model = translator(hidden_layer_sizes=(40,), dropout=0.2, early_stopping=True).fit(X, Y)
        found.append((model._params.tobytes(), model.validation_scores_, model.predict_n_best(X)))
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("lengths", [(3, 3), (1, 6)])
@pytest.mark.parametrize("predict", [cross_val_predict, sklearn_cross_val_predict])
def test_cross_val_predict(predict, lengths):
    # targets of one length, too, are no table
    x, y = reversed_words(24)
    y = [row[:1] * lengths[i % 2] for i, row in enumerate(y)]
    model = translator(max_length=6)
    found = predict(model, x, y, cv=2)
    assert found.dtype == object
    expected = [clone(model).fit(x[12:], y[12:]).predict(x[:12])]
    expected += [clone(model).fit(x[:12], y[:12]).predict(x[12:])]
    assert found.tolist() == np.concatenate(expected).tolist()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(n_jobs):
    grid = {"attention": [None, "dot"], "beam_width": [1, 2]}
    search = GridSearchCV(translator(), grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(X, Y)
    assert 0 <= search.best_score_ <= 1
    assert len(search.predict(X)) == len(X)
    for scorer in (sequence_error_rate_scorer, token_error_rate_scorer):
        scores = cross_val_score(translator(), X, Y, cv=3, scoring=scorer)
        assert np.isfinite(scores).all() and (scores <= 0).all()


def test_diverging_is_not_silent():
    rng = np.random.default_rng(0)
    x = [1e33 * rng.standard_normal((4, 2)) for _ in range(20)]
    model = translator(cell="rnn", activation="relu", learning_rate_init=1.0)
    with pytest.raises(ValueError, match=r"overflow|diverges"), np.errstate(all="ignore"):
        model.fit(x, Y[:20])


# Metrics


def test_error_rates():
    true = [list("kitten"), ["a"], [], list("abc")]
    pred = [list("sitting"), ["a"], ["b"], []]
    assert sequence_error_rate(true, pred) == 0.75
    assert token_error_rate(true, pred) == (3 + 0 + 1 + 3) / 10
    weights = [1, 2, 0, 1]
    assert sequence_error_rate(true, pred, sample_weight=weights) == 0.5
    assert token_error_rate(true, pred, sample_weight=weights) == (3 + 3) / (6 + 2 + 3)
    arrays = [np.array(row, dtype=str) for row in true]
    assert token_error_rate(arrays, pred) == 0.7


def test_edit_distance_against_the_definition():
    def distance(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0])
        )

    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = (rng.integers(0, 3, rng.integers(0, 6)).tolist() for _ in range(2))
        assert token_error_rate([[*a, 9]], [[*b, 9]]) * (len(a) + 1) == pytest.approx(
            distance(a, b)
        )


def test_error_rates_refuse():
    for rate in (sequence_error_rate, token_error_rate):
        with pytest.raises(TypeError, match=r"sequence 0 of y_true has .* at step 0.*one list"):
            rate([[["a"], ["b"]]], [["a"]])
        with pytest.raises(TypeError, match=r"y_pred\[0\] is 'ab'"):
            rate([["a"]], ["ab"])
        with pytest.raises(ValueError, match="1 sequences but y_pred has 2"):
            rate([["a"]], [["a"], ["b"]])
        with pytest.raises(ValueError, match="sample_weight"):
            rate([["a"]], [["a"]], sample_weight=[-1])
    with pytest.raises(ValueError, match="No sequence of y_true"):
        token_error_rate([[]], [["a"]])
