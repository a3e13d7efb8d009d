"""Shared parts of readers of series files: lines with their place, numbers, time stamps."""

import numpy as np


def placed_lines(file, name):
    """Yield the place and the text of the lines that are not blank."""
    for number, line in enumerate(file, start=1):
        if not isinstance(line, str):
            raise TypeError("the file must be open in text mode")
        line = line.strip()
        if line:
            yield place(name, number), line


def place(name, number):
    """Return what a message calls a line."""
    return f"{name}, line {number}" if name else f"line {number}"


def read_row(where, cells):
    """Return numbers; ``?`` is NaN."""
    try:
        return [np.nan if cell.strip() == "?" else float(cell) for cell in cells]
    except ValueError as error:
        raise ValueError(f"{where}: {error}.") from None


def read_stamps(where, texts):
    """Return time stamps as dates, or as numbers if all are numbers."""
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        pass
    try:
        # numpy reads ISO 8601 with a T or a space; some files have slashes.
        return np.array([text.replace("/", "-") for text in texts], dtype="datetime64[ns]")
    except ValueError as error:
        raise ValueError(
            f"{where}: {error}. Time stamps are numbers, or dates such as 2024-01-31 12:00:00."
        ) from None
