"""Reading a CSV file in steps that end where a row ends: the rows as they are, and the values that a model takes.

Two ways with equal results (tests/unit/peerloan/scoring/test_score_csv.py). One row after the other with Python's own
reader is right for every file. Where a step holds nothing unusual (no quotes, no wrong row, no odd line ending), pandas
reads its columns at once, in a fifth of the time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from model_artifact.schema import CATEGORY_NAMES, FIELDS, LOAN_ID, NUMERIC_NAMES
from peerloan.errors import UsageError
from peerloan.scoring.results import check_names
from peerloan.scoring.row_rules import Columns, Rejection, are_right, check_record, columns_of, read_cells

_MAX_HEADER_BYTES = 1 << 20
_NULLABLE_NUMBERS = [field.name for field in FIELDS if field.type == "number" and field.nullable]


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
        How lines end.
    size_bytes : int
        With its end.
    """

    names: tuple[str, ...]
    text: str
    ending: str
    size_bytes: int


@dataclass(frozen=True)
class Step:
    """Some rows of a file.

    Attributes
    ----------
    rows : sequence of str
        The right ones, each as it is in the file, without its end.
    columns : mapping
        Their values: the ten fields.
    rejections : sequence of Rejection
        What is wrong with the others.
    rejected : int
        How many others there are.
    n_lines, raw : int, bytes
        How much of the file this is.
    """

    rows: Sequence[str]
    columns: Columns
    rejections: Sequence[Rejection]
    rejected: int
    n_lines: int
    raw: bytes


def read_header(file: BinaryIO) -> Header:
    """Read the first line.

    Raises
    ------
    UsageError
        If it is not UTF-8, a column is missing or there twice, or has the name of one that scoring adds.
    """
    line = file.readline(_MAX_HEADER_BYTES)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("The first line is not UTF-8.") from None
    body = text.rstrip("\r\n")
    names = tuple(next(csv.reader([body.removeprefix("\ufeff")]), []))
    check_names(names)
    return Header(names, body, text[len(body) :] or "\n", len(line))


def read_step(file: BinaryIO, header: Header, first_line: int, size_bytes: int) -> Step | None:
    """Read about so many bytes up to the end of a row; None at the end of the file.

    Parameters
    ----------
    file : binary file
        At the beginning of a row.
    header : Header
        Of the file.
    first_line : int
        The number of the line that the file is at.
    size_bytes : int
        At least this much is read, if there is as much.
    """
    raw = file.read(size_bytes)
    if not raw:
        return None
    if not raw.endswith(b"\n"):
        raw += file.readline()
    return read_at_once(raw, header) or read_row_by_row(raw, file, header, first_line)


def read_at_once(raw: bytes, header: Header) -> Step | None:
    """Return the step that some whole lines are, if there is nothing unusual in it, else None."""
    ending = header.ending.encode()
    if not raw.endswith(ending) or b'"' in raw or b"\0" in raw or raw.count(b"\r") != raw.count(b"\r\n"):
        return None
    n_rows = raw.count(b"\n")
    if (b"\r" in ending) != (b"\r" in raw):
        return None
    lengths = _cell_lengths(raw, n_rows, header)
    if lengths is None:
        return None
    try:
        text = raw.decode("utf-8")
        columns = _parse(raw, header)
    except ValueError:
        return None
    # Words such as nan are numbers to pandas, and none to the API; where one may be missing, it must be an empty cell.
    empty = (np.count_nonzero(lengths[:, header.names.index(name)] == 0) for name in _NULLABLE_NUMBERS)
    missing = (np.count_nonzero(np.isnan(np.asarray(columns[name]))) for name in _NULLABLE_NUMBERS)
    if list(empty) != list(missing) or not are_right(columns):
        return None
    return Step(text.split(header.ending)[:-1], columns, (), 0, n_rows, raw)


def _cell_lengths(raw: bytes, n_rows: int, header: Header) -> NDArray[np.intp] | None:
    """Return how long each cell is, of shape (n_rows, n_columns); None if a line has not as many as the header."""
    n_columns = len(header.names)
    characters = np.frombuffer(raw, dtype=np.uint8)
    separators = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    if len(separators) != n_rows * n_columns:
        return None
    if not (characters[separators[n_columns - 1 :: n_columns]] == ord("\n")).all():
        return None
    lengths = np.diff(separators, prepend=-1).reshape(n_rows, n_columns) - 1
    lengths[:, -1] -= len(header.ending) - 1
    return lengths


def _parse(raw: bytes, header: Header) -> Columns:
    # Imported here: a file of quoted texts needs no pandas.
    import pandas as pd

    texts = [*CATEGORY_NAMES, *((LOAN_ID,) if LOAN_ID in header.names else ())]
    frame = pd.read_csv(
        io.BytesIO(raw),
        header=None,
        names=list(header.names),
        usecols=[*NUMERIC_NAMES, *texts],
        dtype={**dict.fromkeys(NUMERIC_NAMES, "float64"), **dict.fromkeys(texts, "object")},
        keep_default_na=False,
        na_values={name: [""] for name in _NULLABLE_NUMBERS},
        index_col=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        engine="c",
    )
    columns: dict[str, object] = {name: frame[name].to_numpy() for name in NUMERIC_NAMES}
    for name in texts:
        values = frame[name].tolist()
        columns[name] = [value or None for value in values] if "" in values else values
    return columns


def read_row_by_row(raw: bytes, file: BinaryIO, header: Header, first_line: int) -> Step:
    """Return the step that some lines are, with as much more of the file as the last row needs."""
    lines = _Lines(raw, file)
    good, records, rejections, rejected = [], [], [], 0
    for number, text, cells in _rows(lines, first_line):
        if not text.strip("\r\n"):
            continue
        wrong: list[Rejection] = []
        if isinstance(cells, str):
            wrong.append(Rejection(number, "", "malformed", cells))
        elif len(cells) != len(header.names):
            detail = f"Must be a row of {len(header.names)} values; it has {len(cells)}."
            wrong.append(Rejection(number, "", "wrong_length", detail))
        elif not _is_utf_8(text):
            wrong.append(Rejection(number, "", "malformed", "The row is not UTF-8."))
        else:
            record = read_cells(dict(zip(header.names, cells, strict=True)))
            wrong = check_record(record, number)
            if not wrong:
                good.append(text.rstrip("\r\n"))
                records.append(record)
        rejections += wrong
        rejected += bool(wrong)
    return Step(good, columns_of(records), rejections, rejected, lines.count, bytes(lines.raw))


class _Lines:
    """The lines of a step, and then as many of the file's as the row needs that began in it."""

    def __init__(self, raw: bytes, file: BinaryIO) -> None:
        self.raw = bytearray(raw)
        self.count = 0
        self.row: list[str] = []
        self.is_cut = False
        self._waiting = iter(raw.splitlines(keepends=True) if b"\r" not in raw else io.BytesIO(raw))
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._waiting, b"")
        # Lines are asked for when a row begins too: only one that began and is not complete takes more of the file.
        if not line and self.row:
            line = self._file.readline()
            self.raw += line
            self.is_cut = not line
        if not line:
            raise StopIteration
        self.count += 1
        self.row.append(line.decode("utf-8", "surrogateescape"))
        return self.row[-1]


def _rows(lines: _Lines, first_line: int) -> Iterator[tuple[int, str, list[str] | str]]:
    """Yield each row's first line, its text, and its cells, or why there are none."""
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
            cells = f"The row is no CSV: {error}."
        if lines.is_cut:
            cells = "A quotation mark is opened and not closed."
        text = "".join(lines.row)
        lines.row.clear()
        yield first_line + start, text, cells


def _is_utf_8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
