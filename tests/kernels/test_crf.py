"""The CRF's kernels: best paths, marginals, loss and gradient, over sizes and scores of all kinds.

The networks here hand their input through, so that a test chooses the logits. What the other losses
are put to as well (every cell, dropout, the order of sequences) is in test_gradients.py.
"""

import pickle
from itertools import product

import numpy as np
import oracle
import pytest
from kernel_tools import Network, assert_same, named_arrays, relative_error, same_bits, variants
from numpy.testing import assert_allclose, assert_array_equal
from tables import each

# One tag, fewer than a vector has lanes, a vector and one more, and more than one block.
TAGS = (1, 2, 3, 17, 33, 70)
LENGTHS = [7, 1, 300, 2, 40, 1, 13]
SHORT = [5, 1, 2, 20, 1, 9]
MARGINALS = {"float64": 1e-12, "float32": 1e-5}
# Counts of up to 300 transitions, which almost cancel.
GRADIENT = {"float64": 1e-11, "float32": 1e-4}

each_variant = pytest.mark.parametrize(("level", "dtype"), variants())
each_size = each(n_tags=TAGS)


# --------------------------------------------------------------------------------------------------
# Problems
# --------------------------------------------------------------------------------------------------


def crf_spec(n_tags):
    """Describe a network whose logits are its input x: relu(x) - relu(-x)."""
    return oracle.Spec(
        "rnn", (2 * n_tags,), activation="relu", pooling="all", loss="crf", n_outputs=n_tags
    )


def make_chains(n_tags, lengths, dtype, *, grid=None, forbidden=0.0, seed=0):
    """Draw logits of each sequence, start, transitions and end.

    Parameters
    ----------
    n_tags : int
    lengths : list of int
    dtype : str
        All numbers are rounded to it.
    grid : float, default=None
        All numbers are multiples of this power of two, whose sums are exact in float32 too.
    forbidden : float, default=0.0
        Share of -inf in start, transitions and end; a sequence of nothing but tag 0 stays allowed.
    seed : int, default=0
    """
    rng = np.random.default_rng([seed, n_tags])

    def draw(*shape):
        values = rng.standard_normal(shape)
        return (values if grid is None else np.round(values / grid) * grid).astype(dtype)

    logits = [draw(T, n_tags) for T in lengths]
    scores = draw(n_tags), draw(n_tags, n_tags), draw(n_tags)
    for array in scores:
        kept = array.flat[0]
        array[rng.random(array.shape) < forbidden] = -np.inf
        array.flat[0] = kept
    return logits, scores


def crf_problem(logits, scores, targets=None, sample_weight=None):
    """Make of logits and scores what `oracle.run` and `Network` take."""
    K = logits[0].shape[1]
    spec, one = crf_spec(K), np.eye(K)
    weights = {name: np.zeros(shape) for name, shape in oracle.weight_shapes(spec, K).items()}
    weights["weight_ih_l0"][:] = np.vstack([one, -one])
    weights["head_weight"][:] = np.hstack([one, -one])
    weights |= dict(zip(("crf_start", "crf_transitions", "crf_end"), scores, strict=True))
    return {
        "weights": weights,
        "sequences": logits,
        "targets": targets,
        "sample_weight": sample_weight,
    }


def make_network(logits, scores, targets=None, sample_weight=None, **how):
    problem = crf_problem(logits, scores, targets, sample_weight)
    return Network(crf_spec(logits[0].shape[1]), **problem, **how)


def stacked(scores):
    return np.vstack(scores)


def draw_labels(logits, *, share=1.0, seed=0):
    """Draw labels, of which a share is not -1, and weights of the steps, one in ten of them 0."""
    rng = np.random.default_rng(seed)
    labels, weights = [], []
    for p in logits:
        T, K = p.shape
        labels.append(np.where(rng.random(T) < share, rng.integers(0, K, T), -1))
        weights.append(rng.uniform(0.5, 2.0, T) * (rng.random(T) > 0.1))
    return labels, weights


ONCE: dict = {}


def once(function, *args, **kwargs):
    """Call the oracle once for all instruction sets, which are given the same numbers."""
    key = function, pickle.dumps((args, kwargs))
    if key not in ONCE:
        ONCE[key] = function(*args, **kwargs)
    return ONCE[key]


def best_paths(logits, scores):
    return np.concatenate([once(oracle.viterbi, p, *scores) for p in logits])


def all_marginals(logits, scores):
    return np.concatenate([once(oracle.crf_marginals, p, *scores) for p in logits])


def assert_agrees(logits, scores, labels, weights, tolerance, **how):
    """Compare loss and every gradient with the oracle's."""
    problem = crf_problem(logits, scores, labels, weights)
    spec = crf_spec(logits[0].shape[1])
    expected = once(oracle.run, spec, **problem)
    got = Network(spec, **problem, **how).run()
    assert np.isfinite(expected.loss)
    assert np.isfinite(got.loss)
    if spec.n_outputs > 1:
        assert_same(got, expected, tolerance)
        return
    # with one tag there is nothing to learn, and rounding is all there is to see
    assert abs(got.loss) <= tolerance
    for name, gradient in got.grads.items():
        assert np.abs(gradient).max() <= tolerance, name


# --------------------------------------------------------------------------------------------------
# Best paths
# --------------------------------------------------------------------------------------------------


@each_variant
@each_size
def test_best_paths(level, dtype, n_tags):
    # on the grid no sum is rounded, so that float32 cannot prefer another path
    logits, scores = make_chains(n_tags, LENGTHS, dtype, grid=2.0**-8)
    network = make_network(logits, scores, level=level, dtype=dtype)
    assert_array_equal(network.predict(), np.concatenate(logits))
    assert_array_equal(network.decode(), best_paths(logits, scores))


@each_variant
@each_size
def test_of_equals_the_first_from_the_last_step_back(level, dtype, n_tags):
    logits, scores = make_chains(n_tags, LENGTHS, dtype, grid=1.0)
    network = make_network(logits, scores, level=level, dtype=dtype)
    assert_array_equal(network.decode(), best_paths(logits, scores))


@each_variant
@each(n_tags=(1, 2, 3))
def test_brute_force(level, dtype, n_tags):
    # every path written out: the best of them, and the share of those with a tag at a step
    lengths = [1, 2, 3, 5, 4]
    logits, (start, transitions, end) = make_chains(n_tags, lengths, dtype)
    network = make_network(logits, (start, transitions, end), level=level, dtype=dtype)
    paths, marginals = [], []
    for p in logits:
        every = np.array(list(product(range(n_tags), repeat=len(p))))
        score = start[every[:, 0]].astype(np.float64) + end[every[:, -1]]
        score += p.astype(np.float64)[np.arange(len(p)), every].sum(axis=1)
        score += transitions.astype(np.float64)[every[:, :-1], every[:, 1:]].sum(axis=1)
        share = np.exp(score) / np.exp(score).sum()
        paths.append(every[score.argmax()])
        marginals.append(
            [[share[every[:, t] == k].sum() for k in range(n_tags)] for t in range(len(p))]
        )
    assert_array_equal(network.decode(), np.concatenate(paths))
    assert_allclose(network.marginals(), np.concatenate(marginals), atol=MARGINALS[dtype])


@each_variant
@each(n_tags=(2, 3, 17, 33, 70))
def test_other_scores_some_of_them_forbidden(level, dtype, n_tags):
    # what a decoder may add to what was learnt: the network's own scores do not count then
    logits, own = make_chains(n_tags, LENGTHS, dtype, grid=2.0**-8)
    _, scores = make_chains(n_tags, [], dtype, grid=2.0**-8, forbidden=0.5, seed=1)
    start, transitions, end = scores
    network = make_network(logits, own, level=level, dtype=dtype)
    path = network.decode(stacked(scores))
    assert_array_equal(path, best_paths(logits, scores))
    for tags in np.split(path, network.offsets[1:-1]):
        assert np.isfinite([start[tags[0]], end[tags[-1]]]).all()
        assert np.isfinite(transitions[tags[:-1], tags[1:]]).all()
    got, expected = network.marginals(stacked(scores)), all_marginals(logits, scores)
    assert_allclose(got, expected, atol=MARGINALS[dtype])
    starts = network.offsets[:-1]
    assert (got[starts][:, np.isinf(start)] == 0).all()
    assert (got[network.offsets[1:] - 1][:, np.isinf(end)] == 0).all()


@each_variant
def test_one_way_through(level, dtype):
    # tag after tag in a circle, whatever the logits say
    K = 17
    logits, scores = make_chains(K, LENGTHS, dtype)
    start, transitions, end = (np.full_like(array, -np.inf) for array in scores)
    start[3] = end[:] = 0
    transitions[np.arange(K), (np.arange(K) + 1) % K] = 0
    network = make_network(logits, scores, level=level, dtype=dtype)
    way = np.concatenate([(3 + np.arange(T)) % K for T in LENGTHS])
    given = stacked((start, transitions, end))
    assert_array_equal(network.decode(given), way)
    assert_allclose(network.marginals(given), np.eye(K)[way], atol=MARGINALS[dtype])


@each_variant
def test_no_way_through(level, dtype):
    # of the sequences only those of one step have a path: -1 for the others, and nothing else
    logits, scores = make_chains(5, SHORT, dtype, grid=2.0**-8)
    scores[1][:] = -np.inf
    network = make_network(logits, scores, level=level, dtype=dtype)
    path = best_paths(logits, scores)
    assert (path == -1).sum() == sum(T for T in SHORT if T > 1)
    assert_array_equal(network.decode(stacked(scores)), path)


# --------------------------------------------------------------------------------------------------
# Marginals
# --------------------------------------------------------------------------------------------------


@each_variant
@each_size
def test_marginals(level, dtype, n_tags):
    logits, scores = make_chains(n_tags, LENGTHS, dtype)
    network = make_network(logits, scores, level=level, dtype=dtype)
    got = network.marginals()
    assert_allclose(got, all_marginals(logits, scores), atol=MARGINALS[dtype])
    assert_allclose(got.sum(axis=1), 1.0, rtol=MARGINALS[dtype])


@each_variant
def test_without_scores_marginals_are_softmax(level, dtype):
    logits, scores = make_chains(17, LENGTHS, dtype)
    network = make_network(logits, scores, level=level, dtype=dtype)
    got = network.marginals(np.zeros((19, 17)))
    assert_allclose(got, network.predict(probabilities=True), atol=MARGINALS[dtype])
    assert_array_equal(network.decode(np.zeros((19, 17))), np.concatenate(logits).argmax(axis=1))


# --------------------------------------------------------------------------------------------------
# Loss and gradient
# --------------------------------------------------------------------------------------------------


@each_variant
@each_size
@each(share=(1.0, 0.6))
def test_loss_and_gradient(level, dtype, n_tags, share):
    logits, scores = make_chains(n_tags, LENGTHS, dtype)
    labels, weights = draw_labels(logits, share=share)
    for given in (weights, None):
        assert_agrees(logits, scores, labels, given, GRADIENT[dtype], level=level, dtype=dtype)


@each_variant
@each(n_tags=(1, 3, 17))
def test_sequences_of_one_step(level, dtype, n_tags):
    # no transition is ever made
    logits, scores = make_chains(n_tags, [1, 1, 1], dtype)
    labels, weights = [np.array([k % n_tags]) for k in range(3)], [np.ones(1)] * 3
    assert_agrees(logits, scores, labels, weights, GRADIENT[dtype], level=level, dtype=dtype)
    network = make_network(logits, scores, labels, weights, level=level, dtype=dtype)
    assert (network.run().grads["crf_transitions"] == 0).all()


@each_variant
@each(n_tags=(3, 17))
def test_loss_with_forbidden_transitions(level, dtype, n_tags):
    logits, scores = make_chains(n_tags, LENGTHS, dtype, forbidden=0.4)
    # labels of an allowed path, and not of the best one
    others, _ = make_chains(n_tags, LENGTHS, dtype, seed=1)
    labels = [oracle.viterbi(p, *scores) for p in others]
    hidden, weights = draw_labels(logits, share=0.7)
    labels = [np.where(h == -1, -1, y) for h, y in zip(hidden, labels, strict=True)]
    assert_agrees(logits, scores, labels, weights, GRADIENT[dtype], level=level, dtype=dtype)
    network = make_network(logits, scores, labels, weights, level=level, dtype=dtype)
    grads = network.run().grads
    for name, array in zip(("crf_start", "crf_transitions", "crf_end"), scores, strict=True):
        assert (grads[name][np.isinf(array)] == 0).all(), name


@each_variant
def test_a_sequence_without_a_label_counts_for_nothing(level, dtype):
    logits, scores = make_chains(5, SHORT, dtype)
    labels, weights = draw_labels(logits)
    labels[0][:] = -1
    weights[3][:] = 0.0
    network = make_network(logits, scores, labels, weights, level=level, dtype=dtype)
    got, n_labelled = network.run(), sum(SHORT[1:])
    assert (got.d_inputs[0] == 0).all()
    assert (got.d_inputs[3] == 0).all()
    kept = [1, 2, 4, 5]
    parts = ([part[i] for i in kept] for part in (logits, labels, weights))
    logits, labels, weights = parts
    alone = make_network(logits, scores, labels, weights, level=level, dtype=dtype).run()
    # what is left out stands among the labelled steps that the loss is a mean over
    share = sum(map(len, labels)) / n_labelled
    assert abs(got.loss - share * alone.loss) <= MARGINALS[dtype]
    for name, gradient in alone.grads.items():
        assert relative_error(got.grads[name], share * gradient) <= MARGINALS[dtype], name


@each_variant
def test_a_batch_without_a_label_is_passed_over(level, dtype):
    logits, scores = make_chains(5, SHORT, dtype)
    labels = [np.full(T, -1) for T in SHORT]
    network = make_network(logits, scores, labels, level=level, dtype=dtype)
    before = network.params.copy()
    optimizer = network.optimizer()
    assert not network.train(np.arange(len(SHORT)), 4, optimizer).any()
    assert optimizer.step == 0
    assert same_bits(network.params, before)


@each_variant
def test_report_of_training(level, dtype):
    # loss, norm of the gradient and labelled steps of a batch
    logits, scores = make_chains(5, SHORT, dtype)
    labels, weights = draw_labels(logits, share=0.7)
    problem = crf_problem(logits, scores, labels, weights)
    expected = oracle.run(crf_spec(5), **problem)
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in expected.grads.values()))
    labelled = sum(np.sum(y != -1) for y in labels)
    network = Network(crf_spec(5), **problem, level=level, dtype=dtype)
    before = network.params.copy()
    report = network.train(np.arange(len(SHORT)), len(SHORT), network.optimizer())
    assert_allclose(report[:, 0], [expected.loss, norm, labelled], rtol=GRADIENT[dtype])
    changed = network.plan.views(network.params != before)
    for name in ("crf_start", "crf_transitions", "crf_end"):
        assert changed[name].all(), name


# --------------------------------------------------------------------------------------------------
# Scores far from zero
# --------------------------------------------------------------------------------------------------

# What is far off, the logits or start, transitions and end, and to which side.
EXTREMES = [
    ("logits", [1]), ("logits", [-1]), ("logits", [-1, 1]),
    ("scores", [-1]), ("scores", [-1, 1]), ("both", [1]), ("both", [-1, 1]),
]  # fmt: skip


def make_extreme(n_tags, dtype, size, where, signs):
    rng = np.random.default_rng([3, n_tags])
    logits, scores = make_chains(n_tags, SHORT, dtype)

    def added(array):
        far = rng.choice(signs, array.shape) * size
        return (array + far).astype(dtype)

    logits = [added(p) if where != "scores" else p for p in logits]
    scores = tuple(added(array) if where != "logits" else array for array in scores)
    return logits, scores


def extreme_tolerance(dtype, size):
    """Bound the error of a probability: that of its logarithm, a difference of a few `size`s."""
    return GRADIENT[dtype] + 64 * size * np.finfo(dtype).eps


@each_variant
@each(n_tags=(3, 17), size=(300.0, 1e4))
@pytest.mark.parametrize(("where", "signs"), EXTREMES)
def test_scores_far_from_zero(level, dtype, n_tags, size, where, signs):
    logits, scores = make_extreme(n_tags, dtype, size, where, signs)
    labels, weights = draw_labels(logits, share=0.8)
    tolerance = extreme_tolerance(dtype, size)
    assert_agrees(logits, scores, labels, weights, tolerance, level=level, dtype=dtype)
    network = make_network(logits, scores, level=level, dtype=dtype)
    assert_allclose(network.marginals(), all_marginals(logits, scores), atol=tolerance)
    if dtype == "float64":
        assert_array_equal(network.decode(), best_paths(logits, scores))


@each_variant
@each(size=(300.0, 1e4))
def test_a_way_that_seems_lost(level, dtype, size):
    # each tag stays as it is but at `size` the step; the last logit alone says which it was
    K, T = 9, 12
    transitions = np.full((K, K), -size)
    np.fill_diagonal(transitions, 0.0)
    logits = np.zeros((T, K))
    logits[0] = -size * np.arange(K)
    logits[-1, K - 1] = 2 * size * K
    logits, scores = [logits.astype(dtype)], [np.zeros(K), transitions, np.zeros(K)]
    scores = [array.astype(dtype) for array in scores]
    network = make_network(logits, scores, level=level, dtype=dtype)
    assert_array_equal(network.decode(), best_paths(logits, scores))
    tolerance = extreme_tolerance(dtype, size)
    assert_allclose(network.marginals(), all_marginals(logits, scores), atol=tolerance)
    labels, weights = [np.full(T, 4)], [np.ones(T)]
    assert_agrees(logits, scores, labels, weights, tolerance, level=level, dtype=dtype)


# --------------------------------------------------------------------------------------------------
# The same bits
# --------------------------------------------------------------------------------------------------


@each_variant
@each(n_tags=(3, 33))
def test_any_number_of_threads(level, dtype, n_tags):
    lengths = LENGTHS * 2
    logits, scores = make_chains(n_tags, lengths, dtype)
    labels, weights = draw_labels(logits, share=0.8)
    found = []
    for threads in (1, 2, 3, 8):
        network = make_network(
            logits, scores, labels, weights, level=level, dtype=dtype, threads=threads
        )
        result = network.run()
        found.append(
            named_arrays(result)
            | {"loss": np.array(result.loss)}
            | {"path": network.decode(), "marginals": network.marginals()}
        )
        report = network.train(np.arange(len(lengths)), 5, network.optimizer())
        found[-1] |= {"report": report, "trained": network.params}
    for threads, arrays in zip((2, 3, 8), found[1:], strict=True):
        for name, array in arrays.items():
            assert same_bits(array, found[0][name]), f"{name} with {threads} threads"


@each_variant
@each_size
def test_alone_and_in_company(level, dtype, n_tags):
    logits, scores = make_chains(n_tags, LENGTHS, dtype)
    network = make_network(logits, scores, level=level, dtype=dtype)
    everyone = np.arange(len(LENGTHS))
    each_alone = [[i] for i in everyone]
    path, marginals = network.decode(batches=each_alone), network.marginals(batches=each_alone)
    assert (path >= 0).all()
    for size in (2, 3, len(LENGTHS)):
        batches = np.split(everyone[::-1], range(size, len(LENGTHS), size))
        assert same_bits(network.decode(batches=batches), path), f"in batches of {size}"
        assert same_bits(network.marginals(batches=batches), marginals), f"in batches of {size}"
