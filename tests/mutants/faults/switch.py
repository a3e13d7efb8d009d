"""Many faults in one build: each stands beside the sound text, behind a switch."""

import io
import tokenize
from typing import NamedTuple

DECLARATION = """

cdef extern from *:
    \"\"\"
    static int planted_fault;
    \"\"\"
    int planted_fault
"""
READ = """
import os
planted_fault = int(os.environ.get("SKRNN_PLANTED", -1))
"""


class Statement(NamedTuple):
    """A statement without its suite: its lines [start, stop), its indentation and first word."""

    start: int
    stop: int
    indent: int
    word: str


def statements(text):
    """List the statements of a file."""
    found, first = [], None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE and first:
            place = first.start
            found.append(Statement(place[0] - 1, token.end[0], place[1], first.string))
            first = None
        elif first is None and token.string.strip() and token.type != tokenize.COMMENT:
            first = token
    return found


def enclosing(rows, start, stop):
    """Widen lines [start, stop) to whole statements, their suites and branches included.

    Returns None for what cannot stand behind an `if`.
    """
    touched = [k for k, row in enumerate(rows) if row.start < stop and row.stop > start]
    if not touched:
        return None
    a, b = touched[0], touched[-1]
    indent = min(row.indent for row in rows[a : b + 1])
    more = ("elif", "else", "except", "finally")
    while rows[a].indent > indent or rows[a].word in more:
        a -= 1
    while b + 1 < len(rows) and (
        rows[b + 1].indent > indent or (rows[b + 1].indent == indent and rows[b + 1].word in more)
    ):
        b += 1
    if indent == 0 or any(row.word in ("cdef", "def", "cimport") for row in rows[a : b + 1]):
        return None
    return rows[a].start, rows[b].stop


def indented(lines):
    return [f"    {line}" if line.strip() else line for line in lines]


def switch(text, faults):
    """Put faults of one Cython file behind `planted_fault == number`.

    Parameters
    ----------
    text : str
    faults : dict of int to Fault
        By number; the text of each is found exactly once.

    Returns
    -------
    text : str
    numbers : set of int
        Of those that the new text holds.
    """
    lines, rows, groups = text.splitlines(), statements(text), []
    for number, fault in faults.items():
        at = text.index(fault.old)
        start = text.count("\n", 0, at)
        place = enclosing(rows, start, start + fault.old.rstrip("\n").count("\n") + 1)
        if place:
            groups.append((*place, [number]))
    merged = []
    for start, stop, numbers in sorted(groups):
        if merged and start < merged[-1][1]:
            before = merged.pop()
            start, stop, numbers = before[0], max(stop, before[1]), before[2] + numbers
        merged.append((start, stop, numbers))
    for start, stop, numbers in reversed(merged):
        blank, block = " " * (len(lines[start]) - len(lines[start].lstrip())), []
        for number in numbers:
            faulty = text.replace(faults[number].old, faults[number].new).splitlines()
            end = stop + len(faulty) - len(text.splitlines())
            block += [f"{blank}{'elif' if block else 'if'} planted_fault == {number}:"]
            block += indented(faulty[start:end])
        lines[start:stop] = [*block, f"{blank}else:", *indented(lines[start:stop])]
    return "\n".join(lines) + "\n", {number for *_, numbers in merged for number in numbers}
