"""Takes lines of a CSV file apart into rows and their cells; what is no row of the header's width is rejected."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from batch_scoring.csv_header import Header
from batch_scoring.row_rules import Rejection
from batch_scoring.source_file import LineSource
from model_artifact.loan_header import MAX_ROW_BYTES


@dataclass
class SplitRows:
    """Some lines of a file.

    ``texts`` are the rows as in the file, without line endings; ``cells`` are theirs, as many as the header's, and
    ``lines`` the numbers of their first lines. ``rejections`` are the other rows'; blank lines are left out.
    """

    texts: list[str] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    n_lines: int = 0


def split_rows(raw: bytes, file: LineSource, header: Header, first_line: int) -> SplitRows:
    """Split whole lines into rows; the rest of the last row is read from the file."""
    lines = _Lines(raw, file)
    split = SplitRows()
    for number, text, parsed in _rows(lines, first_line):
        body = text.rstrip("\r\n")
        if not body:
            continue
        if isinstance(parsed, str):
            split.rejections.append(Rejection(number, "", "malformed", parsed))
            continue
        body, cells = _without_spare_cells(body, parsed, header)
        if len(cells) != len(header.names):
            detail = f"Must be a row of {len(header.names)} values; it has {len(cells)}."
            split.rejections.append(Rejection(number, "", "wrong_length", detail))
        else:
            split.texts.append(body)
            split.cells.append(cells)
            split.lines.append(number)
    split.n_lines = lines.count
    return split


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
