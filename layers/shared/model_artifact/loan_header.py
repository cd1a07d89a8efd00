"""Checks the header of a loan file, by the same rules and with the same messages for training and scoring.

A header in another form is refused, since a guess could take the wrong column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import islice

# The longest row that is read, with the end of its line. Python's own limit on a cell is an eighth of it.
MAX_ROW_BYTES = 1 << 20
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# The header is looked for in the first lines, to say which of them it is.
_FIRST_LINES = 20
# At most this many column names are listed in a message.
_NAMES_LISTED = 20


class HeaderError(ValueError):
    """A header can't be used.

    ``what`` is the message without the column: what is wrong, and what to do. ``column`` is None if it isn't about one
    column.
    """

    def __init__(self, what: str, column: str | None = None) -> None:
        super().__init__(what if column is None else f"column {column}: {what}")
        self.what = what
        self.column = column


def check_header(
    names: Sequence[str], columns: Sequence[str], *, optional: Sequence[str] = (), lines: Iterable[str] = ()
) -> None:
    """Check that a file has the columns, each once. Other columns may share a name or lack one.

    Parameters
    ----------
    names : sequence of str
        The names in the header.
    columns, optional : sequence of str
        The columns that the file must have, and may have.
    lines : iterable of str
        A CSV file's lines from its first one on; a few of them are read where a column is missing.

    Raises
    ------
    HeaderError
        If a column is missing or occurs twice.
    """
    present_names = set(names)
    if missing := [column for column in columns if column not in present_names]:
        raise _explain_missing(
            names, columns, missing[0], [line.rstrip("\r\n") for line in islice(lines, _FIRST_LINES)]
        )
    for column in (*columns, *optional):
        if names.count(column) > 1:
            raise HeaderError("The header names the column twice. Remove one of the two.", column)


def split_names(line: str) -> list[str]:
    """Return the names in a line of CSV, without a byte order mark; raises ``csv.Error``."""
    return next(csv.reader([line.removeprefix("\ufeff")]), [])


def _explain_missing(names: Sequence[str], columns: Sequence[str], missing: str, lines: Sequence[str]) -> HeaderError:
    if not any(names) and not any(lines):
        return HeaderError("The file is empty.")
    for number, line in enumerate(lines, start=1):
        for separator, in_words in _OTHER_SEPARATORS.items():
            if _holds_all(line.split(separator), columns):
                return HeaderError(f"The columns are separated by {in_words}. Save the file with commas between them.")
        if number > 1 and _holds_all(_names_or_none(line), columns):
            above = "the line" if number == 2 else f"the {number - 1} lines"
            return HeaderError(f"Line {number} holds the column names. Delete {above} above it.")
    if _holds_all(names, columns):
        other = next(name for name in names if _plain(name) == missing)
        return HeaderError(
            f"The column is named {other!r} here. Write the names in lower case, without spaces.", missing
        )
    listed = ", ".join(names[:_NAMES_LISTED]) + (" and more" if len(names) > _NAMES_LISTED else "")
    return HeaderError(f"The column is missing; there are {listed}.", missing)


def _names_or_none(line: str) -> list[str]:
    try:
        return split_names(line)
    except csv.Error:
        return []


def _holds_all(names: Iterable[str], columns: Sequence[str]) -> bool:
    return set(columns) <= set(map(_plain, names))


def _plain(name: str) -> str:
    return name.strip(' \t"\ufeff').lower()
