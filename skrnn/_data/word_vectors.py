"""Pretrained word vectors: which rows of an embedding start from one."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class WordVectors(NamedTuple):
    """Where vectors come from, and which of them are wanted.

    Attributes
    ----------
    load : callable
        Given a collection of words, returns a dict of the vectors that there are for them; given
        None, of all.
    all_words : bool
        Whether words that training does not have are wanted.
    """

    load: object
    all_words: bool

    def choose(self, column, forms):
        """Choose the words that get a vector.

        Parameters
        ----------
        column : TokenColumn
            That of words.
        forms : dict of str to list of str
            Words as the column knows them, and how they are written in training, the most frequent
            form first.

        Returns
        -------
        dict of str to ndarray of shape (dim,)
            Words as the column knows them, in sorted order: those of `forms` take the vector of
            their own spelling, else that of their lower-case form, else that of a form that
            occurs; with `all_words` the others that there are follow the same rule.

        Raises
        ------
        ValueError
            If no word has a vector, or vectors are not finite or of unequal lengths.
        """
        spellings = {word: (word, word.lower(), *written) for word, written in forms.items()}
        spellings_read = {spelling for each in spellings.values() for spelling in each}
        found = self.load(None if self.all_words else spellings_read)
        chosen = {}
        for word, each in spellings.items():
            spelling = next((s for s in each if s in found), None)
            if spelling is not None:
                chosen[word] = spelling
        if self.all_words:
            views = dict(zip(found, column.view(found), strict=True))
            for spelling, word in views.items():
                if spelling == word:
                    chosen[word] = spelling
            for spelling, word in views.items():
                chosen.setdefault(word, spelling)
        if not chosen:
            raise ValueError(
                f"embeddings has a vector for none of the {len(forms)} words of X, as "
                f"{min(forms, default='')!r}. Are they of the same language, and spelled alike?"
            )
        return _checked({word: found[spelling] for word, spelling in sorted(chosen.items())})


def _checked(vectors):
    """Return vectors as arrays of one length, of finite numbers."""
    first, dim = None, None
    for word, vector in vectors.items():
        try:
            vector = np.asarray(vector, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"embeddings has no vector of numbers for {word!r}.") from None
        if vector.ndim != 1 or vector.size == 0:
            raise ValueError(
                f"embeddings has an array of shape {vector.shape} for {word!r}, where a vector, of "
                "shape (dim,), is expected."
            )
        if dim is None:
            first, dim = word, len(vector)
        if len(vector) != dim:
            raise ValueError(
                f"embeddings has a vector of {len(vector)} numbers for {word!r}, but one of {dim} "
                f"for {first!r}. All vectors must be equally long."
            )
        if not (np.abs(vector) < np.finfo(np.float32).max).all():
            raise ValueError(
                f"embeddings has a vector for {word!r} that is not finite. Leave it out, so that "
                "the word starts from a random one."
            )
        vectors[word] = vector
    return vectors


def check_source(source):
    """Refuse what holds no word vectors.

    Parameters
    ----------
    source : object
        The `embeddings` of an estimator, not None.

    Raises
    ------
    TypeError
    """
    if isinstance(source, (str, os.PathLike, Mapping)):
        return
    if hasattr(source, "key_to_index") and hasattr(source, "__getitem__"):
        return
    hint = ""
    if hasattr(source, "wv"):
        hint = " Pass its vectors, embeddings=model.wv."
    elif hasattr(source, "columns"):
        hint = " Pass a dict, dict(zip(table.index, table.to_numpy()))."
    raise TypeError(
        f"embeddings is of type {type(source).__name__}, where a dict of words and vectors, "
        "gensim's KeyedVectors or the path of a text file of them is expected." + hint
    )


def take_vectors(source, words):
    """Return the vectors that a dict, or gensim's KeyedVectors, has for words.

    Parameters
    ----------
    source : Mapping, or object with `key_to_index` and `__getitem__`
    words : collection of str, or None
        None for all.

    Returns
    -------
    dict of str to array-like
    """
    keys = source if isinstance(source, Mapping) else source.key_to_index
    if words is None:
        words = keys
        if not all(isinstance(word, str) for word in words):
            wrong = next(word for word in words if not isinstance(word, str))
            raise TypeError(f"embeddings has a vector for {wrong!r}, which is no string.")
    # Vectors of fastText are made of parts: it has them for words that it does not list.
    known = source if hasattr(source, "__contains__") else keys
    return {word: source[word] for word in words if word in known}
