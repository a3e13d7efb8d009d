"""The same bits whatever the number of threads, the company in a batch, and the run."""

import numpy as np
import oracle
import pytest
from kernel_tools import (
    DTYPES,
    SOLVERS,
    Network,
    is_built,
    make_problem,
    named_arrays,
    one_level,
    same_bits,
    variants,
)
from problems import use_threads
from problems_trust import cases, predicted
from sklearn.base import clone
from tables import POOLINGS, each

from skrnn import LSTMForecaster, RNNClassifier
from skrnn._data.sequences import Sequences
from skrnn._kernels import LEVEL
from skrnn._network.plan import CELLS
from skrnn._network.predict import distinct_rows, predict

THREADS = (2, 3, 8)
LENGTHS = [13, 1, 20, 7, 7, 16, 2, 9, 20, 5, 1, 11, 18]
# One layer of 128 units has work for dozens of threads on these 130 steps, 5 units for hardly two.
HIDDEN = [(128,), (24, 17), (40,), (5,)]

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())
# Directions in turn: each cell, and each shape, meets both.
SHAPES = [
    (cell, (i + k) % 2 == 1, hidden)
    for i, cell in enumerate(CELLS)
    for k, hidden in enumerate(HIDDEN)
]
each_shape = pytest.mark.parametrize(("cell", "bidirectional", "hidden"), SHAPES)


def make_networks(spec, problem, counts, **how):
    return [Network(spec, **problem, threads=threads, **how) for threads in counts]


@each_variant
@each_shape
def test_gradients_for_any_number_of_threads(level, dtype, cell, bidirectional, hidden):
    pooling = POOLINGS[HIDDEN.index(hidden) % len(POOLINGS)]
    spec = oracle.Spec(cell, hidden, bidirectional, pooling=pooling, alpha=0.1, bptt_steps=6)
    problem = make_problem(spec, LENGTHS, n_features=5, scale=0.2)
    networks = make_networks(
        spec, problem, (1, *THREADS), level=level, dtype=dtype, dropout=0.2, recurrent_dropout=0.2,
    )  # fmt: skip
    first, *others = (network.run() for network in networks)
    expected = named_arrays(first)
    for threads, result in zip(THREADS, others, strict=True):
        assert result.loss == first.loss
        for name, array in named_arrays(result).items():
            assert same_bits(array, expected[name]), f"{name} with {threads} threads"


@each_variant
@each(cell=CELLS, bidirectional=(False, True))
def test_gradients_of_slices_for_any_number_of_threads(level, dtype, cell, bidirectional):
    # 610 rows make two slices: one or two threads sum dW within the time loop, eight after it
    spec = oracle.Spec(cell, (40, 7), bidirectional, pooling="all")
    lengths = [1 + 7 * k % 30 for k in range(40)]
    problem = make_problem(spec, lengths, n_features=5, scale=0.2)
    networks = make_networks(spec, problem, (1, *THREADS), level=level, dtype=dtype)
    first, *others = (named_arrays(network.run()) for network in networks)
    for threads, arrays in zip(THREADS, others, strict=True):
        for name, array in arrays.items():
            assert same_bits(array, first[name]), f"{name} with {threads} threads"


@pytest.mark.parametrize(("level", "dtype"), variants(one_level))
@each(cell=CELLS, bidirectional=(False, True))
def test_sequences_taken_over(level, dtype, cell, bidirectional):
    # More threads than cores: some wait for a core, and others take over what they have left. Up to
    # two threads a direction sum dW within the time loop until that happens, eight never do.
    spec = oracle.Spec(cell, (128,), bidirectional, pooling="all")
    lengths = [1 + 7 * k % 60 for k in range(60)]
    problem = make_problem(spec, lengths, n_features=5, scale=0.2)
    first, *others = make_networks(spec, problem, (1, 2, 4, 8), level=level, dtype=dtype)
    expected = named_arrays(first.run())
    for network in 6 * others:
        for name, array in named_arrays(network.run()).items():
            assert same_bits(array, expected[name]), name


@each_variant
@each_shape
def test_training_and_prediction_for_any_number_of_threads(
    level, dtype, cell, bidirectional, hidden
):
    solver = SOLVERS[HIDDEN.index(hidden) % len(SOLVERS)]
    spec = oracle.Spec(cell, hidden, bidirectional, pooling="all", n_outputs=3, alpha=0.1)
    problem = make_problem(
        spec, LENGTHS, n_features=2, embedding=[(9, 3), (5, 2)], states=False, cotangents=False,
        scale=0.2,
    )  # fmt: skip
    networks = make_networks(
        spec, problem, (1, *THREADS), level=level, dtype=dtype, dropout=0.2, recurrent_dropout=0.2,
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(len(LENGTHS))
    trained = []
    for network in networks:
        optimizer = network.optimizer(solver=solver, learning_rate_init=0.01)
        report = np.concatenate([network.train(order, 7, optimizer) for _ in range(2)], axis=1)
        trained.append((network.params, report, network.predict(probabilities=True)))
    for threads, found in zip(THREADS, trained[1:], strict=True):
        names = ("weights", "report", "predictions")
        for name, got, expected in zip(names, found, trained[0], strict=True):
            assert same_bits(got, expected), f"{name} with {threads} threads"


def two_layers(level, dtype, cell, bidirectional, pooling):
    """Make a network of two layers, and a batch of all lengths."""
    spec = oracle.Spec(cell, (19, 7), bidirectional, pooling=pooling, n_outputs=3)
    problem = make_problem(spec, LENGTHS, n_features=5, states=False, cotangents=False)
    return Network(spec, **problem, level=level, dtype=dtype)


@each_variant
@each(cell=CELLS, bidirectional=(False, True), pooling=POOLINGS)
def test_prediction_alone_and_in_company(level, dtype, cell, bidirectional, pooling):
    # a tile of 1 row, of 6, and of every height between
    network = two_layers(level, dtype, cell, bidirectional, pooling)
    everyone = np.arange(len(LENGTHS))
    alone = network.predict([[i] for i in everyone])
    assert np.isfinite(alone).all()
    for size in (2, 3, 4, 5, 6, 7, len(LENGTHS)):
        batches = np.split(everyone[::-1], range(size, len(LENGTHS), size))
        assert same_bits(network.predict(batches), alone), f"in batches of {size}"


@each_variant
@each(cell=CELLS, bidirectional=(False, True), pooling=POOLINGS)
def test_prediction_is_the_forward_pass_of_training(level, dtype, cell, bidirectional, pooling):
    network = two_layers(level, dtype, cell, bidirectional, pooling)
    logits = network.run().logits
    logits = np.concatenate(logits) if pooling == "all" else logits
    assert same_bits(network.predict(), logits)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    got = network.predict(probabilities=True)
    np.testing.assert_allclose(got, probabilities, rtol=8 * np.finfo(dtype).eps)


@each_variant
@each(cell=CELLS, bidirectional=(False, True), pooling=POOLINGS)
def test_training_has_the_gradients_that_are_checked(level, dtype, cell, bidirectional, pooling):
    # Every gradient test looks through a probe; an epoch of training goes another way.
    network = two_layers(level, dtype, cell, bidirectional, pooling)
    network.run()
    checked = network.grads.copy()
    network.train(network.order, len(LENGTHS), network.optimizer())
    assert same_bits(network.grads, checked)


@each_variant
@each_shape
def test_prediction_with_projections_of_distinct_tokens(level, dtype, cell, bidirectional, hidden):
    spec = oracle.Spec(cell, hidden, bidirectional, pooling="all", n_outputs=3)
    problem = make_problem(
        spec, LENGTHS, n_features=2, embedding=[(4, 3), (3, 2)], states=False, cotangents=False
    )
    for threads in (1, 3):
        network = Network(spec, **problem, level=level, dtype=dtype, threads=threads)
        distinct = distinct_rows(network.values)
        assert len(distinct.rows) < len(network.values) / 2
        batches = [range(5), range(5, len(LENGTHS))]
        assert same_bits(network.predict(batches, distinct=distinct), network.predict(batches))


@each_variant
@each(cell=CELLS, hidden=[(19,), (7, 7)])
def test_prediction_goes_on_from_states(level, dtype, cell, hidden):
    spec = oracle.Spec(cell, hidden, pooling="all", n_outputs=3)
    lengths = [n + 1 for n in LENGTHS]
    problem = make_problem(spec, lengths, states=False, cotangents=False)
    network = Network(spec, **problem, level=level, dtype=dtype)
    plan, whole = network.plan, np.split(network.predict(), network.offsets[1:-1])
    shape = len(hidden), len(lengths), hidden[0]
    states = np.zeros(shape, plan.dtype), np.zeros(shape, plan.dtype)
    if not plan.cell.has_c:
        states = states[0], None
    cuts = [T // 3 + 1 for T in lengths]
    x = [np.asarray(part, plan.dtype) for part in problem["sequences"]]
    for where in (lambda cut: slice(None, cut), lambda cut: slice(cut, None)):
        pieces = [part[where(cut)] for part, cut in zip(x, cuts, strict=True)]
        offsets = np.append(0, np.cumsum([len(piece) for piece in pieces]))
        given = Sequences(np.concatenate(pieces), offsets)
        got = np.split(predict(plan, network.params, given, states=states), offsets[1:-1])
        for i, cut in enumerate(cuts):
            assert same_bits(got[i], whole[i][where(cut)])


@each(cell=CELLS, solver=SOLVERS, dtype=DTYPES)
def test_one_random_state_one_fit(cell, solver, dtype):
    if not is_built(LEVEL, dtype):
        pytest.skip(f"{LEVEL}, {dtype}: kernels not built")
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((T, 2)) for T in LENGTHS * 2]
    y = rng.integers(0, 2, len(X))

    def fit(random_state):
        model = RNNClassifier(
            (12, 5), cell=cell, solver=solver, bidirectional=True, dropout=0.2, tol=0.0, max_iter=3,
            recurrent_dropout=0.2, batch_size=8, random_state=random_state, dtype=dtype,
        )  # fmt: skip
        return model.fit(X, y)

    first, second, other = fit(1), fit(1), fit(2)
    for name, weight in first.weights_.items():
        assert same_bits(second.weights_[name], weight), name
        assert name.startswith("bias") or not same_bits(other.weights_[name], weight), name
    assert first.loss_curve_ == second.loss_curve_
    assert same_bits(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each(case=cases(), cell=CELLS)
def test_every_estimator_for_any_number_of_threads(case, cell, monkeypatch):
    model, X, y = cases()[case]
    found = []
    for threads in (1, *THREADS, 1):
        use_threads(monkeypatch, threads)
        fitted = clone(model).set_params(cell=cell, hidden_layer_sizes=(96,), dropout=0.2).fit(X, y)
        found.append((fitted._params.tobytes(), fitted.loss_curve_, predicted(fitted, X)))
    assert all(other == found[0] for other in found[1:])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each(case=cases(), cell=CELLS)
def test_every_estimator_predicts_alone_what_it_does_in_company(case, cell):
    model, X, y = cases()[case]
    model = clone(model).set_params(cell=cell).fit(X, y)
    methods = ("predict_proba", "predict", "score_samples")
    method = next(name for name in methods if hasattr(model, name))
    together = getattr(model, method)(X)
    for i, x in enumerate(X):
        [alone] = getattr(model, method)([x])
        if isinstance(alone, list):  # tokens
            assert alone == together[i]
        else:
            np.testing.assert_allclose(alone, together[i], rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each(loss=("student_t", "poisson", "negative_binomial"))
def test_distributions_for_any_number_of_threads(loss, monkeypatch):
    X = list(np.random.default_rng(0).poisson(3.0, (9, 40)).astype(float))
    found = []
    for threads in (1, *THREADS):
        use_threads(monkeypatch, threads)
        model = LSTMForecaster(3, 12, loss=loss, hidden_layer_sizes=(96,), dropout=0.2, max_iter=2,
                               batch_size=4, random_state=0).fit(X)  # fmt: skip
        paths = model.sample_paths(n_paths=3, horizon=7, random_state=0)
        found.append((model._params.tobytes(), model.loss_curve_, paths.tobytes()))
    assert all(other == found[0] for other in found[1:])
