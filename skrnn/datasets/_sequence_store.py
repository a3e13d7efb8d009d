"""Sequences on disk that estimators read part by part."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from numbers import Integral
from pathlib import Path

import numpy as np

from skrnn._data.sequences import lengths_to_offsets, step_rows
from skrnn._data.stored_sequences import BUFFER_BYTES, DamagedStoreError, StoredSequences
from skrnn.datasets._store_arrow import read_batches, write_batches
from skrnn.datasets._store_files import load_array, read_description, step_file
from skrnn.datasets._store_writer import StoreWriter


class SequenceStore:
    """Sequences in files, with targets and weights, of which estimators read a part at a time.

    A store is a collection of sequences: it has a length, `store[i]` is sequence i, and slices,
    indices and masks give a store of the chosen sequences without reading them. All estimators,
    splitters and searches take it as X. `fit`, `predict` and the like of `RNNClassifier`,
    `RNNRegressor` and `LSTMTagger` keep `2 * buffer_bytes` of it in memory; other estimators and
    transformers read all of it into memory. Targets and weights are in memory. A pickled store is
    its path.

    Parameters
    ----------
    path : path-like
        Folder of the store, as `write` or `from_arrow` made it.

    buffer_bytes : int, default=67108864
        Most bytes of sequences that are read at once. Where all sequences fit, `fit` gives the
        same bits as for a list of the same sequences. Otherwise each epoch shuffles blocks of
        `buffer_bytes / 64` neighboring bytes, and the sequences of one buffer among one another:
        write sequences in random order where neighbors are alike, such as all of one class.

    Attributes
    ----------
    path : str
        Absolute path of the folder.

    shape : tuple of int
        `(n_sequences,)`.

    n_features : int
        Number of features, or of columns of ids, per step; 1 for tokens.

    dtype : dtype
        Type of the numbers in the file; int32 for tokens.

    lengths : ndarray of shape (n_sequences,), dtype=int64
        Number of steps of each sequence.

    vocabulary : list of str or None
        Tokens; None where steps are numbers.

    y, sample_weight : list, ndarray of shape (n_sequences,) or (n_sequences, n_targets), or None
        Targets and weights, of per-step ones a list with an array per sequence; None where there
        are none.

    Raises
    ------
    FileNotFoundError
        If there is no folder at `path`.

    ValueError
        If a file is missing or damaged. The message names the file.

    Notes
    -----
    The folder has `values.npy` and `offsets.npy`, `y.npy` and `sample_weight.npy` where given, all
    of which `numpy.load` reads, and `store.json`, which is written last.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from skrnn import RNNClassifier
    >>> from skrnn.datasets import SequenceStore
    >>> def read_parts():
    ...     rng = np.random.default_rng(0)
    ...     for _ in range(3):
    ...         X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 9, size=20)]
    ...         yield X, [int(x.sum() > 0) for x in X]
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = SequenceStore.write(folder.name, read_parts())
    >>> store
    SequenceStore: 60 sequences, 395 steps of 2 float32
    >>> model = RNNClassifier((8,), learning_rate_init=0.02, random_state=0)
    >>> model.fit(store[:50], store.y[:50]).predict(store[50:]).shape
    (10,)
    """

    __module__ = "skrnn.datasets"  # the path that files name

    def __init__(self, path, *, buffer_bytes=BUFFER_BYTES):
        if not isinstance(buffer_bytes, Integral) or buffer_bytes < 1:
            raise ValueError(f"buffer_bytes must be a positive whole number; got {buffer_bytes!r}.")
        self.path = str(Path(path).absolute())
        self.buffer_bytes = int(buffer_bytes)
        folder = Path(self.path)
        self._description = read_description(folder)
        self._file = step_file(folder / "values.npy", self._description)
        n = self._description["n_sequences"]
        self._offsets = load_array(folder / "offsets.npy", (n + 1,), "i")
        if (
            self._offsets[0] != 0
            or self._offsets[-1] != self._file.n_steps
            or (self._offsets[1:] < self._offsets[:-1]).any()
        ):
            raise DamagedStoreError(
                f"{folder / 'offsets.npy'} is damaged: sequences do not follow one another. Write "
                "the store anew."
            )
        self._indices = None  # of the chosen sequences; None for all

    # -- writing -------------------------------------------------------------------------------

    @classmethod
    def write(
        cls, path, X, y=None, sample_weight=None, *, dtype=None, overwrite=False,
        buffer_bytes=BUFFER_BYTES,
    ):  # fmt: skip
        """Write a store.

        Parameters
        ----------
        path : path-like
            Folder of the store, which is made.

        X : sequences, or iterator of chunks
            In any form that `fit` takes. Or an iterator (a generator, say) of chunks, each of them
            sequences, or a tuple `(X, y)` or `(X, y, sample_weight)`; one chunk at a time is in
            memory.

        y : array-like, default=None
            Targets in any form that `fit` takes: numbers or strings, per sequence or per step.

        sample_weight : array-like, default=None
            Weights, per sequence or per step.

        dtype : str, default=None
            Type of numbers in the file: 'float32', 'float64', 'int8', 'int16', 'int32' or 'int64'.
            None takes 'float32' for floating point numbers and a type of integers for integers.

        overwrite : bool, default=False
            Whether a store at `path` is replaced.

        buffer_bytes : int, default=67108864
            As for `SequenceStore`.

        Returns
        -------
        SequenceStore

        Raises
        ------
        FileExistsError
            If there is something at `path`.

        ValueError, TypeError
            If chunks do not fit together, or `dtype` cannot hold a number. The message names the
            chunk.
        """
        chunks = [(X, y, sample_weight)]
        if isinstance(X, Iterator):
            if y is not None or sample_weight is not None:
                raise ValueError(
                    "X is an iterator of chunks: pass targets and weights in each chunk, as "
                    "(X, y) or (X, y, sample_weight)."
                )
            chunks = (chunk if isinstance(chunk, tuple) else (chunk,) for chunk in X)
        writer = StoreWriter(path, dtype, overwrite)
        try:
            for chunk in chunks:
                writer.append(*chunk)
            writer.finish()
        except BaseException:
            writer.close(finish=False)
            raise
        return cls(path, buffer_bytes=buffer_bytes)

    @classmethod
    def from_arrow(
        cls, path, source, *, X, y=None, sample_weight=None, dtype=None, overwrite=False,
        buffer_bytes=BUFFER_BYTES,
    ):  # fmt: skip
        """Write a store from Arrow's data: batch by batch, with the pyarrow package.

        Parameters
        ----------
        path, dtype, overwrite, buffer_bytes
            As in `write`.

        source : path-like, list of path-like, or table
            Files in Arrow's IPC format ('.arrow', '.feather', '.arrows') or Parquet ('.parquet'),
            or a table of Arrow, polars or pandas.

        X : str or list of str
            Columns of lists: of numbers, of lists of numbers, or of strings. Several columns of
            numbers are features side by side.

        y, sample_weight : str, default=None
            Columns of targets and of weights.

        Returns
        -------
        SequenceStore

        Raises
        ------
        ImportError
            Without the pyarrow package.

        ValueError, TypeError
            If a column is missing or is no list.
        """
        chunks = read_batches(source, X, y, sample_weight)
        return cls.write(path, chunks, dtype=dtype, overwrite=overwrite, buffer_bytes=buffer_bytes)

    def to_arrow(self, file):
        """Write a file in Arrow's IPC format, with the pyarrow package.

        Parameters
        ----------
        file : path-like
            Its columns are `X`, a list per sequence (of numbers, of lists of numbers, or of
            strings), and `y` and `sample_weight` where the store has them.
        """
        write_batches(self, file)

    # -- a collection --------------------------------------------------------------------------

    @property
    def shape(self):
        """`(n_sequences,)`."""
        return (len(self),)

    @property
    def ndim(self):
        """1."""
        return 1

    @property
    def n_features(self):
        """Number of features, or of columns of ids, per step."""
        return self._file.n_columns

    @property
    def dtype(self):
        """Type of the numbers in the file."""
        return self._file.dtype

    @property
    def vocabulary(self):
        """Tokens, list of str; None where steps are numbers."""
        return self._description["vocabulary"]

    @property
    def lengths(self):
        """Number of steps of each sequence, ndarray of shape (n_sequences,)."""
        lengths = np.diff(self._offsets)
        return lengths if self._indices is None else lengths[self._indices]

    @cached_property
    def y(self):
        """Targets, in memory; None where the store has none."""
        return self._column("y")

    @cached_property
    def sample_weight(self):
        """Weights, in memory; None where the store has none."""
        return self._column("sample_weight")

    def __len__(self):
        return len(self._offsets) - 1 if self._indices is None else len(self._indices)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        if isinstance(key, tuple):  # store[indices, ...]
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError("A store has one axis, that of its sequences.")
            key = key[0]
        if isinstance(key, Integral):
            return self._sequence(key)
        indices = np.arange(len(self)) if self._indices is None else self._indices
        if not isinstance(key, slice):
            key = np.asarray(key)
            key = key if key.size else key.astype(np.intp)
            if key.ndim != 1 or key.dtype.kind not in "biu":
                raise IndexError(
                    "The index of a store must be an integer, a slice, or a 1-D array of integers "
                    "or bools."
                )
        return self._view(indices[key])

    def _view(self, indices):
        view = type(self).__new__(type(self))
        view.__dict__.update(
            {k: v for k, v in self.__dict__.items() if k not in ("y", "sample_weight", "_steps")},
            _indices=indices,
        )
        return view

    @cached_property
    def _steps(self):
        """The file of steps, mapped into memory."""
        file = self._file
        shape = (file.n_steps, file.n_columns)
        return load_array(Path(file.path), shape, "if")

    def _sequence(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError(f"sequence {i} is beyond the {len(self)} sequences of the store.")
        i = int(i) % len(self)
        i = i if self._indices is None else int(self._indices[i])
        steps = self._steps[self._offsets[i] : self._offsets[i + 1]]
        if self.vocabulary is None:
            return steps
        return [self.vocabulary[code] for code in steps[:, 0].tolist()]

    def _column(self, name):
        """Return the targets or weights of the chosen sequences."""
        known = self._description["columns"].get(name)
        if known is None:
            return None
        per_step = known["per"] == "step"
        path = Path(self.path) / f"{name}.npy"
        rows = self._file.n_steps if per_step else len(self._offsets) - 1
        values = load_array(path, (rows,), "if") if per_step else self._load_rows(path, rows)
        offsets = self._offsets
        if self._indices is not None:
            indices = self._indices
            if per_step:
                indices, offsets = step_rows(offsets, indices)
            values = values[indices]
        if known["labels"] is not None:
            values = _labels(values, known["labels"], path)
        if not per_step:
            return np.array(values)  # in memory
        return [values[start:stop] for start, stop in pairwise(offsets.tolist())]

    @staticmethod
    def _load_rows(path, rows):
        """Map numbers, or rows of numbers, one per sequence."""
        try:
            return load_array(path, (rows,), "if")
        except DamagedStoreError:
            return load_array(path, (rows, None), "if")

    def __reduce__(self):
        return _open, (self.path, self.buffer_bytes, self._indices)

    def __repr__(self):
        what = f"{self.n_features} {self.dtype}" if self.vocabulary is None else "1 token"
        return f"SequenceStore: {len(self)} sequences, {int(self.lengths.sum())} steps of {what}"

    # -- what estimators read ------------------------------------------------------------------

    def _stored_sequences(self):
        """Return the sequences as they lie in the file, as StoredSequences."""
        starts, offsets = np.asarray(self._offsets[:-1]), np.asarray(self._offsets)
        if self._indices is not None:
            starts, offsets = starts[self._indices], lengths_to_offsets(self.lengths)
        return StoredSequences(
            self._file, starts, offsets, self._file.n_columns, _as_it_is, self.buffer_bytes
        )

    def _has_only_numbers_up_to(self, largest):
        """Tell whether, as the store was written, all numbers were finite and no larger."""
        lowest, highest = self._description["lowest"], self._description["highest"]
        return lowest is not None and -largest <= lowest and highest <= largest


def _as_it_is(steps):
    return steps


def _open(path, buffer_bytes, indices):
    store = SequenceStore(path, buffer_bytes=buffer_bytes)
    if indices is None:
        return store
    if len(indices) and indices.max() >= len(store):
        raise DamagedStoreError(
            f"{path} has {len(store)} sequences, fewer than when the store was pickled."
        )
    return store._view(indices)


def _labels(codes, labels, path):
    """Return labels by their numbers; -1 stands for None."""
    if codes.size and not (codes.min() >= -1 and codes.max() < len(labels)):
        raise DamagedStoreError(
            f"{path} is damaged: it has the number of a label that is not there. Write the store "
            "anew."
        )
    if codes.size and codes.min() < 0:
        return np.array([*labels, None], dtype=object)[codes]
    return np.array(labels)[codes] if labels else np.empty(codes.shape, "U1")
