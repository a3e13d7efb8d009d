"""The CRF of a tagger against python-crfsuite and pytorch-crf, with the same weights."""

import numpy as np
import pytest

from skrnn import LSTMTagger
from skrnn._data.sequences import Sequences, lengths_to_offsets
from skrnn._network.batches import EpochRunner, Targets

N_FEATURES = 4


def tagger_of(state_weights, bias, start, transitions, end):
    """Return a tagger whose scores of labels are a linear function of the steps.

    A relu unit per feature, which is not negative, passes it on; nothing recurs.

    Parameters
    ----------
    state_weights : ndarray of shape (n_labels, N_FEATURES)
    bias, start, end : ndarray of shape (n_labels,)
    transitions : ndarray of shape (n_labels, n_labels)
    """
    n_labels = len(bias)
    X = [np.zeros((n_labels, N_FEATURES))]
    tagger = LSTMTagger(
        N_FEATURES, cell="rnn", activation="relu", bidirectional=False, crf=True, tag_scheme=None,
        dtype="float64", max_iter=1, tol=0,
    ).fit(X, [[f"L{k}" for k in range(n_labels)]])  # fmt: skip
    weights = {name: np.zeros_like(w) for name, w in tagger.weights_.items()}
    weights["weight_ih_l0"] = np.eye(N_FEATURES)
    weights |= {
        "head_weight": state_weights, "head_bias": bias, "crf_start": start,
        "crf_transitions": transitions, "crf_end": end,
    }  # fmt: skip
    return tagger.set_weights(weights)


def log_likelihood(tagger, x, labels):
    """Return the logarithm of the probability of the labels of one sequence."""
    offsets = lengths_to_offsets([len(x)])
    codes = np.searchsorted(tagger.classes_, labels).astype(np.intp)
    runner = EpochRunner(
        tagger._get_plan(), Sequences(x, offsets), Targets(codes, None, None, offsets), 1,
        tagger._params,
    )  # fmt: skip
    return -runner.loss() * len(x)


def random_steps(rng, n):
    """Draw steps, most of whose features are 0, and some large."""
    x = rng.random((n, N_FEATURES)) * (rng.random((n, N_FEATURES)) < 0.6)
    return x * rng.choice([0, 1, 10], (n, 1), p=[0.1, 0.8, 0.1])


def test_as_crfsuite(tmp_path):
    crfsuite = pytest.importorskip("pycrfsuite")
    rng = np.random.default_rng(0)
    labels = [f"L{k}" for k in range(4)]

    def attributes(x):
        return [{f"f{k}": float(value) for k, value in enumerate(row)} for row in x]

    learner = crfsuite.Trainer(algorithm="lbfgs", verbose=False)
    learner.set_params({"c2": 0.1, "max_iterations": 30, "feature.possible_states": True})
    for _ in range(60):
        x = random_steps(rng, 6)
        codes = (x.argmax(axis=1) + np.append(0, x[:-1].argmax(axis=1))) % 4
        learner.append(attributes(x), [labels[k] for k in codes])
    path = str(tmp_path / "model")
    learner.train(path)
    theirs = crfsuite.Tagger()
    theirs.open(path)
    info = theirs.info()
    state, transitions = np.zeros((4, N_FEATURES)), np.zeros((4, 4))
    for (attribute, label), weight in info.state_features.items():
        state[labels.index(label), int(attribute[1:])] = weight
    for (a, b), weight in info.transitions.items():
        transitions[labels.index(a), labels.index(b)] = weight
    assert np.abs(transitions).max() > 0.5
    ours = tagger_of(state, np.zeros(4), np.zeros(4), transitions, np.zeros(4))
    X = [random_steps(rng, n) for n in rng.integers(1, 12, 1000)]
    for x, path_, marginals in zip(X, ours.predict(X), ours.predict_proba(X), strict=True):
        theirs.set(attributes(x))
        drawn = [labels[k] for k in rng.integers(0, 4, len(x))]
        # Their weights are written out with six digits.
        best = [theirs.probability(p) for p in (path_.tolist(), theirs.tag())]
        assert best[0] == pytest.approx(best[1], rel=1e-4)
        found = [[theirs.marginal(label, t) for label in labels] for t in range(len(x))]
        np.testing.assert_allclose(marginals, found, atol=1e-4)
        probability = np.exp(log_likelihood(ours, x, drawn))
        assert probability == pytest.approx(theirs.probability(drawn), rel=1e-3, abs=1e-9)


def test_as_pytorch_crf():
    torch = pytest.importorskip("torch")
    torchcrf = pytest.importorskip("torchcrf")
    rng = np.random.default_rng(1)
    n_labels = 5
    state, bias, start, end = (
        rng.normal(size=shape) for shape in ((n_labels, N_FEATURES), n_labels, n_labels, n_labels)
    )
    transitions = rng.normal(size=(n_labels, n_labels))
    ours = tagger_of(state, bias, start, transitions, end)
    theirs = torchcrf.CRF(n_labels, batch_first=True).double()
    with torch.no_grad():
        for parameter, values in (
            (theirs.start_transitions, start),
            (theirs.end_transitions, end),
            (theirs.transitions, transitions),
        ):
            parameter.copy_(torch.from_numpy(values))
        X = [random_steps(rng, n) for n in rng.integers(1, 12, 1000)]
        for x, path in zip(X, ours.predict(X), strict=True):
            emissions = torch.from_numpy(x @ state.T + bias)[None]
            assert path.tolist() == [f"L{k}" for k in theirs.decode(emissions)[0]]
            drawn = rng.integers(0, n_labels, len(x))
            expected = theirs(emissions, torch.from_numpy(drawn)[None], reduction="sum")
            found = log_likelihood(ours, x, [f"L{k}" for k in drawn])
            assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-9)
