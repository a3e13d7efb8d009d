"""Tests for the door: every form of X, what the estimator learns of it, every error."""

import pickle
import warnings
from collections import UserList

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

from skrnn._data.sequences import Sequences
from skrnn._data.validation import check_sequences

pd = pytest.importorskip("pandas")


class Door(BaseEstimator):
    """An estimator that only takes data in."""

    def fit(self, X, **options):
        self.sequences_ = check_sequences(self, X, reset=True, **options)
        return self

    def read(self, X, **options):
        return check_sequences(self, X, reset=False, **options)


def fit(X, **options):
    return Door().fit(X, **options).sequences_


def ragged(lengths=(3, 1, 4), width=2, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 9, size=(length, width)).astype(dtype) for length in lengths]


def assert_same(sequences, arrays, dtype=np.float32):
    """Assert that ``sequences`` are the arrays, in a form fit for kernels."""
    assert isinstance(sequences, Sequences)
    assert sequences.values.dtype == dtype
    assert sequences.values.flags.c_contiguous
    assert sequences.offsets.dtype == np.int64
    assert len(sequences) == len(arrays)
    for found, expected in zip(sequences.arrays(), arrays, strict=True):
        expected = np.asarray(expected)
        assert_array_equal(found, expected.reshape(len(expected), sequences.values.shape[1]))


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


# The container


def test_container():
    sequences = fit(ragged())
    assert_array_equal(sequences.lengths, [3, 1, 4])
    assert_array_equal(sequences.offsets, [0, 3, 4, 8])
    assert all(np.shares_memory(view, sequences.values) for view in sequences.arrays())
    with pytest.raises(AttributeError):
        sequences.values = None
    assert_same(pickle.loads(pickle.dumps(sequences)), ragged())


@pytest.mark.parametrize(
    ("indices", "places"),
    [
        ([2, 0], [2, 0]),
        ([1, 1, 2], [1, 1, 2]),
        ([], []),
        ([-1], [2]),
        ([False, True, True], [1, 2]),
        (np.array([0], dtype=np.uint8), [0]),
    ],
)
def test_take(indices, places):
    X = ragged((3, 0, 4))
    taken = fit(X, min_length=0).take(indices)
    assert_same(taken, [X[i] for i in places])


# Forms of numbers


def test_ragged_containers():
    X = ragged()
    strided = [np.repeat(x, 2, axis=0)[::2] for x in X]
    fortran = [np.asfortranarray(x) for x in X]
    for form in (X, tuple(X), UserList(X), object_array(X), pd.Series(X), strided, fortran):
        assert_same(fit(form), X)
    assert_same(fit([x.tolist() for x in X]), X)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "<i4", ">i2", "u1", "?"])
def test_dtypes(dtype):
    X = ragged(dtype=dtype)
    assert_same(fit(X), X)
    assert_same(fit(X, dtype=np.float64), X, dtype=np.float64)
    cube = np.stack(ragged((5, 5), dtype=dtype))
    assert_same(fit(cube), list(cube))


def test_dtype_of_a_tuple_is_kept_if_listed():
    floats = (np.float64, np.float32)
    assert fit(ragged(dtype="f4"), dtype=floats).values.dtype == np.float32
    assert fit(ragged(dtype="i4"), dtype=floats).values.dtype == np.float64
    assert fit(np.ones((2, 3), dtype=np.float32), dtype=floats).values.dtype == np.float32


def test_read_only_and_memory_map(tmp_path):
    X = ragged((4, 4))
    for x in X:
        x.setflags(write=False)
    np.save(tmp_path / "cube.npy", np.stack(X))
    mapped = np.load(tmp_path / "cube.npy", mmap_mode="r")
    assert_same(fit(X), X)
    assert_same(fit(mapped), X)
    assert_same(fit(list(mapped)), X)


def test_univariate_sequences():
    X = [np.arange(3.0), np.arange(5.0)]
    door = Door().fit(X)
    assert (door.n_features_in_, door._step_width, door._token_counts) == (1, 1, None)
    column = [x[:, np.newaxis] for x in X]
    for form in (X, column, [X[0], column[1]], [[0, 1, 2], [0, 1, 2, 3, 4]], pd.Series(X)):
        assert_same(fit(form), X)
    assert_same(fit([pd.Series(x) for x in X]), X)


def test_object_array_of_equal_lists_is_ragged():
    door = Door().fit(object_array([[1, 2, 3], [4, 5, 6]]))
    assert door.n_features_in_ == 1


def test_cube_without_padding_is_not_copied():
    X = np.stack(ragged((5, 5), dtype=np.float32))
    sequences = fit(X)
    assert np.shares_memory(sequences.values, X)
    assert_same(sequences, list(X))
    assert_same(fit(X.astype(object)), list(X))


def test_trailing_nan_steps_of_a_cube_are_padding():
    X = np.stack(ragged((5, 5, 5)))
    X[0, 3:] = np.nan
    X[2] = np.nan
    kept = [X[0, :3], X[1], X[2, :0]]
    assert_same(fit(X, min_length=0), kept)
    assert_same(fit(X, min_length=0, allow_nan=True), kept)
    with pytest.raises(ValueError, match="sequence 2 is empty while a minimum of 1 step"):
        fit(X)


def test_nan_within_a_cube():
    X = np.stack(ragged((5, 5)))
    X[1, 4] = np.nan
    X[1, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"Input X contains NaN(.|\n)*sequence 1 has NaN at step 2"
    ):
        fit(X)
    sequences = fit(X, allow_nan=True)
    assert_array_equal(sequences.lengths, [5, 4])
    assert np.isnan(sequences.values[7]).all()


def test_rows_are_univariate_series():
    X = np.arange(12.0).reshape(3, 4)
    door = Door().fit(X)
    assert (door.n_features_in_, door._step_width, door._token_counts) == (4, 1, None)
    for form in (X, X.tolist(), tuple(map(tuple, X.tolist())), X.astype(object)):
        assert_same(door.read(form), list(X))
    frame = pd.DataFrame(X, columns=list("abcd"))
    door.fit(frame)
    assert_array_equal(door.feature_names_in_, list("abcd"))
    with pytest.raises(ValueError, match="feature names should match"):
        door.read(frame[["b", "a", "c", "d"]])


def test_rows_and_univariate_sequences_go_together():
    X = np.arange(12.0).reshape(3, 4)
    frame = pd.DataFrame(X, columns=list("abcd"))
    by_rows = Door().fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(by_rows.read([X[0], X[1, :2]]), [X[0], X[1, :2]])
        assert_same(by_rows.read(X[:, :2, np.newaxis]), list(X[:, :2]))
    by_rows.fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but Door is expecting 4 features"):
        by_rows.read(X[:, :3])
    by_sequences = Door().fit([X[0], X[1, :2]])
    assert_same(by_sequences.read(X[:, :3]), list(X[:, :3]))
    assert_same(by_sequences.read([[1, 2, 3]]), [[1, 2, 3]])


def test_frames_give_feature_names():
    frames = [pd.DataFrame(x, columns=["load", "heat"]) for x in ragged()]
    door = Door().fit(frames)
    assert_array_equal(door.feature_names_in_, ["load", "heat"])
    assert door.n_features_in_ == 2
    assert_same(door.read(pd.Series(frames)), ragged())
    with pytest.raises(ValueError, match="feature names should match"):
        door.read([frame[["heat", "load"]] for frame in frames])
    with pytest.warns(UserWarning, match="X does not have valid feature names, but Door"):
        door.read(ragged())
    door.fit(ragged())
    assert not hasattr(door, "feature_names_in_")
    with pytest.warns(UserWarning, match="Door was fitted without feature names"):
        door.read(frames)


def test_frames_must_agree():
    frames = [pd.DataFrame(x, columns=["load", "heat"]) for x in ragged()]
    frames[1] = frames[1][["heat", "load"]]
    with pytest.raises(ValueError, match=r"sequence 1 has the columns \['heat', 'load'\]"):
        fit(frames)
    frames[1] = frames[1].to_numpy()
    with pytest.raises(TypeError, match="sequence 1 is a ndarray, but sequence 0 is a DataFrame"):
        fit(frames)


def test_empty_sequences():
    X = [np.ones((2, 3)), np.ones((0, 3)), np.array([]), []]
    assert_array_equal(fit(X, min_length=0).lengths, [2, 0, 0, 0])
    door = Door().fit(X[:1])
    assert door.read([[], []], min_length=0).values.shape == (0, 3)
    with pytest.raises(ValueError, match="sequence 1 is empty while a minimum of 1 step"):
        door.read(X)
    with pytest.raises(ValueError, match="Every sequence of X is empty"):
        fit([[], []], min_length=0)


def test_min_length():
    message = r"sequence 1 has 1 step\(s\) while a minimum of 2 step\(s\) is required by Door"
    with pytest.raises(ValueError, match=message):
        fit(ragged(), min_length=2)
    with pytest.raises(ValueError, match=r"Found array with 1 feature\(s\)"):
        fit(np.ones((3, 1)), min_length=2)


# Tokens


def test_strings_are_tokens():
    X = [["the", "cat", "sat"], ["the"], ["a", "cat"]]
    door = Door().fit(X)
    assert door.vocabulary_ == {"a": 0, "cat": 1, "sat": 2, "the": 3}
    assert all(type(token) is str for token in door.vocabulary_)
    assert (door.n_features_in_, door._step_width) == (1, 1)
    assert_array_equal(door._token_counts, [4])
    ids = [[3, 1, 2], [3], [0, 1]]
    arrays = [np.array(x) for x in X]
    columns = [x[:, np.newaxis] for x in arrays]
    for form in (X, tuple(map(tuple, X)), object_array(X), pd.Series(X), arrays, columns):
        assert_same(door.read(form), ids, dtype=np.int64)
        assert Door().fit(form).vocabulary_ == door.vocabulary_
    assert_same(door.read([["dog", "cat"], []], min_length=0), [[4, 1], []], dtype=np.int64)
    assert_same(door.read([[], []], min_length=0), [[], []], dtype=np.int64)


@pytest.mark.parametrize("dtype", [str, object])
def test_rectangle_of_strings(dtype):
    X = np.array([["a", "b"], ["b", "c"]], dtype=dtype)
    for form in (X, X.tolist(), pd.DataFrame(X), X[:, :, np.newaxis]):
        door = Door().fit(form)
        assert door.n_features_in_ == 1
        assert_same(door.sequences_, [[0, 1], [1, 2]], dtype=np.int64)


def test_strings_keep_their_meaning_when_embed_is_set():
    assert_same(fit([["b"], ["a", "b"]], embed=True), [[1], [0, 1]], dtype=np.int64)


def test_refitting_forgets():
    door = Door().fit([["a"], ["b", "a"]])
    door.fit(ragged())
    assert not hasattr(door, "vocabulary_")
    assert door._token_counts is None


def test_integers_are_numbers_unless_embedded():
    assert_same(fit([[1, 2], [3]]), [[1, 2], [3]])


def test_one_column_of_ids():
    X = [[2, 0, 1], [4]]
    door = Door().fit(X, embed=True)
    assert (door.n_features_in_, door._step_width) == (1, 1)
    assert_array_equal(door._token_counts, [5])
    # What was fitted decides, so a call without embed means ids as well.
    assert_same(door.read([[4, 5, 99], [0.0]]), [[4, 5, 5], [0]], dtype=np.int64)


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_equal_lengths_of_ids_may_change_later(form):
    door = Door().fit(form(np.array([[1, 2, 0], [0, 1, 2]])), embed=True)
    assert door.n_features_in_ == 1
    assert_same(door.read(form(np.array([[1, 2]]))), [[1, 2]], dtype=np.int64)


def test_each_column_of_ids_has_its_own_unknown():
    X = [np.array([[0, 2], [1, 0]]), np.array([[3, 1]], dtype=np.uint8)]
    door = Door().fit(X, embed=True)
    assert door.n_features_in_ == 2
    assert_array_equal(door._token_counts, [4, 3])
    # Column 0 has rows 0-3 and 4 for unknown ids; column 1 rows 0-2 and 3.
    expected = [[[0, 2], [1, 0]], [[3, 1]]]
    assert_same(door.sequences_, expected, dtype=np.int64)
    assert_same(door.read([np.array([[9, 7], [-1, 3]])]), [[[4, 3], [4, 3]]], dtype=np.int64)
    padded = np.full((2, 2, 2), np.nan)
    padded[0], padded[1, :1] = X
    assert_same(door.read(padded), expected, dtype=np.int64)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0, 1], [2, -2, 3]], r"sequence 1 has -2 at step 1 \(column 0\), but a token id must"),
        ([[0, 1], [0.5]], r"sequence 1 has 0.5 at step 0 .*embedding_dim=None"),
        ([[0, 1], [2, np.nan, 1]], "sequence 1 has NaN at step 1"),
        ([[0, 1], [2, np.inf, 1]], "Input X contains infinity"),
    ],
)
def test_ids_must_be_ids(X, message):
    with pytest.raises(ValueError, match=f"(.|\n)*{message}"):
        fit(X, embed=True, allow_nan=True)


def test_kind_must_be_the_one_fitted():
    words, numbers = [["a"], ["b", "a"]], [[1, 2], [3]]
    with pytest.raises(TypeError, match=r"X holds numbers, but Door was fitted on .* strings"):
        Door().fit(words).read(numbers)
    for embed in (False, True):
        with pytest.raises(TypeError, match=r"X holds strings, but Door was fitted on .* numbers"):
            Door().fit(numbers, embed=embed).read(words)


@pytest.mark.parametrize(
    "X", [["ab", "c"], "ab", b"ab", np.array(["ab", "c"]), pd.Series(["ab", "c"]), ("ab",)]
)
def test_plain_strings_are_refused_with_the_remedy(X):
    with pytest.raises(TypeError, match=r"\[list\(s\) for s in X\] .*\[s\.split\(\) for s in X\]"):
        fit(X)


def test_columns_of_strings_are_refused():
    with pytest.raises(ValueError, match=r"sequence 0 has shape \(1, 2\), but strings are tokens"):
        fit([np.array([["a", "b"]])])


# Errors


@pytest.mark.parametrize(
    ("X", "place"),
    [
        ([["a", "b"], ["a", 1]], "sequence 1 has 1 at step 1"),
        ([["a", "b"], ["a", None]], "sequence 1 has None at step 1"),
        ([["a"], [1, 2]], "sequence 1 has 1 at step 0"),
        ([[1, 2], [3, "a"]], "sequence 1 has 'a' at step 1"),
        ([[1, 2], [3, 4, "5"]], "sequence 1 has '5' at step 2"),
        ([[[1, 2]], [[3, 4], [5, "x"]]], "sequence 1 has 'x' at step 1"),
        ([np.ones(2), np.array(["a"])], "sequence 1 has 'a' at step 0"),
    ],
)
def test_mixed_kinds(X, place):
    with pytest.raises(TypeError, match=f"X mixes strings and .*{place}"):
        fit(X)


@pytest.mark.parametrize("X", [None, 3, {"a": [1]}, {1, 2}, object()])
def test_what_is_no_collection(X):
    with pytest.raises(TypeError, match=r"X must be a list .*; got "):
        fit(X)


@pytest.mark.parametrize("item", [None, "ab", 3.0, {"a": 1}])
def test_what_is_no_sequence(item):
    with pytest.raises(TypeError, match=f"sequence 1 is of type {type(item).__name__}"):
        fit([np.ones((2, 1)), item])


@pytest.mark.parametrize("shape", [(), (2, 2, 2)])
def test_sequence_of_wrong_dimensions(shape):
    with pytest.raises(ValueError, match=r"sequence 1 has shape .* a sequence is an array"):
        fit([np.ones((2, 2)), np.ones(shape)])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array(1.0), "Expected 2D array, got scalar array"),
        (np.ones(3), "Expected 2D array, got 1D array(.|\n)*Reshape your data"),
        ([1.0, 2.0], "Expected 2D array, got 1D array"),
        (np.ones((2, 2, 2, 2)), "Found array with dim 4, while dim <= 3 is required"),
        ([], r"Found array with 0 sample\(s\) \(shape=\(0,\)\)"),
        (np.empty(0, dtype=object), r"Found array with 0 sample\(s\)"),
        (np.empty((0, 3)), r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\)"),
        (np.empty((0, 3, 2)), r"Found array with 0 sample\(s\) \(shape=\(0, 3, 2\)\)"),
        (np.empty((3, 0)), r"Found array with 0 feature\(s\) \(shape=\(3, 0\)\)"),
        (np.empty((3, 2, 0)), r"Found array with 0 feature\(s\) \(shape=\(3, 2, 0\)\)"),
        ([np.empty((3, 0))], r"Found array with 0 feature\(s\)"),
        (np.ones((2, 3), dtype=complex), "Complex data not supported"),
        (np.ones((2, 3, 1), dtype=complex), "Complex data not supported"),
        ([np.ones((3, 1), dtype=complex)], "Complex data not supported\nsequence 0"),
        ([[1j, 2], [1]], "Complex data not supported"),
        (
            [[[1, 2], [3]], [[1, 2]]],
            "sequence 0 is not an array: its steps have .* 2 at step 0 and 1 at step 1",
        ),
        ([[[[1, 2], [3]]]], "sequence 0 is not an array: a step is a number or a list"),
        (np.array([[np.nan, 1]]), r"Input X contains NaN.\nsequence 0 has NaN at step 0"),
        (np.array([[1, np.nan], [np.nan, np.nan]]), "sequence 1 is empty"),
    ],
)
def test_value_errors(X, message):
    with pytest.raises(ValueError, match=message):
        fit(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_array(np.ones((2, 2))), "Sparse data was passed"),
        ([np.ones((2, 2)), sparse.csr_array(np.ones((2, 2)))], "sequence 1 is sparse"),
        ([np.array(["2020-01-01"], dtype="M8[D]")], "sequence 0 has dtype datetime64"),
        ([np.array([b"a"])], "sequence 0 has dtype |S1"),
        ([object_array([1, {}])], "sequence 0 holds a value that is not a number"),
    ],
)
def test_type_errors(X, message):
    with pytest.raises(TypeError, match=message):
        fit(X)


def test_wrong_number_of_features():
    door = Door().fit(ragged())
    message = "X has 3 features, but Door is expecting 2 features as input"
    for X in ([np.ones((4, 3))], np.ones((1, 4, 3))):
        with pytest.raises(ValueError, match=message):
            door.read(X if isinstance(X, np.ndarray) else [*X, *X])
    with pytest.raises(ValueError, match="sequence 1 has 3 features per step, not 2"):
        door.read([np.ones((4, 2)), np.ones((4, 3))])
    with pytest.raises(ValueError, match="sequence 1 has 3 features per step, sequence 0 has 2"):
        fit([np.ones((4, 2)), np.ones((5, 3))])
    with pytest.raises(ValueError, match=r"Door is expecting 2 features(.|\n)*\[X\] for a single"):
        door.read(np.ones((5, 2)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_where_a_sequence_is_not_finite(value):
    X = ragged((3, 0, 4))
    X[2][1, 1] = value
    if np.isnan(value):
        message = (
            r"Input X contains NaN\.\nsequence 2 has NaN at step 1 \(feature 1\).*"
            r"PerStep\(SimpleImputer\(\)\)"
        )
    else:
        message = (
            r"Input X contains infinity or a value too large for dtype\('float32'\)\.\n"
            r"sequence 2 has it at step 1 \(feature 1\)"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            fit(X, min_length=0)
    if value == 1e300:
        assert fit(X, dtype=np.float64, min_length=0).values.max() == value


def test_allow_nan_is_not_allow_inf():
    X = ragged()
    X[0][1, 0] = np.nan
    assert np.isnan(fit(X, allow_nan=True).values[1, 0])
    assert np.isnan(fit(np.array([[1, np.nan, 2]]), allow_nan=True).values[1, 0])
    X[2][3, 1] = np.inf
    with pytest.raises(ValueError, match=r"infinity(.|\n)*sequence 2 has it at step 3"):
        fit(X, allow_nan=True)


def test_sum_that_overflows_is_no_error():
    X = np.full((2, 200_001, 1), 1e34, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(fit(X), list(X))
