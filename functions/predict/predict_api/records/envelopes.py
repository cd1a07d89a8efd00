"""Find the records in a request's JSON object: a bare record, or one of three envelopes. Pure; doesn't check records.

A member that is null counts as absent, because clients of other protocols also send the members that they leave unset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_artifact.record_rules import has_surrogate
from model_artifact.schema import LOAN_ID
from predict_api.http.errors import InvalidRequestError, MalformedRequestError, RequestTooLargeError, Violation
from predict_api.records.other_forms import find_hint
from predict_api.records.violations import (
    MAX_LISTED,
    MAX_NAME_LENGTH,
    RecordPointers,
    describe_unknown,
    escape,
    invalid_request,
)

MAX_RECORDS = 1000
MAX_ID_LENGTH = 128
ENVELOPES = ("instances", "dataframe_records", "dataframe_split")
# Members that may stand beside an envelope or a bare record's fields.
COMPANIONS = ("id", "parameters")
_PARAMETERS = ("explain",)
# pandas also writes an index (DataFrame.to_dict("split")); it is ignored.
_SPLIT_MEMBERS = ("columns", "data", "index")


@dataclass(frozen=True)
class Envelope:
    """An opened request: its records as the client sent them, not checked yet, and where they are in the body.

    ``request_name`` is the client's ``id``, to be echoed; ``wants_reasons`` is ``parameters.explain``.
    """

    records: list[Any]
    pointers: RecordPointers
    request_name: str | None
    wants_reasons: bool


def open_envelope(document: Mapping[str, Any], columns: Sequence[str], allowed: Sequence[str] = ENVELOPES) -> Envelope:
    """Find the records in a request's body.

    ``columns`` are the names of a record's fields: ``dataframe_split`` must have these columns, and messages suggest
    them. A null field of a bare record doesn't count as absent. ``allowed`` are the envelopes' names; each one beside
    ``dataframe_split`` holds an array of records.

    Raises
    ------
    MalformedRequestError
        If the body holds two envelopes, an envelope and a record's fields, or rows without column names, or has the
        form of another API's requests. The message then names the form to use.
    InvalidRequestError
        If a member of the envelope is wrong or unknown, or it has no records.
    RequestTooLargeError
        If it has more than 1,000 records.
    """
    envelopes = [name for name in allowed if name in document]
    # If every envelope is null, they stay in the list: the message then says that the array is missing.
    envelopes = [name for name in envelopes if document[name] is not None] or envelopes
    if len(envelopes) > 1:
        raise MalformedRequestError(f"The body holds {' and '.join(envelopes)} at once. Send one of them.")
    if not envelopes:
        if hint := find_hint(document, columns, allowed):
            raise MalformedRequestError(hint)
        record = {name: value for name, value in document.items() if name not in COMPANIONS}
        return _envelope(document, [record], RecordPointers(None))
    [envelope] = envelopes
    content = document[envelope]
    # Checked first: the client must split the request anyway, and learns what else is wrong from its parts.
    check_record_count(content.get("data") if isinstance(content, dict) else content)
    check_companions(document, envelope, columns)
    if envelope == "dataframe_split":
        records, pointers = _open_split(content, columns)
        return _envelope(document, records, pointers)
    rows = _check_rows(content, f"/{envelope}", 'records; in pandas, df.to_dict(orient="records")')
    for index, row in enumerate(rows):
        if isinstance(row, list):
            raise MalformedRequestError(
                f"Record {index} is a row without column names. Send objects, or dataframe_split with its columns."
            )
    return _envelope(document, rows, RecordPointers(f"/{envelope}"))


def read_id(document: Mapping[str, Any]) -> str | None:
    """Return the client's name of the request, if it has one; raise ``InvalidRequestError`` if it can't be echoed."""
    request_name = document.get("id")
    if request_name is not None and not _is_usable_id(request_name):
        detail = f"The id must be a text of 1 to {MAX_ID_LENGTH} characters."
        raise invalid_request(Violation("/id", "wrong_type", detail))
    return request_name


def read_explain(document: Mapping[str, Any]) -> bool:
    """Return whether ``parameters`` ask for reasons; raise ``InvalidRequestError`` if they hold anything else."""
    parameters = document.get("parameters")
    if parameters is None:
        return False
    if not isinstance(parameters, dict):
        raise invalid_request(Violation("/parameters", "wrong_type", "The parameters must be an object."))
    for name, value in parameters.items():
        if name not in _PARAMETERS and value is not None:
            raise _unknown("/parameters", "parameter", [name], _PARAMETERS)
    explain = parameters.get("explain")
    if explain is None:
        return False
    if not isinstance(explain, bool):
        raise invalid_request(Violation("/parameters/explain", "wrong_type", "Must be true or false."))
    return explain


def check_companions(document: Mapping[str, Any], envelope: str, columns: Sequence[str]) -> None:
    """Raise an error if the body holds anything beside an envelope that may not stand there."""
    further_names = [
        name
        for name, value in document.items()
        if name != envelope and name not in COMPANIONS and (value is not None or name in columns)
    ]
    if any(name in columns for name in further_names):
        raise MalformedRequestError(f"The body holds {envelope} and a record's own fields at once. Send one of them.")
    if further_names:
        raise _unknown("", "member", further_names, (envelope, *COMPANIONS))


def check_record_count(records: object) -> None:
    """Raise ``RequestTooLargeError`` for an array of more records than one request may have."""
    if isinstance(records, list) and len(records) > MAX_RECORDS:
        raise RequestTooLargeError(f"There are {len(records):,} records. Send at most {MAX_RECORDS:,} in one request.")


def check_columns(
    names: Sequence[str],
    field_names: Sequence[str],
    parent: str,
    pointers: Sequence[str],
    optional: Sequence[str] = (LOAN_ID,),
) -> None:
    """Raise ``InvalidRequestError`` if a column is unknown, comes twice, or is missing and not optional.

    ``pointers`` lead to the columns' names, ``parent`` to all of them together.
    """
    faults: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    for name, pointer in zip(names, pointers, strict=True):
        if name in seen:
            faults.append((pointer, "duplicate_column", name))
        elif name not in field_names:
            faults.append((pointer, "unknown_field", name))
        seen.add(name)
    faults += [(parent, "missing", name) for name in field_names if name not in seen and name not in optional]
    if faults:
        violations = [
            Violation(pointer, code, _describe_column(code, name, field_names))
            for pointer, code, name in faults[:MAX_LISTED]
        ]
        raise invalid_request(*violations, unlisted=len(faults) - len(violations))


def _envelope(document: Mapping[str, Any], records: list[Any], pointers: RecordPointers) -> Envelope:
    return Envelope(records, pointers, read_id(document), read_explain(document))


def _is_usable_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH and not has_surrogate(value)


def _check_rows(rows: object, pointer: str, items: str) -> list[Any]:
    if not isinstance(rows, list):
        raise invalid_request(Violation(pointer, "wrong_type", f"Must be an array of {items}."))
    if not rows:
        raise invalid_request(Violation(pointer, "empty", "It holds no record. Send at least one."))
    return rows


def _open_split(split: object, field_names: Sequence[str]) -> tuple[list[Any], RecordPointers]:
    if not isinstance(split, dict):
        raise invalid_request(Violation("/dataframe_split", "wrong_type", "Must be an object with columns and data."))
    if "columns" not in split:
        raise MalformedRequestError("dataframe_split has no columns. Rows without column names are not guessed at.")
    if "data" not in split:
        raise invalid_request(Violation("/dataframe_split/data", "missing", "The rows are missing."))
    unknown = [name for name, value in split.items() if name not in _SPLIT_MEMBERS and value is not None]
    if unknown:
        raise _unknown("/dataframe_split", "member", unknown, _SPLIT_MEMBERS)
    if not isinstance(split.get("index"), list | None):
        raise invalid_request(Violation("/dataframe_split/index", "wrong_type", "Must be an array, or absent."))
    columns, pointer = split["columns"], "/dataframe_split/columns"
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise invalid_request(Violation(pointer, "wrong_type", "Must be an array of names."))
    check_columns(columns, field_names, pointer, [f"{pointer}/{position}" for position in range(len(columns))])
    rows = _check_rows(split["data"], "/dataframe_split/data", "rows")
    violations = [
        Violation(f"/dataframe_split/data/{index}", "wrong_length", f"Must be a row of {len(columns)} values.")
        for index, row in enumerate(rows)
        if not isinstance(row, list) or len(row) != len(columns)
    ]
    if violations:
        raise invalid_request(*violations[:MAX_LISTED], unlisted=len(violations[MAX_LISTED:]))
    return [dict(zip(columns, row, strict=True)) for row in rows], RecordPointers("/dataframe_split/data", columns)


def _describe_column(code: str, name: str, field_names: Sequence[str]) -> str:
    if code == "unknown_field":
        return describe_unknown("column", name, field_names)
    return "This column comes twice." if code == "duplicate_column" else f"The column {name!r} is missing."


def _unknown(parent: str, kind: str, names: Sequence[str], allowed: Sequence[str]) -> InvalidRequestError:
    """Return the error for members of an object that aren't among the allowed ones."""
    violations = []
    for name in names[:MAX_LISTED]:
        pointer = f"{parent}/{escape(name)}" if len(name) <= MAX_NAME_LENGTH else parent
        violations.append(Violation(pointer, "unknown_field", describe_unknown(kind, name, allowed)))
    return invalid_request(*violations, unlisted=len(names) - len(violations))
