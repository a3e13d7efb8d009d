"""Seq2SeqTranslator(copy_unknown=...): unknown tokens give way to tokens of the source."""

import numpy as np
import pandas as pd
import pytest
from problems import quick
from sklearn.base import clone

from skrnn import Seq2SeqTranslator

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KNOWN, UNKNOWN = "abcd", "efgh"


def pairs(n, seed=0, letters=KNOWN + UNKNOWN):
    rng = np.random.default_rng(seed)
    X = [
        [str(letter) for letter in rng.choice(list(letters), rng.integers(1, 6))] for _ in range(n)
    ]
    return X, [[letter.upper() if letter in KNOWN else "<unk>" for letter in x] for x in X]


X, Y = pairs(600)
NEW = pairs(60, seed=1, letters=KNOWN + UNKNOWN + "xyz")[0]  # of which three are new to the source


def translator(**how):
    return quick(
        Seq2SeqTranslator, hidden_layer_sizes=(32,), learning_rate_init=0.01, max_iter=25,
        learning_rate="linear", **{"copy_unknown": "<unk>", "attention": "additive"} | how,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return translator().fit(X, Y)


def by_hand(model, X, told):
    """Copy by the attention weights along what is told, one source at a time."""
    weights = model.attention_weights(X, told)
    return [
        [x[w[t].argmax()] if token == "<unk>" else token for t, token in enumerate(y)]
        for x, y, w in zip(X, told, weights, strict=True)
    ]


def test_unknown_tokens_pass_through(fitted):
    new, _ = pairs(200, seed=2)
    truth = [[letter.upper() if letter in KNOWN else letter for letter in x] for x in new]
    assert fitted.score(new, truth) > 0.95


@pytest.mark.parametrize("beam_width", [1, 4])
def test_the_largest_attention_weight_decides(fitted, beam_width):
    told = clone(fitted).set_params(copy_unknown=None)
    told.__dict__ |= {**fitted.__dict__, "copy_unknown": None, "beam_width": beam_width}
    model = clone(fitted)
    model.__dict__ |= {**fitted.__dict__, "beam_width": beam_width}
    plain = told.predict(NEW).tolist()
    assert any("<unk>" in y for y in plain)
    assert model.predict(NEW).tolist() == by_hand(told, NEW, plain)
    best = [found[:3] for found in told.predict_n_best(NEW, 3)]
    for n in range(3):
        chosen = [(x, found[n]) for x, found in zip(NEW, best, strict=True) if len(found) > n]
        expected = by_hand(told, [x for x, _ in chosen], [y for _, (y, _) in chosen])
        got = [found[n] for found in model.predict_n_best(NEW, 3) if len(found) > n]
        assert [y for y, _ in got] == expected
        assert [p for _, p in got] == [p for _, (_, p) in chosen]
    for own, weights in zip(plain, model.attention_weights(NEW), strict=True):
        assert len(weights) == len(own) + 1


@pytest.mark.parametrize(
    "form", [np.array, pd.Series, lambda X: pd.Series(X, index=range(9, 9 + len(X))), tuple]
)
def test_forms_of_sources(fitted, form):
    same = [x for x in NEW if len(x) == 5]
    assert fitted.predict(form(same)).tolist() == fitted.predict(same).tolist()


def test_integers():
    sources = [np.array([ord(letter) for letter in x]) for x in X]
    targets = [[ord(token) if len(token) == 1 else 0 for token in y] for y in Y]
    model = translator(copy_unknown=0, embedding_dim=8).fit(sources, targets)
    new, _ = pairs(20, seed=3)
    told = model.predict([np.array([ord(letter) for letter in x]) for x in new])
    assert 0 not in np.concatenate(told)
    assert {type(token) for y in told for token in y} == {int}


def test_what_cannot_be_copied():
    with pytest.raises(ValueError, match=r"it needs tokens in X .*and attention"):
        translator(attention=None).fit(X, Y)
    with pytest.raises(ValueError, match=r"it needs tokens in X .*and attention"):
        translator().fit([np.ones((len(x), 2)) for x in X], Y)
    with pytest.raises(ValueError, match="'<UNK>' is no target token that fit has seen"):
        translator(copy_unknown="<UNK>").fit(X, Y)
    ids = [[ord(letter) for letter in x] for x in X]
    mixed = translator(embedding_dim=8).fit(ids, Y)
    with pytest.raises(ValueError, match=r"sequence \d+ of X has \d+ at step \d.*Write both as"):
        mixed.predict(ids)
