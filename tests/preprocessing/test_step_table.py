"""Tests for what PerStep and PerSequence give back: collections, arrays, frames, series."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import object_array
from problems_steps import MeanClassifier, Spy, frames, ragged
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from skrnn import LSTMForecaster
from skrnn.preprocessing import PerSequence, PerStep

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = (PerStep, PerSequence)


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[1:], r"made (4|2) row\(s\) of [35] step"),
        (lambda x: np.repeat(x, 2, axis=0), r"made (10|6) row\(s\) of [35] step"),
        (lambda x: x.mean(axis=0), r"made an array of shape \(3,\)"),
        (lambda x: x[:, 0], r"made an array of shape \([35],\)"),
        (lambda x: pd.DataFrame(x).iloc[::-1], "made a DataFrame with another index"),
    ],
)
def test_rows_are_kept(kind, function, message):
    X = ragged((3, 2))
    step = kind(FunctionTransformer(function))
    with pytest.raises(ValueError, match=f"transformer FunctionTransformer {message}"):
        step.fit_transform(X)
    assert not hasattr(step, "transformer_")
    if kind is PerStep:  # PerSequence has seen it in fit
        with pytest.raises(ValueError, match=message):
            step.fit(X).transform(X)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transformer", ["passthrough", None])
def test_passthrough(kind, transformer):
    X = ragged()
    for one, other in zip(kind(transformer).fit_transform(X), X, strict=True):
        assert_array_equal(one, other)
    step = kind(transformer).fit(frames())
    assert all(one.equals(other) for one, other in zip(step.transform(frames()), frames()))
    assert_array_equal(step.get_feature_names_out(), ["place", "load"])
    assert hasattr(step, "partial_fit") == (kind is PerSequence)  # which learns nothing
    with pytest.raises(ValueError, match="'transformer' parameter"):
        kind("drop").fit(X)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_sequences(kind):
    X = ragged((3, 2))
    nothing = np.empty((0, 3))
    for inner, width in ((StandardScaler(), 3), (SplineTransformer(n_knots=2, degree=1), 6)):
        step = kind(inner)
        assert [x.shape for x in step.fit_transform([nothing, *X])][:2] == [(0, width), (3, width)]
        assert [x.shape for x in step.transform([nothing, []])] == [(0, width)] * 2
    doubled = kind(FunctionTransformer(lambda x: np.hstack([x, x]))).fit(X)  # knows no names
    assert doubled.transform([nothing])[0].shape == (0, 6)
    frame = frames()[0][["load"]]
    out = kind(StandardScaler()).set_output(transform="pandas").fit([frame]).transform([frame[:0]])
    assert out[0].shape == (0, 1) and list(out[0].columns) == ["load"]
    for empty in ([nothing], [frame[:0]]):
        with pytest.raises(ValueError, match="Every sequence of X is empty"):
            kind(StandardScaler()).fit(empty)


def test_dtype_is_the_transformer_s():
    X = [x.astype(np.float32) for x in ragged()]
    assert PerStep(StandardScaler()).fit_transform(X)[0].dtype == np.float32


def dated():
    dates = [pd.date_range("2000-01-01", periods=3), pd.date_range("2000-06-01", periods=2)]
    return [pd.DataFrame({"load": np.arange(len(index)) * 1.0}, index=index) for index in dates]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_keep_their_index(kind):
    X = dated()
    scaler = StandardScaler().set_output(transform="pandas")
    for form in (X, object_array(X), pd.Series(X), [frame["load"] for frame in X]):
        for part, frame in zip(kind(scaler).fit_transform(form), X, strict=True):
            assert part.index.equals(frame.index)
            assert list(part.columns) == (["x0"] if isinstance(form[0], pd.Series) else ["load"])
    assert isinstance(kind(scaler).fit_transform(np.ones((2, 3, 1))), np.ndarray)


def test_steps_that_are_only_counted_have_one_count():
    # Parts made anew have no index of their own; they meet the others by position.
    anew = FunctionTransformer(lambda frame: pd.DataFrame({"double": 2 * frame["load"].to_numpy()}))
    both = ColumnTransformer([("scaled", StandardScaler(), ["load"]), ("anew", anew, ["load"])])
    out = PerStep(both).set_output(transform="pandas").fit_transform(frames())
    assert [part["anew__double"].tolist() for part in out] == [[2, 4, 6], [12]]


def test_the_transformer_sees_the_index():
    month = FunctionTransformer(lambda frame: frame.assign(month=frame.index.month))
    assert [part["month"].iloc[0] for part in PerStep(month).fit_transform(dated())] == [1, 6]
    # Pairs of days: only by itself has a sequence dates that rise throughout.
    sums = FunctionTransformer(lambda frame: frame.rolling("2D").sum())
    assert PerSequence(sums).fit_transform(dated()[::-1])[1]["load"].tolist() == [0, 1, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_polars(kind):
    pl = pytest.importorskip("polars")
    X = [pl.from_pandas(frame[["load"]]) for frame in frames()]
    if not hasattr(StandardScaler().fit(X[0]), "feature_names_in_"):
        pytest.skip("this scikit-learn does not know the columns of this polars")
    step = kind(StandardScaler()).fit(X)
    assert_array_equal(step.feature_names_in_, ["load"])
    assert_array_equal(step.get_feature_names_out(), ["load"])
    pandas = kind(StandardScaler()).fit_transform([frame[["load"]] for frame in frames()])
    for one, other in zip(step.transform(X), pandas, strict=True):
        assert_array_equal(one, other)
    if kind is PerStep:
        by_name = ColumnTransformer(
            [("place", OneHotEncoder(sparse_output=False), ["place"]), ("load", "passthrough", [1])]
        )
        both = PerStep(by_name).set_output(transform="polars")
        out = both.fit_transform([pl.from_pandas(frame) for frame in frames()])
        assert out[1].columns == ["place__place_in", "place__place_out", "load__load"]
        assert out[0]["load__load"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_sequences(kind):
    table = pd.DataFrame({"x": ragged((2, 3)), "age": [1.0, 2.0]}, index=[7, 8])
    scaled = kind(StandardScaler()).fit_transform(table["x"])
    both = ColumnTransformer([("step", kind(StandardScaler()), ["x"])], remainder="passthrough")
    for container in ("default", "pandas"):
        out = both.set_output(transform=container).fit_transform(table)
        cells = out[:, 0] if container == "default" else out["step__x"]
        for cell, one in zip(cells, scaled, strict=True):
            assert_allclose(cell, one)
    assert list(out.index) == [7, 8]
    assert_array_equal(both.named_transformers_["step"].get_feature_names_out(), ["x0", "x1", "x2"])


# One series, as a forecaster takes it


@pytest.mark.parametrize("kind", KINDS)
def test_one_series_with_dates(kind):
    frame = dated()[0].assign(heat=[3.0, 1.0, 2.0])
    step = kind(StandardScaler())
    out = step.fit_transform(frame)
    scaled = StandardScaler().fit_transform(frame)
    pd.testing.assert_frame_equal(out, pd.DataFrame(scaled, frame.index, frame.columns))
    assert step.n_features_in_ == 2
    series = kind(StandardScaler()).fit_transform(frame["heat"])
    pd.testing.assert_series_equal(series, out["heat"])
    one = kind(PCA(1)).set_output(transform="pandas").fit_transform(frame)
    assert one.shape == (3, 1) and one.index.equals(frame.index)
    with pytest.raises(ValueError, match="a DataFrame of polars has no index"):
        kind(StandardScaler()).set_output(transform="polars").fit_transform(frame)


@pytest.mark.parametrize("kind", KINDS)
def test_one_series_without_dates(kind):
    values, step = [1.0, 2.0, 3.0], kind(StandardScaler())
    expected = StandardScaler().fit_transform(np.reshape(values, (3, 1)))[:, 0]
    for form in (values, np.array(values), pd.Series(values, index=[5, 6, 7], name="a")):
        out = step.fit_transform(form)
        assert type(out) is (np.ndarray if form is values else type(form))
        assert_allclose(out, expected)
    assert list(out.index) == [5, 6, 7] and out.name == "a"
    spline = kind(SplineTransformer(n_knots=2, degree=1))
    assert [x.shape for x in spline.fit_transform(values)] == [(3, 2)]  # no table: that is series
    assert (
        PerStep(Spy())
        .fit(values, None, sample_weight=values)
        .transformer_.given_["sample_weight"]
        .tolist()
        == values
    )


def test_a_table_of_samples_with_dates():
    # As LSTMForecaster reads it: with a y each row is a sample, and so it is from then on.
    index = pd.date_range("2000-01-01", periods=4)
    lags = pd.DataFrame(np.arange(12.0).reshape(4, 3), index, columns=["a", "b", "c"])
    step = PerStep(StandardScaler()).fit(lags, np.ones(4))
    assert step.transformer_.n_samples_seen_ == 12
    assert_allclose(step.transform(lags), (lags - 5.5) / np.arange(12).std())


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_of_a_scaled_series_has_dates(kind):
    wave = np.sin(np.arange(40) / 3)
    index = pd.date_range("2024-01-01", periods=40)
    frame = pd.DataFrame({"a": wave, "b": 5 + 3 * wave}, index=index)
    forecaster = LSTMForecaster(horizon=3, hidden_layer_sizes=(2,), max_iter=1, random_state=0)
    model = make_pipeline(kind(StandardScaler()), forecaster).fit(frame)
    forecast = model.predict(frame)
    assert list(forecast.columns) == ["a", "b"] and forecast.index[0] == index[-1] + index.freq
    if kind is PerStep:
        back = model[0].inverse_transform(forecast)
        assert_allclose(back, forecast * frame.std(ddof=0) + frame.mean())
        assert back.index.equals(forecast.index) and list(back.columns) == ["a", "b"]


# set_output, columns by name


@pytest.mark.parametrize("kind", KINDS)
def test_set_output(kind):
    X = ragged((3, 3))
    model = make_pipeline(kind(StandardScaler()), MeanClassifier()).set_output(transform="pandas")
    step = clone(model[0])
    for form in (X, object_array(X), np.stack(X)):
        out = step.fit_transform(form)
        assert [list(part.columns) for part in out] == [["x0", "x1", "x2"]] * 2
    assert isinstance(step.transform(X)[0], pd.DataFrame)
    table = pd.DataFrame(np.stack(X)[:, :, 0], index=[7, 8], columns=list("abc"))
    out = step.fit_transform(table)
    assert list(out.index) == [7, 8] and list(out.columns) == list("abc")
    assert isinstance(step.fit_transform([1.0, 2.0])[0], pd.DataFrame)
    assert step.set_output(transform=None).fit_transform(X)[0].shape == (3, 3)
    assert isinstance(step.transform(X)[0], pd.DataFrame)
    step.set_params(transformer=MinMaxScaler())  # as a grid does
    assert isinstance(step.fit_transform(X)[0], pd.DataFrame)
    assert isinstance(step.set_output(transform="default").transform(X)[0], np.ndarray)
    with config_context(transform_output="pandas"):
        assert isinstance(kind(None).fit_transform(X)[0], pd.DataFrame)
    with pytest.raises(ValueError, match="Unable to configure output for Spy"):
        kind(Spy()).set_output(transform="pandas")
