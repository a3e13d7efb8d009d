"""LSTMLanguageModel: probabilities, documents, tied embeddings, drawing sequences."""

import pickle
import tracemalloc
from itertools import product

import numpy as np
import oracle
import pytest
from kernel_tools import (
    CELLS,
    Network,
    assert_same,
    levels,
    make_problem,
    one_level,
    relative_error,
    same_bits,
)
from problems import use_threads
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from tables import each

from skrnn import LSTMLanguageModel
from skrnn._language_model import likelihood, sampling
from skrnn._language_model.likelihood import cut_into_pieces

each_level = pytest.mark.parametrize("level", levels())
LENGTHS = [5, 1, 7, 3]


def learner(hidden=(6,), **how):
    how = {"max_iter": 3, "random_state": 0, "n_iter_no_change": np.inf, "dtype": "float64"} | how
    return LSTMLanguageModel(hidden, learning_rate_init=how.pop("rate", 0.02), **how)


def document_learner(hidden=(6,), **how):
    return learner(hidden, boundary_tokens=False, **how)


def words(n=40, seed=0, letters="abc", longest=6):
    """Draw short sequences of letters, one of them empty."""
    rng = np.random.default_rng(seed)
    lengths = [0, *rng.integers(1, longest + 1, n - 1)]
    return [[letters[k] for k in rng.integers(0, len(letters), length)] for length in lengths]


def long_text(n=400, seed=0, letters="abcd"):
    rng = np.random.default_rng(seed)
    return [letters[k] for k in np.cumsum(rng.integers(1, 3, n)) % len(letters)]


@pytest.fixture(scope="module")
def bounded():
    return learner(max_iter=10).fit(words())


@pytest.fixture(scope="module")
def endless():
    return document_learner(max_iter=10, batch_size=4, bptt_steps=20).fit([long_text()])


# Tied embeddings: the kernels against the oracle and central differences


def tied_problem(cell, alpha=0.3):
    spec = oracle.Spec(cell, (4, 5), pooling="all", n_outputs=9, alpha=alpha)
    problem = make_problem(spec, LENGTHS, 1, embedding=[(9, 5)])
    untied = dict(problem["weights"])
    untied["embedding_weight"] = untied["head_weight"]
    expected = oracle.run(spec, **problem | {"weights": untied})
    expected.grads["head_weight"] += expected.grads.pop("embedding_weight")
    del problem["weights"]["embedding_weight"]
    return spec, problem, expected


@each_level
@each(cell=CELLS, threads=(1, 3))
def test_tied_gradient_against_the_oracle(level, cell, threads):
    spec, problem, expected = tied_problem(cell)
    got = Network(spec, **problem, level=level, tied=True, threads=threads).run()
    assert "embedding_weight" not in got.grads
    assert_same(got, expected, 1e-12)


@pytest.mark.parametrize("level", one_level())
@each(cell=CELLS)
def test_tied_gradient_against_central_differences(level, cell):
    spec, problem, _ = tied_problem(cell)
    for cotangent in ("d_outputs", "d_hn", "d_cn"):
        problem[cotangent] = None
    network = Network(spec, **problem, level=level, tied=True)
    gradient, step = network.run().grads["head_weight"], 1e-6
    head = network.plan.views(network.params)["head_weight"]
    numerical = np.empty_like(head)
    for at in np.ndindex(head.shape):
        kept, losses = head[at], []
        for side in (step, -step):
            head[at] = kept + side
            losses.append(network.inspect_batch()["loss"])
        head[at] = kept
        numerical[at] = (losses[0] - losses[1]) / (2 * step)
    assert relative_error(gradient, numerical) < 1e-7


@each_level
def test_tied_weights_take_one_step_a_batch(level):
    # not one as the head's and another as an embedding's
    spec, problem, _ = tied_problem("lstm")
    for name in ("h0", "c0", "d_outputs", "d_hn", "d_cn"):
        problem[name] = None
    network = Network(spec, **problem, level=level, tied=True)
    gradient, before = network.run().grads["head_weight"], network.params.copy()
    how = {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0, "max_grad_norm": None}
    _, norms, _ = network.train(range(4), 4, network.optimizer(**how))
    moved = network.plan.views(network.params - before)["head_weight"]
    assert relative_error(moved, -0.1 * gradient) < 1e-12
    assert norms[0] == pytest.approx(np.linalg.norm(before - network.params) / 0.1, rel=1e-12)


def test_tied_embedding_is_the_head():
    model = learner((5, 7), tie_embeddings=True).fit(words())
    assert "embedding_weight" not in model.weights_
    assert model.weights_["head_weight"].shape == (5, 7)  # a, b, c, boundary, unknown
    assert model.weights_["weight_ih_l0"].shape == (20, 7)
    again = pickle.loads(pickle.dumps(model))
    assert same_bits(again.score_samples(words()), model.score_samples(words()))


# Probabilities


def sequences_up_to(longest, letters):
    return [list(s) for n in range(longest + 1) for s in product(letters, repeat=n)]


@each(tie=(False, True))
def test_sequences_sum_to_one(tie):
    # "?" stands for all unknown tokens. What is longer than six tokens is not likely here.
    model = learner(tie_embeddings=tie).fit(words(letters="ab", longest=2))
    weights = model.weights_
    weights["head_bias"][2] += 5  # the end
    model.set_weights(weights)
    shares = np.exp(model.score_samples(sequences_up_to(6, "ab?")))
    assert shares.min() > 0
    assert shares.sum() == pytest.approx(1, abs=1e-6)


def test_each_continuation_sums_to_one(bounded):
    # p(w) is p of all sequences that begin with w; what follows w is an end or a token
    for beginning in ("", "a", "cb", "a?b"):
        logs = oracle_logs(bounded, [3, *ids_of(bounded, beginning)])
        assert np.exp(logs[-1]).sum() == pytest.approx(1, abs=1e-12)
        whole = np.exp(bounded.score_samples([list(beginning)])[0])
        steps = [*ids_of(bounded, beginning), 3]
        assert np.log(whole) == pytest.approx(logs[np.arange(len(steps)), steps].sum())


@each(n=(1, 2, 4))
def test_a_document_sums_to_one_for_each_length(endless, n):
    logs = endless.score_samples([list(s) for s in product("abcd?", repeat=n)])
    assert np.exp(logs).sum() == pytest.approx(1, abs=1e-12)


def ids_of(model, tokens):
    unknown = len(model.vocabulary_) + 1
    return [model.vocabulary_.get(token, unknown) for token in tokens]


def oracle_logs(model, ids):
    """Log-probabilities of what comes after each of some symbols, by the oracle."""
    spec = oracle.Spec("lstm", (6,), pooling="all", n_outputs=len(model.weights_["head_bias"]))
    [logits] = oracle.run(spec, model.weights_, [np.array(ids)[:, np.newaxis]]).logits
    return log_softmax(logits, axis=1)


def test_scores_are_the_oracles(bounded):
    X = words(seed=5)
    for tokens, found in zip(X, bounded.score_samples(X), strict=True):
        ids = ids_of(bounded, tokens)
        logs = oracle_logs(bounded, [3, *ids])
        assert found == pytest.approx(logs[np.arange(len(ids) + 1), [*ids, 3]].sum(), rel=1e-9)
    assert bounded.score(X) == pytest.approx(bounded.score_samples(X).mean())
    n_tokens = sum(map(len, X)) + len(X)
    expected = np.exp(-bounded.score_samples(X).sum() / n_tokens)
    assert bounded.perplexity(X) == pytest.approx(expected)


def test_unknown_tokens_have_a_probability_of_their_own():
    X = [list("aab"), list("abz"), list("ba")] * 10
    model = learner(max_iter=30, min_freq=11).fit(X)
    assert set(model.vocabulary_) == {"a", "b"}
    unknown, other, known = model.score_samples([list("abz"), list("ab?"), list("abb")])
    assert unknown == other > known


def test_rare_tokens_share_the_probability_of_the_unknown_one():
    # c and d were rare: p("c") + p("d") is that of UNK, and all sequences sum to one
    X = [list(s) for s in ("ab", "ba", "a", "b", "")] * 8 + [["c"], ["d", "a"]]
    model = learner(max_iter=10, min_freq=5).fit(X)
    weights = model.weights_
    weights["head_bias"][2] += 5  # the end
    model.set_weights(weights)
    shares = np.exp(model.score_samples(sequences_up_to(5, "abcd")))
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    logs = oracle_logs(model, [2])[0]
    expected = [logs[3] - np.log(2), oracle_logs(model, [2, 3])[1][2]]
    assert model.score_samples([["c"]])[0] == pytest.approx(sum(expected))
    assert model.perplexity([["c"]]) == pytest.approx(np.exp(-sum(expected) / 2))
    assert model.perplexity([["c"]], unknown="exclude") == pytest.approx(np.exp(-expected[1]))
    with pytest.raises(ValueError, match="unknown must be 'include' or 'exclude'"):
        model.perplexity([["c"]], unknown="ignore")


@each(document=(False, True))
def test_no_score_rewards_a_vocabulary_without_tokens(document):
    X = [list(s) for s in ("anna", "hanna", "anne", "hannes", "otto")] * 6
    X = [[c for tokens in X for c in tokens]] if document else X
    known, nothing = (
        learner(max_iter=20, min_freq=n, boundary_tokens=not document).fit(X) for n in (1, 1000)
    )
    assert nothing.perplexity(X) > known.perplexity(X)
    assert nothing.score(X) < known.score(X)
    if document:
        with pytest.raises(ValueError, match="of those that fit has seen"):
            nothing.perplexity(X, unknown="exclude")


def test_partial_fit_reads_one_sequence_after_another():
    model = learner((8,))
    for _ in range(60):
        for name in ("anna", "hanna", "anne", "otto"):
            model.partial_fit([list(name)])
    assert max(map(len, model.sample(20, 0, max_length=25))) < 25
    ids = learner().partial_fit([[0, 1, 2]])
    with pytest.raises(ValueError, match=r"X is a document.*Pass \[X\] for a single sequence"):
        ids.partial_fit([0, 1, 2])
    ids = learner().partial_fit([0, 1, 2, 1])
    assert "".join(map(str, ids.partial_fit([[0, 1], [1, 2]]).sample(1, 0, max_length=9)[0]))
    assert len(ids.sample(1, 0, max_length=9)[0]) == 9


@each(bptt_steps=(5, 50, None))
def test_early_stopping_carries_the_state_on(bptt_steps):
    text = long_text(101)  # as many steps before as are held out: the last of three parts is longer
    how = {"early_stopping": True, "batch_size": 3, "bptt_steps": bptt_steps, "max_iter": 1}
    model = document_learner(alpha=0.0, rate=1e-12, **how).fit([text])
    logs = model.score_samples([text[80:], text[80:91]])
    assert model.validation_scores_[0] == pytest.approx((logs[0] - logs[1]) / 10, rel=1e-9)
    for scoring, right in (
        (None, logs[0] - logs[1]),
        (lambda model, X: -model.perplexity(X), -np.exp((logs[1] - logs[0]) / 10)),
        (lambda model, X: model.score([text[:9]]), model.score([text[:9]])),  # another text
    ):
        scored = document_learner(alpha=0.0, rate=1e-12, scoring=scoring, **how).fit([text])
        assert scored.validation_scores_[0] == pytest.approx(right, rel=1e-9)


@each(piece=(1, 3, 100))
def test_scores_do_not_depend_on_pieces(bounded, endless, monkeypatch, piece):
    X = [*words(seed=3, longest=12), []]
    expected = bounded.score_samples(X), endless.score_samples(X)
    monkeypatch.setattr(likelihood, "PIECE_STEPS", piece)
    monkeypatch.setattr(likelihood, "PREDICT_SEQUENCES", 7)
    found = bounded.score_samples(X), endless.score_samples(X)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert endless.score_samples([[], ["a"]])[0] == 0


# Truncated BPTT


def test_pieces():
    offsets, sequence = cut_into_pieces(np.array([0, 5, 5, 7, 10]), 3)
    assert offsets.tolist() == [0, 3, 5, 7, 10]
    assert sequence.tolist() == [0, 0, 1, 2]


def first_loss(X, **how):
    """Return the loss of an epoch whose steps are next to nothing; a second one begins anew."""
    how = {"max_iter": 2, "alpha": 0.0, "rate": 1e-12, "boundary_tokens": len(X) > 1} | how
    model = learner(**how).fit(X)
    assert model.loss_curve_[1] == pytest.approx(model.loss_curve_[0], rel=1e-9)
    return model.loss_curve_[0], model


@each(bptt_steps=(1, 7, 50, None))
def test_the_state_is_carried_along_a_document(bptt_steps):
    # four parts, each from a state of zero on, whatever the pieces
    text = long_text(401)
    loss, model = first_loss([text], batch_size=4, bptt_steps=bptt_steps)
    parts = [text[k * 100 : k * 100 + 101] for k in range(4)]
    first = model._log_frequencies[[model.vocabulary_[part[0]] for part in parts]]
    assert loss == pytest.approx(-(model.score_samples(parts) - first).sum() / 400, rel=1e-9)


@each(bptt_steps=(1, 4, None))
def test_the_state_is_carried_along_sequences(bptt_steps):
    X = words(longest=15)
    loss, model = first_loss(X, batch_size=5, bptt_steps=bptt_steps)
    n_tokens = sum(map(len, X)) + len(X)
    assert loss == pytest.approx(-model.score_samples(X).sum() / n_tokens, rel=1e-9)


def test_a_step_is_taken_for_each_piece():
    model = document_learner(max_iter=1, batch_size=4, bptt_steps=20, warm_start=True)
    model.fit([long_text(401)])
    assert model._optimizer.step == 5
    assert model.t_ == 20


def test_it_learns_what_only_the_state_can_tell():
    # after "b" comes what came six steps before it: pieces of three steps hold no trace of that
    rng = np.random.default_rng(0)
    text = [c for k in rng.integers(0, 2, 600) for c in "xy"[k] + "..b" + "xy"[k]]
    how = {"bptt_steps": 10, "batch_size": 8, "dtype": "float32"}
    model = document_learner((24,), max_iter=40, **how).fit([text])
    prefixes = [list("x..b"), list("y..b")]
    drawn = [model.sample(prefix=prefix, temperature=0, max_length=1)[0] for prefix in prefixes]
    assert ["".join(d) for d in drawn] == ["x..bx", "y..by"]


# Drawing


def without_unknown(model):
    weights = model.weights_
    weights["head_bias"][-1] = -60.0
    return pickle.loads(pickle.dumps(model)).set_weights(weights)


def assert_shares(drawn, expected, n):
    """Compare how often each outcome was drawn with its probability."""
    names = ["".join(tokens) for tokens in drawn]
    for name, share in expected.items():
        found = names.count(name) / n
        assert abs(found - share) < 4.5 * np.sqrt(share * (1 - share) / n) + 1e-9, name


@each(prefix=("", "b"))
def test_sequences_are_drawn_as_often_as_they_are_probable(bounded, prefix):
    model, n = without_unknown(bounded), 20_000
    drawn = model.sample(n, 0, prefix=list(prefix), max_length=30)
    X = [list(prefix) + tokens for tokens in sequences_up_to(2, "abc")]
    shares = np.exp(model.score_samples(X))
    if prefix:  # given that the first token is this one
        logs = oracle_logs(model, [3])
        shares /= np.exp(logs[0, model.vocabulary_[prefix]])
    assert shares.sum() > 0.2
    assert_shares(drawn, dict(zip(map("".join, X), shares, strict=True)), n)


def test_documents_are_drawn_as_often_as_they_are_probable(endless):
    model, n = without_unknown(endless), 20_000
    X = [list(s) for s in product("abcd", repeat=3)]
    shares = np.exp(model.score_samples(X))
    assert shares.sum() == pytest.approx(1, abs=0.02)  # the rest: an unknown first token
    drawn = model.sample(n, 0, max_length=3)
    assert {len(tokens) for tokens in drawn} == {3}
    assert_shares(drawn, dict(zip(map("".join, X), shares / shares.sum(), strict=True)), n)


@each(how=({"temperature": 2.0}, {"temperature": 0.5}, {"top_k": 2}, {"top_k": 3}, {}))
def test_temperature_and_top_k(endless, how):
    n = 20_000
    logits = oracle_logs(endless, [0, 2])[-1][:-1] / how.get("temperature", 1.0)
    kept = np.argsort(-logits)[: how.get("top_k", 4)]
    shares = np.zeros(4)
    shares[kept] = np.exp(logits[kept])
    expected = {"ac" + c: share for c, share in zip("abcd", shares / shares.sum(), strict=True)}
    drawn = endless.sample(n, 1, prefix=list("ac"), max_length=1, **how)
    assert_shares(drawn, expected, n)


@each(top_p=(0.3, 0.7, 0.95), top_k=(None, 3), temperature=(1.0, 2.0))
def test_top_p(endless, top_p, top_k, temperature):
    n = 20_000
    logits = oracle_logs(endless, [0, 2])[-1][:-1] / temperature
    best = np.argsort(-logits)[:top_k]
    shares = np.exp(logits[best]) / np.exp(logits[best]).sum()
    many = 1 + int(np.searchsorted(np.cumsum(shares), top_p))
    kept = dict(zip(best[:many], shares[:many] / shares[:many].sum(), strict=True))
    how = {"top_p": top_p, "top_k": top_k, "temperature": temperature}
    drawn = endless.sample(n, 1, prefix=list("ac"), max_length=1, **how)
    assert_shares(drawn, {"ac" + "abcd"[j]: kept.get(j, 0.0) for j in range(4)}, n)


def test_samples_begin_the_same_whatever_their_length_and_number(bounded, endless):
    for model in (bounded, endless):
        long, short = model.sample(20, 3, max_length=30), model.sample(9, 3, max_length=10)
        assert [tokens[:10] for tokens in long[:9]] == short
    assert len(set(map(tuple, endless.sample(50, 3)))) == 50


def test_top_k_of_many_tokens():
    letters = "abcdefghijklmnopqrstuvwxyz"
    model = document_learner(max_iter=1, batch_size=4, bptt_steps=20)
    model.fit([long_text(letters=letters)])
    best = np.argsort(-oracle_logs(model, [0])[-1][:-1])
    for k in (1, 2, 5, 12, 25):
        drawn = model.sample(3000, 0, prefix=["a"], max_length=1, top_k=k, temperature=50.0)
        assert {tokens[-1] for tokens in drawn} == {letters[j] for j in best[:k]}


def test_temperature_zero_takes_the_most_probable(bounded, endless):
    for model in (bounded, endless):
        start = [3] if model is bounded else []
        tokens = model.sample(temperature=0, prefix=["a"], max_length=25)[0]
        ids, names = [*start, *ids_of(model, "a")], [*sorted(model.vocabulary_), "end"]
        for token in [*tokens[1:], *["end"] * (len(tokens) < 26)]:
            best = oracle_logs(model, ids)[-1][:-1].argmax()
            assert names[best] == token
            ids.append(best)
        how = {"prefix": ["a"], "max_length": 25}
        assert model.sample(3, 5, top_k=1, **how) == [tokens] * 3
        assert model.sample(3, 5, temperature=1e-9, **how) == [tokens] * 3


def test_a_prefix_of_any_length_goes_on_as_without(bounded, monkeypatch):
    monkeypatch.setattr(likelihood, "PIECE_STEPS", 4)
    weights = bounded.weights_
    weights["head_bias"][3] -= 20  # hardly an end
    model = pickle.loads(pickle.dumps(bounded)).set_weights(weights)
    [whole] = model.sample(temperature=0, max_length=20)
    for n in range(20):
        assert model.sample(temperature=0, max_length=20 - n, prefix=whole[:n]) == [whole]


def test_unknown_tokens_are_never_drawn(bounded):
    weights = bounded.weights_
    weights["head_bias"][-1] += 30
    model = pickle.loads(pickle.dumps(bounded)).set_weights(weights)
    for how in ({}, {"top_k": 2}, {"temperature": 0}):
        drawn = model.sample(200, 0, **how)
        assert {c for tokens in drawn for c in tokens} <= set("abc")
        assert drawn == bounded.sample(200, 0, **how)  # which has no share in what is drawn
    assert model.sample(prefix=["?"])[0][0] == "?"  # as it was given


def test_samples_are_the_same_each_time_and_for_any_company(bounded, monkeypatch):
    drawn = bounded.sample(50, 3)
    assert drawn == bounded.sample(50, np.random.RandomState(3)) != bounded.sample(50, 4)
    assert bounded.sample(50, 3, top_k=100) == drawn
    monkeypatch.setattr(sampling, "PREDICT_NUMBERS", 60)  # a few rows per call
    assert bounded.sample(50, 3) == drawn


@each(dtype=("float32", "float64"))
def test_any_number_of_threads(monkeypatch, dtype):
    text, found = long_text(1000), []
    for threads in (1, 2, 3):
        use_threads(monkeypatch, threads)
        how = {"batch_size": 8, "bptt_steps": 30, "dtype": dtype, "dropout": 0.1}
        model = document_learner((128,), max_iter=1, **how)
        model.fit([text])
        scores = model.score_samples([text, text[:300], text[5:]])
        found.append((model._params.tobytes(), scores.tobytes(), model.sample(40, 0, top_k=3)))
    assert found[0] == found[1] == found[2]


# An estimator among others


def test_ids_and_words_are_the_same():
    X = words()
    by_name = learner(embedding_dim=4).fit(X)
    numbers = [np.array(["abc".index(c) for c in tokens], dtype=int) for tokens in X]
    by_id = learner(embedding_dim=4).fit(numbers)
    assert same_bits(by_id.score_samples(numbers), by_name.score_samples(X))
    assert by_id.sample(5, 0) == [["abc".index(c) for c in s] for s in by_name.sample(5, 0)]
    ids = np.array(["abcd".index(c) for c in long_text()])
    one, listed = learner().fit(ids), document_learner().fit([ids])
    assert same_bits(learner().fit(ids.tolist()).score_samples(ids), one.score_samples(ids))
    assert same_bits(one.score_samples(ids), listed.score_samples([ids]))
    assert one.sample(2, 0, max_length=5) == listed.sample(2, 0, max_length=5)


@each(data=("bounded", "endless"))
def test_pickle_and_clone(data, request):
    model = request.getfixturevalue(data)
    again = pickle.loads(pickle.dumps(model))
    assert same_bits(again.score_samples(words()), model.score_samples(words()))
    assert again.sample(3, 0) == model.sample(3, 0)
    new = clone(model)
    assert not hasattr(new, "vocabulary_")
    X = words() if data == "bounded" else [long_text()]
    assert same_bits(new.fit(X).score_samples(words()), model.score_samples(words()))


@pytest.mark.filterwarnings("ignore:Got `batch_size` larger")
@each(X=(words(), [long_text()]))
def test_warm_start_and_partial_fit_go_on(X):
    how = {"batch_size": 4, "bptt_steps": 20, "boundary_tokens": len(X) > 1}
    model = learner(max_iter=2, warm_start=True, **how).fit(X)
    before = model.score(X)
    model.set_params(max_iter=6).fit(X)
    assert model.score(X) > before
    assert len(model.loss_curve_) == 8
    model = learner(**how)
    scores = [model.partial_fit(X).score(X) for _ in range(6)]
    assert scores[-1] > scores[0]
    model.partial_fit([list("ab?"), list("a")])  # of the kind that the first call fixed


@pytest.mark.filterwarnings("ignore:Got `batch_size` larger")
@each(X=(words(60, longest=20), [long_text(900)]), bptt_steps=(6, None))
def test_early_stopping_holds_out_what_training_does_not_see(X, bptt_steps):
    how = {"early_stopping": True, "batch_size": 3, "bptt_steps": bptt_steps, "tol": 0.0}
    how["boundary_tokens"] = len(X) > 1
    model = learner(max_iter=8, **how).fit(X)
    assert len(model.validation_scores_) == 8
    assert model.best_validation_score_ == max(model.validation_scores_) < 0
    assert model.validation_scores_[-1] > model.validation_scores_[0]
    data = model._read_data(X, None, None, reset=True, split_seed=0)
    if len(X) > 1 and bptt_steps:  # all pieces of a sequence are on one side
        assert not set(data.documents[data.held]) & set(data.documents[~data.held])
    held = data.take(data.held).targets.labels
    held = held[held >= 0]  # what only leads to it does not count
    n_labels = np.count_nonzero(data.targets.labels >= 0)
    assert abs(len(held) - 0.1 * n_labels) < 0.1 * n_labels
    if len(X) == 1:  # the end of a document, as much as was asked for
        assert len(held) == round(0.1 * 899)
        assert (held == data.targets.labels[-len(held) :]).all()


def test_grid_search_by_the_default_score():
    grid = {"hidden_layer_sizes": [(2,), (6,)]}
    search = GridSearchCV(learner(), grid, cv=3, error_score="raise")
    search.fit(words())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(words()) == search.best_estimator_.score(words())


def test_sample_weight_is_as_good_as_repetition():
    X = words(20)
    weights = np.array([2.0] * 10 + [1.0] * 10)
    how = {"max_iter": 1, "batch_size": 64, "rate": 0.1, "shuffle": False}
    with pytest.warns(UserWarning, match="clipped"):
        weighted = learner(**how).fit(X, sample_weight=weights)
    with pytest.warns(UserWarning, match="clipped"):
        repeated = learner(**how).fit(X[:10] * 2 + X[10:])
    np.testing.assert_allclose(weighted._params, repeated._params, rtol=1e-7, atol=1e-9)


def test_a_large_vocabulary_in_bounded_memory():
    # all outputs of these 6000 steps would take 1.2 GB
    n = 50_000
    ids = np.random.default_rng(0).integers(0, n, 6_001)
    ids[0] = n - 1
    model = learner((8,), max_iter=1, batch_size=10, bptt_steps=10, dtype="float32")
    model.fit(ids[:400])
    weights = {name: weight.nbytes for name, weight in model.weights_.items()}
    assert len(weights) == 7
    tracemalloc.start()
    assert np.isfinite(model.score([ids]))
    model.sample(500, 0, top_k=40, max_length=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize(
    ("X", "how", "error", "text"),
    [
        (["to be", "or not"], {}, TypeError, r"Split each of them first"),
        ("to be", {}, TypeError, r"Split each of them first"),
        ([["a"]], {"boundary_tokens": False}, ValueError, r"fewer than 2 tokens"),
        ([["a", "b"]], {}, ValueError, r"n_samples=1.*boundary_tokens=False"),
        ([0, 1, 0], {"boundary_tokens": True}, ValueError, r"Pass \[X\]"),
        ([[], []], {}, ValueError, r"nothing to learn from"),
        ([["a", 1], ["b"]], {}, TypeError, r"sequence 0 has 1 at step 1"),
        ([[0.5, 1.0], [1.0]], {}, ValueError, r"sequence 0 has 0.5 at step 0"),
        (np.zeros((2, 3, 2), int), {}, ValueError, r"2 columns of ids"),
        (words(), {"tie_embeddings": True, "embedding_dim": 3}, ValueError, r"embedding_dim=None"),
        (words(), {"bptt_steps": 0}, ValueError, r"bptt_steps"),
        (words(), {"tie_embeddings": "yes"}, ValueError, r"tie_embeddings"),
    ],
)
def test_errors_of_fit(X, how, error, text):
    with pytest.raises(error, match=text):
        learner(**how).fit(X)


def test_errors_of_a_fitted_model(bounded):
    wrong = ({"n_samples": 0}, {"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"max_length": 0})
    for how in wrong:
        with pytest.raises(ValueError, match=next(iter(how))):
            bounded.sample(**how)
    with pytest.raises(TypeError, match="strings"):
        bounded.sample(prefix=[1, 2])
    with pytest.raises(TypeError, match="strings"):
        bounded.score_samples([[1, 2]])
    with pytest.raises(ValueError, match="needs a token"):
        document_learner().fit([long_text()]).perplexity([[], []])
    model = learner(warm_start=True).fit(words())
    with pytest.raises(ValueError, match="tie_embeddings has changed"):
        model.set_params(tie_embeddings=True, embedding_dim=None).fit(words())
