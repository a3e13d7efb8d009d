"""Words as input: what becomes of strings, and which of them start from pretrained vectors."""

from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real

from skrnn._base.sklearn_api import Interval, StrOptions
from skrnn._data.word_vectors import WordVectors, check_source, take_vectors

# Parts of words that stand in for a word never seen; measured in docs/development/performance.md.
PREFIXES, SUFFIXES = (1, 2, 3, 4), (1, 2, 3, 4, 5)
# Width of the embedding of characters, and units per direction of the network that reads them.
CHARACTER_DIM = CHARACTER_UNITS = 32


class TokensMixin:
    """How an estimator reads strings: `min_freq`, `subwords` if it has them, and `embeddings`."""

    # Whether words are read in lower case: where shapes stand beside them, which tell capitals.
    _lowercase = False
    _token_constraints: dict = {
        "subwords": ["boolean", StrOptions({"chars"})],
        "min_freq": [Interval(Integral, 1, None, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
    }
    _embedding_constraints: dict = {
        "embeddings": "no_validation",  # check_source says what is wrong with it
        "freeze_embeddings": ["boolean"],
        "embeddings_vocabulary": [StrOptions({"training", "all"})],
    }
    _reading_parameters: tuple = ("min_freq", "embeddings_vocabulary")

    def _word_columns(self):
        """Return what `fit` makes of strings, as parameters of `token_columns`."""
        subwords = getattr(self, "subwords", False)
        columns = {"min_freq": self.min_freq, "lowercase": bool(subwords) or self._lowercase}
        if subwords:
            columns |= {"prefixes": PREFIXES, "suffixes": SUFFIXES, "shape": True}
        if subwords == "chars":
            columns["characters"] = True
        return columns

    def _character_sizes(self):
        """Return what `subwords="chars"` says of the network: `characters`, a parameter of `Plan`.

        None where the network was started without.
        """
        if not hasattr(self, "vocabulary_"):
            raise ValueError(
                "subwords='chars' reads the characters of words, but X holds "
                f"{'numbers' if self._token_counts is None else 'ids'}. Pass X as lists of "
                "strings, or set subwords to its default."
            )
        known = self._vocabularies.characters
        return None if known is None else (len(known) + 1, CHARACTER_DIM, CHARACTER_UNITS)

    def _word_vectors(self):
        """Return the vectors that words start from, as WordVectors."""
        check_source(self.embeddings)
        load = partial(load_vectors, self.embeddings)
        return WordVectors(load, self.embeddings_vocabulary == "all")

    def _vector_parameters(self, embedding):
        """Return what vectors say of the network: the width of the first embedding, what is frozen.

        Parameters
        ----------
        embedding : list of (rows, width)
            Sizes of the embeddings without vectors.

        Returns
        -------
        dict
            `embedding` and `n_frozen`, as parameters of `Plan`.
        """
        first = self.__dict__.get("_first_vectors")
        goes_on = first is None
        width = self._architecture["embedding"][0][1] if goes_on else first.shape[1]
        given = self.embedding_dim
        width_given = given if given is None or isinstance(given, Integral) else given[0]
        if width_given not in (None, width):
            raise ValueError(
                f"embedding_dim={given!r}, but embeddings has vectors of {width} numbers. Set "
                "embedding_dim=None, or pass vectors of that length."
            )
        (rows, _), *others = embedding
        n_frozen = self._vocabularies.n_vectors if self.freeze_embeddings else 0
        return {"embedding": [(rows, width), *others], "n_frozen": n_frozen}

    @property
    def n_pretrained_words_(self):
        """Number of words that started from a vector of `embeddings`."""
        if not hasattr(self, "_vocabularies"):
            raise AttributeError("n_pretrained_words_ needs a fit to sequences of str.")
        return self._vocabularies.n_vectors


def load_vectors(source, words):
    """Return the vectors that `embeddings` has for words, or for all where `words` is None."""
    if isinstance(source, Mapping) or hasattr(source, "key_to_index"):
        return take_vectors(source, words)
    from skrnn.datasets import read_word_vectors  # not before: with all readers, 10 ms

    return read_word_vectors(source, words)
