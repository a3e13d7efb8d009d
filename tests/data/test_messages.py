"""Errors that no other test raises: each says what is wrong."""

import numpy as np
import pytest
from problems import quick

from skrnn import LSTMForecaster, LSTMLanguageModel, RNNClassifier, RNNRegressor, Seq2SeqTranslator
from skrnn.metrics import sequence_error_rate

WINDOWS = np.random.default_rng(0).normal(size=(6, 8)).cumsum(axis=1)
SERIES = list(WINDOWS)
MASKED = np.ma.masked_array(np.ones((3, 1)), [[False], [True], [False]])


def forecaster(**params):
    return quick(LSTMForecaster, **params)


CALLS = {
    "nothing to learn from": (lambda: quick(LSTMLanguageModel).fit([[], []]), "is empty"),
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
    with pytest.raises(ValueError, match=message):
        call()


def test_targets_that_are_no_list():
    with pytest.raises(TypeError, match="a list of target sequences is expected"):
        quick(Seq2SeqTranslator).fit([["a"], ["b"]], "ab")
