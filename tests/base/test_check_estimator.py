"""Every check scikit-learn has for these estimators; none is expected to fail.

Those of `PerStep` are in test_preprocessing.py.
"""

import inspect

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from skrnn import LSTMForecaster, RNNClassifier, RNNRegressor

# Compares to 1e-7 what two orders of summation give; scikit-learn exempts its own MLPClassifier.
EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"
LEGACY = (
    {"legacy": True} if "legacy" in inspect.signature(estimator_checks_generator).parameters else {}
)


def exact(estimator):
    """Make an instance whose only difference between equivalent fits is the order of sums.

    More epochs than these let Adam amplify the rounding: it divides by gradients near zero.
    """
    return estimator.set_params(dtype="float64", batch_size=10_000, max_iter=20)


def checks():
    for make in (LSTMForecaster, RNNClassifier, RNNRegressor):
        for estimator, check in estimator_checks_generator(make(), **LEGACY):
            if check.func.__name__ != EQUIVALENCE:
                yield pytest.param(estimator, check, id=f"{make.__name__}-{check.func.__name__}")
        for estimator, check in estimator_checks_generator(exact(make()), **LEGACY):
            if check.func.__name__ == EQUIVALENCE:
                yield pytest.param(estimator, check, id=f"{make.__name__}-{check.func.__name__}")


@pytest.mark.filterwarnings("ignore::UserWarning")  # not converged, clipped batch_size, y (n, 1)
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_check(estimator, check):
    check(estimator)


def test_none_is_missing():
    names = [parameter.id for parameter in checks()]
    for make in (LSTMForecaster, RNNClassifier, RNNRegressor):
        assert f"{make.__name__}-{EQUIVALENCE}" in names
        assert sum(name.startswith(make.__name__) for name in names) >= 50
