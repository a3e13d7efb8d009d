"""What `mutants/planted_faults.py` plants: lists of faults, by what they break."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One fault: in `file` of skrnn, `old` becomes `new`, and one of `tests` is to catch it."""

    what: str
    file: str
    old: str
    new: str
    tests: str  # files or functions in tests/, the least that does; apart by blanks
