"""Readers for files of sequences in standard formats, and sequences on disk."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.datasets._arff import read_arff
from skrnn.datasets._conll import read_conll, read_conllu
from skrnn.datasets._sequence_store import SequenceStore
from skrnn.datasets._ts import read_ts
from skrnn.datasets._tsf import read_tsf
from skrnn.datasets._txt import read_txt
from skrnn.datasets._word_vectors import read_word_vectors

__all__ = [
    "SequenceStore",
    "read_arff",
    "read_conll",
    "read_conllu",
    "read_ts",
    "read_tsf",
    "read_txt",
    "read_word_vectors",
]
