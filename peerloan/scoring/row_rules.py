"""What a row of a file must be: the API's types and bounds, for one record and for whole columns. Pure.

Invariant (tests/unit/peerloan/scoring/test_row_rules.py): a record is right here if, and only if, the API takes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from model_artifact.schema import (
    CATEGORY_NAMES,
    FIELDS,
    LOAN_ID,
    MAX_LOAN_ID_LENGTH,
    MAX_TEXT_LENGTH,
    Field,
    describe_requirement,
)

# Numbers are arrays of float64, texts are lists.
Columns = Mapping[str, Any]

# What JSON calls a number, and the forms that spreadsheets write: a plus sign, no digit on one side of the point,
# zeros in front, spaces around. No words such as nan.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")


@dataclass(frozen=True)
class Rejection:
    """Why a row is not scored; never its value.

    Attributes
    ----------
    line : int
        Where the row begins in the file, counted from 1; in Parquet, the row's number.
    column : str
        The column, empty if it is about the row.
    code : str
        As the API's.
    detail : str
        For people.
    """

    line: int
    column: str
    code: str
    detail: str


def read_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a row of texts: an empty cell is a missing value; a number that is none stays a text."""
    record: dict[str, Any] = {}
    for field in FIELDS:
        cell = cells[field.name]
        is_number = field.type == "number" and _NUMBER.fullmatch(cell)
        record[field.name] = float(cell) if is_number else cell or None
    record[LOAN_ID] = cells.get(LOAN_ID) or None
    return record


def check_record(record: Mapping[str, Any], line: int) -> list[Rejection]:
    """Return what is wrong with a record, one thing a column."""
    wrong = [
        Rejection(line, field.name, code, describe_requirement(field))
        for field in FIELDS
        if (code := _wrong(field, record[field.name])) is not None
    ]
    loan_id = record.get(LOAN_ID)
    if loan_id is not None and not (isinstance(loan_id, str) and len(loan_id) <= MAX_LOAN_ID_LENGTH):
        code = "wrong_length" if isinstance(loan_id, str) else "wrong_type"
        wrong.append(Rejection(line, LOAN_ID, code, describe_requirement(None)))
    return wrong


def are_right(columns: Columns) -> bool:
    """Say whether nothing is wrong with any record of a table: what ``check_record`` says of each, without a loop.

    Parameters
    ----------
    columns : mapping of str to sequence
        The ten fields and perhaps ``loan_id``: numbers as float64 with NaN for missing, texts with None for missing.
    """
    return all(_is_right_column(field, columns[field.name]) for field in FIELDS) and all(
        loan_id is None or len(loan_id) <= MAX_LOAN_ID_LENGTH for loan_id in columns.get(LOAN_ID, ())
    )


def columns_of(records: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the ten fields of checked records as columns."""
    columns: dict[str, Any] = {}
    for field in FIELDS:
        values = [record[field.name] for record in records]
        columns[field.name] = np.array(values, dtype=np.float64) if field.type == "number" else values
    return columns


def _wrong(field: Field, value: Any) -> str | None:
    if value is None:
        return None if field.nullable else "null_not_allowed"
    if field.type == "category":
        if not isinstance(value, str):
            return "wrong_type"
        return None if 1 <= len(value) <= MAX_TEXT_LENGTH else "wrong_length"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "wrong_type"
    return _wrong_number(field, value)


def _wrong_number(field: Field, value: float) -> str | None:
    assert field.hard_min is not None
    assert field.hard_max is not None
    if not isfinite(value):
        return "not_finite"
    if not field.hard_min <= value <= field.hard_max:
        return "out_of_range"
    return "not_whole" if field.whole and value % 1 else None


def _is_right_column(field: Field, values: Any) -> bool:
    if field.name in CATEGORY_NAMES:
        distinct = set(values)
        if None in distinct and not field.nullable:
            return False
        return all(value is None or 1 <= len(value) <= MAX_TEXT_LENGTH for value in distinct)
    # Both comparisons are false for NaN.
    is_right = (values >= field.hard_min) & (values <= field.hard_max)
    if field.whole:
        is_right &= values == np.floor(values)
    if field.nullable:
        is_right |= np.isnan(values)
    return bool(is_right.all())
