"""Tokens as rows of embeddings: what fit learns of strings and of ids, and how both are encoded."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from warnings import warn

import numpy as np

from skrnn._data.fitted_input import set_width
from skrnn._data.sequences import Sequences, locate
from skrnn._data.vocabulary import UNKNOWN, Vocabularies, token_columns

NO_NUMBER = ("", "na", "n/a", "nan", "null", "none")  # what files hold where there is no number
LARGEST_ID = 2**53  # all numbers up to it are exact, whatever their type
# Ids may have gaps: any table of so many rows is allowed (vocabularies of language models have up
# to 130,000), and a larger one that has at most so many rows for each id that occurs.
DENSE_IDS = 2**17
ROWS_PER_ID = 64


def encode_tokens(
    estimator, tokens, offsets, *, reset, columns, learn_from, vocabulary, vectors=None
):  # fmt: skip
    """Return strings as rows of their columns' embeddings.

    Parameters
    ----------
    estimator : estimator instance
        Gets (``reset=True``) `vocabulary_`, or has it; with `vectors` also `_first_vectors`, an
        array of shape (n_words, dim), that of the first words of the vocabulary.
    tokens : list of str, of length total_steps
    offsets : ndarray of shape (n_sequences + 1,)
    reset, columns, learn_from, vocabulary, vectors
        As in :func:`skrnn._data.validation.check_sequences`.

    Returns
    -------
    Sequences
    """
    vocabulary = [] if vocabulary is None else _as_vocabulary(vocabulary, str)
    if reset:
        learned = tokens if learn_from is None else [tokens[row] for row in learn_from(offsets)]
        if not learned and not vocabulary:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _warn_if_numbers(learned)
        vocabularies = Vocabularies(token_columns(**(columns() if columns else {})))
        chosen = vocabularies.fit(learned, vocabulary, vectors and vectors().choose)
        if vectors is not None:
            estimator._first_vectors = np.array(list(chosen.values()))
        ids = vocabularies.ids(tokens)
        set_width(estimator, 1, vocabularies=vocabularies)
    else:
        ids = estimator._vocabularies.ids(tokens)
    if vocabulary and not reset:
        known = estimator._vocabularies.ids(vocabulary)[:, 0]
        _check_known([word for word, id_ in zip(vocabulary, known, strict=True) if id_ < 0])
    return Sequences(_unknown_last(estimator, ids), offsets)


def encode_ids(estimator, sequences, *, reset, learn_from, vocabulary):
    """Return token ids as rows of their columns' embeddings, unknown ids included.

    Parameters
    ----------
    estimator : estimator instance
        Gets (``reset=True``) the number of known ids of each column, or has it.
    sequences : Sequences
        The ids.
    reset, learn_from, vocabulary
        As in :func:`skrnn._data.validation.check_sequences`.

    Returns
    -------
    Sequences
    """
    values, offsets = sequences.values, sequences.offsets
    wrong = values < UNKNOWN
    if values.dtype.kind == "f":
        wrong |= values != np.floor(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        i, t = locate(offsets, row)
        raise ValueError(
            f"sequence {i} has {values[row, column]} at step {t} (column {column}), but a token id "
            "must be an integer >= 0, or -1 for an unknown token. Set embedding_dim=None to read "
            "numbers as features."
        )
    known = [] if vocabulary is None else _as_vocabulary(vocabulary, int)
    if known and values.shape[1] > 1:
        raise ValueError(f"vocabulary is for one column of ids, but X has {values.shape[1]}.")
    if reset:
        learned = values if learn_from is None else values[learn_from(offsets)]
        if len(learned) == 0 and not known:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _check_ids_are_dense(values, offsets, known)
    # What lies beyond 64 bits is larger than any id fit has seen, and so is LARGEST_ID.
    ids = np.full(values.shape, LARGEST_ID, np.int64)
    np.copyto(ids, values, where=values < LARGEST_ID, casting="unsafe")
    if reset:
        learned = ids if learn_from is None else ids[learn_from(offsets)]
        counts = learned.max(axis=0, initial=-1) + 1
        estimator._token_counts = np.maximum(counts, max(known, default=-1) + 1)
    else:
        _check_known([id_ for id_ in known if id_ >= estimator._token_counts[0]])
    return Sequences(_unknown_last(estimator, ids), offsets)


def _as_vocabulary(vocabulary, kind):
    """Return the tokens of a vocabulary as a list, all of one kind."""
    if isinstance(vocabulary, str) or not np.iterable(vocabulary):
        raise TypeError(f"vocabulary must be a collection of tokens; got {vocabulary!r}.")
    tokens = np.asarray(vocabulary).tolist() if kind is not str else list(vocabulary)
    for token in tokens:
        if not isinstance(token, kind) or (kind is int and token < 0):
            what = "a string" if kind is str else "an id >= 0"
            raise TypeError(f"vocabulary has {token!r} where {what} is expected, as X has them.")
    return tokens


def _check_known(unknown):
    """Refuse a vocabulary with tokens that the first call did not name."""
    if unknown:
        raise ValueError(
            f"vocabulary has {unknown[0]!r}, which the network was not started with: its embedding "
            "has no row for it. Name all tokens in the first call of partial_fit."
        )


def _check_ids_are_dense(values, offsets, vocabulary):
    """Refuse ids whose embedding would consist of rows that no token has."""
    if max(vocabulary, default=0) >= max(DENSE_IDS, ROWS_PER_ID * len(set(vocabulary))):
        raise ValueError(
            f"vocabulary has the id {max(vocabulary)}, but only {len(set(vocabulary))} different "
            "ids, and the embedding has a row for every id up to the largest. Number the ids from "
            "0 first."
        )
    for column, ids in enumerate(values.T):
        row = int(ids.argmax())
        if ids[row] < DENSE_IDS:
            continue
        n_distinct = len({*np.unique(ids).tolist(), *vocabulary})
        if ids[row] >= ROWS_PER_ID * n_distinct:
            i, t = locate(offsets, row)
            raise ValueError(
                f"sequence {i} has the token id {ids[row]} at step {t} (column {column}), but X "
                f"has only {n_distinct} different ids there, and the embedding has a row for every "
                "id up to the largest. Number the ids from 0 first, with PerStep(OrdinalEncoder("
                "handle_unknown='use_encoded_value', unknown_value=-1)) in a pipeline, or pass the "
                "tokens as strings."
            )


def _unknown_last(estimator, ids):
    """Give ids that fit has not seen the last row of their column."""
    counts = estimator._token_counts
    return np.where((ids < 0) | (ids > counts), counts, ids)


def _warn_if_numbers(tokens):
    """Warn where all tokens are numbers in writing (some may be missing), as csv readers give."""
    found = False
    for token in tokens:
        spelling = token.strip().lower()
        try:
            float(spelling.replace(",", ".", 1))
        except ValueError:
            if spelling not in NO_NUMBER:
                return
        else:
            found |= spelling not in NO_NUMBER
    if found:
        warn(
            "Every string in X is a number in writing, and is read as a token: '1.0' and '1.00' "
            "are as different as 'a' and 'b'. If numbers are meant, convert the sequences first, "
            "for example with [numpy.array(x, dtype=float) for x in X].",
            UserWarning,
            stacklevel=5,
        )
