"""Words by their characters: the network within the network, its gradients and its border."""

from itertools import pairwise

import numpy as np
import oracle
import pytest
from kernel_tools import (
    Network,
    assert_same,
    levels,
    make_problem,
    named_arrays,
    one_level,
    same_bits,
    variants,
)
from oracle_characters import run_characters
from tables import each

from skrnn._network.border import BatchLimits, KernelData, Spellings
from skrnn._network.plan import CELLS, Options, Plan

LENGTHS = [4, 1, 7, 3, 1, 6, 2, 9, 5, 2, 8]
COLUMNS = ((4, 3), (6, 2))
# Rows and width of the embedding of characters, and units of each direction.
CHARACTERS = (7, 3, 5)
EXACT = 1e-12


def spelled(spec, lengths=LENGTHS, characters=CHARACTERS, n_words=12, longest=6, **how):
    """Draw a problem whose words come again and again; the last few never do."""
    problem = make_problem(spec, lengths, n_features=len(COLUMNS), embedding=COLUMNS, **how)
    rng = np.random.default_rng(1)
    rows, dim, H = characters
    weights = problem["weights"]
    for name in [name for name in weights if name.startswith("weight_ih_l0")]:
        shape = weights[name].shape
        more = 0.5 * rng.standard_normal((shape[0], 2 * H))
        weights[name] = np.concatenate([weights[name], more], axis=1)
    reader = oracle.Spec("lstm", (H,), bidirectional=True)
    own = oracle.random_weights(rng, reader, 1, [(rows, dim)], head=False)
    weights |= {f"characters_{name}": weight for name, weight in own.items()}
    problem["sequences"] = [
        np.column_stack([ids, rng.integers(0, n_words - 3, len(ids))])
        for ids in problem["sequences"]
    ]
    # the last character never occurs, as the unknown one does not in known words
    problem["spellings"] = [
        rng.integers(0, rows - 1, rng.integers(1, longest + 1)) for _ in range(n_words)
    ]
    return problem


@pytest.mark.parametrize("level", levels())
@each(cell=CELLS, bidirectional=(False, True), pooling=("last", "all"))
def test_every_cell_against_the_oracle(level, cell, bidirectional, pooling):
    # two layers, an L2 penalty, initial states, cotangents and weights all at once
    spec = oracle.Spec(cell, (9, 5), bidirectional, pooling=pooling, n_outputs=4, alpha=0.3)
    problem = spelled(spec)
    expected = run_characters(spec, **problem)
    assert_same(Network(spec, **problem, level=level).run(), expected, EXACT)


@pytest.mark.parametrize("level", one_level())
def test_a_crf_against_the_oracle(level):
    spec = oracle.Spec("lstm", (9,), True, pooling="all", loss="crf", n_outputs=3)
    problem = spelled(spec)
    assert_same(Network(spec, **problem, level=level).run(), run_characters(spec, **problem), EXACT)


@pytest.mark.parametrize("level", one_level())
def test_central_differences_of_every_parameter(level):
    spec = oracle.Spec("lstm", (5,), True, pooling="all", n_outputs=3, alpha=0.1)
    problem = spelled(spec, lengths=[3, 1, 4], characters=(5, 2, 3))
    network = Network(spec, **problem, level=level)
    network.run()
    analytic, step = network.grads.copy(), 1e-6
    numeric = np.empty_like(analytic)
    for k, value in enumerate(network.params.copy()):
        losses = []
        for moved in (value + step, value - step):
            network.params[k] = moved
            losses.append(network.run().loss)
        network.params[k] = value
        numeric[k] = (losses[0] - losses[1]) / (2 * step)
    np.testing.assert_allclose(numeric, analytic, rtol=1e-6, atol=1e-8)
    characters = network.plan.views(analytic)
    assert all(np.abs(g).max() > 1e-4 for n, g in characters.items() if n.startswith("characters"))


@pytest.mark.parametrize(("level", "dtype"), variants())
@each(bidirectional=(False, True))
def test_same_bits_for_any_number_of_threads(level, dtype, bidirectional):
    # 610 steps of words and some 2,000 characters make two slices of both networks
    spec = oracle.Spec("lstm", (40,), bidirectional, pooling="all", alpha=0.1, n_outputs=3)
    problem = spelled(
        spec, lengths=[1 + 7 * k % 30 for k in range(40)], characters=(30, 20, 32), n_words=300,
        longest=12, states=False, cotangents=False, scale=0.2,
    )  # fmt: skip
    how = {"level": level, "dtype": dtype, "dropout": 0.2, "word_dropout": 0.3}
    found = []
    for threads in (1, 2, 3, 8):
        network = Network(spec, **problem, threads=threads, **how)
        arrays = named_arrays(network.run())
        report = network.train(np.arange(40), 7, network.optimizer(learning_rate_init=0.01))
        arrays |= {"weights": network.params, "report": report, "outputs": network.predict()}
        found.append(arrays)
    for arrays in found[1:]:
        for name, array in arrays.items():
            assert same_bits(array, found[0][name]), name


@pytest.mark.parametrize("level", one_level())
def test_a_prediction_does_not_depend_on_the_batches(level):
    spec = oracle.Spec("gru", (9,), pooling="all", n_outputs=3)
    network = Network(spec, **spelled(spec, states=False, cotangents=False), level=level)
    expected = np.concatenate(network.run().logits)
    batches = [[2, 0, 5], [1], [3, 4, 10, 7, 6, 9, 8]]
    np.testing.assert_allclose(network.predict(), expected, rtol=0, atol=1e-12)
    assert same_bits(network.predict(batches), network.predict())


@pytest.mark.parametrize("level", one_level())
def test_one_step_moves_all_by_one_clipped_gradient(level):
    # plain SGD: w -= rate * g * max_norm / norm, where the norm is that of all gradients
    spec = oracle.Spec("lstm", (9,), True, pooling="all", n_outputs=3, alpha=0.3)
    problem = spelled(spec, states=False, cotangents=False, sample_weight=False)
    network = Network(spec, **problem, level=level)
    expected = run_characters(spec, **problem)
    norm = np.sqrt(sum((gradient**2).sum() for gradient in expected.grads.values()))
    before = network.params.copy()
    optimizer = network.optimizer(
        solver="sgd", momentum=0.0, learning_rate_init=0.5, max_grad_norm=norm / 3
    )
    loss, measured, _ = network.train(np.arange(len(LENGTHS)), len(LENGTHS), optimizer)
    np.testing.assert_allclose([loss[0], measured[0]], [expected.loss, norm], rtol=1e-12)
    moved = network.plan.views(before - network.params)
    for name, gradient in expected.grads.items():
        np.testing.assert_allclose(moved[name], gradient / 6, rtol=0, atol=1e-12, err_msg=name)
    # the moments of characters that do not occur stay as they are, those of Adam too
    adam = network.optimizer()
    network.train(np.arange(len(LENGTHS)), len(LENGTHS), adam)
    assert (network.plan.views(adam.v)["characters_embedding_weight"][-1] == 0).all()


@pytest.mark.parametrize("level", one_level())
def test_characters_give_way_to_the_unknown_one(level):
    # in training, a tenth as often as words do; other places at every seed
    spec = oracle.Spec("lstm", (9,), pooling="all")
    problem = spelled(spec, n_words=200, lengths=[50] * 20)

    def unknown(seed, **how):
        network = Network(spec, **problem, level=level, seed=seed, **how)
        # what a word's other columns give way to has no part in it
        network.plan.views(network.params)["weight_ih_l0"][:, : sum(dim for _, dim in COLUMNS)] = 0
        return network.run().grads["characters_embedding_weight"][-1]

    assert (unknown(0) == 0).all()
    assert (unknown(0, word_dropout=0.3) != 0).all()
    assert (unknown(1, word_dropout=0.3) != unknown(0, word_dropout=0.3)).any()
    network = Network(spec, **problem, level=level, word_dropout=0.3)
    plain = Network(spec, **problem, level=level)
    assert same_bits(network.predict(), plain.predict())  # and never in prediction


@pytest.mark.parametrize("level", one_level())
def test_nothing_is_left_of_the_batch_before(level):
    spec = oracle.Spec("lstm", (9,), True, pooling="all", n_outputs=3)
    network = Network(spec, **spelled(spec, states=False, cotangents=False), level=level)
    still = network.optimizer(solver="sgd", momentum=0.0, learning_rate_init=0.0)
    gradients = []
    for _ in range(2):
        network.train(np.arange(len(LENGTHS)), len(LENGTHS), still)
        gradients.append(network.grads.copy())
    assert same_bits(*gradients)


@pytest.mark.parametrize("level", one_level())
def test_batches_without_a_word(level):
    spec = oracle.Spec("lstm", (9,), True, pooling="all", n_outputs=3, alpha=0.3)
    problem = spelled(
        spec, lengths=[3, 0, 2, 0], states=False, cotangents=False, sample_weight=False
    )
    network = Network(spec, **problem, level=level)
    before = network.params.copy()
    how = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 1.0, "max_grad_norm": None}
    network.train([1, 3], 2, network.optimizer(**how))
    assert same_bits(network.params, before)  # a batch without weight is passed over
    network.train([0, 1, 2, 3], 4, network.optimizer(**how))
    for name, gradient in run_characters(spec, **problem).grads.items():
        moved = network.plan.views(before - network.params)[name]
        np.testing.assert_allclose(moved, gradient, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("level", one_level())
def test_steps_give_what_the_whole_sequence_does(level):
    spec = oracle.Spec("lstm", (9, 5), pooling="all", n_outputs=3)
    problem = spelled(spec, lengths=[4] * 5, states=False, cotangents=False)
    network = Network(spec, **problem, level=level)
    expected = network.predict().reshape(5, 4, 3)
    plan, options, words = network.plan, Options(), BatchLimits(5, 30, 6)
    workspace = plan.workspace(options, BatchLimits(5, 5, 1, words))
    stepper = plan.engine.Stepper(plan, options, workspace, network.params, 5, words)
    state, out = np.zeros((5, stepper.n_state)), np.empty((5, 3))
    for t in range(4):
        ids = np.ascontiguousarray(network.values.reshape(5, 4, 3)[:, t])
        given = None, ids, state, state, out, False, 1
        assert stepper.step(*given, network.spellings) == -1
        np.testing.assert_allclose(out, expected[:, t], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="needs the characters"):
        stepper.step(*given)
    ids[3, 2] = 12
    with pytest.raises(ValueError, match="There is no word 12"):
        stepper.step(*given, network.spellings)


def plain_case():
    spec = oracle.Spec("lstm", (4,), pooling="all", n_outputs=3)
    problem = spelled(spec, lengths=[3, 2], states=False, cotangents=False)
    return Network(spec, **problem, level=one_level()[0].values[0])


def spelling_with(network, word=None, **parts):
    """Return the data with another number in one place of its spellings."""
    offsets, characters = (part.copy() for part in network.spellings)
    for name, (at, value) in parts.items():
        (offsets if name == "offsets" else characters[:, 0])[at] = value
    tokens = network.values.copy()
    tokens[:2, -1] = 0, len(offsets) - 2  # words whose ends are changed are read
    if word is not None:
        tokens[-1, -1] = word
    return KernelData(network.offsets, None, tokens, Spellings(offsets, characters))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"word": 12}, "There is no word 12"),
        ({"word": -1}, "There is no word -1"),
        ({"offsets": (0, 1)}, "do not span"),
        ({"offsets": (-1, 3)}, "do not span"),
        ({"offsets": (1, 0)}, "Word 0 is empty"),
        ({"offsets": (1, 2**40)}, "Word 0 is empty, or longer"),
        ({"offsets": (1, -(2**40))}, "Word 0 is empty"),
        ({"characters": (-1, 7)}, "no row 7"),
        ({"characters": (0, -1)}, "no row -1"),
    ],
)
def test_what_is_not_there_is_refused(changed, message):
    network = plain_case()
    data = spelling_with(network, **changed)
    options, batch = Options(), np.arange(2, dtype=np.intp)
    workspace = network.plan.workspace(options, network.limits)
    out = np.empty((5, 3))
    with pytest.raises(ValueError, match=message):
        network.engine.predict(
            network.plan, options, network.limits, workspace, network.params, data, None, batch,
            np.array([0, 2]), out, None, False, None,
        )  # fmt: skip


def test_limits_that_are_too_small_are_refused():
    network = plain_case()
    words = network.limits.words
    used = np.unique(network.values[:, -1])
    enough = BatchLimits(len(used), sum(np.diff(network.spellings.offsets)[used]), words.longest)
    for limits in (enough._replace(n_sequences=len(used) - 1),
                   enough._replace(n_steps=enough.n_steps - 1), None):  # fmt: skip
        network.limits = network.limits._replace(words=limits)
        with pytest.raises(ValueError, match=r"than the workspace|needs the limits"):
            network.predict()
    network.limits = network.limits._replace(words=enough)
    assert np.isfinite(network.predict()).all()


def test_data_without_characters_are_refused():
    network = plain_case()
    network.spellings = None
    with pytest.raises(ValueError, match="needs the characters"):
        network.predict()


@pytest.mark.parametrize(
    "params",
    [
        {"embedding": None},
        {"characters": (7, 3)},
        {"characters": (7, 3, 0)},
        {"characters": (7, -3, 5)},
        {"characters": (7, 3, 5.0)},
        {"n_features": 2},
    ],
)
def test_impossible_plans_are_refused(params):
    given = {"n_features": 3, "embedding": list(COLUMNS), "characters": CHARACTERS} | params
    with pytest.raises(ValueError, match=r"characters need|positive integers|needs an embedding"):
        Plan("lstm", (4,), n_outputs=3, **given)


def test_calls_that_do_not_read_them_are_refused():
    network = plain_case()
    labels = np.zeros(5, np.intp)
    workspace = network.plan.workspace(Options(), network.limits)
    with pytest.raises(ValueError, match="reads no characters"):
        network.engine.likelihood(
            network.plan, Options(), network.limits, workspace, network.params, network.data,
            labels, np.arange(2), np.array([0, 2]), None, np.empty(5),
        )  # fmt: skip


def test_parameters_lie_behind_all_others():
    plan = Plan("lstm", (4,), 3, 3, embedding=list(COLUMNS), characters=CHARACTERS, pooling="all")
    plain = Plan("lstm", (4,), 12, 3, pooling="all")
    names = list(plan.parameters)
    first = next(k for k, name in enumerate(names) if name.startswith("characters_"))
    assert all(name.startswith("characters_") for name in names[first:])
    assert plan.n_params == plan.characters.n_params
    parts = sorted((p.start, p.start + p.size) for p in plan.parameters.values())
    assert parts[0][0] == 0 and all(a[1] == b[0] for a, b in pairwise(parts))
    assert plan.parameters["weight_ih_l0"].shape == (16, 5 + 10)
    assert plain.parameters["weight_ih_l0"].shape == (16, 12)
