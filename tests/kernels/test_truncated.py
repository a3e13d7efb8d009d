"""Truncated BPTT in the memory of a chunk: the oracle's gradients, from pass to pass."""

import numpy as np
import oracle
import pytest
from kernel_tools import Network, make_problem, one_level, relative_error, same_bits
from problems import means, tagged
from tables import LOSSES, each

from skrnn import LSTMTagger, RNNClassifier, RNNRegressor
from skrnn._kernels import LEVEL
from skrnn._network import batches
from skrnn._network.batches import EpochRunner, batch_limits, direction_chunks, equal_bounds
from skrnn._network.border import DirectionChunks
from skrnn._network.plan import CELLS

LENGTHS = [23, 1, 40, 9, 10, 11, 20]
EXACT = 1e-10
JOINED = ("last", "mean", "max")
CHUNKED = [("last", "softmax"), ("last", "squared_error"), ("mean", "softmax"), ("max", "softmax")]
CHUNKED += [(JOINED, "softmax"), (("last", "max"), "squared_error")]
CHUNKED += [("all", loss) for loss in LOSSES if loss != "crf"]
each_level = pytest.mark.parametrize("level", one_level())


def gradients(network, size, learns=True):
    """Return loss and gradients of one batch, taken in chunks of `size` steps."""
    lengths, order = network.lengths, np.arange(len(network.lengths))[::-1].copy()
    optimizer = network.optimizer(
        solver="sgd", learning_rate_init=1e-300, max_grad_norm=None, momentum=0
    )
    report = np.zeros((1, 3))
    limits = batch_limits(np.minimum(lengths, size), len(lengths))
    network.engine.train(
        network.plan, network.options, limits,
        network.plan.passes_workspace(network.options, limits), network.params, network.grads,
        optimizer.m, optimizer.v, network.data, network.targets, order,
        equal_bounds(len(order), len(order)),
        optimizer.settings(network.seed) if learns else None, report, None,
        direction_chunks(network.plan, network.offsets, size),
    )  # fmt: skip
    return report[0, 0], network.plan.views(network.grads)


def assert_oracle(network, spec, problem, size, masks=None):
    loss, grads = gradients(network, size)
    expected = oracle.run(spec, **problem, masks=masks)
    assert loss == pytest.approx(expected.loss, rel=EXACT)
    for name, gradient in expected.grads.items():
        assert relative_error(grads[name], gradient) <= EXACT, name


def problem_of(spec, **how):
    return make_problem(spec, LENGTHS, states=False, cotangents=False, **how)


@each_level
@each(cell=CELLS, size=(5, 10))
@pytest.mark.parametrize(("pooling", "loss"), CHUNKED)
def test_chunks_have_the_oracles_gradients(level, cell, size, pooling, loss):
    spec = oracle.Spec(
        cell, (9, 5), pooling=pooling, loss=loss, n_outputs=4, alpha=0.3, bptt_steps=5
    )
    problem = problem_of(spec, unlabelled=loss == "softmax")
    assert_oracle(Network(spec, **problem, level=level), spec, problem, size)


@each_level
@each(cell=CELLS, pooling=("last", "mean", "max", JOINED))
def test_two_directions_each_have_chunks_of_their_own(level, cell, pooling):
    spec = oracle.Spec(cell, (9,), True, pooling=pooling, alpha=0.3, bptt_steps=5)
    problem = problem_of(spec)
    # a flat start: of equal maxima the first step has the gradient
    problem["sequences"] = [
        np.round(x) * (np.arange(len(x)) > 12)[:, None] for x in problem["sequences"]
    ]
    assert_oracle(Network(spec, **problem, level=level), spec, problem, 5)


@each_level
@each(
    pooling=("last", "mean", "max", "all", JOINED),
    embedding=(None, ((7, 3), (40, 2))),
    two=(False, True),
)
def test_dropout_and_embeddings(level, pooling, embedding, two):
    # a step has the same masks in the pass for the features and in that for the gradients
    if two and pooling == "all":
        pytest.skip("two directions need a pooling")
    spec = oracle.Spec(
        "lstm", (7,) if two else (9, 5), two, pooling=pooling, alpha=0.1, bptt_steps=4
    )
    problem = problem_of(spec, n_features=2, embedding=embedding)
    network = Network(
        spec, **problem, level=level, dropout=0.3, recurrent_dropout=0.4, seed=2**63 + 5
    )
    assert_oracle(network, spec, problem, 4, network.masks())


@each_level
@pytest.mark.parametrize(
    ("pooling", "two"), [("mean", False), ("all", False), ("max", True), (JOINED, True)]
)
@each(cell=CELLS)
def test_the_same_bits_for_any_number_of_threads(level, cell, pooling, two):
    spec = oracle.Spec(cell, (40,) if two else (40, 16), two, pooling=pooling, bptt_steps=30)
    problem = make_problem(spec, LENGTHS * 4, states=False, cotangents=False)
    found = [
        gradients(Network(spec, **problem, level=level, threads=threads), 30)
        for threads in (1, 2, 8)
    ]
    for loss, grads in found:
        assert loss == found[0][0]
        for name, gradient in grads.items():
            assert same_bits(gradient, found[0][1][name]), name


def test_losses_alone_leave_gradients_alone():
    spec = oracle.Spec("gru", (6,), pooling="mean", bptt_steps=5)
    problem = problem_of(spec)
    network = Network(spec, **problem, level=LEVEL)
    network.grads[:] = 7
    loss, _ = gradients(network, 5, learns=False)
    assert loss == pytest.approx(oracle.run(spec, **problem).loss, rel=EXACT)
    assert (network.grads == 7).all()


def fits(monkeypatch, model, X, y):
    """Fit in chunks, then with whole sequences; return the weights of both."""
    monkeypatch.setattr(batches, "CHUNK_STEPS", 1)
    cut = model.fit(X, y).weights_
    monkeypatch.setattr(batches, "chunk_steps", lambda plan: None)
    return cut, model.fit(X, y).weights_


def words(X):
    return [[f"w{int(step[0] * 2)}" for step in x] for x in X]


MODELS = {
    "classifier": (RNNClassifier, {"pooling": "max", "dropout": 0.2}, lambda X, y: (X, y > 0)),
    "regressor": (RNNRegressor, {"cell": "gru", "recurrent_dropout": 0.3}, lambda X, y: (X, y)),
    "two directions": (RNNRegressor, {"bidirectional": True}, lambda X, y: (X, y)),
    "tokens": (
        RNNClassifier, {"pooling": "mean", "embedding_dim": 4},
        lambda X, y: (words(X), y > 0),
    ),
    "tagger": (LSTMTagger, {"bidirectional": False, "word_dropout": 0.2}, lambda X, y: tagged(40)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("case", MODELS)
def test_a_fit_in_chunks_is_the_fit_of_whole_sequences(case, monkeypatch):
    # several batches and epochs: optimizer steps, embedding rows of all passes, weights of rows
    make, params, data = MODELS[case]
    X, y = data(*means(40))
    model = make(
        (6,), bptt_steps=2, batch_size=7, max_iter=3, dtype="float64", random_state=0, **params
    )
    cut, whole = fits(monkeypatch, model, X, y)
    for name, weight in whole.items():
        assert relative_error(cut[name], weight) <= 1e-8, name


@pytest.mark.parametrize(
    "params",
    [
        {"pooling": "last"},
        {"pooling": "mean"},
        {"cell": "gru", "pooling": "max", "bidirectional": True},
    ],
)
def test_memory_follows_the_chunk(params, monkeypatch):
    taken = {}
    train = EpochRunner._train

    def note(self, *args):
        taken[self.data.offsets[-1]] = self.workspace.nbytes
        return train(self, *args)

    monkeypatch.setattr(EpochRunner, "_train", note)
    for n_steps in (500, 2000):
        X = np.zeros((4, n_steps, 1))
        model = RNNClassifier((8,), max_iter=1, bptt_steps=20, learning_rate="constant", **params)
        with pytest.warns(match="Stochastic Optimizer"):
            model.fit(X, [0, 1, 0, 1])
    short, long = taken.values()
    assert long == short


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda offsets, owners, first: (offsets, owners, first + 1), "do not fit the sequences"),
        (lambda offsets, owners, first: (offsets, owners[::-1].copy(), first), "does not fit"),
        (lambda offsets, owners, first: (offsets * 0, owners, first), "do not fit"),
    ],
)
def test_chunks_that_do_not_fit_are_refused(change, message, monkeypatch):
    spec = oracle.Spec("gru", (6,), bptt_steps=5)
    network = Network(spec, **problem_of(spec), level=LEVEL)
    make = direction_chunks
    changed = lambda *args: [DirectionChunks(*change(*make(*args)[0]))]  # noqa: E731
    monkeypatch.setitem(globals(), "direction_chunks", changed)
    with pytest.raises(ValueError, match=message):
        gradients(network, 5)


@pytest.mark.parametrize(
    ("hidden", "pooling"), [((6, 6), "last"), ((6,), "all"), ((6,), "attention")]
)
def test_networks_without_passes_are_refused(hidden, pooling):
    spec = oracle.Spec("gru", hidden, True, pooling=pooling, bptt_steps=5)
    network = Network(spec, **problem_of(spec), level=LEVEL)
    with pytest.raises(ValueError, match="no passes"):
        gradients(network, 5)
