"""Tests for PerSequence: every sequence is fitted by itself. The rest is in test_preprocessing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from skrnn import RNNClassifier
from skrnn.preprocessing import PerSequence

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIFFERENCES = FunctionTransformer(lambda x: np.diff(x, axis=0, prepend=x[:1]))


def levels():
    """Sequences that differ in level and scale."""
    rng = np.random.default_rng(0)
    return [10.0**i * (i + rng.normal(size=(3 + i, 2))) for i in range(4)]


def test_every_sequence_is_scaled_by_itself():
    X = levels()
    step = PerSequence(StandardScaler()).fit(X[:1])
    for one, x in zip(step.transform(X), X, strict=True):
        assert_allclose(one, StandardScaler().fit_transform(x))
    assert_allclose(step.transformer_.mean_, X[0].mean(axis=0))
    alone = step.transform(X[2:3])[0]
    assert_array_equal(alone, step.transform(X)[2])


def test_differences_do_not_cross():
    X = [np.array([1.0, 2, 4]), np.array([100.0, 101])]
    out = PerSequence(DIFFERENCES).fit_transform(X)
    assert [x.ravel().tolist() for x in out] == [[0, 1, 2], [0, 1]]


def test_padding_of_an_array_stays_out():
    X = np.array([[[1.0], [3.0], [np.nan]], [[5.0], [6.0], [7.0]]])
    out = PerSequence(StandardScaler()).fit_transform(X)
    assert_allclose(out[0, :, 0], [-1, 1, np.nan])
    assert_allclose(out[1].mean(), 0, atol=1e-12)


def test_a_pipeline_for_each():
    ranks = make_pipeline(DIFFERENCES, QuantileTransformer(n_quantiles=3))
    out = PerSequence(ranks).fit_transform(levels())
    assert all(part.min() == 0 and part.max() == 1 for part in out)


def test_features_must_be_the_same():
    X = [np.array([1, 2]), np.array([1, 3])]
    with pytest.raises(ValueError, match=r"fitted on sequence 1 by itself.*x0_3.*Use PerStep"):
        PerSequence(OneHotEncoder()).fit_transform(X)
    step = PerSequence(OneHotEncoder()).fit(X[:1])
    with pytest.raises(ValueError, match="fitted on sequence 0 by itself"):
        step.transform(X[1:])
    wider = FunctionTransformer(lambda x: np.tile(x, len(x)))
    with pytest.raises(ValueError, match="makes the features 3, but 2 of another"):
        PerSequence(wider).fit_transform([np.ones(2), np.ones(3)])


def test_an_error_names_the_sequence_and_changes_nothing():
    X = levels()
    step = PerSequence(QuantileTransformer(n_quantiles=2)).fit(X)
    before = step.__dict__.copy()
    broken = [*X[:2], np.array([[1.0, np.inf]])]
    for call in (step.fit, step.fit_transform, step.transform):
        with pytest.raises(ValueError, match="sequence 2"):
            call(broken)
        assert step.__dict__ == before

    def no_threes(x):
        if len(x) == 3:
            raise ValueError("three")
        return x

    with pytest.raises(ValueError, match="sequence 1: three"):
        PerSequence(FunctionTransformer(no_threes)).fit_transform([np.ones(2), np.ones(3)])


def test_no_y_and_no_way_back():
    X, y = levels(), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"TargetEncoder needs y.*Use PerStep"):
        PerSequence(TargetEncoder()).fit(X, y)
    with pytest.raises(ValueError, match="requires y"):
        PerSequence(SelectKBest(k=1)).fit(X, y)
    step = PerSequence(StandardScaler()).fit(X)
    assert not hasattr(step, "inverse_transform")


def test_before_a_network():
    X, y = levels(), [0, 1, 0, 1]
    model = make_pipeline(PerSequence(StandardScaler()), RNNClassifier((2,), max_iter=1))
    probabilities = model.fit(X, y).predict_proba(X)
    shifted = model.predict_proba([3 * x + 5 for x in X])
    assert_allclose(shifted, probabilities, atol=1e-5)
