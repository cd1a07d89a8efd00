"""What a record must be: strict types and hard bounds, checked for all records of a request in one call.

The columns come from ``model_artifact.schema``. They are checked by pydantic-core, the engine of Pydantic, without
Pydantic's model classes: the same rules and speed, and a tenth of a second less for a cold start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from pydantic_core import ErrorDetails, PydanticKnownError, SchemaValidator, ValidationError, core_schema

from model_artifact.schema import (
    FIELDS,
    LOAN_ID,
    MAX_LOAN_ID_LENGTH,
    MAX_TEXT_LENGTH,
    Field,
    describe_requirement,
)
from predict_api.http.errors import InvalidRequestError, Violation
from predict_api.records.envelopes import COMPANIONS, ENVELOPES, has_surrogate
from predict_api.records.pointers import RecordPointers
from predict_api.records.suggestions import MAX_NAME_LENGTH, describe_unknown

# A batch of a thousand bad records has ten thousand errors; nobody reads more than these, in the answer or in a log.
MAX_VIOLATIONS = 100

_CODES: Mapping[str, str] = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "finite_number": "not_finite",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "multiple_of": "not_whole",
    "string_too_short": "wrong_length",
    "string_too_long": "wrong_length",
}


class RecordSchema:
    """The schema of one record, as a check of many.

    Parameters
    ----------
    fields : sequence of Field
        The columns.
    """

    def __init__(self, fields: Sequence[Field] = FIELDS) -> None:
        self._fields = {field.name: field for field in fields}
        self.names = (*self._fields, LOAN_ID)
        self._whole_names = [field.name for field in fields if field.whole]
        self._validator = _validator(fields, asks_for_whole=False)
        self._strict_validator = _validator(fields, asks_for_whole=True)

    def check(self, records: list[Any], pointers: RecordPointers) -> list[dict[str, Any]]:
        """Return the records, their numbers as floats.

        Parameters
        ----------
        records : list
            What should be records.
        pointers : RecordPointers
            Where they are in the request's body.

        Raises
        ------
        InvalidRequestError
            If one of them has a field too few, a field too many, or a wrong value. The violations are in the order of
            the records, at most 100 of them.
        """
        try:
            checked: list[dict[str, Any]] = self._validator.validate_python(records)
            if self._are_whole(checked):
                return checked
        except ValidationError:
            pass
        # Something is wrong; the strict validator knows all of it, in order.
        try:
            checked = self._strict_validator.validate_python(records)
        except ValidationError as error:
            raise self._refusal(error, records, pointers) from None
        return checked

    def _are_whole(self, records: list[dict[str, Any]]) -> bool:
        """Say whether all values that must be whole are: asked by pydantic-core, one by one, it takes longer."""
        columns = (map(itemgetter(name), records) for name in self._whole_names)
        return all(value is None or value.is_integer() for column in columns for value in column)

    def _refusal(self, error: ValidationError, records: list[Any], pointers: RecordPointers) -> InvalidRequestError:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        # In each record unknown names first: a misspelt one makes a missing one too, and says what was meant.
        details.sort(key=lambda entry: (entry["loc"][0], entry["type"] != "extra_forbidden"))
        violations = [self._violation(entry, records, pointers) for entry in details[:MAX_VIOLATIONS]]
        wrong_records = len({entry["loc"][0] for entry in details})
        summary = f"{_count(len(details), 'thing')} wrong in {wrong_records:,} of {_plural(len(records), 'record')}."
        if len(details) > MAX_VIOLATIONS:
            summary += f" The first {MAX_VIOLATIONS} are listed."
        return InvalidRequestError(summary, violations)

    def _violation(self, entry: ErrorDetails, records: list[Any], pointers: RecordPointers) -> Violation:
        index = int(entry["loc"][0])
        if entry["type"] == "string_unicode" and len(entry["loc"]) == 1:
            # A name with a lone surrogate, which can stand in JSON; pydantic-core does not say which one it is.
            return self._unknown_field(index, next(filter(has_surrogate, records[index])), pointers)
        if len(entry["loc"]) == 1:
            return Violation(pointers.record(index), "wrong_type", "A record must be an object.")
        name = str(entry["loc"][1])
        if entry["type"] == "extra_forbidden":
            return self._unknown_field(index, name, pointers)
        code = _CODES.get(entry["type"], "wrong_type")
        if code == "wrong_type" and records[index].get(name) is None:
            code = "null_not_allowed"
        requirement = describe_requirement(self._fields.get(name))
        detail = f"This field is missing. {requirement}" if code == "missing" else requirement
        return Violation(pointers.field(index, name), code, detail)

    def _unknown_field(self, index: int, name: str, pointers: RecordPointers) -> Violation:
        pointer = pointers.field(index, name) if len(name) <= MAX_NAME_LENGTH else pointers.record(index)
        is_bare = pointers.record(index) == ""
        known = (*self.names, *ENVELOPES, *COMPANIONS) if is_bare else self.names
        return Violation(pointer, "unknown_field", describe_unknown("field", name, known))


def _validator(fields: Sequence[Field], *, asks_for_whole: bool) -> SchemaValidator:
    members = {
        field.name: core_schema.typed_dict_field(_value_schema(field, asks_for_whole=asks_for_whole), required=True)
        for field in fields
    }
    loan_id = core_schema.str_schema(min_length=1, max_length=MAX_LOAN_ID_LENGTH, strict=True)
    members[LOAN_ID] = core_schema.typed_dict_field(core_schema.nullable_schema(loan_id), required=False)
    record = core_schema.typed_dict_schema(members, extra_behavior="forbid", strict=True)
    return SchemaValidator(core_schema.list_schema(record, strict=True))


def _value_schema(field: Field, *, asks_for_whole: bool) -> core_schema.CoreSchema:
    value: core_schema.CoreSchema
    if field.type == "number":
        value = core_schema.float_schema(ge=field.hard_min, le=field.hard_max, allow_inf_nan=False, strict=True)
        if field.whole and asks_for_whole:
            # Not multiple_of, which takes 2.0000000001 for 2.
            value = core_schema.no_info_after_validator_function(_check_whole, value)
    else:
        value = core_schema.str_schema(min_length=1, max_length=MAX_TEXT_LENGTH, strict=True)
    return core_schema.nullable_schema(value) if field.nullable else value


def _check_whole(value: float) -> float:
    if not value.is_integer():
        raise PydanticKnownError("multiple_of", {"multiple_of": 1.0})
    return value


def _count(number: int, noun: str) -> str:
    return f"{_plural(number, noun)} {'is' if number == 1 else 'are'}"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
