"""Collections that are not in memory are refused with the remedy, wherever they are passed."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMForecaster, LSTMTagger, RNNClassifier
from skrnn.datasets import SequenceStore
from skrnn.preprocessing import PerStep

X = np.random.default_rng(0).normal(size=(8, 5, 2))
y = np.arange(8) % 2


class Lazy(np.lib.mixins.NDArrayOperatorsMixin):
    """What NumPy would gather without a word; in memory where it has no graph."""

    def __init__(self, values, graph=("a task",)):
        self.values, self.graph = values, graph
        self.shape, self.ndim, self.dtype = values.shape, values.ndim, values.dtype

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __dask_graph__(self):
        return self.graph

    def __len__(self):
        return len(self.values)


Lazy.__module__ = "dask.array.core"


@pytest.fixture(scope="module")
def fitted():
    return RNNClassifier((4,), max_iter=1, random_state=0).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("X", lambda m: m.fit(Lazy(X), y)),
        ("X", lambda m: m.fit([*X[:7], Lazy(X[7])], y)),
        ("y", lambda m: m.fit(X, Lazy(y))),
        ("sample_weight", lambda m: m.fit(X, y, Lazy(y + 1))),
        ("X", lambda m: m.predict(Lazy(X))),
        ("y", lambda m: LSTMTagger((4,)).fit(X, Lazy(X[:, :, 0] > 0))),
        ("X", lambda m: LSTMForecaster().fit(Lazy(X[:, :, 0].ravel()))),
        ("X", lambda m: PerStep(StandardScaler()).fit(Lazy(X))),
    ],
)
def test_what_is_not_computed_is_refused(fitted, name, call):
    with pytest.raises(TypeError, match=rf"{name}( \(item 7\))? is of type dask Lazy.*compute\(\)"):
        call(fitted)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_computed_is_read_as_an_array(fitted):
    again = RNNClassifier((4,), max_iter=1, random_state=0).fit(Lazy(X, None), Lazy(y, None))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_an_iterator_is_refused(fitted):
    with pytest.raises(
        TypeError, match=r"iterator \(generator\).*SequenceStore.write.*partial_fit"
    ):
        fitted.fit((x for x in X), y)


def test_a_store_is_written_of_chunks_alone(tmp_path):
    with pytest.raises(TypeError, match="takes a generator"):
        SequenceStore.write(tmp_path / "a", Lazy(X), y)
    store = SequenceStore.write(tmp_path / "b", ((X[i : i + 4], y[i : i + 4]) for i in (0, 4)))
    assert len(store) == 8
