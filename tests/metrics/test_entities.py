"""Entities in every scheme, as the package seqeval counts them, and malformed labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import quick
from sklearn.model_selection import cross_val_score

from skrnn import LSTMTagger
from skrnn._data.tag_schemes import SCHEMES, write_tags
from skrnn.metrics import (
    entity_classification_report,
    entity_f1_score,
    entity_f1_scorer,
    entity_precision_recall_f1_support,
    entity_spans,
)

SEQEVAL = {"IOB2": "BIO", "IOE2": "IOE2", "IOBES": "BIOES", "BILOU": "BILOU"}


def random_pair(rng, tags, kinds=("x", "y-z"), suffix=False):
    """Return labels drawn at random, and others that agree with most of them."""
    labels = ["O", *(f"{k}-{t}" if suffix else f"{t}-{k}" for t in tags for k in kinds)]
    y_true = [rng.choice(labels, n).tolist() for n in rng.integers(1, 9, 3)]
    return y_true, [[rng.choice(labels) if rng.random() < 0.3 else t for t in s] for s in y_true]


@pytest.mark.parametrize("suffix", [False, True])
@pytest.mark.parametrize("mode", ["lenient", "strict"])
@pytest.mark.parametrize("name", SEQEVAL)
def test_as_seqeval(name, mode, suffix):
    pytest.importorskip("seqeval")
    from seqeval import scheme as seqeval_schemes
    from seqeval.metrics import sequence_labeling, v1

    if mode == "lenient" and name == "BILOU":
        pytest.skip("seqeval reads BILOU strictly only")
    module, theirs = sequence_labeling, {}
    if mode == "strict":
        module, theirs = v1, {"scheme": getattr(seqeval_schemes, name)}
    rng = np.random.default_rng(suffix)
    found = 0
    for _ in range(1000):
        kinds = ("x", "y") if suffix else ("x", "y-z")
        y_true, y_pred = random_pair(rng, name.replace("O", "").strip("12"), kinds, suffix)
        options = {"scheme": SEQEVAL[name], "mode": mode, "suffix": suffix, "average": None}
        got = entity_precision_recall_f1_support(y_true, y_pred, **options)
        expected = module.precision_recall_fscore_support(
            y_true, y_pred, average=None, suffix=suffix, zero_division=0, **theirs
        )
        assert_allclose(np.array(got, float), np.array(expected, float), err_msg=str(y_true))
        found += sum(got[3])
    assert found > 500


@pytest.mark.parametrize("name", ["IOB1", "IOE1"])
def test_as_seqeval_where_labels_are_sound(name):
    pytest.importorskip("seqeval")
    from seqeval.scheme import IOB1, IOE1, Entities

    rng = np.random.default_rng(0)
    singles = 0
    for _ in range(1000):
        spans, t = [], 0
        while t < 9:
            t += int(rng.integers(0, 2))
            stop = t + int(rng.integers(1, 4))
            spans.append((str(rng.choice(["x", "y"])), t, stop))
            t = stop
        labels = ["O"] * t
        for (kind, start, stop), tags in zip(spans, [write_tags(spans, t, name)] * len(spans)):
            labels[start:stop] = [f"{tag}-{kind}" for tag in tags[start:stop]]
        assert entity_spans(labels, name, mode="strict") == spans == entity_spans(labels, name)
        scheme = {"IOB1": IOB1, "IOE1": IOE1}[name]
        theirs = {(e.tag, e.start, e.end) for e in Entities([labels], scheme).entities[0]}
        if name == "IOE1":  # theirs does not take a single step with E-
            ends = {s for s in spans if labels[s[2] - 1][0] == "E" and s[2] - s[1] == 1}
            singles += len(ends)
            assert theirs | ends == set(spans)
        else:
            assert theirs == set(spans)
    assert singles or name == "IOB1"


@pytest.mark.parametrize(
    ("labels", "scheme", "spans"),
    [
        ("B-x I-x O I-y", "BIO", [("x", 0, 2)]),
        ("B-x I-x S-x", "BIOES", [("x", 2, 3)]),
        ("B-x E-x I-x", "BIOES", [("x", 0, 2)]),
        ("B-x M-x E-x M-x", "BMES", [("x", 0, 3)]),
        ("B I E S", "auto", [("", 0, 3), ("", 3, 4)]),
        ("B-x L-x U-y L-y", "auto", [("x", 0, 2), ("y", 2, 3)]),
        ("x-B x-I y-I", "auto", [("x", 0, 2)]),
        ("I-x I-x I-y", "auto", [("x", 0, 2), ("y", 2, 3)]),
        ("O O", "auto", []),
    ],
)
def test_strict(labels, scheme, spans):
    assert entity_spans(labels.split(), scheme, mode="strict") == spans


def test_what_cannot_be_read():
    y = [["B-x", "E-x"]]
    with pytest.raises(ValueError, match=r"mode='strict' needs a scheme.*tags are \['B', 'E'\]"):
        entity_f1_score(y, y, mode="strict")
    assert entity_f1_score(y, y) == 1
    with pytest.raises(ValueError, match="mode must be 'lenient' or 'strict', got None"):
        entity_f1_score(y, y, mode=None)
    with pytest.raises(ValueError, match="'x-B' at y_true, sequence 0, step 0 is not of"):
        entity_f1_score([["x-B"]], [["x-B"]], suffix=False)
    with pytest.raises(ValueError, match=r"'b-x' at y_true.*\(in capitals\)"):
        entity_f1_score([["b-x"]], [["b-x"]])
    with pytest.raises(ValueError, match="'L-x' at y_true, sequence 0, step 1 is not of the"):
        entity_f1_score([["B-x", "L-x", "E-x"]], [["O", "O", "O"]])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scorer_finds_the_scheme(scheme):
    X = [["the", "cat", "sat", "here"], ["she"], ["y", "z"]] * 8
    spans = [[("A", 0, 1), ("A", 1, 3)], [("B", 0, 1)], [("A", 0, 2)]] * 8
    y = []
    for tokens, one in zip(X, spans, strict=True):
        tags = write_tags(one, len(tokens), scheme)
        kinds = [next((k for k, a, b in one if a <= t < b), "") for t in range(len(tokens))]
        y.append([t if t == "O" else f"{t}-{k}" for t, k in zip(tags, kinds, strict=True)])
    assert entity_f1_score(y, y) == 1
    model = quick(LSTMTagger, max_iter=2)
    scores = cross_val_score(model, X, y, cv=2, scoring=entity_f1_scorer, error_score="raise")
    assert np.isfinite(scores).all()


def test_report_as_a_dict():
    y_true, y_pred = [["B-x", "I-x", "O", "B-y"]], [["B-x", "I-x", "O", "B-x"]]
    report = entity_classification_report(y_true, y_pred, output_dict=True)
    assert report["x"] == {"precision": 0.5, "recall": 1, "f1-score": 2 / 3, "support": 1}
    assert report["micro avg"]["f1-score"] == entity_f1_score(y_true, y_pred) == 0.5
    assert {*report} == {"x", "y", "micro avg", "macro avg", "weighted avg"}
    assert "(no entities)" not in entity_classification_report([["O"]], [["O"]], output_dict=True)
