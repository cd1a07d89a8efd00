"""Checks records and whole columns of a table by the same rules.

The API and the command line use these two functions. The fields and their bounds are in ``schema``. The check of
records is pydantic-core's, the engine of Pydantic: it checks a thousand records in a millisecond. The check of columns
is written with NumPy. Invariant (tests/unit/model_artifact/test_record_rules.py): both accept the same records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pydantic_core import ErrorDetails, PydanticKnownError, SchemaValidator, ValidationError, core_schema

from model_artifact.schema import FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field

UNKNOWN_FIELD = "unknown_field"
MISSING = "missing"
WRONG_TYPE = "wrong_type"
NULL_NOT_ALLOWED = "null_not_allowed"
WRONG_LENGTH = "wrong_length"
NOT_FINITE = "not_finite"
OUT_OF_RANGE = "out_of_range"
NOT_WHOLE = "not_whole"

# Codes by pydantic-core's error types; every other type is a wrong type.
_CODES: Mapping[str, str] = {
    "missing": MISSING,
    "extra_forbidden": UNKNOWN_FIELD,
    "finite_number": NOT_FINITE,
    "greater_than_equal": OUT_OF_RANGE,
    "less_than_equal": OUT_OF_RANGE,
    "multiple_of": NOT_WHOLE,
    "string_too_short": WRONG_LENGTH,
    "string_too_long": WRONG_LENGTH,
}
_WHOLE_NAMES = tuple(field.name for field in FIELDS if field.whole)


@dataclass(frozen=True)
class Fault:
    """One fault of a record, by the record's index and a code of this module. It never holds the record's value.

    ``name`` is the field; None if the record isn't an object.
    """

    index: int
    name: str | None
    code: str


class InvalidRecordsError(ValueError):
    """At least one record breaks the rules. ``faults`` are in the order of the records, with unknown fields first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} fields or records break the rules.")
        self.faults = tuple(faults)


def check_records(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the records, their numbers as floats.

    A record is an object with the ten fields, and perhaps ``loan_id``. Types are strict. Raises ``InvalidRecordsError``
    if a record lacks a field, has an unknown field or a wrong value.
    """
    try:
        checked: list[dict[str, Any]] = _VALIDATOR.validate_python(records)
        if _are_whole(checked):
            return checked
    except ValidationError:
        pass
    # Something is wrong. The second validator also finds numbers that aren't whole, so it lists all faults in order.
    try:
        checked = _COMPLETE_VALIDATOR.validate_python(records)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        # A misspelt name makes two faults. The unknown name comes first, because it shows what was meant.
        details.sort(key=lambda entry: (entry["loc"][0], entry["type"] != "extra_forbidden"))
        raise InvalidRecordsError([_fault(entry, records) for entry in details]) from None
    return checked


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


def has_surrogate(text: str) -> bool:
    """Return whether a text holds a lone surrogate: JSON can hold one, UTF-8 can't."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _are_whole(records: list[dict[str, Any]]) -> bool:
    # Faster than a function that pydantic-core calls for each value.
    columns = (map(itemgetter(name), records) for name in _WHOLE_NAMES)
    return all(value is None or value.is_integer() for column in columns for value in column)


def _fault(entry: ErrorDetails, records: Sequence[Any]) -> Fault:
    index = int(entry["loc"][0])
    if len(entry["loc"]) == 1:
        if entry["type"] == "string_unicode":
            # A field's name has a lone surrogate; pydantic-core doesn't say which one.
            return Fault(index, next(filter(has_surrogate, records[index])), UNKNOWN_FIELD)
        return Fault(index, None, WRONG_TYPE)
    name = str(entry["loc"][1])
    code = _CODES.get(entry["type"], WRONG_TYPE)
    is_null = code == WRONG_TYPE and records[index].get(name) is None
    return Fault(index, name, NULL_NOT_ALLOWED if is_null else code)


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


def _validator(*, checks_whole: bool) -> SchemaValidator:
    members = {
        field.name: core_schema.typed_dict_field(_value_schema(field, checks_whole=checks_whole), required=True)
        for field in FIELDS
    }
    loan_id = core_schema.str_schema(min_length=1, max_length=MAX_LOAN_ID_LENGTH, strict=True)
    members[LOAN_ID] = core_schema.typed_dict_field(core_schema.nullable_schema(loan_id), required=False)
    record = core_schema.typed_dict_schema(members, extra_behavior="forbid", strict=True)
    return SchemaValidator(core_schema.list_schema(record, strict=True))


def _value_schema(field: Field, *, checks_whole: bool) -> core_schema.CoreSchema:
    value: core_schema.CoreSchema
    if field.type == "number":
        value = core_schema.float_schema(ge=field.hard_min, le=field.hard_max, allow_inf_nan=False, strict=True)
        if field.whole and checks_whole:
            # Not multiple_of, which takes 2.0000000001 for 2.
            value = core_schema.no_info_after_validator_function(_check_whole, value)
    else:
        value = core_schema.str_schema(min_length=1, max_length=MAX_TEXT_LENGTH, strict=True)
    return core_schema.nullable_schema(value) if field.nullable else value


def _check_whole(value: float) -> float:
    if not value.is_integer():
        raise PydanticKnownError("multiple_of", {"multiple_of": 1.0})
    return value


_VALIDATOR = _validator(checks_whole=False)
_COMPLETE_VALIDATOR = _validator(checks_whole=True)
