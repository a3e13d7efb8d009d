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

    n_vectors : int
        How many words start from a pretrained vector: the first ones of the first column.

    characters : dict of str to int, or None
        Known characters and their ids in sorted order; None where characters are not read.
    """

    columns: list
    known: list | None = None
    n_rare: list | None = None
    n_vectors: int = 0
    characters: dict | None = None

    def fit(self, tokens, vocabulary=(), choose=None):
        """Learn what occurs at least `min_freq` times.

        Parameters
        ----------
        tokens : iterable of str
        vocabulary : iterable of str, default=()
            Tokens that are known however often they occur.
        choose : callable, default=None
            `WordVectors.choose`: which words have a vector. They are known however often they
            occur, and come first.

        Returns
        -------
        dict of str to ndarray of shape (dim,)
            Their vectors, in the order of their ids.
        """
        counts = Counter(tokens)
        self.known, self.n_rare, vectors = [], [], {}
        vocabulary = set(vocabulary)
        for column in self.columns:
            parts: Counter[str] = Counter()
            for part, n in zip(column.view(counts), counts.values(), strict=True):
                parts[part] += n
            frequent = {part for part, n in parts.items() if n >= column.min_freq}
            frequent.update(column.view(vocabulary))
            if choose is not None and not self.known:
                vectors = choose(column, self._spellings(column, counts, vocabulary))
                frequent.update(vectors)
            ordered = sorted(frequent)
            if column is self.columns[0]:
                ordered = [*vectors, *(part for part in ordered if part not in vectors)]
            self.n_rare.append(len(parts.keys() - frequent))
            self.known.append({part: i for i, part in enumerate(ordered)})
        self.n_vectors = len(vectors)
        return vectors

    def grow(self, counts):
        """Learn what occurs often enough by now; ids that are there stay what they are.

        Parameters
        ----------
        counts : dict of str to int
            How often each token has occurred.
        """
        known = [ids.copy() for ids in self.known]
        for c, column in enumerate(self.columns):
            parts: Counter[str] = Counter()
            for part, n in zip(column.view(counts), counts.values(), strict=True):
                parts[part] += n
            new = {part for part, n in parts.items() if n >= column.min_freq} - known[c].keys()
            known[c].update({part: len(known[c]) + i for i, part in enumerate(sorted(new))})
            self.n_rare[c] = len(parts.keys() - known[c].keys())
        self.known = known

    @staticmethod
    def _spellings(column, counts, vocabulary):
        """Return the words of a column, and how each is written, the most frequent form first."""
        forms: dict[str, list[str]] = {}
        written = [*(token for token, _ in counts.most_common()), *sorted(vocabulary)]
        for token, word in zip(written, column.view(written), strict=True):
            forms.setdefault(word, []).append(token)
        return forms

    def ids(self, tokens):
        """Look tokens up.

        Parameters
        ----------
        tokens : list of str

        Returns
        -------
        ndarray of shape (n_tokens, n_columns), dtype=int64
            -1 for what a column does not know. A word that is not known as it is written is known
            by its lower-case form, if that has a pretrained vector.
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
        if self.n_vectors:
            known = self.known[0]
            for row, token in enumerate(place):
                if distinct[row, 0] == UNKNOWN:
                    lower = known.get(token.lower(), UNKNOWN)
                    distinct[row, 0] = lower if lower < self.n_vectors else UNKNOWN
        return distinct[rows]
