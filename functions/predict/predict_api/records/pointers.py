"""JSON Pointers (RFC 6901) from a record back into the request's body. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class RecordPointers:
    """Where the records of one request are in its body.

    Parameters
    ----------
    records : str or None
        The pointer to the array of records; None if the body itself is the only record.
    columns : sequence of str, optional
        The columns' names where the records are rows of values instead of objects.
    """

    def __init__(self, records: str | None, columns: Sequence[str] | None = None) -> None:
        self._records = records
        self._positions = None if columns is None else {name: position for position, name in enumerate(columns)}

    def record(self, index: int) -> str:
        """Return the pointer to a record."""
        return "" if self._records is None else f"{self._records}/{index}"

    def field(self, index: int, name: str) -> str:
        """Return the pointer to a field of a record, whether it is there or missing."""
        return f"{self.record(index)}/{escape(name) if self._positions is None else self._positions[name]}"


def escape(name: str) -> str:
    """Return a member's name as a part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")
