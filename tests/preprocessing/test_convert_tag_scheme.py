"""Labels from one tag scheme to another, and back."""

from itertools import permutations

import pytest

from skrnn.preprocessing import convert_tag_scheme

SAME = {
    "BIO": "B-x I-x O B-y B-y I-y I-y",
    "BIOES": "B-x E-x O S-y B-y I-y E-y",
    "BILOU": "B-x L-x O U-y B-y I-y L-y",
    "BMES": "B-x E-x O S-y B-y M-y E-y",
    "IOB1": "I-x I-x O I-y B-y I-y I-y",
    "IOE1": "I-x I-x O E-y I-y I-y I-y",
    "IOE2": "I-x E-x O E-y I-y I-y E-y",
}


@pytest.mark.parametrize(("source", "target"), list(permutations(SAME, 2)))
def test_all_to_all(source, target):
    before, after = SAME[source].split(), SAME[target].split()
    assert convert_tag_scheme([before, []], source, target) == [after, []]
    behind = [["-".join(reversed(label.split("-"))) for label in row] for row in (before, after)]
    assert convert_tag_scheme(behind[:1], source, target) == behind[1:]


def test_plain():
    assert convert_tag_scheme([["B", "I", "O"]], "IOB2", "IOBES") == [["B", "E", "O"]]
    assert convert_tag_scheme([["B-x", "I-x", "B-y"]], "BIO", "IO") == [["I-x", "I-x", "I-y"]]


@pytest.mark.parametrize(
    ("row", "source", "target", "message"),
    [
        (["O", "I-x"], "BIO", "BIOES", "sequence 0 has 'I-x' at step 1, where BIO would write 'B'"),
        (["B-x", None], "BIO", "BIOES", "sequence 0 has no label at step 1"),
        (["B-x", "B-x"], "BIO", "IO", "two entities of one type side by side at step 0, which IO"),
        (["S-x"], "BIO", "BIOES", "'S-x' at sequence 0, step 0 is not of the scheme 'BIO'"),
        (["O"], "BIO", "auto", "scheme must be one of"),
    ],
)
def test_refused(row, source, target, message):
    with pytest.raises(ValueError, match=message):
        convert_tag_scheme([row], source, target)
