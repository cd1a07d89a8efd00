"""Find the records in a request's JSON object: a bare record, or one of three envelopes. Pure; doesn't check records.

A member that is null counts as absent, because clients of other protocols also send the members that they leave unset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_artifact.record_rules import has_surrogate
from predict_api.http.errors import InvalidRequestError, MalformedRequestError, RequestTooLargeError, Violation
from predict_api.records.violations import MAX_NAME_LENGTH, RecordPointers, describe_unknown, escape

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


def open_envelope(document: Mapping[str, Any], columns: Sequence[str]) -> Envelope:
    """Find the records in a request's body.

    ``columns`` are the names of a record's fields: ``dataframe_split`` must have these columns, and messages suggest
    them. A null field of a bare record doesn't count as absent.

    Raises
    ------
    MalformedRequestError
        If the body holds two envelopes, an envelope and a record's fields, or rows without column names.
    InvalidRequestError
        If a member of the envelope is wrong or unknown, or it has no records.
    RequestTooLargeError
        If it has more than 1,000 records.
    """
    envelopes = [name for name in ENVELOPES if name in document]
    # If every envelope is null, they stay in the list: the message then says that the array is missing.
    envelopes = [name for name in envelopes if document[name] is not None] or envelopes
    if len(envelopes) > 1:
        raise MalformedRequestError(f"The body holds {' and '.join(envelopes)} at once. Send one of them.")
    if not envelopes:
        record = {name: value for name, value in document.items() if name not in COMPANIONS}
        return _envelope(document, [record], RecordPointers(None))
    [envelope] = envelopes
    content = document[envelope]
    _check_record_count(content)
    _check_companions(document, envelope, columns)
    if envelope == "dataframe_split":
        records, pointers = _open_split(content, columns)
        return _envelope(document, records, pointers)
    rows = _check_rows(content, f"/{envelope}")
    for index, row in enumerate(rows):
        if isinstance(row, list):
            raise MalformedRequestError(
                f"Record {index} is a row without column names. Send objects, or dataframe_split with its columns."
            )
    return _envelope(document, rows, RecordPointers(f"/{envelope}"))


def _envelope(document: Mapping[str, Any], records: list[Any], pointers: RecordPointers) -> Envelope:
    request_name = document.get("id")
    if request_name is not None and not _is_usable_id(request_name):
        raise _invalid(Violation("/id", "wrong_type", f"The id must be a text of 1 to {MAX_ID_LENGTH} characters."))
    return Envelope(records, pointers, request_name, _read_explain(document))


def _is_usable_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH and not has_surrogate(value)


def _read_explain(document: Mapping[str, Any]) -> bool:
    parameters = document.get("parameters")
    if parameters is None:
        return False
    if not isinstance(parameters, dict):
        raise _invalid(Violation("/parameters", "wrong_type", "The parameters must be an object."))
    for name, value in parameters.items():
        if name not in _PARAMETERS and value is not None:
            raise _invalid(_unknown("/parameters", "parameter", name, _PARAMETERS))
    explain = parameters.get("explain")
    if explain is None:
        return False
    if not isinstance(explain, bool):
        raise _invalid(Violation("/parameters/explain", "wrong_type", "Must be true or false."))
    return explain


def _check_companions(document: Mapping[str, Any], envelope: str, columns: Sequence[str]) -> None:
    further_names = [
        name
        for name, value in document.items()
        if name != envelope and name not in COMPANIONS and (value is not None or name in columns)
    ]
    if any(name in columns for name in further_names):
        raise MalformedRequestError(f"The body holds {envelope} and a record's own fields at once. Send one of them.")
    if further_names:
        raise _invalid(*(_unknown("", "member", name, (envelope, *COMPANIONS)) for name in further_names[:10]))


def _check_record_count(content: object) -> None:
    # Checked first: the client must split the request anyway, and learns what else is wrong from its parts.
    rows = content.get("data") if isinstance(content, dict) else content
    if isinstance(rows, list) and len(rows) > MAX_RECORDS:
        raise RequestTooLargeError(f"There are {len(rows):,} records. Send at most {MAX_RECORDS:,} in one request.")


def _check_rows(rows: object, pointer: str) -> list[Any]:
    if not isinstance(rows, list):
        raise _invalid(Violation(pointer, "wrong_type", "Must be an array."))
    if not rows:
        raise _invalid(Violation(pointer, "empty", "It holds no record. Send at least one."))
    return rows


def _open_split(split: object, field_names: Sequence[str]) -> tuple[list[Any], RecordPointers]:
    if not isinstance(split, dict):
        raise _invalid(Violation("/dataframe_split", "wrong_type", "Must be an object with columns and data."))
    if "columns" not in split:
        raise MalformedRequestError("dataframe_split has no columns. Rows without column names are not guessed at.")
    if "data" not in split:
        raise _invalid(Violation("/dataframe_split/data", "missing", "The rows are missing."))
    unknown = [name for name, value in split.items() if name not in _SPLIT_MEMBERS and value is not None]
    if unknown:
        raise _invalid(*(_unknown("/dataframe_split", "member", name, _SPLIT_MEMBERS) for name in unknown[:10]))
    if not isinstance(split.get("index"), list | None):
        raise _invalid(Violation("/dataframe_split/index", "wrong_type", "Must be an array, or absent."))
    columns = _check_columns(split["columns"], field_names)
    rows = _check_rows(split["data"], "/dataframe_split/data")
    violations = [
        Violation(f"/dataframe_split/data/{index}", "wrong_length", f"Must be a row of {len(columns)} values.")
        for index, row in enumerate(rows)
        if not isinstance(row, list) or len(row) != len(columns)
    ]
    if violations:
        raise _invalid(*violations[:10])
    return [dict(zip(columns, row, strict=True)) for row in rows], RecordPointers("/dataframe_split/data", columns)


def _check_columns(columns: object, field_names: Sequence[str]) -> list[str]:
    pointer = "/dataframe_split/columns"
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise _invalid(Violation(pointer, "wrong_type", "Must be an array of names."))
    violations: list[Violation] = []
    seen: set[str] = set()
    for position, name in enumerate(columns):
        if name in seen:
            violations.append(Violation(f"{pointer}/{position}", "duplicate_column", "This column comes twice."))
        elif name not in field_names:
            detail = describe_unknown("column", name, field_names)
            violations.append(Violation(f"{pointer}/{position}", "unknown_field", detail))
        seen.add(name)
    violations.extend(
        Violation(pointer, "missing", f"The column {name!r} is missing.")
        for name in field_names
        if name not in seen and name != "loan_id"
    )
    if violations:
        raise _invalid(*violations[:20])
    return columns


def _unknown(parent: str, kind: str, name: str, allowed: Sequence[str]) -> Violation:
    pointer = f"{parent}/{escape(name)}" if len(name) <= MAX_NAME_LENGTH else parent
    return Violation(pointer, "unknown_field", describe_unknown(kind, name, allowed))


def _invalid(*violations: Violation) -> InvalidRequestError:
    count = len(violations)
    summary = "One thing is wrong" if count == 1 else f"{count} things are wrong"
    return InvalidRequestError(f"{summary} with the request.", violations)
