"""Write a store chunk by chunk: nothing but the chunk at hand is in memory."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import json

import numpy as np

from skrnn._data.formats import check_targets, find_format
from skrnn._data.numbers import is_missing
from skrnn._data.readers import read_numbers, read_tokens
from skrnn._data.sequences import Sequences
from skrnn.datasets._store_files import DESCRIPTION, FORMAT, VERSION, GrowingArray, new_folder

NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64")


class StoreWriter:
    """A store that is being written.

    Parameters
    ----------
    path : path-like
    dtype : str or None
        As in `SequenceStore.write`.
    overwrite : bool
    """

    def __init__(self, path, dtype, overwrite):
        if dtype is not None and np.dtype(dtype).name not in NUMBERS:
            raise ValueError(f"dtype must be one of {', '.join(NUMBERS)}; got {dtype!r}.")
        self.dtype = None if dtype is None else np.dtype(dtype)
        self.folder = new_folder(path, overwrite)
        self.values = None  # file of steps, from the first chunk on
        self.vocabulary = None  # dict of str to int
        self.offsets = GrowingArray(self.folder / "offsets.npy", np.int64, ())
        self.offsets.append(np.zeros(1, np.int64))
        self.columns = {}
        self.lowest, self.highest = np.inf, -np.inf
        self.n_sequences = self.n_steps = 0

    def append(self, X, y=None, sample_weight=None):
        """Append sequences, in any format that `fit` takes, and their targets and weights."""
        sequences = self._read(X)
        n = len(sequences)
        for name, column in (("y", y), ("sample_weight", sample_weight)):
            if self.n_sequences and (name in self.columns) != (column is not None):
                raise ValueError(
                    f"{self._where()} {'has no' if column is None else 'has'} {name}, unlike those "
                    f"before it: {name} is needed for all sequences or for none."
                )
            if column is not None:
                check_targets(column, n)
        for name, column in (("y", y), ("sample_weight", sample_weight)):
            if column is not None:
                if name not in self.columns:
                    self.columns[name] = ColumnWriter(self.folder / f"{name}.npy", name)
                self.columns[name].append(column, sequences.lengths, self._where())
        self.values.append(sequences.values)
        self.offsets.append(self.n_steps + sequences.offsets[1:])
        self.n_sequences += n
        self.n_steps += sequences.n_steps

    def _where(self):
        return f"The chunk that begins with sequence {self.n_sequences}"

    def _read(self, X):
        """Return the sequences of a chunk with values as they are written."""
        sequences = X
        if not isinstance(X, Sequences):
            input_format, X = find_format(X)
            if input_format == "tokens":
                return self._encode(*read_tokens(X))
            sequences, _ = read_numbers(
                X,
                input_format,
                None,
                embed=True,
                min_length=0,
                width=None,
                estimator="SequenceStore",
            )
        values = sequences.values
        if self.values is None:
            self.dtype = self.dtype or _natural(values.dtype)
            self._open(values.shape[1])
        elif self.vocabulary is not None:
            raise TypeError(f"{self._where()} holds numbers, and those before it hold strings.")
        if values.shape[1] != self.values.row_shape[0]:
            raise ValueError(
                f"{self._where()} has {values.shape[1]} features per step, and those before it "
                f"have {self.values.row_shape[0]}."
            )
        return Sequences(self._convert(values), sequences.offsets)

    def _open(self, width):
        if width == 0:
            raise ValueError("Found array with 0 feature(s) while a minimum of 1 is required by X.")
        self.values = GrowingArray(self.folder / "values.npy", self.dtype, (width,))

    def _convert(self, values):
        """Return numbers in the store's type; refuses what it cannot hold."""
        if values.size == 0:
            return values.astype(self.dtype)
        low, high = values.min(), values.max()
        if self.dtype.kind == "i":
            info = np.iinfo(self.dtype)
            if values.dtype.kind == "f":
                raise TypeError(
                    f"{self._where()} has floating point numbers, but the store holds {self.dtype}."
                    " Pass dtype='float32'."
                )
            if low < info.min or high > info.max:
                raise ValueError(
                    f"{self._where()} has {low if low < info.min else high}, which is beyond "
                    f"{self.dtype}. Pass dtype='int64'."
                )
        with np.errstate(over="ignore"):
            converted = values.astype(self.dtype, copy=False)
        if np.isinf(converted).any() and not np.isinf(values).any():
            raise ValueError(
                f"{self._where()} has a number too large for {self.dtype}. Pass dtype='float64'."
            )
        # NaN stays: the store then knows of no bounds.
        self.lowest = np.minimum(self.lowest, converted.min())
        self.highest = np.maximum(self.highest, converted.max())
        return converted

    def _encode(self, tokens, offsets):
        """Return tokens as their numbers in the vocabulary, which grows."""
        if self.values is None:
            self.vocabulary, self.dtype = {}, np.dtype(np.int32)
            self._open(1)
        elif self.vocabulary is None:
            raise TypeError(f"{self._where()} holds strings, and those before it hold numbers.")
        known = self.vocabulary
        codes = (known.setdefault(token, len(known)) for token in tokens)
        return Sequences(np.fromiter(codes, np.int32, len(tokens))[:, np.newaxis], offsets)

    def finish(self):
        """Write what makes the files a store."""
        if self.values is None:
            raise ValueError("There is no sequence to write.")
        self.close()
        bounds = float(self.lowest), float(self.highest)
        sound = self.vocabulary is None and self.n_steps and np.isfinite(bounds).all()
        lowest, highest = bounds if sound else (None, None)
        description = {
            "format": FORMAT,
            "version": VERSION,
            "n_sequences": self.n_sequences,
            "n_steps": self.n_steps,
            "n_columns": self.values.row_shape[0],
            "lowest": lowest,
            "highest": highest,
            "columns": {name: column.describe() for name, column in self.columns.items()},
            "vocabulary": None if self.vocabulary is None else list(self.vocabulary),
        }
        text = json.dumps(description, ensure_ascii=False, indent=1)
        (self.folder / DESCRIPTION).write_text(text, encoding="utf-8")

    def close(self, finish=True):
        """Close all files."""
        for column in self.columns.values():
            column.close(finish)
        for file in (self.values, self.offsets):
            if file is not None:
                file.close(finish)


def _natural(dtype):
    """Return the type in which numbers are written where none is asked for."""
    if dtype.kind == "f":
        return np.dtype(np.float32)
    if dtype.kind == "b":
        return np.dtype(np.int8)
    return np.dtype(np.int32 if np.can_cast(dtype, np.int32) else np.int64)


class ColumnWriter:
    """Targets or weights: a number, a row of numbers or a label per sequence, or per step.

    Parameters
    ----------
    path : Path
    name : str
    """

    def __init__(self, path, name):
        self.path, self.name = path, name
        self.file = None
        self.per_step = False
        self.labels = None  # dict of str to int

    def append(self, column, lengths, where):
        """Append what belongs to sequences of these lengths."""
        try:
            per_step, values = _flat(column, lengths, self.file is None or self.per_step)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{where}: {self.name} cannot be stored. {error}") from error
        is_text = values.dtype == object
        if self.file is None:
            self.per_step, self.labels = per_step, {} if is_text else None
            dtype = {"b": np.int8, "O": np.int32, "f": np.float64}.get(values.dtype.kind, np.int64)
            self.file = GrowingArray(self.path, dtype, values.shape[1:])
        if is_text and self.labels is not None:
            known = self.labels
            codes = (-1 if is_missing(v) else known.setdefault(v, len(known)) for v in values)
            values = np.fromiter(codes, np.int32, len(values))
        if (
            is_text != (self.labels is not None)
            or per_step != self.per_step
            or values.shape[1:] != self.file.row_shape
            or not np.can_cast(values.dtype, self.file.dtype, "same_kind")
        ):
            raise ValueError(
                f"{where} has {self.name} of another kind than those before it: one per "
                "sequence or one per step, labels or numbers, integers or not, are needed alike."
            )
        self.file.append(values)

    def describe(self):
        """Return what the description of the store says of the column."""
        labels = None if self.labels is None else list(self.labels)
        return {"per": "step" if self.per_step else "sequence", "labels": labels}

    def close(self, finish):
        """Close the file."""
        if self.file is not None:
            self.file.close(finish)


def _flat(column, lengths, per_step_allowed):
    """Return whether a column has values per step, and its values end to end.

    Returns
    -------
    per_step : bool
    values : ndarray of numbers, or of shape (n,) with dtype object for labels that are strings
    """
    if hasattr(column, "to_numpy"):
        column = column.to_numpy()
    if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
        if column.ndim == 2 and column.shape[1] == 1:
            return False, column[:, 0]
        if column.ndim > 2:
            raise ValueError(f"It has shape {column.shape}.")
        return False, column
    items = list(column)
    nested = [not isinstance(v, str) and np.ndim(v) > 0 for v in items]
    if not any(nested):
        return False, _values(items)
    if not all(nested):
        raise ValueError("Some of it is one per sequence, and some is not.")
    sizes = np.fromiter(map(len, items), np.int64, len(items))
    if per_step_allowed and np.array_equal(sizes, lengths):
        arrays = [np.asarray(v) for v in items]
        if all(a.dtype.kind in "biuf" for a in arrays):
            return True, np.concatenate(arrays)
        return True, _values([v for item in items for v in item])
    if len(set(sizes.tolist())) == 1:
        rows = np.array([_values(list(item)) for item in items])
        if rows.dtype == object:
            raise TypeError(
                "It is sequences of labels whose lengths are not those of X. Pass such targets to "
                "fit itself."
            )
        return False, rows
    i = int(np.argmax(sizes != lengths))
    raise ValueError(f"There are {sizes[i]} for the {lengths[i]} steps of sequence {i}.")


def _values(items):
    """Return labels or numbers as an array: strings (and what is missing among them) as objects."""
    if any(isinstance(v, str) for v in items):
        wrong = next((v for v in items if not isinstance(v, str) and not is_missing(v)), None)
        if wrong is not None:
            raise TypeError(f"It mixes strings and {wrong!r}.")
        values = np.empty(len(items), object)
        values[:] = items
        return values
    values = np.array([np.nan if is_missing(v) else v for v in items])
    if values.dtype.kind not in "biuf":
        raise TypeError(f"It has values of type {type(items[0]).__name__}.")
    return values
