"""Tests for PerStep: what it fits, the form it keeps, what it does inside scikit-learn.

What PerSequence shares with it is tested here for both.
"""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import object_array
from problems_steps import MeanClassifier, Spy, frames, ragged
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from skrnn.preprocessing import PerSequence, PerStep

pd = pytest.importorskip("pandas")
KINDS = (PerStep, PerSequence)


def checks():
    # Those of scikit-learn that need an environment variable report themselves as skipped.
    for kind in KINDS:
        for estimator, check in estimator_checks_generator(kind(StandardScaler())):
            yield pytest.param(estimator, check, id=f"{kind.__name__}-{check.func.__name__}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Fit


def test_fits_on_all_steps():
    X = ragged()
    steps = np.concatenate(X)
    scaler = StandardScaler()
    per_step = PerStep(scaler).fit(X)
    assert not hasattr(scaler, "mean_")
    assert_allclose(per_step.transformer_.mean_, steps.mean(axis=0))
    assert per_step.n_features_in_ == 3
    assert_allclose(np.concatenate(per_step.transform(X)), StandardScaler().fit_transform(steps))


def test_partial_fit():
    X = ragged()
    per_step = PerStep(StandardScaler()).partial_fit(X[:2]).partial_fit(X[2:])
    assert_allclose(per_step.transformer_.mean_, np.concatenate(X).mean(axis=0))
    per_step.partial_fit([np.empty((0, 3))])
    assert per_step.transformer_.n_samples_seen_ == 10
    with pytest.raises(ValueError, match="X has 2 features, but PerStep is expecting 3"):
        per_step.partial_fit(ragged(width=2))


def test_failed_fit_changes_nothing():
    X = ragged()
    per_step = PerStep(PCA(n_components=2)).fit(X)
    before = per_step.transform(X)
    with pytest.raises(ValueError, match="n_components=2 must be between"):
        per_step.fit(ragged(width=1))
    assert_array_equal(per_step.transform(X)[0], before[0])


def test_methods_are_the_transformer_s():
    assert not hasattr(PerStep(PCA()), "partial_fit")
    assert not hasattr(PerStep(Normalizer()), "inverse_transform")


@pytest.mark.parametrize("per_step", [False, True])
def test_target(per_step):
    rng = np.random.default_rng(0)
    lengths = (5, 6, 7, 8)
    y = [0, 1, 0, 1]
    steps_y = [np.full(length, label) for length, label in zip(lengths, y, strict=True)]
    X = [rng.normal(size=(len(part), 3)) + part[:, np.newaxis] * [0, 9, 0] for part in steps_y]
    given = [part.tolist() for part in steps_y] if per_step else y
    selector = PerStep(SelectKBest(k=1)).fit(X, given)
    assert_array_equal(selector.transformer_.get_support(), [False, True, False])
    assert_array_equal(
        PerStep(SelectKBest(k=1)).fit(X, object_array(steps_y)).transform(X)[0], X[0][:, [1]]
    )


@pytest.mark.skipif(
    "splitter" not in str(TargetEncoder(cv=GroupKFold()).get_metadata_routing()),
    reason="this TargetEncoder takes no groups",
)
def test_cross_fitting_by_sequences():
    # A category to each sequence or two: folds of steps would tell the target.
    rng = np.random.default_rng(0)
    X = [np.full((5, 1), rng.integers(0, 150)) for _ in range(200)]
    y, groups = rng.normal(size=200), np.arange(200)
    with config_context(enable_metadata_routing=True):
        encoder = PerStep(TargetEncoder(smooth=0.01, cv=GroupKFold(5)))
        out = encoder.fit_transform(X, y, groups=groups)
    assert abs(np.corrcoef(np.concatenate(out)[:, 0], np.repeat(y, 5))[0, 1]) < 0.3


@pytest.mark.parametrize(
    ("y", "given"),
    [
        (["a", "bc"], ["a", "a", "bc"]),  # a string is no sequence, whatever its length
        (np.array([[1, 2], [3, 4]]), [[1, 2], [1, 2], [3, 4]]),
        ([[1, 2], [3]], [1, 2, 3]),
        ([["a", "b", "c"], ["d"]], None),  # of a translator: not the targets of steps
        (np.zeros((2, 4, 2)), None),  # of a forecaster: horizon and targets
    ],
)
def test_targets_handed_on(y, given):
    steps = PerStep(Spy()).fit(ragged((2, 1)), y).transformer_.given_["y"]
    assert given is None if steps is None else np.array_equal(steps, given)


def test_masked_targets_are_refused():
    y = np.ma.masked_greater([1.0, 9.0], 5)
    with pytest.raises(ValueError, match="y has masked values in sequence 1"):
        PerStep(Spy()).fit(ragged((2, 1)), y)


def test_labels_of_the_steps_of_an_array_end_in_padding():
    X = np.ones((2, 3, 1))
    X[0, 2] = np.nan
    given = PerStep(Spy()).fit(X, np.array([[1, 2, -1], [3, 4, 5]])).transformer_.given_["y"]
    assert_array_equal(given, [1, 2, 3, 4, 5])


def test_fit_transform_is_the_transformer_s():
    # Cross-fitted, codes do not tell a target that is noise.
    rng = np.random.default_rng(0)
    X, y = [rng.integers(0, 100, size=(3, 1)) for _ in range(200)], rng.normal(size=200)
    per_step = PerStep(TargetEncoder(smooth=0.01))
    crossed = np.concatenate(per_step.fit_transform(X, y))[:, 0]
    assert abs(np.corrcoef(crossed, np.repeat(y, 3))[0, 1]) < 0.2
    whole = np.concatenate(per_step.transform(X))[:, 0]
    assert np.corrcoef(whole, np.repeat(y, 3))[0, 1] > 0.3


def test_target_of_wrong_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PerStep(SelectKBest(k=1)).fit(ragged(), [0, 1])


def test_sample_weight():
    X = ragged((2, 3))
    per_step = PerStep(StandardScaler()).fit(X, sample_weight=[1.0, 0.0])
    assert_allclose(per_step.transformer_.mean_, X[0].mean(axis=0))
    per_step.fit(X, sample_weight=[[1.0, 0.0], [0.0, 0.0, 0.0]])
    assert_allclose(per_step.transformer_.mean_, X[0][0])


def test_metadata():
    X = ragged((2, 1))
    given = PerStep(Spy()).fit(X, groups=["a", "b"], sample_weight=None).transformer_.given_
    assert_array_equal(given["groups"], ["a", "a", "b"])
    assert given["sample_weight"] is None
    with pytest.raises(ValueError, match="sample_weight has 3 items"):
        PerStep(Spy()).fit(X, sample_weight=[1, 2, 3])
    model = make_pipeline(PerStep(StandardScaler()), MeanClassifier())
    model.fit(X, [0, 1], perstep__sample_weight=[1.0, 0.0])
    assert_allclose(model[0].transformer_.mean_, X[0].mean(axis=0))
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        model[0].transform(X, copy=True)


def test_metadata_routing():
    X, weight = ragged(), np.array([1.0, 2.0, 0.0, 3.0])
    steps = np.repeat(weight, [len(x) for x in X])
    mean = np.average(np.concatenate(X), axis=0, weights=steps)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        unweighted = MeanClassifier().set_fit_request(sample_weight=False)
        model = make_pipeline(PerStep(scaler), unweighted)
        assert_allclose(
            model.fit(X, [0, 1, 0, 1], sample_weight=weight)[0].transformer_.mean_, mean
        )
        nested = PerStep(make_pipeline(scaler, PCA(1))).fit(X, sample_weight=weight)
        assert_allclose(nested.transformer_[0].mean_, mean)
        again = clone(scaler).set_partial_fit_request(sample_weight=True)
        further = PerStep(again).partial_fit(X, sample_weight=weight)
        assert_allclose(further.transformer_.mean_, mean)
        with pytest.raises(UnsetMetadataPassedError, match=r"StandardScaler\.fit"):
            PerStep(StandardScaler()).fit(X, sample_weight=weight)
        first = [[1.0] + [0.0] * (len(x) - 1) for x in X]
        for alone in PerSequence(scaler).fit_transform(X, sample_weight=first):
            assert_allclose(alone[0], 0, atol=1e-12)


def test_metadata_of_transform():
    class Times(BaseEstimator):  # without a fit_transform, which would have to hand it on
        def fit(self, X, y=None):
            return self

        def transform(self, X, factor):
            return X * factor[:, np.newaxis]

    X = ragged((2, 1))
    with config_context(enable_metadata_routing=True):
        times = Times().set_transform_request(factor=True)
        for kind in KINDS:
            step = kind(times)
            for out in (step.fit_transform(X, factor=[2, 3]), step.transform(X, factor=[2, 3])):
                assert_allclose(out[0], 2 * X[0])
                assert_allclose(out[1], 3 * X[1])


# DataFrames, names, NaN


def test_column_transformer_by_name():
    X = frames()
    columns = ColumnTransformer(
        [("place", OneHotEncoder(), ["place"]), ("load", StandardScaler(), ["load"])]
    )
    per_step = PerStep(columns).fit(X)
    Xt = per_step.transform(X)
    assert_array_equal(Xt[0][:, :2], [[1, 0], [0, 1], [1, 0]])
    assert_allclose(np.concatenate(Xt)[:, 2].mean(), 0, atol=1e-12)
    assert_array_equal(per_step.feature_names_in_, ["place", "load"])
    names = ["place__place_in", "place__place_out", "load__load"]
    assert_array_equal(per_step.get_feature_names_out(), names)


def test_frames_must_agree():
    X = frames()
    with pytest.raises(ValueError, match="sequence 1 has the columns"):
        PerStep(SimpleImputer()).fit([X[0], X[1][["load"]]])
    per_step = PerStep(StandardScaler()).fit([frame[["load"]] for frame in X])
    with pytest.raises(ValueError, match="feature names should match"):
        per_step.transform([frame.rename(columns={"load": "heat"})[["heat"]] for frame in X])


def test_feature_names_out():
    assert_array_equal(PerStep(PCA(2)).fit(ragged()).get_feature_names_out(), ["pca0", "pca1"])
    scaler = PerStep(StandardScaler())
    assert_array_equal(scaler.fit(ragged()).get_feature_names_out(list("abc")), list("abc"))
    rows = np.ones((3, 2))
    assert_array_equal(scaler.fit(rows).get_feature_names_out(), ["x0", "x1"])
    codes = PerStep(OneHotEncoder()).fit(rows * [0, 1])
    assert_array_equal(codes.get_feature_names_out(), ["x0_0.0", "x0_1.0"])


def test_nan_is_the_transformer_s_affair():
    X = ragged()
    X[0][1, 2] = np.nan
    assert np.isfinite(np.concatenate(PerStep(SimpleImputer()).fit_transform(X))).all()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        PerStep(PCA()).fit(X)


def test_strings_are_refused_outside_frames():
    with pytest.raises(TypeError, match="PerStep works on numbers, but X holds strings"):
        PerStep(OneHotEncoder()).fit([["a", "b"], ["a"]])


# Within scikit-learn


def test_tags_are_the_transformer_s():
    assert get_tags(PerStep(TargetEncoder())).target_tags.required
    assert get_tags(PerStep(SimpleImputer())).input_tags.allow_nan
    assert not get_tags(PerStep(PCA())).input_tags.allow_nan
    assert get_tags(PerStep("passthrough")).input_tags.three_d_array


def test_not_fitted():
    with pytest.raises(NotFittedError):
        PerStep(StandardScaler()).transform(ragged())


def test_clone_and_pickle():
    X = ragged()
    per_step = PerStep(MinMaxScaler()).fit(X)
    assert not hasattr(clone(per_step), "transformer_")
    again = pickle.loads(pickle.dumps(per_step))
    assert_array_equal(again.transform(X)[2], per_step.transform(X)[2])


def test_grid_search_in_a_pipeline():
    rng = np.random.default_rng(0)
    y = np.array([0, 1] * 10)
    X = [rng.normal(2 * label + 5, 0.1, size=(rng.integers(2, 6), 2)) for label in y]
    model = make_pipeline(PerStep(StandardScaler()), MeanClassifier())
    grid = {"perstep__transformer__with_mean": [False, True]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_ == {"perstep__transformer__with_mean": True}
    assert search.best_score_ == 1.0
    grid = {"perstep__transformer": ["passthrough", None, StandardScaler()]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, 0.5, 1.0]
