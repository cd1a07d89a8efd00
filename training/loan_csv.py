"""From the bytes of a CSV file to a table of the ten columns and ``is_late``, as texts and numbers.

The shape is checked here: the header, the separator, the length of each row. ``data`` checks the values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import islice

import pandas as pd

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, MISSING_CELLS, TARGET
from training.errors import DataRefusedError

_WANTED = (*FIELD_NAMES, TARGET)

# The header is looked for in as many lines, to say which of them it is.
_FIRST_LINES = 10

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# So many column names are listed in a message.
_NAMES_LISTED = 20


def read_table(file: str, content: bytes) -> pd.DataFrame:
    """Read a CSV file.

    Parameters
    ----------
    file : str
        The file's name, for messages.
    content : bytes
        UTF-8 text with a header; lines end in LF, CRLF or CR. Empty columns at the end of rows are ignored.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 11)
        Labels are texts; numbers are what pandas makes of the cells. Cells that are one of ``MISSING_CELLS`` are NaN.

    Raises
    ------
    DataRefusedError
        If this isn't such a file. The message names the column or the row, and what to do.
    """
    try:
        names = _check_shape(file, content)
        return pd.read_csv(
            io.BytesIO(content),
            header=0,
            names=names,
            usecols=list(_WANTED),
            index_col=False,
            # Without a type, a label column that is empty would become a column of floats.
            dtype=dict.fromkeys(CATEGORY_NAMES, "str"),
            keep_default_na=False,
            na_values=list(MISSING_CELLS),
        )[list(_WANTED)]
    except (ValueError, csv.Error) as error:
        raise DataRefusedError(file, f"This isn't a CSV file in UTF-8 ({error}).") from error


def _check_shape(file: str, content: bytes) -> list[str]:
    """Return a name for each column of the widest row; columns that training doesn't read get a made-up one."""
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""))
    header = next(rows, [])
    _check_header(file, header, content)
    width = widest = len(header)
    for number, row in enumerate((row for row in rows if row), start=1):
        if len(row) < width:
            raise DataRefusedError(file, f"The row has {len(row)} cells, the header has {width}.", row=number)
        if len(row) > width:
            if any(row[width:]):
                what = f"The row has {len(row)} cells, the header has {width}. Put texts with commas in quotes."
                raise DataRefusedError(file, what, row=number)
            widest = max(widest, len(row))
    return [
        header[place] if place < width and header[place] in _WANTED else f"unread {place}" for place in range(widest)
    ]


def _check_header(file: str, header: Sequence[str], content: bytes) -> None:
    missing = [column for column in _WANTED if column not in header]
    if missing:
        raise DataRefusedError(file, *_why_missing(header, missing[0], content))
    for column in _WANTED:
        if header.count(column) > 1:
            raise DataRefusedError(file, "The header names the column twice. Remove one of the two.", column)


def _why_missing(header: Sequence[str], missing: str, content: bytes) -> tuple[str, str | None]:
    """Return what is wrong with a header that lacks a column, and the column if that is all that can be said."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace")
    lines = [line.rstrip("\n") for line in islice(text, _FIRST_LINES)]
    if not any(lines):
        return "The file is empty.", None
    for number, line in enumerate(lines, start=1):
        for separator, in_words in _OTHER_SEPARATORS.items():
            if _holds_all(line.split(separator)):
                return f"The columns are separated by {in_words}. Save the file with commas between them.", None
        if number > 1 and _holds_all(next(csv.reader([line]), [])):
            above = "the line" if number == 2 else f"the {number - 1} lines"
            return f"Line {number} holds the column names. Delete {above} above it.", None
    if _holds_all(header):
        there = next(name for name in header if _plain(name) == missing)
        return f"The column is named {there!r} here. Write the names in lower case, without spaces.", missing
    listed = ", ".join(header[:_NAMES_LISTED]) + (" and more" if len(header) > _NAMES_LISTED else "")
    return f"The column is missing; there are {listed}.", missing


def _holds_all(names: Iterable[str]) -> bool:
    return set(_WANTED) <= set(map(_plain, names))


def _plain(name: str) -> str:
    return name.strip().strip('"').lower()
