"""Tag schemes: which one labels follow, and which label may follow which."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from problems import quick

from skrnn import LSTMTagger
from skrnn._data.tag_schemes import find_scheme, first_forbidden, forbidden_paths


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
        (["I-LOC", "I-PER", "O"], None),
        (["E-LOC", "O"], None),
        (["NOUN", "VERB"], None),
        (["B-PER", "I-PER", "O", "X"], None),
        (["B-PER", "L-PER", "O", "U-PER"], None),
        (["B", "I", "O"], None),
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
    assert find_scheme(np.array(classes)) == scheme


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
        (["B-A", "NOUN"], "BIO", "label 'NOUN' is not of the scheme BIO: 'O', or one of B, I with"),
        (["B-A", "S-A"], "BIO", "label 'S-A' is not of the scheme BIO.*Set tag_scheme=None"),
        (["B-A", "X-A"], "BIOES", "label 'X-A' is not of the scheme BIOES: .* B, I, E, S with"),
        (["B-A", "O-A"], "BIO", "label 'O-A' is not of"),
        (["B", "O"], "BIO", "label 'B' is not of"),
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
