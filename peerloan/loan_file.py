"""CSV files of loans for ``predict``: read and checked whole before anything is asked, written whole or not at all."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model_artifact.schema import FIELDS
from peerloan.errors import CommandError, UsageError

_COLUMNS = {field.name for field in FIELDS}
_NUMBERS = {field.name for field in FIELDS if field.type == "number"}
# What float() takes beyond this ("1_2", "nan", digits of other scripts) is no number of a loan file.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Loan:
    """One row: the line that it ends on, its cells as they are, and the record that the API is asked about."""

    line: int
    cells: Mapping[str, str]
    record: Mapping[str, object]


def read_loans(source: Path) -> list[Loan]:
    """Read and check a CSV file; it is held in memory as a whole.

    Parameters
    ----------
    source : Path
        UTF-8, with or without a byte order mark, with a header that has the ten columns; an empty cell is null.

    Raises
    ------
    UsageError
        If it can't be read, lacks a column or has no row, or a row has too many or too few cells or a number that is
        none: the line is named.
    """
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            loans = list(_loans(source, stream))
    except OSError as error:
        raise UsageError(f"{source} can't be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not in UTF-8 ({error.reason}). Save it as CSV in UTF-8.") from error
    if not loans:
        raise UsageError(f"{source} has no loans: there is nothing below its header.")
    return loans


@contextmanager
def written_whole(target: Path) -> Iterator[IO[str]]:
    """Open a file beside ``target`` that takes its place at the end; on an error it goes and ``target`` stays.

    Raises
    ------
    UsageError
        If nothing can be written there.
    CommandError
        If the writing itself fails, as on a full disk.
    """
    if target.is_dir():
        raise UsageError(f"{target} is a folder; name a file for --out.")
    draft = target.with_name(target.name + ".part")
    try:
        stream = draft.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} can't be written ({error.strerror}); choose another file for --out.") from error
    try:
        with stream:
            yield stream
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CommandError(f"{target} could not be written ({error.strerror or error}).") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_rows(stream: IO[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows that have the same columns, at least one of them, with a header."""
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def _loans(source: Path, stream: IO[str]) -> Iterator[Loan]:
    reader = csv.reader(stream, strict=True)
    try:
        header = next(reader, [])
        _check_header(source, header)
        for cells in reader:
            where = f"{source}, line {reader.line_num}"
            if not cells:  # An empty line.
                continue
            if len(cells) != len(header):
                raise UsageError(f"{where}: there are {len(cells)} cells, the header has {len(header)}.")
            row = dict(zip(header, cells, strict=True))
            yield Loan(reader.line_num, row, _record(row, where))
    except csv.Error as error:
        raise UsageError(f"{source}, line {reader.line_num}: this is no CSV ({error}).") from error


def _check_header(source: Path, header: Sequence[str]) -> None:
    if missing := [field.name for field in FIELDS if field.name not in header]:
        raise UsageError(f"{source} lacks the column {', '.join(missing)}.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise UsageError(f"{source} has the column {', '.join(map(repr, twice))} more than once.")


def _record(row: Mapping[str, str], where: str) -> dict[str, object]:
    """Return the record of a row: the ten columns (and ``loan_id``), an empty cell as null."""
    record = {name: _value(name, cell, where) for name, cell in row.items() if name in _COLUMNS}
    if row.get("loan_id"):
        record["loan_id"] = row["loan_id"]
    return record


def _value(name: str, cell: str, where: str) -> object:
    if not cell:
        return None
    if name not in _NUMBERS:
        return cell
    number = float(cell) if _NUMBER.fullmatch(cell.strip()) else math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where}, column {name}: {cell[:40]!r} is no number. Leave a cell empty if it has none.")
    return int(number) if number.is_integer() else number
