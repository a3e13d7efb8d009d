"""Copies of the weights and of what an optimizer keeps, to which training goes back."""

from tempfile import TemporaryFile

# Copies of more bytes than this lie in a temporary file: those of two epochs are kept at a time,
# each three times the weights with Adam.
MEMORY_BYTES = 2**26


class Snapshot:
    """Copies of arrays as they stand.

    Large ones go to a temporary file, which has no name and ends with the object; where none can be
    written they stay in memory.

    Parameters
    ----------
    *arrays : ndarray
        Contiguous.
    """

    def __init__(self, *arrays):
        self._file = None
        if sum(array.nbytes for array in arrays) > MEMORY_BYTES:
            self._file = _write(arrays)
        self._copies = [array.copy() for array in arrays] if self._file is None else None

    def restore(self, *arrays):
        """Overwrite the same arrays, or others of their sizes, by the copies."""
        if self._file is None:
            for array, copy in zip(arrays, self._copies, strict=True):
                array[:] = copy
            return
        self._file.seek(0)
        for array in arrays:
            if self._file.readinto(memoryview(array).cast("B")) != array.nbytes:
                raise OSError("the temporary file with the weights of an earlier epoch is cut off")


def _write(arrays):
    try:
        file = TemporaryFile()  # noqa: SIM115 -- it lives as long as the snapshot
    except OSError:
        return None
    try:
        for array in arrays:
            file.write(memoryview(array).cast("B"))
        file.flush()
    except OSError:  # for example: no space left
        file.close()
        return None
    return file
