"""Reader for the ``.ts`` files of the UCR and UEA time series archives."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import re

import numpy as np
from sklearn.utils import Bunch

from skrnn.datasets._series_files import placed_lines, read_row, read_stamps
from skrnn.datasets._text_files import open_text


def read_ts(path_or_file, *, return_X_y=False):
    r"""Read time series, and their labels or targets, from a ``.ts`` file.

    This is the format of the UCR and UEA archives and of sktime and aeon: a header of lines
    that start with ``@``, then one series per line, with its dimensions separated by ``:``. Lines
    that start with ``#`` or ``%`` are comments.

    Parameters
    ----------
    path_or_file : path-like or text file
        Path of a file, which gzip, bzip2, xz or Zstandard may have compressed, or a file open in
        text mode.

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
        timestamps : list of ndarray of shape (T_i,), or None
            The time of each step, datetime64 or numbers, if the header has ``@timeStamps true``;
            all dimensions of a series share it.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch object.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has its where, or if the series have
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
    opened, name = open_text(path_or_file)
    with opened as file:
        lines = placed_lines(file, name)
        header = _read_header(lines, name)
        data, target, stamps = _read_series(lines, header, name)
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
        timestamps=stamps,
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
        self.stamped = False

    def read(self, where, line):
        """Read one ``@`` line; unknown keys are ignored."""
        key, *words = line[1:].split()
        key = key.lower()
        if key == "problemname":
            self.name = " ".join(words)
        elif key == "timestamps":
            self.stamped = _as_bool(where, key, words)
        elif key == "univariate" and _as_bool(where, key, words):
            self.n_dimensions = 1
        elif key in ("dimension", "dimensions"):
            self.n_dimensions = _as_count(where, key, words)
        elif key == "equallength":
            self.equal_length = _as_bool(where, key, words)
        elif key == "serieslength":
            self.series_length = _as_count(where, key, words)
        elif key == "classlabel":
            self.labels = words[1:] if _as_bool(where, key, words) else None
            if self.labels == []:
                raise ValueError(f"{where}: @classLabel true needs the labels.")
        elif key == "targetlabel":
            self.has_targets = _as_bool(where, key, words)


def _read_header(lines, name):
    header = _Header()
    where = name or "line 0"
    for where, line in lines:
        if line.startswith(("#", "%")):
            header.comments.append(line[1:].strip())
        elif not line.startswith("@") or line == "@":
            raise ValueError(f"{where}: expected a header line or @data, got {line[:40]!r}.")
        elif line.lower() == "@data":
            return header
        else:
            header.read(where, line)
    raise ValueError(f"{where}: the file ends without @data.")


def _read_series(lines, header, name):
    data, target, stamps = [], [], []
    n_dimensions = header.n_dimensions
    n_steps = header.series_length if header.equal_length else None
    for where, line in lines:
        if line.startswith(("#", "%")):
            continue
        # Dates within parentheses have colons too.
        parts = re.split(r":(?![^(]*\))", line) if header.stamped else line.split(":")
        if header.has_targets or header.labels is not None:
            target.append(_read_target(where, parts.pop().strip(), header))
        n_dimensions = n_dimensions or len(parts)
        if len(parts) != n_dimensions:
            raise ValueError(
                f"{where}: {len(parts)} dimension(s), expected {n_dimensions}, separated by ':'."
            )
        if header.stamped:
            parts, index = _read_stamped(where, parts)
            stamps.append(index)
        series = _read_values(where, parts)
        if n_steps is not None and len(series) != n_steps:
            raise ValueError(f"{where}: {len(series)} step(s), but @seriesLength is {n_steps}.")
        data.append(series)
    if not data:
        raise ValueError(f"{name or 'the file'} has no series after @data.")
    return data, target, stamps if header.stamped else None


def _read_target(where, text, header):
    if header.has_targets:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{where}: the target {text!r} is not a number.") from None
    if text not in header.labels:
        raise ValueError(f"{where}: {text!r} is not one of the labels of @classLabel.")
    return text


def _read_stamped(where, parts):
    """Return dimensions without their time stamps, and the time stamps, which they share."""
    values, shared = [], None
    for d, part in enumerate(parts):
        pairs = re.findall(r"\(([^()]*),([^(),]*)\)", part)
        if not pairs or re.sub(r"\([^()]*\)", "", part).strip(", "):
            raise ValueError(
                f"{where}, dimension {d}: expected pairs (time stamp,value), got {part[:40]!r}."
            )
        stamps = read_stamps(f"{where}, dimension {d}", [stamp.strip() for stamp, _ in pairs])
        if shared is not None and not np.array_equal(stamps, shared):
            raise ValueError(
                f"{where}: dimensions 0 and {d} have different time stamps. Bring them to common "
                "ones first, with NaN (?) for values that are missing."
            )
        shared = stamps
        values.append(",".join(value.strip() for _, value in pairs))
    return values, shared


def _read_values(where, parts):
    """Return the dimensions of one line as an array (n_steps, n_dimensions)."""
    rows = []
    for d, part in enumerate(parts):
        if part.lstrip().startswith("("):
            raise ValueError(
                f"{where}, dimension {d}: time stamps, but the header has no @timeStamps true."
            )
        rows.append(read_row(f"{where}, dimension {d}", part.split(",")))
        if len(rows[d]) != len(rows[0]):
            raise ValueError(
                f"{where}: dimension {d} has {len(rows[d])} step(s), but dimension 0 has "
                f"{len(rows[0])}."
            )
    return np.ascontiguousarray(np.array(rows, dtype=np.float64).T)


def _as_bool(where, key, words):
    value = words[0].lower() if words else ""
    if value not in ("true", "false"):
        raise ValueError(f"{where}: @{key} must be true or false.")
    return value == "true"


def _as_count(where, key, words):
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) == 0:
        raise ValueError(f"{where}: @{key} must be a positive integer.")
    return int(words[0])
