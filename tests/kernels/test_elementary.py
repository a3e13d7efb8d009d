"""sigmoid, tanh and exp of the kernels: within 4 units in the last place over the whole range.

Denormal numbers are zero (test_denormals.py), where the processor can say so.
"""

import numpy as np
import pytest
from kernel_tools import variants
from scipy.special import expit
from tables import each

from skrnn._kernels import get_engine

MOST_ULPS = 4
# float32 is compared with float64; float64 with long double, where that is wider.
WIDER = {"float32": np.float64, "float64": np.longdouble}
NAMES = ("sigmoid", "tanh", "exp")

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())


def reference(name, x):
    """Return the function in a wider type."""
    with np.errstate(all="ignore"):
        if name == "tanh":
            return np.tanh(x)
        if name == "exp":
            return np.exp(x)
        return expit(x) if x.dtype == np.float64 else 1 / (1 + np.exp(-x))


def samples(name, dtype):
    """Draw numbers of every magnitude and sign, and densely where the functions bend."""
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    bits = np.uint32 if dtype == "float32" else np.uint64
    # every pattern of exponent and sign, 100 mantissas each (denormals: exponent 0)
    patterns = np.arange(2 ** (info.bits - info.nmant), dtype=bits)
    mantissas = rng.integers(0, 2**info.nmant, (100, len(patterns)), dtype=bits)
    every = ((patterns << bits(info.nmant)) | mantissas).ravel().view(dtype)
    every = every[np.isfinite(every)]
    dense = [rng.uniform(-limit, limit, 200_000) for limit in (0.5, 2, 12, 25, 110, 760)]
    # where exp is reduced by one more ln 2, and what is next to that
    edges = (np.arange(-1100, 1100) + 0.5)[:, None] * np.log(2) * [1, 0.5]
    edges = edges.ravel().astype(dtype)
    near = [edges, np.nextafter(edges, info.max), np.nextafter(edges, info.min)]
    special = [0.0, -0.0, np.inf, -np.inf, info.smallest_subnormal, info.tiny, info.max]
    x = np.concatenate([every, *dense, *near, special, np.negative(special)]).astype(dtype)
    return np.minimum(x, -x) if name == "exp" else x


def compute(level, dtype, name, x):
    """Run the kernel's function on any number of entries."""
    engine = get_engine(dtype, level)
    filled = np.zeros(-(-len(x) // engine.lanes) * engine.lanes, dtype)
    filled[: len(x)] = x
    return engine.elementary(name, filled)[: len(x)]


def ulps(got, expected, dtype):
    """Distance from the exact value, in units of the last place there."""
    unit = np.spacing(np.abs(expected).astype(dtype)).astype(expected.dtype)
    return np.abs(got.astype(expected.dtype) - expected) / unit


@each_variant
@each(name=NAMES)
def test_units_in_the_last_place(level, dtype, name):
    wider = WIDER[dtype]
    if np.finfo(wider).nmant < np.finfo(dtype).nmant + 8:
        pytest.skip(f"no type here is wider than {dtype}")
    x = samples(name, dtype)
    got = compute(level, dtype, name, x)
    assert np.isfinite(got).all()
    expected, tiny = reference(name, x.astype(wider)), np.finfo(dtype).tiny
    error = ulps(got, expected, dtype)
    error[(np.abs(expected) < tiny * (1 + 8 * np.finfo(dtype).eps)) & (got == 0)] = 0
    worst = error.argmax()
    assert error[worst] <= MOST_ULPS, f"{error[worst]:.2f} ulp at {x[worst]!r}"


@each_variant
@each(name=NAMES)
def test_special_values(level, dtype, name):
    def at(*x):
        return compute(level, dtype, name, np.array(x, dtype))

    assert np.isnan(at(np.nan, -np.nan)).all()
    if name == "tanh":
        assert (at(np.inf, -np.inf) == [1, -1]).all()
        assert (np.signbit(at(0.0, -0.0)) == [False, True]).all()
        assert (at(0.0, -0.0) == 0).all()
    elif name == "sigmoid":
        assert (at(np.inf, -np.inf, 0.0, -0.0) == [1, 0, 0.5, 0.5]).all()
    else:
        assert (at(-np.inf, 0.0, -0.0, np.finfo(dtype).min) == [0, 1, 1, 0]).all()


@each_variant
@each(name=NAMES)
def test_one_value_in_every_lane(level, dtype, name):
    x = np.random.default_rng(1).uniform(-5, 0, 64).astype(dtype)
    together = compute(level, dtype, name, x)
    for k, value in enumerate(x):
        assert (compute(level, dtype, name, np.array([value])) == together[k]).all()


@each_variant
def test_symmetry(level, dtype):
    # tanh is odd to the bit
    x = samples("tanh", dtype)
    assert (compute(level, dtype, "tanh", -x) == -compute(level, dtype, "tanh", x)).all()
