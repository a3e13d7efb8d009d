"""The oracle is checked first: against finite differences, and against PyTorch's golden files."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracle import (
    CELLS,
    LABEL_LOSSES,
    POOLINGS,
    Spec,
    draw_values,
    n_targets,
    random_weights,
    run,
    scans,
    weight_shapes,
)
from tables import HEADS, NETWORKS

GOLDEN = Path(__file__).parents[1] / "golden"
LENGTHS = [3, 1, 2]
N_FEATURES = 2


# --------------------------------------------------------------------------------------------------
# Finite differences
# --------------------------------------------------------------------------------------------------


def make_problem(spec, seed=0, embedding=None, head=True):
    """Draw weights, sequences, initial states and either targets or cotangents."""
    rng = np.random.default_rng(seed)
    n, n_directions = len(LENGTHS), 1 + spec.bidirectional

    def states():
        return [rng.standard_normal((n, spec.hidden[layer])) for layer, _, _ in scans(spec)]

    problem = {
        "weights": random_weights(rng, spec, N_FEATURES, embedding, head),
        "sequences": [
            rng.standard_normal((T, N_FEATURES))
            if embedding is None
            else rng.integers(0, [rows for rows, _ in embedding], (T, N_FEATURES))
            for T in LENGTHS
        ],
        "h0": states(),
        "c0": states() if CELLS[spec.cell].has_c else None,
    }
    if not head:
        width = n_directions * spec.hidden[-1]
        problem["d_outputs"] = [rng.standard_normal((T, width)) for T in LENGTHS]
        problem["d_hn"] = states()
        problem["d_cn"] = states() if CELLS[spec.cell].has_c else None
        return problem

    rows = LENGTHS if spec.pooling == "all" else [1] * n
    if spec.loss in LABEL_LOSSES:
        targets = [rng.integers(0, spec.n_outputs, r) for r in rows]
    else:
        M = n_targets(spec.loss, spec.n_outputs)
        targets = [draw_values(rng, spec.loss, r, M) for r in rows]
    sample_weight = [rng.uniform(0.5, 2.0, r) for r in rows]
    if spec.pooling != "all":
        targets, sample_weight = np.concatenate(targets), np.concatenate(sample_weight)
    return problem | {"targets": targets, "sample_weight": sample_weight}


def make_masks(spec):
    """Draw dropout masks for every place that takes one."""
    rng = np.random.default_rng(1)
    n, n_directions = len(LENGTHS), 1 + spec.bidirectional

    def mask(*shape):
        return rng.integers(0, 2, shape) * 2.0

    masks = {
        ("recurrent", layer, direction): mask(n, spec.hidden[layer])
        for layer, direction, _ in scans(spec)
    }
    for layer in range(1, len(spec.hidden)):
        width = n_directions * spec.hidden[layer - 1]
        masks["input", layer] = [mask(T, width) for T in LENGTHS]
    width = n_directions * spec.hidden[-1]
    every_step = spec.pooling == "all"
    masks["head",] = [mask(T, width) for T in LENGTHS] if every_step else mask(n, width)
    return masks


def numerical_gradient(loss, x, step=1e-5):
    """Differentiate ``loss()`` with respect to the array `x`, which it reads, entry by entry."""
    gradient = np.zeros_like(x)
    for k in np.ndindex(x.shape):
        kept = x[k]
        x[k] = kept + step
        above = loss()
        x[k] = kept - step
        gradient[k] = (above - loss()) / (2 * step)
        x[k] = kept
    return gradient


def check_gradients(spec, problem):
    """Compare every gradient the oracle gives with finite differences."""

    def loss():
        return run(spec, **problem).loss

    result = run(spec, **problem)
    pairs = {name: (problem["weights"][name], result.grads[name]) for name in result.grads}
    if problem["sequences"][0].dtype.kind == "f":
        for i, sequence in enumerate(problem["sequences"]):
            pairs[f"input {i}"] = sequence, result.d_inputs[i]
    for s, (_, _, suffix) in enumerate(scans(spec)):
        pairs[f"h0 {suffix}"] = problem["h0"][s], result.d_h0[s]
        if CELLS[spec.cell].has_c:
            pairs[f"c0 {suffix}"] = problem["c0"][s], result.d_c0[s]

    for name, (x, gradient) in pairs.items():
        expected = numerical_gradient(loss, x)
        assert gradient.shape == x.shape
        error = np.linalg.norm(gradient - expected)
        assert error <= 1e-8 * (1 + np.linalg.norm(expected)), name


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
def test_gradients_of_cells(cell, activation, bidirectional):
    spec = Spec(cell, (3,), bidirectional, activation)
    check_gradients(spec, make_problem(spec, head=False))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_stacks(cell):
    spec = Spec(cell, (2, 1), bidirectional=True)
    check_gradients(spec, make_problem(spec, head=False))


@pytest.mark.parametrize(("pooling", "loss"), HEADS)
def test_gradients_of_heads(pooling, loss):
    spec = Spec("rnn", (2,), True, pooling=pooling, loss=loss, n_outputs=3, alpha=0.3)
    check_gradients(spec, make_problem(spec))


def test_gradients_of_embedding():
    spec = Spec("rnn", (2,))
    check_gradients(spec, make_problem(spec, embedding=[(4, 2), (3, 1)]))


@pytest.mark.parametrize(("cell", "pooling"), [*((cell, "last") for cell in CELLS), ("rnn", "all")])
def test_gradients_with_masks(cell, pooling):
    spec = Spec(cell, (2, 1), bidirectional=True, pooling=pooling)
    check_gradients(spec, make_problem(spec) | {"masks": make_masks(spec)})


# --------------------------------------------------------------------------------------------------
# What finite differences cannot see
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("cell", CELLS)
def test_truncation_is_a_sum_over_chunks(cell, k, reverse):
    # Truncated BPTT treats the state at each cut as a constant: so does a run over each chunk
    # by itself, started from that state. The first chunk in time is the short one.
    rng = np.random.default_rng(0)
    T = 7
    plain, H = Spec(cell, (3,)), 3
    weights = random_weights(rng, plain, N_FEATURES, head=False)
    x, d_outputs = rng.standard_normal((T, N_FEATURES)), rng.standard_normal((T, H))
    h0, c0 = [rng.standard_normal((1, H))], [rng.standard_normal((1, H))]

    expected = {name: np.zeros_like(weight) for name, weight in weights.items()}
    d_inputs, state = [], (h0, c0)
    starts = [0, *range(T % k or k, T, k)]
    for start, stop in zip(starts, [*starts[1:], T], strict=True):
        chunk = run(plain, weights, [x[start:stop]], None, None, *state, [d_outputs[start:stop]])
        state = chunk.h_n, chunk.c_n
        d_inputs.append(chunk.d_inputs[0])
        for name in weights:
            expected[name] += chunk.grads[name]
        if start == 0:
            d_h0 = np.zeros((1, H)) if T % k == 0 else chunk.d_h0[0]
    expected["d_inputs"] = np.concatenate(d_inputs)

    if reverse:
        # the same again as the second direction, over the sequence turned round; the first is mute
        spec = Spec(cell, (3,), True, bptt_steps=k)
        both = weights | {f"{name}_reverse": weight for name, weight in weights.items()}
        for name in weights:
            both[name] = np.zeros_like(weights[name])
        d_both = np.concatenate([np.zeros((T, H)), d_outputs[::-1]], axis=1)
        got = run(spec, both, [x[::-1]], None, None, h0 * 2, c0 * 2, [d_both])
        grads = {name: got.grads[f"{name}_reverse"] for name in weights}
        grads["d_inputs"] = got.d_inputs[0][::-1]
        outputs = got.outputs[0][::-1, H:]
    else:
        spec = Spec(cell, (3,), bptt_steps=k)
        got = run(spec, weights, [x], None, None, h0, c0, [d_outputs])
        grads = got.grads | {"d_inputs": got.d_inputs[0]}
        outputs = got.outputs[0]

    for name in expected:
        assert_allclose(grads[name], expected[name], rtol=1e-12, atol=1e-13, err_msg=name)
    assert_allclose(got.d_h0[-1], d_h0, rtol=1e-12, atol=1e-13)
    # the forward pass knows nothing of it
    assert_array_equal(outputs, run(plain, weights, [x], h0=h0, c0=c0).outputs[0])


def test_truncation_beyond_the_longest_sequence_changes_nothing():
    problem = make_problem(Spec("lstm", (2, 2), True), head=False)
    full = run(Spec("lstm", (2, 2), True), **problem)
    cut = run(Spec("lstm", (2, 2), True, bptt_steps=max(LENGTHS) + 1), **problem)
    for name in full.grads:
        assert_array_equal(cut.grads[name], full.grads[name])


def test_max_pooling_gives_a_tie_to_the_first_step():
    # one input at every step and no recurrence: every step's output is the same
    spec = Spec("rnn", (2,), pooling="max")
    weights = random_weights(np.random.default_rng(0), spec, N_FEATURES)
    weights["weight_hh_l0"][:] = 0.0
    result = run(spec, weights, [np.ones((3, N_FEATURES))], targets=[0])
    assert_array_equal(result.outputs[0], result.outputs[0][[0, 0, 0]])
    assert (result.d_inputs[0][0] != 0).all()
    assert (result.d_inputs[0][1:] == 0).all()


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def test_pooling_by_hand():
    pooled = {
        "last": lambda result: np.concatenate(result.h_n, axis=1),
        "mean": lambda result: np.array([rows.mean(axis=0) for rows in result.outputs]),
        "max": lambda result: np.array([rows.max(axis=0) for rows in result.outputs]),
        "attention": lambda result: np.array(
            [softmax(rows @ problem["weights"]["pool_weight"]) @ rows for rows in result.outputs]
        ),
        "all": lambda result: np.concatenate(result.outputs),
    }
    assert set(pooled) == set(POOLINGS)
    pooled["last", "max"] = lambda result: np.hstack(
        [pooled[one](result) for one in ("last", "max")]
    )
    for pooling, pool in pooled.items():
        spec = Spec("lstm", (2,), True, pooling=pooling)
        problem = make_problem(spec)
        result = run(spec, **problem)
        logits = np.concatenate(result.logits) if pooling == "all" else result.logits
        head = problem["weights"]["head_weight"], problem["weights"]["head_bias"]
        assert_allclose(logits, pool(result) @ head[0].T + head[1], rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_mask_of_zeros_is_a_matrix_of_zeros(cell):
    # for the recurrent mask too: the GRU's z * h_prev, which is no matrix product, goes unmasked
    spec = Spec(cell, (2, 2))
    problem = make_problem(spec)
    n = len(LENGTHS)
    masks = {
        ("recurrent", 0, 0): np.zeros((n, 2)),
        ("input", 1): [np.zeros((T, 2)) for T in LENGTHS],
        ("head",): np.zeros((n, 2)),
    }
    masked = run(spec, **problem, masks=masks)
    for name in ["weight_hh_l0", "weight_ih_l1", "head_weight"]:
        problem["weights"][name][:] = 0.0
    plain = run(spec, **problem)
    for got, expected in zip(masked.h_n, plain.h_n, strict=True):
        assert_array_equal(got, expected)
    assert_array_equal(masked.logits, plain.logits)


def test_embedding_by_hand():
    spec = Spec("rnn", (2,))
    problem = make_problem(spec, embedding=[(4, 2), (3, 1)])
    result = run(spec, **problem)
    tables = [problem["weights"].pop(f"embedding_weight_{column}") for column in (0, 1)]
    ids = problem["sequences"]
    problem["sequences"] = [
        np.array([[*tables[0][first], *tables[1][second]] for first, second in rows])
        for rows in ids
    ]
    by_hand = run(spec, **problem)
    assert result.loss == by_hand.loss
    # the first table's row 2, wherever it is drawn
    drawn = np.concatenate(ids)[:, 0] == 2
    d_row = np.concatenate(by_hand.d_inputs)[drawn, :2].sum(axis=0)
    assert drawn.any()
    assert_allclose(result.grads["embedding_weight_0"][2], d_row, rtol=1e-12)


def test_one_column_has_one_embedding():
    shapes = weight_shapes(Spec("rnn", (2,)), 1, [(4, 3)])
    assert shapes["embedding_weight"] == (4, 3)
    assert shapes["weight_ih_l0"] == (2, 3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_label_of_minus_one_does_not_count(pooling):
    # a row of weight 0 is one of the rows that the loss is a mean over, one without a label is not
    spec = Spec("rnn", (2,), pooling=pooling, n_outputs=3)
    problem = make_problem(spec)
    problem |= {"d_outputs": None, "d_hn": None, "d_cn": None}
    if pooling == "all":
        rows, missing = sum(LENGTHS), 2
        problem["sample_weight"][0][1] = problem["sample_weight"][2][0] = 0.0
        expected = run(spec, **problem)
        problem["targets"][0][1] = problem["targets"][2][0] = -1
        problem["sample_weight"][0][1] = problem["sample_weight"][2][0] = 5.0
    else:
        rows, missing = len(LENGTHS), 1
        problem["sample_weight"][1] = 0.0
        expected = run(spec, **problem)
        problem["targets"][1], problem["sample_weight"][1] = -1, 5.0
    got = run(spec, **problem)
    assert_allclose(got.loss * (rows - missing), expected.loss * rows, rtol=1e-14)
    for name in expected.grads:
        assert_allclose(got.grads[name] * (rows - missing), expected.grads[name] * rows, rtol=1e-12)


def test_loss_by_hand():
    # zero weights: the logits are the head's bias, whatever the sequence
    spec = Spec("gru", (2,), loss="softmax", n_outputs=2, alpha=2.0)
    weights = {name: np.zeros(shape) for name, shape in weight_shapes(spec, N_FEATURES).items()}
    weights["head_bias"][:] = [0.0, np.log(3.0)]
    weights["weight_ih_l0"][0, 0] = 1.0
    sequences = [np.zeros((T, N_FEATURES)) for T in LENGTHS]
    result = run(spec, weights, sequences, targets=[0, 1, 1], sample_weight=[1.0, 2.0, 3.0])
    losses = np.log(4.0) + 5.0 * np.log(4.0 / 3.0)
    assert_allclose(result.loss, losses / 3 + 2.0 / 2 * 1.0, rtol=1e-14)
    assert_allclose(result.logits, [[0.0, np.log(3.0)]] * 3)
    assert_allclose(result.grads["weight_ih_l0"][0, 0], 2.0)

    spec = Spec("gru", (2,), loss="squared_error", n_outputs=2, pooling="all")
    targets = [np.ones((T, 2)) for T in LENGTHS]
    result = run(spec, weights, sequences, targets)
    assert_allclose(result.loss, 0.5 * (1.0 + (np.log(3.0) - 1) ** 2) / 2, rtol=1e-14)


# --------------------------------------------------------------------------------------------------
# PyTorch
# --------------------------------------------------------------------------------------------------


def golden_files(pattern):
    """List golden files as parameters that carry their names."""
    files = sorted(GOLDEN.glob(pattern))
    assert files, pattern
    return [pytest.param(file, id=file.stem) for file in files]


def load_golden(file):
    """Read a golden file: its description, the network's spec, and its arrays."""
    with np.load(file) as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays.pop("about")))
    fields = Spec.__dataclass_fields__
    spec = Spec(**{key: value for key, value in about.items() if key in fields})
    return about, spec, arrays


def unpack(arrays, key):
    """Cut the sequences, which a golden file keeps end to end, apart."""
    return np.split(arrays[key], np.cumsum(arrays["lengths"])[:-1])


def group(arrays, prefix):
    """Collect the arrays ``<prefix>/<name>`` into a dict by name."""
    return {
        key.removeprefix(f"{prefix}/"): array
        for key, array in arrays.items()
        if key.startswith(f"{prefix}/")
    }


@pytest.mark.parametrize("file", golden_files("*layer*.npz"))
def test_against_pytorch(file):
    _, spec, arrays = load_golden(file)
    has_c = CELLS[spec.cell].has_c
    weights = group(arrays, "weights")
    result = run(
        spec,
        weights,
        unpack(arrays, "inputs"),
        h0=list(arrays["h0"]),
        c0=list(arrays["c0"]) if has_c else None,
        d_outputs=unpack(arrays, "d_outputs"),
        d_hn=list(arrays["d_hn"]),
        d_cn=list(arrays["d_cn"]) if has_c else None,
    )

    got = {
        "outputs": np.concatenate(result.outputs),
        "d_inputs": np.concatenate(result.d_inputs),
        "h_n": result.h_n,
        "d_h0": result.d_h0,
    }
    if has_c:
        got |= {"c_n": result.c_n, "d_c0": result.d_c0}
    got |= {f"grads/{name}": gradient for name, gradient in result.grads.items()}
    assert {f"grads/{name}" for name in weights} < set(got)
    for key in got:
        assert_allclose(got[key], arrays[key], rtol=1e-12, atol=1e-12, err_msg=key)


def make_optimizer(about, params):
    """Make scikit-learn's own optimizer, with the parameters a golden file names."""
    optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    if about["solver"] == "adam":
        keys = ["learning_rate_init", "beta_1", "beta_2", "epsilon"]
        return optimizers.AdamOptimizer(params, **{key: about[key] for key in keys})
    return optimizers.SGDOptimizer(
        params,
        about["learning_rate_init"],
        momentum=about["momentum"],
        nesterov=about["nesterovs_momentum"],
    )


@pytest.mark.parametrize("file", golden_files("training_*.npz"))
def test_training_against_pytorch(file):
    # the oracle's gradients and scikit-learn's optimizers follow the golden run to its end
    about, spec, arrays = load_golden(file)
    sequences = unpack(arrays, "inputs")
    weights = group(arrays, "initial")
    optimizer = make_optimizer(about, list(weights.values()))
    for loss, grad_norm in zip(arrays["losses"], arrays["grad_norms"], strict=True):
        result = run(spec, weights, sequences, targets=arrays["targets"])
        norm = np.sqrt(sum(np.sum(result.grads[name] ** 2) for name in weights))
        assert_allclose(result.loss, loss, rtol=1e-12)
        assert_allclose(norm, grad_norm, rtol=1e-12)
        scale = min(1.0, about["max_grad_norm"] / (norm + about["clip_epsilon"]))
        optimizer.update_params(
            list(weights.values()), [scale * result.grads[name] for name in weights]
        )
    for name, final in group(arrays, "final").items():
        assert_allclose(weights[name], final, rtol=1e-12, atol=1e-12, err_msg=name)
