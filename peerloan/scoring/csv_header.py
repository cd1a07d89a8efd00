"""The first line of a CSV file: its columns, or one sentence that says why it can't be the header."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import islice

from model_artifact.schema import FIELD_NAMES
from peerloan.errors import UsageError
from peerloan.scoring.results import check_names
from peerloan.scoring.source_file import MAX_ROW_BYTES, SourceFile

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# Notes above the header are looked for in so many lines.
_NOTE_LINES = 20


@dataclass(frozen=True)
class Header:
    """The first line of a file.

    Attributes
    ----------
    names : tuple of str
        The columns.
    text : str
        The line as it is, without its end.
    ending : str
        How lines end in the file.
    size_bytes : int
        With its end.
    """

    names: tuple[str, ...]
    text: str
    ending: str
    size_bytes: int

    @property
    def spare(self) -> int:
        """How many columns at the end have no name, as spreadsheets save empty columns."""
        return len(self.names) - max((at for at, name in enumerate(self.names, 1) if name), default=0)


def read_header(file: SourceFile) -> Header:
    """Read the first line.

    Raises
    ------
    UsageError
        If it isn't UTF-8 or too long, if a column is missing or there twice, or has the name of one that scoring adds.
    """
    line = file.read_line()
    if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
        raise UsageError(f"The first line has more than {MAX_ROW_BYTES:,} bytes. It must hold the column names.")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("The first line isn't UTF-8. Save the file as CSV in UTF-8.") from None
    body = text.rstrip("\r\n")
    names = _split(body)
    if set(FIELD_NAMES) - set(names):
        below = [piece.decode("utf-8", "replace") for piece in islice(iter(file.read_line, b""), _NOTE_LINES)]
        explain_header(body, below)
    check_names(names)
    return Header(names, body, "\r" if file.ends_lines_in_cr else text[len(body) :] or "\n", len(line))


def explain_header(text: str, below: list[str]) -> None:
    """Raise ``UsageError`` where the reason for missing columns is known; ``below`` are the lines that follow.

    What is in another form is refused, as training refuses it: a guess could score another column.
    """
    wanted = set(FIELD_NAMES)
    for separator, name in _SEPARATORS.items():
        if wanted <= {cell.strip(' "\ufeff').lower() for cell in text.split(separator)}:
            raise UsageError(f"The columns are separated by {name}. Save the file with commas between them.")
    names = [name.strip() for name in _split(text)]
    if wanted <= {name.lower() for name in names}:
        other = next(name for name in _split(text) if name.strip().lower() in wanted and name not in wanted)
        raise UsageError(f"The first line has {other!r}; the column is {other.strip().lower()!r}, in small letters.")
    for number, line in enumerate(below, 2):
        if wanted <= {name.strip().lower() for name in _split(line.rstrip("\r\n"))}:
            raise UsageError(f"The column names are in line {number}. Remove the lines above it.")


def _split(line: str) -> tuple[str, ...]:
    csv.field_size_limit(MAX_ROW_BYTES)
    try:
        return tuple(next(csv.reader([line.removeprefix("\ufeff")]), []))
    except csv.Error as error:
        raise UsageError(f"The first line isn't CSV: {error}.") from None
