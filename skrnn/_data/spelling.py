"""Words as characters: which are known, and each different word as a row of them."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections import Counter

import numpy as np

from skrnn._data.sequences import LONGEST_WORD, lengths_to_offsets

# Of a longer word the beginning and the end are read.
HALF = LONGEST_WORD // 2


def learn_characters(tokens, vocabulary, min_freq):
    """Return the characters that occur at least `min_freq` times, and those of a vocabulary.

    Parameters
    ----------
    tokens : iterable of str, or Counter of str
    vocabulary : iterable of str
    min_freq : int

    Returns
    -------
    dict of str to int
        Ids in sorted order.
    """
    counts: Counter[str] = Counter()
    for token, n in Counter(tokens).items():
        for character in _ends(token):
            counts[character] += n
    known = {character for character, n in counts.items() if n >= min_freq}
    known.update(*map(_ends, vocabulary))
    return {character: i for i, character in enumerate(sorted(known))}


def spell(tokens, known):
    """Return the different words as ids of characters, and which of them stands where.

    Parameters
    ----------
    tokens : list of str
    known : dict of str to int
        From `learn_characters`. What it lacks is the unknown character, ``len(known)``; so is all
        that an empty word has.

    Returns
    -------
    numbers : ndarray of shape (n_tokens,), dtype=int64
        Which word stands in each place.
    offsets : ndarray of shape (n_words + 1,), dtype=int64
        Where the characters of each word start.
    characters : ndarray of shape (n_characters, 1), dtype=int64
    """
    words: dict[str, int] = {}
    numbers = np.fromiter(
        (words.setdefault(token, len(words)) for token in tokens), np.int64, len(tokens)
    )
    unknown = len(known)
    spelled = [[known.get(character, unknown) for character in _ends(word)] for word in words]
    spelled = [ids or [unknown] for ids in spelled]
    offsets = lengths_to_offsets(list(map(len, spelled)))
    flat = (id_ for ids in spelled for id_ in ids)
    return numbers, offsets, np.fromiter(flat, np.int64, offsets[-1])[:, np.newaxis]


def _ends(word):
    """Return a word, of a long one the beginning and the end."""
    return word if len(word) <= LONGEST_WORD else word[:HALF] + word[-HALF:]
