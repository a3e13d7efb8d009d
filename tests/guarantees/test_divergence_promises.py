"""Finite weights or a clear error, for every estimator; and plans wider than an index of 32 bits.

Divergence in detail, and the first two estimators: test_faults.py.
"""

import re
import warnings

import numpy as np
import pytest
from problems_trust import cases
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tables import each

from skrnn._network.border import BatchLimits
from skrnn._network.plan import CELLS, Options, Plan

each_case = pytest.mark.parametrize("case", cases())
REMEDY = re.compile(
    r"step size|[Ss]cale|overflow|too large|one class|at least 2|too short|boundary_tokens"
)


def larger(factor):
    def change(X, y):
        if y is None and hasattr(X[0], "dtype"):
            return [x * factor for x in X], y
        return X, y * factor if isinstance(y, np.ndarray) and y.dtype.kind == "f" else y

    return change


def constant(X, y):
    return [np.full_like(x, 3.0) if hasattr(x, "dtype") else ["a"] * len(x) for x in X], y


def first_steps(X, y):
    labels = isinstance(y, list)
    return [x[:1] for x in X], [row[:1] for row in y] if labels else y


def same(X, y):
    return X, y


FAST = {"learning_rate_init": 1e3, "max_iter": 20}
TRIALS = {
    "rate": (FAST, same),
    "gradient descent": ({**FAST, "solver": "sgd"}, same),
    "not clipped": ({**FAST, "solver": "sgd", "max_grad_norm": None}, same),
    "targets of 1e30": ({}, larger(1e30)),
    "constant features": ({}, constant),
    "one sample": ({}, lambda X, y: (X[:1], None if y is None else y[:1])),
    "one step": ({}, first_steps),
}


@each_case
@pytest.mark.parametrize("trial", TRIALS)
def test_finite_or_refused(case, trial):
    model, X, y = cases()[case]
    params, change = TRIALS[trial]
    X, y = change(X, y)
    model = clone(model).set_params(**params)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "Got `batch_size` larger")
            model.fit(X, y)
    except ValueError as error:
        assert REMEDY.search(str(error)), error  # noqa: PT017
        assert not hasattr(model, "n_iter_")
        return
    assert np.isfinite(model._params).all()
    assert np.isfinite(model.loss_curve_).all()
    answer = model.predict if hasattr(model, "predict") else model.score_samples
    for part in np.ravel(np.asarray(answer(X), dtype=object)):
        if np.asarray(part).dtype.kind == "f":
            assert np.isfinite(part).all()


# Index width

WIDE = 2**33


@each(dtype=("float32", "float64"), cell=CELLS)
def test_weights_beyond_32_bits(cell, dtype, monkeypatch):
    # The optimizer's table of pieces is the one that grows with the weights.
    monkeypatch.setattr("skrnn._network.plan.CHUNK", 2**28)
    plan = Plan(cell, (8,), WIDE, 2, dtype=dtype)
    gates = plan.cell.gates
    shape = plan.parameters["weight_ih_l0"].shape
    assert shape == (gates * 8, WIDE)
    assert plan.n_params == gates * 8 * (WIDE + 8 + 2) + 2 * 8 + 2
    assert int(plan.net[plan.engine.NET_FIELDS.index("n_params")]) == plan.n_params


@each(dtype=("float32", "float64"), cell=CELLS, training=(False, True))
def test_workspaces_beyond_32_bits(cell, dtype, training):
    plan = Plan(cell, (8,), 3, 2, dtype=dtype)
    options = Options(training=training)

    def needed(steps, longest=100):
        return plan.engine.workspace_bytes(plan, options, BatchLimits(1000, steps, longest))

    # Bytes are a linear function of the steps, whatever they are.
    steps = 2**20
    one = needed(2 * steps) - needed(steps)
    assert needed(steps + 2**40) - needed(steps) == one * 2**20
    assert needed(WIDE) > 4 * WIDE
    with pytest.raises((MemoryError, ValueError, OverflowError)):
        plan.workspace(options, BatchLimits(1000, 2**55, 100))
