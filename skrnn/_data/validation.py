"""The only entry point of user data: every accepted format of ``X`` becomes one container.

:mod:`skrnn._data.formats` describes the formats, :mod:`skrnn._data.readers` reads them.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections import Counter
from dataclasses import replace
from warnings import warn

import numpy as np

from skrnn._data.fitted_input import check_fitted_kind, check_numbers
from skrnn._data.formats import find_format
from skrnn._data.readers import read_numbers, read_tokens
from skrnn._data.sequences import Sequences, locate
from skrnn._data.single_series import is_panel
from skrnn._data.stored_input import CodeEncoder, IdEncoder, NumberEncoder, count_codes
from skrnn._data.token_ids import (
    count_ids,
    encode_ids,
    encode_tokens,
    learn_tokens,
    unknown_last,
)

# Weighted sums of a few thousand such numbers overflow single precision, which ends at 3.4e38.
LARGEST_SINGLE = 1e35
LOOKED_AT = 64  # sequences of a store that tell whether time runs along the features


def check_sequences(
    estimator,
    X,
    *,
    dtype=np.float32,
    within=None,
    reset,
    embed=False,
    allow_nan=False,
    min_length=1,
    columns=None,
    learn_from=None,
    vocabulary=None,
    vectors=None,
):
    """Validate ``X`` in any accepted format and set, or check, what ``estimator`` knows of it.

    Parameters
    ----------
    estimator : estimator instance
        Gets (``reset=True``) or is checked on ``n_features_in_``, ``feature_names_in_``,
        ``vocabulary_``, ``_step_width`` (features per step) and ``_token_counts`` (None for
        numbers, else the number of known ids in each id column). ``n_features_in_`` is the
        number of features per step, except that for 2-D input of numbers without padding it is
        the number of columns, as scikit-learn demands; with padding, prediction takes any number.

    X : array-like, or collection of sequences
        See :mod:`skrnn._data.formats`.

    dtype : dtype or tuple of dtypes, default=np.float32
        Type of numeric values. Of a tuple, the type found if it is among them, else the first.

    within : dtype, default=None
        Type that the values must fit into, where it is not the one that they have.

    reset : bool
        True in ``fit``, False in every later call.

    embed : bool, default=False
        Whether integers are token ids. After fit the kind of data fitted decides.

    allow_nan : bool, default=False
        Whether NaN may stand inside a sequence, as it may for a transformer.

    min_length : int, default=1
        Minimum number of steps of a sequence.

    columns : callable, default=None
        Called where fit meets strings. Returns what it makes of them, a dict of parameters of
        `token_columns`, and as `characters` whether their characters are read; None makes one
        column, the tokens as they are.

    learn_from : callable, default=None
        Given the offsets of the sequences, returns the steps whose tokens fit may learn: those of
        sequences that early stopping holds out are not among them. None for all.

    vocabulary : array-like of str or of int, default=None
        Tokens, or ids of one column, that are known from fit on although X may lack them.

    vectors : callable, default=None
        Called where fit meets strings. Returns the WordVectors from which some of them start.

    Returns
    -------
    sequences : Sequences
        Numbers as ``dtype``. Tokens as int64 rows, one embedding per column: column ``c`` with
        ``V_c`` known ids has ``V_c + 1`` rows, the last for unknown ids. Where characters are read,
        one column more, the number of the word, and the words' characters.
    """
    if not reset:
        embed = estimator._token_counts is not None
    input_format, X = find_format(X, embed=embed)
    if not reset:
        input_format = check_fitted_kind(estimator, input_format, X)
    if vocabulary is not None and input_format != "tokens" and not embed:
        raise ValueError(
            "vocabulary names tokens, but X holds numbers. Set embedding_dim where they are ids."
        )
    if vectors is not None and reset and input_format != "tokens":
        raise ValueError(
            f"embeddings holds vectors of words, but X holds {'ids' if embed else 'numbers'}. Pass "
            "X as lists of strings, or leave embeddings out."
        )
    if hasattr(type(X), "_stored_sequences"):
        stored = _check_store(
            estimator, X, dtype=dtype, within=within, reset=reset, embed=embed,
            allow_nan=allow_nan, min_length=min_length, columns=columns, learn_from=learn_from,
            vocabulary=vocabulary, vectors=vectors,
        )  # fmt: skip
        return stored if getattr(estimator, "_reads_parts", False) else _load(estimator, stored)
    if input_format == "tokens":
        tokens, offsets = read_tokens(X)
        _check_lengths(estimator, offsets, min_length)
        return encode_tokens(
            estimator, tokens, offsets, reset=reset, columns=columns, learn_from=learn_from,
            vocabulary=vocabulary, vectors=vectors,
        )  # fmt: skip
    if input_format == "rows" and not allow_nan:
        _refuse_panel(X)
        if reset:
            _refuse_long_table(X)
    sequences, padded = read_numbers(
        X, input_format, dtype, embed=embed, min_length=min_length, estimator=estimator,
        width=None if reset else estimator._step_width,
    )  # fmt: skip
    check_numbers(
        estimator, X, input_format, sequences.values.shape[1], reset=reset,
        are_features=not (padded or embed),
    )  # fmt: skip
    _check_lengths(estimator, sequences.offsets, min_length)
    if not _is_surely_sound(sequences.values, within):
        fitted = sequences if embed else _in_type(sequences, within)
        _check_finite(estimator, fitted, allow_nan and not embed)
        _check_size(estimator, fitted)
    if embed:
        return encode_ids(
            estimator, sequences, reset=reset, learn_from=learn_from, vocabulary=vocabulary
        )
    # A transformer, which lets NaN pass, leaves the warning to the estimator behind it.
    if reset and not allow_nan:
        _warn_if_channel_first(sequences)
    return sequences


def _refuse_long_table(X):
    """Refuse a table of steps, one row each, which would be read as one series per row.

    Its signs are a column of integers that names samples, in blocks of two rows or more on average,
    and another one of integers that rises within each block and starts again at the next.
    """
    columns = getattr(X, "columns", None)
    if columns is None or X.ndim != 2 or X.shape[1] < 3 or len(X) < 4:
        return
    integer = {}
    for place, name in enumerate(columns):
        values = np.asarray(X.iloc[:, place] if hasattr(X, "iloc") else X[name])
        if values.dtype.kind in "iu":
            integer[name] = values
    for by, samples in integer.items():
        starts = np.flatnonzero(np.diff(samples)) + 1
        n_samples = len(np.unique(samples))
        if len(starts) + 1 != n_samples or not 2 <= n_samples <= len(samples) / 2:
            continue
        for time, steps in integer.items():
            rises = np.diff(steps) > 0
            between = np.isin(np.arange(1, len(steps)), starts)
            if time != by and (rises != between).all():
                raise ValueError(
                    f"X looks like a long table, one row per step of the samples that its column "
                    f"{by!r} names, but a row of a table is one series. Make sequences of it, "
                    f"skrnn.preprocessing.from_long(X, by={by!r}, time={time!r}); or pass "
                    "X.to_numpy() if each row is a series."
                )


def _refuse_panel(X):
    """Refuse a table whose rows may be sequences, or steps of the series that its index names."""
    if is_panel(X):
        raise ValueError(
            f"X is a table of {len(X)} rows whose index has {X.index.nlevels} levels: its rows may "
            "be sequences, or steps of the series that the index names. For steps, pass one array "
            "per series, [x.to_numpy() for _, x in X.groupby(level=0, sort=False)]; for sequences, "
            "X.reset_index(drop=True)."
        )


def _check_store(
    estimator, X, *, dtype, within, reset, embed, allow_nan, min_length, columns, learn_from,
    vocabulary, vectors,
):  # fmt: skip
    """Validate a store; parameters as in `check_sequences`.

    Returns
    -------
    StoredSequences
    """
    stored = X._stored_sequences()
    if len(stored) == 0:
        raise ValueError(
            "Found array with 0 sample(s) (shape=(0,)) while a minimum of 1 is required by X."
        )
    _check_lengths(estimator, stored.offsets, min_length)
    learned = stored
    if learn_from is not None:  # of sequences of one step each, the steps are the sequences
        learned = stored.take(learn_from(np.arange(len(stored) + 1)))
    if X.vocabulary is not None:
        counts = count_codes(learned, len(X.vocabulary)) if reset else ()
        counts = {X.vocabulary[code]: counts[code] for code in np.flatnonzero(counts).tolist()}
        learn_tokens(
            estimator, Counter(counts), reset=reset, columns=columns, vocabulary=vocabulary,
            vectors=vectors,
        )  # fmt: skip
        if estimator._vocabularies.characters is not None:
            raise ValueError(
                "subwords='chars' reads the characters of words in memory, but X is a store on "
                "disk. Pass X as lists of strings, or set subwords to its default."
            )
        table = unknown_last(estimator, estimator._vocabularies.ids(X.vocabulary))
        return replace(
            stored, n_columns=table.shape[1], encode=CodeEncoder(stored.file.path, table)
        )
    check_numbers(estimator, X, "ragged", stored.n_columns, reset=reset, are_features=True)
    if embed:
        if stored.file.dtype.kind == "f":
            raise ValueError(
                f"{stored.file.path} holds numbers of type {stored.file.dtype}, but token ids are "
                "integers. Write the store with dtype='int32', or set embedding_dim=None to read "
                "numbers as features."
            )
        count_ids(
            estimator, learned.n_columns, (part for _, _, part in learned.parts()),
            reset=reset, vocabulary=vocabulary,
        )  # fmt: skip
        return replace(stored, encode=IdEncoder(stored.file.path, estimator._token_counts))
    found = stored.file.dtype
    if isinstance(dtype, tuple):
        dtype = found if found in dtype else dtype[0]
    numbers = replace(stored, encode=NumberEncoder(stored.file.path, np.dtype(dtype), None))
    largest = largest_sound(np.dtype(dtype if within is None else within))
    if found.kind == "f" and not X._has_only_numbers_up_to(largest):
        for first, _, part in numbers.parts():
            if not _is_surely_sound(part.values, within):
                fitted = _in_type(part, within)
                _check_finite(estimator, fitted, allow_nan, first)
                _check_size(estimator, fitted, first)
    if reset and not allow_nan:
        _warn_if_channel_first(numbers.read(np.arange(min(LOOKED_AT, len(stored)))))
    if allow_nan:
        return numbers
    return replace(stored, encode=NumberEncoder(stored.file.path, np.dtype(dtype), largest))


def _load(estimator, stored):
    """Read a store for an estimator that has no way of reading it part by part."""
    n_bytes = stored.n_steps * stored.file.step_bytes
    if n_bytes > stored.buffer_bytes:
        name = type(estimator).__name__
        warn(
            f"{name} cannot read a store part by part: all {n_bytes / 1e6:,.0f} MB of "
            f"{stored.file.path} are read into memory. Pass a part of the store, store[:n], if that"
            " is too much; otherwise open it with a larger buffer_bytes, which ends this warning.",
            UserWarning,
            stacklevel=4,
        )
    return stored.load()


def _check_lengths(estimator, offsets, min_length):
    """Refuse sequences of fewer than `min_length` steps."""
    lengths = offsets[1:] - offsets[:-1]
    if min_length == 0 or lengths.min() >= min_length:
        return
    i = int(np.argmax(lengths < min_length))
    found = "is empty" if lengths[i] == 0 else f"has {lengths[i]} step(s)"
    raise ValueError(
        f"sequence {i} {found} while a minimum of {min_length} step(s) is required by "
        f"{type(estimator).__name__}. Leave such sequences out of X and y."
    )


def _is_surely_sound(values, within=None):
    """Tell by two quick passes that all is finite, and far from the end of single precision."""
    if values.dtype.kind != "f" or values.size == 0:
        return True
    largest = largest_sound(values.dtype if within is None else within)
    return bool(-largest <= values.min() and values.max() <= largest)  # NaN is neither


def _in_type(sequences, dtype):
    """Return sequences of numbers in a type, or as they are for None."""
    if dtype is None:
        return sequences
    with np.errstate(over="ignore"):  # found as infinity
        return Sequences(sequences.values.astype(dtype, copy=False), sequences.offsets)


def largest_sound(dtype):
    """Return the largest number of a type that sums of a few thousand numbers may have."""
    return LARGEST_SINGLE if dtype == np.float32 else np.finfo(dtype).max


def _check_size(estimator, sequences, first=0):
    """Refuse numbers so near the end of single precision that a sum of few of them is infinite.

    They are finite, and so would be what is predicted, but not what double precision predicts.
    The first of the sequences has the number `first`.
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
        f"Input X has a value too near the end of single precision.\nsequence {first + i} has "
        f"{values[row, column]:.6g} at step {t} (feature {column}), which "
        f"{type(estimator).__name__} cannot compute with. Scale the input, e.g. with "
        "PerStep(RobustScaler()), or use dtype='float64'. If the value stands for a missing one, "
        "put NaN in its place and impute it, e.g. with PerStep(SimpleImputer())."
    )


def _check_finite(estimator, sequences, allow_nan, first=0):
    """Refuse infinity and, unless allowed, NaN. The first sequence has the number `first`."""
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
            f"Input X contains NaN.\nsequence {first + i} has NaN at step {t} (feature {column}), "
            f"and {type(estimator).__name__} does not accept missing values. Impute them first, "
            "e.g. with PerStep(SimpleImputer()) in a pipeline."
        )
    raise ValueError(
        f"Input X contains infinity or a value too large for {values.dtype!r}.\n"
        f"sequence {first + i} has it at step {t} (feature {column})."
    )


def _warn_if_channel_first(sequences):
    """Warn where time seems to run along the features.

    Quiet by design: all sequences must have one length, less than an eighth of the number of
    features, neighboring features must be alike as neighboring steps of a series are, and
    neighboring steps must not. Word vectors and one-hot steps fail the third condition,
    spectrograms the fourth.
    """
    lengths, width = np.diff(sequences.offsets), sequences.values.shape[1]
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
