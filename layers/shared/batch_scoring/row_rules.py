"""Turns a row's cells into a record, and a record's faults into lines of the rejects file. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_artifact.column_rules import find_faults
from model_artifact.number_hints import describe_wrong_value
from model_artifact.schema import FIELDS, LOAN_ID, MISSING_CELLS

# Numbers are arrays of float64, texts are lists.
Columns = Mapping[str, Any]

# What became of a loan, as CSV and Parquet files say it: 1 for late, 0 for on time, NaN where a cell is empty.
OUTCOME_CELLS: Mapping[str, float] = {
    **dict.fromkeys(MISSING_CELLS, math.nan),
    **dict.fromkeys(("0", "0.0", "False", "false", "FALSE"), 0.0),
    **dict.fromkeys(("1", "1.0", "True", "true", "TRUE"), 1.0),
}

_MISSING = frozenset(MISSING_CELLS)
_CELLS = tuple((field.name, field.type == "number") for field in FIELDS)
_FIELDS = {field.name: field for field in FIELDS}
# What JSON calls a number, and the forms that spreadsheets write: a plus sign, no digit on one side of the point,
# zeros in front, spaces around. No words such as inf.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")


@dataclass(frozen=True)
class Rejection:
    """Why a row isn't scored. It never holds the row's values.

    ``line`` is the row's first line in the file, counted from 1; in Parquet, the row's number. ``column`` is empty if
    the whole row is wrong. ``code`` is the API's, and ``detail`` says it in words.
    """

    line: int
    column: str
    code: str
    detail: str


def read_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a row of texts; a text that isn't a number stays a text, so that the check refuses it."""
    record: dict[str, Any] = {}
    for name, is_number in _CELLS:
        cell = cells[name]
        if is_number and _NUMBER.fullmatch(cell):
            record[name] = float(cell)
        else:
            record[name] = None if cell in _MISSING else cell
    loan_id = cells.get(LOAN_ID, "")
    record[LOAN_ID] = None if loan_id in _MISSING else loan_id
    return record


def find_rejections(records: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> list[Rejection]:
    """Return what is wrong with the records, in order; ``lines`` says where each one begins."""
    return [
        Rejection(lines[fault.index], fault.name or "", fault.code, _describe(records[fault.index], fault.name or ""))
        for fault in find_faults(records)
    ]


def columns_of(records: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the ten fields and ``loan_id`` of valid records as columns."""
    columns: dict[str, Any] = {LOAN_ID: [record[LOAN_ID] for record in records]}
    for field in FIELDS:
        values = [record[field.name] for record in records]
        columns[field.name] = np.array(values, dtype=np.float64) if field.type == "number" else values
    return columns


def _describe(record: Mapping[str, Any], name: str) -> str:
    return describe_wrong_value(_FIELDS.get(name), record.get(name))
