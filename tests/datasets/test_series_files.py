"""Tests for the readers of .arff, .tsf and .txt files."""

import bz2
import gzip
import io
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io.arff import loadarff

from skrnn.datasets import read_arff, read_ts, read_tsf, read_txt

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def real(name):
    path = DATA / "ts" / name
    if not path.exists():
        pytest.skip(f"no {name}: set SKRNN_DATA to the folder of data sets")
    return path


# .arff

RELATIONAL = r"""% A toy.
@relation 'Toy problem'
@attribute bag relational
  @attribute t0 numeric
  @attribute t1 numeric
  @attribute t2 numeric
@end bag
@attribute class {up, 'far down'}
@data
% a remark
'1,2,?\n4,?,?',up
"7,8,9\n1,2,3",'far down'
""".replace(",'far down'\n", ",far down\n")
FLAT = (
    "@relation Flat\n@attribute t0 real\n@ATTRIBUTE 't 1' NUMERIC\n@attribute target {a,b}\n@data\n"
)


def test_relational_arff():
    toy = read_arff(io.StringIO(RELATIONAL))
    assert_array_equal(toy.data[0], [[1, 4], [2, np.nan]])  # the last step is padding
    assert_array_equal(toy.data[1], [[7, 1], [8, 2], [9, 3]])
    assert toy.target.tolist() == toy.target_names.tolist() == ["up", "far down"]
    assert (toy.name, toy.DESCR) == ("Toy problem", "A toy.")


def test_flat_arff_is_what_scipy_reads():
    text = FLAT + "1.5,?,a\n-3e2,4,b\n"
    X, y = read_arff(io.StringIO(text), return_X_y=True)
    table, _ = loadarff(io.StringIO(text))
    assert_array_equal(X[0], [[1.5]])
    assert_array_equal(X[1].ravel(), [table[1][0], table[1][1]])
    assert y.tolist() == [row[2].decode() for row in table]
    numbers = read_arff(
        io.StringIO(text.replace("{a,b}", "numeric").replace(",a", ",7")[:-8] + "2,3,4")
    )
    assert numbers.target_names is None
    assert numbers.target[0] == 7


def test_real_arff():
    for part, n in (("TRAIN", 30), ("TEST", 270)):
        ring = read_arff(real(f"ERing_{part}.arff"))
        assert len(ring.data) == len(ring.target) == n
        assert {x.shape for x in ring.data} == {(65, 4)}
        assert set(ring.target) == set("123456")
    first = read_arff(real("ERing_TRAIN.arff")).data[0]
    assert first[:2, 0].tolist() == [-1.59487819, -1.32613625]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@relation x\n", "line 1: the file ends without @data"),
        ("1,2\n", "line 1: expected a header line or @data, got '1,2'"),
        ("@attribute t0\n", "line 1: @attribute needs a name and a type"),
        ("@attribute t0 real\n@data\n", r"line 2: 1 attribute\(s\), but values"),
        (
            "@attribute t0 real\n@attribute y string\n@data\n",
            "'string', is neither nominal nor num",
        ),
        (FLAT, "the file has no series"),
        (FLAT + "1,a\n", r"line 6: 2 value\(s\), expected 3"),
        (FLAT + "1,2,c\n", "line 6: 'c' is not one of the labels"),
        (FLAT + "1,x,a\n", "line 6: could not convert string to float: 'x'"),
        (RELATIONAL.replace("4,?,?", "4"), "line 11: dimensions of 1 and 3 steps"),
    ],
)
def test_broken_arff(text, message):
    with pytest.raises(ValueError, match=message):
        read_arff(io.StringIO(text))


# .tsf

TSF = """# A toy
@relation Toy
@attribute series_name string
@attribute start_timestamp date
@attribute lat numeric
@frequency half_hourly
@horizon 12
@missing true
@equallength false
@data
T1:2024-01-31 12-30-00:5.5:1,?,3
T2:1979-01-01 00-00-00:-6:4.25
"""


def test_an_archive_is_no_text(tmp_path):
    path = tmp_path / "toy.ts"
    path.write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(ValueError, match="ZIP archive"):
        read_ts(path)
    path.write_bytes(gzip.compress(TSF.encode())[:-9])
    with pytest.raises(ValueError, match="damaged or incomplete"):
        read_tsf(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_tsf(tmp_path, pack):
    path = tmp_path / "toy.tsf"  # the content decides, not the name
    path.write_bytes(pack(TSF.encode()))
    for source in (io.StringIO(TSF), path):
        toy = read_tsf(source)
        assert_array_equal(toy.data[0], [[1], [np.nan], [3]])
        assert_array_equal(toy.data[1], [[4.25]])
        assert toy.attributes["series_name"].tolist() == ["T1", "T2"]
        dates = np.array(["2024-01-31T12:30", "1979-01-01"], dtype="datetime64[s]")
        assert_array_equal(toy.attributes["start_timestamp"], dates)
        assert toy.attributes["lat"].tolist() == [5.5, -6]
        assert (toy.frequency, toy.horizon, toy.name) == ("half_hourly", 12, "Toy")
        assert toy.DESCR == "A toy"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@data\n", "", "line 10: expected a header line or @data, got 'T1:2024"),
        ("lat numeric", "lat", "line 5: @attribute needs a name and its type"),
        ("@horizon 12", "@horizon soon", "line 7: @horizon must be a positive integer"),
        ("T2:", "", r"line 12: 2 attribute\(s\) before the values, expected 3"),
        ("12-30-00", "12:30", r"line 11: \d attribute"),
        ("12-30-00", "noon", "line 11: the date '2024-01-31 noon' is not written as"),
        ("1,?,3", "1,,3", "line 11: could not convert string to float: ''"),
        (":-6:", ":south:", "line 12: could not convert string to float: 'south'"),
        (TSF[TSF.index("T1") :], "", "the file has no series after @data"),
        (TSF[TSF.index("@data") :], "", "line 9: the file ends without @data"),
    ],
)
def test_broken_tsf(old, new, message):
    with pytest.raises(ValueError, match=message):
        read_tsf(io.StringIO(TSF.replace(old, new)))


# .txt


def test_txt():
    text = "  1.0000000e+00   1.5  NaN 2\n  -1.0 3 NaN NaN\n\n1.5 4\nup 5\n"
    toy = read_txt(io.StringIO(text))
    assert [x.shape for x in toy.data] == [(3, 1), (1, 1), (1, 1), (1, 1)]
    assert_array_equal(toy.data[0].ravel(), [1.5, np.nan, 2])
    assert toy.target.tolist() == ["1", "-1", "1.5", "up"]
    for separator in "\t,":
        X, y = read_txt(io.StringIO(f"2{separator}7{separator}8\n"), return_X_y=True)
        assert (X[0].ravel().tolist(), y.tolist()) == ([7, 8], ["2"])


def test_real_txt():
    coffee = read_txt(real("Coffee_TRAIN.txt"))
    assert {x.shape for x in coffee.data} == {(286, 1)}
    assert len(coffee.data) == 28
    assert set(coffee.target) == {"0", "1"}
    assert coffee.data[0][0, 0] == -0.51841899
    assert len(read_ts(real("GunPoint_TRAIN.ts")).data) == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file has no series"), ("1 2\n1\n", "line 2: a label, '1', but no value"),
     ("1 2\n1 x\n", "line 2: could not convert string to float: 'x'")],
)  # fmt: skip
def test_broken_txt(text, message):
    with pytest.raises(ValueError, match=message):
        read_txt(io.StringIO(text))
