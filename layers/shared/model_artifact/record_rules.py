"""Checks a request's records by the rules of ``schema``.

The check is pydantic-core's, the engine of Pydantic: it checks a thousand records in a millisecond. Tables are checked
by the same rules in ``column_rules``. Invariant (tests/unit/model_artifact/test_record_rules.py): both accept the same
records, and find the same faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from pydantic_core import ErrorDetails, PydanticKnownError, SchemaValidator, ValidationError, core_schema

from model_artifact.column_rules import (
    MISSING,
    NOT_FINITE,
    NOT_WHOLE,
    NULL_NOT_ALLOWED,
    OUT_OF_RANGE,
    UNKNOWN_FIELD,
    WRONG_LENGTH,
    WRONG_TYPE,
    Fault,
)
from model_artifact.schema import FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field

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
