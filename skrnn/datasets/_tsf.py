"""Reader for the ``.tsf`` files of the Monash archive of forecasting."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from datetime import datetime

import numpy as np
from sklearn.utils import Bunch

from skrnn.datasets._series_files import placed_lines, read_row
from skrnn.datasets._text_files import open_text


def read_tsf(path_or_file):
    r"""Read series to be forecast, and their names and first dates, from a ``.tsf`` file.

    This is the format of the Monash Time Series Forecasting Archive [1]_: a header of lines that
    start with ``@``, then one series per line, with its attributes and its values separated by
    ``:``. Lines that start with ``#`` are comments.

    Parameters
    ----------
    path_or_file : path-like or text file
        Path of a file, which gzip, bzip2, xz or Zstandard may have compressed, or a file open in
        text mode.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : list of ndarray of shape (T_i, 1), dtype=float64
            Series of any lengths. A missing value (``?``) is NaN.
        attributes : dict of ndarray of shape (n_series,)
            The attributes of each series by their names, such as ``series_name`` (str) and
            ``start_timestamp`` (datetime64).
        frequency : str or None
            As written, such as ``weekly`` or ``half_hourly``.
        horizon : int or None
            Number of steps to forecast, where the file says so.
        name : str
            ``@relation``.
        DESCR : str
            Comments at the beginning of the file.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has the file and the number of the line.

    References
    ----------
    .. [1] Godahewa et al. (2021). Monash time series forecasting archive. NeurIPS Datasets and
       Benchmarks.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_tsf
    >>> text = ("@attribute series_name string\n@attribute start_timestamp date\n"
    ...         "@frequency daily\n@data\nT1:2024-01-31 00-00-00:1,?,3\n")
    >>> toy = read_tsf(io.StringIO(text))
    >>> toy.data[0].ravel()
    array([ 1., nan,  3.])
    >>> toy.attributes["start_timestamp"]
    array(['2024-01-31T00:00:00'], dtype='datetime64[s]')
    """
    file, name = open_text(path_or_file)
    columns, found, comments = {}, {"relation": "", "frequency": None, "horizon": None}, []
    with file as given:
        lines = placed_lines(given, name)
        where = name or "the file"
        for where, line in lines:
            if line.startswith("#"):
                comments.append(line[1:].strip())
            elif line.lower() == "@data":
                break
            else:
                _read_header_line(where, line, columns, found)
        else:
            raise ValueError(f"{where}: the file ends without @data.")
        if not columns:
            raise ValueError(f"{where}: no @attribute line before @data.")
        data, rows = [], []
        for where, line in lines:
            if line.startswith("#"):
                continue
            *cells, values = line.split(":")
            if len(cells) != len(columns):
                raise ValueError(
                    f"{where}: {len(cells)} attribute(s) before the values, expected "
                    f"{len(columns)}, separated by ':'."
                )
            rows.append([_read_cell(where, cell.strip(), kind)
                         for cell, kind in zip(cells, columns.values(), strict=True)])  # fmt: skip
            data.append(np.array(read_row(where, values.split(",")))[:, np.newaxis])
    if not data:
        raise ValueError(f"{name or 'the file'} has no series after @data.")
    types = {"numeric": np.float64, "date": "datetime64[s]", "string": str}
    attributes = {
        column: np.array([row[i] for row in rows], dtype=types[kind])
        for i, (column, kind) in enumerate(columns.items())
    }
    return Bunch(
        data=data, attributes=attributes, frequency=found["frequency"], horizon=found["horizon"],
        name=found["relation"], DESCR="\n".join(comments),
    )  # fmt: skip


def _read_header_line(where, line, columns, found):
    key, *words = line.split()
    key = key.lower()
    if not key.startswith("@"):
        raise ValueError(f"{where}: expected a header line or @data, got {line[:40]!r}.")
    if key == "@attribute":
        if len(words) != 2 or words[1].lower() not in ("string", "numeric", "date"):
            raise ValueError(
                f"{where}: @attribute needs a name and its type: string, numeric or date."
            )
        columns[words[0]] = words[1].lower()
    elif key == "@horizon":
        if len(words) != 1 or not words[0].isdecimal() or int(words[0]) == 0:
            raise ValueError(f"{where}: @horizon must be a positive integer.")
        found["horizon"] = int(words[0])
    elif key in ("@relation", "@frequency"):
        found[key[1:]] = " ".join(words)


def _read_cell(where, text, kind):
    if kind == "numeric":
        return read_row(where, [text])[0]
    if kind == "date":
        try:
            return datetime.strptime(text, "%Y-%m-%d %H-%M-%S")
        except ValueError:
            raise ValueError(
                f"{where}: the date {text!r} is not written as 2024-01-31 12-00-00."
            ) from None
    return text
