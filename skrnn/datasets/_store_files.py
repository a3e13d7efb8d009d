"""Files of a store: arrays that grow as they are written, and a description that is written last.

    values.npy         (n_steps, n_columns): the steps of all sequences; of tokens their numbers
    offsets.npy        (n_sequences + 1,) int64: sequence i is values[offsets[i]:offsets[i + 1]]
    y.npy, sample_weight.npy: a number or a row per sequence, or per step; of labels their numbers
    store.json         types and sizes, the vocabulary of tokens, the labels of columns

The arrays are what `numpy.load` reads. A store whose writing was broken off has no store.json.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import json
import os
from pathlib import Path

import numpy as np

from skrnn._data.stored_sequences import DamagedStoreError, StepFile

DESCRIPTION = "store.json"
FORMAT, VERSION = "skrnn.datasets.SequenceStore", 1
COLUMNS = ("y", "sample_weight")
HEADER_BYTES = 128  # of an .npy file whose first axis may still grow


class GrowingArray:
    """An .npy file to which rows are appended.

    Parameters
    ----------
    path : Path
    dtype : dtype
    row_shape : tuple of int
    """

    def __init__(self, path, dtype, row_shape):
        self.dtype, self.row_shape, self.n_rows = np.dtype(dtype), tuple(row_shape), 0
        self.file = open(path, "wb")  # noqa: SIM115 - `close` does
        self._write_header()

    def append(self, rows):
        """Append an array of shape (n, *row_shape)."""
        self.file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.n_rows += len(rows)

    def close(self, finish=True):
        """Close the file; `finish` makes it one that says how many rows it has."""
        if finish:
            self.file.seek(0)
            self._write_header()
        self.file.close()

    def _write_header(self):
        shape = (self.n_rows, *self.row_shape)
        text = repr({"descr": self.dtype.str, "fortran_order": False, "shape": shape})
        text = text.ljust(HEADER_BYTES - 11) + "\n"
        self.file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())


def read_header(path):
    """Return an .npy file's shape, dtype and the byte where its array begins; checks its size.

    Parameters
    ----------
    path : Path
    """
    try:
        with open(path, "rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("it is of another version")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise DamagedStoreError(f"{path} is missing. Write the store anew.") from None
    except (ValueError, OSError, EOFError) as error:
        raise DamagedStoreError(
            f"{path} is damaged: its header cannot be read ({error}). Write the store anew."
        ) from error
    expected = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if fortran or dtype.hasobject or size != expected:
        raise DamagedStoreError(
            f"{path} is damaged: it has {size} bytes, and {expected} were written. Write the store "
            "anew."
        )
    return shape, dtype, start


def load_array(path, shape, dtype):
    """Map an .npy file into memory, as an ndarray that cannot be written.

    Parameters
    ----------
    path : Path
    shape : tuple of int or None
        What the description of the store says; None stands for any number.
    dtype : str
        A kind of types: 'i' integers, 'f' floating point numbers, 'if' both.
    """
    found, found_dtype, start = read_header(path)
    fits = len(found) == len(shape) and all(b in (None, a) for a, b in zip(found, shape))
    if not fits or found_dtype.kind not in dtype:
        raise DamagedStoreError(
            f"{path} does not belong to the store: it is an array of shape {found} and type "
            f"{found_dtype}. Write the store anew."
        )
    if 0 in found:
        return np.empty(found, found_dtype)
    return np.asarray(np.memmap(path, found_dtype, "r", start, found))


def step_file(path, description):
    """Return the file of steps that a description names, as StepFile; checks it."""
    shape, dtype, start = read_header(path)
    expected = (description["n_steps"], description["n_columns"])
    if shape != expected or dtype.kind not in "if":
        raise DamagedStoreError(
            f"{path} does not belong to the store: it is an array of shape {shape} and type "
            f"{dtype}, and {expected} is expected. Write the store anew."
        )
    return StepFile(str(path), start, dtype, *shape)


def read_description(folder):
    """Return what store.json says.

    Parameters
    ----------
    folder : Path
    """
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no store at {folder}.") from None
        raise DamagedStoreError(
            f"{path} is missing: {folder} is not a store, or its writing was broken off. Write the "
            "store anew."
        ) from None
    except UnicodeDecodeError as error:
        raise DamagedStoreError(f"{path} is damaged: {error}. Write the store anew.") from error
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}")
        if found["version"] != VERSION:
            raise ValueError(f"its version is {found['version']!r}, and {VERSION} is known")
        for name in ("n_sequences", "n_steps", "n_columns"):
            if type(found[name]) is not int or found[name] < 0:
                raise ValueError(f"{name} is {found[name]!r}")
        _check_words(found["vocabulary"], "vocabulary")
        for name, column in found["columns"].items():
            if name not in COLUMNS or column["per"] not in ("sequence", "step"):
                raise ValueError(f"the column {name!r} is not known")
            _check_words(column["labels"], f"labels of {name}")
        for name in ("lowest", "highest"):
            if found[name] is not None:
                float(found[name])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedStoreError(
            f"{path} is damaged, or not of a store: {error}. Write the store anew."
        ) from error
    return found


def _check_words(words, what):
    if words is not None and not all(isinstance(word, str) for word in words):
        raise ValueError(f"{what} is not a list of strings")


def new_folder(path, overwrite):
    """Make the folder of a store.

    Parameters
    ----------
    path : path-like
    overwrite : bool
        Whether a store that is there is removed.

    Returns
    -------
    Path
    """
    folder = Path(path)
    ours = [folder / DESCRIPTION, *(folder / f"{name}.npy" for name in (
        "values", "offsets", *COLUMNS))]  # fmt: skip
    if folder.exists():
        others = [] if not folder.is_dir() else [p for p in folder.iterdir() if p not in ours]
        if not folder.is_dir() or others:
            raise FileExistsError(f"{folder} exists and is not a store. Choose another path.")
        if any(p.exists() for p in ours) and not overwrite:
            raise FileExistsError(
                f"{folder} holds a store. Choose another path, or pass overwrite=True."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for file in ours:
        file.unlink(missing_ok=True)
    return folder
