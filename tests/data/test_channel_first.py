"""Tests for the warning about channel-first data, and for its silence about other data."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skrnn._data.validation import check_sequences


def fit(X, **options):
    return check_sequences(BaseEstimator(), X, reset=True, **options)


def swapped_walks(n_channels=6):
    return np.cumsum(np.random.default_rng(0).normal(size=(20, n_channels, 100)), axis=2)


@pytest.mark.parametrize("n_channels", [1, 6])
def test_channel_first_warns_in_fit_only(n_channels):
    door = BaseEstimator()
    X = swapped_walks(n_channels)
    with pytest.warns(UserWarning, match=r"X looks channel-first.*X\.transpose\(0, 2, 1\)"):
        check_sequences(door, X, reset=True)
    with pytest.warns(UserWarning, match="X looks channel-first"):
        fit(list(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_sequences(door, X, reset=False)


def test_transformers_leave_the_warning_to_the_estimator():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(swapped_walks(), allow_nan=True)


def test_ragged_channel_first_names_the_remedy():
    walks = swapped_walks()
    message = r"sequence 1 has 50 features per step, sequence 0 has 100\. .*\[x\.T for x in X\]"
    with pytest.raises(ValueError, match=message):
        fit([walks[0], walks[1, :, :50]])


@pytest.mark.parametrize(
    "shape", [(20, 100, 6), (20, 8, 64), (20, 10, 300), (20, 1, 64), (20, 12, 128)]
)
def test_ordinary_data_does_not_warn(shape):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=shape)
    one_hot = np.eye(shape[2])[rng.integers(0, shape[2], size=shape[:2])]
    spectrogram = np.cumsum(np.cumsum(vectors, axis=1), axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(vectors)
        fit(one_hot)
        if shape[1] > 1:
            fit(spectrogram)
