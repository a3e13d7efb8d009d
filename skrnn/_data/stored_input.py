"""What is read of a store, as the network reads it: numbers, ids and numbers of tokens."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn._data.stored_sequences import DamagedStoreError
from skrnn._data.token_ids import encode_id_rows
from skrnn._data.vocabulary import UNKNOWN


def count_codes(stored, n):
    """Return how often each code occurs."""
    check = CodeEncoder(stored.file.path, np.empty((n, 0)))
    counts = np.zeros(n, np.int64)
    for _, _, part in stored.parts():
        check(part.values)
        counts += np.bincount(part.values[:, 0], minlength=n)
    return counts


def _changed(path, what):
    return DamagedStoreError(
        f"{path} has {what}, which was not written there: it was damaged after the store was "
        "written. Write the store anew."
    )


class NumberEncoder:
    """Numbers of a file in another type; `largest` is the largest that there may be, or None."""

    def __init__(self, path, dtype, largest):
        self.path, self.dtype, self.largest = path, dtype, largest

    def __call__(self, steps):
        with np.errstate(over="ignore"):  # found as infinity
            values = steps.astype(self.dtype, copy=False)
        if self.largest is None or steps.dtype.kind != "f" or values.size == 0:
            return values
        if not (-self.largest <= values.min() and values.max() <= self.largest):
            raise _changed(self.path, "NaN, infinity or a number too large")
        return values


class IdEncoder:
    """Token ids as they lie in a file, as rows of embeddings of so many known ids."""

    def __init__(self, path, counts):
        self.path, self.counts = path, counts

    def __call__(self, steps):
        if steps.size and steps.min() < UNKNOWN:
            raise ValueError(
                f"{self.path} has the token id {steps.min()}, but a token id must be an integer "
                ">= 0, or -1 for an unknown token."
            )
        return encode_id_rows(steps, self.counts)


class CodeEncoder:
    """Numbers of tokens in the store's vocabulary, as rows of embeddings."""

    def __init__(self, path, table):
        self.path, self.table = path, table

    def __call__(self, steps):
        if steps.size and not (steps.min() >= 0 and steps.max() < len(self.table)):
            raise _changed(self.path, "the number of a token beyond its vocabulary")
        return self.table[steps[:, 0]]
