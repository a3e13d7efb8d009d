"""An output layer in chunks of rows: what the whole layer computes, to the bit, in less memory.

The whole layer is compared with the oracle and with central differences in test_gradients.py.
"""

from dataclasses import replace

import numpy as np
import oracle
import pytest
from kernel_tools import (
    Network,
    assert_same,
    make_problem,
    named_arrays,
    one_level,
    same_bits,
    variants,
)
from sklearn.base import clone
from tables import POOLINGS, each
from test_gradients import EXACT, assert_differences_agree
from test_translation_kernels import Problem, make_optimizer, make_pair
from test_truncated import gradients

from skrnn import LSTMLanguageModel, LSTMTagger, RNNClassifier, Seq2SeqTranslator
from skrnn._network import batches
from skrnn._network.plan import Options

# Rows of a chunk are blocks of BLOCK_COLS vectors, at most 64 rows: 150 steps, as 150 sequences,
# are three chunks at least, the last of which ends within a vector.
LENGTHS = [13, 1, 20, 7, 7, 16, 2, 9, 20, 5, 1, 11, 18, 20]
SHORT = [1, 2] * 75
N_OUTPUTS = 107  # two tasks of outputs, the last within a tile

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())
each_level = pytest.mark.parametrize("level", one_level())


def lengths_for(pooling):
    return LENGTHS if pooling == "all" else SHORT


def networks(bidirectional, pooling, hidden=(19,), *, embedding=None, threads=(1,), **how):
    """Make the whole output layer and one in chunks for each number of threads."""
    spec = oracle.Spec(
        "gru", hidden, bidirectional, pooling=pooling, n_outputs=N_OUTPUTS, alpha=0.1
    )
    problem = make_problem(
        spec, lengths_for(pooling), n_features=1 if embedding else 3, embedding=embedding,
        unlabelled=True,
    )  # fmt: skip
    if how.get("tied"):
        del problem["weights"]["embedding_weight"]
    whole = Network(spec, **problem, **how)
    chunked = [Network(spec, **problem, logit_rows=1, threads=n, **how) for n in threads]
    return whole, chunked


@each_variant
@each(bidirectional=(False, True), pooling=POOLINGS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_chunks_have_the_bits_of_the_whole(level, dtype, bidirectional, pooling, smoothing):
    whole, chunked = networks(
        bidirectional, pooling, level=level, dtype=dtype, dropout=0.2, threads=(1, 2, 3, 8),
        label_smoothing=smoothing,
    )  # fmt: skip
    first = whole.run()
    expected = named_arrays(first)
    del expected["logits"]
    for network in chunked:
        network.grads[:] = np.nan  # nothing of what stood there before is added to
        result = network.run()
        assert result.loss == first.loss
        assert result.logits is None
        for name, array in named_arrays(result).items():
            assert same_bits(array, expected[name]), f"{name}, {network.options.threads} threads"


@each_level
@pytest.mark.parametrize("hidden", [(16,), (64,), (70,), (5,)])
def test_widths_within_and_of_whole_vectors(level, hidden):
    whole, [chunked] = networks(True, "all", hidden, level=level)
    got = named_arrays(chunked.run())
    for name, array in named_arrays(whole.run()).items():
        assert name == "logits" or same_bits(got[name], array), name


@each_level
@each(bidirectional=(False, True), pooling=POOLINGS)
def test_chunks_against_the_oracle(level, bidirectional, pooling):
    spec = oracle.Spec("lstm", (19,), bidirectional, pooling=pooling, n_outputs=N_OUTPUTS)
    problem = make_problem(spec, lengths_for(pooling))
    network = Network(spec, **problem, level=level, logit_rows=1)
    assert_same(network.run(), replace(oracle.run(spec, **problem), logits=None), EXACT)


@each_level
def test_chunks_by_central_differences(level):
    spec = oracle.Spec("rnn", (3,), False, pooling="all", n_outputs=4)
    problem = make_problem(spec, LENGTHS, n_features=2, cotangents=False)
    assert_differences_agree(Network(spec, **problem, level=level, logit_rows=1))


@each_variant
@pytest.mark.parametrize("tied", [False, True])
def test_training_in_chunks(level, dtype, tied):
    embedding = [(N_OUTPUTS, 19 if tied else 4)]
    whole, chunked = networks(
        False, "all", embedding=embedding, level=level, dtype=dtype, tied=tied, threads=(1, 3)
    )
    found = []
    for network in (whole, *chunked):
        optimizer = network.optimizer(solver="adam", learning_rate_init=0.01)
        order = np.arange(len(LENGTHS))
        found.append([network.train(order, 9, optimizer) for _ in range(2)] + [network.params])
    for other in found[1:]:
        assert all(map(same_bits, other, found[0]))


@each_level
@each(pooling=POOLINGS, bidirectional=(False, True))
def test_a_loss_alone_and_passes_over_chunks_of_steps(level, pooling, bidirectional):
    if (pooling == "all" and bidirectional) or "attention" in pooling:
        return  # which have no passes
    spec = oracle.Spec(
        "lstm", (19,), bidirectional, pooling=pooling, n_outputs=N_OUTPUTS, bptt_steps=5
    )
    problem = make_problem(
        spec, 8 * [23, 6, 9, 30, 2, 41, 17, 17, 25], states=False, cotangents=False
    )
    loss, grads = gradients(Network(spec, **problem, level=level), 10)
    chunked = Network(spec, **problem, level=level, logit_rows=1)
    assert gradients(chunked, 10, learns=False)[0] == loss
    assert not chunked.grads.any()
    got_loss, got = gradients(chunked, 10)
    assert got_loss == loss
    assert all(same_bits(got[name], grad) for name, grad in grads.items())


@each_level
@pytest.mark.parametrize("attention", [None, "dot", "additive"])
def test_translation_in_chunks(level, attention):
    pair = make_pair(level, "lstm", attention, True, 2)
    found = []
    for rows in (0, 1):
        problem = Problem(pair, dropout=0.2, label_smoothing=0.1, logit_rows=rows)
        raw = problem.run()
        assert (raw["logits"] is None) == (rows > 0)
        found.append([raw["loss"], problem.grads.copy()])
        optimizer = make_optimizer(pair)
        found[-1] += [problem.train(optimizer, [0, 2, len(problem.order)]), problem.params]
    assert all(map(same_bits, *(map(np.asarray, parts) for parts in found)))


@each_variant
def test_memory_follows_the_rows_of_a_chunk(level, dtype):
    whole, _ = networks(False, "all", level=level, dtype=dtype)
    plan, limits = whole.plan, whole.limits._replace(n_steps=10_000, longest=1_000)
    size = np.dtype(dtype).itemsize

    def bytes_of(rows):
        return len(plan.workspace(Options(training=True, logit_rows=rows), limits))

    block = plan.engine.block_cols * plan.engine.lanes
    per_row = (N_OUTPUTS + 19) * size
    assert bytes_of(2 * block) - bytes_of(block) == pytest.approx(block * per_row, abs=256)
    assert bytes_of(1) == bytes_of(block)
    padded = -(-N_OUTPUTS // plan.engine.lanes) * plan.engine.lanes
    assert bytes_of(0) - bytes_of(block) > 2 * 10_000 * padded * size - block * per_row


@each_level
@pytest.mark.parametrize(("loss", "training"), [("crf", True), ("softmax", False)])
def test_chunks_are_refused_where_all_logits_are_needed(level, loss, training):
    spec = oracle.Spec("lstm", (5,), pooling="all", loss=loss, n_outputs=4)
    network = Network(spec, **make_problem(spec, [3]), level=level)
    with pytest.raises(ValueError, match="only softmax in training"):
        network.plan.workspace(Options(training=training, logit_rows=1), network.limits)


@each(
    learner=(
        LSTMLanguageModel((9,)),
        LSTMTagger((9,)),
        RNNClassifier((9,), embedding_dim=4),
        RNNClassifier((9,), embedding_dim=4, bptt_steps=5),
        Seq2SeqTranslator((9,)),
    )
)
def test_estimators_with_wide_outputs(learner, monkeypatch):
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 90, length) for length in rng.integers(1, 90, 40)]
    y = np.arange(40) % 20 if isinstance(learner, RNNClassifier) else [x % 80 for x in X]
    found, rows_at_once = [], []

    choose = batches.logit_rows

    def chosen_rows(*what):
        rows_at_once.append(choose(*what))
        return rows_at_once[-1]

    monkeypatch.setattr(batches, "logit_rows", chosen_rows)
    for most in (batches.LOGIT_NUMBERS, 100):
        monkeypatch.setattr(batches, "LOGIT_NUMBERS", most)
        fitted = clone(learner).set_params(max_iter=2, random_state=0, n_iter_no_change=np.inf)
        found.append(fitted.fit(X, y).weights_)
    assert rows_at_once[0] == 0 < rows_at_once[1]
    assert all(same_bits(found[1][name], weight) for name, weight in found[0].items())


@each_level
def test_more_outputs_than_are_summed_at_a_time(level):
    spec = oracle.Spec("rnn", (5,), False, pooling="all", n_outputs=700)
    problem = make_problem(spec, LENGTHS)
    whole = named_arrays(Network(spec, **problem, level=level).run())
    chunked = named_arrays(Network(spec, **problem, level=level, logit_rows=1).run())
    assert all(same_bits(array, whole[name]) for name, array in chunked.items())
