"""Lines of text files, compressed or not, each with its number for error messages."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import zlib
from contextlib import nullcontext

# How the files of each format begin. Names of files do not tell: they may be in capitals or wrong.
GZIP, BZIP2, XZ, ZSTANDARD = (
    re.compile(rb"\x1f\x8b"),
    re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    re.compile(rb"\xfd7zXZ\0"),
    re.compile(rb"\x28\xb5\x2f\xfd"),
)
UNREADABLE = {
    "a ZIP archive": re.compile(rb"PK\x03\x04"),
    "a 7-Zip archive": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "a RAR archive": re.compile(rb"Rar!\x1a\x07"),
    "compressed by `compress`": re.compile(rb"\x1f\x9d"),
    "a tar archive": re.compile(rb".{257}ustar", re.DOTALL),
}


LONGEST_START = 262  # bytes that these look at


class BrokenLine(ValueError):
    """What is wrong with a line, and its number."""

    def __init__(self, number, message):
        super().__init__(message)
        self.number = number
        self.message = message


def open_text(path_or_file):
    """Open a text file to read it line by line.

    Parameters
    ----------
    path_or_file : path-like or text file
        A path may be that of a file compressed by gzip, bzip2, xz or Zstandard, which is unpacked
        at once.

    Returns
    -------
    context : context manager
        Of the text. Bytes that are not UTF-8 are replaced: the comments of archives are in several
        encodings, their numbers always in ASCII.
    name : str
        Empty where an open file has none.

    Raises
    ------
    ValueError, ImportError
        If the file cannot be unpacked.
    """
    if hasattr(path_or_file, "read"):
        return nullcontext(path_or_file), _name(path_or_file)
    name = os.fsdecode(path_or_file)
    file = open(path_or_file, "rb")  # noqa: SIM115, it is closed with the text
    try:
        beginning = file.peek(LONGEST_START)
        if any(start.match(beginning) for start in (*UNREADABLE.values(), *UNPACK)):
            content = file.read()
            file.close()
            file = io.BytesIO(decompress(name, content))
    except BaseException:
        file.close()
        raise
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace"), name


def _name(file):
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else ""


def read_lines(path_or_file, encoding):
    r"""Return the name of a file, its lines, and what is wrong with some of them.

    Lines end at ``\n`` or ``\r\n`` only, because tokens may contain the other characters at which
    `str.splitlines` splits.

    Parameters
    ----------
    path_or_file : path-like or text file
        A path may be that of a file compressed by gzip, bzip2, xz or Zstandard.

    encoding : str
        Encoding of the file at a path. That of an open file is known to the file.

    Returns
    -------
    name : str
        Empty where an open file has none.

    lines : list of str
        Blank lines, of spaces and tabs too, are empty strings.

    broken : dict
        Messages by the numbers of the lines, counted from 1.

    Raises
    ------
    TypeError, ValueError, ImportError
        If the file is no text, the encoding is unknown or a package for it is missing.
    """
    if hasattr(path_or_file, "read"):
        name, text = _name(path_or_file), path_or_file.read()
        if not isinstance(text, str):
            raise TypeError("the file must be open in text mode")
        lines, broken = text.removeprefix("\ufeff").split("\n"), {}
    else:
        name = os.fsdecode(path_or_file)
        with open(path_or_file, "rb") as file:
            lines, broken = _decode(name, decompress(name, file.read()), encoding)
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if "\r" in line:
            broken.setdefault(
                number,
                "a carriage return inside the line. Save the file with line feeds as line ends.",
            )
        if "\0" in line:
            broken.setdefault(number, "a NUL character. Set encoding, perhaps to 'utf-16'.")
        lines[number - 1] = line if line.strip(" \t") else ""
    return name, lines, broken


def decompress(name, content):
    for what, start in UNREADABLE.items():
        if start.match(content):
            raise ValueError(f"{name} is {what}. Unpack it first.")
    for start, unpack in UNPACK.items():
        if start.match(content):
            try:
                return unpack(content)
            except (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
                raise ValueError(
                    f"{name} is compressed, but it is damaged or incomplete: {error}. Fetch it "
                    "again."
                ) from error
    return content


def _zstandard(content):
    try:
        from compression import zstd  # since Python 3.14
    except ImportError:
        return _zstandard_by_package(content)
    try:
        return zstd.decompress(content)
    except zstd.ZstdError as error:
        raise OSError(str(error)) from error


def _zstandard_by_package(content):
    try:
        import zstandard
    except ImportError:
        raise ImportError(
            "Files compressed by Zstandard (.zst) need Python 3.14 or the package zstandard. "
            "Install it, or unpack the file first."
        ) from None
    parts = []
    while content:  # one frame after the other; a stream reader would not tell of a cut end
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            parts.append(frame.decompress(content))
        except zstandard.ZstdError as error:
            raise OSError(str(error)) from error
        if not frame.eof:
            raise EOFError("it ends within a frame")
        content = frame.unused_data
    return b"".join(parts)


UNPACK = {
    GZIP: gzip.decompress, BZIP2: bz2.decompress, XZ: lzma.decompress, ZSTANDARD: _zstandard,
}  # fmt: skip


def _decode(name, content, encoding):
    """Return the lines of the text; those that are not of the encoding are broken."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, TypeError):
        raise ValueError(
            f"encoding={encoding!r} is not an encoding that Python knows, such as 'utf-8' or "
            "'latin-1'."
        ) from None
    try:
        return content.decode(encoding).removeprefix("\ufeff").split("\n"), {}
    except UnicodeDecodeError as error:
        if codec.name != "utf-8":  # in others a line end may be more than one byte
            raise ValueError(
                f"{name} is not encoded in {encoding!r}: {error.reason} at byte "
                f"{error.start}. Pass the encoding of the file."
            ) from None
    lines, broken = [], {}
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        lines.append(line.decode("utf-8", "replace"))
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            broken[number] = (
                f"the byte 0x{line[error.start]:02x} is not UTF-8. Set encoding to that of the "
                "file, often 'latin-1', or 'utf-16'."
            )
    return lines, broken
