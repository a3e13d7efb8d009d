"""The kernels' gradients, and all that is computed on the way.

Against the oracle, against central differences, and in float32 against float64; over the tables of
cells, activations, poolings and losses.
"""

from functools import cache

import numpy as np
import oracle
import oracle_cells
import pytest
from kernel_tools import (
    Network,
    any_engine,
    assert_same,
    is_built,
    levels,
    make_problem,
    mix64,
    one_level,
    relative_error,
    rounded,
    same_bits,
)
from tables import (
    ACTIVATIONS,
    HEADS,
    LOSSES,
    NETWORKS,
    POOLINGS,
    each,
    each_design,
    each_head,
    each_network,
)

from skrnn._kernels import get_engine
from skrnn._network.plan import CELLS

# 11 sequences, of which 11, 9, 7, 6, 5, 4, 3, 2, 1 are left as time goes by: tiles of every height.
LENGTHS = [4, 1, 7, 3, 1, 6, 2, 9, 5, 2, 8]
# Layers -> widths: unequal, and no multiple of any vector's width.
HIDDEN = {1: (11,), 2: (9, 5), 3: (3, 13, 6)}
# Rows and width of the embedding of each column: different, and one of width 1.
TABLES = ((4, 3), (6, 1), (2, 5))
EXACT = 1e-12


def exact(spec):
    """Bound the error.

    The scores of attention pooling have df . (h_t - f), in the oracle too: a small difference of
    large numbers.
    """
    return 1e-11 if "attention" in spec.pooling else EXACT


each_level = pytest.mark.parametrize("level", levels())


def test_the_oracle_knows_all_that_the_kernels_do():
    # the tests go over the oracle's tables
    engine = any_engine()
    assert oracle.CELLS.keys() == engine.CELLS.keys()
    assert oracle_cells.ACTIVATIONS.keys() == engine.ACTIVATIONS.keys()
    assert oracle.POOLINGS.keys() == engine.POOLINGS.keys()
    assert oracle.LOSSES.keys() == engine.LOSSES.keys()
    assert {activation for _, activation in NETWORKS} == engine.ACTIVATIONS.keys()


# --------------------------------------------------------------------------------------------------
# Against the oracle
# --------------------------------------------------------------------------------------------------


@cache
def solved(spec, **how):
    """Return a problem and what the oracle makes of it: once for all levels."""
    problem = make_problem(spec, LENGTHS, **how)
    return problem, oracle.run(spec, **problem)


@each_level
@each_design(HIDDEN)
def test_every_network_against_the_oracle(
    level, cell, activation, bidirectional, n_layers, pooling, loss
):
    # initial states, cotangents of outputs and final states, sample weights and L2 all at once
    spec = oracle.Spec(
        cell, HIDDEN[n_layers], bidirectional, activation, pooling, loss, n_outputs=4, alpha=0.3
    )
    problem, expected = solved(spec)
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@each_level
@each_network
@each_head
def test_without_anything_optional(level, cell, activation, bidirectional, pooling, loss):
    # what training passes: states of zero, no weights, no cotangents
    spec = oracle.Spec(cell, (9, 5), bidirectional, activation, pooling, loss, n_outputs=2)
    # Of a distribution, relu's large outputs are scales of e^-9: gradients of 1e6, whose
    # differences in the layers below have few digits left.
    how = {"scale": 0.3} if loss in ("gaussian", "student_t") else {}
    problem, expected = solved(spec, states=False, cotangents=False, sample_weight=False, **how)
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@each_level
@each(cell=CELLS, bidirectional=(False, True), bptt_steps=(1, 2, 3, 8, 20))
def test_truncated(level, cell, bidirectional, bptt_steps):
    spec = oracle.Spec(cell, (9, 5), bidirectional, pooling="all", bptt_steps=bptt_steps)
    problem, expected = solved(spec)
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


DROPOUT = [("all", (0.4, 0.0)), ("last", (0.0, 0.4)), *((pool, (0.3, 0.5)) for pool in POOLINGS)]


@each_level
@each(cell=CELLS, bidirectional=(False, True))
@pytest.mark.parametrize(("pooling", "rates"), DROPOUT)
def test_dropout(level, cell, bidirectional, pooling, rates):
    spec = oracle.Spec(cell, (9, 5, 11), bidirectional, pooling=pooling, alpha=0.1)
    problem, _ = solved(spec)
    dropout, recurrent = rates
    network = Network(
        spec, **problem, level=level, dropout=dropout, recurrent_dropout=recurrent, seed=2**63 + 11
    )
    masks = network.masks()
    assert len(masks) == 3 * (dropout > 0) + 3 * (1 + bidirectional) * (recurrent > 0)
    assert_same(network.run(), oracle.run(spec, **problem, masks=masks), exact(spec))


@each_level
def test_dropout_multipliers(level):
    # 0 or 1 / (1 - rate), of which `rate` are 0; neighboring seeds, rows and columns differ
    draw = get_engine("float64", level).dropout_multipliers
    for rate in (0.1, 0.5, 0.9):
        drawn = draw(400, 100, rate, 7)
        assert set(np.unique(drawn)) == {0.0, 1 / (1 - rate)}
        deviation = np.sqrt(rate * (1 - rate) / drawn.size)
        assert abs((drawn == 0).mean() - rate) < 4 * deviation
        assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.4
        assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.2
        assert len(np.unique(drawn, axis=0)) == len(drawn)
        assert (draw(400, 100, rate, 8) != drawn).any()
        assert same_bits(draw(10, 100, rate, 7), drawn[:10])
    assert (draw(5, 3, 0.0, 7) == 1).all()


@each_level
@each(cell=CELLS, bidirectional=(False, True))
def test_recurrent_masks_differ(level, cell, bidirectional):
    # one mask per layer, direction and sequence, none equal to another
    spec = oracle.Spec(cell, (40, 40), bidirectional)
    problem, _ = solved(spec)
    network = Network(spec, **problem, level=level, recurrent_dropout=0.5, seed=3)
    raw = network.inspect_batch()
    for k, layer in enumerate(raw["scans"]):
        drawn = network.engine.dropout_multipliers(len(LENGTHS), 40, 0.5, mix64(3, 2 * k + 1))
        assert same_bits(layer["mask"], drawn[raw["sequences"]])
    rows = np.concatenate([layer["mask"] for layer in raw["scans"]])
    assert len(np.unique(rows, axis=0)) == len(rows)


@each_level
@each(cell=CELLS, bidirectional=(False, True), n_columns=(1, 2, 3))
def test_embedding(level, cell, bidirectional, n_columns):
    # all rows of a table but one are drawn again and again, within a sequence and across sequences
    spec = oracle.Spec(cell, (9, 5), bidirectional, pooling="mean", alpha=0.2)
    problem, expected = solved(spec, n_features=n_columns, embedding=TABLES[:n_columns])
    weights = dict(problem["weights"])
    tables = [name for name in weights if name.startswith("embedding_weight")]
    assert len(tables) == n_columns
    for name in tables:
        weights[name] = np.pad(weights[name], ((0, 1), (0, 0)))
    got = Network(spec, **problem | {"weights": weights}, level=level).run()
    for name in tables:
        assert (got.grads[name][-1] == 0).all()
        got.grads[name] = got.grads[name][:-1]
    assert_same(got, expected, exact(spec))


def looked_up(network):
    """Return the tokens of every step that a run looks up, in the user's order."""
    raw = network.inspect_batch()
    tokens = np.empty_like(network.values)
    tokens[raw["rows"]] = raw["tokens"].T
    return tokens


@each_level
@each(cell=CELLS, bidirectional=(False, True), n_columns=(1, 3))
def test_word_dropout(level, cell, bidirectional, n_columns):
    # it is the network of the tokens looked up: outputs, loss, and the rows that gradients go to
    spec = oracle.Spec(cell, (9, 5), bidirectional, pooling="mean", alpha=0.2)
    problem, _ = solved(spec, n_features=n_columns, embedding=TABLES[:n_columns])
    network = Network(
        spec, **problem, level=level, dropout=0.2, word_dropout=0.4, seed=5, order=range(10, -1, -1)
    )
    tokens = looked_up(network)
    assert (tokens != network.values).any(axis=0).all()
    problem = problem | {"sequences": np.split(tokens, network.offsets[1:-1])}
    masks = network.masks()
    assert_same(network.run(), oracle.run(spec, **problem, masks=masks), exact(spec))


@each_level
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_share_of_words_dropped(level, rate):
    # each column by itself gives way to its last row, which no step has here, and else stays
    spec = oracle.Spec("rnn", (2,))
    n_unknown = np.array([rows - 1 for rows, _ in TABLES])
    problem = make_problem(spec, [40] * 60, 3, embedding=[(rows - 1, dim) for rows, dim in TABLES])
    for c, (rows, dim) in enumerate(TABLES):
        problem["weights"][f"embedding_weight_{c}"] = np.ones((rows, dim))
    how = {"level": level, "word_dropout": rate}
    network = Network(spec, **problem, **how, seed=2**63 + 9)
    tokens = looked_up(network)
    dropped = tokens != network.values
    assert (tokens == np.where(dropped, n_unknown, network.values)).all()
    deviation = np.sqrt(rate * (1 - rate) / len(dropped))
    assert (abs(dropped.mean(axis=0) - rate) < 4 * deviation).all()
    correlations = np.corrcoef(dropped.T)[np.triu_indices(3, 1)]
    assert (abs(correlations) < 4 / np.sqrt(len(dropped))).all()
    after = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in dropped.T]
    assert (np.abs(after) < 4 / np.sqrt(len(dropped))).all()
    assert (looked_up(network) == tokens).all()
    assert (looked_up(Network(spec, **problem, **how, seed=9)) != tokens).any()


@each_level
def test_prediction_drops_no_words(level):
    spec = oracle.Spec("lstm", (5,), True, pooling="all")
    problem, _ = solved(spec, n_features=3, embedding=TABLES, states=False)
    network = Network(spec, **problem, level=level, word_dropout=0.9)
    plain = Network(spec, **problem, level=level)
    assert same_bits(network.predict(), plain.predict())
    assert (looked_up(network) != network.values).any()
    network.options = network.options._replace(training=False)
    assert (looked_up(network) == network.values).all()


@each_level
@each(cell=CELLS, head=[head for head in HEADS if head[1] in oracle.LABEL_LOSSES])
def test_labels_that_do_not_count(level, cell, head):
    pooling, loss = head
    spec = oracle.Spec(cell, (9,), True, pooling=pooling, loss=loss, n_outputs=3)
    problem, _ = solved(spec)
    rng = np.random.default_rng(5)
    rows = LENGTHS if pooling == "all" else [1] * len(LENGTHS)
    hidden = [rng.random(r) < 0.4 for r in rows]
    labels = [np.where(off, -1, y) for off, y in zip(hidden, problem["targets"], strict=True)]
    problem["targets"] = labels if pooling == "all" else np.concatenate(labels)
    expected = oracle.run(spec, **problem)
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@each_level
@each(head=[head for head in HEADS if head[1] not in oracle.LABEL_LOSSES])
def test_numbers_that_are_missing(level, head):
    # NaN adds nothing; a row of nothing else weighs nothing either
    pooling, loss = head
    spec = oracle.Spec("gru", (9,), True, pooling=pooling, loss=loss, n_outputs=6)
    problem = make_problem(spec, LENGTHS)
    whole = oracle.run(spec, **problem)
    rng = np.random.default_rng(5)
    for rows in problem["targets"] if pooling == "all" else [problem["targets"]]:
        rows[rng.random(rows.shape) < 0.3] = np.nan
        rows[rng.random(len(rows)) < 0.3] = np.nan
    expected = oracle.run(spec, **problem)
    assert expected.loss != whole.loss
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@each_level
@each_head
def test_any_order_of_the_sequences(level, pooling, loss):
    spec = oracle.Spec("lstm", (9, 5), True, "tanh", pooling, loss, alpha=0.1)
    problem, expected = solved(spec)
    rng = np.random.default_rng(6)
    for _ in range(3):
        order = rng.permutation(len(LENGTHS))
        assert_same(Network(spec, **problem, level=level, order=order).run(), expected, exact(spec))


# More than one block, task or panel takes: 4 vector columns of a tile and 16 of a weight gradient
# (128 numbers at most), 192 of its input columns, 128 of its packed rows, 96 of a product's, and
# rows further apart than 256 numbers.
@cache
def solved_large(spec):
    problem = make_problem(spec, [41, 1, 33, 17, 45, 22], n_features=263, scale=0.05)
    return problem, oracle.run(spec, **problem)


@each_level
@each(cell=CELLS, bidirectional=(False, True), head=zip(["all", "last", "all"], LOSSES))
def test_large_sizes(level, cell, bidirectional, head):
    spec = oracle.Spec(cell, (131, 37), bidirectional, "relu", *head, n_outputs=35, alpha=0.3)
    problem, expected = solved_large(spec)
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@cache
def solved_sliced(spec):
    # 40 sequences of 610 steps: from 512 on the rows of a batch lie in two slices
    problem = make_problem(spec, [1 + 7 * k % 30 for k in range(40)])
    return problem, oracle.run(spec, **problem)


SLICED_HEADS = [("last", "softmax"), ("max", "squared_error"), ("all", "softmax"), ("all", "crf")]
SLICED_HEADS += [("attention", "softmax")]


@each_level
@each(cell=CELLS, bidirectional=(False, True), head=SLICED_HEADS, threads=(1, 3))
def test_slices(level, cell, bidirectional, head, threads):
    # three threads: what the second takes lies in both slices
    spec = oracle.Spec(cell, (18, 5), bidirectional, "tanh", *head, bptt_steps=11)
    problem, expected = solved_sliced(spec)
    network = Network(spec, **problem, level=level, threads=threads)
    assert_same(network.run(), expected, exact(spec))


@each_level
@each(bidirectional=(False, True), pooling=("all", "mean"), threads=(1, 3))
def test_dropout_of_slices(level, bidirectional, pooling, threads):
    # the rows of a mask are drawn by several threads, and dropped by the packed row
    spec = oracle.Spec("gru", (18, 5), bidirectional, pooling=pooling)
    problem, _ = solved_sliced(spec)
    rates = {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 5}
    network = Network(spec, **problem, level=level, threads=threads, **rates)
    assert_same(network.run(), oracle.run(spec, **problem, masks=network.masks()), exact(spec))


@each_level
@each(activation=ACTIVATIONS, bidirectional=(False, True))
def test_max_pooling_of_equal_steps(level, activation, bidirectional):
    # with matrices of zeros h_t is f(b) at every step: the first of equals gets the gradient
    spec = oracle.Spec("rnn", (9,), bidirectional, activation, pooling="max")
    problem = make_problem(spec, LENGTHS, states=False, cotangents=False)
    for name, weight in problem["weights"].items():
        if name.startswith(("weight_ih", "weight_hh")):
            weight[...] = 0
    expected = oracle.run(spec, **problem)
    assert expected.grads["weight_ih_l0"].any()
    assert_same(Network(spec, **problem, level=level).run(), expected, exact(spec))


@each_level
@each(shift=(-2000.0, 2000.0), n_outputs=(2, 3, 9))
def test_logits_far_from_zero(level, shift, n_outputs):
    # exp of any of them is 0 or inf; only their differences count, and padding does not
    spec = oracle.Spec("rnn", (5,), n_outputs=n_outputs)
    problem = make_problem(spec, LENGTHS, cotangents=False)
    problem["weights"]["head_bias"] += shift
    expected = oracle.run(spec, **problem)
    got = Network(spec, **problem, level=level).run()
    assert_same(got, expected, 1e-10)  # of 2000, some 1e-12 is left of the differences


@each_level
@each(cell=CELLS)
def test_one_of_everything(level, cell):
    # one sequence of one step, one feature, one unit, one output
    spec = oracle.Spec(cell, (1,), loss="squared_error", n_outputs=1)
    problem = make_problem(spec, [1], n_features=1)
    expected = oracle.run(spec, **problem)
    assert_same(Network(spec, **problem, level=level).run(), expected, EXACT)


# --------------------------------------------------------------------------------------------------
# Central differences, which need no oracle
# --------------------------------------------------------------------------------------------------

SMALL_LENGTHS = [3, 1, 2, 4]
SMALL_HIDDEN = {1: (3,), 2: (2, 3), 3: (2, 1, 2)}
STEP = 1e-5


def numerical_gradient(network, array):
    """Differentiate the loss that the kernels give, entry by entry of an array they read."""
    gradient = np.zeros(array.shape)
    for k in np.ndindex(array.shape):
        kept = array[k]
        array[k] = kept + STEP
        above = network.inspect_batch()["loss"]
        array[k] = kept - STEP
        gradient[k] = (above - network.inspect_batch()["loss"]) / (2 * STEP)
        array[k] = kept
    return gradient


def assert_differences_agree(network):
    result = network.run()
    views = network.plan.views(numerical_gradient(network, network.params))
    pairs = {name: (gradient, views[name]) for name, gradient in result.grads.items()}
    if network.values.dtype.kind == "f":
        numerical = numerical_gradient(network, network.values)
        pairs["inputs"] = np.concatenate(result.d_inputs), numerical
    for name, states, found in (("h0", network.h0, result.d_h0), ("c0", network.c0, result.d_c0)):
        for k, state in enumerate(states or []):
            pairs[f"{name} of scan {k}"] = found[k], numerical_gradient(network, state)
    for name, (gradient, numerical) in pairs.items():
        assert numerical.any(), f"{name}: all zero, nothing was tested"
        error = relative_error(gradient, numerical)
        assert error <= 1e-6, f"{name}: relative error {error:.3g}"


@pytest.mark.parametrize("level", one_level())
@each_design(SMALL_HIDDEN)
def test_central_differences(level, cell, activation, bidirectional, n_layers, pooling, loss):
    spec = oracle.Spec(
        cell, SMALL_HIDDEN[n_layers], bidirectional, activation, pooling, loss, alpha=0.2
    )
    # with this seed some unit of every layer is alive, relu's too
    problem = make_problem(spec, SMALL_LENGTHS, 2, seed=104, cotangents=False, scale=0.7)
    if loss == "gaussian":
        # relu's outputs as logarithms of variances make losses of 1e15, whose rounding is more
        # than small gradients change
        problem["weights"]["head_weight"] *= 0.1
    assert_differences_agree(Network(spec, **problem, level=level))


@pytest.mark.parametrize("level", one_level())
@each(cell=CELLS, bidirectional=(False, True))
def test_central_differences_with_dropout_and_embedding(level, cell, bidirectional):
    spec = oracle.Spec(cell, (3, 2), bidirectional, pooling="mean", alpha=0.2)
    problem = make_problem(
        spec, SMALL_LENGTHS, 2, seed=2, embedding=[(3, 2), (2, 1)], cotangents=False
    )
    assert_differences_agree(
        Network(spec, **problem, level=level, dropout=0.3, recurrent_dropout=0.3, seed=4)
    )


# --------------------------------------------------------------------------------------------------
# float32
# --------------------------------------------------------------------------------------------------


def float32_tolerance(spec, lengths, n_features):
    """Bound float32's relative error by the length of what is added up.

    A sum of K rounded terms is off by about eps * sqrt(K) of its size, for roundings are as good
    as random (Higham and Mary 2019). An entry of a result hangs on the longest chain of sums: the
    T steps of every layer, there and back, each a sum over its inputs and hidden units; then, in a
    weight gradient, a sum over all N steps. That makes

        eps * sqrt(2 * T * sum over layers of (D + H) + N)

    of which the kernels use less than half, save for a loss that is a sum over labels, or over
    three outputs per target.
    """
    directions = 1 + spec.bidirectional
    widths = [n_features, *(directions * H for H in spec.hidden[:-1])]
    chain = 2 * max(lengths) * sum(D + H for D, H in zip(widths, spec.hidden, strict=True))
    parts = {"binary_log_loss": 2, "student_t": 3}.get(spec.loss, 1)
    return parts * np.finfo(np.float32).eps * np.sqrt(chain + sum(lengths))


@pytest.mark.parametrize("level", levels("float32"))
@each_design(HIDDEN)
def test_float32_against_float64(level, cell, activation, bidirectional, n_layers, pooling, loss):
    spec = oracle.Spec(
        cell, HIDDEN[n_layers], bidirectional, activation, pooling, loss, n_outputs=4, alpha=0.01
    )
    problem = rounded(make_problem(spec, LENGTHS, scale=0.3), np.float32)
    expected = (
        Network(spec, **problem, level=level).run()
        if is_built(level, "float64")
        else oracle.run(spec, **problem)
    )
    got = Network(spec, **problem, level=level, dtype="float32").run()
    assert_same(got, expected, float32_tolerance(spec, LENGTHS, 3))
