"""Readers for files with one token per line: CoNLL-U, and the columns of CoNLL-2003 and WNUT-17."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import gzip
import os
import re
from numbers import Integral

CONLLU_COLUMNS = (
    "id",
    "form",
    "lemma",
    "upos",
    "xpos",
    "feats",
    "head",
    "deprel",
    "deps",
    "misc",
)
# Ranges are 1-2, empty nodes 8.1, or 0.1 ahead of the first word.
CONLLU_ID = re.compile(r"(?P<word>[1-9][0-9]*)|[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*")


def read_conllu(path, column="upos"):
    r"""Read sentences, and one column of their annotation, from a CoNLL-U file.

    This is the format of the Universal Dependencies: one word per line, in ten columns separated
    by tabs, and a blank line after each sentence. Only syntactic words are read; the lines of
    multiword tokens (``1-2``) and of empty nodes (``8.1``) are skipped. Lines that start with ``#``
    are comments. The format allows them only before a sentence; here they may be anywhere.

    Parameters
    ----------
    path : path-like or text file
        Path of a file in UTF-8, compressed if it ends in ``.gz``, or a file open in text mode.

    column : str, default="upos"
        Column of the labels: "id", "form", "lemma", "upos", "xpos", "feats", "head",
        "deprel", "deps" or "misc".

    Returns
    -------
    X : list of list of str
        Words (FORM) of each sentence, which may contain spaces.

    y : list of list of str or None
        Labels of each sentence, one per word. A label that is not given (``_``) is None; a word
        that is an underscore, and its lemma, are ``"_"``.

    Raises
    ------
    ValueError
        If a line is malformed, in which case the message has its number, if the words of a
        sentence are not numbered from 1, or if there are no words.

    See Also
    --------
    read_conll : Read files with fewer columns, such as those of CoNLL-2003 and WNUT-17.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_conllu
    >>> rows = ["1 Dogs dog NOUN", "2 bark bark VERB", "3 . . _"]
    >>> text = "".join(row.replace(" ", "\t") + "\t_" * 6 + "\n" for row in rows)
    >>> X, y = read_conllu(io.StringIO(text))
    >>> X
    [['Dogs', 'bark', '.']]
    >>> y
    [['NOUN', 'VERB', None]]
    """
    if column not in CONLLU_COLUMNS:
        names = ", ".join(map(repr, CONLLU_COLUMNS))
        raise ValueError(f"column must be one of {names}; got {column!r}.")
    place = CONLLU_COLUMNS.index(column)
    sentences = _Sentences()
    name, lines = _read_lines(path)
    for where, line in lines:
        if not line:
            sentences.end()
        elif not line.startswith("#"):
            cells = _conllu_cells(where, line, n_words=len(sentences.tokens))
            if cells is not None:
                sentences.add(cells[1], _conllu_label(where, cells, place))
    return sentences.get(name)


def read_conll(path, column=-1, separator=None):
    r"""Read sentences, and one column of labels, from a file of columns.

    This is the format of CoNLL-2000, CoNLL-2003 and WNUT-17: one token per line, in the first
    column, with its labels in the other columns, and a blank line between sentences. A line that
    starts with ``-DOCSTART-`` counts as blank. There are no comments: ``#`` is a token.

    Parameters
    ----------
    path : path-like or text file
        Path of a file in UTF-8, compressed if it ends in ``.gz``, or a file open in text mode.

    column : int, default=-1
        Column of the labels, counted from 0, or from the end if negative. Column 0 is the token.

    separator : str or None, default=None
        Separator of the columns. None means a tab in lines that contain one, and any number of
        spaces in other lines. Other white space does not separate, so that tokens may contain it.

    Returns
    -------
    X : list of list of str
        Tokens of each sentence.

    y : list of list of str
        Labels of each sentence, one per token, without surrounding spaces.

    Raises
    ------
    ValueError
        If a line is malformed or has another number of columns than the first, in which case the
        message has its number, or if there are no tokens.

    See Also
    --------
    read_conllu : Read the files of the Universal Dependencies.

    Examples
    --------
    >>> import io
    >>> from skrnn.datasets import read_conll
    >>> text = "Ada NNP B-person\nLovelace NNP I-person\n\n#fun NN O\n"
    >>> X, y = read_conll(io.StringIO(text))
    >>> X
    [['Ada', 'Lovelace'], ['#fun']]
    >>> y
    [['B-person', 'I-person'], ['O']]
    """
    if isinstance(column, bool) or not isinstance(column, Integral):
        raise ValueError(f"column must be an integer; got {column!r}.")
    if separator is not None and (
        not isinstance(separator, str) or not separator or not {"\r", "\n"}.isdisjoint(separator)
    ):
        raise ValueError(
            f"separator must be None or a string, neither empty nor a line end; got {separator!r}."
        )
    sentences = _Sentences()
    first = None
    name, lines = _read_lines(path)
    for where, line in lines:
        if not line or line.startswith("-DOCSTART-"):
            sentences.end()
            continue
        cells = _split(line, separator)
        if first is None:
            first = where, len(cells)
            _check_column(where, column, len(cells))
        if len(cells) != first[1]:
            raise ValueError(
                f"{where}: {len(cells)} column(s), but {first[0]} has {first[1]}. Mend the line, "
                "or set separator to what stands between the columns."
            )
        token, label = cells[0], cells[column].strip(" ")
        if not token:
            raise ValueError(f"{where}: the token, in the first column, is empty.")
        if not label:
            raise ValueError(f"{where}: the label of {token!r}, in column {column}, is empty.")
        sentences.add(token, label)
    return sentences.get(name)


class _Sentences:
    """Sentences read so far, and the sentence being read."""

    def __init__(self):
        self.X, self.y = [], []
        self.tokens, self.labels = [], []

    def add(self, token, label):
        self.tokens.append(token)
        self.labels.append(label)

    def end(self):
        """End the sentence, if there is one; several blank lines count as one."""
        if self.tokens:
            self.X.append(self.tokens)
            self.y.append(self.labels)
            self.tokens, self.labels = [], []

    def get(self, name):
        self.end()
        if not self.X:
            raise ValueError(f"{name or 'the file'} has no tokens.")
        return self.X, self.y


def _read_lines(path_or_file):
    r"""Return the name of the file and its lines, each with its place for error messages.

    Lines end at ``\n`` or ``\r\n`` only, because tokens may contain the other characters at which
    `str.splitlines` splits. Blank lines are returned as empty strings.
    """
    if hasattr(path_or_file, "read"):
        name = getattr(path_or_file, "name", None)
        name = name if isinstance(name, str) else ""
        text = path_or_file.read()
        if not isinstance(text, str):
            raise TypeError("the file must be open in text mode")
    else:
        name = os.fsdecode(path_or_file)
        opener = gzip.open if name.endswith(".gz") else open
        with opener(path_or_file, "rb") as file:
            text = _decode(name, file.read())
    return name, _numbered(name, text.removeprefix("\ufeff"))


def _decode(name, content):
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{_where(name, number)}: the byte 0x{content[error.start]:02x} is not UTF-8. Convert "
            "the file, or pass it open in text mode with its encoding."
        ) from None


def _numbered(name, text):
    for number, line in enumerate(text.split("\n"), start=1):
        where = _where(name, number)
        line = line.rstrip("\r")
        if "\r" in line:
            raise ValueError(
                f"{where}: a carriage return inside the line. Save the file with line feeds as "
                "line ends."
            )
        yield where, line if line.strip(" \t") else ""


def _where(name, number):
    return f"{name}, line {number}" if name else f"line {number}"


def _conllu_cells(where, line, n_words):
    """Return the ten columns of a word, None for a multiword token or an empty node."""
    cells = line.split("\t")
    if len(cells) != 10:
        spaced = len(line.split()) == 10 or len(cells) == 1
        hint = " Separate them by tabs, not by spaces." if spaced else ""
        raise ValueError(f"{where}: {len(cells)} column(s), expected 10 separated by tabs.{hint}")
    match = CONLLU_ID.fullmatch(cells[0])
    if match is None:
        raise ValueError(
            f"{where}: the ID {cells[0]!r} is neither an integer, from 1, nor a range (1-2) nor a "
            "decimal (8.1)."
        )
    if match["word"] is None:
        return None
    if int(cells[0]) != n_words + 1:
        hint = " Put a blank line before each sentence." if cells[0] == "1" else ""
        raise ValueError(
            f"{where}: the ID is {cells[0]}, expected {n_words + 1}: the words of a sentence count "
            f"1, 2, 3...{hint}"
        )
    if not cells[1]:
        raise ValueError(f"{where}: the FORM, in the second column, is empty.")
    return cells


def _conllu_label(where, cells, place):
    label, column = cells[place], CONLLU_COLUMNS[place]
    if not label:
        raise ValueError(f"{where}: the column {column!r} is empty. Write _ for no label.")
    if " " in label and column not in ("form", "lemma", "misc"):
        raise ValueError(
            f"{where}: a space in {label!r}, in the column {column!r}. Remove it: only FORM, LEMMA "
            "and MISC may hold spaces."
        )
    if label == "_" and not (column == "form" or (column == "lemma" and cells[1] == "_")):
        return None
    return label


def _split(line, separator):
    if separator is not None:
        return line.split(separator)
    if "\t" in line:
        return line.split("\t")
    # Not at all white space, which str.split() would.
    return [cell for cell in line.split(" ") if cell]


def _check_column(where, column, n_columns):
    if not -n_columns <= column < n_columns:
        raise ValueError(
            f"{where}: no column {column} among {n_columns} column(s). Set column to one of them, "
            "or separator to what stands between them."
        )
    if column in (0, -n_columns):
        raise ValueError(
            f"{where}: column {column} of {n_columns} column(s) is the token. Set column to that "
            "of the labels, or separator to what stands between the columns."
        )
