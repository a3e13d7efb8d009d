"""Pickles of arrays that every version of NumPy can load."""

import copy
import pickle
import pickletools

import numpy as np
import pytest
from problems import first_step, quick

from skrnn import RNNClassifier
from skrnn._base.portable import portable

VALUES = [
    np.zeros((0, 3)),
    np.arange(6)[::2],
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(["a", "bb"]),
    np.array([1, "a", None, np.arange(2)], dtype=object),
    np.array(["2020-01-01"], dtype="M8[D]"),
    np.arange(3, dtype=">f4"),
    np.array([True, False]),
    np.array(3.0),
    np.float32(3.5),
]


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back(value, protocol):
    data = pickle.dumps(portable({"a": [value, (value,)]}), protocol=protocol)
    assert not [name for _, name, _ in pickletools.genops(data) if "numpy._core" in str(name)]
    found = pickle.loads(data)
    for other in (found["a"][0], found["a"][1][0]):
        assert type(other) is type(value) and other.dtype == value.dtype
        assert np.shape(other) == np.shape(value)
        for one, two in zip(np.ravel(other), np.ravel(value), strict=True):
            np.testing.assert_array_equal(one, two)


def test_what_is_loaded_may_be_written():
    params = np.zeros(3)
    params.setflags(write=False)
    pickle.loads(pickle.dumps(portable(params)))[0] = 1
    assert params[0] == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_copy_of_an_estimator_has_arrays():
    X, y = first_step(20)
    model = quick(RNNClassifier, warm_start=True).fit(X, y)
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert isinstance(other._optimizer.m, np.ndarray)
        np.testing.assert_array_equal(other.fit(X, y).classes_, model.classes_)
