"""Tag schemes: which one labels follow, and which label may follow which."""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from problems import quick

from skrnn import LSTMTagger
from skrnn._data.tag_schemes import (
    SCHEMES,
    find_schemes,
    find_spans,
    first_forbidden,
    forbidden_paths,
    has_suffixes,
    write_tags,
)


@pytest.mark.parametrize(
    ("classes", "scheme"),
    [
        (["B-PER", "I-PER", "O"], "BIO"),
        (["B-PER", "O"], "BIO"),
        (["B-", "I-", "O"], "BIO"),
        (["B-A", "B-B-C", "I-A", "I-B-C"], "BIO"),
        (["B-PER", "E-PER", "I-PER", "O", "S-PER"], "BIOES"),
        (["O", "S-PER"], "BIOES"),
        (["B-PER", "E-PER", "O"], "BIOES"),
        (["I-LOC", "I-PER", "O"], "IO"),
        (["E-LOC", "O"], "IOE2"),
        (["E-LOC", "I-LOC"], "IOE2"),
        (["B-LOC", "E-LOC"], None),  # none may stand alone
        (["B-W", "E-W", "M-W", "S-W"], "BMES"),
        (["B", "E", "M", "S"], "BMES"),
        (["B", "E", "O", "S"], None),  # letters may mean anything
        (["B-PER", "M-PER", "L-PER", "O"], None),
        (["NOUN", "VERB"], None),
        (["B-PER", "I-PER", "O", "X"], None),
        (["B-PER", "L-PER", "O", "U-PER"], "BILOU"),
        (["B", "I", "O"], "BIO"),
        (["B", "O"], None),
        (["PER-B", "PER-I", "O"], "BIO"),
        (["S-B", "B-I", "O"], "BIOES"),  # types B and I
        (["PER-B", "I-PER", "O"], None),
        (["B-PER", "O", "O-PER"], None),
        (["", "B-PER", "O"], None),
        (["-", "B-PER"], None),
        (["b-per", "i-per", "o"], None),
        (["O", "P"], None),
        ([0, 1, 2], None),
        ([False, True], None),
    ],
)
def test_scheme(classes, scheme):
    assert next(iter(find_schemes(np.array(classes).tolist())), None) == scheme


def test_suffixes():
    assert has_suffixes(["PER-B", "I-I", "O"])
    for labels in (["B-PER", "O"], ["B-I", "I-B"], ["B", "O"], ["O"], [], ["PER-X"], [1, 2]):
        assert not has_suffixes(labels)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_allowed_is_what_the_scheme_writes(scheme):
    tags = [tag for tag in SCHEMES[scheme].tags if tag != "O"]
    classes = np.array(["O", *(f"{tag}-{kind}" for tag in tags for kind in "xy")])
    forbidden = forbidden_paths(classes, scheme)
    n_allowed = 0
    for codes in product(range(len(classes)), repeat=3):
        labels = classes[list(codes)].tolist()
        offsets = np.array([0, 3])
        allowed = first_forbidden(np.array(codes), offsets, forbidden) is None
        spans = find_spans(labels, scheme)
        written = write_tags(spans, 3, scheme)
        assert allowed == (written == [label[0] for label in labels]), labels
        n_allowed += allowed
        strict = find_spans(labels, scheme, strict=True)
        assert set(strict) <= set(spans)
        assert (strict == spans) or not allowed
    # Two spans of a type side by side are one span to IO; the others tell all spans apart.
    assert n_allowed == (27 if scheme == "IO" else 41)
    behind = np.array([label if label == "O" else label[::-1] for label in classes])
    assert_array_equal(forbidden_paths(behind, scheme), forbidden)


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        ([["I-x", "B-x", "O"], ["I-y", "I-y"]], "IOB1"),
        ([["B-x", "B-x", "O"], ["O", "I-y"]], None),
        ([["E-x", "I-x", "O"]], "IOE1"),
        ([["I-x", "E-x", "O"]], "IOE2"),
    ],
)
def test_the_scheme_that_y_keeps(labels, scheme):
    X = [["a"] * len(row) for row in labels]
    model = quick(LSTMTagger)
    if scheme is None:
        with pytest.warns(UserWarning, match="look like BIO, but y itself"):
            model.fit(X, labels)
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "The labels look like")
            model.fit(X, labels)
    assert model.tag_scheme_ == scheme


def test_small_letters_are_told():
    X, y = [["a", "b"]] * 4, [["b-per", "i-per"], ["o", "o"]] * 2
    with pytest.warns(UserWarning, match="look like BIO in small letters: 'b-per'"):
        assert quick(LSTMTagger).fit(X, y).tag_scheme_ is None
    with pytest.raises(ValueError, match=r"'b-per' is not of the scheme BIO: .*\(in capitals\)"):
        quick(LSTMTagger, tag_scheme="IOB2").fit(X, y)


def table(text):
    return np.array([[mark == "x" for mark in row.split()] for row in text.strip().splitlines()])


def test_forbidden_paths_of_bio():
    classes = np.array(["B-A", "B-B", "I-A", "I-B", "O"])
    expected = table("""
        . . x x .
        . . . x .
        . . x . .
        . . . x .
        . . x . .
        . . x x .
        . . . . .
    """)  # start; after B-A, B-B, I-A, I-B, O; end
    assert_array_equal(forbidden_paths(classes, "BIO"), expected)


def test_forbidden_paths_of_bioes():
    classes = np.array(["B-A", "E-A", "E-B", "I-A", "O", "S-B"])
    expected = table("""
        . x x x . .
        x . x . x x
        . x x x . .
        . x x x . .
        x . x . x x
        . x x x . .
        . x x x . .
        x . . x . .
    """)  # start; after B-A, E-A, E-B, I-A, O, S-B; end
    assert_array_equal(forbidden_paths(classes, "BIOES"), expected)


@pytest.mark.parametrize(
    ("classes", "scheme", "message"),
    [
        (
            ["B-A", "NOUN"],
            "BIO",
            "label 'NOUN' is not of the scheme BIO: 'O', or one of B, I, alone or with",
        ),
        (["B-A", "S-A"], "BIO", "label 'S-A' is not of the scheme BIO.*Set tag_scheme=None"),
        (
            ["B-A", "X-A"],
            "BIOES",
            "label 'X-A' is not of the scheme BIOES: .* B, I, E, S, alone or with",
        ),
        (["B-A", "O-A"], "BIO", "label 'O-A' is not of"),
        (["X", "O"], "BIO", "label 'X' is not of"),
        (["", "O"], "BIO", "label '' is not of"),
        (["BI-A", "O"], "BIO", "label 'BI-A' is not of"),
        ([0, 1], "BIO", "label 0 is not of"),
        (["I-A", "I-B"], "BIO", r"No label of \['I-A', 'I-B'\] may stand alone.*tag_scheme=None"),
        (["B-A", "E-A"], "BIOES", r"No label of \['B-A', 'E-A'\] may stand alone"),
    ],
)
def test_labels_that_a_scheme_has_not(classes, scheme, message):
    with pytest.raises(ValueError, match=message):
        forbidden_paths(np.array(classes), scheme)
    model = quick(LSTMTagger, tag_scheme=scheme)
    with pytest.raises(ValueError, match=message):
        model.fit([["a", "b"]] * 4, [classes] * 4)
    assert not hasattr(model, "classes_")


def test_first_forbidden():
    classes = np.array(["B-x", "I-x", "O"])
    forbidden = forbidden_paths(classes, "BIO")
    offsets = np.array([0, 2, 2, 3, 5])

    def first(*codes):
        return first_forbidden(np.array(codes), offsets, forbidden)

    assert first(0, 1, 2, 0, 1) is None
    assert first(0, 1, 2, 2, 1) == 4
    assert first(0, 1, 1, 2, 1) == 2  # at a start, after an empty sequence
    assert first(0, 1, 2, -1, 1) is None
    bioes = forbidden_paths(np.array(["B-x", "E-x", "O"]), "BIOES")
    assert first_forbidden(np.array([0, 1, 2, 2, 0]), offsets, bioes) == 4  # an open end
