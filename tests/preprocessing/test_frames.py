"""Tests for Frames: consecutive steps as one step, and labels of steps through frames."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMTagger, RNNClassifier
from skrnn.preprocessing import Frames, PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def frames_by_hand(x, width, stride):
    """Return the frames of one sequence (T, n_features), step by step."""
    starts = [0]
    while starts[-1] + width < len(x):
        starts.append(starts[-1] + stride)
    last = len(x) - 1
    return np.array(
        [np.concatenate([x[min(start + i, last)] for i in range(width)]) for start in starts]
    )


@pytest.mark.parametrize("width", range(1, 6))
def test_every_length_width_and_stride(width):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)) for length in range(1, 14)]
    for stride in range(1, width + 1):
        for x, framed in zip(X, Frames(width, stride).fit_transform(X), strict=True):
            assert_array_equal(framed, frames_by_hand(x, width, stride))


def test_names_tell_the_feature_and_the_step():
    X = [pd.DataFrame({"load": [0.0, 1, 2], "heat": [5.0, 6, 7]})]
    step = Frames(2).set_output(transform="pandas").fit(X)
    assert step.get_feature_names_out().tolist() == ["load_0", "heat_0", "load_1", "heat_1"]
    framed = step.transform(X)[0]
    assert framed.columns.tolist() == step.get_feature_names_out().tolist()
    assert framed.loc[1].tolist() == [1, 6, 2, 7]
    assert clone(step).fit_transform(X)[0].equals(framed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_stay_arrays_and_padding_stays_padding(dtype):
    cube = np.arange(24, dtype=dtype).reshape(2, 6, 2)
    cube[1, 3:] = np.nan
    framed = Frames(3, 2).fit_transform(cube)
    assert framed.dtype == dtype and framed.shape == (2, 3, 6)
    assert_array_equal(framed[0], frames_by_hand(cube[0], 3, 2))
    assert_array_equal(framed[1, :1], frames_by_hand(cube[1, :3], 3, 2))
    assert np.isnan(framed[1, 1:]).all()


def test_a_table_of_series():
    rows = np.arange(10.0).reshape(2, 5)
    step = Frames(2, 2).fit(rows)
    assert step.n_features_in_ == 5
    assert step.transform(rows)[1].tolist() == [[5, 6], [7, 8], [9, 9]]
    assert step.get_feature_names_out().tolist() == ["x0_0", "x0_1"]
    assert_array_equal(Frames(1).fit_transform(rows), rows)


def test_collections_stay_what_they_are():
    X = pd.Series([np.arange(4.0), np.arange(0.0), np.arange(2.0)], index=list("abc"), name="s")
    framed = Frames(3, 2).fit_transform(X)
    assert framed.index.tolist() == list("abc") and framed.name == "s"
    assert [len(x) for x in framed] == [2, 0, 1]
    assert framed["c"].tolist() == [[0, 1, 1]]
    column = Frames(3, 2).fit_transform(X.to_frame())
    assert column["s"]["c"].tolist() == [[0, 1, 1]]


def test_polars():
    pl = pytest.importorskip("polars")
    framed = (
        Frames(2).set_output(transform="polars").fit_transform([pl.DataFrame({"a": [1.0, 2.5]})])
    )
    assert framed[0].columns == ["a_0", "a_1"] and framed[0].rows() == [(1.0, 2.5)]


def test_missing_values_pass():
    x = np.array([0.0, np.nan, 2.0])
    assert_array_equal(Frames(2).fit_transform([x])[0], [[0, np.nan], [np.nan, 2]])


@pytest.mark.parametrize(
    ("step", "X", "error", "message"),
    [
        (Frames(2, 3), [np.ones(4)], ValueError, "stride=3 is greater than width=2.*lost"),
        (Frames(0), [np.ones(4)], ValueError, "'width' parameter of Frames"),
        (Frames(2), [["a", "b"]], TypeError, "X holds strings"),
        (Frames(2), [np.ones(3), np.array([1, np.inf])], ValueError, "sequence 1"),
    ],
)
def test_refusals_change_nothing(step, X, error, message):
    before = step.__dict__.copy()
    with pytest.raises(error, match=message):
        step.fit(X)
    assert step.__dict__ == before


def test_other_features_than_those_of_fit():
    step = Frames(2).fit([np.ones((3, 2))])
    with pytest.raises(ValueError, match="X has 3 features, but Frames is expecting 2"):
        step.transform([np.ones((3, 3))])


def test_a_search_over_widths():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 1)) for n in rng.integers(3, 20, size=20)]
    model = make_pipeline(
        Frames(2), PerStep(StandardScaler()), RNNClassifier((2,), max_iter=1, random_state=0)
    )
    grid = {"frames__width": [2, 4], "frames__stride": [1, 2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, np.arange(20) % 2)
    assert search.predict(X).shape == (20,)
    width = search.best_params_["frames__width"]
    assert search.best_estimator_[-1].n_features_in_ == width


@pytest.mark.parametrize(("width", "stride"), [(1, 1), (3, 1), (4, 3), (5, 5), (8, 4)])
def test_a_step_has_the_label_of_the_frame_whose_middle_is_nearest(width, stride):
    frames = Frames(width, stride)
    X = [np.zeros(length) for length in range(14)]
    steps = [np.arange(length) for length in range(14)]
    middles = frames.labels_to_frames(steps)
    assert [len(row) for row in middles] == [len(x) for x in frames.fit_transform(X)]
    for row, back in zip(middles, frames.labels_to_steps(middles, X), strict=True):
        # Where the last middle lies beyond the end, its place in the frame counts.
        exact = np.arange(len(row)) * stride + (width - 1) / 2
        for step, label in enumerate(back):
            distance = abs(exact - step)
            assert distance[row.tolist().index(label)] == distance.min()
            assert exact[row.tolist().index(label)] >= exact[distance.argmin()]  # later of two


def test_labels_keep_their_kind():
    frames = Frames(2, 2)
    assert frames.labels_to_frames([["a", "b", None]]) == [["a", None]]
    X = [np.ones(3)]
    assert frames.labels_to_steps([["a", None]], X) == [["a", "a", None]]
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert_array_equal(frames.labels_to_steps([probabilities], X)[0], probabilities[[0, 0, 1]])


def test_labels_that_are_none_of_these_frames():
    frames, X = Frames(2, 2), [np.ones(4), np.ones(3)]
    with pytest.raises(ValueError, match=r"sequence 1 has 3 step\(s\), which are 2 frame\(s\)"):
        frames.labels_to_steps([["a", "b"], ["a"]], X)
    with pytest.raises(ValueError, match=r"1 sequence\(s\), but X has 2"):
        frames.labels_to_steps([["a", "b"]], X)
    with pytest.raises(TypeError, match="'a' for sequence 0"):
        frames.labels_to_frames(["a"])


def test_a_tagger_behind_frames():
    rng = np.random.default_rng(0)
    X, y = [], []
    for _ in range(30):
        level = np.repeat(rng.permutation([-1.0, 1.0]), rng.integers(20, 40, size=2))
        X.append(level + rng.normal(scale=0.3, size=len(level)))
        y.append(np.where(level > 0, "high", "low"))
    frames = Frames(8, 4)
    tagger = LSTMTagger((8,), max_iter=20, learning_rate_init=0.02, random_state=0)
    tagger.fit(frames.fit_transform(X), frames.labels_to_frames(y))
    predicted = frames.labels_to_steps(tagger.predict(frames.transform(X)), X)
    right = np.concatenate(predicted) == np.concatenate(y)
    assert right.mean() > 0.95
