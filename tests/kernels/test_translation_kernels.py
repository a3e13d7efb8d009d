"""The kernels of translation: gradients, attention and search, against the oracle and by force.

An encoder, attention and a decoder, over cells, depths, directions and ragged lengths.
"""

from itertools import product

import numpy as np
import oracle
import pytest
from kernel_tools import levels, one_level, relative_error, same_bits
from oracle_attention import run_pair, softmax
from tables import ACTIVATIONS, each

from skrnn import Seq2SeqTranslator
from skrnn._data.sequences import Sequences
from skrnn._network.batches import pair_limits
from skrnn._network.border import KernelData, TargetSequences
from skrnn._network.optimizer import Optimizer
from skrnn._network.plan import CELLS, Options
from skrnn._translator.decoding import attention_weights, decode
from skrnn._translator.encoder_decoder import ATTENTION, EncoderDecoder
from skrnn._translator.targets import decoder_inputs

SOURCE_LENGTHS = [4, 1, 7, 3, 1, 6, 2, 9, 5, 2, 8]
TARGET_LENGTHS = [1, 5, 2, 8, 1, 3, 3, 1, 7, 6, 2]  # with the end symbol
HIDDEN = {1: (7,), 2: (5, 9)}
N_TOKENS, N_SOURCE, N_FEATURES = 5, 4, 3
EXACT, CENTRAL = 1e-12, 1e-6

each_level = pytest.mark.parametrize("level", levels())
each_pair = each(
    cell=CELLS, attention=ATTENTION, bidirectional=(False, True), n_layers=HIDDEN,
)  # fmt: skip


def make_pair(level, cell, attention, bidirectional, n_layers, dtype="float64", tokens=True, **how):
    return EncoderDecoder(
        cell, HIDDEN[n_layers], 1 if tokens else N_FEATURES, N_TOKENS + 1,
        target_embedding=(N_TOKENS + 2, 4), attention=attention, bidirectional=bidirectional,
        embedding=[(N_SOURCE + 1, 3)] if tokens else None, dtype=dtype, level=level, **how,
    )  # fmt: skip


class Problem:
    """A pair with random weights and one batch of data."""

    def __init__(self, pair, threads=1, training=True, tokens=True, seed=0, **dropout_rates):
        rng = np.random.default_rng(seed)
        self.pair, self.seed = pair, seed
        self.params = (0.4 * rng.standard_normal(pair.n_params)).astype(pair.dtype)
        self.grads = np.zeros_like(self.params)
        if tokens:
            draw = lambda S: rng.integers(0, N_SOURCE, (S, 1))  # noqa: E731
        else:
            draw = lambda S: rng.standard_normal((S, N_FEATURES))  # noqa: E731
        self.sources = [draw(S) for S in SOURCE_LENGTHS]
        self.offsets = np.append(0, np.cumsum(TARGET_LENGTHS)).astype(np.intp)
        self.labels = rng.integers(0, N_TOKENS, self.offsets[-1])
        self.labels[self.offsets[1:] - 1] = N_TOKENS
        self.weights = rng.uniform(0.5, 2.0, self.offsets[-1])
        self.ids = decoder_inputs(self.labels, self.offsets, N_TOKENS)
        self.sequences = Sequences.of(self.sources)
        values = self.sequences.values
        self.data = KernelData(
            self.sequences.offsets.astype(np.intp),
            None if tokens else values.astype(pair.dtype),
            values.astype(np.intp) if tokens else None,
        )
        self.target = TargetSequences(self.offsets, self.ids, self.labels, self.weights)
        self.options = Options(training=training, threads=threads, **dropout_rates)
        n = len(SOURCE_LENGTHS)
        self.limits = pair_limits(np.array(SOURCE_LENGTHS), np.array(TARGET_LENGTHS), n)
        self.workspace = pair.workspace(self.options, self.limits, n)
        self.order = rng.permutation(n)

    def run(self, alpha=0.0):
        return self.pair.engine.translate_inspect_batch(
            self.pair, self.options, self.limits, self.workspace, self.params, self.grads,
            self.data, self.target, self.order, alpha=alpha, seed=self.seed,
        )  # fmt: skip

    def loss(self):
        return self.run(alpha=0.3)["loss"]

    def train(self, optimizer, batch_offsets):
        report = np.zeros((len(batch_offsets) - 1, 3))
        settings = optimizer.settings(self.seed)
        done = self.pair.engine.translate_train(
            self.pair, self.options, self.limits, self.workspace, self.params, self.grads,
            optimizer.m, optimizer.v, self.data, self.target, self.order,
            np.array(batch_offsets, np.intp), settings, report,
        )  # fmt: skip
        optimizer.step = settings["step"]
        assert done == len(report)
        return report

    def split(self, rows):
        return np.split(rows, self.offsets[1:-1])

    def expected(self, cell, attention, bidirectional, n_layers, activation="tanh"):
        hidden = HIDDEN[n_layers]
        specs = (
            oracle.Spec(cell, hidden, bidirectional, activation),
            oracle.Spec(cell, tuple((1 + bidirectional) * h for h in hidden), False, activation),
        )
        targets = list(zip(self.split(self.ids[:, 0]), self.split(self.labels), strict=True))
        weights = {name: w.copy() for name, w in self.pair.views(self.params).items()}
        return run_pair(
            specs, attention, weights, self.sources, targets, self.split(self.weights), 0.3,
            self.options.label_smoothing,
        )  # fmt: skip


def assert_as_oracle(problem, *what):
    raw = problem.run(alpha=0.3)
    loss, grads, logits, attended = problem.expected(*what)
    assert abs(raw["loss"] - loss) < EXACT * abs(loss)
    assert relative_error(raw["logits"], np.concatenate(logits)) < EXACT
    for name, got in problem.pair.views(problem.grads).items():
        assert relative_error(got, grads[name]) < EXACT, name
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    assert abs(raw["norm"] - norm) < EXACT * norm
    if attended[0] is not None:
        for got, expected in zip(problem.split(raw["attention"]), attended, strict=True):
            S = expected.shape[1]
            assert relative_error(got[:, :S], expected) < EXACT
            assert (got[:, S:] == 0).all()


@each_level
@each_pair
def test_every_pair_against_the_oracle(level, cell, attention, bidirectional, n_layers):
    what = cell, attention, bidirectional, n_layers
    assert_as_oracle(Problem(make_pair(level, *what)), *what)


@each_level
@each(attention=ATTENTION, activation=ACTIVATIONS, bidirectional=(False, True))
def test_numbers_to_read_and_other_activations(level, attention, activation, bidirectional):
    what = "rnn", attention, bidirectional, 2
    pair = make_pair(level, *what, tokens=False, activation=activation)
    assert_as_oracle(Problem(pair, tokens=False), *what, activation)


@each_level
@each(attention=ATTENTION, smoothing=(0.1, 0.7))
def test_label_smoothing(level, attention, smoothing):
    what = "lstm", attention, True, 1
    assert_as_oracle(Problem(make_pair(level, *what), label_smoothing=smoothing), *what)


@pytest.mark.parametrize("level", one_level())
@each_pair
def test_every_parameter_by_central_differences(level, cell, attention, bidirectional, n_layers):
    problem = Problem(make_pair(level, cell, attention, bidirectional, n_layers))
    problem.order = np.array([6, 1, 2])  # lengths to read 2, 1, 7 and to write 3, 5, 2
    problem.run(alpha=0.3)
    grads, step = problem.grads.copy(), 1e-5
    found = np.empty_like(grads)
    for k in range(len(found)):
        before = problem.params[k]
        problem.params[k] = before + step
        above = problem.loss()
        problem.params[k] = before - step
        found[k] = (above - problem.loss()) / (2 * step)
        problem.params[k] = before
    names = problem.pair.views(found)
    for name, got in problem.pair.views(grads).items():
        assert np.abs(got - names[name]).max() < CENTRAL * max(1, np.abs(grads).max()), name


@each_level
@each(attention=ATTENTION, cell=CELLS)
def test_gradients_under_dropout(level, attention, cell):
    # the masks are functions of seed and position, so that differences see the same ones
    pair = make_pair(level, cell, attention, True, 2)
    problem = Problem(pair, dropout=0.3, recurrent_dropout=0.2, word_dropout=0.2, seed=3)
    problem.run(alpha=0.3)
    grads, rng = problem.grads.copy(), np.random.default_rng(0)
    for _ in range(5):
        step = 1e-5 * rng.standard_normal(len(grads))
        problem.params += step
        above = problem.loss()
        problem.params -= 2 * step
        slope = above - problem.loss()
        problem.params += step
        assert abs(slope - 2 * grads @ step) < 1e-5 * abs(slope) + 1e-9


@each_level
def test_each_network_draws_masks_of_its_own(level):
    pair = make_pair(level, "rnn", None, False, 1)
    problem = Problem(pair, recurrent_dropout=0.5)
    problem.params[:] = 0
    weights = pair.views(problem.params)
    weights["encoder_bias_ih_l0"][:] = 1
    for name in ("encoder_weight_hh_l0", "decoder_weight_hh_l0", "head_weight"):
        np.fill_diagonal(weights[name], 1)
    problem.order, found = np.array([2]), []
    for problem.seed in range(20):
        found += problem.run()["logits"][problem.offsets[2]].tolist()
    # 0 where the decoder drops a unit; of the others this where the encoder does
    dropped = [abs(h - np.tanh(2 * np.tanh(1))) < EXACT for h in found if h != 0]
    assert 0.3 < len(dropped) / len(found) < 0.7
    assert 0.3 < np.mean(dropped) < 0.7


def make_optimizer(pair, **settings):
    how = {"alpha": 0.1, "learning_rate_init": 0.01, "max_grad_norm": 0.5} | settings
    return Optimizer.new(Seq2SeqTranslator(**how).get_params(), pair.n_params, pair.dtype)


@each_level
@each(attention=ATTENTION, dtype=("float32", "float64"))
def test_the_same_bits_for_any_number_of_threads(level, attention, dtype):
    found = []
    for threads in (1, 2, 3, 8):
        pair = make_pair(level, "lstm", attention, True, 2, dtype)
        problem = Problem(pair, threads=threads, dropout=0.2)
        problem.run(alpha=0.1)
        grads = problem.grads.copy()
        optimizer = make_optimizer(pair)
        report = problem.train(optimizer, [0, 4, 8, 11])
        found.append((grads, report, problem.params))
    for other in found[1:]:
        for got, expected in zip(other, found[0], strict=True):
            assert same_bits(got, expected)


@each_level
@each(attention=ATTENTION)
def test_batches_of_a_run(level, attention):
    # batches smaller than the workspace is made for, each with the loss it has alone
    pair = make_pair(level, "lstm", attention, True, 2)
    problem = Problem(pair)
    problem.workspace[:] = 0x7F
    report = problem.train(make_optimizer(pair, learning_rate_init=1e-300), [0, 2, 6, 11])
    order = problem.order
    for row, (start, stop) in zip(report, ((0, 2), (2, 6), (6, 11)), strict=True):
        problem.order = order[start:stop]
        raw = problem.run(alpha=0.1)
        rows = sum(len(problem.split(problem.weights)[i]) for i in problem.order)
        assert relative_error(row, np.array([raw["loss"], raw["norm"], rows])) < EXACT
    problem.order = order
    assert_as_oracle(problem, "lstm", attention, True, 2)


@each_level
@each(solver=("adam", "sgd"), attention=ATTENTION)
def test_one_clipped_step(level, solver, attention):
    # one norm for both networks: the step is that of a single vector
    pair = make_pair(level, "gru", attention, True, 1)
    problem = Problem(pair)
    norm = problem.run(alpha=0.1)["norm"]
    grads, before = problem.grads * min(1, 0.5 / norm), problem.params.copy()
    report = problem.train(make_optimizer(pair, solver=solver), [0, len(SOURCE_LENGTHS)])
    assert norm > 0.5
    assert abs(report[0, 1] - norm) < EXACT * norm
    if solver == "adam":
        m, v = 0.1 * grads, 0.001 * grads**2
        step = 0.01 * np.sqrt(0.001) / 0.1 * m / (np.sqrt(v) + 1e-8)
    else:
        step = 0.01 * grads * 1.9
    assert np.abs(before - step - problem.params).max() < 1e-12


# --------------------------------------------------------------------------------------------------
# Search
# --------------------------------------------------------------------------------------------------


def log_table(pair, params, sequences, i, prefix):
    """Log-probabilities of every token after each of a target's prefixes, by teacher forcing."""
    labels = np.array([*prefix, N_TOKENS], dtype=np.intp)
    offsets = np.array([0, len(labels)], dtype=np.intp)
    source, options = sequences.take([i]), Options()
    limits = pair_limits(source.lengths, np.diff(offsets), 1)
    raw = pair.engine.translate_inspect_batch(
        pair, options, limits, pair.workspace(options, limits, 1), params, None,
        KernelData(source.offsets.astype(np.intp), None, source.values.astype(np.intp)),
        TargetSequences(offsets, decoder_inputs(labels, offsets, N_TOKENS), labels, None),
        np.zeros(1, np.intp),
    )  # fmt: skip
    return np.log(softmax(raw["logits"]))


def searched(*what):
    """Make a pair and sources whose targets end at different lengths: some outlive others."""
    pair = make_pair(*what)
    problem = Problem(pair, training=False)
    problem.params *= 6
    pair.views(problem.params)["head_bias"][N_TOKENS] += 3
    return pair, problem


def greedy(*what, longest):
    """Take the most probable token again and again; returns tokens and log-probability."""
    tokens, total = [], 0.0
    while True:
        row = log_table(*what, tokens)[-1]
        token = N_TOKENS if len(tokens) == longest else int(row.argmax())
        total += row[token]
        if token == N_TOKENS:
            return tokens, total
        tokens.append(token)


@each_level
@each(cell=CELLS, attention=ATTENTION, n_layers=HIDDEN)
def test_greedy_takes_the_best_token_of_each_step(level, cell, attention, n_layers):
    pair, problem = searched(level, cell, attention, True, n_layers)
    found = decode(pair, problem.params, problem.sequences, 1, 1.0, 6)
    assert len({len(tokens[0]) for tokens in found.tokens}) > 1
    for i in range(len(SOURCE_LENGTHS)):
        tokens, total = greedy(pair, problem.params, problem.sequences, i, longest=6)
        assert found.tokens[i][0].tolist() == tokens
        assert abs(found.log_probabilities[i][0] - total) < 1e-10


@each_level
@each(cell=CELLS, attention=ATTENTION, penalty=(0.0, 1.0))
def test_a_wide_beam_finds_every_target_in_order(level, cell, attention, penalty):
    pair = make_pair(level, cell, attention, True, 2)
    problem = Problem(pair, training=False)
    found = decode(pair, problem.params, problem.sequences, 40, penalty, 2)
    targets = [list(y) for T in range(3) for y in product(range(N_TOKENS), repeat=T)]
    for i in range(3):
        scores = []
        for target in targets:
            table = log_table(pair, problem.params, problem.sequences, i, target)
            scores.append(sum(table[t, k] for t, k in enumerate([*target, N_TOKENS])))
        normalized = np.array(scores) / [(len(y) + 1) ** penalty for y in targets]
        order = np.argsort(-normalized)
        assert [tokens.tolist() for tokens in found.tokens[i]] == [targets[k] for k in order]
        assert np.abs(found.log_probabilities[i] - np.array(scores)[order]).max() < 1e-10


def beam(*what, width, longest, penalty):
    """Search as `translate_decode` says it does; returns the results, best first."""

    def normalized(tokens, total, length=None):
        return total / ((len(tokens) if length is None else length) + 1) ** penalty

    live, found = [([], 0.0)], []
    for t in range(longest + 1):
        following = []
        for tokens, total in live:
            row = log_table(*what, tokens)[-1]
            for k in [N_TOKENS] if t == longest else range(N_TOKENS + 1):
                following.append(([*tokens, k], total + row[k]))
        following.sort(key=lambda one: -one[1])
        found += [(y[:-1], p) for y, p in following[:width] if y[-1] == N_TOKENS]
        found = sorted(found, key=lambda one: -normalized(*one))[:width]
        live = [(y, p) for y, p in following if y[-1] != N_TOKENS][:width]
        if not live or (
            len(found) == width and normalized(*live[0], longest) <= normalized(*found[-1])
        ):
            break
    return found


@each_level
@each(attention=ATTENTION, beam_width=(2, 3), penalty=(0.0, 1.0))
def test_a_narrow_beam(level, attention, beam_width, penalty):
    pair, problem = searched(level, "lstm", attention, True, 2)
    found = decode(pair, problem.params, problem.sequences, beam_width, penalty, 5)
    for i in range(len(SOURCE_LENGTHS)):
        how = {"width": beam_width, "longest": 5, "penalty": penalty}
        expected = beam(pair, problem.params, problem.sequences, i, **how)
        assert [y.tolist() for y in found.tokens[i]] == [y for y, _ in expected]
        scores = [p for _, p in expected]
        assert np.abs(found.log_probabilities[i] - scores).max() < 1e-10


@each_level
@each(attention=ATTENTION, penalty=(0.0, 0.7, 2.0), equal=(False, True))
def test_fewer_results_are_the_best_of_more(level, attention, penalty, equal):
    # With equal probabilities everything is a tie, and the one that is found first comes first.
    pair, problem = searched(level, "gru", attention, True, 1)
    if equal:
        problem.params[:] = 0
    more = decode(pair, problem.params, problem.sequences, 5, penalty, 7)
    for n_best in (1, 2, 4):
        fewer = decode(pair, problem.params, problem.sequences, 5, penalty, 7, n_best)
        for k in range(len(SOURCE_LENGTHS)):
            assert len(fewer.tokens[k]) == n_best
            assert same_bits(fewer.log_probabilities[k], more.log_probabilities[k][:n_best])
            for got, tokens in zip(fewer.tokens[k], more.tokens[k], strict=False):
                assert same_bits(got, tokens)


@each_level
@each(attention=ATTENTION, beam_width=(1, 3))
def test_search_does_not_depend_on_company_or_threads(level, attention, beam_width, monkeypatch):
    pair, problem = searched(level, "lstm", attention, True, 2, "float32")
    expected = decode(pair, problem.params, problem.sequences, beam_width, 1.0, 9)
    alone = [
        decode(pair, problem.params, problem.sequences.take([i]), beam_width, 1.0, 9)
        for i in range(len(SOURCE_LENGTHS))
    ]
    monkeypatch.setattr("skrnn._translator.decoding.effective_n_threads", lambda: 3)
    threads = decode(pair, problem.params, problem.sequences, beam_width, 1.0, 9)
    for i, one in enumerate(alone):
        for other, k in ((one, 0), (threads, i)):
            assert same_bits(other.log_probabilities[k], expected.log_probabilities[i])
            for got, tokens in zip(other.tokens[k], expected.tokens[i], strict=True):
                assert same_bits(got, tokens)


@each_level
@each(attention=("dot", "additive"))
def test_attention_weights(level, attention):
    pair = make_pair(level, "gru", attention, True, 1)
    problem = Problem(pair)
    raw = problem.run()["attention"]
    found = attention_weights(
        pair, problem.params, problem.sequences, problem.labels, problem.offsets
    )
    for got, rows, S in zip(found, problem.split(raw), SOURCE_LENGTHS, strict=True):
        assert got.shape == (len(rows), S)
        assert np.abs(got - rows[:, :S]).max() < EXACT
        assert np.abs(got.sum(axis=1) - 1).max() < EXACT
