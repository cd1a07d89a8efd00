"""Checks tables and their rows by the rules of ``schema``: with NumPy, and without pydantic-core.

A table's columns are checked at once (``which_are_valid``); ``find_faults`` says what is wrong with the other rows.
Invariant (tests/unit/model_artifact/test_record_rules.py): ``record_rules`` finds the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_artifact.schema import FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


def which_are_valid(columns: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return for each row of a table whether ``check_records`` accepts it.

    Parameters
    ----------
    columns : mapping of str to sequence
        The ten fields and perhaps ``loan_id``: numbers as float64 with NaN for missing, texts with None for missing.
    """
    import numpy as np

    is_valid = np.ones(len(columns[FIELDS[0].name]), dtype=np.bool_)
    for field in FIELDS:
        is_valid &= _which_are_right(field, columns[field.name])
    if LOAN_ID in columns:
        ids = columns[LOAN_ID]
        is_valid &= np.array([loan_id is None or 1 <= len(loan_id) <= MAX_LOAN_ID_LENGTH for loan_id in ids], np.bool_)
    return is_valid


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


def _which_are_right(field: Field, values: Any) -> Any:
    """Return for each value whether it is right; a single answer if all texts are."""
    if field.type == "category":
        wrong = {label for label in set(values) if not _is_right_label(field, label)}
        return [label not in wrong for label in values] if wrong else True
    import numpy as np

    # Both comparisons are false for NaN.
    is_right = (values >= field.hard_min) & (values <= field.hard_max)
    if field.whole:
        is_right &= values == np.floor(values)
    if field.nullable:
        is_right |= np.isnan(values)
    return is_right


def _is_right_label(field: Field, label: str | None) -> bool:
    return field.nullable if label is None else 1 <= len(label) <= MAX_TEXT_LENGTH
