"""Tests for the readers of CoNLL-U and of files of columns."""

import gzip
import io
import os
import re
from pathlib import Path

import pytest

from skrnn.datasets import read_conll, read_conllu

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

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


def conll(text, *options, **named):
    return read_conll(io.StringIO(text), *options, **named)


def real(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {name}: set SKRNN_DATA to the folder of data sets")
    return path


def lengths(sentences):
    return [len(sentence) for sentence in sentences]


READERS = [
    pytest.param(read_conllu, UD, (UD_WORDS, UD_TAGS), id="conllu"),
    pytest.param(read_conll, NER, (NER_TOKENS, NER_LABELS), id="conll"),
]


@pytest.mark.parametrize(("reader", "text", "expected"), READERS)
class TestBoth:
    def test_sources(self, reader, text, expected, tmp_path):
        plain, packed = tmp_path / "toy.txt", tmp_path / "toy.txt.gz"
        plain.write_bytes(text.encode())
        packed.write_bytes(gzip.compress(text.encode()))
        with open(plain, encoding="utf-8") as file:
            for source in (plain, str(plain), packed, os.fsencode(packed), file, io.StringIO(text)):
                assert reader(source) == expected
        with open(plain, "rb") as file, pytest.raises(TypeError, match="open in text mode"):
            reader(file)

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
        message = f"{path}, line {number}: the byte {byte} is not UTF-8. Convert the file"
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
    X, _ = conllu(text + word("120.12", "e") + word("120-121", "r"))
    assert len(X) == 1
    assert X[0] == [f"w{i}" for i in range(1, 121)]


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
    ],
)
def test_conllu_broken_lines(text, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        conllu(text)


def test_conllu_lines_left_out_must_have_ten_columns():
    for number in ("1-2", "1.1"):
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
    assert conll(NER, column)[1] == [["NNP", "VBD", "NN"], ["JJ"]]
    assert conll(NER, column=column)[0] == NER_TOKENS


def test_conll_a_tab_separates_alone():
    text = "New York\tB\nx y z\tO\nplain O\n"
    assert conll(text) == ([["New York", "x y z", "plain"]], [["B", "O", "O"]])


def test_conll_separator():
    assert conll("a b,O\nd,c\n", separator=",") == ([["a b", "d"]], [["O", "c"]])
    assert conll("a\tb O\n", separator=" ") == ([["a\tb"]], [["O"]])
    assert conll("a||x||O\n", 1, "||") == ([["a"]], [["x"]])
    with pytest.raises(ValueError, match=r"^line 2: 3 column\(s\), but line 1 has 2"):
        conll("a O\nb  O\n", separator=" ")


def test_conll_docstart_ends_a_sentence():
    text = "a O\n-DOCSTART-\nb O\n-DOCSTART- (2 x) y z\n\nc O\n-DOCSTART O\n"
    assert conll(text)[0] == [["a"], ["b"], ["c", "-DOCSTART"]]


def test_conll_spaces_around():
    assert conll(" a  O \nb\tO \nc\t O\n") == ([["a", "b", "c"]], [["O", "O", "O"]])


@pytest.mark.parametrize("column", [1.0, "1", None, True])
def test_conll_column_is_an_integer(column):
    message = f"column must be an integer; got {column!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        conll(NER, column)


@pytest.mark.parametrize("separator", ["", "\n", "a\r", 3, b","])
def test_conll_bad_separator(separator):
    message = f"separator must be None or a string, neither empty nor a line end; got {separator!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        conll(NER, separator=separator)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (
            "\na O\nb\n",
            -1,
            "line 3: 1 column(s), but line 2 has 2. Mend the line, or set separator to what "
            "stands between the columns.",
        ),
        ("a\tO\n\n\nb\tc\tO\n", -1, "line 4: 3 column(s), but line 1 has 2."),
        ("a\tO\n# a remark\n", -1, "line 2: 3 column(s), but line 1 has 2."),
        ("a\tO\n\tO\n", -1, "line 2: the token, in the first column, is empty."),
        ("a\tO\nb\t\n", -1, "line 2: the label of 'b', in column -1, is empty."),
        ("a\tX\tO\nb\t \tO\n", 1, "line 2: the label of 'b', in column 1, is empty."),
        ("\na O\n", 2, "line 2: no column 2 among 2 column(s). Set column to one of them, or"),
        ("a O\n", -3, "line 1: no column -3 among 2 column(s)."),
        ("a O\n", 0, "line 1: column 0 of 2 column(s) is the token. Set column to that of the"),
        ("a O\n", -2, "line 1: column -2 of 2 column(s) is the token."),
        ("a,O\n", -1, "line 1: column -1 of 1 column(s) is the token. Set column to that of the"),
    ],
)
def test_conll_broken_lines(text, column, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        conll(text, column)


@pytest.mark.parametrize(
    ("part", "n_sentences", "n_words", "n_tags", "n_underscores"),
    # The words are the lines of integer ID; the rest of ten columns are 24, 2 and 1 empty nodes.
    [("train", 12543, 204585, 17, 5), ("dev", 2002, 25148, 17, 0), ("test", 2077, 25096, 17, 0)],
)
def test_english_web_treebank(part, n_sentences, n_words, n_tags, n_underscores):
    path = real(f"ud_english_ewt/en_ewt-ud-{part}.conllu")
    X, y = read_conllu(path)
    assert len(X) == len(y) == n_sentences
    assert lengths(X) == lengths(y)
    assert sum(lengths(X)) == n_words
    tags = [tag for labels in y for tag in labels]
    assert None not in tags
    assert len(set(tags)) == n_tags
    assert sum(sentence.count("_") for sentence in X) == n_underscores
    lemmas = [lemma for labels in read_conllu(path, "lemma")[1] for lemma in labels]
    assert None not in lemmas
    assert lemmas.count("_") == n_underscores


def test_first_sentence_of_the_treebank():
    X, y = read_conllu(real("ud_english_ewt/en_ewt-ud-test.conllu"))
    assert X[0] == ["What", "if", "Google", "Morphed", "Into", "GoogleOS", "?"]
    assert y[0] == ["PRON", "SCONJ", "PROPN", "VERB", "ADP", "PROPN", "PUNCT"]


ENTITIES = ["corporation", "creative-work", "group", "location", "person", "product"]


@pytest.mark.parametrize(
    ("name", "n_sentences", "n_tokens", "n_persons"),
    # Lines between the sentences of the first are a tab, those of the others are empty.
    [
        ("wnut17train.conll", 3394, 62730, 660),
        ("emerging.dev.conll", 1009, 15733, 470),
        ("emerging.test.annotated", 1287, 23394, 429),
    ],
)
def test_wnut17(name, n_sentences, n_tokens, n_persons):
    X, y = read_conll(real(f"wnut17/{name}"))
    assert len(X) == len(y) == n_sentences
    assert lengths(X) == lengths(y)
    assert sum(lengths(X)) == n_tokens
    labels = [label for sentence in y for label in sentence]
    assert labels.count("B-person") == n_persons
    assert set(labels) == {"O", *(f"{part}-{entity}" for part in "BI" for entity in ENTITIES)}


def test_wnut17_odd_tokens():
    tokens = {t for x in read_conll(real("wnut17/emerging.dev.conll"))[0] for t in x}
    assert {"#", "watched\u200bwas", "Dubbz\ufeff"} <= tokens


@pytest.mark.parametrize(
    ("name", "n_persons"), [("flytxt", 346), ("sjtu_adapt.txt", 331), ("uh_ritual", 304)]
)
def test_wnut17_submissions_stand_beside_the_truth(name, n_persons):
    # Their lines end in CR LF and the last has no end.
    X, y = read_conll(real(f"wnut17/submissions/{name}"))
    tokens, _ = read_conll(real("wnut17/emerging.test.annotated"))
    assert tokens == X
    assert lengths(y) == lengths(X)
    assert sum(labels.count("B-person") for labels in y) == n_persons
