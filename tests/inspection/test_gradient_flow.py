"""Gradients over time are those of the oracle."""

import importlib

import numpy as np
import oracle
import pytest
from kernel_tools import Network, make_problem
from problems import first_step, means, tagged
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tables import each, each_network

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.inspection import gradient_flow

LENGTHS = [4, 1, 6, 2, 6]
STEP = 1e-6

oracle_cells = importlib.import_module("oracle_cells")


# The trace of the kernels against the oracle


def oracle_trace(monkeypatch, spec, problem):
    """Return dLoss/dh_t by the oracle: {(scan, sequence): (T, H)}, as its cells are given it."""
    cell = oracle_cells.CELLS[spec.cell]
    rows = []

    def backward(dh, *rest):
        rows.append(dh)
        return cell.backward(dh, *rest)

    monkeypatch.setitem(oracle_cells.CELLS, spec.cell, cell._replace(backward=backward))
    oracle.run(spec, **problem)
    monkeypatch.undo()
    scans, found = oracle.scans(spec), {}
    # It goes back sequence by sequence, from the top level down, each direction from its end.
    rows = iter(rows)
    for i, sequence in enumerate(problem["sequences"]):
        for layer in reversed(range(len(spec.hidden))):
            for s, (at, direction, _) in enumerate(scans):
                if at == layer:
                    back = np.array([next(rows) for _ in sequence])
                    found[s, i] = back if direction else back[::-1]
    assert next(rows, None) is None
    return found


def kernel_trace(network):
    """Return dLoss/dh_t by the kernels, as `oracle_trace` does."""
    raw = network.engine.inspect_batch(
        network.plan, network.options, network.limits, network.workspace, network.params,
        network.grads, network.data, network.order, targets=network.targets,
        h0=network._in_order(network.h0), c0=network._in_order(network.c0),
        d_outputs=network.d_outputs, d_hn=network._in_order(network.d_hn),
        d_cn=network._in_order(network.d_cn), trace=True,
    )  # fmt: skip
    found = {}
    for s, layer in enumerate(raw["scans"]):
        for i, steps in enumerate(network._steps(layer["dh"], raw["rows"])):
            found[s, i] = steps
    return found, raw


@each_network
@each(pooling=("last", "all"), bptt_steps=(None, 2))
def test_trace_is_the_oracle_s(monkeypatch, cell, activation, bidirectional, pooling, bptt_steps):
    spec = oracle.Spec(
        cell, (5, 3, 4), bidirectional, activation, pooling, bptt_steps=bptt_steps
    )  # three levels: the buffers of two neighbors alternate
    problem = make_problem(spec, LENGTHS)
    expected = oracle_trace(monkeypatch, spec, problem)
    network = Network(spec, **problem, level=None, order=[3, 0, 4, 1, 2])
    found, _ = kernel_trace(network)
    assert found.keys() == expected.keys()
    for key, dh in expected.items():
        np.testing.assert_allclose(found[key], dh, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_trace_changes_nothing_else(dtype):
    spec = oracle.Spec("gru", (9, 5), True, pooling="mean", alpha=0.1)
    network = Network(spec, **make_problem(spec, LENGTHS), level=None, dtype=dtype)
    plain, grads = network.inspect_batch(), network.grads.copy()
    network.grads[:] = np.nan
    _, traced = kernel_trace(network)
    assert traced["loss"] < plain["loss"]  # less the penalty, which the trace was not asked for
    for got, expected in zip(traced["d_h0"], plain["d_h0"], strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(traced["d_inputs"], plain["d_inputs"])
    bias = network.plan.views(grads)["bias_hh_l0"]  # not penalized
    np.testing.assert_array_equal(network.plan.views(network.grads)["bias_hh_l0"], bias)


@each(cell=("lstm", "gru", "rnn"), bidirectional=(False, True))
def test_gradient_is_a_difference_quotient(monkeypatch, cell, bidirectional):
    """dLoss/dh_t is what the loss does when h_t, wherever it is read, is moved."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(T, 2)) for T in (3, 5, 1)]
    y = rng.normal(size=3)
    model = RNNRegressor((4, 3), cell=cell, bidirectional=bidirectional, dtype="float64")
    model.set_params(random_state=0, max_iter=1, n_iter_no_change=np.inf, scaling="none").fit(X, y)
    flow = gradient_flow(model, X, y)
    spec = oracle.Spec(
        cell, (4, 3), bidirectional, pooling="last", loss="squared_error", n_outputs=1
    )
    original = oracle_cells.CELLS[cell]

    def loss(i, s, step, unit, change):
        calls = 0

        def forward(a, b, h, c, activation):
            nonlocal calls
            h, c, saved = original.forward(a, b, h, c, activation)
            if calls == s * len(X[i]) + step:
                h = h + change * (np.arange(len(h)) == unit)
            calls += 1
            return h, c, saved

        monkeypatch.setitem(oracle_cells.CELLS, cell, original._replace(forward=forward))
        # As the network learns them: standardized.
        targets = ((y[i : i + 1] - model._target_center) / model._target_scale)[:, np.newaxis]
        weights = model._get_plan().views(model._params)
        return oracle.run(spec, weights, [X[i]], targets=targets).loss

    for s, (layer, direction, suffix) in enumerate(oracle.scans(spec)):
        assert flow.layers[s] == suffix
        for i, x in enumerate(X):
            for t in range(len(x)):
                step = len(x) - 1 - t if direction else t
                quotients = [
                    (loss(i, s, step, u, STEP) - loss(i, s, step, u, -STEP)) / (2 * STEP)
                    for u in range(spec.hidden[layer])
                ]
                norm = np.linalg.norm(quotients)
                assert flow.gradient_norms[s, i, t] == pytest.approx(norm, rel=1e-5, abs=1e-8)


# gradient_flow


PROBLEMS = {
    "classifier": (RNNClassifier((6,), class_weight="balanced", random_state=0), *first_step(100)),
    "regressor": (RNNRegressor((6, 5), cell="gru", random_state=0), *means(100)),
    "tokens": (LSTMTagger((6,), random_state=0), *tagged()),
    "crf": (LSTMTagger((6,), crf=True, cell="rnn", random_state=0), *tagged()),
    "series": (
        LSTMForecaster(3, lookback=10, loss="quantile", random_state=0),
        [np.sin(np.arange(n) / 3) for n in (60, 15, 40)], None,
    ),
    "pieces": (
        LSTMForecaster(2, lookback=8, bptt_steps=10, random_state=0),
        [np.sin(np.arange(n) / 3) for n in (60, 50, 40)], None,
    ),
    "language": (
        LSTMLanguageModel((6,), random_state=0),
        [list("abcab"), list("ca"), [], list("abc")] * 20, None,
    ),
    "document": (
        LSTMLanguageModel((6, 5), cell="gru", bptt_steps=7, batch_size=2, random_state=0,
                          boundary_tokens=False),
        [list("abcabc" * 10)], None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_unfitted_is_where_fit_starts(name):
    """A step so small that it moves no weight, but zeros to 1e-30, leaves what `fit` drew."""
    model, X, y = PROBLEMS[name]
    still = {
        "solver": "sgd",
        "learning_rate_init": 1e-30,
        "max_iter": 1,
        "n_iter_no_change": np.inf,
    }
    fitted = clone(model).set_params(**still).fit(X, y)
    before = {name: value for name, value in vars(fitted).items() if name != "_plan"}
    original, found = gradient_flow(model, X, y), gradient_flow(fitted, X, y)
    close = {"rtol": 1e-12, "atol": 1e-20}
    np.testing.assert_allclose(found.hidden_norms, original.hidden_norms, **close)
    np.testing.assert_allclose(found.gradient_norms, original.gradient_norms, **close)
    assert found.loss == original.loss
    assert "_params" not in vars(model)
    assert all(vars(fitted)[name] is value for name, value in before.items())
    carried = name in ("pieces", "document")  # in training, from piece to piece
    if model.get_params().get("word_dropout") is None and not carried:
        # one batch, nothing dropped and no penalty: the loss of the first epoch is this one
        whole = clone(fitted).set_params(batch_size=10**6, alpha=0.0)
        with pytest.warns(UserWarning, match="batch_size"):
            assert found.loss == pytest.approx(whole.fit(X, y).loss_, rel=1e-5)


def test_shapes_counts_and_alignment():
    X, y = first_step(90)  # more than one batch
    lengths = np.array([len(x) for x in X])
    model = RNNClassifier((4,), bidirectional=True, random_state=1)
    flow, end = gradient_flow(model, X, y), gradient_flow(model, X, y, align="end")
    T = lengths.max()
    assert flow.layers == ("l0", "l0_reverse")
    assert flow.hidden_norms.shape == flow.gradient_norms.shape == (2, 90, T)
    np.testing.assert_array_equal(flow.steps, np.arange(T))
    np.testing.assert_array_equal(end.steps, np.arange(T) - T + 1)
    np.testing.assert_array_equal(flow.counts, [(lengths > t).sum() for t in range(T)])
    np.testing.assert_array_equal(end.counts, flow.counts[::-1])
    for i, n in enumerate(lengths):
        for norms in ("hidden_norms", "gradient_norms"):
            one = getattr(flow, norms)[:, i]
            assert np.isnan(one[:, n:]).all() and not np.isnan(one[:, :n]).any()
            np.testing.assert_array_equal(getattr(end, norms)[:, i, T - n :], one[:, :n])
    means_ = np.nanmean(flow.gradient_norms, axis=1)
    np.testing.assert_allclose(flow.mean_gradient_norms, means_, rtol=1e-12)


@pytest.mark.parametrize(("make", "data"), [(RNNClassifier, first_step), (LSTMTagger, tagged)])
@pytest.mark.parametrize("i", [5, 90])  # of the first batch, and of the second
def test_a_sequence_s_norms_do_not_depend_on_the_others(make, data, i):
    X, y = data(100)
    model = make((4,), max_iter=1, n_iter_no_change=np.inf, dtype="float64").fit(X, y)
    flow, one = gradient_flow(model, X, y), gradient_flow(model, X[i : i + 1], y[i : i + 1])
    n = len(X[i])
    np.testing.assert_allclose(one.gradient_norms[:, 0], flow.gradient_norms[:, i, :n], rtol=1e-9)
    np.testing.assert_allclose(one.hidden_norms[:, 0], flow.hidden_norms[:, i, :n], rtol=1e-12)


def test_dropout_is_off_and_truncation_on():
    X = np.random.default_rng(0).normal(size=(8, 9, 2))
    y = X[:, 0, 0]
    model = RNNRegressor((4,), random_state=0)
    flow = gradient_flow(model, X, y)
    dropped = gradient_flow(clone(model).set_params(dropout=0.5, recurrent_dropout=0.5), X, y)
    np.testing.assert_array_equal(dropped.gradient_norms, flow.gradient_norms)
    cut = gradient_flow(clone(model).set_params(bptt_steps=4), X, y)
    assert (cut.gradient_norms[:, :, :5] == 0).all() and (cut.gradient_norms[:, :, 5:] > 0).all()
    np.testing.assert_array_equal(cut.hidden_norms, flow.hidden_norms)


def test_empty_sequences_have_no_step():
    X, y = [[]] * 200 + [["a"], ["b", "a"]], [[]] * 200 + [["X"], ["Y", "X"]]  # whole batches
    flow = gradient_flow(LSTMTagger((3,)), X, y)
    assert np.isnan(flow.gradient_norms[:, :200]).all()
    np.testing.assert_array_equal(flow.counts, [2, 1])


def test_bad_input():
    X, y = first_step(10)
    with pytest.raises(TypeError, match="last step"):
        gradient_flow(make_pipeline(FunctionTransformer(), RNNClassifier()), X, y)
    with pytest.raises(TypeError, match="Seq2SeqTranslator, which is two networks"):
        gradient_flow(Seq2SeqTranslator(), [["a"], ["b"]], [["A"], ["B"]])
    with pytest.raises(ValueError, match="align"):
        gradient_flow(RNNClassifier(), X, y, align="middle")
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        gradient_flow(RNNClassifier((0,)), X, y)
    with pytest.raises(ValueError, match="y is None"):
        gradient_flow(RNNClassifier(), X)
