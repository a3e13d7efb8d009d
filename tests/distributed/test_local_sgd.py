"""Training in shards: averages, engines that give the same bits, what is refused."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from skrnn import LSTMLanguageModel, LSTMTagger, RNNClassifier, RNNRegressor, Seq2SeqTranslator
from skrnn.datasets import SequenceStore
from skrnn.distributed import EngineLostError, ExecutorEngine, SerialEngine, fit


def make(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(5, 15, size=n)]
    return X, np.array(["up" if x[:, 0].sum() > 0 else "down" for x in X])


X, y = make()
SHARDS = [(X[:50], y[:50]), (X[50:], y[50:])]
SETTINGS = {"max_iter": 4, "learning_rate_init": 0.01, "batch_size": 8, "random_state": 0}
WORDS = [list("abcab"), list("bca"), list("cc"), list("ab")] * 8


def classifier(**changed):
    return RNNClassifier((12,), **SETTINGS | changed)


def same(a, b):
    return all(np.array_equal(w, b.weights_[name]) for name, w in a.weights_.items())


def test_learns_as_well_as_one_machine():
    model = fit(classifier(max_iter=40), SHARDS, steps=2)
    alone = classifier(max_iter=40).fit(X, y)
    X_test, y_test = make(200, seed=1)
    assert model.score(X_test, y_test) >= alone.score(X_test, y_test) - 0.05 > 0.8
    assert model.n_iter_ == 40 and len(model.loss_curve_) == 40
    assert model.t_ == 40 * len(X)


def test_one_step_of_sgd_is_a_step_along_the_mean_gradient():
    # Shards of four sequences, weights of the mean: the same as one batch of all eight.
    settings = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "max_grad_norm": None}
    settings |= {"dtype": "float64", "max_iter": 1, "shuffle": False}
    start = classifier(**settings, batch_size=4)
    parts = [(X[:4], y[:4]), (X[4:8], y[4:8])]
    model = fit(start, parts, steps=1)
    alone = classifier(**settings, batch_size=8)
    # The start is drawn by one step on the first rows of both shards; do it likewise.
    rows = [0, 1, 4, 5]
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    alone.set_params(random_state=seed, batch_size=4, shuffle=True)
    alone.partial_fit([X[k] for k in rows], y[rows], classes=np.unique(y))
    alone.set_params(batch_size=8, shuffle=False).partial_fit(X[:8], y[:8])
    for name, weight in alone.weights_.items():
        np.testing.assert_allclose(model.weights_[name], weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_engines_give_the_same_bits(momentum):
    serial = fit(classifier(), SHARDS, client=SerialEngine(), steps=2, momentum=momentum)
    with ThreadPoolExecutor(2) as threads:
        assert same(serial, fit(classifier(), SHARDS, client=threads, steps=2, momentum=momentum))


def test_processes_read_shards_themselves():
    shards = [partial(make, 40, seed) for seed in (0, 1)]
    serial = fit(classifier(), shards, steps=2)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert same(serial, fit(classifier(), shards, client=pool, steps=2))


def test_shards_of_a_store_travel_as_their_path(tmp_path):
    X, y = make(80, 0)
    X = [x.astype(np.float32) for x in X]  # as they are in the file
    store = SequenceStore.write(tmp_path / "s", X, y)
    shards = [(store[k::2], store.y[k::2]) for k in (0, 1)]
    assert len(pickle.dumps(shards[0][0])) < 1000
    serial = fit(classifier(), [(X[k::2], y[k::2]) for k in (0, 1)], steps=2)
    with ThreadPoolExecutor(2) as pool:
        assert same(serial, fit(classifier(), shards, client=pool, steps=2))


def test_momentum_changes_what_is_learned():
    assert not same(fit(classifier(), SHARDS), fit(classifier(), SHARDS, momentum=0.5))


def test_data_in_one_piece_are_dealt_out():
    engine = ExecutorEngine(ThreadPoolExecutor(3))
    model = fit(classifier(max_iter=10), X, y, client=engine, steps=1)
    assert model.score(X, y) > 0.8


def test_weights_of_zero_do_not_count():
    wrong = np.where(y == "up", "down", "up")
    parts = [
        (X + X, np.concatenate([y, wrong]), np.repeat([1.0, 0.0], len(X))),
        ([X[0]], y[:1], [1.0]),
    ]
    assert fit(classifier(max_iter=25), parts, steps=2).score(X, y) > 0.85


@pytest.mark.parametrize(
    ("estimator", "targets"),
    [
        (RNNRegressor, [1000.0 * len(w) for w in WORDS]),
        (LSTMTagger, [[c.upper() for c in w] for w in WORDS]),
        (Seq2SeqTranslator, [w[::-1] for w in WORDS]),
        (LSTMLanguageModel, None),
    ],
)
def test_other_estimators_and_tokens_of_all_shards(estimator, targets):
    halves = slice(0, 16), slice(16, None)
    tokens = [*WORDS[:31], ["d"]]  # a token that only the second shard has
    if targets is not None and estimator is not RNNRegressor:
        targets[31] = ["D"]
    shards = [(tokens[h],) if targets is None else (tokens[h], targets[h]) for h in halves]
    model = fit(estimator((8,), **SETTINGS), shards, steps=1)
    assert "d" in model.vocabulary_
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_early_stopping_keeps_the_best_weights():
    X_val, y_val = make(60, seed=2)
    how = {"learning_rate": "constant"}  # so that fewer epochs are the first of more
    model = classifier(max_iter=40, early_stopping=True, n_iter_no_change=3, tol=0.05, **how)
    fit(model, SHARDS, X_val=X_val, y_val=y_val, steps=1)
    assert model.n_iter_ < 40
    best = max(model.validation_scores_)
    assert model.best_validation_score_ == best
    epochs = int(np.argmax(model.validation_scores_)) + 1
    other = fit(classifier(max_iter=epochs, **how), SHARDS, steps=1)
    assert same(model, other)
    model = classifier(max_iter=40, early_stopping=True, n_iter_no_change="auto", tol=10.0)
    fit(model, SHARDS, X_val=X_val, y_val=y_val, steps=1)
    assert model.n_iter_ == 12  # the first, and eleven that are not better by 10


@pytest.mark.parametrize(
    ("changed", "given", "message"),
    [
        ({"early_stopping": True}, {}, "pass X_val and y_val"),
        ({}, {"X_val": X, "y_val": y}, "early_stopping is False"),
        ({"class_weight": "balanced"}, {}, "pass sample_weight"),
        ({"learning_rate": "adaptive"}, {}, "'constant' or 'linear'"),
        ({}, {"steps": 0}, "steps must be"),
        ({}, {"momentum": 1.0}, "momentum must be"),
        ({}, {"sample_weight": np.ones(120)}, "pass weights in each"),
    ],
)
def test_what_cannot_be_trained_is_refused(changed, given, message):
    model = classifier(**changed)
    with pytest.raises(ValueError, match=message):
        fit(model, SHARDS, **given)
    assert not hasattr(model, "weights_")


def test_pipelines_and_strange_clients_are_refused():
    with pytest.raises(TypeError, match="partial_fit"):
        fit(object(), SHARDS)
    with pytest.raises(TypeError, match="client must be"):
        fit(classifier(), SHARDS, client=3)


class Failing(SerialEngine):
    """An engine that is lost after some calls."""

    def __init__(self, after):
        self.left = after

    def _run(self, function, handles, arguments):
        self.left -= 1
        if self.left < 0:
            raise EngineLostError("Gone.")
        return super()._run(function, handles, arguments)


def test_a_lost_engine_leaves_the_last_average():
    model = classifier()
    with pytest.raises(EngineLostError, match="holds the last average, of epoch 3"):
        fit(model, SHARDS, client=Failing(2 + 5), steps=5)  # two rounds per epoch
    assert model.n_iter_ == 2
    assert not same(model, fit(classifier(max_iter=2), SHARDS, steps=5))
    assert model.predict(X[:2]).shape == (2,)
