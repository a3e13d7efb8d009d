"""Reader for the ``.arff`` files of the UCR and UEA archives, flat or relational."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import csv
import re

import numpy as np
from sklearn.utils import Bunch

from skrnn.datasets._series_files import placed_lines, read_row
from skrnn.datasets._text_files import open_text

_ATTRIBUTE = re.compile(r"""@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.+)""", re.IGNORECASE)


def read_arff(path_or_file, *, return_X_y=False):
    r"""Read series and their labels or targets from an ``.arff`` file of the UCR/UEA archives.

    The last attribute is the label (nominal) or the target (numeric). The others are the values of
    a series of one dimension, or one relational attribute holds all dimensions, each a line within
    quotes. :func:`scipy.io.arff.loadarff` reads other files of this format, but not relations.

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
            Series. A missing value (``?``) is NaN; steps at the end that are NaN in all dimensions
            are padding and are cut off.
        target : ndarray of shape (n_series,)
            Class labels as strings, or numbers.
        target_names : ndarray of str or None
            Class labels, in the order of the header.
        name : str
            ``@relation``.
        DESCR : str
            Comments at the beginning of the file.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch object.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has the file and the number of the line.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_arff
    >>> text = ("@relation Toy\n@attribute x relational\n@attribute t0 numeric\n"
    ...         "@attribute t1 numeric\n@end x\n@attribute class {a,b}\n@data\n'1,2\\n3,4',a\n")
    >>> toy = read_arff(io.StringIO(text))
    >>> toy.data[0]
    array([[1., 3.],
           [2., 4.]])
    """
    file, name = open_text(path_or_file)
    with file as given:
        lines = placed_lines(given, name)
        header = _read_header(lines, name)
        data, target = [], []
        for where, line in lines:
            if not line.startswith("%"):
                values, label = _read_instance(where, line, header)
                data.append(values)
                target.append(label)
    if not data:
        raise ValueError(f"{name or 'the file'} has no series after @data.")
    target = np.array(target, dtype=np.float64 if header["labels"] is None else str)
    if return_X_y:
        return data, target
    labels = header["labels"]
    return Bunch(
        data=data, target=target, target_names=None if labels is None else np.array(labels),
        name=header["name"], DESCR="\n".join(header["comments"]),
    )  # fmt: skip


def _read_header(lines, name):
    found = {"name": "", "comments": [], "relational": False}
    within, kinds = False, []
    where = name or "the file"
    for where, line in lines:
        key = line.split()[0].lower()
        if line.startswith("%"):
            found["comments"].append(line[1:].strip())
        elif key == "@relation":
            found["name"] = line[len(key) :].strip().strip("'\"")
        elif key == "@end":
            within = False
        elif key == "@attribute":
            match = _ATTRIBUTE.fullmatch(line)
            if match is None:
                raise ValueError(f"{where}: @attribute needs a name and a type.")
            if match[2].strip().lower() == "relational":
                found["relational"] = within = True
            if not within or match[2].strip().lower() == "relational":
                kinds.append(match[2].strip())
        elif key == "@data":
            break
        else:
            raise ValueError(f"{where}: expected a header line or @data, got {line[:40]!r}.")
    else:
        raise ValueError(f"{where}: the file ends without @data.")
    if len(kinds) < 2 or (found["relational"] and len(kinds) != 2):
        raise ValueError(
            f"{where}: {len(kinds)} attribute(s), but values (or one relational attribute) and, as "
            "the last attribute, a label or target are needed."
        )
    nominal = kinds[-1].startswith("{")
    if not nominal and kinds[-1].lower() not in ("numeric", "real", "integer"):
        raise ValueError(
            f"{where}: the last attribute, {kinds[-1]!r}, is neither nominal nor numeric."
        )
    cells = next(csv.reader([kinds[-1].strip("{} ")], skipinitialspace=True, quotechar="'"))
    found["labels"] = [cell.strip() for cell in cells] if nominal else None
    found["width"] = len(kinds)
    return found


def _read_instance(where, line, header):
    cells = next(
        csv.reader([line], skipinitialspace=True, quotechar='"' if line[0] == '"' else "'")
    )
    if len(cells) != header["width"]:
        raise ValueError(f"{where}: {len(cells)} value(s), expected {header['width']}.")
    *values, label = cells
    label = label.strip()
    if header["labels"] is None:
        label = read_row(where, [label])[0]
    elif label not in header["labels"]:
        raise ValueError(f"{where}: {label!r} is not one of the labels of the header.")
    if header["relational"]:
        rows = [read_row(where, row.split(",")) for row in values[0].split(r"\n")]
    else:
        rows = [read_row(where, values)]
    if len(lengths := {len(row) for row in rows}) > 1:
        raise ValueError(
            f"{where}: dimensions of {min(lengths)} and {max(lengths)} steps; all of a series have "
            "the same."
        )
    table = np.ascontiguousarray(np.array(rows, dtype=np.float64).T)
    known = np.flatnonzero(~np.isnan(table).all(axis=1))
    return table[: known[-1] + 1 if len(known) else 0], label
