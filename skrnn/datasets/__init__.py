"""Readers for files of sequences in standard formats."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.datasets._conll import read_conll, read_conllu
from skrnn.datasets._ts import read_ts

__all__ = ["read_conll", "read_conllu", "read_ts"]
