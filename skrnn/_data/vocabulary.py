"""Tokens to columns of ids: the word itself and, for words never seen, its parts."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

UNKNOWN = -1


PARTS = ("word", "prefix", "suffix", "shape")


@dataclass(frozen=True)
class TokenColumn:
    """One column of ids: what of tokens it looks at, and how often that must occur.

    Attributes
    ----------
    part : {'word', 'prefix', 'suffix', 'shape'}
    length : int
        Characters of prefix or suffix, else 0.
    lowercase : bool
        Whether words, prefixes and suffixes are in lowercase.
    min_freq : int
    """

    part: str
    length: int = 0
    lowercase: bool = False
    min_freq: int = 1

    @property
    def name(self):
        """What users call the column: 'word', 'prefix2', 'suffix3', 'shape'."""
        return f"{self.part}{self.length or ''}"

    def view(self, tokens):
        """Return what the column looks at of each token.

        A token shorter than `length` has no such prefix or suffix, which is told apart from all
        others.
        """
        if self.part == "shape":
            return [_shape(token) for token in tokens]
        fold, n = str.lower if self.lowercase else str, self.length
        if self.part == "word":
            return list(map(fold, tokens))
        cut = slice(n) if self.part == "prefix" else slice(-n, None)
        return [fold(token[cut]) if len(token) >= n else "" for token in tokens]


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
    parts = [("word", 0), *(("prefix", n) for n in prefixes), *(("suffix", n) for n in suffixes)]
    parts += [("shape", 0)] * shape
    return [TokenColumn(part, int(n), bool(lowercase), int(min_freq)) for part, n in parts]


class _Kinds(dict):
    """Table for `str.translate`, filled as characters come: X, x, d, or the character."""

    def __missing__(self, code):
        char = chr(code)
        kind = char
        if char.isalpha():
            kind = "X" if char.isupper() else "x"
        elif char.isdigit():
            kind = "d"
        self[code] = kind
        return kind


_KINDS = _Kinds()
_LONG_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)


def _shape(token):
    """Write capitals as X, small letters as x and digits as d, runs cut to two.

    For example 'Xxx' for 'London', 'dd-dd' for '2004-05', 'XX' for 'NATO'.
    """
    return _LONG_RUN.sub(r"\1\1", token.translate(_KINDS))


@dataclass
class Vocabularies:
    """What each column knows: learned from tokens, applied to others.

    Parameters
    ----------
    columns : list of TokenColumn

    Attributes
    ----------
    known : list of dict
        For each column, what it knows to its id, ids in sorted order.

    n_rare : list of int
        For each column, how much occurs less often than `min_freq`.
    """

    columns: list
    known: list | None = None
    n_rare: list | None = None

    def fit(self, tokens, vocabulary=()):
        """Learn what occurs at least `min_freq` times.

        Parameters
        ----------
        tokens : iterable of str
        vocabulary : iterable of str, default=()
            Tokens that are known however often they occur.

        Returns
        -------
        self : Vocabularies
        """
        counts = Counter(tokens)
        self.known, self.n_rare = [], []
        vocabulary = set(vocabulary)
        for column in self.columns:
            parts: Counter[str] = Counter()
            for part, n in zip(column.view(counts), counts.values(), strict=True):
                parts[part] += n
            frequent = {part for part, n in parts.items() if n >= column.min_freq}
            frequent.update(column.view(vocabulary))
            self.n_rare.append(len(parts.keys() - frequent))
            self.known.append({part: i for i, part in enumerate(sorted(frequent))})
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
            try:
                distinct[:, c] = [known.get(part, UNKNOWN) for part in column.view(place)]
            except OverflowError:
                raise ValueError("A vocabulary holds a number that is not an id.") from None
        return distinct[rows]
