"""Turns a row's cells into a record, and a record's faults into lines of the rejects file. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.column_rules import find_faults
from model_artifact.number_hints import describe_wrong_value
from model_artifact.schema import FIELDS, LOAN_ID, MISSING_CELLS, NUMERIC_NAMES

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
_IN_NUMBERS = b"0123456789+-.eE \t"


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
    record = {name: _read_number(cells[name]) if is_number else _read_text(cells[name]) for name, is_number in _CELLS}
    return {**record, LOAN_ID: _read_text(cells.get(LOAN_ID, ""))}


def read_columns(cells: Mapping[str, Sequence[str]]) -> tuple[Columns, set[int]]:
    """Return the columns of many rows, each value as ``read_cells`` reads it.

    Parameters
    ----------
    cells : mapping of str to sequence of str
        The ten columns, and perhaps ``loan_id``.

    Returns
    -------
    columns : Columns
        NaN for a text that isn't a number.
    unreadable : set of int
        The places of rows with such a text.
    """
    columns: dict[str, Any] = {}
    unreadable: set[int] = set()
    for name, texts in cells.items():
        if name in NUMERIC_NAMES:
            columns[name] = _numbers_at_once(texts)
            if columns[name] is None:
                values = [_read_number(text) for text in texts]
                places = [place for place, value in enumerate(values) if isinstance(value, str)]
                unreadable.update(places)
                columns[name] = np.array([math.nan if isinstance(value, str) else value for value in values], float)
        else:
            columns[name] = texts if _MISSING.isdisjoint(texts) else [_read_text(text) for text in texts]
    return columns, unreadable


def find_rejections(records: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> list[Rejection]:
    """Return what is wrong with the records, in order; ``lines`` says where each one begins."""
    return [
        Rejection(lines[fault.index], fault.name or "", fault.code, _describe(records[fault.index], fault.name or ""))
        for fault in find_faults(records)
    ]


def _read_number(cell: str) -> float | str | None:
    return float(cell) if _NUMBER.fullmatch(cell) else _read_text(cell)


def _read_text(cell: str) -> str | None:
    return None if cell in _MISSING else cell


def _numbers_at_once(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the numbers, NaN for missing ones; None if a cell is neither."""
    present = cells if _MISSING.isdisjoint(cells) else ["" if cell in _MISSING else cell for cell in cells]
    # Of texts of these characters, float accepts those that _NUMBER matches.
    if "".join(present).encode().translate(None, _IN_NUMBERS):
        return None
    try:
        if present is cells:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        return np.fromiter((float(cell) if cell else math.nan for cell in present), np.float64, len(cells))
    except ValueError:
        return None


def _describe(record: Mapping[str, Any], name: str) -> str:
    return describe_wrong_value(_FIELDS.get(name), record.get(name))
