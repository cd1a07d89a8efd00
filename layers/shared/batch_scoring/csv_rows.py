"""Reads a CSV file in steps of whole rows: their text unchanged for the output, and their values for the model.

There are two ways with equal results (tests/unit/peerloan/scoring/test_score_csv.py). Row by row with Python's own
reader works for every file. If a step has no quotes, no invalid row and no odd line ending, pandas reads its columns at
once, in a fifth of the time; without pandas, row by row is the only way.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batch_scoring.csv_header import Header
from batch_scoring.csv_lines import split_rows
from batch_scoring.row_rules import Columns, Rejection, columns_of, find_rejections, read_cells
from batch_scoring.source_file import LineSource
from model_artifact.column_rules import are_valid
from model_artifact.loan_header import MAX_ROW_BYTES
from model_artifact.schema import CATEGORY_NAMES, LOAN_ID, MISSING_CELLS, NUMERIC_NAMES


@dataclass(frozen=True)
class Step:
    """Some lines of a file.

    ``rows`` are the valid rows' text as in the file, without line endings; ``columns`` are their values: the ten
    fields, and ``loan_id`` if the file has it. ``rejected`` counts the invalid rows; ``rejections`` lists their faults.
    """

    rows: Sequence[str]
    columns: Columns
    rejections: Sequence[Rejection]
    rejected: int
    n_lines: int


# Where pandas reads something else than a row alone does: quotes, NUL, a byte order mark, white space other than blanks
# and tabs around a number, and a column of truth values, which it takes for numbers.
_READ_OTHERWISE = re.compile(rb"[\"\0\v\f]|^\xef\xbb\xbf|(?:^|[,\n])(?:true|True|TRUE|false|False|FALSE)(?=[,\r\n])")
# Looked for first: most files have none of these, and the pattern takes fifty times as long to say so.
_MARKS = (b'"', b"\0", b"\v", b"\f", b"\xef\xbb\xbf", b"true", b"True", b"TRUE", b"false", b"False", b"FALSE")


def read_step(file: LineSource, header: Header, first_line: int, size_bytes: int) -> Step | None:
    """Read whole rows, at least ``size_bytes`` of them; return None at the end of the file.

    ``first_line`` is the number of the next line of the file.
    """
    raw = file.read(size_bytes)
    if not raw:
        return None
    if not raw.endswith(b"\n"):
        raw += file.read_line()
    return read_at_once(raw, header) or read_row_by_row(raw, file, header, first_line)


def read_at_once(raw: bytes, header: Header) -> Step | None:
    """Return the step of some whole lines, or None if anything in them is unusual."""
    ending = b"\r\n" if header.ending == "\r\n" else b"\n"
    n_rows = raw.count(ending)
    n_returns = n_rows if ending == b"\r\n" else 0
    if not raw.endswith(ending) or (raw.count(b"\n"), raw.count(b"\r")) != (n_rows, n_returns):
        return None
    if any(mark in raw for mark in _MARKS) and _READ_OTHERWISE.search(raw):
        return None
    if not _are_rows(raw, n_rows, len(header.names)):
        return None
    try:
        text = raw.decode("utf-8")
        columns = _parse(raw, header)
    except (ImportError, ValueError):
        return None
    return Step(text.split(ending.decode())[:-1], columns, (), 0, n_rows) if are_valid(columns) else None


def _are_rows(raw: bytes, n_rows: int, n_columns: int) -> bool:
    """Return whether each line has as many cells as the header and isn't too long."""
    characters = np.frombuffer(raw, dtype=np.uint8)
    separators = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    if len(separators) != n_rows * n_columns:
        return False
    ends = separators[n_columns - 1 :: n_columns]
    is_full = (characters[ends] == ord("\n")).all()
    return bool(is_full and (len(raw) <= MAX_ROW_BYTES or np.diff(ends, prepend=-1).max() <= MAX_ROW_BYTES))


def _parse(raw: bytes, header: Header) -> Columns:
    # Imported here: a file of quoted texts needs no pandas.
    import pandas as pd

    texts = [*CATEGORY_NAMES, *((LOAN_ID,) if LOAN_ID in header.names else ())]
    places = {name: header.names.index(name) for name in (*NUMERIC_NAMES, *texts)}
    frame = pd.read_csv(
        io.BytesIO(raw),
        header=None,
        # By place: other columns may share a name.
        usecols=list(places.values()),
        dtype={place: "object" if name in texts else "float64" for name, place in places.items()},
        keep_default_na=False,
        na_values=list(MISSING_CELLS),
        index_col=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        engine="c",
    )
    columns: dict[str, object] = {name: frame[places[name]].to_numpy() for name in NUMERIC_NAMES}
    for name in texts:
        values = frame[places[name]]
        columns[name] = values.where(values.notna(), None).tolist() if values.hasnans else values.tolist()
    return columns


def read_row_by_row(raw: bytes, file: LineSource, header: Header, first_line: int) -> Step:
    """Return the step of some lines; the rest of the last row is read from the file."""
    split = split_rows(raw, file, header, first_line)
    records = [read_cells(dict(zip(header.names, cells, strict=True))) for cells in split.cells]
    faults = find_rejections(records, split.lines)
    invalid = {fault.line for fault in faults}
    valid = [place for place, number in enumerate(split.lines) if number not in invalid]
    return Step(
        [split.texts[place] for place in valid],
        columns_of([records[place] for place in valid]),
        sorted([*split.rejections, *faults], key=lambda rejection: rejection.line),
        len(invalid) + len(split.rejections),
        split.n_lines,
    )
