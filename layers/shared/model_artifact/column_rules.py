"""Checks tables and their rows by the rules of ``schema``: with NumPy, and without pydantic-core.

A table's columns are checked at once (``are_valid``). Where that fails, ``find_faults`` says what is wrong with which
row. Invariant (tests/unit/model_artifact/test_record_rules.py): ``record_rules`` finds the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_artifact.schema import FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field

UNKNOWN_FIELD = "unknown_field"
MISSING = "missing"
WRONG_TYPE = "wrong_type"
NULL_NOT_ALLOWED = "null_not_allowed"
WRONG_LENGTH = "wrong_length"
NOT_FINITE = "not_finite"
OUT_OF_RANGE = "out_of_range"
NOT_WHOLE = "not_whole"


@dataclass(frozen=True)
class Fault:
    """One fault of a record, by the record's index and a code of this module. It never holds the record's value.

    ``name`` is the field; None if the record isn't an object.
    """

    index: int
    name: str | None
    code: str


def are_valid(columns: Mapping[str, Any]) -> bool:
    """Return whether ``check_records`` accepts every row of a table.

    Parameters
    ----------
    columns : mapping of str to sequence
        The ten fields and perhaps ``loan_id``: numbers as float64 with NaN for missing, texts with None for missing.
    """
    return all(_is_right_column(field, columns[field.name]) for field in FIELDS) and all(
        loan_id is None or 1 <= len(loan_id) <= MAX_LOAN_ID_LENGTH for loan_id in columns.get(LOAN_ID, ())
    )


def find_faults(records: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield the faults of rows in order, and in a row in the order of ``FIELDS``, with ``loan_id`` last.

    Each row has the ten fields and perhaps ``loan_id``: numbers as float, texts as str, None for missing, and whatever
    else stands in their place.
    """
    for index, record in enumerate(records):
        for field in FIELDS:
            if code := _fault_of(field, record[field.name]):
                yield Fault(index, field.name, code)
        loan_id = record.get(LOAN_ID)
        if loan_id is not None and (code := _fault_of_text(loan_id, MAX_LOAN_ID_LENGTH)):
            yield Fault(index, LOAN_ID, code)


def _fault_of(field: Field, value: Any) -> str | None:
    if value is None:
        return None if field.nullable else NULL_NOT_ALLOWED
    if field.type == "category":
        return _fault_of_text(value, MAX_TEXT_LENGTH)
    if not isinstance(value, float):
        return WRONG_TYPE
    if not math.isfinite(value):
        return NOT_FINITE
    assert field.hard_min is not None
    assert field.hard_max is not None
    if not field.hard_min <= value <= field.hard_max:
        return OUT_OF_RANGE
    return NOT_WHOLE if field.whole and not value.is_integer() else None


def _fault_of_text(value: Any, longest: int) -> str | None:
    if not isinstance(value, str):
        return WRONG_TYPE
    return None if 1 <= len(value) <= longest else WRONG_LENGTH


def _is_right_column(field: Field, values: Any) -> bool:
    if field.type == "category":
        labels = set(values)
        if None in labels and not field.nullable:
            return False
        return all(label is None or 1 <= len(label) <= MAX_TEXT_LENGTH for label in labels)
    import numpy as np

    # Both comparisons are false for NaN.
    is_right = (values >= field.hard_min) & (values <= field.hard_max)
    if field.whole:
        is_right &= values == np.floor(values)
    if field.nullable:
        is_right |= np.isnan(values)
    return bool(is_right.all())
