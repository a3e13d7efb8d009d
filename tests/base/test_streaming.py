"""Step by step: the same outputs as for whole sequences, from a state that the caller holds."""

import pickle
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

import skrnn
from skrnn import LSTMForecaster, LSTMLanguageModel, LSTMTagger, RNNClassifier, RNNRegressor
from skrnn._network import stepping
from skrnn._network.plan import CELLS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 12, 3))
LABELS = np.arange(9) % 3
QUICK = {"max_iter": 2, "random_state": 0}
NETWORKS = [
    {},
    {"cell": "gru", "hidden_layer_sizes": (7, 20)},
    {"cell": "rnn", "hidden_layer_sizes": (33, 5), "activation": "relu"},
    {"hidden_layer_sizes": (16, 16, 16), "dtype": "float64", "dropout": 0.3},
]
POOLINGS = ["mean", "max", "attention", ("last", "max"), ("last", "mean", "max", "attention")]


def test_every_causal_estimator_and_every_cell_is_here():
    assert {network.get("cell", "lstm") for network in NETWORKS} == set(CELLS)
    causal = {name for name in skrnn.__all__ if hasattr(getattr(skrnn, name), "step")}
    tested = LSTMForecaster, LSTMLanguageModel, LSTMTagger, RNNClassifier, RNNRegressor
    assert causal == {estimator.__name__ for estimator in tested}


def classifier(**params):
    return RNNClassifier(**{"hidden_layer_sizes": (10,)} | QUICK | params).fit(X, LABELS)


@pytest.mark.parametrize("params", NETWORKS, ids=str)
def test_the_same_as_whole_sequences(params):
    model = classifier(**params)
    numbers = RNNRegressor(**{"hidden_layer_sizes": (10,)} | QUICK | params)
    several = numbers.fit(X, X[:, 0]).predict(X)
    labels = [np.arange(12) % 2] * 9
    tagger = LSTMTagger(**{"hidden_layer_sizes": (10,), "bidirectional": False} | QUICK | params)
    each_step = tagger.fit(list(X), labels).predict_proba(list(X))
    states = [estimator.initial_state(9) for estimator in (model, numbers, tagger)]
    for t in range(12):
        results = [
            e.step(X[:, t], s) for e, s in zip((model, numbers, tagger), states, strict=True)
        ]
        outputs, states = zip(*results, strict=True)
        assert_allclose(outputs[2], [p[t] for p in each_step], atol=1e-6)
        assert_allclose(outputs[0], model.predict_proba(X[:, : t + 1]), atol=1e-6)
    assert_allclose(outputs[1], several, atol=1e-5)
    one = RNNRegressor((6,), **QUICK).fit(X, LABELS)
    output, _ = one.step(X[:, 0], one.initial_state(9))
    assert output.shape == (9,)
    assert_allclose(output, one.predict(X[:, :1]), rtol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("hidden", [(7,), (5, 16)])
def test_what_is_pooled_is_carried(pooling, hidden):
    model = classifier(
        hidden_layer_sizes=hidden, pooling=pooling, dtype="float64",
    )  # fmt: skip
    rng = np.random.default_rng(1)
    # Large enough that the steps' weights differ, by up to e^20, and rise and fall.
    model.set_weights({name: w + rng.normal(size=w.shape) for name, w in model.weights_.items()})
    state, out = model.initial_state(9), np.empty((9, 3))
    for t in range(12):
        assert np.isfinite(state).all()
        if t % 3:
            model.step(X[:, t], state, out=(out, state))
        else:
            out, state = model.step(X[:, t], state)
        assert_allclose(out, model.predict_proba(X[:, : t + 1]), atol=1e-12)
    # a step that is refused leaves nothing behind
    wrong = state.copy()
    wrong[3, -1] = np.nan
    with pytest.raises(ValueError, match="sequence 3"):
        model.step(X[:, 0], wrong)
    first = model.predict_proba(X[:, :1])
    assert_allclose(model.step(X[:, 0], model.initial_state(9))[0], first, atol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.step(X[:, 0], state)[0], model.step(X[:, 0], state)[0], atol=0)


@pytest.mark.parametrize("pooling", ["last", ("mean", "max", "attention")])
def test_states_are_plain_arrays(pooling):
    model = classifier(pooling=pooling)
    state = model.initial_state(9)
    kept = state.copy()
    first, after = model.step(X[:, 0], state)
    assert_array_equal(state, kept)  # not changed
    # rows go their own way: split, put in another order, put together
    order = RNG.permutation(9)
    expected, _ = model.step(X[:, 1], after)
    parts = [model.step(X[part, 1], after[part]) for part in (order[:4], order[4:])]
    assert_array_equal(np.concatenate([output for output, _ in parts]), expected[order])
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.step(X[:, 0], state)[0], first)
    many = model.step(np.repeat(X[:, 0], 50, axis=0), np.repeat(state, 50, axis=0))[0]
    assert_array_equal(many, np.repeat(first, 50, axis=0))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_many_sequences_by_several_threads(threads, monkeypatch):
    model, n = classifier(hidden_layer_sizes=(40,)), 3 * stepping.MANY_SEQUENCES + 1
    x = RNG.normal(size=(n, 3)).astype(np.float32)
    given = np.full((n, 3), np.nan, np.float32), np.full_like(model.initial_state(n), np.nan)
    monkeypatch.setattr(stepping, "effective_n_threads", lambda: threads)
    model.step(x, model.initial_state(n), out=given)
    monkeypatch.undo()
    rows = [model.step(x[i : i + 1], model.initial_state()) for i in range(n)]
    for found, expected in zip(given, zip(*rows, strict=True), strict=True):
        assert_array_equal(found, np.concatenate(expected))


def test_in_place():
    model = classifier()
    x = np.ascontiguousarray(X[:, 0], dtype=np.float32)
    expected, after = model.step(x, model.initial_state(9))
    state, output = model.initial_state(9), np.empty((9, 3), np.float32)
    given = model.step(x, state, out=(output, state))
    assert given[0] is output
    assert given[1] is state
    assert_array_equal(output, expected)
    assert_array_equal(state, after)


def test_weights_that_moved_are_seen():
    model = classifier(warm_start=True)
    state = model.initial_state(9)
    before, _ = model.step(X[:, 0], state)
    model.fit(X, LABELS)
    after, _ = model.step(X[:, 0], state)
    assert np.abs(after - before).max() > 1e-4
    assert_allclose(after, model.predict_proba(X[:, :1]), atol=1e-6)
    model.partial_fit(X, LABELS)
    assert_allclose(model.step(X[:, 0], state)[0], model.predict_proba(X[:, :1]), atol=1e-6)
    model.set_weights({name: 0.5 * w for name, w in model.weights_.items()})
    assert_allclose(model.step(X[:, 0], state)[0], model.predict_proba(X[:, :1]), atol=1e-6)


@pytest.mark.parametrize("subwords", [True, False, "chars"])
def test_tokens(subwords):
    words = [["the", "cat", "sat"], ["a", "dog", "sat"], ["the", "dog", "ran"]]
    tagger = LSTMTagger((8,), bidirectional=False, subwords=subwords, min_freq=1, **QUICK)
    tagger.fit(words, [["D", "N", "V"]] * 3)
    expected, state = tagger.predict_proba(words), tagger.initial_state(3)
    for t in range(3):
        output, state = tagger.step([sentence[t] for sentence in words], state)
        assert_allclose(output, [p[t] for p in expected], atol=1e-6)
    ids = RNG.integers(0, 7, size=(9, 5))
    model = RNNClassifier((6,), embedding_dim=4, **QUICK).fit(ids, LABELS)
    state = model.initial_state(9)
    for t in range(5):
        output, state = model.step(ids[:, t], state)
    assert_allclose(output, model.predict_proba(ids), atol=1e-6)
    # an id that fit has not seen is unknown, in whatever form it comes
    for unknown in (np.array([-1, 8]), np.array([[-1], [8]], dtype=np.intp)):
        output, _ = model.step(unknown, model.initial_state(2))
        assert_allclose(output, model.predict_proba([[-1], [8]]), atol=1e-6)


TEXTS = [list(text) for text in ("abcab", "ba", "cabba", "acc", "bcbca", "c", "bb") * 4]


def read_likelihoods(model, texts):
    """Sum the logarithms that steps give to all tokens but the first, and to the end, if any."""
    columns, sums = model.vocabulary_, []
    n_columns = {len(columns) + 1: 0, len(columns) + 2: 1}  # unknown tokens; the end before them
    for text in texts:
        state, total = model.initial_state(), 0.0
        for here, after in zip(text, [*text[1:], None], strict=True):
            output, state = model.step([here], state)
            assert output.sum() == pytest.approx(1, abs=1e-6)
            if after is not None:
                total += np.log(output[0, columns.get(after, -1)])
            elif n_columns[output.shape[1]]:
                total += np.log(output[0, len(columns)])
        sums.append(total)
    return np.array(sums)


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("params", [*NETWORKS, {"tie_embeddings": True}], ids=str)
def test_a_language_model_goes_on(params, document):
    texts = [[letter for text in TEXTS for letter in text]] if document else TEXTS
    params = {"hidden_layer_sizes": (10,), "boundary_tokens": not document} | params
    model = LSTMLanguageModel(**QUICK | params).fit(texts)
    others = [list("ab?a"), list("bcab"), list("cc"), list("a??")]
    # Of the first token there is no step: its probability is what is left of that of one token.
    one = [text[:1] for text in others]
    first = model.score_samples(one) - read_likelihoods(model, one)
    assert_allclose(first + read_likelihoods(model, others), model.score_samples(others), atol=1e-5)
    if not document:  # the start has been read: from there the end is one of what may come
        before = read_likelihoods(model, list("abc?"))
        shares = np.exp(model.score_samples([[t] for t in "abc?"]) - before)
        assert shares.sum() + np.exp(model.score_samples([[]])) == pytest.approx(1, abs=1e-5)


def test_a_language_model_s_own_symbols_are_nobody_s_tokens():
    texts = [RNG.integers(0, 4, n) for n in (5, 8, 3, 7)]
    model = LSTMLanguageModel((6,), **QUICK).fit(texts)
    state = model.initial_state(3)
    output, after = model.step(np.array([[1], [4], [-1]], dtype=np.intp), state)
    assert_array_equal(output[1], output[2])
    boundary, _ = model.step(np.array([[4]], dtype=np.intp), state[:1])  # its id, not a token's
    assert_array_equal(boundary, output[1:2])
    for form in (np.array([1, 5, 9]), np.array([[1], [4], [5]], dtype=np.int32)):
        again = model.step(form, state)
        assert_array_equal(again[0], output)
        assert_array_equal(again[1], after)
    with pytest.raises(NotFittedError):
        LSTMLanguageModel().initial_state()


@pytest.mark.parametrize(
    "params",
    [
        {"cell": "rnn"},
        {},
        {"difference": "season", "season_length": 5, "autoregression": 9},
        {"difference": None, "loss": "gaussian"},
        {"loss": "quantile", "scaling": "none", "autoregression": 4, "cell": "gru"},
    ],
    ids=str,
)
@pytest.mark.parametrize("columns", [1, 3])
def test_a_forecaster_goes_on(params, columns):
    series = [
        np.sin(np.arange(60)[:, None] / 4 + phase) + np.arange(columns) for phase in (0, 2, 5)
    ]
    k = {1: 1, 3: 2}[columns]
    params = {"scaling": "global"} | params  # series scaled by themselves take no single steps
    model = LSTMForecaster(4, 50, n_targets=k, hidden_layer_sizes=(8,), **QUICK, **params)
    model.fit(series)
    state = model.initial_state(3)
    for t in range(20):
        now = np.stack([values[t : t + 5] for values in series])
        x = now if columns > k else now[:, 0]
        if columns > k:
            now[:, 1:, :k] = np.nan
        output, state = model.step(x, state)
        histories = [values[: t + (5 if columns > k else 1)].copy() for values in series]
        if columns > k:
            for history in histories:
                history[t + 1 :, :k] = np.nan
        assert_allclose(output, model.predict(histories), rtol=1e-4, atol=1e-5, err_msg=str(t))
    kept = state.copy()
    late, _ = model.step(x, np.concatenate([state[:1], model.initial_state(2)]))
    assert_array_equal(state, kept)
    assert_allclose(late[0], model.step(x, state)[0][0], rtol=1e-6)


def test_threads_share_a_model():
    model = classifier(hidden_layer_sizes=(40,))
    x = [np.ascontiguousarray(X[i : i + 1], dtype=np.float32) for i in range(8)]
    expected, found = [], {}

    def go_on(i, keep):
        state, outputs = model.initial_state(), []
        for _ in range(30):
            for t in range(12):
                output, state = model.step(x[i][:, t], state)
                outputs.append(output)
        keep(np.array(outputs))

    for i in range(8):
        go_on(i, expected.append)
    workers = [
        threading.Thread(target=go_on, args=(i, lambda value, i=i: found.update({i: value})))
        for i in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i in range(8):
        assert_array_equal(found[i], expected[i])


def test_errors():
    with pytest.raises(NotFittedError):
        RNNClassifier().initial_state()
    for params, match in (({"bidirectional": True}, "Fit one with bidirectional=False"),):
        with pytest.raises(ValueError, match=match):
            classifier(**params).initial_state()
    crf = LSTMTagger((4,), bidirectional=False, crf=True, **QUICK).fit(
        list(X), [LABELS.repeat(2)[:12]] * 9
    )
    with pytest.raises(ValueError, match="crf=False"):
        crf.initial_state()
    own = LSTMForecaster(2, scaling="series", **QUICK).fit(np.arange(50.0))
    with pytest.raises(ValueError, match="scaling='series'"):
        own.initial_state()
    model = classifier()
    for wrong in (-1, 2.5, True, X):
        with pytest.raises(ValueError, match="n_sequences must be an integer"):
            model.initial_state(wrong)
    state = model.initial_state(2)
    with pytest.raises(ValueError, match="h and c, layer after layer, stand side by side"):
        model.step(X[:2, 0], (np.zeros((2, 10)), np.zeros((2, 10))))  # as PyTorch's LSTMCell
    with pytest.raises(ValueError, match="a step of 3 sequences, but state is of 2"):
        model.step(X[:3, 0], state)
    with pytest.raises(ValueError, match="features"):
        model.step(X[:2, 0, :2], state)
    with pytest.raises(ValueError, match=r"Pass \[x\] as the step of a single sequence"):
        model.step(X[0, 0], state[:1])
    for wrong, match in (
        ({"a": 1.0}, r"got dict\. .* pass \[list\(x.values\(\)\)\]"),
        (X[:2, :2], r"x has shape \(2, 2, 3\)"),
        (1.0, "got float"),
        (np.ma.masked_array(X[:2, 0], X[:2, 0] > 0), "masked"),
        ([[1.0], [1.0, 2.0]], "different numbers of features"),
        ([["a", "b", "c"]] * 2, "a number is expected|strings"),
    ):
        with pytest.raises((TypeError, ValueError), match=match):
            model.step(wrong, state)
    forecaster = LSTMForecaster(2, **QUICK).fit(np.arange(50.0))
    with pytest.raises(ValueError, match=r"x has shape \(2, 2\), but state is of 1 series"):
        forecaster.step([[1.0, 2.0], [3.0, 4.0]], forecaster.initial_state())
