"""Tests for the readers of CoNLL-U and of files of columns."""

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import warnings

import pytest

from skrnn.datasets import read_conll, read_conllu

COLUMNS = ["id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"]
UD = """\
# newdoc
# text = Don't go to New York
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\tMood=Imp\t3\taux\t3:aux\t_
2\tn't\tnot\tPART\t_\t_\t3\tadvmod\t3:advmod\t_
#a late remark
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t0:root\tA=b c
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\tNew York\tNew York\tPROPN\tNNP\t_\t3\tobl\t3:obl\t_

# text = _
1\t_\t_\tSYM\tNFP\t_\t0\troot\t0:root\t_
2\tx\t_\t_\t_\t_\t1\tdep\t1:dep\t_

"""
UD_WORDS = [["Do", "n't", "go", "New York"], ["_", "x"]]
UD_TAGS = [["AUX", "PART", "VERB", "PROPN"], ["SYM", None]]
NER = """\
-DOCSTART- -X- O

Ada NNP B-person
wrote  VBD   O
# NN O

fine JJ O
"""
NER_TOKENS = [["Ada", "wrote", "#"], ["fine"]]
NER_LABELS = [["B-person", "O", "O"], ["O"]]


def word(*cells):
    """Make a line of CoNLL-U from its first cells."""
    return "\t".join([*cells, *"_" * (10 - len(cells))]) + "\n"


def conllu(text, *options, **named):
    return read_conllu(io.StringIO(text), *options, **named)


def conll(text, **named):
    return read_conll(io.StringIO(text), **named)


def lengths(sentences):
    return [len(sentence) for sentence in sentences]


READERS = [
    pytest.param(read_conllu, UD, (UD_WORDS, UD_TAGS), id="conllu"),
    pytest.param(read_conll, NER, (NER_TOKENS, NER_LABELS), id="conll"),
]


@pytest.mark.parametrize(("reader", "text", "expected"), READERS)
class TestBoth:
    def test_sources(self, reader, text, expected, tmp_path):
        plain = tmp_path / "toy.txt"
        plain.write_bytes(text.encode())
        with open(plain, encoding="utf-8") as file:
            for source in (plain, str(plain), os.fsencode(plain), file, io.StringIO(text)):
                assert reader(source) == expected
        with open(plain, "rb") as file, pytest.raises(TypeError, match="open in text mode"):
            reader(file)

    @pytest.mark.parametrize("name", ["toy.gz", "TOY.GZ", "toy.txt"])  # the content decides
    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
    def test_compressed(self, reader, text, expected, tmp_path, pack, name):
        path = tmp_path / name
        half = len(text.encode()) // 2  # such files may be joined
        path.write_bytes(pack(text.encode()[:half]) + pack(text.encode()[half:]))
        assert reader(path) == reader(os.fsencode(path)) == expected
        path.write_bytes(pack(text.encode())[:-9])
        message = f"{path} is compressed, but it is damaged or incomplete"
        with pytest.raises(ValueError, match=re.escape(message)):
            reader(path)

    def test_zstandard(self, reader, text, expected, tmp_path, monkeypatch):
        zstandard = pytest.importorskip("zstandard")
        path = tmp_path / "toy.ZST"
        half = len(text.encode()) // 2
        parts = [zstandard.compress(part) for part in (text.encode()[:half], text.encode()[half:])]
        path.write_bytes(b"".join(parts))
        assert reader(path) == expected
        for damaged in (parts[0][:-5], parts[0] + b"?" * 9, parts[0] + parts[1][:-1]):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match="compressed, but it is damaged or incomplete"):
                reader(path)
        for module in ("zstandard", "compression"):
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match="or the package zstandard"):
            reader(path)

    @pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x1f\x9d", b"a" * 257 + b"ustar"])
    def test_archives(self, reader, text, expected, tmp_path, start):
        path = tmp_path / "toy"
        path.write_bytes(start + b"\0" * 9)
        with pytest.raises(ValueError, match=rf"{path} is .*Unpack it first"):
            reader(path)

    def test_encodings(self, reader, text, expected, tmp_path):
        path = tmp_path / "toy.txt"
        for encoding in ("utf-16", "latin-1", "utf-8-sig"):
            path.write_bytes(text.encode(encoding))
            assert reader(path, encoding=encoding) == expected
        path.write_bytes(text.encode("utf-16-le"))
        with pytest.raises(ValueError, match=r"line 1: a NUL character. Set encoding, perhaps"):
            reader(path)
        path.write_text("ä", "utf-8")
        with pytest.raises(ValueError, match="is not encoded in 'ascii': ordinal not in"):
            reader(path, encoding="ascii")
        for encoding in ("klingon", None):
            with pytest.raises(
                ValueError, match=f"encoding={encoding!r} is not an encoding that Python"
            ):
                reader(path, encoding=encoding)

    def test_errors(self, reader, text, expected, tmp_path):
        with pytest.raises(ValueError, match="errors must be 'raise' or 'skip'; got 'ignore'"):
            reader(io.StringIO(text), errors="ignore")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert reader(io.StringIO(text), errors="skip") == expected
        path = tmp_path / "toy.txt"
        broken = f"{text}\n\n?\n\n{text.replace(chr(10), chr(10) * 2)}".encode() + b"\xff\n"
        path.write_bytes(broken)
        lines = broken.split(b"\n")
        with pytest.warns(UserWarning, match="left out") as record:
            X, y = reader(path, errors="skip")
        assert record[0].filename == __file__
        assert len(record) == 1
        message = str(record[0].message)
        n_left_out = int(message.split()[0])
        assert message.startswith(f"{n_left_out} of {n_left_out + len(X)} sentences were left out")
        for number in (lines.index(b"?") + 1, lines.index(b"\xff") + 1):
            assert f"{path}, line {number}: " in message
        assert X[:2] == expected[0] and y[:2] == expected[1]
        with pytest.raises(ValueError, match=r"line \d+: .* with a warning, set errors='skip'\.$"):
            reader(path)
        with pytest.raises(ValueError, match=r"no tokens. All sentences are malformed; line 2:"):
            reader(io.StringIO("# a\n\t\ta\n"), errors="skip")

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_line_ends_and_byte_order_mark(self, reader, text, expected, tmp_path, end, mark):
        text = mark + text.replace("\n", end)
        assert reader(io.StringIO(text, newline="")) == expected
        path = tmp_path / "toy.txt"
        path.write_bytes(text.encode())
        assert reader(path) == expected

    @pytest.mark.parametrize("blank", ["\n\n\n", " \n", "\t\n", "\n \t \r\n\n"])
    def test_runs_of_blank_lines_are_one(self, reader, text, expected, blank):
        head, tail = text.rstrip("\n").rsplit("\n\n", 1)
        assert reader(io.StringIO(f"{blank}{head}\n{blank}{tail}\n{blank}")) == expected

    def test_no_line_end_at_the_end(self, reader, text, expected):
        assert reader(io.StringIO(text.rstrip("\n"))) == expected

    def test_not_utf8(self, reader, text, expected, tmp_path):
        path = tmp_path / "latin.txt"
        content = text.replace("York", "Yørk").replace("fine", "fïne").encode("latin-1")
        path.write_bytes(content)
        number = 1 + [b"\xf8" in x or b"\xef" in x for x in content.split(b"\n")].index(True)
        byte = "0xf8" if reader is read_conllu else "0xef"
        message = f"{path}, line {number}: the byte {byte} is not UTF-8. Set encoding to that of"
        with pytest.raises(ValueError, match=re.escape(message)):
            reader(path)
        with open(path, encoding="latin-1") as file:
            assert lengths(reader(file)[0]) == lengths(expected[0])

    @pytest.mark.parametrize("text_in_file", ["", "\n \n\t\n"])
    def test_no_tokens(self, reader, text, expected, tmp_path, text_in_file):
        path = tmp_path / "empty.txt"
        path.write_text(text_in_file)
        with pytest.raises(ValueError, match=re.escape(f"{path} has no tokens.")):
            reader(path)
        with pytest.raises(ValueError, match=r"^the file has no tokens\.$"):
            reader(io.StringIO(text_in_file))

    def test_carriage_return_inside_a_line(self, reader, text, expected, tmp_path):
        path = tmp_path / "mac.txt"
        path.write_bytes(text.replace("\n", "\r").encode())
        message = f"{path}, line 1: a carriage return inside the line. Save the file with line"
        with pytest.raises(ValueError, match=re.escape(message)):
            reader(path)

    def test_errors_name_the_file(self, reader, text, expected, tmp_path):
        path = tmp_path / "broken.txt"
        path.write_text(text + "one\ttwo\n")
        where = re.escape(f"{path}, line {text.count(chr(10)) + 1}: 2 column(s)")
        with pytest.raises(ValueError, match=f"^{where}"):
            reader(path)
        with open(path) as file, pytest.raises(ValueError, match=f"^{where}"):
            reader(file)

    # No-break space, next line, line and paragraph separator, form feed, file separator, and the
    # byte order mark away from the head of the file.
    @pytest.mark.parametrize("odd", ["\xa0", "\x85", "\u2028", "\u2029", "\x0c", "\x1c", "\ufeff"])
    @pytest.mark.parametrize("form", ["a{}b", "a{}", "{}"])
    def test_odd_white_space_is_text(self, reader, text, expected, tmp_path, odd, form):
        token = form.format(odd)
        path = tmp_path / "odd.txt"
        if reader is read_conllu:
            texts = [word("1", token, "_", "X")]
        else:
            texts = ["b X\n" + token + " X\n", "b\tX\n" + token + "\tX\n"]
        for content in texts:
            path.write_bytes(content.encode())
            X, y = reader(path)
            assert X[0][-1] == token
            assert set(y[0]) == {"X"}
            assert lengths(X) == lengths(y) == [content.count("\n")]

    def test_only_spaces_and_tabs_are_blank(self, reader, text, expected):
        number = text.count("\n") + 1
        with pytest.raises(ValueError, match=rf"^line {number}: 1 column\(s\)"):
            reader(io.StringIO(text + "\xa0\n"))


def test_conllu():
    X, y = conllu(UD)
    assert X == UD_WORDS
    assert y == UD_TAGS


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("id", [["1", "2", "3", "4"], ["1", "2"]]),
        ("form", UD_WORDS),
        ("lemma", [["do", "not", "go", "New York"], ["_", None]]),
        ("upos", UD_TAGS),
        ("xpos", [["VB", None, "VB", "NNP"], ["NFP", None]]),
        ("feats", [["Mood=Imp", None, None, None], [None, None]]),
        ("head", [["3", "3", "0", "3"], ["0", "1"]]),
        ("deprel", [["aux", "advmod", "root", "obl"], ["root", "dep"]]),
        ("deps", [["3:aux", "3:advmod", "0:root", "3:obl"], ["0:root", "1:dep"]]),
        ("misc", [[None, None, "A=b c", None], [None, None]]),
    ],
)
def test_conllu_columns(column, labels):
    assert conllu(UD, column) == (UD_WORDS, labels)
    assert conllu(UD, column=column) == (UD_WORDS, labels)


@pytest.mark.parametrize("column", ["UPOS", "tag", 3, None])
def test_conllu_unknown_column(column):
    names = ", ".join(map(repr, COLUMNS))
    message = f"column must be one of {names}; got {column!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        conllu(UD, column)


def test_conllu_empty_node_ahead_of_the_first_word():
    assert conllu(word("0.1", "e") + word("1", "a", "a", "X"))[0] == [["a"]]


def test_conllu_ids_of_two_digits():
    text = "".join(word(str(i), f"w{i}", "_", "X") for i in range(1, 121))
    text += word("120.12", "e") + word("121-123", "r") + "".join(
        word(str(i), f"w{i}", "_", "X") for i in range(121, 124)
    )  # fmt: skip
    X, _ = conllu(text)
    assert len(X) == 1
    assert X[0] == [f"w{i}" for i in range(1, 124)]


def test_conllu_comments_alone_are_no_sentence():
    assert conllu("# one\n\n# two\n\n" + word("1", "a", "a", "X")) == ([["a"]], [["X"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# x\n1\ta\n", "line 2: 2 column(s), expected 10 separated by tabs."),
        (word("1", "a") + "2\tb" + "\t_" * 9, "line 2: 11 column(s), expected 10 separated"),
        (
            word("1", "a") + "2 b b _ _ _ _ _ _ _\n",
            "line 2: 1 column(s), expected 10 separated by tabs. Separate them by tabs, not by",
        ),
        (
            "1\ta b _ _ _ _ _ _ _\n",
            "line 1: 2 column(s), expected 10 separated by tabs. Separate them by tabs, not by",
        ),
        ("\n  1  a\n", "line 2: 1 column(s), expected 10 separated by tabs. Separate them by"),
        (" # x\n", "line 1: 1 column(s), expected 10"),
        (word("1a", "a"), "line 1: the ID '1a' is neither an integer, from 1, nor a range (1-2)"),
        (word("", "a"), "line 1: the ID '' is neither an integer"),
        (word("_", "a"), "line 1: the ID '_' is neither an integer"),
        (word("0", "a"), "line 1: the ID '0' is neither an integer"),
        (word("01", "a"), "line 1: the ID '01' is neither an integer"),
        (word("-1", "a"), "line 1: the ID '-1' is neither an integer"),
        (word("1-", "a"), "line 1: the ID '1-' is neither an integer"),
        (word("1.", "a"), "line 1: the ID '1.' is neither an integer"),
        (word("1-2-3", "a"), "line 1: the ID '1-2-3' is neither an integer"),
        (word("١", "a"), "line 1: the ID '١' is neither an integer"),
        (word("1", "a") + word("3", "b"), "line 2: the ID is 3, expected 2: the words of a"),
        (word("1", "a") + "\n" + word("2", "b"), "line 3: the ID is 2, expected 1: the words"),
        (
            word("1", "a") + word("2", "b") + "# text = c\n" + word("1", "c"),
            "line 4: the ID is 1, expected 3: the words of a sentence count 1, 2, 3... Put a "
            "blank line before each sentence.",
        ),
        (word("1", "a") + word("1", "b"), "line 2: the ID is 1, expected 2"),
        (word("1", ""), "line 1: the FORM, in the second column, is empty."),
        (word("1", "a", "a", ""), "line 1: the column 'upos' is empty. Write _ for no label."),
        (word("1", "a", "a", "X "), "line 1: a space in 'X ', in the column 'upos'. Remove it"),
        # Ranges that no words can have, and empty nodes away from their place
        (
            word("2-1", "ab") + word("1", "a") + word("2", "b"),
            "line 1: the range 2-1 is impossible here: it begins with the word that follows, 1,",
        ),
        (word("1-2", "a") + word("1-2", "b") + word("1", "a"), "line 2: the range 1-2 is"),
        (word("1", "a") + word("1-2", "ab") + word("2", "b"), "line 2: the range 1-2 is"),
        (
            word("1-3", "abc") + word("1", "a") + word("2-4", "bcd") + word("2", "b"),
            "line 3: the range 2-4 is impossible here: it begins with the word that follows, 2, "
            "ends no earlier, and overlaps no other range.",
        ),
        (
            word("1-2", "ab") + word("1", "a") + "\n" + word("1", "a") + word("2", "b"),
            "line 1: the range ends with the word 2, but the sentence has 1 words.",
        ),
        (word("2.1", "e") + word("1", "a"), "line 1: the empty node 2.1 stands after the word 0"),
        (word("1", "a") + word("0.1", "e"), "line 2: the empty node 0.1 stands after the word 1"),
    ],
)
def test_conllu_broken_lines(text, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        conllu(text)


def test_conllu_lines_left_out_must_have_ten_columns():
    for number in ("2-3", "1.1"):
        with pytest.raises(ValueError, match=r"^line 2: 3 column\(s\), expected 10"):
            conllu(word("1", "a") + f"{number}\ta\tb\n")


def test_conllu_hint_only_where_it_helps():
    with pytest.raises(ValueError, match=r"separated by tabs\.$"):
        conllu("1\ta\tb\n")
    with pytest.raises(ValueError, match=r"1, 2, 3\.\.\.$"):
        conllu(word("2", "a"))


def test_conllu_other_columns_are_not_looked_at():
    text = word("1", "a", "", "X", "a b")
    assert conllu(text) == ([["a"]], [["X"]])
    with pytest.raises(ValueError, match="line 1: the column 'lemma' is empty"):
        conllu(text, "lemma")
    with pytest.raises(ValueError, match="line 1: a space in 'a b', in the column 'xpos'"):
        conllu(text, "xpos")


def test_conll():
    X, y = conll(NER)
    assert X == NER_TOKENS
    assert y == NER_LABELS


@pytest.mark.parametrize("column", [1, -2])
def test_conll_column(column):
    assert conll(NER, label_column=column) == (NER_TOKENS, [["NNP", "VBD", "NN"], ["JJ"]])
    assert conll(NER, token_column=column) == ([["NNP", "VBD", "NN"], ["JJ"]], NER_LABELS)


def test_conll_a_tab_separates_alone():
    text = "New York\tB\nx y z\tO\nplain O\n"
    assert conll(text) == ([["New York", "x y z", "plain"]], [["B", "O", "O"]])


def test_conll_separator():
    assert conll("a b,O\nd,c\n", separator=",") == ([["a b", "d"]], [["O", "c"]])
    assert conll("a\tb O\n", separator=" ") == ([["a\tb"]], [["O"]])
    assert conll("a||x||O\n", label_column=1, separator="||") == ([["a"]], [["x"]])
    with pytest.raises(ValueError, match=r"^line 2: 3 column\(s\), but line 1 has 2"):
        conll("a O\nb  O\n", separator=" ")


def test_conll_docstart_ends_a_sentence():
    text = "a O\n-DOCSTART-\nb O\n-DOCSTART- (2 x) y z\n\nc O\n-DOCSTART O\n"
    assert conll(text)[0] == [["a"], ["b"], ["c", "-DOCSTART"]]


def test_conll_spaces_around():
    assert conll(" a  O \nb\tO \nc\t O\n") == ([["a", "b", "c"]], [["O", "O", "O"]])


@pytest.mark.parametrize("column", [1.0, "1", True])
@pytest.mark.parametrize("name", ["token_column", "label_column"])
def test_conll_column_is_an_integer(name, column):
    with pytest.raises(ValueError, match=f"{name} must be an integer; got {column!r}."):
        conll(NER, **{name: column})
    with pytest.raises(ValueError, match="token_column must be an integer; got None"):
        conll(NER, token_column=None)


@pytest.mark.parametrize("mark", ["", "\n", "a\r", 3, b","])
@pytest.mark.parametrize("name", ["separator", "comments"])
def test_conll_bad_separator(name, mark):
    message = f"{name} must be None or a string, neither empty nor a line end; got {mark!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        conll(NER, **{name: mark})


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "\na O\nb\n",
            {},
            "line 3: 1 column(s), but line 2 has 2. Mend the line, set separator to what stands "
            "between the columns, or comments to what comments begin with.",
        ),
        ("a\tO\n\n\nb\tc\tO\n", {}, "line 4: 3 column(s), but line 1 has 2."),
        ("a\tO\n# a remark\n", {}, "line 2: 3 column(s), but line 1 has 2."),
        ("a\tO\n\tO\n", {}, "line 2: the token, in column 0, is empty."),
        ("a\tO\nb\t\n", {}, "line 2: the label of 'b', in column -1, is empty."),
        ("a\tX\tO\nb\t \tO\n", {"label_column": 1}, "line 2: the label of 'b', in column 1, is"),
        (
            "\na O\n",
            {"label_column": 2},
            "line 2: label_column=2, but there are 2 column(s), counted from 0. Set label_column",
        ),
        ("a O\n", {"token_column": -3}, "line 1: token_column=-3, but there are 2 column(s)"),
        (
            "a O\n",
            {"label_column": 0},
            "line 1: label_column=0 of 2 column(s) is that of the tokens. Set label_column to that",
        ),
        ("a O\n", {"label_column": -2}, "line 1: label_column=-2 of 2 column(s) is that of"),
        (
            "a,O\n",
            {},
            "line 1: label_column=-1 of 1 column(s) is that of the tokens. Set label_column to "
            "that of the labels (None for a file without labels), or separator",
        ),
        # Numbers of tokens are no tokens.
        (
            "1\tAachen\tB-LOC\n2\tist\tO\n\n1\tJa\tO\n",
            {},
            "line 1: column 0 only numbers the tokens of each sentence. Set token_column to that",
        ),
        ("0 a\n1 b\n", {"label_column": None}, "line 1: column 0 only numbers the tokens"),
        # A token is no comment.
        (
            "# id 1\na _ _ O\n# _ _ O\n",
            {"comments": "#"},
            "line 3: begins with comments='#', but has the columns of a token. Make comments",
        ),
        ("#\na\n", {"comments": "#", "label_column": None}, "line 1: begins with comments='#'"),
    ],
)
def test_conll_broken_lines(text, options, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        conll(text, **options)


def test_conll_without_labels():
    assert conll("a\nb\n\nc\n", label_column=None) == ([["a", "b"], ["c"]], None)
    assert conll("a X\nb Y\n", token_column=1, label_column=None) == ([["X", "Y"]], None)


def test_conll_leaves_sentences_out():
    text = "x\n\na\tO\n\n\tO\nb\tO\n\nc\tO\n\nd\te\tO\n\nf\tO\n"
    with pytest.warns(UserWarning, match="left out") as record:
        assert conll(text, errors="skip") == ([["a"], ["c"], ["f"]], [["O"]] * 3)
    assert str(record[0].message).splitlines() == [
        "3 of 6 sentences were left out. line 1: 1 column(s), but line 3 has 2. Mend the line, "
        "set separator to what stands between the columns, or comments to what comments begin "
        "with.",
        "line 5: the token, in column 0, is empty.",
        "line 10: 3 column(s), but line 3 has 2. Mend the line, set separator to what stands "
        "between the columns, or comments to what comments begin with.",
    ]
    with pytest.warns(UserWarning, match=r"20 of 21 sentences(.*\n)+and 10 more$"):
        conll("a O\n" + "\nb\n" * 20 + "c O\n" * 40, errors="skip")
