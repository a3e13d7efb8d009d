"""Target sequences: validation, labels for the loss, and what the decoder reads."""

from numbers import Integral

import numpy as np

from skrnn._data.labels import as_rows, plain_tokens
from skrnn._data.sequences import lengths_to_offsets

SPARE_TOKENS = 16  # of a prediction, above twice the longest target of such sources in training


def read_targets(y):
    """Validate targets.

    Parameters
    ----------
    y : collection of token sequences
        Of strings, or of integers, none masked: `check_targets` has looked. A sequence may be
        empty. None, NaN and -1 at its end are padding.

    Returns
    -------
    list of list

    Raises
    ------
    TypeError, ValueError
        Naming the sequence and the step.
    """
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise TypeError(
            f"y is of type {type(y).__name__}, where a list of target sequences is expected, each "
            "a list of tokens."
        )
    rows, kind = [], None
    for i, given in enumerate(as_rows(y)):
        if isinstance(given, (str, bytes, dict, set)) or not hasattr(given, "__len__"):
            raise TypeError(
                f"y has {given!r} for sequence {i}, where a list of tokens is expected. Split each "
                "target first: [list(s) for s in y] for characters, [s.split() for s in y] for "
                "words."
            )
        if not isinstance(given, (list, tuple)):
            array = np.asarray(given)
            given = (array[:, 0] if array.shape[1:] == (1,) else array).tolist()
        row = list(given)
        row = plain_tokens(row, i, "y")
        for t, token in enumerate(row):
            found = str if isinstance(token, str) else Integral
            kind = kind or found
            if not isinstance(token, found) or found is not kind:
                raise TypeError(
                    f"sequence {i} of y has {token!r} at step {t}: target tokens are all strings, "
                    "or all integers. Write them all as strings."
                )
        rows.append(row)
    return rows


def target_vocabulary(tokens):
    """Return the number of each token of targets, in their order.

    Parameters
    ----------
    tokens : iterable of (str or int)

    Returns
    -------
    dict of token to int
    """
    vocabulary = {token: k for k, token in enumerate(sorted(set(tokens)))}
    if not vocabulary:
        raise ValueError("Every target is empty: there is nothing to learn.")
    return vocabulary


def target_labels(rows, vocabulary, held=None):
    """Give the numbers of what the decoder is to say: tokens, then the end symbol.

    Parameters
    ----------
    rows : list of list
        From `read_targets`.
    vocabulary : dict
        Token to number.
    held : ndarray of shape (n_sequences,), dtype=bool, default=None
        Targets that are not learned from: a token of theirs that is not known has no label.

    Returns
    -------
    labels : ndarray of shape (target steps,), dtype=intp
        -1 for none.
    offsets : ndarray of shape (n_sequences + 1,), dtype=int64

    Raises
    ------
    ValueError
        For a token that is not known, naming the sequence and the step.
    """
    offsets = lengths_to_offsets(np.array([len(row) + 1 for row in rows], np.int64))
    labels = []
    for i, row in enumerate(rows):
        unknown = -1 if held is not None and held[i] else None
        for t, token in enumerate(row):
            label = vocabulary.get(token, unknown)
            if label is None:
                raise ValueError(
                    f"sequence {i} of y has {token!r} at step {t}, a token the network was not "
                    "started with. Name all tokens in target_tokens in the first call of "
                    "partial_fit, or start anew with fit and warm_start=False."
                )
            labels.append(label)
        labels.append(len(vocabulary))
    try:
        return np.array(labels, dtype=np.intp), offsets
    except OverflowError:
        raise ValueError("target_vocabulary_ holds a number that is not an output.") from None


def decoder_inputs(labels, offsets, n_tokens):
    """Return what the decoder reads: a start symbol, then the target.

    Parameters
    ----------
    labels : ndarray of shape (target steps,), dtype=intp
        What it is to say: of each sequence the tokens, -1 for one it does not know, then the end
        symbol `n_tokens`.
    offsets : ndarray of shape (n_sequences + 1,)
    n_tokens : int
        Target tokens there are; the start symbol has the embedding's row of that number,
        unknown tokens the one behind it.

    Returns
    -------
    ndarray of shape (target steps, 1), dtype=intp
    """
    ids = np.empty((len(labels), 1), np.intp)
    ids[1:, 0] = np.where(labels[:-1] < 0, n_tokens + 1, labels[:-1])
    ids[offsets[:-1], 0] = n_tokens
    return ids


def longest_targets(known, source_lengths, target_lengths):
    """Update the longest target of all sources up to a length.

    Parameters
    ----------
    known : ndarray of shape (n, 2), dtype=int64
        Source lengths, and the longest target of a source that is not longer; both columns rise.
    source_lengths, target_lengths : ndarray of shape (n_sequences,)

    Returns
    -------
    ndarray of shape (n, 2), dtype=int64
        As `known`, with these pairs.
    """
    pairs = np.concatenate([known, np.column_stack([source_lengths, target_lengths])])
    pairs = pairs[np.lexsort((-pairs[:, 1], pairs[:, 0]))].astype(np.int64)
    before = np.maximum.accumulate(np.append(-1, pairs[:-1, 1]))
    return pairs[pairs[:, 1] > before]


def default_max_lengths(longest, source_lengths):
    """Return the maximum number of tokens that is predicted for each source.

    It is twice the longest target of a source that was not longer, and `SPARE_TOKENS`, but not more
    than twice the longest target of all: one long target does not make the predictions for short
    sources as long, which would take its time and memory.

    Parameters
    ----------
    longest : ndarray of shape (n, 2)
        From `longest_targets`.
    source_lengths : ndarray of shape (n_sequences,)

    Returns
    -------
    ndarray of shape (n_sequences,), dtype=intp
    """
    if len(longest) == 0:
        return np.full(len(source_lengths), 2, dtype=np.intp)
    place = np.searchsorted(longest[:, 0], source_lengths, side="right") - 1
    limits = 2 * longest[np.maximum(place, 0), 1] + SPARE_TOKENS
    return np.clip(limits, 1, max(2, 2 * longest[-1, 1])).astype(np.intp)
