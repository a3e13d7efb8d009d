"""Losses with the gamma function, where their parameters are far from 1: against exact sums.

`test_gradients.py` compares them with the oracle and with central differences as all losses.
"""

import numpy as np
import oracle
import pytest
from kernel_tools import Network, variants
from scipy.stats import t as student_t
from tables import each

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())
FLOAT = {"float64": 1e-13, "float32": 1e-6}


def loss_of(level, dtype, loss, outputs, values):
    """Return the loss of one row of outputs, and its gradient with respect to them."""
    outputs, values = np.array(outputs, dtype), np.array(values, dtype)
    spec = oracle.Spec("rnn", (1,), loss=loss, n_outputs=len(outputs))
    weights = {name: np.zeros(shape) for name, shape in oracle.weight_shapes(spec, 1).items()}
    weights["head_bias"] = outputs
    problem = {"weights": weights, "sequences": [np.zeros((1, 1))], "targets": values[np.newaxis]}
    found = Network(spec, **problem, level=level, dtype=dtype).run()
    return found.loss, found.grads["head_bias"]


@each_variant
@each(dispersion=(-15.0, -12.0, -9.0, -3.0, 0.0, 2.0, 11.5), count=(0, 1, 7, 300))
def test_negative_binomial(level, dtype, dispersion, count):
    # G(c + k) / G(k) is k (k + 1) .. (k + c - 1), and F(c + k) - F(k) the sum of its inverses
    log_mean, log_scale = np.array([0.4, 1.3], dtype)
    m = np.exp(np.float64(log_mean) + np.float64(log_scale))
    k, i = np.exp(-np.clip(dispersion, -12, 12)), np.arange(count)
    expected = (
        np.log(i + 1).sum() - np.log1p(i / k).sum() + (count + k) * np.log1p(m / k)
        - count * np.log(m)
    )  # fmt: skip
    slopes = [k * (m - count) / (k + m), 0.0]
    if abs(dispersion) < 12:  # beyond it is bounded
        parts = (1 / (k + i)).sum() - np.log1p(m / k) + (m - count) / (k + m)
        slopes[1] = k * parts
    found, gradient = loss_of(
        level, dtype, "negative_binomial", [log_mean, dispersion], [count, log_scale]
    )
    size = 1 + np.abs([expected, *slopes]).max()
    assert abs(found - expected) < FLOAT[dtype] * size
    assert np.abs(gradient - slopes).max() < 10 * FLOAT[dtype] * size


@each_variant
@each(shape=(-20.0, -2.0, 1.0, 3.0, 8.0), residual=(0.0, 0.5, -40.0, 3e8))
def test_student_t(level, dtype, shape, residual):
    # an outlier of any size pulls no harder than (n + 1) / r
    scale, n = np.float64(np.array(0.3, dtype)), 2 + np.exp(shape)
    y = np.float64(np.array(1.5 + residual * np.exp(scale), dtype))
    r = (y - 1.5) / np.exp(scale)
    expected = scale - student_t.logpdf(r, n) - 0.5 * np.log(2 * np.pi)
    found, gradient = loss_of(level, dtype, "student_t", [1.5, scale, shape], [y])
    assert abs(found - expected) < (1e-10 if dtype == "float64" else 1e-6) * (1 + abs(expected))
    g = (n + 1) * r / (n + r**2)
    slopes = np.array([-g * np.exp(-scale), 1 - g * r])
    assert np.abs(gradient[:2] - slopes).max() < 1e-6 * (1 + n)
    steps = [student_t.logpdf(r, 2 + np.exp(shape + step)) for step in (-1e-4, 1e-4)]
    assert gradient[2] == pytest.approx((steps[0] - steps[1]) / 2e-4, rel=1e-5, abs=1e-6)


@each_variant
def test_a_student_t_of_many_degrees_of_freedom_is_normal(level, dtype):
    found, gradient = loss_of(level, dtype, "student_t", [1.0, 0.5, 30.0], [3.0])
    expected, slopes = loss_of(level, dtype, "gaussian", [1.0, 0.5], [3.0])
    assert found == pytest.approx(expected, rel=1e-5)
    assert gradient[:2] == pytest.approx(slopes, rel=1e-4)
    assert gradient[2] == 0


@each_variant
def test_a_negative_binomial_of_little_dispersion_is_a_poisson(level, dtype):
    _, gradient = loss_of(level, dtype, "negative_binomial", [1.2, -30.0], [4.0, 0.0])
    _, slope = loss_of(level, dtype, "poisson", [1.2], [4.0])
    assert gradient[0] == pytest.approx(slope[0], rel=1e-4)
    assert gradient[1] == 0
