"""Reads the header of a CSV file: its columns, or an error that says why the first line can't be the header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from model_artifact.loan_header import MAX_ROW_BYTES, split_names
from peerloan.errors import UsageError
from peerloan.scoring.results import RESULT_COLUMNS, check_names
from peerloan.scoring.source_file import SourceFile


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
    """Read the first line of a file that gets the columns ``added``.

    Raises ``UsageError`` if it isn't UTF-8 or is too long, or ``check_names`` refuses it.
    """
    line = file.read_line()
    if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
        raise UsageError(f"The first line has more than {MAX_ROW_BYTES:,} bytes. It must hold the column names.")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("The first line isn't UTF-8. Save the file as CSV in UTF-8.") from None
    body = text.rstrip("\r\n")
    below = (piece.decode("utf-8", "replace") for piece in iter(file.read_line, b""))
    names = _split(body)
    check_names(names, added, chain([body], below))
    return Header(names, body, "\r" if file.ends_lines_in_cr else text[len(body) :] or "\n", len(line))


def _split(line: str) -> tuple[str, ...]:
    csv.field_size_limit(MAX_ROW_BYTES)
    try:
        return tuple(split_names(line))
    except csv.Error as error:
        raise UsageError(f"The first line isn't CSV: {error}.") from None
