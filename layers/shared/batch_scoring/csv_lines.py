"""Splits lines of a CSV file into rows and their cells; a row of another width than the header's is rejected.

There are two ways with equal results (tests/unit/batch_scoring/test_csv_rows.py): at once for the usual lines, and
row by row for all others, such as rows over several lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from batch_scoring.csv_header import Header
from batch_scoring.row_rules import Rejection
from batch_scoring.source_file import LineSource
from model_artifact.loan_header import MAX_ROW_BYTES


@dataclass(frozen=True)
class SplitRows:
    """Some lines of a file.

    ``texts`` are the rows as in the file, without line endings, and ``lines`` the numbers of their first lines.
    ``cells`` holds the cells of all rows, one row after the other. A row takes ``width`` places: its cells, and perhaps
    one more. ``rejections`` says why the other rows are left out. Blank lines are left out without one.
    """

    texts: Sequence[str]
    cells: Sequence[str]
    width: int
    lines: Sequence[int]
    rejections: Sequence[Rejection]
    n_lines: int

    def column(self, place: int) -> Sequence[str]:
        """Return the cells of a column, one of each row."""
        return self.cells[place :: self.width]


def split_rows(raw: bytes, file: LineSource, header: Header, first_line: int) -> SplitRows:
    """Split whole lines into rows; the rest of the last row is read from the file."""
    return split_at_once(raw, header, first_line) or split_row_by_row(raw, file, header, first_line)


def split_at_once(raw: bytes, header: Header, first_line: int) -> SplitRows | None:
    """Split lines that are one row each, of the header's width; return None if any isn't."""
    n_lines, n_returns = raw.count(b"\n"), raw.count(b"\r")
    ending = "\r\n" if n_returns else "\n"
    if not raw.endswith(b"\n") or (n_returns and not n_lines == n_returns == raw.count(b"\r\n")):
        return None
    try:
        text = raw.decode()
        lines = text.split(ending)[:-1]
        # Each row gets one more cell, which is the end of its line.
        if b'"' in raw:
            cells = [cell for row in _reader([*lines, ""]) for cell in (*row, ending)][:-1]
        else:
            cells = text.replace(ending, f",{ending},").split(",")[:-1]
    except (UnicodeDecodeError, csv.Error):
        return None
    width = len(header.names) + 1
    has_all = len(cells) == n_lines * width and cells[width - 1 :: width].count(ending) == n_lines
    # A character has four bytes at most.
    if not has_all or max(map(len, lines)) >= MAX_ROW_BYTES // 4:
        return None
    return SplitRows(lines, cells, width, range(first_line, first_line + n_lines), (), n_lines)


def split_row_by_row(raw: bytes, file: LineSource, header: Header, first_line: int) -> SplitRows:
    """Split any lines."""
    lines = _Lines(raw, file)
    width = len(header.names)
    texts: list[str] = []
    cells: list[str] = []
    numbers: list[int] = []
    rejections: list[Rejection] = []
    for number, text, parsed in _rows(lines, first_line):
        body = text.rstrip("\r\n")
        if not body:
            continue
        if isinstance(parsed, str):
            rejections.append(Rejection(number, "", "malformed", parsed))
            continue
        body, row = _without_spare_cells(body, parsed, header)
        if len(row) != width:
            detail = f"Must be a row of {width} values; it has {len(row)}."
            rejections.append(Rejection(number, "", "wrong_length", detail))
        else:
            texts.append(body)
            cells += row
            numbers.append(number)
    return SplitRows(texts, cells, width, numbers, rejections, lines.count)


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

    def __init__(self, raw: bytes, file: LineSource) -> None:
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


def _reader(lines: Iterable[str]) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_ROW_BYTES)
    return csv.reader(lines)


def _rows(lines: _Lines, first_line: int) -> Iterator[tuple[int, str, list[str] | str]]:
    """Yield each row's first line number, its text, and its cells or the reason why it can't be split into cells."""
    reader = _reader(lines)
    while True:
        start = lines.count
        cells: list[str] | str
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reader = _reader(lines)
            cells = f"The row isn't CSV: {error}."
        except _RowTooLongError:
            reader = _reader(lines)
            cells = f"The row has more than {MAX_ROW_BYTES:,} bytes{_in_lines(lines.count - start)}."
            cells += " Is a quotation mark not closed?"
            # Without any text, the row would be left out as a blank line.
            lines.row.append("-")
        if lines.is_cut:
            cells = f"A quotation mark is opened and not closed{_in_lines(lines.count - start)}."
        text = lines.end_row()
        if not isinstance(cells, str) and not _is_utf_8(text):
            cells = "The row isn't UTF-8."
        yield first_line + start, text, cells


def _in_lines(count: int) -> str:
    """Say how many lines are left out with a row."""
    return f", which leaves {count:,} lines out" if count > 1 else ""


def _is_utf_8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
