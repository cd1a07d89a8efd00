"""Reads a file of outcomes, CSV or Parquet, in arrays: of a loan only the hash of its id stays in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batch_scoring.csv_header import read_first_line
from batch_scoring.csv_lines import split_rows
from batch_scoring.row_rules import Rejection
from batch_scoring.source_file import opened
from model_artifact.loan_header import HeaderError, check_header
from model_artifact.schema import LOAN_ID, TARGET
from model_monitor.joined.maturity import Days, day_number
from model_monitor.joined.outcome_file import Hashes
from model_watch.loan_hash import HASH_LENGTH, LoanHasher
from peerloan.errors import UsageError
from peerloan.outcomes.outcome_rows import OBSERVED_ON, OutcomeRow, read_row
from peerloan.scoring.parquet_files import import_pyarrow, open_parquet, read_batches
from peerloan.scoring.targets import is_csv

STEP_BYTES = 4 << 20
ROWS_A_STEP = 65_536
_COLUMNS = (LOAN_ID, TARGET)


@dataclass(frozen=True)
class OutcomeTable:
    """The usable rows of a file; each array has one entry a row. ``rejections`` are the other rows'.

    Attributes
    ----------
    lines : ndarray of shape (n,)
        Where each row begins in the file; in Parquet its number.
    loans : ndarray of shape (n,)
        The hash of each loan's id.
    observed_on : ndarray of shape (n,)
        The number of each day.
    is_late : ndarray of shape (n,)
    rejections : list of Rejection
    """

    lines: NDArray[np.int64]
    loans: Hashes
    observed_on: Days
    is_late: NDArray[np.bool_]
    rejections: list[Rejection]

    def __len__(self) -> int:
        return len(self.lines)


def read_outcomes(source: Path, as_of: date, hasher: LoanHasher) -> OutcomeTable:
    """Read a file with ``loan_id``, ``is_late`` and perhaps ``observed_on``; other columns are left out.

    Raises ``UsageError`` if it isn't such a file.
    """
    if not source.is_file():
        raise UsageError(f"{source} isn't a file.")
    steps = _read_csv(source, as_of) if is_csv(source) else _read_parquet(source, as_of)
    return _joined([_as_table(rows, hasher) for rows in steps])


def _read_csv(source: Path, as_of: date) -> Iterator[list[OutcomeRow | Rejection]]:
    with opened(source) as file:
        header = read_first_line(file, _check_names)
        places = [header.names.index(name) for name in _COLUMNS]
        places += [header.names.index(OBSERVED_ON)] if OBSERVED_ON in header.names else []
        file.rewind()
        file.skip_to(header.size_bytes)
        line = 2
        while raw := file.read(STEP_BYTES):
            raw += b"" if raw.endswith(b"\n") else file.read_line()
            split = split_rows(raw, file, header, line)
            rows = zip(split.lines, *(split.column(place) for place in places), strict=True)
            yield [*split.rejections, *(read_row(number, [*cells, ""], as_of) for number, *cells in rows)]
            line += split.n_lines


def _read_parquet(source: Path, as_of: date) -> Iterator[list[OutcomeRow | Rejection]]:
    pyarrow, parquet = import_pyarrow()
    from batch_scoring.arrow_batches import is_text

    with open_parquet(pyarrow, parquet, source) as file:
        schema = file.schema_arrow
        _check_names(schema.names, ())
        if not is_text(schema.field(LOAN_ID).type):
            kind = schema.field(LOAN_ID).type
            raise UsageError(
                f"The column {LOAN_ID} holds {kind}, not texts. Write the ids as they were sent to the API."
            )
        row = 1
        for batch in read_batches(pyarrow, file, source, ROWS_A_STEP):
            names = [name for name in (*_COLUMNS, OBSERVED_ON) if name in schema.names]
            columns = [map(_as_cell, batch.column(name).to_pylist()) for name in names]
            cells = zip(*columns, strict=True)
            yield [read_row(number, [*values, ""], as_of) for number, values in enumerate(cells, row)]
            row += len(batch)


def _as_cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    return "" if value is None else str(value)


def _check_names(names: Sequence[str], lines: Iterable[str]) -> None:
    try:
        check_header(names, _COLUMNS, optional=[OBSERVED_ON], lines=lines)
    except HeaderError as error:
        raise UsageError(f"The outcomes can't be read; {error}" if error.column else str(error)) from error


def _as_table(rows: Sequence[OutcomeRow | Rejection], hasher: LoanHasher) -> OutcomeTable:
    usable = [row for row in rows if isinstance(row, OutcomeRow)]
    return OutcomeTable(
        lines=np.array([row.line for row in usable], dtype=np.int64),
        loans=np.array(hasher.hash_all([row.loan_id for row in usable]), dtype=f"S{HASH_LENGTH}"),
        observed_on=np.array([day_number(row.observed_on) for row in usable], dtype=np.int64),
        is_late=np.array([row.is_late for row in usable], dtype=np.bool_),
        rejections=[row for row in rows if isinstance(row, Rejection)],
    )


def _joined(tables: Sequence[OutcomeTable]) -> OutcomeTable:
    empty = OutcomeTable(
        np.empty(0, np.int64), np.empty(0, f"S{HASH_LENGTH}"), np.empty(0, np.int64), np.empty(0, np.bool_), []
    )
    parts = [empty, *tables]
    return OutcomeTable(
        lines=np.concatenate([part.lines for part in parts]),
        loans=np.concatenate([part.loans for part in parts]),
        observed_on=np.concatenate([part.observed_on for part in parts]),
        is_late=np.concatenate([part.is_late for part in parts]),
        rejections=[rejection for part in parts for rejection in part.rejections],
    )
