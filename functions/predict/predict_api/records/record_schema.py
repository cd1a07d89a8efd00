"""Checks a request's records, and describes their faults in a 422 with pointers into the request's body.

``model_artifact.record_rules`` has the rules themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_artifact import record_rules
from model_artifact.column_rules import MISSING, UNKNOWN_FIELD, Fault
from model_artifact.number_hints import describe_wrong_value
from model_artifact.record_rules import InvalidRecordsError
from model_artifact.schema import FIELD_NAMES, FIELDS, LOAN_ID, describe_requirement
from predict_api.http.errors import InvalidRequestError, Violation
from predict_api.records.envelopes import COMPANIONS, ENVELOPES
from predict_api.records.violations import MAX_NAME_LENGTH, RecordPointers, describe_unknown

RECORD_NAMES = (*FIELD_NAMES, LOAN_ID)
# A thousand bad records can have ten thousand faults; nobody reads more than these.
MAX_VIOLATIONS = 100

_FIELDS = {field.name: field for field in FIELDS}


def check_records(records: list[Any], pointers: RecordPointers) -> list[dict[str, Any]]:
    """Check the records as the client sent them, and return them with their numbers as floats.

    Raises ``InvalidRequestError`` if a record breaks a rule. The violations are in the order of the records, at most
    100 of them.
    """
    try:
        return record_rules.check_records(records)
    except InvalidRecordsError as error:
        raise _refusal(error.faults, records, pointers) from None


def _refusal(faults: Sequence[Fault], records: Sequence[Any], pointers: RecordPointers) -> InvalidRequestError:
    wrong_records = len({fault.index for fault in faults})
    verb = "is" if len(faults) == 1 else "are"
    summary = f"{_plural(len(faults), 'thing')} {verb} wrong in {wrong_records:,} of {_plural(len(records), 'record')}."
    if len(faults) > MAX_VIOLATIONS:
        summary += f" The first {MAX_VIOLATIONS} are listed."
    violations = [_violation(fault, records[fault.index], pointers) for fault in faults[:MAX_VIOLATIONS]]
    return InvalidRequestError(summary, violations)


def _violation(fault: Fault, record: Any, pointers: RecordPointers) -> Violation:
    if fault.name is None:
        return Violation(pointers.record(fault.index), fault.code, "A record must be an object.")
    if fault.code == UNKNOWN_FIELD:
        return _unknown_field(fault.index, fault.name, pointers)
    field = _FIELDS.get(fault.name)
    if fault.code == MISSING:
        detail = f"This field is missing. {describe_requirement(field)}"
    else:
        detail = describe_wrong_value(field, record[fault.name])
    return Violation(pointers.field(fault.index, fault.name), fault.code, detail)


def _unknown_field(index: int, name: str, pointers: RecordPointers) -> Violation:
    pointer = pointers.field(index, name) if len(name) <= MAX_NAME_LENGTH else pointers.record(index)
    is_bare = pointers.record(index) == ""
    allowed = (*RECORD_NAMES, *ENVELOPES, *COMPANIONS) if is_bare else RECORD_NAMES
    return Violation(pointer, UNKNOWN_FIELD, describe_unknown("field", name, allowed))


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
