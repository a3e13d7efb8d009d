"""Every form of X through the estimators, alone and inside scikit-learn's tools."""

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from problems import first_step, means, token_lists
from sklearn.compose import TransformedTargetRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier, RNNRegressor
from skrnn.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, T, D = 30, 5, 2


def quick(make=RNNClassifier, **params):
    return make(**{"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, **params})


def piped(make=RNNClassifier, **params):
    return make_pipeline(PerStep(StandardScaler()), quick(make, **params))


BOTH_WAYS = pytest.mark.parametrize("build", [quick, piped])


def object_array(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def equal_lengths():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, T, D)), rng.integers(0, 2, N)


def padded(items):
    cube = np.full((len(items), max(map(len, items)), D), np.nan)
    for row, item in zip(cube, items, strict=True):
        row[: len(item)] = item
    return cube


def same(build, X, others, y):
    """Check that forms of the same data give the same model and the same predictions."""
    expected = build().fit(X, y)
    for form, other in others.items():
        model = build().fit(other, y)
        predicted = model.predict_proba(other)
        assert predicted.tobytes() == expected.predict_proba(X).tobytes(), form
        np.testing.assert_array_equal(expected.predict(other), expected.predict(X), form)
        assert model.score(other, y) == expected.score(X, y), form


@BOTH_WAYS
def test_ragged_forms(build):
    X, y = first_step(N)
    frames = [pd.DataFrame(x) for x in X]
    others = {
        "tuple": tuple(X),
        "object array": object_array(X),
        "Series": pd.Series(object_array(X), index=range(100, 100 + N)),
        "column": object_array(X)[:, np.newaxis],
        "DataFrame of one column": pd.DataFrame({"sequence": X}),
        "padded cube": padded(X),
        "lists of lists": [x.tolist() for x in X],
        "DataFrames": frames,
        "Fortran order": [np.asfortranarray(x) for x in X],
        "views": [np.repeat(x, 2, axis=0)[::2] for x in X],
    }
    same(build, X, others, y)


def containers(X, lists):
    """Build what other packages hold the sequences in, with the conversions of the guide."""
    import polars as pl

    steps = pd.concat({i: pd.DataFrame(x) for i, x in enumerate(X)}, names=["case", "time"])
    nested = pd.DataFrame({f"dim_{k}": [pd.Series(x[:, k]) for x in X] for k in range(D)})
    yield "Arrow array", pa.array(lists)
    yield "Arrow chunks", pa.chunked_array([lists[:3], lists[3:]])
    yield "Arrow table", pa.table({"sequence": lists})
    yield "polars Series", pl.Series(lists)
    yield "polars frame", pl.DataFrame({"sequence": lists})
    yield "pd-multiindex", [x.to_numpy() for _, x in steps.groupby(level=0, sort=False)]
    yield "nested_univ", [np.column_stack(row) for row in nested.to_numpy()]
    yield "np-list, aeon", [x.T for x in [x.T for x in X]]


def test_containers_of_other_packages():
    pytest.importorskip("polars")
    X, y = first_step(N)
    same(quick, X, dict(containers(X, [x.tolist() for x in X])), y)


def test_containers_that_are_not_installed_with_the_tests():
    ak, xr = pytest.importorskip("awkward"), pytest.importorskip("xarray")
    X, y = first_step(N)
    ragged = ak.Array([x.tolist() for x in X])
    with pytest.raises(TypeError, match="X is of type Array, which is not one array"):
        quick().fit(ragged, y)
    labeled = [xr.DataArray(x, dims=("time", "feature")) for x in X]
    same(quick, X, {"awkward": [ak.to_numpy(x) for x in ragged], "xarray": labeled}, y)


@BOTH_WAYS
def test_forms_of_equal_lengths(build):
    X, y = equal_lengths()
    swapped = np.ascontiguousarray(X.transpose(0, 2, 1)).transpose(0, 2, 1)
    others = {
        "list": list(X),
        "object array": object_array(list(X)),
        "Series": pd.Series(list(X)),
        "column": pd.DataFrame({"sequence": list(X)}),
        "nested lists": X.tolist(),
        "not contiguous": swapped,
    }
    same(build, X, others, y)


def arrow(kind):
    """Return pandas' dtype for an Arrow type, given by name; `*` is a list of it."""
    made = pa.type_for_alias(kind.rstrip("*"))
    for _ in range(kind.count("*")):
        made = pa.list_(made)
    return pd.ArrowDtype(made)


@BOTH_WAYS
def test_arrow_and_nullable_forms(build):
    X, y = first_step(N)
    frames = [pd.DataFrame(x) for x in X]
    same(build, frames, {
        "Arrow": [frame.astype(arrow("double")) for frame in frames],
        "nullable": [frame.astype("Float64") for frame in frames],
    }, y)  # fmt: skip
    firsts = [x[:, 0] for x in X]
    same(build, firsts, {
        "column of lists": pd.Series([x.tolist() for x in firsts], dtype=arrow("double*")),
        "Series": [pd.Series(x, dtype=arrow("double")) for x in firsts],
    }, y)  # fmt: skip
    lists = pd.Series([x.tolist() for x in X], dtype=arrow("double**"))
    same(build, X, {"column of lists of lists": lists}, y)
    cube, y = equal_lengths()
    table = pd.DataFrame(cube[:, :, 0])
    same(build, table, {"table": table.astype(arrow("double"))}, y)


def test_arrow_tokens_and_targets():
    X, y = token_lists(N)
    column = pd.Series(X, dtype=arrow("string*"))
    rows = [pd.Series(x, dtype=arrow("string")) for x in X]
    same(quick, X, {"column": column, "Series": rows}, y)
    X, y = first_step(N)
    codes = np.unique(y, return_inverse=True)[1]
    expected = quick().fit(X, y).predict_proba(X)
    targets = {"string": y, "int64": codes}
    others = [pd.Series(values, dtype=arrow(kind)) for kind, values in targets.items()]
    for other in (*others, pd.Series(codes, dtype="Int64")):
        np.testing.assert_array_equal(quick().fit(X, other).predict_proba(X), expected)


@pytest.mark.parametrize("kind", ["Float64", "double"])
def test_a_missing_value_of_pandas(kind):
    X, y = first_step(N)
    frames = [pd.DataFrame(x).astype(kind if kind == "Float64" else arrow(kind)) for x in X]
    frames[3].iloc[0, 1] = pd.NA
    with pytest.raises(ValueError, match="sequence 3 has NaN at step 0"):
        quick().fit(frames, y)
    steps = [x.tolist() for x in X]
    steps[3] = [[1.0, 2.0], [1.0]]  # Arrow does not ask for equal lengths
    steps = pd.Series(steps, dtype=arrow("double**"))
    with pytest.raises(ValueError, match="sequence 3 is not an array: its steps have different"):
        quick().fit(steps, y)


@BOTH_WAYS
def test_univariate_forms(build):
    X, y = equal_lengths()
    X = X[:, :, 0]
    others = {
        "list of lists": X.tolist(),
        "DataFrame": pd.DataFrame(X),
        "list of vectors": list(X),
        "object array of vectors": object_array(list(X)),
        "list of columns": list(X[:, :, np.newaxis]),
        "cube": X[:, :, np.newaxis],
        "Fortran order": np.asfortranarray(X),
    }
    same(build, X, others, y)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool, np.float16])
def test_types_of_numbers(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (N, T, D)).astype(dtype)
    y = rng.integers(0, 2, N)
    same(quick, X.astype(np.float64), {"cube": X, "list": list(X)}, y)


def test_token_forms():
    X, y = token_lists(N)
    others = {
        "arrays": [np.array(x) for x in X],
        "object arrays": [np.array(x, dtype=object) for x in X],
        "Series": pd.Series(X),
        "tuples": [tuple(x) for x in X],
        "object array": object_array(X),
    }
    same(quick, X, others, y)
    with pytest.raises(TypeError, match=r"\[list\(s\) for s in X\]"):
        quick().fit(["".join(x) for x in X], y)


def test_forms_of_y():
    X, y = first_step(N)
    expected = quick().fit(X, y).predict_proba(X)
    for other in (list(y), tuple(y), pd.Series(y, index=range(5, 5 + N)), y.astype(object)):
        np.testing.assert_array_equal(quick().fit(X, other).predict_proba(X), expected)
    X, y = means(N, outputs=2)
    expected = quick(RNNRegressor).fit(X, y).predict(X)
    for other in (y.tolist(), pd.DataFrame(y), np.asfortranarray(y)):
        np.testing.assert_array_equal(quick(RNNRegressor).fit(X, other).predict(X), expected)


@pytest.mark.parametrize("build", [quick, piped])
def test_input_is_never_written(build, tmp_path):
    X, y = equal_lengths()
    expected = build().fit(X, y).predict_proba(X)
    cubes = {"float64": X, "float32": X.astype(np.float32)}
    for name, cube in cubes.items():
        joblib.dump([list(cube), cube], tmp_path / name)
        ragged, mapped = joblib.load(tmp_path / name, mmap_mode="r")
        raw = np.memmap(tmp_path / "raw", dtype=cube.dtype, mode="w+", shape=cube.shape)
        raw[:] = cube
        raw.flush()
        raw = np.memmap(tmp_path / "raw", dtype=cube.dtype, mode="r", shape=cube.shape)
        frozen = cube.copy()
        frozen.setflags(write=False)
        weight = np.ones(N)
        weight.setflags(write=False)
        for form in (ragged, mapped, raw, frozen, list(frozen)):
            model = build().fit(form, y)
            np.testing.assert_allclose(model.predict_proba(form), expected, atol=1e-5)
        quick().fit(frozen, y, sample_weight=weight)


def test_read_only_targets_and_rows(tmp_path):
    X, y = means(N)
    rows = np.array([x[0] for x in X], dtype=np.float32)
    y = y.astype(np.float32)
    for array in (rows, y):
        array.setflags(write=False)
    assert quick(RNNRegressor).fit(rows, y).predict(rows).shape == (N,)


@BOTH_WAYS
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict(build, method):
    X, y = first_step(N)
    forms = [X, object_array(X), pd.Series(object_array(X)), padded(X)]
    results = [cross_val_predict(build(), form, y, cv=3, method=method) for form in forms]
    assert results[0].shape == ((N,) if method == "predict" else (N, 2))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("form", ["list", "cube", "rows", "DataFrame"])
def test_cross_val_score(form):
    X, y = equal_lengths()
    X = {"list": list(X), "cube": X, "rows": X[:, :, 0], "DataFrame": pd.DataFrame(X[:, :, 0])}
    scores = cross_val_score(piped(), X[form], y, cv=3, scoring="neg_log_loss")
    assert np.isfinite(scores).all()
    assert cross_val_score(piped(RNNRegressor), X[form], y * 2.0, cv=3).shape == (3,)


GRID = {
    "perstep__transformer__with_mean": [True, False],
    "rnnclassifier__hidden_layer_sizes": [(4,), (3, 3)],
}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_over_ragged_lists(n_jobs):
    X, y = first_step(60)
    search = GridSearchCV(piped(), GRID, cv=2, n_jobs=n_jobs).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (60,)
    again = GridSearchCV(piped(), GRID, cv=2).fit(object_array(X), y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(search.predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize("resource", ["n_samples", "rnnclassifier__max_iter"])
def test_halving_grid_search(resource):
    X, y = first_step(60)
    search = HalvingGridSearchCV(
        piped(), GRID, cv=2, n_jobs=2, factor=2, resource=resource, random_state=0,
        **({"max_resources": 8, "min_resources": 2} if "max_iter" in resource else {}),
    ).fit(X, y)  # fmt: skip
    assert search.n_iterations_ >= 2
    assert search.predict(X).shape == (60,)


def test_search_over_a_memory_map():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 100, 25))  # 1.2 MB: joblib maps it read-only in its workers
    y = rng.integers(0, 2, 60)
    search = GridSearchCV(quick(), {"cell": ["rnn", "gru"]}, cv=2, n_jobs=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_regression_in_scikit_learn_s_tools():
    X, y = means(N, outputs=2)
    model = TransformedTargetRegressor(piped(RNNRegressor), transformer=StandardScaler())
    assert cross_val_predict(model, X, y * 1e4, cv=3).shape == (N, 2)
    search = GridSearchCV(quick(RNNRegressor), {"alpha": [0, 1]}, cv=2).fit(X, y)
    assert search.predict(X).shape == (N, 2)
