"""Reader for text files of word vectors, as GloVe, word2vec and fastText write them."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import bz2
import gzip
import io
import lzma
import os
import zlib
from warnings import warn

import numpy as np

from skrnn.datasets._text_files import BZIP2, GZIP, UNREADABLE, XZ, ZSTANDARD, decompress

FIRST_BYTES = 512  # tell the format of a file


def read_word_vectors(path_or_file, words=None):
    r"""Read word vectors from a text file, a word and its vector per line.

    GloVe [1]_ writes such files; word2vec [2]_ and fastText, whose files end in ``.txt`` or
    ``.vec``, put a line with the numbers of words and of dimensions before them.

    Parameters
    ----------
    path_or_file : path-like or text file
        Path of a file in UTF-8, or a file open in text mode. A path may be that of a file
        compressed by gzip, bzip2, xz or Zstandard. The file is read line by line, so that little
        more memory is needed than for the vectors.

    words : collection of str, default=None
        Words whose vectors to read; others are passed over, which is several times faster. None
        reads all.

    Returns
    -------
    dict of str to ndarray of shape (dim,), dtype=float32
        Vectors in the order of the file. Of a word that occurs more than once, the first, with a
        warning.

    Raises
    ------
    ValueError
        If the file is no text, or a line of it is malformed or has another number of dimensions;
        the message has the number of the line.

    References
    ----------
    .. [1] Pennington, Socher and Manning (2014). GloVe: global vectors for word representation.
    .. [2] Mikolov et al. (2013). Distributed representations of words and phrases and their
       compositionality.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_word_vectors
    >>> vectors = read_word_vectors(io.StringIO("the 0.1 0.2\ncat 0.5 -1\n"))
    >>> vectors["cat"].tolist()
    [0.5, -1.0]
    """
    if hasattr(path_or_file, "read"):
        name = getattr(path_or_file, "name", None)
        lines, name = path_or_file, name if isinstance(name, str) else "file"
    else:
        name = os.fsdecode(path_or_file)
        lines = _open(path_or_file, name)
    words = None if words is None else set(words)
    try:
        with lines if lines is not path_or_file else _left_open(lines):
            return _read(lines, name, words)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is no text in UTF-8. If it is a binary file of word2vec, load it with "
            "gensim.models.KeyedVectors.load_word2vec_format(path, binary=True)."
        ) from error
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(
            f"{name} is compressed, but it is damaged or incomplete: {error}. Fetch it again."
        ) from error


class _left_open:
    """Context of a file that whoever has opened it closes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self.file

    def __exit__(self, *error):
        return None


def _open(path, name):
    """Open a file, compressed or not, as a stream of lines."""
    with open(path, "rb") as file:
        start = file.read(FIRST_BYTES)
    for what, pattern in UNREADABLE.items():
        if pattern.match(start):
            raise ValueError(f"{name} is {what}. Unpack it first.")
    text = {"encoding": "utf-8", "newline": "\n"}
    for pattern, opener in ((GZIP, gzip.open), (BZIP2, bz2.open), (XZ, lzma.open)):
        if pattern.match(start):
            return opener(path, "rt", **text)
    if ZSTANDARD.match(start):
        with open(path, "rb") as file:
            content = decompress(name, file.read())
        return io.TextIOWrapper(io.BytesIO(content), **text)
    return open(path, **text)


def _read(lines, name, words):
    vectors, dim, repeated = {}, None, []
    for number, line in enumerate(lines, start=1):
        line = line.removeprefix("\ufeff") if number == 1 else line
        line = line.rstrip(" \t\r\n")
        if not line:
            continue
        if number == 1 and (header := _header(line)):
            dim = header
            continue
        if dim is None:
            dim = _dimensions(line, name, number)
        word, *numbers = line.replace("\t", " ").rsplit(" ", dim)
        if len(numbers) < dim or (" " in word and _is_number(word.rsplit(" ", 1)[1])):
            found = line.replace("\t", " ").count(" ")
            raise ValueError(
                f"{name}, line {number}: {found} numbers behind {line.split()[0]!r}, where vectors "
                f"have {dim}."
            )
        if words is not None and word not in words:
            continue
        if word in vectors:
            repeated.append(word)
            continue
        try:
            vectors[word] = np.array(numbers, dtype=np.float32)
        except ValueError:
            wrong = next(x for x in numbers if not _is_number(x))
            raise ValueError(
                f"{name}, line {number}: {wrong!r} in the vector of {word!r} is no number."
            ) from None
    if dim is None:
        raise ValueError(f"{name} has no word vector.")
    if repeated:
        warn(
            f"{name} has more than one vector for {len(repeated)} word(s), the first of which is "
            f"{repeated[0]!r}: the first vector of each counts.",
            UserWarning,
            stacklevel=3,
        )
    return vectors


def _header(line):
    """Return the dimensions of a line that counts words and dimensions, or None."""
    parts = line.split()
    whole = len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts)
    return int(parts[1]) if whole and int(parts[1]) > 0 else None


def _dimensions(line, name, number):
    """Count the numbers behind the word of the first line."""
    fields = line.replace("\t", " ").split(" ")
    dim = 0
    while dim < len(fields) - 1 and _is_number(fields[-1 - dim]):
        dim += 1
    if dim == 0:
        raise ValueError(
            f"{name}, line {number}: a word and the numbers of its vector are expected, separated "
            f"by spaces, but it begins with {line[:40]!r}."
        )
    return dim


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
