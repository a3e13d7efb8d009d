"""The only door for user data: every accepted form of ``X`` becomes one container.

Four forms are told apart by :func:`skrnn._data.formats.recognise`; each has one reader here:

``"rows"``
    2-D array-like ``(n_sequences, n_timesteps)``: univariate series, one per row; trailing NaN is
    padding. scikit-learn validates it, so that most texts and checks are scikit-learn's own.
``"cube"``
    3-D array ``(n_sequences, n_timesteps, n_features)``; trailing all-NaN steps are padding.
``"ragged"``
    A collection of ``(T_i, n_features)`` or ``(T_i,)`` sequences of numbers: a list, a 1-D object
    array or Series, or a table of one column, which has a `shape` that scikit-learn asks for.
``"tokens"``
    A collection of sequences of ``str``.

A list of lists of numbers is ambiguous. With equal lengths it is read as scikit-learn reads it,
a 2-D array, so that ``X.tolist()`` means what ``X`` means; with unequal lengths, or where
integers are token ids, it is ragged. Lists of arrays and object arrays are always ragged.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from dataclasses import dataclass
from itertools import chain, pairwise
from warnings import warn

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skrnn._data.fitted_input import (
    check_fitted_kind,
    check_width,
    fitted_on_rows,
    set_width,
    wrong_width,
)
from skrnn._data.formats import align, as_array, recognise, to_numbers, token_row
from skrnn._data.vocabulary import UNKNOWN, Vocabularies, token_columns

NO_NUMBER = ("", "na", "n/a", "nan", "null", "none")  # what files hold where there is no number
LARGEST_ID = 2**53  # all numbers up to it are exact, whatever their type
# Ids may have gaps: any table of so many rows is allowed (vocabularies of language models have up
# to 130,000), and a larger one that has at most so many rows for each id that occurs.
DENSE_IDS = 2**17
ROWS_PER_ID = 64
# Weighted sums of a few thousand such numbers overflow single precision, which ends at 3.4e38.
LARGEST_SINGLE = 1e35


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Sequences of any lengths, end to end in one array.

    ``values`` may share memory with the user's array: it is read, never written.

    Attributes
    ----------
    values : ndarray of shape (total_steps, n_features)
        The steps of all sequences, C-contiguous.

    offsets : ndarray of shape (n_sequences + 1,), dtype=int64
        Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, parts):
        """Join arrays of shape (T_i, n_features), at least one, a sequence each."""
        return cls(np.concatenate(parts), lengths_to_offsets([len(part) for part in parts]))

    def __len__(self):
        return self.offsets.shape[0] - 1

    @property
    def lengths(self):
        """Number of steps of each sequence, ndarray of shape (n_sequences,)."""
        return self.offsets[1:] - self.offsets[:-1]

    def take(self, indices):
        """Return the chosen sequences, in the order asked for.

        Parameters
        ----------
        indices : array-like of int or bool
            Indices, or a mask of shape (n_sequences,).

        Returns
        -------
        sequences : Sequences
            A copy of these sequences.
        """
        rows, offsets = step_rows(self.offsets, indices)
        return Sequences(self.values[rows], offsets)

    def split(self):
        """Return the sequences one by one.

        Returns
        -------
        views : list of ndarray of shape (T_i, n_features)
            Views of ``values``.
        """
        return [self.values[start:stop] for start, stop in pairwise(self.offsets.tolist())]


def step_rows(offsets, indices):
    """Find the steps of chosen sequences.

    Parameters
    ----------
    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences start.

    indices : array-like of int or bool
        Indices, or a mask of shape (n_sequences,).

    Returns
    -------
    rows : ndarray of int
        The row of each of their steps.

    chosen_offsets : ndarray of shape (n_chosen + 1,), dtype=int64
        Where the chosen sequences start among `rows`.
    """
    indices = np.asarray(indices)
    if indices.dtype == bool:
        indices = np.flatnonzero(indices)
    indices = indices.astype(np.intp, copy=False)
    chosen = lengths_to_offsets(np.diff(offsets)[indices])
    # Step s of the result lies in the source at a distance constant within its sequence.
    shift = offsets[:-1][indices] - chosen[:-1]
    return np.repeat(shift, np.diff(chosen)) + np.arange(chosen[-1]), chosen


def lengths_to_offsets(lengths):
    """Return where sequences of these lengths start, and the last one ends; int64."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def check_sequences(
    estimator,
    X,
    *,
    dtype=np.float32,
    reset,
    embed=False,
    allow_nan=False,
    min_length=1,
    columns=None,
    learn_from=None,
    vocabulary=None,
):
    """Validate ``X`` in any accepted form and set, or check, what ``estimator`` knows of it.

    Parameters
    ----------
    estimator : estimator instance
        Gets (``reset=True``) or is checked on ``n_features_in_``, ``feature_names_in_``,
        ``vocabulary_``, ``_step_width`` (features per step) and ``_token_counts`` (None for
        numbers, else the number of known ids in each id column). ``n_features_in_`` is the
        number of features per step, except that for 2-D input of numbers without padding it is
        the number of columns, as scikit-learn demands; with padding, prediction takes any number.

    X : array-like, or collection of sequences
        See the module's description.

    dtype : dtype or tuple of dtypes, default=np.float32
        Type of numeric values. Of a tuple, the type found if it is among them, else the first.

    reset : bool
        True in ``fit``, False in every later call.

    embed : bool, default=False
        Whether integers are token ids. After fit the kind of data fitted decides.

    allow_nan : bool, default=False
        Whether NaN may stand inside a sequence, as it may for a transformer.

    min_length : int, default=1
        Minimum number of steps of a sequence.

    columns : list of TokenColumn, default=None
        What fit makes of strings; of None one column, the tokens as they are.

    learn_from : callable, default=None
        Given the offsets of the sequences, returns the steps whose tokens fit may learn: those of
        sequences that early stopping holds out are not among them. None for all.

    vocabulary : array-like of str or of int, default=None
        Tokens, or ids of one column, that are known from fit on although X may lack them.

    Returns
    -------
    sequences : Sequences
        Numbers as ``dtype``. Tokens as int64 rows of an embedding a column: column ``c`` with
        ``V_c`` known ids has ``V_c + 1`` rows, the last for unknown ids.
    """
    if reset:
        estimator.__dict__.pop("feature_names_in_", None)
        estimator.__dict__.pop("vocabulary_", None)
        estimator.__dict__.pop("_vocabularies", None)
    else:
        embed = estimator._token_counts is not None
    form, X = recognise(X, embed=embed)
    if not reset:
        form = check_fitted_kind(estimator, form, X)

    if vocabulary is not None and form != "tokens" and not embed:
        raise ValueError(
            "vocabulary names tokens, but X holds numbers. Set embedding_dim where they are ids."
        )
    learn = reset and (learn_from, vocabulary)
    if form == "tokens":
        sequences = _read_tokens(estimator, X, learn, columns, vocabulary)
    elif form == "rows":
        sequences = _read_rows(estimator, X, dtype, reset, embed, min_length)
    elif form == "cube":
        sequences = _read_cube(estimator, X, None if embed else dtype, reset)
    else:
        sequences = _read_ragged(estimator, X, None if embed else dtype, reset)
    _check_lengths(estimator, sequences.offsets, min_length)
    if form == "tokens":
        return sequences
    if not _is_surely_sound(sequences.values):
        _check_finite(estimator, sequences, allow_nan and not embed)
        _check_size(estimator, sequences)
    if embed:
        return _as_table_rows(estimator, sequences, learn, vocabulary)
    # A transformer, which lets NaN pass, leaves the warning to the estimator behind it.
    if reset and not allow_nan:
        _warn_if_channel_first(sequences)
    return sequences


def locate(offsets, row):
    """Return the sequence and the step of a row of ``values``."""
    sequence = int(np.searchsorted(offsets, row, side="right")) - 1
    return sequence, int(row - offsets[sequence])


# Reading the forms


def _read_rows(estimator, X, dtype, reset, embed, min_length):
    array = X if issparse(X) else np.asarray(X)
    if array.dtype.kind not in "biufc":
        array = _rows_to_numbers(array) if array.ndim == 2 else to_numbers(array, "X")
    with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
        array = check_array(
            array,
            dtype="numeric" if embed else list(dtype) if isinstance(dtype, tuple) else dtype,
            order="C", ensure_all_finite=False, ensure_min_features=max(1, min_length),
            input_name="X", estimator=estimator,
        )  # fmt: skip
    sequences = _without_padding(array[:, :, np.newaxis])
    if reset and not embed and len(sequences.values) == array.size:
        validate_data(estimator, X, reset=True, skip_check_array=True)
        set_width(estimator, 1, n_features_in=estimator.n_features_in_)
    elif reset:  # ids, and rows of unequal lengths: columns are no features
        set_width(estimator, 1)
    elif estimator._step_width != 1:
        raise ValueError(
            f"{wrong_width(estimator, 1)}\nX is 2-D, which means one univariate sequence "
            "per row. Pass a list of 2-D arrays or a 3-D array; [X] for a single sequence."
        )
    elif fitted_on_rows(estimator):
        validate_data(estimator, X, reset=False, skip_check_array=True)
    return sequences


def _rows_to_numbers(array):
    """Convert the sequences of an array one by one, so that an error names the sequence."""
    return np.stack([to_numbers(row, f"sequence {i}") for i, row in enumerate(array)])


def _read_cube(estimator, array, dtype, reset):
    n_sequences, _, width = array.shape
    for count, what in ((n_sequences, "sample"), (width, "feature")):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum of 1 is "
                "required by X."
            )
    check_width(estimator, width, reset)
    if array.dtype.kind not in "biuf":
        array = _rows_to_numbers(array)
    with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
        values = np.ascontiguousarray(array, dtype=_pick(dtype, array.dtype))
    return _without_padding(values)


def _without_padding(values):
    """Join sequences of (n_sequences, n_timesteps, n_features) without all-NaN steps at ends."""
    n_sequences, n_steps, width = values.shape
    offsets = np.arange(n_sequences + 1, dtype=np.int64) * n_steps
    if n_steps == 0 or values.dtype.kind != "f" or not np.isnan(values[:, -1]).any():
        return Sequences(values.reshape(-1, width), offsets)
    given = ~np.isnan(values).all(axis=2)
    lengths = np.where(given.any(axis=1), n_steps - given[:, ::-1].argmax(axis=1), 0)
    kept = np.arange(n_steps) < lengths[:, np.newaxis]
    return Sequences(values[kept], lengths_to_offsets(lengths))


def _read_ragged(estimator, items, dtype, reset):
    arrays = [a if type(a) is np.ndarray else as_array(a, i) for i, a in enumerate(items)]
    dtypes = {array.dtype for array in arrays}
    if any(found.kind not in "biuf" for found in dtypes):
        arrays = [to_numbers(array, f"sequence {i}") for i, array in enumerate(arrays)]
        dtypes = {array.dtype for array in arrays}
    expected = None if reset else estimator._step_width
    arrays, width = align(arrays, expected)
    check_width(estimator, width, reset, items)

    offsets = lengths_to_offsets(np.fromiter(map(len, arrays), np.int64, len(arrays)))
    values = np.empty((offsets[-1], width), dtype=_pick(dtype, np.result_type(*dtypes)))
    target = values if arrays[0].ndim == 2 else values[:, 0]
    with np.errstate(over="ignore"):  # too large for dtype: found as infinity afterwards
        np.concatenate(arrays, out=target, casting="unsafe")
    return Sequences(values, offsets)


def _read_tokens(estimator, items, learn, columns, vocabulary):
    """Read strings; `learn` is False, or (steps to learn from, vocabulary)."""
    rows = [token_row(item, i) for i, item in enumerate(items)]
    offsets = lengths_to_offsets(np.fromiter(map(len, rows), np.int64, len(rows)))
    tokens = list(chain.from_iterable(rows))
    if not all(issubclass(kind, str) for kind in set(map(type, tokens))):
        row = next(row for row, token in enumerate(tokens) if not isinstance(token, str))
        i, t = locate(offsets, row)
        raise TypeError(
            f"X mixes strings and other values: sequence {i} has {tokens[row]!r} at step {t}, "
            "where one string per step is expected."
        )
    vocabulary = [] if vocabulary is None else _as_vocabulary(vocabulary, str)
    if learn:
        learned = tokens if learn[0] is None else [tokens[row] for row in learn[0](offsets)]
        if not learned and not vocabulary:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _warn_if_numbers(learned)
        columns = columns or token_columns()
        vocabularies = Vocabularies(columns).fit(learned, vocabulary)
        estimator._vocabularies, estimator.vocabulary_ = vocabularies, vocabularies.known[0]
        set_width(estimator, 1, token_counts=[len(known) for known in vocabularies.known])
    elif vocabulary:
        known = estimator._vocabularies.ids(vocabulary)[:, 0]
        _check_known([word for word, id_ in zip(vocabulary, known, strict=True) if id_ < 0])
    ids = estimator._vocabularies.ids(tokens)
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


def _as_table_rows(estimator, sequences, learn, vocabulary):
    """Return ids as rows of their column's embedding, unknown ids included."""
    values, offsets = sequences.values, sequences.offsets
    wrong = values < UNKNOWN
    if values.dtype.kind == "f":
        wrong |= values != np.floor(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        i, t = locate(offsets, row)
        raise ValueError(
            f"sequence {i} has {values[row, column]} at step {t} (column {column}), but a token "
            "id must be an integer >= 0, or -1 for an unknown token. Set embedding_dim=None for "
            "numbers to be numbers."
        )
    known = [] if vocabulary is None else _as_vocabulary(vocabulary, int)
    if known and values.shape[1] > 1:
        raise ValueError(f"vocabulary is for one column of ids, but X has {values.shape[1]}.")
    if learn:
        learned = values if learn[0] is None else values[learn[0](offsets)]
        if len(learned) == 0 and not known:
            raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
        _check_ids_are_dense(values, offsets, known)
    # What lies beyond 64 bits is larger than any id fit has seen, and so is LARGEST_ID.
    ids = np.full(values.shape, LARGEST_ID, np.int64)
    np.copyto(ids, values, where=values < LARGEST_ID, casting="unsafe")
    if learn:
        learned = ids if learn[0] is None else ids[learn[0](offsets)]
        counts = learned.max(axis=0, initial=-1) + 1
        estimator._token_counts = np.maximum(counts, max(known, default=-1) + 1)
    else:
        _check_known([id_ for id_ in known if id_ >= estimator._token_counts[0]])
    return Sequences(_unknown_last(estimator, ids), offsets)


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


def _pick(dtype, found):
    """Return the dtype of the values; None keeps the type found."""
    if isinstance(dtype, tuple):
        return found if found in dtype else np.dtype(dtype[0])
    return found if dtype is None else np.dtype(dtype)


# What the values must be


def _check_lengths(estimator, offsets, min_length):
    lengths = np.diff(offsets)
    if min_length == 0 or lengths.min() >= min_length:
        return
    i = int(np.argmax(lengths < min_length))
    found = "is empty" if lengths[i] == 0 else f"has {lengths[i]} step(s)"
    raise ValueError(
        f"sequence {i} {found} while a minimum of {min_length} step(s) is required by "
        f"{type(estimator).__name__}. Leave such sequences out of X and y."
    )


def _is_surely_sound(values):
    """Tell by two quick passes that all is finite, and far from the end of single precision."""
    if values.dtype.kind != "f" or values.size == 0:
        return True
    largest = LARGEST_SINGLE if values.dtype == np.float32 else np.finfo(values.dtype).max
    return bool(-largest <= values.min() and values.max() <= largest)  # NaN is neither


def _check_size(estimator, sequences):
    """Refuse numbers so near the end of single precision that a sum of few of them is infinite.

    They are finite, and so would be what is predicted, but not what double precision predicts.
    """
    values = sequences.values
    if values.dtype != np.float32:
        return
    wrong = np.abs(values) > LARGEST_SINGLE  # NaN is passed over
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    i, t = locate(sequences.offsets, row)
    raise ValueError(
        f"Input X has a value too near the end of single precision.\nsequence {i} has "
        f"{values[row, column]:.6g} at step {t} (feature {column}), which "
        f"{type(estimator).__name__} cannot compute with. Scale the input, e.g. with "
        "PerStep(RobustScaler()), or use dtype='float64'. If the value stands for a missing one, "
        "put NaN in its place and impute it, e.g. with PerStep(SimpleImputer())."
    )


def _check_finite(estimator, sequences, allow_nan):
    values = sequences.values
    if values.dtype.kind != "f":
        return
    wrong = np.isinf(values) if allow_nan else ~np.isfinite(values)
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    i, t = locate(sequences.offsets, row)
    if np.isnan(values[row, column]):
        raise ValueError(
            f"Input X contains NaN.\nsequence {i} has NaN at step {t} (feature {column}), and "
            f"{type(estimator).__name__} does not accept missing values. Impute them first, "
            "e.g. with PerStep(SimpleImputer()) in a pipeline."
        )
    raise ValueError(
        f"Input X contains infinity or a value too large for {values.dtype!r}.\n"
        f"sequence {i} has it at step {t} (feature {column})."
    )


def _warn_if_numbers(tokens):
    """Warn where all tokens are numbers in writing (some may be missing), as csv readers give."""
    found = False
    for token in tokens:
        text = token.strip().lower()
        try:
            float(text.replace(",", ".", 1))
        except ValueError:
            if text not in NO_NUMBER:
                return
        else:
            found |= text not in NO_NUMBER
    if found:
        warn(
            "Every string in X is a number in writing, and is read as a token: '1.0' and '1.00' "
            "are as different as 'a' and 'b'. If numbers are meant, convert the sequences first, "
            "for example with [numpy.array(x, dtype=float) for x in X].",
            UserWarning,
            stacklevel=5,
        )


def _warn_if_channel_first(sequences):
    """Warn where time seems to run along the features.

    Quiet by design: all sequences must have one length, less than an eighth of the number of
    features, neighbouring features must be alike as neighbouring steps of a series are, and
    neighbouring steps must not. Word vectors and one-hot steps fail the third condition,
    spectrograms the fourth.
    """
    lengths, width = sequences.lengths, sequences.values.shape[1]
    n_steps = int(lengths[0])
    if width < 16 or not 0 < 8 * n_steps < width or (lengths != n_steps).any():
        return
    sample = sequences.values[: 64 * n_steps].reshape(-1, n_steps, width).astype(np.float64)
    # Six accelerometer channels at 10 Hz, swapped, give 1.0 and 2.0; word vectors 2.0 and 2.0.
    if _roughness(sample, axis=2) < 1.2 and (n_steps == 1 or _roughness(sample, axis=1) > 1.5):
        warn(
            f"X looks channel-first: every sequence has {n_steps} step(s) of {width} features, "
            "and the values run smoothly along the features. A sequence is (n_timesteps, "
            "n_features): pass X.transpose(0, 2, 1), or [x.T for x in X] for a list.",
            UserWarning,
            stacklevel=4,
        )


def _roughness(sample, axis):
    """Return von Neumann's ratio: 2 for noise, near 0 for a smooth series."""
    variance = sample.var(axis=axis).mean()
    return np.mean(np.diff(sample, axis=axis) ** 2) / variance if variance > 0 else np.inf
