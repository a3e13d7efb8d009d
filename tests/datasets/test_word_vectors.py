"""Files of word vectors, as GloVe, word2vec and fastText write them."""

import bz2
import gzip
import io
import lzma

import numpy as np
import pytest

from skrnn.datasets import read_word_vectors

GLOVE = "the 0.25 -1\n. . . 2 3\ncaf\u00e9 1e-3 0\n"


def read(text, **how):
    return {word: v.tolist() for word, v in read_word_vectors(io.StringIO(text), **how).items()}


@pytest.mark.parametrize(
    "text",
    [
        "the 0.5 1\ncat 2 -3\n",
        "2 2\nthe 0.5 1\ncat 2 -3\n",
        "2 2\nthe 0.5 1 \ncat 2 -3 \n",  # word2vec ends its lines with a space
        "\ufeffthe\t0.5\t1\r\ncat\t2\t-3",
    ],
)
def test_formats(text):
    assert read(text) == {"the": [0.5, 1], "cat": [2, -3]}


def test_words_may_contain_spaces_and_be_numbers():
    found = read("the 0.5 1\n. . . 2 3\nat name@domain.com 4 5\n7 8 9\n\u00a0 1 1\n")
    assert list(found) == ["the", ". . .", "at name@domain.com", "7", "\u00a0"]


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, "zstandard"], ids=str
)
def test_compressed(pack, tmp_path):
    if pack == "zstandard":
        pack = pytest.importorskip("zstandard").ZstdCompressor().compress
    path = tmp_path / "VECTORS"
    path.write_bytes(pack(GLOVE.encode()))
    found = read_word_vectors(path)
    assert list(found) == ["the", ". . .", "caf\u00e9"]
    assert found["the"].dtype == np.float32
    np.testing.assert_array_equal(found["the"], [0.25, -1])


def test_only_the_words_asked_for_are_parsed():
    assert read("the 0.5 1\ncat x y\n", words=["the", "dog"]) == {"the": [0.5, 1]}


def test_the_first_of_several_counts():
    with pytest.warns(UserWarning, match=r"more than one vector for 1 word.*'the'"):
        assert read("the 0.5 1\nthe 2 3\n") == {"the": [0.5, 1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 0.5 1\ncat 2\n", "line 2: 1 numbers behind 'cat', where vectors have 2"),
        ("the 0.5 1\ncat 2 3 4\n", "line 2: 3 numbers behind 'cat', where vectors have 2"),
        ("1 3\ncat 2 3\n", "line 2: 2 numbers behind 'cat', where vectors have 3"),
        ("the 0.5 1\ncat 2 x\n", "line 2: 'x' in the vector of 'cat' is no number"),
        ("no vectors here\n", "line 1: a word and the numbers of its vector"),
        ("", "has no word vector"),
    ],
)
def test_what_is_malformed(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_what_is_no_text(tmp_path):
    path = tmp_path / "vectors.bin"
    path.write_bytes(b"2 2\nthe \xff\xfe\x00\x01\x80\x90\xa0\xb0\n")
    with pytest.raises(ValueError, match="binary=True"):
        read_word_vectors(path)
    path.write_bytes(gzip.compress(GLOVE.encode())[:-12])
    with pytest.raises(ValueError, match="damaged or incomplete"):
        read_word_vectors(path)
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ValueError, match="ZIP archive"):
        read_word_vectors(path)
