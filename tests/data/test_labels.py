"""The door for labels and weights of steps."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from problems import joined, quick, state, tagged

from skrnn import LSTMTagger
from skrnn._data.labels import read_labels, split_steps
from skrnn._data.sample_weight import read_step_weights

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
OFFSETS = np.array([0, 2, 2, 5])
nan = np.nan


# Reading labels


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([["a", "b"], [], ["c", "a", "a"]], ["a", "b", "c", "a", "a"]),
        ([["a", None], [], ["c", nan, "a"]], ["a", None, "c", None, "a"]),
        ([("a", None), (), ("c", nan, "a")], ["a", None, "c", None, "a"]),
        ([np.array(["a", "b"]), [], np.array(["c", "a", "a"])], ["a", "b", "c", "a", "a"]),
        ([pd.Series(["a", None]), [], pd.Series(["c", nan, "a"])], ["a", None, "c", None, "a"]),
        ([[1, -1], [], [0, 2, None]], [1, None, 0, 2, None]),
        ([[1.0, nan], [], np.array([0.0, nan, -1.0])], [1, None, 0, None, None]),
        ([np.array([[1], [0]]), np.empty((0, 1)), np.ones((3, 1), int)], [1, 0, 1, 1, 1]),
        ([[True, False], [], [True, None, False]], [True, False, True, None, False]),
        (np.array([[1, 2, nan], [nan] * 3, [3, nan, 4]]), [1, 2, 3, None, 4]),
        (np.array([[1, 2, -1], [-1] * 3, [3, 4, -1]]), [1, 2, 3, 4, None]),
        ([["a", "b", None, nan], [-1], ["c", "c", "c"]], ["a", "b", "c", "c", "c"]),
    ],
)
def test_labels(y, expected):
    for given in (y, pd.Series(list(y)), tuple(y)):
        labels = read_labels(given, OFFSETS)
        assert labels == expected
        assert [isinstance(label, bool) for label in labels] == [x is True or x is False
                                                                 for x in expected]  # fmt: skip


def test_reading_changes_nothing():
    y = [["a", "b", None], [], ["c", "a", "a"]]
    read_labels(y, OFFSETS)
    assert y == [["a", "b", None], [], ["c", "a", "a"]]


def test_padding_is_padding_only_at_the_end():
    with pytest.raises(ValueError, match=r"sequence 0 has 2 step\(s\), but y has 3 label\(s\)"):
        read_labels([["a", None, "b"], [], ["c"] * 3], OFFSETS)


def test_weights_of_steps():
    ones = read_step_weights([2, 5, 0.5], OFFSETS)
    assert_array_equal(ones, [2, 2, 0.5, 0.5, 0.5])
    assert ones.dtype == np.float64
    for each in ([[1, 2], [], [3, 4, 5]], [np.array([[1], [2]]), np.empty(0), np.array([3, 4, 5])]):
        assert_array_equal(read_step_weights(each, OFFSETS), [1, 2, 3, 4, 5])


def test_split_steps():
    flat = np.array(["a", "bb", "c", "d", "e"])
    parts = split_steps(flat, OFFSETS)
    assert parts.shape == (3,)
    assert [part.tolist() for part in parts] == [["a", "bb"], [], ["c", "d", "e"]]
    assert {part.dtype for part in parts} == {flat.dtype}
    parts[0][0] = "z"  # a copy
    assert flat[0] == "a"
    assert split_steps(np.arange(4), np.array([0, 2, 4])).shape == (2,)
    assert split_steps(np.ones((4, 3)), np.array([0, 2, 4]))[1].shape == (2, 3)


# Errors


X, Y = tagged(12)
TAGS = sorted({tag for tags in Y for tag in tags})
I = next(i for i, x in enumerate(X) if i and len(x) > 3)  # noqa: E741


def changed(label, i=I, t=2):
    y = [list(labels) for labels in Y]
    y[i][t] = label
    return y


def instead(labels, i=I):
    return [labels if k == i else given for k, given in enumerate(Y)]


def tagger(**params):
    return quick(LSTMTagger, embedding_dim=4, subwords=False, **params)


def refuses(error, message, call, **params):
    """Check the error, and that an estimator stays as it was: unfitted, and fitted."""
    for model in (tagger(), tagger().fit(X, Y)):
        model.set_params(**params)
        before = state(model)
        with pytest.raises(error, match=message):
            call(model)
        assert state(model) == before
        assert ("classes_" in vars(model)) == hasattr(model, "weights_")
    return model


NUMBERS = [list(range(len(labels))) for labels in Y]
BAD_Y = {
    "None": (None, ValueError, "requires y to be passed"),
    "too few": (Y[:-1], ValueError, "X has 12 sequences and y has 11 targets"),
    "one label per sequence": (
        ["NOUN"] * 12,
        TypeError,
        "y has 'NOUN' for sequence 0, where a sequence of labels is expected, one for each step. "
        "For one label per sequence use RNNClassifier",
    ),
    "one number per sequence": (np.arange(12), TypeError, "for sequence 0.*use RNNClassifier"),
    "a string": (instead("NOUN"), TypeError, f"y has 'NOUN' for sequence {I}.*RNNClassifier"),
    "a None": (instead(None), TypeError, f"y has None for sequence {I}"),
    "a dict": (instead({"a": 1}), TypeError, f"for sequence {I}, where a sequence of labels"),
    "too short": (
        instead(Y[I][:-1]),
        ValueError,
        rf"sequence {I} has {len(X[I])} step\(s\), but y has {len(X[I]) - 1} label\(s\) for it. "
        "Give each step a label; None or NaN where it has none",
    ),
    "too long": (instead([*Y[I], "NOUN"]), ValueError, rf"y has {len(X[I]) + 1} label\(s\)"),
    "a number among strings": (
        changed(7),
        TypeError,
        f"mixes strings and numbers: sequence {I} has the label 7 at step 2. Write all labels as "
        "strings, and None",
    ),
    "-1 among strings": (changed(-1), TypeError, f"sequence {I} has the label -1 at step 2"),
    "True among strings": (changed(True), TypeError, f"sequence {I} has the label True at step 2"),
    "a string among numbers": (
        [[str(k) for k in row] if i == I else row for i, row in enumerate(NUMBERS)],
        TypeError,
        "mixes strings and numbers: sequence 0 has the label 0 at step 0",
    ),
    "a fraction": (
        changed(0.5),
        ValueError,
        f"sequence {I} has the label 0.5 at step 2: a label is a string or an integer",
    ),
    "infinity": (changed(np.inf), ValueError, f"sequence {I} has the label inf at step 2"),
    "bytes": (changed(b"a"), ValueError, f"sequence {I} has the label b'a' at step 2"),
    "a list a step": (
        instead([[label] for label in Y[I]]),
        ValueError,
        rf"sequence {I} has the label \['\w+'\] at step 0",
    ),
    "two columns": (
        instead(np.zeros((len(X[I]), 2), int)),
        ValueError,
        rf"y has shape \({len(X[I])}, 2\) for sequence {I}, where one label per step",
    ),
    "no labels": ([[None] * len(x) for x in X], ValueError, "there is no label at all"),
    "no integers": ([[-1] * len(x) for x in X], ValueError, "there is no label at all"),
    "one class": ([["A"] * len(x) for x in X], ValueError, "at least 2 classes.*one class: A"),
}


@pytest.mark.parametrize("name", BAD_Y)
def test_bad_y(name):
    y, error, message = BAD_Y[name]
    model = refuses(error, message, lambda m: m.fit(X, y))
    if name in ("no labels", "no integers", "one class"):
        return  # these are known in partial_fit
    refuses(error, message, lambda m: m.partial_fit(X, y, classes=TAGS))
    with pytest.raises(error, match=message):
        model.score(X, y)


def test_nothing_to_learn_from_later():
    model = tagger().fit(X, Y)
    before = state(model)
    with pytest.raises(ValueError, match=r"add up to 0.0: there is nothing to learn from"):
        model.partial_fit(X, [[None] * len(x) for x in X])
    with pytest.raises(ValueError, match="No step of y_true has both"):
        model.score(X, [[None] * len(x) for x in X])
    assert state(model) == before


def test_labels_that_are_not_known():
    y = changed("XYZ")
    message = f"sequence {I} has the label 'XYZ' at step 2, which the network does not know; it was"
    for model in (tagger().fit(X, Y), tagger(warm_start=True).fit(X, Y)):
        before, predicted = state(model), joined(model.predict(X))
        for call in (model.partial_fit, model.fit) if model.warm_start else (model.partial_fit,):
            with pytest.raises(ValueError, match=message):
                call(X, y)
        with pytest.raises(ValueError, match="are not those the network was started with"):
            model.partial_fit(X, Y, classes=["NOUN", "VERB"])
        assert state(model) == before
        assert joined(model.predict(X)) == predicted
    model = tagger()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, classes=TAGS)
    assert not hasattr(model, "classes_")


def test_labels_of_another_kind_are_not_known():
    model = tagger().fit(X, Y)
    with pytest.raises(ValueError, match="sequence 0 has the label 0 at step 0"):
        model.partial_fit(X, NUMBERS)


def step_weights(value, i=I, t=2):
    weights = [[1.0] * len(x) for x in X]
    weights[i][t] = value
    return weights


def sequence_weights(value, i=I):
    return np.where(np.arange(12) == i, value, 1.0)


BAD_WEIGHTS = {
    "negative": (sequence_weights(-1.0), f"it is -1.0 for sequence {I}"),
    "NaN": (sequence_weights(nan), f"it is nan for sequence {I}"),
    "infinity": (sequence_weights(np.inf), f"it is inf for sequence {I}"),
    "negative step": (step_weights(-2), f"not negative; it is -2.0 for sequence {I}, step 2"),
    "NaN step": (step_weights(nan), f"it is nan for sequence {I}, step 2"),
    "too few": (np.ones(11), "sample_weight has 11 items for 12 sequences"),
    "too few steps": (
        [[1.0] * (len(x) - (i == I)) for i, x in enumerate(X)],
        rf"sequence {I} has {len(X[I])} step\(s\), but sample_weight has {len(X[I]) - 1} for it. "
        "Give one weight for each sequence, or one for each step",
    ),
    "zeros": (np.zeros(12), r"add up to 0.0: there is nothing to learn from"),
    "sum overflows": (np.full(12, 1e308), "add up to inf"),
    "strings": (["a"] * 12, "sample_weight has 'a' for sequence 0, where a number is expected"),
    "strings of steps": (step_weights("a"), f"of sequence {I} has 'a' for step 2, where a number"),
    "masked": (np.ma.masked_equal(sequence_weights(3.0), 3), f"masked values in sequence {I}"),
    "masked step": (
        [np.ma.masked_equal(w, 3) for w in step_weights(3.0)],
        f"sample_weight has masked values in sequence {I}",
    ),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_bad_sample_weight(name):
    weight, message = BAD_WEIGHTS[name]
    errors = (TypeError, ValueError)
    refuses(errors, message, lambda m: m.fit(X, Y, sample_weight=weight))
    tagger().fit(X, Y).partial_fit(X, Y)
    refuses(
        errors,
        message,
        lambda m: m.partial_fit(X, Y, classes=TAGS, sample_weight=weight),
    )


def test_uneven_weights_in_a_sequence_with_crf():
    message = (
        f"sequence {I} weighs 3.0 at step 2 and 1.0 elsewhere, but with crf=True the steps of a "
        "sequence must weigh the same, or 0. Give one weight for each sequence, or set crf=False"
    )
    refuses(ValueError, message, lambda m: m.fit(X, Y, step_weights(3.0)), crf=True)
    tagger(crf=True).fit(X, Y, step_weights(0.0))
    tagger(crf=True).fit(X, changed(None), step_weights(3.0))  # of no label, it does not count


@pytest.mark.parametrize("class_weight", ["balanced", {"NOUN": 2.0}])
def test_class_weight_with_crf(class_weight):
    refuses(
        ValueError,
        "class_weight needs crf=False.*Weigh sequences with sample_weight",
        lambda m: m.fit(X, Y),
        crf=True,
        class_weight=class_weight,
    )


def test_balanced_in_partial_fit():
    refuses(
        ValueError,
        "'balanced' is not supported by partial_fit.*pass them as a dict",
        lambda m: m.partial_fit(X, Y),
        class_weight="balanced",
    )


@pytest.mark.parametrize("weight", [-1.0, nan, np.inf])
def test_bad_class_weight(weight):
    message = "class_weight must be finite and not negative"
    refuses(ValueError, message, lambda m: m.fit(X, Y), class_weight={"NOUN": weight, "VERB": 9.0})


def test_y_and_the_first_partial_fit():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        tagger().partial_fit(X, Y)
    with pytest.raises(ValueError, match="at least 2 classes"):
        tagger().partial_fit(X, Y, classes=["NOUN"])
