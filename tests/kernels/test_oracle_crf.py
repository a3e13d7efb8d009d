"""The oracle's CRF against brute force: every path written out and scored by itself."""

from itertools import pairwise, product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracle import Spec, crf_marginals, run, viterbi, weight_shapes
from oracle_heads import crf_log_partition, crf_loss
from test_oracle import LENGTHS, N_FEATURES, check_gradients, make_problem

SIZES = [(T, K) for T in (1, 2, 3, 5) for K in (1, 2, 3, 4)]

each_size = pytest.mark.parametrize(("T", "K"), SIZES)
each_share_forbidden = pytest.mark.parametrize("forbidden", [0.0, 0.4])


# --------------------------------------------------------------------------------------------------
# Brute force
# --------------------------------------------------------------------------------------------------


def draw(T, K, forbidden=0.0, seed=0):
    """Draw logits, start, transitions and end; some but the logits -inf, never on path 0, 0, ..."""
    rng = np.random.default_rng([seed, T, K])
    logits = 2 * rng.standard_normal((T, K))
    scores = [rng.standard_normal(shape) for shape in ((K,), (K, K), (K,))]
    for array in scores:
        kept = array.flat[0]
        array[rng.random(array.shape) < forbidden] = -np.inf
        array.flat[0] = kept
    return logits, *scores


def score(path, logits, start, transitions, end):
    """Add up the scores of one path, term by term."""
    total = start[path[0]] + end[path[-1]]
    for t, tag in enumerate(path):
        total += logits[t, tag]
    for before, after in pairwise(path):
        total += transitions[before, after]
    return total


def every_path(chain):
    """Return all paths (K**T, T), and their scores."""
    T, K = chain[0].shape
    paths = np.array(list(product(range(K), repeat=T)))
    return paths, np.array([score(path, *chain) for path in paths])


def negative_log_likelihood(chain, y, labelled):
    paths, scores = every_path(chain)
    agrees = ((paths == y) | ~labelled).all(axis=1)
    return np.log(np.exp(scores).sum()) - np.log(np.exp(scores[agrees]).sum())


def named(start, transitions, end):
    return {"crf_start": start, "crf_transitions": transitions, "crf_end": end}


# --------------------------------------------------------------------------------------------------
# Partition function, marginals, best path
# --------------------------------------------------------------------------------------------------


@each_share_forbidden
@each_size
def test_partition_function_and_marginals(T, K, forbidden):
    chain = draw(T, K, forbidden)
    paths, scores = every_path(chain)
    p = np.exp(scores) / np.exp(scores).sum()
    log_z, dp, d_start, d_transitions, d_end = crf_log_partition(*chain)
    assert_allclose(log_z, np.log(np.exp(scores).sum()), rtol=1e-13)
    tags = [[p[paths[:, t] == k].sum() for k in range(K)] for t in range(T)]
    assert_allclose(dp, tags, atol=1e-14)
    assert_array_equal(crf_marginals(*chain), dp)
    assert_array_equal(d_start, dp[0])
    assert_array_equal(d_end, dp[-1])
    pairs = np.zeros((K, K))
    for path, probability in zip(paths, p, strict=True):
        for before, after in pairwise(path):
            pairs[before, after] += probability
    assert_allclose(d_transitions, pairs, atol=1e-14)


@each_share_forbidden
@each_size
def test_best_path(T, K, forbidden):
    for seed in range(10):
        chain = draw(T, K, forbidden, seed)
        paths, scores = every_path(chain)
        assert_array_equal(viterbi(*chain), paths[scores.argmax()])


@each_size
def test_of_equals_the_first_from_the_last_step_back(T, K):
    # scores of small integers: read backwards, the best path is the lowest of many equals
    for seed in range(10):
        chain = [np.round(array) for array in draw(T, K, seed=seed)]
        paths, scores = every_path(chain)
        backwards = paths[scores == scores.max()][:, ::-1].tolist()
        assert viterbi(*chain).tolist() == min(backwards)[::-1]


def test_long_sequences():
    # sums over 300 steps, in a wider float than the oracle's own
    chain = draw(300, 5)
    exact = crf_log_partition(*(array.astype(np.longdouble) for array in chain))
    for got, expected in zip(crf_log_partition(*chain), exact, strict=True):
        assert np.abs(got - expected).max() <= 1e-12 * max(1.0, np.abs(expected).max())


def test_nothing_allowed():
    logits, start, transitions, end = draw(3, 2)
    transitions[:] = -np.inf
    for T, beginning in ((3, start), (1, np.full(2, -np.inf))):
        chain = logits[:T], beginning, transitions, end
        assert viterbi(*chain).tolist() == [-1] * T
        assert (crf_marginals(*chain) == np.zeros((T, 2))).all()


@pytest.mark.parametrize("size", [300.0, 1e4])
def test_scores_far_from_zero(size):
    # a constant at every step changes no probability; of 1e4 some 1e-12 is left
    logits, start, transitions, end = draw(6, 3)
    expected = crf_marginals(logits, start, transitions, end)
    for shift in (-size, size):
        got = crf_marginals(logits + shift, start, transitions - shift / 2, end + shift)
        assert_allclose(got, expected, atol=1e-10)


# --------------------------------------------------------------------------------------------------
# Loss
# --------------------------------------------------------------------------------------------------


@each_share_forbidden
@each_size
def test_loss_against_brute_force(T, K, forbidden):
    logits, *scores = draw(T, K, forbidden)
    rng = np.random.default_rng(1)
    for share in (1.0, 0.5, 0.0):
        # under a forbidden path the loss is infinite: take one that is not
        y = viterbi(logits + rng.standard_normal((T, K)), *scores)
        w = rng.uniform(0.5, 2.0, T) * (rng.random(T) < share)
        loss, *_ = crf_loss(logits, y, w, named(*scores))
        w_b = w[w > 0].mean() if w.any() else 0.0
        expected = w_b * negative_log_likelihood((logits, *scores), y, w > 0)
        assert_allclose(loss, expected, rtol=1e-12, atol=1e-13)


def make_crf_problem(spec):
    """Draw a problem with a step of weight 0, one without a label, and all kinds of weights."""
    problem = make_problem(spec)
    assert LENGTHS[0] == 3 and LENGTHS[2] == 2
    problem["targets"][0][1] = -1
    problem["sample_weight"][2][0] = 0.0
    return problem


def test_weighted_loss_by_hand():
    # weights of zero: the logits are the head's bias at every step
    spec = Spec("gru", (2,), pooling="all", loss="crf", n_outputs=3)
    weights = {name: np.zeros(shape) for name, shape in weight_shapes(spec, N_FEATURES).items()}
    _, *scores = draw(1, 3)
    weights |= named(*scores) | {"head_bias": np.array([0.3, -1.0, 0.2])}
    sequences = [np.zeros((T, N_FEATURES)) for T in (3, 1, 2, 2)]
    targets = [[0, -1, 2], [1], [2, 1], [-1, 0]]
    sample_weight = [[1.0, 9.0, 2.0], [0.5], [0.0, 4.0], [7.0, 0.0]]
    result = run(spec, weights, sequences, targets, sample_weight)
    labelled = [([0, 0, 2], [True, False, True]), ([1], [True]), ([0, 1], [False, True])]
    nll = [
        negative_log_likelihood(
            (np.tile(weights["head_bias"], (len(y), 1)), *scores), y, np.array(is_labelled)
        )
        for y, is_labelled in labelled
    ]
    expected = (1.5 * nll[0] + 0.5 * nll[1] + 4.0 * nll[2]) / 6  # labelled steps
    assert_allclose(result.loss, expected, rtol=1e-13)
    # without weights every labelled step counts 1, and so does every sequence that has one
    result = run(spec, weights, sequences[:2], targets[:2])
    assert_allclose(result.loss, (nll[0] + nll[1]) / 3, rtol=1e-13)


@pytest.mark.parametrize("n_outputs", [1, 2, 4])
def test_gradients(n_outputs):
    spec = Spec("rnn", (2,), True, pooling="all", loss="crf", n_outputs=n_outputs, alpha=0.3)
    problem = make_crf_problem(spec)
    check_gradients(spec, problem)
    grads = run(spec, **problem).grads
    assert {"crf_start", "crf_transitions", "crf_end"} <= set(grads)
    if n_outputs > 1:
        assert all(gradient.any() for gradient in grads.values())


def test_gradients_with_forbidden_transitions():
    spec = Spec("rnn", (2,), pooling="all", loss="crf", n_outputs=3)
    problem = make_crf_problem(spec)
    problem["targets"] = [np.array([0, -1, 2]), np.array([2]), np.array([1, 2])]
    problem["weights"]["crf_transitions"][[0, 2], [2, 1]] = -np.inf
    problem["weights"]["crf_start"][1] = problem["weights"]["crf_end"][0] = -np.inf
    check_gradients(spec, problem)


def test_without_scores_it_is_softmax():
    # paths of independent steps: the labels' probability is the product of the softmaxes'
    spec = Spec("rnn", (2,), True, pooling="all", loss="crf", n_outputs=3, alpha=0.3)
    problem = make_crf_problem(spec) | {"sample_weight": None}
    for name in ("crf_start", "crf_transitions", "crf_end"):
        problem["weights"][name][:] = 0.0
    got = run(spec, **problem)
    softmax = Spec("rnn", (2,), True, pooling="all", loss="softmax", n_outputs=3, alpha=0.3)
    plain = {name: w for name, w in problem["weights"].items() if not name.startswith("crf")}
    expected = run(softmax, **problem | {"weights": plain})
    assert_allclose(got.loss, expected.loss, rtol=1e-13)
    for name, gradient in expected.grads.items():
        assert_allclose(got.grads[name], gradient, rtol=1e-11, atol=1e-14, err_msg=name)
