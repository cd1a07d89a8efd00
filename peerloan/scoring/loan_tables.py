"""Reads the valid rows of a CSV or Parquet file, and their outcomes where the file has them, table by table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from batch_scoring.csv_header import read_header
from batch_scoring.csv_rows import read_step
from batch_scoring.row_rules import OUTCOME_CELLS, Columns
from batch_scoring.source_file import opened
from model_artifact.schema import CATEGORY_NAMES, FIELDS, NUMERIC_NAMES, TARGET
from peerloan.errors import UsageError
from peerloan.scoring.targets import is_csv

if TYPE_CHECKING:
    from training.data import Quarter

STEP_BYTES = 1 << 20


@dataclass(frozen=True)
class LoanTable:
    """Some rows of a file.

    Attributes
    ----------
    columns : Columns
        The valid rows: the ten fields, and ``loan_id`` if the file has it.
    outcomes : ndarray of shape (n_rows,), or None
        1 for late, 0 for on time, NaN where the cell is empty; None if the file has no column ``is_late``.
    rejected : int
        How many rows are left out because the API would refuse them.
    """

    columns: Columns
    outcomes: NDArray[np.float64] | None
    rejected: int

    def __len__(self) -> int:
        return len(self.columns[NUMERIC_NAMES[0]])


def read_loan_tables(source: Path) -> Iterator[LoanTable]:
    """Yield the file's rows in order.

    Raises ``UsageError`` if the file can't be read, its header or its columns can't be used, or an outcome is neither 0
    nor 1.
    """
    if not source.is_file():
        raise UsageError(f"{source} isn't a file.")
    return _read_csv(source) if is_csv(source) else _read_parquet(source)


def table_of_quarter(quarter: Quarter) -> LoanTable:
    """Return the loans of a file that training has read; those with a gap that the API would refuse are left out."""
    frame = quarter.frame
    is_valid = frame[[field.name for field in FIELDS if not field.nullable]].notna().all(axis="columns")
    frame = frame[is_valid]
    columns: dict[str, object] = {name: frame[name].to_numpy(dtype=np.float64) for name in NUMERIC_NAMES}
    for name in CATEGORY_NAMES:
        columns[name] = frame[name].where(frame[name].notna(), None).tolist()
    return LoanTable(columns, frame[TARGET].to_numpy(dtype=np.float64), int((~is_valid).sum()))


def _read_csv(source: Path) -> Iterator[LoanTable]:
    with opened(source) as file:
        header = read_header(file, ())
        place = header.names.index(TARGET) if TARGET in header.names else None
        file.rewind()
        file.skip_to(header.size_bytes)
        line = 1
        while step := read_step(file, header, line + 1, STEP_BYTES):
            outcomes = None if place is None else _outcomes(row[place] for row in csv.reader(step.rows))
            yield LoanTable(step.columns, outcomes, step.rejected)
            line += step.n_lines


def _read_parquet(source: Path) -> Iterator[LoanTable]:
    # Imported here: it needs pyarrow, an optional dependency.
    from peerloan.scoring.score_parquet import read_parquet

    for rows, columns, rejected in read_parquet(source):
        has_outcomes = TARGET in rows.schema.names
        outcomes = _outcomes(map(str, rows.column(TARGET).to_pylist())) if has_outcomes else None
        yield LoanTable(columns, outcomes, rejected)


def _outcomes(cells: Iterable[str]) -> NDArray[np.float64]:
    try:
        return np.array([OUTCOME_CELLS[cell.strip()] for cell in cells], dtype=np.float64)
    except KeyError:
        raise UsageError(f"The column {TARGET} must hold 0 (on time), 1 (late) or nothing in each row.") from None
