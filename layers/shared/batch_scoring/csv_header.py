"""Reads the header of a CSV file: its columns, or an error that says why the first line can't be the header."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from batch_scoring.errors import UnusableFileError
from batch_scoring.results import RESULT_COLUMNS, check_names
from batch_scoring.source_file import SourceFile
from model_artifact.loan_header import MAX_ROW_BYTES, split_names

# What files of other kinds begin with; what they are, and what to do.
_OTHER_KINDS = {
    b"PAR1": "Parquet. Give it a name that ends in .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook. Save its table as CSV in UTF-8",
    b"\x1f\x8b": "compressed by gzip. Unpack it first",
}


@dataclass(frozen=True)
class Header:
    """The first line of a file: the columns' names, and its text unchanged, without the file's line ending.

    ``size_bytes`` counts the line ending, too.
    """

    names: tuple[str, ...]
    text: str
    ending: str
    size_bytes: int

    @property
    def spare(self) -> int:
        """The number of columns at the end without a name: spreadsheets save empty columns so."""
        return len(self.names) - max((number for number, name in enumerate(self.names, 1) if name), default=0)


def read_header(file: SourceFile, added: Sequence[str] = RESULT_COLUMNS) -> Header:
    """Read the first line of a file of loans that gets the columns ``added``; raises as ``read_first_line`` does."""
    return read_first_line(file, lambda names, lines: check_names(names, added, lines))


def read_first_line(file: SourceFile, check: Callable[[Sequence[str], Iterable[str]], None]) -> Header:
    """Read the first line of a file.

    Parameters
    ----------
    file : SourceFile
        At its start.
    check : callable
        Gets the names, and the file's lines from the first one on; raises ``UnusableFileError`` for another header.

    Raises
    ------
    UnusableFileError
        If the file is of another kind, the line isn't UTF-8 or is too long, or ``check`` refuses it.
    """
    line = file.read_line()
    check_is_csv(line)
    if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
        raise UnusableFileError(f"The first line has more than {MAX_ROW_BYTES:,} bytes. It must hold the column names.")
    text = line.decode("utf-8")
    body = text.rstrip("\r\n")
    below = (piece.decode("utf-8", "replace") for piece in iter(file.read_line, b""))
    names = _split(body)
    check(names, chain([body], below))
    return Header(names, body, "\r" if file.ends_lines_in_cr else text[len(body) :] or "\n", len(line))


def check_is_csv(line: bytes) -> None:
    """Raise ``UnusableFileError`` if a first line is of another kind of file, or isn't text in UTF-8."""
    for start, kind in _OTHER_KINDS.items():
        if line.startswith(start):
            raise UnusableFileError(f"The file is {kind}.")
    try:
        is_text = "\0" not in line.decode("utf-8")
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        raise UnusableFileError("The first line isn't text in UTF-8. Save the file as CSV in UTF-8.")


def _split(line: str) -> tuple[str, ...]:
    csv.field_size_limit(MAX_ROW_BYTES)
    try:
        return tuple(split_names(line))
    except csv.Error as error:
        raise UnusableFileError(f"The first line isn't CSV: {error}.") from None
