"""Tokens as rows of embeddings: what fit learns of strings and of ids, and how both are encoded."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from warnings import warn

import numpy as np

from skrnn._data.fitted_input import set_width
from skrnn._data.sequences import Sequences, locate
from skrnn._data.spelling import learn_characters, spell
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
        With a last column and `spellings` where the vocabularies know characters.
    """
    learned = ()
    if reset:
        learned = tokens if learn_from is None else [tokens[row] for row in learn_from(offsets)]
    learn_tokens(
        estimator, learned, reset=reset, columns=columns, vocabulary=vocabulary, vectors=vectors
    )
    ids = unknown_last(estimator, estimator._vocabularies.ids(tokens))
    characters = estimator._vocabularies.characters
    if characters is None:
        return Sequences(ids, offsets)
    numbers, *spellings = spell(tokens, characters)
    return Sequences(np.column_stack([ids, numbers]), offsets, tuple(spellings))


def learn_tokens(estimator, learned, *, reset, columns, vocabulary, vectors=None):
    """Learn a vocabulary (``reset=True``), or check that tokens named again are in it.

    Parameters
    ----------
    estimator : estimator instance
    learned : list of str, or Counter of str
        Tokens that may be learned.
    reset, columns, vocabulary, vectors
        As in `encode_tokens`.
    """
    vocabulary = [] if vocabulary is None else _as_vocabulary(vocabulary, str)
    if reset:
        if not learned and not vocabulary:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _warn_if_numbers(learned)
        columns = columns() if columns else {}
        reads_characters = columns.pop("characters", False)
        vocabularies = Vocabularies(token_columns(**columns))
        if reads_characters:
            vocabularies.characters = learn_characters(learned, vocabulary, columns["min_freq"])
        chosen = vocabularies.fit(learned, vocabulary, vectors and vectors().choose)
        if vectors is not None:
            estimator._first_vectors = np.array(list(chosen.values()))
        set_width(estimator, 1, vocabularies=vocabularies)
    if vocabulary and not reset:
        known = estimator._vocabularies.ids(vocabulary)[:, 0]
        _check_known([word for word, id_ in zip(vocabulary, known, strict=True) if id_ < 0])


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
    _check_are_ids(values, offsets, 0)
    known = _known_ids(vocabulary, values.shape[1])
    ids = _as_int64(values)
    if reset:
        learned = ids if learn_from is None else ids[learn_from(offsets)]
        if len(learned) == 0 and not known:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _check_ids_are_dense(values, offsets, known)
        counts = learned.max(axis=0, initial=-1) + 1
        estimator._token_counts = np.maximum(counts, max(known, default=-1) + 1)
    else:
        _check_known([id_ for id_ in known if id_ >= estimator._token_counts[0]])
    return Sequences(unknown_last(estimator, ids), offsets)


def encode_id_rows(values, counts):
    """Return ids as rows of embeddings, unknown ones as the last.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_columns)
        Numbers that are ids.
    counts : ndarray of shape (n_columns,)
        How many ids each column knows.

    Returns
    -------
    ndarray of shape (n_steps, n_columns), dtype=int64
    """
    return _unknown_to_last(_as_int64(values), counts)


def count_ids(estimator, n_columns, parts, *, reset, vocabulary):
    """Learn from ids in parts how many there are (``reset=True``), or check a vocabulary.

    Parameters
    ----------
    estimator : estimator instance
        Gets the number of known ids of each column.
    n_columns : int
    parts : iterable of Sequences
    reset, vocabulary
        As in `encode_ids`.
    """
    known = _known_ids(vocabulary, n_columns)
    if not reset:
        _check_known([id_ for id_ in known if id_ >= estimator._token_counts[0]])
        return
    distinct: list[set[int]] = [set() for _ in range(n_columns)]
    first = 0
    for part in parts:
        _check_are_ids(part.values, part.offsets, first)
        first += len(part)
        for column, seen in zip(_as_int64(part.values).T, distinct, strict=True):
            seen.update(np.unique(column).tolist())
    if not any(distinct) and not known:
        raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
    together = np.full((max(map(len, distinct)), n_columns), UNKNOWN)
    for column, seen in enumerate(distinct):
        together[: len(seen), column] = sorted(seen)
    _check_ids_are_dense(together, None, known)
    counts = together.max(axis=0, initial=-1) + 1
    estimator._token_counts = np.maximum(counts, max(known, default=-1) + 1)


def _known_ids(vocabulary, n_columns):
    """Return the ids of a vocabulary as a list."""
    known = [] if vocabulary is None else _as_vocabulary(vocabulary, int)
    if known and n_columns > 1:
        raise ValueError(f"vocabulary is for one column of ids, but X has {n_columns}.")
    return known


def _as_int64(values):
    """Return ids as int64; what lies beyond is larger than any id, and so is LARGEST_ID."""
    ids = np.full(values.shape, LARGEST_ID, np.int64)
    np.copyto(ids, values, where=values < LARGEST_ID, casting="unsafe")
    return ids


def _check_are_ids(values, offsets, first):
    """Refuse numbers that are no ids; the first sequence has the number `first`."""
    wrong = values < UNKNOWN
    if values.dtype.kind == "f":
        wrong |= values != np.floor(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        i, t = locate(offsets, row)
        raise ValueError(
            f"sequence {first + i} has {values[row, column]} at step {t} (column {column}), but a "
            "token id must be an integer >= 0, or -1 for an unknown token. Set embedding_dim=None "
            "to read numbers as features."
        )


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
            who, where = "X", f"(column {column})"
            if offsets is not None:
                i, t = locate(offsets, row)
                who, where = f"sequence {i}", f"at step {t} {where}"
            raise ValueError(
                f"{who} has the token id {ids[row]} {where}, but X has only "
                f"{n_distinct} different ids there, and the embedding has a row for every "
                "id up to the largest. Number the ids from 0 first, with PerStep(OrdinalEncoder("
                "handle_unknown='use_encoded_value', unknown_value=-1)) in a pipeline, or pass the "
                "tokens as strings."
            )


def unknown_last(estimator, ids):
    """Give ids that fit has not seen the last row of their column."""
    return _unknown_to_last(ids, estimator._token_counts)


def _unknown_to_last(ids, counts):
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
