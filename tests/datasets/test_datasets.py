"""Tests for the readers of standard files."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skrnn.datasets import read_ts

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

TOY = """\
# A toy
#with two lines of comment

@problemName Toy
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data

1,2,3:4,?,6:up
# a remark
7.5, -8e-1:9,10: down
"""
HEAD = "@classLabel true a b\n@data\n"


def real(name):
    path = DATA / "ts" / f"{name}.ts"
    if not path.exists():
        pytest.skip(f"no {name}.ts: set SKRNN_DATA to the folder of data sets")
    return path


def read(text, **options):
    return read_ts(io.StringIO(text), **options)


def test_toy():
    toy = read(TOY)
    assert_array_equal(toy.data[0], [[1, 4], [2, np.nan], [3, 6]])
    assert_array_equal(toy.data[1], [[7.5, 9], [-0.8, 10]])
    assert all(x.dtype == np.float64 and x.flags.c_contiguous for x in toy.data)
    assert_array_equal(toy.target, ["up", "down"])
    assert_array_equal(toy.target_names, ["up", "down"])
    assert toy.feature_names == ["dim_0", "dim_1"]
    assert toy.name == "Toy"
    assert toy.DESCR == "A toy\nwith two lines of comment"


def test_return_X_y():
    X, y = read(TOY, return_X_y=True)
    assert [x.shape for x in X] == [(3, 2), (2, 2)]
    assert y.tolist() == ["up", "down"]


def test_sources(tmp_path):
    plain, packed = tmp_path / "toy.ts", tmp_path / "toy.ts.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + TOY.replace("\n", "\r\n").encode())
    packed.write_bytes(gzip.compress(TOY.encode()))
    with open(plain, encoding="utf-8-sig") as file:
        for source in (plain, str(plain), packed, file):
            assert read_ts(source).target.tolist() == ["up", "down"]
    with open(plain, "rb") as file, pytest.raises(TypeError, match="open in text mode"):
        read_ts(file)


def test_comments_in_any_encoding(tmp_path):
    path = tmp_path / "latin.ts"
    path.write_bytes("# Universität\n@data\n1,2\n".encode("latin-1"))
    assert read_ts(path).DESCR.startswith("Universit")


def test_targets_are_numbers():
    dataset = read("@targetLabel true\n@data\n1,2:0.5\n3:-4\n")
    assert_array_equal(dataset.target, [0.5, -4.0])
    assert dataset.target.dtype == np.float64
    assert dataset.target_names is None
    assert [x.shape for x in dataset.data] == [(2, 1), (1, 1)]


@pytest.mark.parametrize("head", ["@data\n", "@classLabel false\n@targetlabel false\n@DATA\n"])
def test_no_target(head):
    dataset = read(head + "1,2:3,4\n")
    assert dataset.target is None
    assert_array_equal(dataset.data[0], [[1, 3], [2, 4]])


def test_unknown_header_lines_are_left_alone():
    assert len(read("@madeBy hand\n@data\n1\n").data) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 0: the file ends without @data"),
        ("@problemName x\n", "line 1: the file ends without @data"),
        ("@data\n", "no series after @data"),
        ("1,2,3\n", "line 1: expected a header line or @data, got '1,2,3'"),
        ("@univariate maybe\n", "line 1: @univariate must be true or false"),
        ("\n@classLabel\n", "line 2: @classlabel must be true or false"),
        ("@classLabel true\n", "line 1: @classLabel true needs the labels"),
        ("@dimensions two\n", "line 1: @dimensions must be a positive integer"),
        ("@seriesLength 0\n", "line 1: @serieslength must be a positive integer"),
        ("@timeStamps 1\n", "line 1: @timestamps must be true or false"),
        ("@data\n(0,1),(1,2)\n", "line 2, dimension 0: time stamps, but the header has no"),
        ("@timeStamps true\n@data\n(0,1),2\n", r"line 3, dimension 0: expected pairs \(time stamp"),
        (
            "@timeStamps true\n@data\n(yesterday,1)\n",
            "line 3, dimension 0: .*are numbers, or dates",
        ),
        ("@timeStamps true\n@data\n(0,1):(1,1)\n", "dimensions 0 and 1 have different time st"),
        (HEAD + "1,2:a\n1,2:c\n", "line 4: 'c' is not one of the labels"),
        (HEAD + "1,2:a\n\n1,2\n", "line 5: '1,2' is not one of the labels"),
        (HEAD + "1,x:a\n", "line 3, dimension 0: could not convert string to float: 'x'"),
        (HEAD + "1,2,:a\n", "line 3, dimension 0: could not convert string to float"),
        (HEAD + "1,2:1,2,3:a\n", r"line 3: dimension 1 has 3 step\(s\), but dimension 0 has 2"),
        (HEAD + "1:2:a\n1:b\n", r"line 4: 1 dimension\(s\), expected 2, separated by ':'"),
        ("@univariate true\n@data\n1:2\n", r"line 3: 2 dimension\(s\), expected 1"),
        ("@targetLabel true\n@data\n1:x\n", "line 3: the target 'x' is not a number"),
        ("@equalLength true\n@seriesLength 3\n@data\n1,2\n", r"line 4: 2 step\(s\), but @series"),
    ],
)
def test_broken_files(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_the_file_is_named(tmp_path):
    path = tmp_path / "toy.ts"
    path.write_text(HEAD + "1:c\n")
    with pytest.raises(ValueError, match=r"toy\.ts, line 3: 'c' is not one of the labels"):
        read_ts(path)


def test_percent_comments():
    toy = read("% cut down\n@classLabel true a b\n@data\n% here too\n1,2,3:a\n")
    assert toy.DESCR == "cut down"
    assert [x.ravel().tolist() for x in toy.data] == [[1, 2, 3]]
    assert toy.timestamps is None


def test_time_stamps():
    text = HEAD + (
        "(2024-01-31 00:00:00,1),(2024-01-31 12:30:00,?):"
        "(2024-01-31 00:00:00,3),(2024-01-31 12:30:00,4):a\n(2024/02/01,5.5):(2024/02/01,6):b\n"
    )
    toy = read("@timeStamps true\n" + text)
    assert_array_equal(toy.data[0], [[1, 3], [np.nan, 4]])
    assert_array_equal(
        toy.timestamps[0], np.array(["2024-01-31T00:00", "2024-01-31T12:30"], "M8[s]")
    )
    assert_array_equal(toy.timestamps[1], np.array(["2024-02-01"], "M8[s]"))
    assert toy.target.tolist() == ["a", "b"]
    numbered = read("@timeStamps true\n@data\n(0,1.5),(2.5,3)\n")
    assert_array_equal(numbered.timestamps[0], [0, 2.5])
    assert_array_equal(numbered.data[0], [[1.5], [3]])


@pytest.mark.parametrize(
    ("name", "n_series", "n_dimensions", "lengths", "n_classes"),
    [
        ("JapaneseVowels_TRAIN", 270, 12, (7, 26), 9),
        ("JapaneseVowels_TEST", 370, 12, (7, 29), 9),
        ("ItalyPowerDemand_TRAIN", 67, 1, (24, 24), 2),
        ("ItalyPowerDemand_TEST", 1029, 1, (24, 24), 2),
        ("BasicMotions_TRAIN", 40, 6, (100, 100), 4),
        ("BasicMotions_TEST", 40, 6, (100, 100), 4),
    ],
)
def test_real_files(name, n_series, n_dimensions, lengths, n_classes):
    dataset = read_ts(real(name))
    assert dataset.name == name.partition("_")[0]
    assert len(dataset.data) == len(dataset.target) == n_series
    assert {x.shape[1] for x in dataset.data} == {n_dimensions}
    found = [len(x) for x in dataset.data]
    assert (min(found), max(found)) == lengths
    assert set(dataset.target) == set(dataset.target_names)
    assert len(dataset.target_names) == n_classes
    assert all(np.isfinite(x).all() for x in dataset.data)


def test_first_value_of_real_file():
    data = read_ts(real("BasicMotions_TRAIN")).data
    assert data[0][0, 0] == 0.079106
    assert data[1][0, 0] == 0.377751
