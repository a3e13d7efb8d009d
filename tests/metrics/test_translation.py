"""BLEU and chrF, as the package sacrebleu computes them."""

import sys

import numpy as np
import pytest

from skrnn import Seq2SeqTranslator
from skrnn.metrics import bleu_score, bleu_scorer, chrf_score, chrf_scorer

TRUE = ["The cat sat on the mat .", "It rains , again ."]
PRED = ["The cat sat on a mat .", "it rains again ."]


def split(texts):
    return [text.split() for text in texts]


def test_as_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    rng = np.random.default_rng(0)
    words = ["a", "B", "don't", "1,000", "é", "e\u0301", "\U0001f600", "-", "x.y", "."]
    for _ in range(1000):
        true = [rng.choice(words, rng.integers(1, 15)).tolist() for _ in range(3)]
        pred = [[str(rng.choice(words)) if rng.random() < 0.3 else t for t in s] for s in true]
        pred[0] = pred[0][: int(rng.integers(15))]
        texts = [[" ".join(s) for s in side] for side in (true, pred)]
        ours = bleu_score(true, pred), bleu_score(true, pred, separator=" ")
        assert ours == (
            sacrebleu.corpus_bleu(texts[1], [texts[0]], tokenize="none").score,
            sacrebleu.corpus_bleu(texts[1], [texts[0]]).score,
        )
        assert chrf_score(true, pred) == sacrebleu.corpus_chrf(texts[1], [texts[0]]).score


def test_tokens_of_all_kinds():
    pytest.importorskip("sacrebleu")
    odd = [["a b", " ", "", "a b", "c"], [1, 2, 3, 4, 5]]
    assert bleu_score(odd, odd) == pytest.approx(100)
    assert bleu_score([["a b", "c", "d", "e"]], [["a", "b c", "d", "e"]]) < 100
    assert bleu_score(split(TRUE), split(PRED), lowercase=True) > bleu_score(
        split(TRUE), split(PRED)
    )
    assert chrf_score([list("hat")], [list("hat")], separator="") == 100
    assert chrf_score(split(TRUE), split(PRED)) > 50
    with pytest.raises(TypeError, match="separator must be a string"):
        chrf_score([["a"]], [["a"]], separator=None)
    with pytest.raises(ValueError, match="2 sequences but y_pred has 1"):
        bleu_score([["a"], ["b"]], [["a"]])


def test_scorers():
    pytest.importorskip("sacrebleu")
    X = [list(word) for word in ("abcd", "bacd", "abbd", "badb")] * 5
    y = [[letter.upper() for letter in x] for x in X]
    model = Seq2SeqTranslator((8,), max_iter=3, learning_rate_init=0.02, random_state=0).fit(X, y)
    predicted = model.predict(X)
    assert bleu_scorer(model, X, y) == bleu_score(y, predicted)
    assert chrf_scorer(model, X, y) == chrf_score(y, predicted)


@pytest.mark.parametrize("score", [bleu_score, chrf_score])
def test_what_to_install(score, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match="pip install sacrebleu"):
        score([["a"]], [["a"]])
