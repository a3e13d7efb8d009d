"""The contract of LSTMTagger: scikit-learn's tools, persistence, empty sequences, going on."""

import copy
import inspect
import pickle
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from problems import delayed, joined, object_array, quick, state, tagged, use_threads
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

import skrnn.metrics
from skrnn import LSTMTagger, RNNClassifier
from skrnn.metrics import entity_f1_score, entity_f1_scorer, token_accuracy_scorer
from skrnn.preprocessing import TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("crf", [False, True])
JOBS = pytest.mark.parametrize("n_jobs", [1, 2])
X, Y = tagged(40)
TAGS = ["ADJ", "NOUN", "TO", "VERB"]


def tagger(**params):
    return quick(LSTMTagger, **params)


# Parameters, copies


def test_parameters():
    ours = inspect.signature(LSTMTagger).parameters
    theirs = inspect.signature(RNNClassifier).parameters
    new = ["crf", "tag_scheme", "subwords", "min_freq", "word_dropout", "class_weight"]
    last = ["embeddings", "freeze_embeddings", "embeddings_vocabulary"]
    shared = [name for name in theirs if name not in ("pooling", "scaling", *new, *last)]
    assert list(ours) == [*shared, *new, *last]
    own = ("bidirectional", "learning_rate", "learning_rate_init", "n_iter_no_change")
    for name in shared:
        assert ours[name].kind == theirs[name].kind
        assert name in own or ours[name].default == theirs[name].default, name
    model = tagger(crf=True, tag_scheme=None, min_freq=2)
    assert set(model.get_params()) == set(ours)
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crf", "yes"),
        ("tag_scheme", "IOB"),
        ("subwords", None),
        ("min_freq", 0),
        ("min_freq", 1.5),
        ("word_dropout", 1),
        ("word_dropout", -0.1),
        ("class_weight", "even"),
    ],
)
def test_silly_parameters(name, value):
    model = tagger().fit(X, Y)
    before = joined(model.predict_proba(X))
    with pytest.raises(InvalidParameterError, match=name):
        model.set_params(**{name: value}).fit(X, Y)
    assert joined(model.predict_proba(X)) == before


@BOTH
def test_copies_predict_the_same(crf, tmp_path):
    model = tagger(crf=crf).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        copy.deepcopy(model),
    ]
    for other in copies:
        for method in ("predict", "predict_proba"):
            assert joined(getattr(other, method)(X)) == joined(getattr(model, method)(X))
        other.partial_fit(X, Y)
    again = clone(model)
    assert not hasattr(again, "classes_")
    for call in (again.predict, again.predict_proba, lambda X: again.score(X, Y)):
        with pytest.raises(NotFittedError):
            call(X)


@BOTH
def test_weights_round_trip(crf):
    source = tagger(crf=crf).fit(X, Y)
    target = tagger(crf=crf, max_iter=1, random_state=1).fit(X, Y)
    assert joined(target.predict_proba(X)) != joined(source.predict_proba(X))
    assert target.set_weights(source.weights_) is target
    assert joined(target.predict_proba(X)) == joined(source.predict_proba(X))
    before = state(target)
    names = ("crf_start", "crf_transitions", "crf_end") if crf else ("embedding_weight_10",)
    for name in names:
        with pytest.raises(ValueError, match=f"weights lack {name}"):
            target.set_weights({k: w for k, w in target.weights_.items() if k != name})
    assert state(target) == before


@BOTH
def test_one_random_state_one_fit(crf):
    first, again = (tagger(crf=crf, early_stopping=True).fit(X, Y) for _ in range(2))
    assert first._params.tobytes() == again._params.tobytes()
    assert first.validation_scores_ == again.validation_scores_
    other = tagger(crf=crf, random_state=1).fit(X, Y)
    assert first._params.tobytes() != other._params.tobytes()


@BOTH
def test_same_bits_for_any_number_of_threads(crf, monkeypatch):
    # OMP_NUM_THREADS and threadpoolctl give no more threads than there are processors
    x, y = tagged(64)
    found = []
    for threads in (1, 2, 3, 8):
        use_threads(monkeypatch, threads)
        model = tagger(crf=crf, hidden_layer_sizes=(128,), dropout=0.2).fit(x, y)
        predictions = joined(model.predict(x)) + joined(model.predict_proba(x))
        found.append((model._params.tobytes(), model.loss_curve_, predictions))
    assert all(other == found[0] for other in found[1:])


@BOTH
def test_input_is_only_read(crf):
    vectors, labels = delayed(20)
    numbers = [np.array(row, dtype=int) for row in labels]
    weights = [np.ones(len(row)) for row in labels]
    words = [np.array(sentence) for sentence in X[:20]]
    tags = [np.array(row, dtype=object) for row in Y[:20]]
    cube, table = np.ones((20, 3, 2)) * np.arange(40).reshape(20, 1, 2), np.zeros((20, 3), int)
    cube[3, 2] = np.nan
    table[::2] = 1
    table[3, 2] = -1
    cases = [
        (vectors, numbers, weights),
        (object_array(words), object_array(tags), np.ones(20)),
        (cube, table, np.ones(20)),
    ]
    for case in cases:
        for part in case:
            for array in [*part] if isinstance(part, list) or part.dtype == object else [part]:
                array.setflags(write=False)
        before = pickle.dumps(case)
        x, y, weight = case
        model = tagger(crf=crf, warm_start=True).fit(x, y, weight).fit(x, y, weight)
        model.partial_fit(x, y, sample_weight=weight)
        model.predict(x), model.predict_proba(x), model.score(x, y, weight)
        assert pickle.dumps(case) == before


# Short and empty sequences


@BOTH
def test_sentences_of_one_token(crf):
    words = [[sentence[-1]] for sentence in X]
    model = tagger(crf=crf, learning_rate_init=0.05, max_iter=30).fit(words, [t[-1:] for t in Y])
    assert model.score(words, [t[-1:] for t in Y]) > 0.9
    assert [part.shape for part in model.predict(words)] == [(1,)] * 40
    assert [part.shape for part in model.predict_proba([["zzz"]])] == [(1, 4)]


SENTENCES = X[:2]
WITH_EMPTY = {
    "first": [[], *SENTENCES],
    "middle": [SENTENCES[0], [], SENTENCES[1]],
    "last": [*SENTENCES, []],
    "several": [[], SENTENCES[0], [], [], SENTENCES[1], []],
    "only": [[]],
    "nothing else": [[], []],
}


@pytest.mark.parametrize("where", WITH_EMPTY)
@pytest.mark.parametrize("kind", ["tokens", "vectors", "ids"])
@BOTH
def test_empty_sequences_in_prediction(where, kind, crf):
    x = X
    if kind == "vectors":
        x = [np.array([[len(word), ord(word[0])] for word in sentence]) / 9.0 for sentence in X]
    elif kind == "ids":
        x = TokenEncoder().fit_transform(X)
    places = [X.index(sentence) if sentence else None for sentence in WITH_EMPTY[where]]
    empty = [] if kind == "tokens" else np.empty((0, np.shape(x[0])[1]))
    model = tagger(crf=crf, embedding_dim=None if kind == "vectors" else 3).fit(x, Y)
    given = [empty if i is None else x[i] for i in places]
    predicted, probabilities = model.predict(given), model.predict_proba(given)
    assert len(predicted) == len(probabilities) == len(given)
    plain, plain_p = model.predict(x), model.predict_proba(x)
    for tags, p, i in zip(predicted, probabilities, places, strict=True):
        assert tags.dtype == model.classes_.dtype
        assert tags.shape == ((0,) if i is None else (len(X[i]),))
        assert p.shape == ((0, 4) if i is None else (len(X[i]), 4))
        assert p.dtype == np.float32
        if i is not None:
            assert_array_equal(tags, plain[i])
            assert_array_equal(p, plain_p[i])


@pytest.mark.parametrize("batch_size", [1, 2, "auto"])
@BOTH
def test_empty_sequences_in_fit(batch_size, crf):
    x, y = [[], *X[:10], [], [], *X[10:], []], [[], *Y[:10], (), np.array([]), *Y[10:], []]
    model = tagger(crf=crf, batch_size=batch_size).fit(x, y)
    assert np.isfinite(model._params).all()
    assert np.isfinite(model.loss_curve_).all()
    assert model.score(x, y) == model.score(X, Y)
    if batch_size == "auto":
        how = {"crf": crf, "shuffle": False, "batch_size": 50, "word_dropout": 0.0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the batch size
            fits = [tagger(**how).fit(x, y), tagger(**how).fit(X, Y)]
        assert fits[0]._params.tobytes() == fits[1]._params.tobytes()


def test_all_padding_is_an_empty_sequence():
    cube = np.random.default_rng(0).normal(size=(8, 3, 2))
    cube[[0, 4, 7]] = np.nan
    y = np.tile([0, 1, 1], (8, 1))
    y[[0, 4, 7]] = -1
    predicted = tagger().fit(cube, y).predict(cube)
    assert [len(tags) for tags in predicted] == [0, 3, 3, 3, 0, 3, 3, 0]


@pytest.mark.parametrize("x", [[[], []], [np.empty((0, 2))] * 2, np.full((2, 3, 1), np.nan)])
def test_nothing_but_empty_sequences(x):
    for model in (tagger(), tagger(embedding_dim=3)):
        with pytest.raises(ValueError, match=r"is empty|there is no label at all|contains NaN"):
            model.fit(x, [[], []])
        assert not hasattr(model, "n_features_in_")


def test_nothing_left_to_hold_out():
    model = tagger(early_stopping=True, validation_fraction=0.05)
    with pytest.raises(ValueError, match="validation part have weight 0 or are empty"):
        model.fit([[]] * 96 + X[:4], [[]] * 96 + Y[:4])


# Going on


def test_partial_fit():
    model = tagger(learning_rate_init=0.02)
    for _ in range(30):
        assert model.partial_fit(X[:20], Y[:20], classes=TAGS) is model
        model.partial_fit(X[20:], Y[20:])
    assert model.score(X, Y) > 0.95
    assert model.classes_.tolist() == TAGS
    assert model.t_ == 1200
    assert set(model.vocabulary_) == {word for sentence in X[:20] for word in sentence}
    only = [i for i, tags in enumerate(Y) if "TO" not in tags]
    first = tagger().partial_fit([X[i] for i in only], [Y[i] for i in only], classes=TAGS[::-1])
    assert first.classes_.tolist() == TAGS
    first.partial_fit(X, Y, classes=np.array(TAGS))
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        tagger(early_stopping=True).partial_fit(X, Y, classes=TAGS)


def test_the_scheme_follows_the_classes_named():
    for classes, scheme in ((["S-A", "O", "B-A"], "BIOES"), (["B-A", "I-A", "O"], "BIO")):
        y = [[classes[0], *["O"] * (len(x) - 1)] for x in X]
        assert tagger().partial_fit(X, y, classes=classes).tag_scheme_ == scheme


@BOTH
def test_warm_start(crf):
    model = tagger(crf=crf, warm_start=True).fit(X, Y)
    loss = model.loss_
    assert model.fit(X, Y).loss_ < loss
    assert len(model.loss_curve_) == 6
    model.fit(X[:20], Y[:20]).fit([["new", "run"]], [["NOUN", None]])
    assert model.classes_.tolist() == TAGS
    assert "new" not in model.vocabulary_
    before = state(model)
    for name, value in (("crf", not crf), ("hidden_layer_sizes", (3,)), ("embedding_dim", 2)):
        kept = model.get_params()[name]
        with pytest.raises(ValueError, match=f"^{name} has changed since the network was started"):
            model.set_params(**{name: value}).fit(X, Y)
        assert state(model.set_params(**{name: kept})) == before


@BOTH
def test_early_stopping(crf):
    x, y = tagged(120)
    model = tagger(
        crf=crf, early_stopping=True, learning_rate_init=0.05, max_iter=60, n_iter_no_change=3,
        validation_fraction=0.2,
    ).fit(x, y)  # fmt: skip
    assert model.n_iter_ < 60
    assert -0.05 < model.best_validation_score_ == max(model.validation_scores_) < 0
    assert model.best_loss_ is None


def test_validation_scores_count_labelled_steps_by_weight():
    # one of two tags weighs nothing, or is left out: the loss of the other is small from the start
    y = [["A" if k % 2 else "B" for k in range(len(x))] for x in X]
    weights = [[float(tag == "B") for tag in tags] for tags in y]
    weights[0][:] = [1e-6] * len(X[0])
    part = [[tag if tag == "B" else None for tag in tags] for tags in y]
    part[0] = y[0]
    how = {"early_stopping": True, "class_weight": {"B": 100.0}}
    assert tagger(**how).fit(X, y).validation_scores_[0] < -0.03
    assert tagger(**how).fit(X, y, sample_weight=weights).validation_scores_[0] > -0.02
    assert tagger(**how).fit(X, part).validation_scores_[0] > -0.02
    how["scoring"] = None
    assert tagger(**how).fit(X, y, sample_weight=weights).validation_scores_ == [1.0] * 3


# scikit-learn's tools


@JOBS
def test_grid_search(n_jobs):
    grid = {"crf": [False, True], "hidden_layer_sizes": [(4,), (8,)]}
    for x, y in ((X, Y), delayed(30), (X[:9], object_array(Y[:9]))):
        search = GridSearchCV(tagger(), grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(x, y)
        assert 0 <= search.best_score_ <= 1
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert joined(search.predict(x)) == joined(search.best_estimator_.predict(x))


@JOBS
def test_grid_over_the_encoder(n_jobs):
    model = make_pipeline(
        TokenEncoder(), tagger(embedding_dim=8, learning_rate_init=0.05, max_iter=20)
    )
    grid = {"tokenencoder__suffixes": [(), (3,)], "tokenencoder__prefixes": [()]}
    grid["tokenencoder__shape"] = [False]
    x, y = tagged(80)
    search = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(x, y)
    # words are made up anew all the time, but their endings are not
    assert search.best_params_["tokenencoder__suffixes"] == (3,)
    assert search.best_score_ > 0.9
    assert search.cv_results_["mean_test_score"][0] < 0.8
    assert search.predict([["zzzzing"]])[0].tolist() == ["VERB"]
    assert joined(pickle.loads(pickle.dumps(search)).predict(x)) == joined(search.predict(x))


@BOTH
def test_cross_val_predict(crf):
    predicted = cross_val_predict(tagger(crf=crf), X, Y, cv=KFold(4))
    probabilities = skrnn.metrics.cross_val_predict(
        tagger(crf=crf), X, Y, cv=KFold(4), method="predict_proba"
    )
    for i, (train, test) in enumerate(KFold(4).split(X)):
        model = tagger(crf=crf).fit([X[k] for k in train], [Y[k] for k in train])
        held_out = [X[k] for k in test]
        assert joined(predicted[test]) == joined(model.predict(held_out)), i
        assert joined(probabilities[test]) == joined(model.predict_proba(held_out)), i
    equal, y = delayed(12, lengths=[4] * 12)
    assert cross_val_predict(tagger(crf=crf), equal, y, cv=3).shape == (12,)


def test_scorers():
    model = tagger().fit(X, Y)
    assert token_accuracy_scorer(model, X, Y) == model.score(X, Y)
    chunks = [["B-A" if tag == "TO" else "O" for tag in tags] for tags in Y]
    model = tagger(learning_rate_init=0.05, max_iter=20).fit(X, chunks)
    expected = entity_f1_score(chunks, model.predict(X))
    assert entity_f1_scorer(model, X, chunks) == expected > 0.9
    scores = cross_val_score(tagger(), X, chunks, cv=3, scoring=entity_f1_scorer)
    assert np.isfinite(scores).all()
    search = GridSearchCV(
        tagger(), {"crf": [False, True]}, cv=2, refit="f1", error_score="raise",
        scoring={"f1": entity_f1_scorer, "accuracy": token_accuracy_scorer},
    ).fit(X, chunks)  # fmt: skip
    assert np.isfinite(search.best_score_)
