"""One batch of `fit` is read in few files: how often it goes from one to another has a limit."""

import warnings

import pytest
from trace_files import fits, summary, trace

# Half of what it was before the package was put in order, see docs/development/house.md; and two
# for the scaling of X, which the classifier did not do then.
MOST_CHANGES = {"RNNClassifier": 28, "LSTMForecaster": 38, "Seq2SeqTranslator": 54}


@pytest.mark.parametrize("case", fits(), ids=lambda case: case[0])
def test_a_fit_changes_file_only_so_often(case):
    name, estimator, X, y = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)  # what is imported or counted once is no part of it
        calls = trace(lambda: estimator.fit(X, y))
    _, _, changes = summary(calls)
    assert changes <= MOST_CHANGES[name], "`tests/helpers/trace_files.py --calls` shows them"
