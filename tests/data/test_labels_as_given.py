"""Labels of classes of strings, large integers and NumPy's strings come back as they are given."""

import enum

import numpy as np
import pytest
from tables import each

from skrnn import LSTMTagger, RNNClassifier
from skrnn.metrics import (
    entity_f1_score,
    entity_match_counts,
    entity_spans,
    flatten_labels,
    token_accuracy_score,
)
from skrnn.preprocessing import convert_tag_scheme


class Tag(str, enum.Enum):  # noqa: UP042, it is what users have
    BEGIN, INSIDE, OUT = "B-x", "I-x", "O"


LARGE = 2**63 + 1  # as a float it would be another number
CHUNKS = {
    "Enum": [Tag.BEGIN, Tag.INSIDE, Tag.OUT],
    "str_": [np.str_("B-x"), np.str_("I-x"), np.str_("O")],
}
ROWS = CHUNKS | {
    "uint64": np.array([LARGE, 5, 5], np.uint64),
    "list of uint64": list(np.array([LARGE, 5, 5], np.uint64)),
    "int": [LARGE, 5, 5],
}
PLAIN = {kind: ["B-x", "I-x", "O"] for kind in CHUNKS}


@each(kind=ROWS)
def test_estimators_and_metrics(kind):
    row = ROWS[kind]
    plain = PLAIN.get(kind, [LARGE, 5, 5])
    tagger = LSTMTagger(4, max_iter=1, tag_scheme=None).fit([["a", "b", "c"]] * 4, [row] * 4)
    assert tagger.classes_.tolist() == sorted(set(plain))
    assert set(tagger.predict([["a", "b"]])[0].tolist()) <= set(plain)
    y = [row[0], row[1]] * 2
    model = RNNClassifier(4, max_iter=1).fit([["a"], ["b"]] * 2, y)
    assert model.classes_.tolist() == sorted(plain[:2])
    assert model.score([["a"], ["b"]], y[:2]) in (0, 0.5, 1)
    assert token_accuracy_score([row], [row]) == token_accuracy_score([plain], [row]) == 1
    assert flatten_labels([row], [row])[0].tolist() == plain
    assert flatten_labels([row], [row])[1].tolist() == plain


@each(kind=CHUNKS)
def test_chunks(kind):
    row = CHUNKS[kind]
    assert entity_spans(row) == [("x", 0, 2)]
    assert entity_f1_score([row], [row]) == 1
    assert entity_match_counts([row], [row])["strict"]["correct"] == 1
    assert convert_tag_scheme([row], "BIO", "BIOES")[0] == ["B-x", "E-x", "O"]


def test_a_class_that_is_no_string_is_refused():
    plain = enum.Enum("plain", ["A", "B"])
    with pytest.raises(ValueError, match=r"a string or an integer.*\.name of an Enum"):
        LSTMTagger(4).fit([["a", "b"]] * 2, [[plain.A, plain.B]] * 2)
