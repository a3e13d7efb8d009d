"""Errors that no other test raises: each says what is wrong."""

from datetime import date
from typing import NamedTuple

import numpy as np
import pytest
from problems import quick

import skrnn
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.metrics import sequence_error_rate
from skrnn.preprocessing import PerStep

WINDOWS = np.random.default_rng(0).normal(size=(6, 8)).cumsum(axis=1)
SERIES = list(WINDOWS)
MASKED = np.ma.masked_array(np.ones((3, 1)), [[False], [True], [False]])


def forecaster(**params):
    return quick(LSTMForecaster, **params)


# As torch.nn.utils.rnn's, which is a tuple too: three sequences of 3, 2 and 1 steps.
class PackedSequence(NamedTuple):
    data: np.ndarray
    batch_sizes: np.ndarray
    sorted_indices: np.ndarray
    unsorted_indices: np.ndarray


class Ragged:
    """An array-like that NumPy cannot make one array of, as one of awkward."""

    def __array__(self, dtype=None, copy=None):
        raise ValueError("subarray lengths are not regular")


PACKED = PackedSequence(np.ones((6, 2)), np.array([3, 2, 1]), *np.array([[1, 0, 2]] * 2))
DAYS = np.array([["2024-01-01", "2024-01-02"]] * 2, dtype="M8[D]")
LONG = {"person": [7, 7, 3, 3], "step": [0, 1, 0, 1], "value": [0.5, 1.5, 2.5, 3.5]}


def long_table(**columns):
    return pytest.importorskip("pandas").DataFrame(LONG | columns)


CALLS = {
    "packed by torch": (
        lambda: quick(RNNClassifier).fit(PACKED, [0, 1, 0]),
        r"PackedSequence of torch.*unpack_sequence\(X\)",
    ),
    "packed by torch, for a transformer": (
        lambda: PerStep("passthrough").fit(PACKED),
        "PackedSequence of torch",
    ),
    "packed by torch, for a forecaster": (
        lambda: forecaster().fit(PACKED),
        "PackedSequence of torch",
    ),
    "what is not one array": (
        lambda: quick(RNNClassifier).fit(Ragged(), [0, 1, 0]),
        r"type Ragged, which is not one array .*\[numpy.asarray\(x\) for x in X\]",
    ),
    "dates as values": (
        lambda: quick(RNNClassifier).fit(list(DAYS), [0, 1]),
        "sequence 0 has dtype datetime64.*CalendarFeatures",
    ),
    "dates beside values": (
        lambda: quick(RNNClassifier).fit([np.array([[0.5, date(2024, 1, 1)]])] * 2, [0, 1]),
        "sequence 0 has 2024-01-01, where a number is expected. CalendarFeatures",
    ),
    "dicts of features": (
        lambda: quick(LSTMTagger).fit([[{"word": "a"}], [{"word": "b"}]], [["x"], ["y"]]),
        "sequence 0 has dicts as steps.*DictVectorizer",
    ),
    "a long table": (
        lambda: quick(RNNClassifier).fit(long_table(), [0, 1, 0, 1]),
        "looks like a long table.*from_long.X, by='person', time='step'",
    ),
    "a score that knows no sequences": (
        lambda: quick(
            LSTMTagger, early_stopping=True, validation_fraction=0.5, scoring="accuracy"
        ).fit([["a", "b"]] * 6, [["x", "y"]] * 6),
        "scoring='accuracy' of scikit-learn knows no sequences.*token_accuracy_scorer",
    ),
    "nothing to learn from": (lambda: quick(LSTMLanguageModel).fit([[], []]), "is empty"),
    "padding or unknown tokens": (
        lambda: quick(LSTMLanguageModel).fit([[0, -1, 1], [], [1, 0, -1, -1]]),
        "sequence 2 ends with the id -1, at step 3.* Cut padding off",
    ),
    "no tokens": (
        lambda: (
            LSTMLanguageModel((2,), max_iter=1, boundary_tokens=False)
            .fit([["a", "b"] * 9])
            .perplexity([[]])
        ),
        "nothing to predict|no token",
    ),
    "no sequences": (lambda: sequence_error_rate([], []), "y_true has no sequence"),
    "a negative weight": (
        lambda: sequence_error_rate([["a"]], [["a"]], sample_weight=[-1.0]),
        "not negative; it is -1.0 for sequence 0",
    ),
    "no weight": (
        lambda: sequence_error_rate([["a"]], [["a"]], sample_weight=[0.0]),
        "No sequence has a weight above 0",
    ),
    "masked values": (
        lambda: quick(RNNClassifier).fit([np.ones((2, 1)), MASKED], [0, 1]),
        "masked values in sequence 1",
    ),
    "a target that is NaN": (
        lambda: forecaster().fit(WINDOWS, [np.nan, *range(5)]),
        "y contains NaN",
    ),
    "too few targets": (lambda: forecaster().fit(WINDOWS, range(5)), "6 series and y has 5"),
    "a sum that overflows": (
        lambda: forecaster().fit([np.full(9, 1.5e308) for _ in SERIES]),
        "sum overflows",
    ),
    "a series too short to score": (
        lambda: forecaster(lookback=3).fit(SERIES).score([[1.0]]),
        "no step before the 1 to be forecast",
    ),
    "too little to validate on": (
        lambda: quick(RNNRegressor, early_stopping=True).fit(WINDOWS[:3, :, np.newaxis], range(3)),
        "validation set is too small",
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CALLS)
def test_what_is_wrong_is_said(name):
    call, message = CALLS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_targets_that_are_no_list():
    with pytest.raises(TypeError, match="a list of target sequences is expected"):
        quick(Seq2SeqTranslator).fit([["a"], ["b"]], "ab")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tables_that_only_resemble_long_ones_are_series():
    for columns in (
        {"person": [7, 3, 7, 3]},  # no blocks
        {"step": [0, 1, 1, 0]},  # falls within a block
        {"step": [0, 1, 2, 3]},  # does not start again
        {"person": [7.0, 7.0, 3.0, 3.0]},  # numbers that name nothing
    ):
        quick(RNNClassifier).fit(long_table(**columns), [0, 1, 0, 1])
    quick(RNNClassifier).fit(long_table().to_numpy(), [0, 1, 0, 1])


def test_names_of_the_package_are_listed_once():
    assert len(dir(skrnn)) == len(set(dir(skrnn)))
