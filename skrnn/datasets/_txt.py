"""Reader for the plain text files of the UCR archive: a label, then the values."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.utils import Bunch

from skrnn.datasets._series_files import placed_lines, read_row
from skrnn.datasets._text_files import open_text


def read_txt(path_or_file, *, return_X_y=False):
    r"""Read series and their labels from a plain text file, one series per line.

    This is the format of ``.txt`` and ``.tsv`` files of the UCR archive: the label, then the values
    of the series, separated by blanks, tabs or commas. Lines may have unequal lengths; NaN at the
    end of a line is padding and is cut off.

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

        data : list of ndarray of shape (T_i, 1), dtype=float64
            Series. A missing value (``NaN`` or ``?``) between others is NaN.
        target : ndarray of shape (n_series,), dtype=str
            Labels; those that are whole numbers are written as such: ``1.0000000e+00`` is "1".

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch object.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has the file and the number of the line,
        or if there is no series.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_txt
    >>> toy = read_txt(io.StringIO("  1.0e+00  0.5  2.5\n  2.0e+00  1.5\n"))
    >>> [x.ravel().tolist() for x in toy.data], toy.target.tolist()
    ([[0.5, 2.5], [1.5]], ['1', '2'])
    """
    file, name = open_text(path_or_file)
    data, target = [], []
    with file as lines:
        for where, line in placed_lines(lines, name):
            label, *cells = line.split(",") if "," in line else line.split()
            values = np.array(read_row(where, cells), dtype=np.float64)
            known = np.flatnonzero(~np.isnan(values))
            if len(known) == 0:
                raise ValueError(f"{where}: a label, {label[:40]!r}, but no value after it.")
            data.append(values[: known[-1] + 1, np.newaxis])
            target.append(_label(label.strip()))
    if not data:
        raise ValueError(f"{name or 'the file'} has no series.")
    target = np.array(target, dtype=str)
    return (data, target) if return_X_y else Bunch(data=data, target=target)


def _label(text):
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
