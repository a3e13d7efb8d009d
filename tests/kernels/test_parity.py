"""The kernels against PyTorch's golden files, and training against the oracle.

`make_golden.py` wrote the files; they hold float64.
"""

from functools import cache

import numpy as np
import oracle
import pytest
from kernel_tools import (
    SOLVERS,
    Network,
    assert_same,
    levels,
    make_problem,
    relative_error,
    variants,
)
from tables import each
from test_oracle import golden_files, group, load_golden, unpack

from skrnn._data.sequences import Sequences
from skrnn._network.batches import EpochRunner, Targets
from skrnn._network.plan import CELLS

TOLERANCE = {"float64": 1e-10, "float32": 1e-5}

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())


# --------------------------------------------------------------------------------------------------
# PyTorch
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", golden_files("*layer*.npz"))
@each_variant
def test_outputs_states_and_gradients(level, dtype, file):
    _, spec, arrays = load_golden(file)
    has_c = CELLS[spec.cell].has_c
    given = {
        "h0": list(arrays["h0"]),
        "d_outputs": unpack(arrays, "d_outputs"),
        "d_hn": list(arrays["d_hn"]),
    }
    loss = np.sum(arrays["outputs"] * arrays["d_outputs"]) + np.sum(arrays["h_n"] * arrays["d_hn"])
    if has_c:
        given |= {"c0": list(arrays["c0"]), "d_cn": list(arrays["d_cn"])}
        loss += np.sum(arrays["c_n"] * arrays["d_cn"])
    expected = oracle.Result(
        loss=loss,
        outputs=unpack(arrays, "outputs"),
        h_n=list(arrays["h_n"]),
        c_n=list(arrays["c_n"]) if has_c else None,
        logits=None,
        grads=group(arrays, "grads"),
        d_inputs=unpack(arrays, "d_inputs"),
        d_h0=list(arrays["d_h0"]),
        d_c0=list(arrays["d_c0"]) if has_c else None,
    )
    weights, sequences = group(arrays, "weights"), unpack(arrays, "inputs")
    network = Network(spec, weights, sequences, **given, level=level, dtype=dtype)
    assert_same(network.run(), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("file", golden_files("training_*.npz"))
@each_variant
def test_training(level, dtype, file):
    # through the Python side too: ten epochs of one batch
    about, spec, arrays = load_golden(file)
    network = Network(
        spec, group(arrays, "initial"), unpack(arrays, "inputs"), arrays["targets"],
        level=level, dtype=dtype,
    )  # fmt: skip
    n = len(network.lengths)
    settings = {key: about[key] for key in network.optimizer().params if key in about}
    optimizer = network.optimizer(**settings | {"alpha": 0.0})
    runner = EpochRunner(
        network.plan,
        Sequences(network.values, network.offsets),
        Targets(*network.targets),
        batch_size=n,
        params=network.params,
        optimizer=optimizer,
        dropout=0.0,
        recurrent_dropout=0.0,
    )
    report = np.concatenate(
        [runner.epoch(np.arange(n), optimizer.settings()) for _ in arrays["losses"]]
    )
    losses, norms, _ = report.T
    assert relative_error(losses, arrays["losses"]) <= TOLERANCE[dtype]
    assert relative_error(norms, arrays["grad_norms"]) <= TOLERANCE[dtype]
    final = network.plan.views(network.params)
    for name, expected in group(arrays, "final").items():
        assert relative_error(final[name], expected) <= TOLERANCE[dtype], name


# --------------------------------------------------------------------------------------------------
# Training against the oracle: mini-batches, weights, L2, clipping, an embedding
# --------------------------------------------------------------------------------------------------


class Reference:
    """MLPClassifier's two optimizers on named arrays, as `_kernels/optimizer.pxd` describes them.

    An embedding is lazy: a row that the batch does not hold stays as it is, moments and all.
    """

    def __init__(self, weights, settings):
        self.settings = settings
        self.t = 0
        self.first = {name: np.zeros_like(weight) for name, weight in weights.items()}
        self.v = {name: np.zeros_like(weight) for name, weight in weights.items()}

    def step(self, weights, grads, tokens):
        """Update `weights` in place; returns the gradient's norm before clipping.

        `tokens` has for each embedding the rows that the batch holds.
        """
        norm = np.sqrt(sum(np.sum(gradient**2) for gradient in grads.values()))
        limit = self.settings["max_grad_norm"]
        scale = 1.0 if limit is None else min(1.0, limit / norm)
        self.t += 1
        for name, weight in weights.items():
            rows = tokens.get(name, slice(None))
            update = self._adam if self.settings["solver"] == "adam" else self._sgd
            weight[rows] += update(name, rows, scale * grads[name][rows])
        return norm

    def _adam(self, name, rows, g):
        b1, b2 = self.settings["beta_1"], self.settings["beta_2"]
        m = self.first[name][rows] = b1 * self.first[name][rows] + (1 - b1) * g
        v = self.v[name][rows] = b2 * self.v[name][rows] + (1 - b2) * g**2
        rate = self.settings["learning_rate_init"] * np.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        return -rate * m / (np.sqrt(v) + self.settings["epsilon"])

    def _sgd(self, name, rows, g):
        mu, rate = self.settings["momentum"], self.settings["learning_rate_init"]
        u = self.first[name][rows] = mu * self.first[name][rows] - rate * g
        return mu * u - rate * g if self.settings["nesterovs_momentum"] else u


# Adam knows nothing of Nesterov's momentum.
STEPS = [("sgd", True), *((solver, False) for solver in SOLVERS)]


def take(problem, indices):
    """Return the part of a problem that a batch is."""
    part = {"weights": problem["weights"]}
    for key in ("sequences", "targets", "sample_weight"):
        part[key] = [problem[key][i] for i in indices]
    return part


def mini_batches(cell, embedding):
    """Return spec, problem and the orders of three epochs of `test_mini_batches`."""
    spec = oracle.Spec(cell, (7, 4), True, pooling="all", alpha=0.04)
    problem = make_problem(
        spec, [3, 1, 4, 2, 6, 5, 3], 2, embedding=embedding, states=False, cotangents=False
    )
    rng = np.random.default_rng(0)
    return spec, problem, [rng.permutation(len(problem["sequences"])) for _ in range(3)]


@cache
def trained_by_the_oracle(cell, embedding, settings, n_frozen=0):
    """Return the weights after training, and the report of each batch: once for all levels."""
    spec, problem, orders = mini_batches(cell, embedding)
    reference, report = Reference(problem["weights"], dict(settings)), []
    for order in orders:
        for start in range(0, len(order), 3):
            batch = take(problem, order[start : start + 3])
            result = oracle.run(spec, **batch)
            columns = () if embedding is None else np.concatenate(batch["sequences"]).T
            tokens = {f"embedding_weight_{c}": np.unique(ids) for c, ids in enumerate(columns)}
            if n_frozen:
                result.grads["embedding_weight_0"][:n_frozen] = 0
                tokens["embedding_weight_0"] = np.setdiff1d(
                    tokens["embedding_weight_0"], np.arange(n_frozen)
                )
            norm = reference.step(problem["weights"], result.grads, tokens)
            report.append([result.loss, norm, sum(map(len, batch["sequences"]))])
    return problem["weights"], np.transpose(report)


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize(("solver", "nesterovs_momentum"), STEPS)
@each(cell=CELLS, max_grad_norm=(0.2, None), embedding=(None, ((12, 3), (7, 2))))
def test_mini_batches(level, cell, solver, nesterovs_momentum, max_grad_norm, embedding):
    spec, problem, orders = mini_batches(cell, embedding)
    network = Network(spec, **problem, level=level, wants_dx=False)
    optimizer = network.optimizer(
        solver=solver,
        nesterovs_momentum=nesterovs_momentum,
        max_grad_norm=max_grad_norm,
        learning_rate_init=0.05,
        epsilon=1e-3,  # so that it counts, and so that Adam does not blow rounding up
    )
    settings = tuple(optimizer.params.items())
    weights, expected = trained_by_the_oracle(cell, embedding, settings)
    report = np.concatenate([network.train(order, 3, optimizer) for order in orders], axis=1)
    np.testing.assert_allclose(report, expected, rtol=1e-10)
    views = network.plan.views(network.params)
    for name, weight in weights.items():
        assert relative_error(views[name], weight) <= 1e-10, name


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("n_frozen", [5, 12])
@each(solver=SOLVERS, max_grad_norm=(0.2, None))
def test_frozen_rows_have_no_gradient_and_no_step(level, solver, max_grad_norm, n_frozen):
    embedding = ((12, 3), (7, 2))
    spec, problem, orders = mini_batches("lstm", embedding)
    network = Network(spec, **problem, level=level, wants_dx=False, n_frozen=n_frozen)
    optimizer = network.optimizer(
        solver=solver, nesterovs_momentum=False, max_grad_norm=max_grad_norm,
        learning_rate_init=0.05, epsilon=1e-3,
    )  # fmt: skip
    before = network.plan.views(network.params)["embedding_weight_0"][:n_frozen].copy()
    settings = tuple(optimizer.params.items())
    weights, expected = trained_by_the_oracle("lstm", embedding, settings, n_frozen)
    report = np.concatenate([network.train(order, 3, optimizer) for order in orders], axis=1)
    np.testing.assert_allclose(report, expected, rtol=1e-10)  # the norm before clipping among it
    views, moments = network.plan.views(network.params), network.plan.views(optimizer.m)
    for name, weight in weights.items():
        assert relative_error(views[name], weight) <= 1e-10, name
    assert (views["embedding_weight_0"][:n_frozen] == before).all()
    assert not moments["embedding_weight_0"][:n_frozen].any()


@each_variant
def test_a_batch_without_a_target_is_passed_over(level, dtype):
    spec = oracle.Spec("lstm", (4,), alpha=0.1)
    problem = make_problem(spec, [3, 2], states=False, cotangents=False)
    network = Network(spec, **problem | {"targets": np.array([-1, -1])}, level=level, dtype=dtype)
    before = network.params.copy()
    optimizer = network.optimizer()
    report = network.train([0, 1], 2, optimizer)
    assert not report.any()
    assert optimizer.step == 0
    assert (network.params == before).all()


@each_variant
def test_a_batch_that_is_not_finite_stops_training(level, dtype):
    spec = oracle.Spec("rnn", (4,), loss="squared_error")
    problem = make_problem(spec, [3, 2, 1], states=False, cotangents=False)
    network = Network(spec, **problem, level=level, dtype=dtype)
    network.targets[1][1, 0] = np.inf
    optimizer = network.optimizer()
    with pytest.raises(AssertionError):
        network.train([0, 1, 2], 1, optimizer)
    assert optimizer.step == 1
    assert np.isfinite(network.params).all()
