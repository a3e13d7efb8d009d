"""Snapshots: copies of what training moves, in memory or, where they are large, in a file."""

import errno
from tempfile import TemporaryFile

import numpy as np
import pytest
from kernel_tools import same_bits

from skrnn._network import optimizer
from skrnn._network.optimizer import Snapshot


def arrays():
    drawn = np.random.default_rng(0).standard_normal((3, 50_000)).astype(np.float32)
    return [drawn[0].copy(), drawn[1].copy(), drawn[2, :0].copy()]


class Full:
    """A file on a disk that is full."""

    def __init__(self):
        self.closed = False

    def write(self, part):
        raise OSError(errno.ENOSPC, "no space left on device")

    def close(self):
        self.closed = True


def nowhere():
    raise FileNotFoundError("no usable temporary directory")


@pytest.mark.parametrize("make_file", [None, TemporaryFile, nowhere, Full])
def test_what_was_copied_comes_back(monkeypatch, make_file):
    if make_file is not None:
        monkeypatch.setattr(optimizer, "MEMORY_BYTES", 0)
        monkeypatch.setattr(optimizer, "TemporaryFile", make_file)
    moving, expected = arrays(), arrays()
    kept = Snapshot(*moving)
    assert (kept._file is not None) == (make_file is TemporaryFile)
    for _ in range(2):
        for array in moving:
            array[:] = np.nan
        kept.restore(*moving)
        assert all(map(same_bits, moving, expected))


def test_a_file_that_was_cut_off(monkeypatch):
    monkeypatch.setattr(optimizer, "MEMORY_BYTES", 0)
    moving = arrays()
    kept = Snapshot(*moving)
    kept._file.truncate(100)
    with pytest.raises(OSError, match="cut off"):
        kept.restore(*moving)
