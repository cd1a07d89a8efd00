"""Reads the bytes of a CSV file into a table of the ten columns and ``is_late``, as texts and numbers.

It checks the header, the separator and the length of each row; ``data`` checks the values.
"""

from __future__ import annotations

import csv
import io

import pandas as pd

from model_artifact.loan_header import MAX_ROW_BYTES, HeaderError, check_header
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, MISSING_CELLS, TARGET
from training.errors import DataRefusedError

_COLUMNS = (*FIELD_NAMES, TARGET)


def read_table(file: str, content: bytes) -> pd.DataFrame:
    """Read a CSV file: UTF-8 text with a header. Lines end in LF, CRLF or CR; empty columns at their end are ignored.

    In the table, labels are texts, and numbers are what pandas makes of the cells. Cells that are one of
    ``MISSING_CELLS`` are NaN. Another file raises ``DataRefusedError``, which names the column or the row, and says
    what to do.
    """
    try:
        names = _check_shape(file, content)
        return pd.read_csv(
            io.BytesIO(content),
            header=0,
            names=names,
            usecols=list(_COLUMNS),
            index_col=False,
            # Without a type, a label column that is empty would become a column of floats.
            dtype=dict.fromkeys(CATEGORY_NAMES, "str"),
            keep_default_na=False,
            na_values=list(MISSING_CELLS),
        )[list(_COLUMNS)]
    except (ValueError, csv.Error) as error:
        raise DataRefusedError(file, f"This isn't a CSV file in UTF-8 ({error}).") from error


def _check_shape(file: str, content: bytes) -> list[str]:
    """Return a name for each column of the widest row; columns that training doesn't read get a made-up one."""
    csv.field_size_limit(MAX_ROW_BYTES)
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""))
    header = next(rows, [])
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace")
    try:
        check_header(header, _COLUMNS, lines=lines)
    except HeaderError as error:
        raise DataRefusedError(file, error.what, error.column) from error
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
        header[place] if place < width and header[place] in _COLUMNS else f"unread {place}" for place in range(widest)
    ]
