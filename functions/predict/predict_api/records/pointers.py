"""JSON Pointers (RFC 6901) from a record back into the body that it came in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class RecordPointers(Protocol):
    """Where the records of one request are in its body."""

    def record(self, index: int) -> str:
        """Return the pointer to a record."""
        ...

    def field(self, index: int, name: str) -> str:
        """Return the pointer to a field of a record, whether it is there or missing."""
        ...


class BareRecordPointers:
    """The body is the record."""

    def record(self, index: int) -> str:  # noqa: ARG002
        """Return the pointer to the whole body: the empty one."""
        return ""

    def field(self, index: int, name: str) -> str:  # noqa: ARG002
        """See ``RecordPointers``."""
        return f"/{escape(name)}"


class ListedRecordPointers:
    """The records are the objects of a list.

    Parameters
    ----------
    envelope : str
        The list's name.
    """

    def __init__(self, envelope: str) -> None:
        self._envelope = envelope

    def record(self, index: int) -> str:
        """See ``RecordPointers``."""
        return f"/{self._envelope}/{index}"

    def field(self, index: int, name: str) -> str:
        """See ``RecordPointers``."""
        return f"/{self._envelope}/{index}/{escape(name)}"


class SplitRecordPointers:
    """The records are rows under common column names.

    Parameters
    ----------
    envelope : str
        The envelope's name.
    columns : sequence of str
        The columns' names in the body's order.
    """

    def __init__(self, envelope: str, columns: Sequence[str]) -> None:
        self._envelope = envelope
        self._positions = {name: position for position, name in enumerate(columns)}

    def record(self, index: int) -> str:
        """See ``RecordPointers``."""
        return f"/{self._envelope}/data/{index}"

    def field(self, index: int, name: str) -> str:
        """See ``RecordPointers``."""
        return f"/{self._envelope}/data/{index}/{self._positions[name]}"


def escape(token: str) -> str:
    """Return a member's name as a part of a JSON Pointer."""
    return token.replace("~", "~0").replace("/", "~1")
