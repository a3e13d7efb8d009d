"""Reader for the ``.ts`` files of the UCR and UEA time series archives."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import gzip
import os
from contextlib import nullcontext

import numpy as np
from sklearn.utils import Bunch


def read_ts(path_or_file, *, return_X_y=False):
    r"""Read time series, and their labels or targets, from a ``.ts`` file.

    This is the format of the UCR and UEA archives and of sktime and aeon: a header of lines
    that start with ``@``, then one series per line, with its dimensions separated by ``:``.

    Parameters
    ----------
    path_or_file : path-like or text file
        Path of a file, compressed if it ends in ``.gz``, or a file open in text mode.

    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : list of ndarray of shape (T_i, n_dimensions), dtype=float64
            Series of any lengths. A missing value (``?``) is NaN.
        target : ndarray of shape (n_series,) or None
            Class labels as strings, or numbers if the header has ``@targetLabel true``. None if
            the file has neither.
        target_names : ndarray of str or None
            Class labels, in the order of the header.
        feature_names : list of str
            ``dim_0``, ``dim_1``, ...: the format has no names for dimensions.
        DESCR : str
            Comments at the beginning of the file.
        name : str
            Name of the problem, ``@problemName``.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch object.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has its number, or if the series have
        time stamps, which are not supported.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_ts
    >>> text = "@univariate false\n@classLabel true up down\n@data\n1,2,3:4,5,6:up\n"
    >>> toy = read_ts(io.StringIO(text))
    >>> toy.data[0]
    array([[1., 4.],
           [2., 5.],
           [3., 6.]])
    >>> toy.target
    array(['up'], dtype='<U2')
    """
    with _open(path_or_file) as file:
        lines = _numbered(file)
        header = _read_header(lines)
        data, target = _read_series(lines, header)
    if header.has_targets:
        target = np.array(target, dtype=np.float64)
    elif header.labels is not None:
        target = np.array(target, dtype=str)
    else:
        target = None
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=None if header.labels is None else np.array(header.labels, dtype=str),
        feature_names=[f"dim_{d}" for d in range(data[0].shape[1])],
        DESCR="\n".join(header.comments),
        name=header.name,
    )


class _Header:
    """Information about the series from the header."""

    def __init__(self):
        self.name = ""
        self.comments = []
        self.n_dimensions = None
        self.series_length = None
        self.equal_length = False
        self.labels = None
        self.has_targets = False

    def read(self, number, line):
        """Read one ``@`` line; unknown keys are ignored."""
        key, *words = line[1:].split()
        key = key.lower()
        if key == "problemname":
            self.name = " ".join(words)
        elif key == "timestamps" and _as_bool(number, key, words):
            raise ValueError(
                f"line {number}: series with time stamps are not supported. Write the values "
                "alone, or read the file with sktime or aeon."
            )
        elif key == "univariate" and _as_bool(number, key, words):
            self.n_dimensions = 1
        elif key in ("dimension", "dimensions"):
            self.n_dimensions = _as_count(number, key, words)
        elif key == "equallength":
            self.equal_length = _as_bool(number, key, words)
        elif key == "serieslength":
            self.series_length = _as_count(number, key, words)
        elif key == "classlabel":
            self.labels = words[1:] if _as_bool(number, key, words) else None
            if self.labels == []:
                raise ValueError(f"line {number}: @classLabel true needs the labels.")
        elif key == "targetlabel":
            self.has_targets = _as_bool(number, key, words)


def _open(path_or_file):
    if hasattr(path_or_file, "read"):
        return nullcontext(path_or_file)
    path = os.fspath(path_or_file)
    opener = gzip.open if str(path).endswith(".gz") else open
    # The archive's comments are in several encodings, its numbers always in ASCII.
    return opener(path, "rt", encoding="utf-8-sig", errors="replace")


def _numbered(file):
    """Yield the number and the text of the lines that are not blank."""
    for number, line in enumerate(file, start=1):
        if not isinstance(line, str):
            raise TypeError("the file must be open in text mode")
        line = line.strip()
        if line:
            yield number, line


def _read_header(lines):
    header = _Header()
    number = 0
    for number, line in lines:
        if line.startswith("#"):
            header.comments.append(line[1:].strip())
        elif not line.startswith("@") or line == "@":
            raise ValueError(f"line {number}: expected a header line or @data, got {line[:40]!r}.")
        elif line.lower() == "@data":
            return header
        else:
            header.read(number, line)
    raise ValueError(f"the file ends at line {number} without @data.")


def _read_series(lines, header):
    data, target = [], []
    n_dimensions = header.n_dimensions
    n_steps = header.series_length if header.equal_length else None
    for number, line in lines:
        if line.startswith("#"):
            continue
        parts = line.split(":")
        if header.has_targets or header.labels is not None:
            target.append(_read_target(number, parts.pop().strip(), header))
        n_dimensions = n_dimensions or len(parts)
        if len(parts) != n_dimensions:
            raise ValueError(
                f"line {number}: {len(parts)} dimension(s), expected {n_dimensions}, "
                "separated by ':'."
            )
        series = _read_values(number, parts)
        if n_steps is not None and len(series) != n_steps:
            raise ValueError(
                f"line {number}: {len(series)} step(s), but @seriesLength is {n_steps}."
            )
        data.append(series)
    if not data:
        raise ValueError("the file has no series after @data.")
    return data, target


def _read_target(number, text, header):
    if header.has_targets:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"line {number}: the target {text!r} is not a number.") from None
    if text not in header.labels:
        raise ValueError(f"line {number}: {text!r} is not one of the labels of @classLabel.")
    return text


def _read_values(number, parts):
    """Return the dimensions of one line as an array (n_steps, n_dimensions)."""
    rows = []
    for d, part in enumerate(parts):
        if "?" in part:
            part = part.replace("?", "nan")
        try:
            rows.append(list(map(float, part.split(","))))
        except ValueError as error:
            stamped = " Time stamps are not supported." if part.startswith("(") else ""
            raise ValueError(f"line {number}, dimension {d}: {error}.{stamped}") from None
        if len(rows[d]) != len(rows[0]):
            raise ValueError(
                f"line {number}: dimension {d} has {len(rows[d])} step(s), but dimension 0 has "
                f"{len(rows[0])}."
            )
    return np.ascontiguousarray(np.array(rows, dtype=np.float64).T)


def _as_bool(number, key, words):
    value = words[0].lower() if words else ""
    if value not in ("true", "false"):
        raise ValueError(f"line {number}: @{key} must be true or false.")
    return value == "true"


def _as_count(number, key, words):
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) == 0:
        raise ValueError(f"line {number}: @{key} must be a positive integer.")
    return int(words[0])
