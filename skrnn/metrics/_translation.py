"""BLEU and chrF of predicted sequences, by the package sacrebleu."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from sklearn.metrics import make_scorer

from skrnn._data.label_pairs import read_token_pairs


def bleu_score(y_true, y_pred, *, separator=None, tokenize="13a", lowercase=False, max_order=4):
    """Return BLEU: how many n-grams of the predicted sequences the true ones have.

    It is that of the whole collection [1]_, computed by the package sacrebleu [2]_, which must be
    installed.

    Parameters
    ----------
    y_true, y_pred : collections of token sequences
        True and predicted sequences of any lengths; None, NaN and -1 at their ends are padding.

    separator : str or None, default=None
        None compares the tokens themselves. A str joins them to text, by ' ' for words and '' for
        characters, which sacrebleu splits into words: published figures are such.

    tokenize : str, default='13a'
        How sacrebleu splits text, for a `separator`.

    lowercase : bool, default=False
        Whether capitals count as small letters; tokens that are integers have none.

    max_order : int, default=4
        Longest n-grams.

    Returns
    -------
    float
        From 0 to 100.

    Raises
    ------
    ImportError
        If sacrebleu is not installed.

    ValueError, TypeError
        If the two do not match.

    References
    ----------
    .. [1] Papineni et al. (2002). BLEU: a method for automatic evaluation of machine translation.
    .. [2] Post (2018). A call for clarity in reporting BLEU scores.

    Examples
    --------
    >>> from skrnn.metrics import bleu_score
    >>> y_true = [["the", "cat", "sat", "on", "the", "mat"]]
    >>> bleu_score(y_true, y_true)  # doctest: +SKIP
    100.0
    """
    metrics = _sacrebleu("bleu_score")
    pairs = read_token_pairs(y_true, y_pred)
    if separator is None:
        true, pred = _names(pairs, lowercase)
        tokenize = "none"
    else:
        true, pred = _texts(pairs, separator)
    score = metrics.BLEU(lowercase=lowercase, tokenize=tokenize, max_ngram_order=max_order)
    return float(score.corpus_score(pred, [true]).score)


def chrf_score(
    y_true, y_pred, *, separator=" ", char_order=6, word_order=0, beta=2, lowercase=False
):
    """Return chrF: the F-score of the character n-grams of predicted sequences.

    It is that of the whole collection [1]_, computed by the package sacrebleu, which must be
    installed.

    Parameters
    ----------
    y_true, y_pred : collections of token sequences
        True and predicted sequences of any lengths; None, NaN and -1 at their ends are padding.

    separator : str, default=' '
        What stands between tokens where they are joined to text: ' ' for words, '' for characters.

    char_order : int, default=6
        Longest n-grams of characters.

    word_order : int, default=0
        Longest n-grams of words; 2 is chrF++.

    beta : int, default=2
        How many times more recall counts than precision.

    lowercase : bool, default=False
        Whether capitals count as small letters.

    Returns
    -------
    float
        From 0 to 100.

    Raises
    ------
    ImportError
        If sacrebleu is not installed.

    ValueError, TypeError
        If the two do not match.

    References
    ----------
    .. [1] Popovic (2015). chrF: character n-gram F-score for automatic MT evaluation.

    Examples
    --------
    >>> from skrnn.metrics import chrf_score
    >>> chrf_score([["h", "a", "t"]], [["h", "a", "t"]], separator="")  # doctest: +SKIP
    100.0
    """
    metrics = _sacrebleu("chrf_score")
    true, pred = _texts(read_token_pairs(y_true, y_pred), separator)
    score = metrics.CHRF(
        char_order=char_order, word_order=word_order, beta=beta, lowercase=lowercase
    )
    return float(score.corpus_score(pred, [true]).score)


bleu_scorer = make_scorer(bleu_score)
chrf_scorer = make_scorer(chrf_score)


def _sacrebleu(name):
    try:
        from sacrebleu import metrics
    except ImportError:
        raise ImportError(
            f"{name} needs the package sacrebleu: pip install sacrebleu. token_error_rate and "
            "sequence_error_rate need no other package."
        ) from None
    return metrics


def _names(pairs, lowercase):
    """Return sequences as text with a word per token, whatever characters the tokens have."""
    names: dict = {}

    def text(tokens):
        if lowercase:
            tokens = [t.lower() if isinstance(t, str) else t for t in tokens]
        return " ".join(str(names.setdefault(token, len(names))) for token in tokens)

    return [text(true) for true, _ in pairs], [text(pred) for _, pred in pairs]


def _texts(pairs, separator):
    """Return sequences as text."""
    if not isinstance(separator, str):
        raise TypeError(f"separator must be a string, got {separator!r}.")
    return tuple([separator.join(map(str, side)) for side in sides] for sides in zip(*pairs))
