"""Tests for PerStep: what it fits, the form it keeps, what it does inside scikit-learn."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.utils.estimator_checks import estimator_checks_generator

from skrnn._sequences import check_sequences
from skrnn.preprocessing import PerStep

pd = pytest.importorskip("pandas")


def ragged(lengths=(3, 1, 4, 2), width=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(3, 2, size=(length, width)) for length in lengths]


def object_array(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def frames():
    return [
        pd.DataFrame({"place": ["in", "out", "in"], "load": [1.0, 2.0, 3.0]}),
        pd.DataFrame({"place": ["out"], "load": [6.0]}),
    ]


class MeanClassifier(ClassifierMixin, BaseEstimator):
    """A stand-in for a recurrent classifier: it thresholds each sequence's mean."""

    def fit(self, X, y):
        check_sequences(self, X, reset=True)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        sequences = check_sequences(self, X, reset=False)
        means = np.array([values.mean() for values in sequences.split()])
        return self.classes_[(means > 0).astype(int)]


def checks():
    # Those of scikit-learn that need an environment variable report themselves as skipped.
    for estimator, check in estimator_checks_generator(PerStep(StandardScaler())):
        yield pytest.param(estimator, check, id=check.func.__name__)


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


def test_target_of_several_outputs_is_repeated():
    seen = {}

    class Spy(FunctionTransformer):
        def fit(self, X, y=None):
            seen["y"] = y
            return super().fit(X)

    PerStep(Spy()).fit(ragged((2, 1)), np.array([[1, 2], [3, 4]]))
    assert_array_equal(seen["y"], [[1, 2], [1, 2], [3, 4]])


def test_target_of_wrong_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PerStep(SelectKBest(k=1)).fit(ragged(), [0, 1])


def test_sample_weight():
    X = ragged((2, 3))
    per_step = PerStep(StandardScaler()).fit(X, sample_weight=[1.0, 0.0])
    assert_allclose(per_step.transformer_.mean_, X[0].mean(axis=0))
    per_step.fit(X, sample_weight=[[1.0, 0.0], [0.0, 0.0, 0.0]])
    assert_allclose(per_step.transformer_.mean_, X[0][0])


# The form of the output


@pytest.mark.parametrize("container", [list, tuple, object_array, pd.Series])
def test_collections(container):
    X = ragged()
    Xt = PerStep(PCA(n_components=2)).fit_transform(container(X))
    assert type(Xt) is (list if container is tuple else type(container(X)))
    assert [x.shape for x in Xt] == [(len(x), 2) for x in X]


def test_series_keeps_its_index():
    X = pd.Series(ragged(), index=list("abcd"))
    assert list(PerStep(StandardScaler()).fit_transform(X).index) == list("abcd")


def test_object_array_of_equal_lengths_stays_one_dimensional():
    Xt = PerStep(StandardScaler()).fit_transform(object_array(ragged((2, 2))))
    assert Xt.shape == (2,)


def test_cube_keeps_its_padding():
    X = np.stack(ragged((4, 4, 4)))
    full = PerStep(PCA(n_components=2)).fit_transform(X)
    assert full.shape == (3, 4, 2)
    X[0, 2:] = np.nan
    X[1] = np.nan
    per_step = PerStep(StandardScaler()).fit(X)
    Xt = per_step.transform(X)
    assert_array_equal(np.isnan(Xt), np.isnan(X))
    assert_allclose(np.nanmean(Xt, axis=(0, 1)), 0, atol=1e-12)
    assert_allclose(per_step.inverse_transform(Xt), X)


def test_padding_of_integers_is_nan_too():
    X = np.ones((2, 3, 1))
    X[0, 2] = np.nan
    Xt = PerStep(FunctionTransformer(lambda steps: steps.astype(int))).fit_transform(X)
    assert_array_equal(Xt, X)


def test_rows():
    X = np.random.default_rng(0).normal(size=(5, 4))
    Xt = PerStep(StandardScaler()).fit_transform(X)
    assert Xt.shape == X.shape
    assert_allclose(Xt, (X - X.mean()) / X.std())
    assert_allclose(PerStep(StandardScaler()).fit_transform(X.tolist()), Xt)
    codes = PerStep(OneHotEncoder()).fit_transform((X > 0).astype(int))
    assert codes.shape == (5, 4, 2)


@pytest.mark.parametrize("form", [list, object_array, np.stack, lambda X: np.stack(X)[:, :, 0]])
def test_inverse_transform(form):
    X = form(ragged((3, 3)))
    per_step = PerStep(StandardScaler()).fit(X)
    restored = per_step.inverse_transform(per_step.transform(X))
    assert type(restored) is type(X)
    assert_allclose(np.stack(list(restored)), np.stack(list(X)))


def test_inverse_transform_of_other_width():
    X = ragged()
    per_step = PerStep(PCA(n_components=2)).fit(X)
    restored = per_step.inverse_transform(per_step.transform(X))
    assert [x.shape for x in restored] == [x.shape for x in X]


def test_dtype_is_the_transformer_s():
    X = [x.astype(np.float32) for x in ragged()]
    assert PerStep(StandardScaler()).fit_transform(X)[0].dtype == np.float32


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


def test_frames_come_out_where_the_transformer_makes_them():
    X = [frame[["load"]] for frame in frames()]
    scaler = StandardScaler().set_output(transform="pandas")
    for form in (X, object_array(X), pd.Series(X)):
        Xt = PerStep(scaler).fit_transform(form)
        assert all(list(x.columns) == ["load"] and x.index[0] == 0 for x in Xt)
    assert isinstance(PerStep(scaler).fit_transform(np.ones((2, 3, 1))), np.ndarray)


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
