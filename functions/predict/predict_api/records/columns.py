"""Turns columns of values into records: ``inputs`` by name, and tensors of the Open Inference Protocol. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from model_artifact.schema import LOAN_ID
from predict_api.http.errors import Violation
from predict_api.records.envelopes import check_columns, check_record_count
from predict_api.records.violations import MAX_LISTED, RecordPointers, invalid_request


class Column(NamedTuple):
    """A column as the client sent it: its name, its values, and the pointers to it and to its values."""

    name: str
    values: Any
    pointer: str
    values_pointer: str


class ColumnPointers(RecordPointers):
    """Where the fields of records are whose columns stand apart in the body; ``parent`` holds all columns."""

    def __init__(self, parent: str, columns: Sequence[Column]) -> None:
        super().__init__(parent)
        self._parent = parent
        self._values = {column.name: column.values_pointer for column in columns}

    def record(self, index: int) -> str:  # noqa: ARG002 - a record has no place of its own
        """See ``RecordPointers``."""
        return self._parent

    def field(self, index: int, name: str) -> str:
        """See ``RecordPointers``."""
        return f"{self._values[name]}/{index}" if name in self._values else self._parent


def open_columns(
    columns: Sequence[Column], field_names: Sequence[str], parent: str, nullable: Sequence[str] = ()
) -> tuple[list[Any], RecordPointers]:
    """Return the records that the columns hold, and their pointers.

    A ``nullable`` column may be left out, and is null in each record then.

    Raises
    ------
    InvalidRequestError
        If a column is unknown, missing or there twice, isn't an array, or has another length than the first one.
    RequestTooLargeError
        If there are more than 1,000 records.
    """
    for column in columns:
        check_record_count(column.values)
    names = [column.name for column in columns]
    check_columns(names, field_names, parent, [column.pointer for column in columns], (LOAN_ID, *nullable))
    length = len(columns[0].values) if isinstance(columns[0].values, list) else 0
    violations = [
        Violation(
            column.values_pointer, "wrong_length", f"Must be an array of {length} values, as the first column is."
        )
        if isinstance(column.values, list)
        else Violation(column.values_pointer, "wrong_type", "Must be an array.")
        for column in columns
        if not isinstance(column.values, list) or len(column.values) != length
    ]
    if violations:
        raise invalid_request(*violations[:MAX_LISTED], unlisted=len(violations[MAX_LISTED:]))
    if not length:
        raise invalid_request(Violation(parent, "empty", "It holds no record. Send at least one."))
    absent = dict.fromkeys(name for name in nullable if name not in names)
    rows = zip(*(column.values for column in columns), strict=True)
    return [{**dict(zip(names, row, strict=True)), **absent} for row in rows], ColumnPointers(parent, columns)
