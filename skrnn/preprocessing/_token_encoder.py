"""Encode tokens as columns of integer ids."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import copy
from collections import Counter
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrnn._base.sklearn_api import Interval, _fit_context
from skrnn._data.fitted_input import check_fitted_kind, set_width
from skrnn._data.formats import find_format
from skrnn._data.guards import restore_on_error
from skrnn._data.plain_state import PlainStateMixin
from skrnn._data.readers import read_tokens
from skrnn._data.validation import check_sequences
from skrnn._data.vocabulary import UNKNOWN, TokenColumn, Vocabularies, token_columns
from skrnn.preprocessing._collection import as_collection
from skrnn.preprocessing._output import SequenceTransformerMixin, to_frame


class TokenEncoder(SequenceTransformerMixin, PlainStateMixin, BaseEstimator):
    """Encode tokens as columns of ids: the token, its prefixes and suffixes, and its shape.

    An estimator with ``embedding_dim`` embeds each column and concatenates the embeddings, so that
    a word never seen in training is known by its parts. :class:`~skrnn.LSTMTagger` encodes
    sequences of ``str`` in this way by itself. The transformer has parameters for it, which a grid
    search can reach through a pipeline.

    Parameters
    ----------
    min_freq : int, default=1
        Minimum number of occurrences in `fit`. Tokens, and parts of tokens, that occur less often
        are unknown.

    lowercase : bool, default=True
        Convert tokens, prefixes and suffixes to lowercase.

    prefixes : tuple of int, default=(1, 2, 3, 4)
        Lengths of the prefixes. Each length makes one column, in which all shorter tokens share one
        id.

    suffixes : tuple of int, default=(1, 2, 3, 4, 5)
        Lengths of the suffixes, each of which makes one column in the same way.

    shape : bool, default=True
        Add a column for the shape of the token: capital letters are X, small letters x and digits
        d, and runs are shortened to two characters, so that 'London' becomes 'Xxx'.

    Attributes
    ----------
    vocabulary_ : dict
        Id of each token in the first column; tokens are in lowercase with ``lowercase=True``.

    n_features_in_ : int
        Number of strings per step, which is 1.

    Notes
    -----
    `fit` numbers tokens in sorted order. `partial_fit` lets the vocabulary grow: an id never
    changes, new tokens get the next ids, in sorted order per call, and a token that was rare is
    known as soon as it has occurred `min_freq` times in all calls of `partial_fit`. `transform`
    alone never lets it grow. A network has one row of its embedding per id of its first chunk:
    train it when the encoder has seen all chunks, or freeze the vocabulary by calling `transform`
    alone (:func:`partial_fit_pipeline` refuses ids that came later).

    Examples
    --------
    >>> from skrnn.preprocessing import TokenEncoder
    >>> encoder = TokenEncoder(prefixes=(), suffixes=(2,))
    >>> encoder = encoder.fit([["She", "walked"], ["Ed", "talked"]])
    >>> encoder.get_feature_names_out().tolist()
    ['word', 'suffix2', 'shape']
    >>> encoder.transform([["balked", "Ed"]])[0].tolist()
    [[-1, 0, 2], [0, 0, 0]]
    """

    __module__ = "skrnn.preprocessing"  # the path that files name

    _state_classes = (Vocabularies, TokenColumn)
    _parameter_constraints: dict = {
        "min_freq": [Interval(Integral, 1, None, closed="left")],
        "lowercase": ["boolean"],
        "prefixes": ["array-like"],
        "suffixes": ["array-like"],
        "shape": ["boolean"],
    }

    def __init__(
        self,
        *,
        min_freq=1,
        lowercase=True,
        prefixes=(1, 2, 3, 4),
        suffixes=(1, 2, 3, 4, 5),
        shape=True,
    ):
        self.min_freq = min_freq
        self.lowercase = lowercase
        self.prefixes = prefixes
        self.suffixes = suffixes
        self.shape = shape

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the vocabularies of tokens and of their parts.

        Parameters
        ----------
        X : collection of sequences of str
            Training sequences.

        y : None
            Ignored.

        Returns
        -------
        self : TokenEncoder
            The fitted transformer.

        Raises
        ------
        TypeError
            If X does not hold strings, or a sequence mixes them with other values.
        """
        self._check_lengths()
        names = ("min_freq", "lowercase", "prefixes", "suffixes", "shape")

        def columns():
            return {name: getattr(self, name) for name in names}

        with restore_on_error(self):
            self.__dict__.pop("_frequencies", None)
            check_sequences(self, X, reset=True, min_length=0, columns=columns)
            if not hasattr(self, "vocabulary_"):
                raise TypeError(
                    "TokenEncoder encodes strings, but X holds numbers. Pass sequences of str. "
                    "Token ids need no encoder: set embedding_dim of the estimator."
                )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Let the vocabularies grow by the tokens of further sequences.

        Parameters
        ----------
        X : collection of sequences of str
            Further sequences.

        y : None
            Ignored.

        Returns
        -------
        self : TokenEncoder
            The fitted transformer. Ids that were there before stay what they are.

        Raises
        ------
        TypeError
            As in `fit`.

        ValueError
            If a parameter has changed since the first call.
        """
        first = not hasattr(self, "vocabulary_")
        if first:
            self.fit(X)
        with restore_on_error(self):
            if self._vocabularies.columns != self._columns():
                raise ValueError(
                    "min_freq, lowercase, prefixes, suffixes or shape has changed since the "
                    "vocabularies were started, and ids must stay what they are. Set it back, or "
                    "start anew with fit."
                )
            input_format, X = find_format(X)
            check_fitted_kind(self, input_format, X)
            tokens, _ = read_tokens(X)
            frequencies = Counter(getattr(self, "_frequencies", None) or {})
            frequencies.update(tokens)
            vocabularies = copy.copy(self._vocabularies)
            vocabularies.n_rare = list(vocabularies.n_rare)
            if not first:
                vocabularies.grow(frequencies)
                set_width(self, 1, vocabularies=vocabularies)
            self._frequencies = dict(frequencies)
        return self

    def _columns(self):
        return token_columns(
            self.min_freq, self.lowercase, self.prefixes, self.suffixes, self.shape
        )

    def _check_lengths(self):
        for name in ("prefixes", "suffixes"):
            lengths = getattr(self, name)
            if not all(isinstance(n, Integral) and n > 0 for n in lengths):
                raise ValueError(f"{name}={lengths!r} must hold lengths of 1 character or more.")

    def transform(self, X):
        """Encode tokens as ids.

        Parameters
        ----------
        X : collection of sequences of str
            Sequences to encode.

        Returns
        -------
        list (or object array, or Series, as X is) of ndarray of shape (T_i, n_columns), dtype=int64
            Ids; -1 for tokens and parts that `fit` has not seen often enough. DataFrames if
            `set_output` asks for them.
        """
        check_is_fitted(self)
        sequences = check_sequences(self, X, reset=False, min_length=0)
        ids = np.where(sequences.values == self._token_counts, UNKNOWN, sequences.values)
        if (container := self._container()) != "default":
            ids = to_frame(ids, container, lambda _: list(self.get_feature_names_out()))
        return as_collection(X, sequences.offsets, ids)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
            'word', 'prefix1', ..., 'suffix1', ..., 'shape'.
        """
        check_is_fitted(self)
        names = [column.name for column in self._vocabularies.columns]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
