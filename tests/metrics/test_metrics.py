"""Scores of label sequences, against conlleval, published figures and scikit-learn."""

import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import DATA
from sklearn import config_context, metrics, model_selection
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB

from skrnn.datasets import read_conll
from skrnn.metrics import (
    cross_val_predict,
    entity_classification_report,
    entity_f1_score,
    entity_f1_scorer,
    entity_precision_recall_f1_support,
    entity_precision_score,
    entity_recall_score,
    entity_spans,
    flatten_labels,
    token_accuracy_score,
    token_accuracy_scorer,
)


def ragged(sequences):
    """Return a 1-D object array of arrays, as estimators do, also where all lengths are equal."""
    return np.fromiter(map(np.asarray, sequences), dtype=object, count=len(sequences))


# Steps


def test_token_accuracy_by_hand():
    y_true = [["D", "N", "V"], ["N"], []]
    y_pred = ragged([["D", "N", "N"], ["V"], []])
    assert token_accuracy_score(y_true, y_pred) == 2 / 4
    assert isinstance(token_accuracy_score(ragged(y_true), y_pred), float)
    assert token_accuracy_score(np.array([[0, 1], [1, 1]]), [[0, 1], [1, 0]]) == 3 / 4


@pytest.mark.parametrize("none", [None, -1, np.int8(-1), np.nan, np.float32("nan"), pd.NA])
def test_steps_without_label_do_not_count(none):
    y_true = [[0, none], [none, none], [1, 2, none]]
    y_pred = [[0, 5], [0, 0], [1, 1, 7]]
    assert token_accuracy_score(y_true, y_pred) == 2 / 3
    true, pred = flatten_labels(y_true, y_pred)
    assert_array_equal(true, [0, 1, 2])
    assert_array_equal(pred, [0, 1, 1])
    assert true.dtype == pred.dtype == int


def test_minus_one_predicted_is_a_label():
    assert token_accuracy_score([[0, 1]], [[-1, 1]]) == 1 / 2


def test_token_accuracy_weights():
    y_true, y_pred = [["a", "b"], ["a", None, "b"]], [["a", "a"], ["a", "a", "b"]]
    assert token_accuracy_score(y_true, y_pred, sample_weight=[3, 1]) == (3 + 1 + 1) / 8
    a_step = [[1, 2], np.array([4, 100, 8])]
    assert token_accuracy_score(y_true, y_pred, sample_weight=a_step) == (1 + 4 + 8) / 15
    # Sequences of one length make a 2-D array of weights.
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert token_accuracy_score([[0, 0], [0, 0]], [[0, 1], [1, 0]], sample_weight=weights) == 0.5


def test_flat_labels_are_what_scikit_learn_takes():
    y_true, y_pred = [["D", "N"], [None, "V"]], ragged([["D", "V"], ["D", "V"]])
    flat = flatten_labels(y_true, y_pred)
    assert metrics.accuracy_score(*flat) == token_accuracy_score(y_true, y_pred) == 2 / 3
    assert "weighted avg" in metrics.classification_report(*flat, zero_division=0)


# Where entities start and stop


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("", []),
        ("O O", []),
        ("B-x I-x O", [("x", 0, 2)]),
        ("O B-x I-x", [("x", 1, 3)]),  # to the end of the sequence
        ("B-x", [("x", 0, 1)]),
        ("B-x B-x", [("x", 0, 1), ("x", 1, 2)]),
        ("B-x I-x B-x I-x", [("x", 0, 2), ("x", 2, 4)]),
        ("B-x B-y", [("x", 0, 1), ("y", 1, 2)]),
        # Malformed
        ("I-x I-x", [("x", 0, 2)]),
        ("O I-x", [("x", 1, 2)]),
        ("B-x I-y", [("x", 0, 1), ("y", 1, 2)]),
        ("I-x I-y I-x", [("x", 0, 1), ("y", 1, 2), ("x", 2, 3)]),
        ("B-x O I-x", [("x", 0, 1), ("x", 2, 3)]),
        # The type is all after the first hyphen, and may be missing.
        ("B-creative-work I-creative-work", [("creative-work", 0, 2)]),
        ("B-creative-work I-creative-act", [("creative-work", 0, 1), ("creative-act", 1, 2)]),
        ("B I B", [("", 0, 2), ("", 2, 3)]),
        ("B I-x", [("", 0, 1), ("x", 1, 2)]),
        ("B-x O-x I-x", [("x", 0, 1), ("x", 2, 3)]),
    ],
)
def test_spans(labels, spans):
    assert entity_spans(labels.split()) == spans
    assert entity_spans(np.array(labels.split(), dtype=str)) == spans
    assert entity_spans(labels.split(), scheme="BIOES") == spans


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("B-x I-x E-x", [("x", 0, 3)]),
        ("B-x E-x S-x O S-y", [("x", 0, 2), ("x", 2, 3), ("y", 4, 5)]),
        ("S-x S-x", [("x", 0, 1), ("x", 1, 2)]),
        ("B-x E-x B-x E-x", [("x", 0, 2), ("x", 2, 4)]),
        # Malformed
        ("E-x", [("x", 0, 1)]),
        ("O E-x E-x", [("x", 1, 2), ("x", 2, 3)]),
        ("E-x I-x", [("x", 0, 1), ("x", 1, 2)]),
        ("S-x I-x E-x", [("x", 0, 1), ("x", 1, 3)]),
        ("S-x E-x", [("x", 0, 1), ("x", 1, 2)]),
        ("B-x S-x", [("x", 0, 1), ("x", 1, 2)]),
        ("I-x S-x", [("x", 0, 1), ("x", 1, 2)]),
        ("B-x E-y", [("x", 0, 1), ("y", 1, 2)]),
        ("B-x I-x O E-x", [("x", 0, 2), ("x", 3, 4)]),
    ],
)
def test_spans_with_ends(labels, spans):
    assert entity_spans(labels.split(), scheme="BIOES") == spans


def test_spans_do_not_cross_sequences():
    _, _, _, support = entity_precision_recall_f1_support(
        [["B-x"], ["I-x"]], [["B-x"], ["I-x"]], average=None
    )
    assert support == [2]
    # The same span elsewhere is another.
    assert entity_f1_score([["B-x"], ["O"]], [["O"], ["B-x"]]) == 0


# Counting


def conlleval(y_true, y_pred):
    """Count as conlleval.pl does, token by token: {type: [correct, true, predicted]}.

    A port of the script of the CoNLL-2000 shared task with the lines for S, and for B after E, of
    its variant for BIOES.
    """

    def split(label):
        match = re.fullmatch("([^-]*)-(.*)", label)
        return match.groups() if match else (label, "")

    def ends(last, last_type, tag, type_):
        pairs = "BB BO BS IB IO IS EE EI EO ES EB SE SI SO SS SB"
        return last + tag in pairs or (last != "O" and last_type != type_)

    def starts(last, last_type, tag, type_):
        pairs = "BB IB OB SB EB BS IS OS SS ES OI SI EI SE EE OE"
        return last + tag in pairs or (tag != "O" and last_type != type_)

    counts = {}
    inside = False
    last_true = last_pred = ("O", "")
    steps = []
    for true, pred in zip(y_true, y_pred):
        steps += [*zip(true, pred), ("O", "O")]  # a boundary is outside
    for true, pred in steps:
        true, pred = split(true), split(pred)
        true_ends, pred_ends = ends(*last_true, *true), ends(*last_pred, *pred)
        true_starts, pred_starts = starts(*last_true, *true), starts(*last_pred, *pred)
        if inside:
            if true_ends and pred_ends and last_true[1] == last_pred[1]:
                inside = False
                counts[last_true[1]][0] += 1
            elif true_ends != pred_ends or true[1] != pred[1]:
                inside = False
        if true_starts and pred_starts and true[1] == pred[1]:
            inside = True
        if true_starts:
            counts.setdefault(true[1], [0, 0, 0])[1] += 1
        if pred_starts:
            counts.setdefault(pred[1], [0, 0, 0])[2] += 1
        last_true, last_pred = true, pred
    return counts


def shares(correct, true, predicted):
    precision = correct / predicted if predicted else 0.0
    recall = correct / true if true else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("n_types", [1, 2, 3])
def test_as_conlleval_counts(scheme, n_types):
    rng = np.random.default_rng(n_types)
    labels = ["O", *(f"{t}-{k}" for t in scheme if t != "O" for k in ("", "x", "y-z")[:n_types])]
    malformed = correct = 0
    for _ in range(25):
        y_true = [rng.choice(labels, n).tolist() for n in rng.integers(0, 12, 4)]
        # Mostly right, for chunks of some length to be right.
        y_pred = [[rng.choice(labels) if rng.random() < 0.2 else t for t in s] for s in y_true]
        counts = conlleval(y_true, y_pred)
        got = entity_precision_recall_f1_support(y_true, y_pred, scheme=scheme, average=None)
        assert_allclose(np.array(got[:3]).T, [shares(*counts[k]) for k in sorted(counts)])
        assert_array_equal(got[3], [counts[k][1] for k in sorted(counts)])
        overall = shares(*np.sum([*counts.values()], axis=0)) if counts else (0, 0, 0)
        got = entity_precision_recall_f1_support(y_true, y_pred, scheme=scheme)
        assert_allclose(got[:3], overall)
        malformed += any(s and s[0][0] in "IE" for s in y_true)
        correct += sum(c for c, _, _ in counts.values())
    assert malformed > 12 and correct > 75


PEOPLE = (
    [["B-per", "I-per", "O", "B-loc"], ["B-org", "O", "B-loc"]],
    [["B-per", "I-per", "O", "B-org"], ["B-org", "I-org", "B-loc"]],
)  # per 1 right of 1 and 1; loc 1 of 2 true and 1 predicted; org 0 of 1 and 2


def test_averages_by_hand():
    precision, recall, f1, support = entity_precision_recall_f1_support(*PEOPLE, average=None)
    assert_allclose(precision, [1, 0, 1])  # loc, org, per
    assert_allclose(recall, [1 / 2, 0, 1])
    assert_allclose(f1, [2 / 3, 0, 1])
    assert_array_equal(support, [2, 1, 1])
    assert entity_precision_recall_f1_support(*PEOPLE) == (2 / 4, 2 / 4, 1 / 2, None)
    macro = entity_precision_recall_f1_support(*PEOPLE, average="macro")
    assert_allclose(macro[:3], [2 / 3, 1 / 2, 5 / 9])


def test_single_scores():
    y_true, y_pred = [["B-x", "B-x", "B-x", "O"]], [["B-x", "O", "O", "B-x"]]
    assert entity_precision_score(y_true, y_pred) == 1 / 2
    assert entity_recall_score(y_true, y_pred) == 1 / 3
    assert_allclose(entity_f1_score(y_true, y_pred), 2 / 5)
    for score in (entity_precision_score, entity_recall_score, entity_f1_score):
        options = {"average": "macro", "labels": ["x", "z"]}
        assert score(y_true, y_pred, **options) == score(y_true, y_pred) / 2
        assert score([["S-x"]], [["E-x"]], scheme="BIOES", zero_division=1.0) == 1
        assert score([["O"]], [["O"]], zero_division=1.0) == 1


def test_chosen_types():
    f1 = entity_f1_score(*PEOPLE, average=None, labels=["per", "none", "loc"])
    assert_allclose(f1, [1, 0, 2 / 3])
    assert_allclose(entity_f1_score(*PEOPLE, labels=["per", "loc"]), 2 * 2 / (3 + 2))


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("y", [[], [[]], [["O", None]]])
def test_no_entities(y, average):
    assert entity_precision_recall_f1_support(y, y, average=average) == (0, 0, 0, None)
    got = entity_precision_recall_f1_support(y, y, average=average, zero_division=np.nan)
    assert np.isnan(got[:3]).all()
    with pytest.warns(UndefinedMetricWarning):
        entity_precision_score(y, y, average=average, zero_division="warn")
    assert [len(s) for s in entity_precision_recall_f1_support(y, y, average=None)] == [0] * 4
    assert "(no entities)" in entity_classification_report(y, y)


def test_what_is_predicted_where_there_is_no_label_is_not_judged():
    y_true = [["B-x", None, "O", np.nan, "I-x"]]
    assert entity_precision_recall_f1_support(y_true, [["B-x", "I-x", "O", "B-y", "I-x"]]) == (
        *(1, 1, 1),
        None,
    )
    # The step is outside: it cuts what is predicted across it.
    got = entity_precision_recall_f1_support([[None, "O"]], [["B-x", "I-x"]], average=None)
    assert_array_equal(got, [[0], [0], [0], [0]])
    assert entity_spans(["B-x", None, "I-x"]) == [("x", 0, 1), ("x", 2, 3)]


def test_report():
    report = entity_classification_report(*PEOPLE, digits=3)
    rows = {row[:12].strip(): row[12:].split() for row in report.splitlines() if row.strip()}
    assert rows["loc"] == ["1.000", "0.500", "0.667", "2"]
    assert rows["org"] == ["0.000", "0.000", "0.000", "1"]
    assert rows["micro avg"] == ["0.500", "0.500", "0.500", "4"]
    assert rows["macro avg"] == ["0.667", "0.500", "0.556", "4"]
    assert "loc" not in entity_classification_report(*PEOPLE, labels=["per"])
    assert "nan" in entity_classification_report([["O"]], [["B-x"]], zero_division=np.nan)


# Published: Derczynski et al. (2017), WNUT-2017 shared task, F1 (entity).
@pytest.mark.parametrize(
    ("name", "published"), [("uh_ritual", 41.86), ("sjtu_adapt.txt", 40.42), ("flytxt", 38.35)]
)
def test_published_figures(name, published):
    folder = DATA / "wnut17"
    files = [folder / "emerging.test.annotated", folder / "submissions" / name]
    if not all(file.is_file() for file in files):
        pytest.skip(f"emerging.test.annotated and submissions/{name} are not in {folder}")
    (X, y_true), (X_pred, y_pred) = map(read_conll, files)
    assert X_pred == X
    assert round(100 * entity_f1_score(y_true, y_pred), 2) == published
    report = entity_classification_report(y_true, y_pred, digits=4)
    assert f"{entity_f1_score(y_true, y_pred):.4f}" in re.search("micro avg.*", report)[0].split()


# Errors

SCORES = [token_accuracy_score, flatten_labels, entity_f1_score, entity_classification_report]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "error", "text"),
    [
        ([["O"]], [["O"], ["O"]], ValueError, "y_true has 1 sequences but y_pred has 2"),
        ([["O"], ["O"]], [["O"], ["O", "O"]], ValueError, "Sequence 1 has 1 .* but 2 in y_pred"),
        (["B-x", "O"], [["B-x", "O"]], TypeError, r"y_true\[0\] is 'B-x'.*lists of such lists"),
        ([["O"]], ["O"], TypeError, r"y_pred\[0\] is 'O'"),
        ("O", [["O"]], TypeError, "y_true is 'O'"),
        ([["O"], 1], [["O"], [1]], TypeError, r"y_true\[1\] is 1"),
        ([["O"]], None, TypeError, "y_pred is None"),
        (np.array(0), [["O"]], TypeError, "y_true is array"),
    ],
)
def test_labels_that_do_not_fit(score, y_true, y_pred, error, text):
    with pytest.raises(error, match=text):
        score(y_true, y_pred)


@pytest.mark.parametrize("label", ["X-per", "b-per", "", "per", "BI-per", 3])
def test_labels_out_of_the_scheme(label):
    with pytest.raises(ValueError, match="y_pred, sequence 1, step 2 is not of the scheme 'BIO'"):
        entity_f1_score([["O"], ["O"] * 3], [["O"], ["O", "B-x", label]])
    with pytest.raises(ValueError, match=f"Label {label!r} at step 0"):
        entity_spans([label])


def test_other_errors():
    with pytest.raises(ValueError, match="scheme must be one of"):
        entity_spans(["O"], scheme="BILUO")
    with pytest.raises(TypeError, match="'B-x', which is not a list"):
        entity_spans("B-x")
    with pytest.raises(ValueError, match="3 items for 1 sequences"):
        token_accuracy_score([["a"]], [["a"]], sample_weight=[1, 1, 1])
    with pytest.raises(ValueError, match=r"sequence 1 has 2 step.* has 1 for it"):
        token_accuracy_score([["a"], ["a", "b"]], [["a"], ["a", "b"]], sample_weight=[[1], [1]])
    for y, weight in (([[]], None), ([[None]], None), ([["a"]], [0])):
        with pytest.raises(ValueError, match="No step"):
            token_accuracy_score(y, y, sample_weight=weight)


# In scikit-learn


class MostFrequent(BaseEstimator):
    """Each token's most frequent label; what is unseen gets the label `other`."""

    def __init__(self, other="O"):
        self.other = other

    def fit(self, X, y, sample_weight=None):
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        self.counts_ = {}
        for tokens, labels, weight in zip(X, y, weights, strict=True):
            for token, label in zip(tokens, labels, strict=True):
                self.counts_.setdefault(token, Counter())[label] += weight
        self.classes_ = np.unique([label for labels in y for label in labels])
        return self

    def predict(self, X):
        likely = {token: count.most_common(1)[0][0] for token, count in self.counts_.items()}
        return ragged([[likely.get(token, self.other) for token in tokens] for tokens in X])

    def predict_proba(self, X):
        rows = {t: np.array([c[k] for k in self.classes_]) for t, c in self.counts_.items()}
        none = np.ones(len(self.classes_))
        probabilities = [[rows.get(token, none) for token in tokens] for tokens in X]
        return ragged([(p := np.array(r)) / p.sum(axis=1, keepdims=True) for r in probabilities])

    def predict_log_proba(self, X):
        with np.errstate(divide="ignore"):
            return ragged([np.log(p) for p in self.predict_proba(X)])


def tagged(n=30, longest=5, seed=0):
    """Sentences of letters; a's are entities, sometimes."""
    rng = np.random.default_rng(seed)
    lengths = np.full(n, 3) if longest == 3 else rng.integers(1, longest, n)
    X = [rng.choice(list("abcd"), size).tolist() for size in lengths]
    return X, [["B-x" if t == "a" and rng.random() < 0.8 else "O" for t in s] for s in X]


@pytest.mark.parametrize("longest", [5, 3], ids=["ragged", "equal"])
@pytest.mark.parametrize("form", [list, ragged])
@pytest.mark.parametrize(
    ("scorer", "score"),
    [(token_accuracy_scorer, token_accuracy_score), (entity_f1_scorer, entity_f1_score)],
)
def test_scorers_in_model_selection(scorer, score, form, longest):
    X, y = tagged(longest=longest)
    search = GridSearchCV(
        MostFrequent(), {"other": ["B-x", "O"]}, scoring=scorer, cv=3, error_score="raise"
    ).fit(X, form(y))
    assert search.score(X, y) == score(y, search.predict(X))
    folds = cross_val_score(MostFrequent(), X, form(y), scoring=scorer, cv=3, error_score="raise")
    split = KFold(3).split(X)
    for got, (train, test) in zip(folds, split, strict=True):
        fitted = MostFrequent().fit([X[i] for i in train], [y[i] for i in train])
        assert got == score([y[i] for i in test], fitted.predict([X[i] for i in test])) > 0
    assert search.cv_results_["mean_test_score"][1] == np.mean(folds)


def test_the_search_finds_the_better():
    X = [[letter] * size for letter, size in zip("abcdef", (1, 2, 3, 1, 2, 3))]
    y = [["I-x"] * len(x) for x in X]
    for scorer in (token_accuracy_scorer, entity_f1_scorer):
        search = GridSearchCV(MostFrequent(), {"other": ["O", "I-x"]}, scoring=scorer, cv=3)
        assert_array_equal(search.fit(X, y).cv_results_["mean_test_score"], [0, 1])
        assert search.best_params_ == {"other": "I-x"}


@pytest.mark.parametrize("longest", [5, 3], ids=["ragged", "equal"])
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict(method, longest, n_jobs):
    X, y = tagged(longest=longest)
    cv = KFold(3, shuffle=True, random_state=0)
    got = cross_val_predict(MostFrequent(), X, y, cv=cv, method=method, n_jobs=n_jobs)
    assert got.dtype == object and got.shape == (len(X),)
    for train, test in cv.split(X):
        fitted = MostFrequent().fit([X[i] for i in train], [y[i] for i in train])
        assert_array_equal(fitted.classes_, ["B-x", "O"])
        for i in test:
            assert_array_equal(got[i], getattr(fitted, method)([X[i]])[0])


def test_scikit_learn_s_own_fails_on_label_sequences():
    X, y = tagged()
    model_selection.cross_val_predict(MostFrequent(), X, y)
    with pytest.raises(ValueError):  # else ours is not needed
        model_selection.cross_val_predict(MostFrequent(), X, y, method="predict_proba")


@pytest.mark.parametrize(
    ("method", "known", "unknown"),
    [("predict_proba", 0.5, 0), ("predict_log_proba", np.log(0.5), np.finfo(float).min)],
)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_predict_with_classes_missing_in_folds(method, known, unknown, n_jobs):
    X = [["p"], ["p"], ["q", "q"], ["q"], ["r"], ["r"]]
    y = [["b"], ["b"], ["c", "a"], ["a"], ["c"], ["c"]]  # the folds know a c, b c, a b c
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold") as record:
        got = cross_val_predict(MostFrequent(), X, y, cv=KFold(3), n_jobs=n_jobs, method=method)
    assert len(record) == 2  # not one a sequence
    assert record[0].filename == __file__
    assert_allclose(got[1], [[known, unknown, known]])
    assert_allclose(got[2], [[unknown, known, known]] * 2)
    assert_allclose(got[4], [np.full(3, 1 / 3) if unknown == 0 else np.log(np.full(3, 1 / 3))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_val_predict(MostFrequent(), X * 2, y * 2, cv=KFold(2), method=method)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict_passes_on(method):
    X, y = [["p"]] * 4, [["a"], ["b"], ["a"], ["b"]]
    options = {"method": method, "cv": model_selection.LeaveOneGroupOut(), "groups": [0, 0, 1, 1]}
    heavy_b = cross_val_predict(
        MostFrequent(), X, y, params={"sample_weight": [1, 3] * 2}, **options
    )
    expected = ["b"] if method == "predict" else [[0.25, 0.75]]
    for one in heavy_b:
        assert_array_equal(one, expected)
    estimator = MostFrequent()
    with config_context(enable_metadata_routing=True):
        asks = MostFrequent().set_fit_request(sample_weight=True)
        params = {"sample_weight": [1, 3] * 2, "groups": options.pop("groups")}
        routed = cross_val_predict(asks, X, y, params=params, **options)
    for one, other in zip(routed, heavy_b, strict=True):
        assert_array_equal(one, other)
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(estimator, X, y, cv=ShuffleSplit(3), method=method)
    assert not hasattr(estimator, "classes_"), "the estimator given is not fitted"


def test_cross_val_predict_of_one_label_a_sequence():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    got = cross_val_predict(GaussianNB(), X, y, method="predict_proba")
    own = model_selection.cross_val_predict(GaussianNB(), X, y, method="predict_proba")
    assert_array_equal(got, own)
