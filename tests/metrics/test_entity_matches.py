"""Counts of entities that are found in part, as the package nervaluate has them."""

import numpy as np
import pytest

from skrnn.metrics import entity_f1_score, entity_match_counts

COUNTS = ("correct", "incorrect", "partial", "missed", "spurious")


def counts(true, pred, criterion, **how):
    found = entity_match_counts([true.split()], [pred.split()], **how)[criterion]
    return tuple(found[name] for name in COUNTS)


@pytest.mark.parametrize(
    ("true", "pred", "strict", "exact", "partial", "ent_type"),
    [
        # the situations of SemEval 2013: found, spurious, missed, another type, other ends, both
        ("B-x I-x", "B-x I-x", "10000", "10000", "10000", "10000"),
        ("O O", "B-x I-x", "00001", "00001", "00001", "00001"),
        ("B-x I-x", "O O", "00010", "00010", "00010", "00010"),
        ("B-x I-x", "B-y I-y", "01000", "10000", "10000", "01000"),
        ("B-x I-x", "B-x O", "01000", "01000", "00100", "10000"),
        ("B-x I-x", "O B-y", "01000", "01000", "00100", "01000"),
        # one true entity, two predicted ones: the first takes it
        ("B-x I-x I-x", "B-x B-x I-x", "01001", "01001", "00101", "10001"),
        # of several with its type, an entity takes the one whose ends are nearest
        ("B-x I-x B-x I-x O", "O B-x I-x I-x O", "01010", "01010", "00110", "10010"),
    ],
)
def test_by_hand(true, pred, strict, exact, partial, ent_type):
    for criterion, expected in zip(
        ("strict", "exact", "partial", "ent_type"), (strict, exact, partial, ent_type), strict=True
    ):
        assert counts(true, pred, criterion) == tuple(map(int, expected)), criterion


def test_the_nearest_is_taken():
    # The second true entity is nearer, so that the first is left for the prediction behind it.
    true, pred = "B-x I-x I-x I-x B-x I-x", "O O O B-x I-x I-x"
    assert counts(true, pred, "ent_type") == (1, 0, 0, 1, 0)
    both = entity_match_counts([true.split()], [pred.split()])["partial"]
    assert (both["precision"], both["recall"]) == (0.5, 0.25)
    assert both["f1"] == pytest.approx(1 / 3)


def test_as_nervaluate():
    nervaluate = pytest.importorskip("nervaluate")
    rng = np.random.default_rng(0)
    kinds = ["x", "y", "z"]
    labels = ["O", "O", *(f"{tag}-{kind}" for tag in "BI" for kind in kinds)]
    partly = 0
    for round_ in range(1000):
        y_true = [rng.choice(labels, n).tolist() for n in rng.integers(1, 12, 3)]
        y_pred = [[str(rng.choice(labels)) if rng.random() < 0.4 else t for t in s] for s in y_true]
        kept = kinds if round_ % 2 else kinds[:2]
        theirs = nervaluate.Evaluator(y_true, y_pred, tags=kept, loader="list").evaluate()
        ours = entity_match_counts(y_true, y_pred, labels=kept)
        apart = entity_match_counts(y_true, y_pred, labels=kept, by_type=True)
        pairs = [(ours, theirs["overall"])]
        pairs += [(apart[kind], found) for kind, found in theirs["entities"].items()]
        for mine, other in pairs:
            for criterion, result in other.items():
                for name, value in mine[criterion].items():
                    assert value == pytest.approx(getattr(result, name)), (criterion, name, y_true)
        partly += ours["partial"]["partial"]
        if round_ % 2:
            assert ours["strict"]["f1"] == pytest.approx(entity_f1_score(y_true, y_pred))
    assert partly > 500


def test_nothing_to_count():
    for how in ({}, {"labels": ["x"]}):
        found = entity_match_counts([["O"]], [["O"]], **how)
        assert set(found) == {"strict", "exact", "partial", "ent_type"}
        assert not any(value for one in found.values() for value in one.values())
    assert entity_match_counts([["O"]], [["O"]], by_type=True) == {}


def test_schemes_and_lengths_are_read_as_elsewhere():
    assert counts("x-B x-E O", "x-S O O", "ent_type", suffix=True) == (1, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="Sequence 0 has 1 labels in y_true but 2"):
        entity_match_counts([["O"]], [["O", "O"]])
