"""Tokens to columns of ids: the word itself and, for words never seen, its parts."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

UNKNOWN = -1


class TokenColumn(NamedTuple):
    """One column of ids: what of a token it looks at, and how often that must occur."""

    name: str
    view: Callable[[str], str | None]  # None: the token has no such part
    min_freq: int


def token_columns(min_freq=1, lowercase=False, prefixes=(), suffixes=(), shape=False):
    """List the columns: the word, its prefixes, its suffixes, its shape.

    Parameters
    ----------
    min_freq : int
    lowercase : bool
    prefixes, suffixes : iterable of int
        Lengths, in characters.
    shape : bool

    Returns
    -------
    list of TokenColumn
    """
    fold = str.lower if lowercase else str
    columns = [TokenColumn("word", fold, min_freq)]
    columns += [TokenColumn(f"prefix{n}", _Affix(n, fold, 1), min_freq) for n in prefixes]
    columns += [TokenColumn(f"suffix{n}", _Affix(n, fold, -1), min_freq) for n in suffixes]
    if shape:
        columns.append(TokenColumn("shape", word_shape, min_freq))
    return columns


class _Affix(NamedTuple):
    """First or last characters of a token; a shorter token has none, which is told apart."""

    n: int
    fold: Callable[[str], str]
    side: int

    def __call__(self, token):
        if len(token) < self.n:
            return ""
        return self.fold(token[: self.n] if self.side > 0 else token[-self.n :])


def word_shape(token):
    """Write a token's capitals as X, small letters as x and digits as d, runs cut to two.

    Parameters
    ----------
    token : str

    Returns
    -------
    str
        For example 'Xxx' for 'London', 'dd-dd' for '2004-05', 'XX' for 'NATO'.
    """
    kinds: list[str] = []
    for char in token:
        kind = char
        if char.isalpha():
            kind = "X" if char.isupper() else "x"
        elif char.isdigit():
            kind = "d"
        if kinds[-2:] != [kind, kind]:
            kinds.append(kind)
    return "".join(kinds)


class Vocabularies:
    """What each column knows: learnt from tokens, applied to others.

    Parameters
    ----------
    columns : list of TokenColumn

    Attributes
    ----------
    known : list of dict
        For each column, what it knows to its id, ids in sorted order.
    """

    def __init__(self, columns):
        self.columns = columns

    def fit(self, tokens):
        """Learn what occurs at least `min_freq` times.

        Parameters
        ----------
        tokens : iterable of str

        Returns
        -------
        self : Vocabularies
        """
        counts = Counter(tokens)
        self.known = []
        for column in self.columns:
            parts: Counter[str] = Counter()
            for token, n in counts.items():
                parts[column.view(token)] += n
            frequent = sorted(part for part, n in parts.items() if n >= column.min_freq)
            self.known.append({part: i for i, part in enumerate(frequent)})
        return self

    def ids(self, tokens):
        """Look tokens up.

        Parameters
        ----------
        tokens : list of str

        Returns
        -------
        ndarray of shape (n_tokens, n_columns), dtype=int64
            -1 for what a column does not know.
        """
        place: dict[str, int] = {}
        rows = np.fromiter(
            (place.setdefault(token, len(place)) for token in tokens), np.int64, len(tokens)
        )
        distinct = np.empty((len(place), len(self.columns)), np.int64)
        for c, (column, known) in enumerate(zip(self.columns, self.known, strict=True)):
            distinct[:, c] = [known.get(column.view(token), UNKNOWN) for token in place]
        return distinct[rows]
