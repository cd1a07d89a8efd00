"""Reads a CSV file in steps of whole rows: their text unchanged for the output, and their values for the model.

There are two ways with equal results (tests/unit/peerloan/scoring/test_score_csv.py). Row by row with Python's own
reader works for every file. If a step has no quotes, no invalid row and no odd line ending, pandas reads its columns at
once, in a fifth of the time.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model_artifact.loan_header import MAX_ROW_BYTES
from model_artifact.record_rules import are_valid
from model_artifact.schema import CATEGORY_NAMES, LOAN_ID, MISSING_CELLS, NUMERIC_NAMES
from peerloan.scoring.csv_header import Header
from peerloan.scoring.row_rules import Columns, Rejection, columns_of, find_rejections, read_cells
from peerloan.scoring.source_file import SourceFile


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


def read_step(file: SourceFile, header: Header, first_line: int, size_bytes: int) -> Step | None:
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
    except ValueError:
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


def read_row_by_row(raw: bytes, file: SourceFile, header: Header, first_line: int) -> Step:
    """Return the step of some lines; the rest of the last row is read from the file."""
    lines = _Lines(raw, file)
    rows, records, numbers, rejections = [], [], [], []
    for number, text, parsed in _rows(lines, first_line):
        body = text.rstrip("\r\n")
        if not body:
            continue
        if isinstance(parsed, str):
            rejections.append(Rejection(number, "", "malformed", parsed))
            continue
        body, cells = _without_spare_cells(body, parsed, header)
        if len(cells) != len(header.names):
            detail = f"Must be a row of {len(header.names)} values; it has {len(cells)}."
            rejections.append(Rejection(number, "", "wrong_length", detail))
        else:
            rows.append(body)
            records.append(read_cells(dict(zip(header.names, cells, strict=True))))
            numbers.append(number)
    faults = find_rejections(records, numbers)
    invalid = {fault.line for fault in faults}
    valid = [place for place, number in enumerate(numbers) if number not in invalid]
    return Step(
        [rows[place] for place in valid],
        columns_of([records[place] for place in valid]),
        sorted([*rejections, *faults], key=lambda rejection: rejection.line),
        len(invalid) + len(rejections),
        lines.count,
    )


def _without_spare_cells(text: str, cells: list[str], header: Header) -> tuple[str, list[str]]:
    """Cut or add empty cells at the end, as spreadsheets save them, until the row has as many cells as the header."""
    extra = len(cells) - len(header.names)
    if extra > 0 and not any(cells[-extra:]) and text.endswith("," * extra):
        return text[:-extra], cells[:-extra]
    if 0 < -extra <= header.spare:
        return text + "," * -extra, cells + [""] * -extra
    return text, cells


class _RowTooLongError(Exception):
    """A row has more than ``MAX_ROW_BYTES``; its lines so far have been read."""


class _Lines:
    """The lines of a step, then the lines of the file that belong to the step's last row."""

    def __init__(self, raw: bytes, file: SourceFile) -> None:
        self.count = 0
        self.row: list[str] = []
        self.is_cut = False
        self._row_bytes = 0
        self._waiting = io.BytesIO(raw)
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.readline()
        # The reader also asks for a line to begin a row. Only a row that has begun takes more lines of the file.
        if not line and self.row:
            line = self._file.read_line()
            self.is_cut = not line
        if not line:
            raise StopIteration
        line, fits = self._complete(line)
        self.count += 1
        self._row_bytes += len(line)
        if not fits or self._row_bytes > MAX_ROW_BYTES:
            raise _RowTooLongError
        self.row.append(line.decode("utf-8", "surrogateescape"))
        return self.row[-1]

    def end_row(self) -> str:
        """Return the text of the row that was read, and begin the next one."""
        text = "".join(self.row)
        self.row.clear()
        self._row_bytes = 0
        return text

    def _complete(self, line: bytes) -> tuple[bytes, bool]:
        """Read a line to its end. Return its last piece and False if it is longer than a row may be."""
        fits = True
        while not line.endswith(b"\n") and (piece := self._file.read_line()):
            fits = fits and len(line) + len(piece) <= MAX_ROW_BYTES
            line = line + piece if fits else piece
        return line, fits


def _rows(lines: _Lines, first_line: int) -> Iterator[tuple[int, str, list[str] | str]]:
    """Yield each row's first line number, its text, and its cells or the reason why it can't be split into cells."""
    reader = csv.reader(lines)
    while True:
        start = lines.count
        cells: list[str] | str
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reader = csv.reader(lines)
            cells = f"The row isn't CSV: {error}."
        except _RowTooLongError:
            reader = csv.reader(lines)
            cells = f"The row has more than {MAX_ROW_BYTES:,} bytes. Is a quotation mark not closed?"
            # Without any text, the row would be left out as a blank line.
            lines.row.append("-")
        if lines.is_cut:
            cells = "A quotation mark is opened and not closed."
        text = lines.end_row()
        if not isinstance(cells, str) and not _is_utf_8(text):
            cells = "The row isn't UTF-8."
        yield first_line + start, text, cells


def _is_utf_8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
