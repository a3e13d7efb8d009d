"""Error rates for predicted sequences whose lengths may differ from those of the true ones."""

import numpy as np
from sklearn.metrics import make_scorer

from skrnn._data.label_pairs import read_token_pairs
from skrnn._data.sample_weight import read_weights


def sequence_error_rate(y_true, y_pred, *, sample_weight=None):
    """Return the fraction of sequences that are not predicted exactly.

    In grapheme-to-phoneme conversion, where a sequence is a word, this is the word error rate.

    Parameters
    ----------
    y_true, y_pred : collections of token sequences
        True and predicted sequences of any lengths; None, NaN and -1 at their ends are padding.

    sample_weight : array-like of shape (n_sequences,), default=None
        Non-negative weights.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If the two do not match.

    Examples
    --------
    >>> from skrnn.metrics import sequence_error_rate
    >>> sequence_error_rate([["a", "b"], ["c"]], [["a", "b"], ["c", "c"]])
    0.5
    """
    pairs = read_token_pairs(y_true, y_pred)
    wrong = [true != pred for true, pred in pairs]
    return float(np.average(wrong, weights=_check_weights(sample_weight, len(pairs))))


def token_error_rate(y_true, y_pred, *, sample_weight=None):
    """Return the edit distance to the true sequences per true token.

    The edit distance is the minimum number of insertions, deletions and substitutions of tokens
    that turn the predicted sequence into the true one (Levenshtein 1966). It is summed over all
    sequences and divided by the number of true tokens, so that it may exceed 1. For words this is
    the word error rate of speech recognition, for characters the character error rate.

    Parameters
    ----------
    y_true, y_pred : collections of token sequences
        True and predicted sequences of any lengths; None, NaN and -1 at their ends are padding.

    sample_weight : array-like of shape (n_sequences,), default=None
        Non-negative weights.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If the two do not match, or if there is no true token with a positive weight.

    Examples
    --------
    >>> from skrnn.metrics import token_error_rate
    >>> token_error_rate([["a", "b", "c"], ["c"]], [["a", "c"], ["c"]])
    0.25
    """
    pairs = read_token_pairs(y_true, y_pred)
    weights = _check_weights(sample_weight, len(pairs))
    total = float(np.dot(weights, [len(true) for true, _ in pairs]))
    if not total > 0:
        raise ValueError("No sequence of y_true has both a token and a weight above 0.")
    return float(np.dot(weights, [_edit_distance(true, pred) for true, pred in pairs]) / total)


sequence_error_rate_scorer = make_scorer(sequence_error_rate, greater_is_better=False)
token_error_rate_scorer = make_scorer(token_error_rate, greater_is_better=False)


def _edit_distance(true, pred):
    """Return the minimum number of insertions, deletions and substitutions.

    The table of distances between prefixes has a column per token of `pred`. Neighbors in a column
    differ by at most 1, so that two integers of one bit per row hold it: where the distance rises
    from the row above, and where it falls. One column is computed from the other by a few
    operations on whole integers (Myers 1999, in the form of Hyyrö 2003).
    """
    if not true:
        return len(pred)
    places = {}  # the rows of each token
    for row, token in enumerate(true):
        places[token] = places.get(token, 0) | 1 << row
    every, last = (1 << len(true)) - 1, 1 << (len(true) - 1)
    rises, falls, distance = every, 0, len(true)
    for token in pred:
        equal = places.get(token, 0)
        # Where the distance stays along the diagonal; by that, where it rises and falls along rows.
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        rises_right = falls | (every & ~(diagonal | rises))
        falls_right = rises & diagonal
        distance += bool(rises_right & last) - bool(falls_right & last)
        rises_right = rises_right << 1 | 1
        rises = (falls_right << 1 | ~(diagonal | rises_right)) & every
        falls = rises_right & diagonal & every
    return distance


def _check_weights(sample_weight, n):
    if sample_weight is None:
        return np.ones(n)
    weights = read_weights(sample_weight, n)
    if not weights.sum() > 0:
        raise ValueError("No sequence has a weight above 0.")
    return weights
