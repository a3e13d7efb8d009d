"""Readers for files with one token per line: CoNLL-U, and columns as of CoNLL-2003 and WNUT-17."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import re
import warnings
from collections import Counter
from numbers import Integral

from skrnn.datasets._text_files import BrokenLine, read_lines

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
CONLLU_ID = re.compile(
    r"(?P<word>[1-9][0-9]*)|(?P<first>[1-9][0-9]*)-(?P<last>[1-9][0-9]*)"
    r"|(?P<before>[0-9]+)\.[1-9][0-9]*"
)
SKIP = " To leave such sentences out with a warning, set errors='skip'."
REPORTED = 10  # lines that a warning about what is left out names


def read_conllu(path, column="upos", *, errors="raise", encoding="utf-8"):
    r"""Read sentences, and one column of their annotation, from a CoNLL-U file.

    This is the format of the Universal Dependencies: one word per line, in ten columns separated
    by tabs, and a blank line after each sentence. Only syntactic words are read; the lines of
    multiword tokens (``1-2``) and of empty nodes (``8.1``) are skipped. Lines that start with ``#``
    are comments. The format allows them only before a sentence; here they may be anywhere.

    Parameters
    ----------
    path : path-like or text file
        Path of a file, which may be compressed by gzip, bzip2, xz or (with Python 3.14 or the
        package zstandard) Zstandard, whatever its name; or a file open in text mode.

    column : str, default="upos"
        Column of the labels: "id", "form", "lemma", "upos", "xpos", "feats", "head",
        "deprel", "deps" or "misc".

    errors : {"raise", "skip"}, default="raise"
        What to do about a malformed line: raise an error, or leave its whole sentence out and
        warn, naming the lines.

    encoding : str, default="utf-8"
        Encoding of the file at `path`.

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
        sentence are not numbered from 1 or a range is impossible, or if there are no words.

    Warns
    -----
    UserWarning
        With `errors="skip"`, if sentences were left out.

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
    _check_errors(errors)
    place = CONLLU_COLUMNS.index(column)
    name, lines, broken = read_lines(path, encoding)
    blocks = _blocks(lines, broken, lambda line: not line)
    return _read(name, blocks, broken, errors, lambda block: _conllu_sentence(block, place))


def read_conll(
    path,
    *,
    token_column=0,
    label_column=-1,
    separator=None,
    comments=None,
    errors="raise",
    encoding="utf-8",
):
    r"""Read sentences, and one column of labels, from a file of columns.

    This is the format of CoNLL-2000, 2002 and 2003, WNUT-17, GermEval, MultiCoNER and many others:
    one token per line with its labels, in columns, and a blank line between sentences. A line that
    starts with ``-DOCSTART-`` counts as blank.

    Parameters
    ----------
    path : path-like or text file
        Path of a file, which may be compressed by gzip, bzip2, xz or (with Python 3.14 or the
        package zstandard) Zstandard, whatever its name; or a file open in text mode.

    token_column : int, default=0
        Column of the tokens, counted from 0, or from the end if negative.

    label_column : int or None, default=-1
        Column of the labels, counted in the same way. None reads a file without labels.

    separator : str or None, default=None
        Separator of the columns. None means a tab in lines that contain one, and any number of
        spaces in other lines. Other white space does not separate, so that tokens may contain it.

    comments : str or None, default=None
        What lines begin with that are comments, as ``"#"`` in GermEval and ``"# id "`` in
        MultiCoNER. None means that there are none: ``#`` is a token.

    errors : {"raise", "skip"}, default="raise"
        What to do about a malformed line: raise an error, or leave its whole sentence out and
        warn, naming the lines. With "skip" the number of columns is that of most lines, else that
        of the first.

    encoding : str, default="utf-8"
        Encoding of the file at `path`. The files of CoNLL-2002 and of the German part of
        CoNLL-2003 are in "latin-1".

    Returns
    -------
    X : list of list of str
        Tokens of each sentence.

    y : list of list of str, or None
        Labels of each sentence, one per token, without surrounding spaces. None with
        `label_column=None`.

    Raises
    ------
    ValueError
        If a line is malformed or has another number of columns than the first, in which case the
        message has its number; if a comment may be a token; if the tokens are but numbers that
        count them; or if there are no tokens.

    Warns
    -----
    UserWarning
        With `errors="skip"`, if sentences were left out.

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
    >>> text = "# GermEval\n1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n"
    >>> read_conll(io.StringIO(text), token_column=1, label_column=2, comments="#")
    ([['Schartau', 'sagte']], [['B-PER', 'O']])
    """
    _check_column_number("token_column", token_column)
    if label_column is not None:
        _check_column_number("label_column", label_column)
    _check_mark("separator", separator)
    _check_mark("comments", comments)
    _check_errors(errors)
    name, lines, broken = read_lines(path, encoding)
    split_comments = []
    blocks = []
    for block in _blocks(lines, broken, lambda line: not line or line.startswith("-DOCSTART-")):
        rows = []
        for number, line in block:
            target = rows
            if comments is not None and line.startswith(comments) and number not in broken:
                target = split_comments
            target.append((number, _split_cells(line, separator)))
        blocks.append(rows)
    columns = _Columns(name, blocks, token_column, label_column, errors)
    X, y = _read(name, blocks, broken, errors, columns.sentence)
    _refuse_numbers(X, columns)
    _refuse_tokens_among_comments(name, split_comments, y, columns, comments)
    return X, y if label_column is not None else None


def _blocks(lines, broken, is_boundary):
    """Return the runs of lines between boundaries, each line with its number."""
    blocks, block = [], []
    for number, line in enumerate(lines, start=1):
        if number in broken or not is_boundary(line):
            block.append((number, line))
        elif block:
            blocks.append(block)
            block = []
    return [*blocks, block] if block else blocks


def _read(name, blocks, broken, errors, parse):
    """Return the tokens and labels of all blocks; leave broken ones out if that is wanted."""
    X, y, skipped = [], [], []
    for block in blocks:
        try:
            if broken and (number := next((n for n, _ in block if n in broken), None)):
                raise BrokenLine(number, broken[number])
            tokens, labels = parse(block)
        except BrokenLine as error:
            message = f"{_where(name, error.number)}: {error.message}"
            if errors == "raise":
                raise ValueError(message + SKIP * (len(blocks) > 1)) from None
            skipped.append(message)
            continue
        if tokens:
            X.append(tokens)
            y.append(labels)
    if not X:
        reason = f" All sentences are malformed; {skipped[0]}" if skipped else ""
        raise ValueError(f"{name or 'the file'} has no tokens.{reason}")
    if skipped:
        more = len(skipped) - REPORTED
        warnings.warn(
            f"{len(skipped)} of {len(skipped) + len(X)} sentences were left out. "
            + "\n".join(skipped[:REPORTED])
            + (f"\nand {more} more" if more > 0 else ""),
            UserWarning,
            stacklevel=3,
        )
    return X, y


def _where(name, number):
    return f"{name}, line {number}" if name else f"line {number}"


# CoNLL-U


def _conllu_sentence(block, place):
    """Return the words and labels of a sentence."""
    tokens, labels = [], []
    range_end, range_line = 0, 0
    for number, line in block:
        if line.startswith("#"):
            continue
        cells = _conllu_cells(number, line)
        match = CONLLU_ID.fullmatch(cells[0])
        if match is None:
            raise BrokenLine(
                number,
                f"the ID {cells[0]!r} is neither an integer, from 1, nor a range (1-2) nor a "
                "decimal (8.1).",
            )
        if match["word"]:
            _check_conllu_word(number, cells, len(tokens))
            tokens.append(cells[1])
            labels.append(_conllu_label(number, cells, place))
        elif match["first"]:
            first, last = int(match["first"]), int(match["last"])
            if not max(len(tokens), range_end) + 1 == first <= last:
                raise BrokenLine(
                    number,
                    f"the range {cells[0]} is impossible here: it begins with the word that "
                    f"follows, {len(tokens) + 1}, ends no earlier, and overlaps no other range.",
                )
            range_end, range_line = last, number
        elif int(match["before"]) != len(tokens):
            raise BrokenLine(
                number,
                f"the empty node {cells[0]} stands after the word {len(tokens)}: its ID must be "
                f"{len(tokens)}.1, {len(tokens)}.2...",
            )
    if range_end > len(tokens):
        raise BrokenLine(
            range_line,
            f"the range ends with the word {range_end}, but the sentence has {len(tokens)} words.",
        )
    return tokens, labels


def _conllu_cells(number, line):
    cells = line.split("\t")
    if len(cells) != 10:
        spaced = len(line.split()) == 10 or len(cells) == 1
        hint = " Separate them by tabs, not by spaces." if spaced else ""
        raise BrokenLine(number, f"{len(cells)} column(s), expected 10 separated by tabs.{hint}")
    return cells


def _check_conllu_word(number, cells, n_words):
    if int(cells[0]) != n_words + 1:
        hint = " Put a blank line before each sentence." if cells[0] == "1" else ""
        raise BrokenLine(
            number,
            f"the ID is {cells[0]}, expected {n_words + 1}: the words of a sentence count "
            f"1, 2, 3...{hint}",
        )
    if not cells[1]:
        raise BrokenLine(number, "the FORM, in the second column, is empty.")


def _conllu_label(number, cells, place):
    label, column = cells[place], CONLLU_COLUMNS[place]
    if not label:
        raise BrokenLine(number, f"the column {column!r} is empty. Write _ for no label.")
    if " " in label and column not in ("form", "lemma", "misc"):
        raise BrokenLine(
            number,
            f"a space in {label!r}, in the column {column!r}. Remove it: only FORM, LEMMA "
            "and MISC may hold spaces.",
        )
    if label == "_" and not (column == "form" or (column == "lemma" and cells[1] == "_")):
        return None
    return label


# Columns


class _Columns:
    """The columns of a file: how many there are, and those of tokens and labels."""

    def __init__(self, name, blocks, token_column, label_column, errors):
        self.token_column = token_column
        self.label_column = label_column
        lines = [line for block in blocks for line in block]
        if not lines:
            self.size, self.model = 0, ""
            return
        number, cells = lines[0]
        if errors == "skip":  # the first line may be the broken one
            sizes = Counter(len(cells) for _, cells in lines)
            if sizes[len(cells)] <= len(lines) / 2:
                size = sizes.most_common(1)[0][0]
                number, cells = next(line for line in lines if len(line[1]) == size)
        self.size, self.model = len(cells), _where(name, number)
        self._check()

    def _check(self):
        for name, column in (
            ("token_column", self.token_column),
            ("label_column", self.label_column),
        ):
            if column is not None and not -self.size <= column < self.size:
                raise ValueError(
                    f"{self.model}: {name}={column}, but there are {self.size} column(s), counted "
                    f"from 0. Set {name} to one of them, or separator to what stands between them."
                )
        if self.label_column is not None and not (self.token_column - self.label_column) % (
            self.size
        ):
            raise ValueError(
                f"{self.model}: label_column={self.label_column} of {self.size} column(s) is that "
                "of the tokens. Set label_column to that of the labels (None for a file without "
                "labels), or separator to what stands between the columns."
            )

    def sentence(self, block):
        """Return the tokens and labels of a sentence."""
        tokens, labels = [], []
        for number, cells in block:
            if len(cells) != self.size:
                raise BrokenLine(
                    number,
                    f"{len(cells)} column(s), but {self.model} has {self.size}. Mend the line, "
                    "set separator to what stands between the columns, or comments to what "
                    "comments begin with.",
                )
            token = cells[self.token_column]
            if not token:
                raise BrokenLine(number, f"the token, in column {self.token_column}, is empty.")
            tokens.append(token)
            if self.label_column is not None:
                label = cells[self.label_column].strip(" ")
                if not label:
                    raise BrokenLine(
                        number, f"the label of {token!r}, in column {self.label_column}, is empty."
                    )
                labels.append(label)
        return tokens, labels


def _split_cells(line, separator):
    if separator is not None:
        return line.split(separator)
    if "\t" in line:
        return line.split("\t")
    # Not at all white space, which str.split() would.
    return [cell for cell in line.split(" ") if cell]


def _refuse_numbers(X, columns):
    """Raise where what is read as tokens only counts them, as the first column of GermEval does."""
    if max(map(len, X)) > 1 and any(
        all(tokens == [str(first + i) for i in range(len(tokens))] for tokens in X)
        for first in (0, 1)
    ):
        raise ValueError(
            f"{columns.model}: column {columns.token_column} only numbers the tokens of each "
            "sentence. Set token_column to that of the tokens."
        )


def _refuse_tokens_among_comments(name, rows, y, columns, comments):
    """Raise for a comment that may be a token: it has as many columns, and a label that occurs."""
    known = {label for labels in y for label in labels}
    for number, cells in rows:
        if len(cells) == columns.size and (
            columns.label_column is None or cells[columns.label_column].strip(" ") in known
        ):
            raise ValueError(
                f"{_where(name, number)}: begins with comments={comments!r}, but has the columns "
                "of a token. Make comments longer, so that no token begins with it, for example "
                "'# id '."
            )


def _check_column_number(name, column):
    if isinstance(column, bool) or not isinstance(column, Integral):
        raise ValueError(f"{name} must be an integer; got {column!r}.")


def _check_mark(name, mark):
    if mark is not None and (
        not isinstance(mark, str) or not mark or not {"\r", "\n"}.isdisjoint(mark)
    ):
        raise ValueError(
            f"{name} must be None or a string, neither empty nor a line end; got {mark!r}."
        )


def _check_errors(errors):
    if errors not in ("raise", "skip"):
        raise ValueError(f"errors must be 'raise' or 'skip'; got {errors!r}.")
