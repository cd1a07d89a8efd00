"""The rules for a row of outcomes: a loan's id, whether it is late, and perhaps the day that this is of. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from batch_scoring.row_rules import OUTCOME_CELLS, Rejection
from model_artifact.column_rules import NULL_NOT_ALLOWED, OUT_OF_RANGE, WRONG_LENGTH, WRONG_TYPE
from model_artifact.schema import LOAN_ID, MAX_LOAN_ID_LENGTH, MISSING_CELLS, TARGET
from model_monitor.joined.maturity import FIRST_DATE

OBSERVED_ON: Final = "observed_on"
_MISSING = frozenset(MISSING_CELLS)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class OutcomeRow:
    """A row that can be used; ``line`` is where it begins in the file, or its number in Parquet."""

    line: int
    loan_id: str
    is_late: bool
    observed_on: date


def read_row(line: int, cells: Sequence[str], as_of: date) -> OutcomeRow | Rejection:
    """Return a row, or the first reason why it can't be used.

    Parameters
    ----------
    line : int
        Where the row begins.
    cells : sequence of str
        The texts of ``loan_id``, ``is_late`` and ``observed_on``; an empty one stands for a column that isn't there.
    as_of : date
        The day whose knowledge the file is; ``observed_on`` if a row has none.
    """
    try:
        return OutcomeRow(line, _loan_id(cells[0]), _is_late(cells[1].strip()), _observed_on(cells[2].strip(), as_of))
    except _WrongCellError as error:
        return Rejection(line, error.column, error.code, str(error))


class _WrongCellError(ValueError):
    """A cell can't be used; the message says what it must be."""

    def __init__(self, column: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.column = column
        self.code = code


def _loan_id(text: str) -> str:
    if text in _MISSING:
        raise _WrongCellError(LOAN_ID, NULL_NOT_ALLOWED, "The loan's id is missing.")
    if len(text) > MAX_LOAN_ID_LENGTH:
        raise _WrongCellError(LOAN_ID, WRONG_LENGTH, f"Must be a text of 1 to {MAX_LOAN_ID_LENGTH} characters.")
    return text


def _is_late(text: str) -> bool:
    late = OUTCOME_CELLS.get(text)
    if late is None:
        raise _WrongCellError(TARGET, WRONG_TYPE, "Must be 1 or true (late), or 0 or false (not late).")
    if math.isnan(late):
        raise _WrongCellError(TARGET, NULL_NOT_ALLOWED, "The outcome is missing. Leave the row out until it is known.")
    return late == 1


def _observed_on(text: str, as_of: date) -> date:
    if text in _MISSING:
        return as_of
    try:
        # Python also reads 20260630 and 2026-W27-2.
        day = date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        raise _WrongCellError(OBSERVED_ON, WRONG_TYPE, "Must be a date such as 2026-06-30.") from None
    if not FIRST_DATE <= day <= as_of:
        detail = f"Must be a day from {FIRST_DATE} to --as-of, {as_of}."
        raise _WrongCellError(OBSERVED_ON, OUT_OF_RANGE, detail)
    return day
