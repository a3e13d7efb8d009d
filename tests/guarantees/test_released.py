"""Files that released versions saved: this one loads them, and predicts what they did.

`make_released.py` writes them, once for each release.
"""

import pickle
import re
import warnings

import numpy as np
import pytest
from make_released import RELEASED, outcomes

import skrnn

FILES = sorted(RELEASED.glob("*/*.pickle"))
each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}"
)


def load(file):
    """Return what a file holds; only another version's warns."""
    data, version = file.read_bytes(), file.parent.name
    if version == skrnn.__version__:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return pickle.loads(data)
    with pytest.warns(UserWarning, match=re.escape(f"saved by skrnn {version} ")):
        return pickle.loads(data)


def assert_close(got, expected):
    """Compare numbers within 1e-6, all else exactly, whatever they are packed in."""
    packed = isinstance(expected, np.ndarray) and expected.dtype.hasobject
    if packed or isinstance(expected, (list, tuple)):
        assert type(got) is type(expected) and len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, (float, np.ndarray)) and np.asarray(expected).dtype.kind == "f":
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)


@each_file
def test_predicts_what_it_did(file):
    saved = load(file)
    got = outcomes(saved["model"], saved["inputs"], saved["expected"])
    for name, expected in saved["expected"].items():
        assert_close(got[name], expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each_file
def test_learns_on(file):
    saved = load(file)
    model = saved["model"]
    before = model._params.copy()
    if isinstance(model, (skrnn.LSTMForecaster, skrnn.LSTMLanguageModel)):
        y = None
    else:
        y = saved["expected"]["predict"]
    model.partial_fit(saved["inputs"], y)
    assert np.isfinite(model._params).all()
    assert not np.array_equal(model._params, before)


def test_every_estimator_is_there_and_small():
    versions = {file.parent.name for file in FILES}
    assert skrnn.__version__ in versions, "no files: run make_released.py"
    public = {value for value in vars(skrnn).values() if isinstance(value, type)}
    own = [file for file in FILES if file.parent.name == skrnn.__version__]
    assert {type(load(file)["model"]) for file in own} == public
    assert sum(file.stat().st_size for file in FILES) <= 200_000 * len(versions)


class OldNumPy(pickle._Unpickler):
    """Unpickle as under NumPy 1.25, which has no `numpy._core`."""

    def find_class(self, module, name):
        assert not module.startswith("numpy._core"), f"{module}.{name}"
        return super().find_class(module, name)


@each_file
def test_names_nothing_that_older_numpy_lacks(file):
    with file.open("rb") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        saved = OldNumPy(opened).load()
    assert type(saved["model"]) is type(load(file)["model"])
