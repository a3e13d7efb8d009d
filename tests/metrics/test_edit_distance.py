"""Error rates of sequences, as the package jiwer computes them."""

import numpy as np
import pytest

from skrnn.metrics import sequence_error_rate, token_error_rate


def plain_distance(true, pred):
    """Fill the table of distances between prefixes, by the definition."""
    table = np.zeros((len(true) + 1, len(pred) + 1), int)
    table[:, 0], table[0] = np.arange(len(true) + 1), np.arange(len(pred) + 1)
    for i, a in enumerate(true, 1):
        for j, b in enumerate(pred, 1):
            steps = table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            table[i, j] = min(steps)
    return table[-1, -1]


def test_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n_tokens = int(rng.integers(1, 7))
        true, pred = (rng.integers(0, n_tokens, rng.integers(0, 12)).tolist() for _ in range(2))
        rate = token_error_rate([true, [0]], [pred, [0]])
        assert rate == plain_distance(true, pred) / (len(true) + 1)


def test_lengths_at_the_borders_of_words():
    for n in (63, 64, 65, 128, 129):
        assert token_error_rate([[0] * n], [[1] * n]) == 1
        assert token_error_rate([[0] * n], [[0] * (n + 5)]) == 5 / n
        assert token_error_rate([list(range(n))], [list(range(1, n))]) == 1 / n


def test_as_jiwer():
    jiwer = pytest.importorskip("jiwer")
    rng = np.random.default_rng(1)
    words = ["a", "b", "ab", "é", "e\u0301", "\U0001f600", "#", "-", "A"]
    for _ in range(1000):
        y_true = [rng.choice(words, rng.integers(1, 20)).tolist() for _ in range(3)]
        y_pred = [rng.choice(words, rng.integers(0, 20)).tolist() for _ in range(3)]
        y_pred[0] = y_true[0][: int(rng.integers(20))]
        expected = jiwer.wer([" ".join(s) for s in y_true], [" ".join(s) for s in y_pred])
        assert token_error_rate(y_true, y_pred) == pytest.approx(expected, abs=1e-12)
        wrong = np.mean([t != p for t, p in zip(y_true, y_pred, strict=True)])
        assert sequence_error_rate(y_true, y_pred) == wrong
