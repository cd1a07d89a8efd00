"""The place of a violation, as a JSON Pointer (RFC 6901) into the body, and suggestions for unknown names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from predict_api.http.errors import InvalidRequestError, Violation

# A longer name isn't a misspelling. It would take long to compare, and make a message unreadable.
MAX_NAME_LENGTH = 64
# Faults of an envelope that an answer lists. To describe an unknown name takes a tenth of a millisecond.
MAX_LISTED = 20
_LEAST_SIMILARITY = 0.6


class RecordPointers:
    """Where the records of one request are in its body.

    ``records`` is the pointer to their array; None if the body itself is the only record. ``columns`` are the columns'
    names where the records are rows of values instead of objects.
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


def invalid_request(*violations: Violation, unlisted: int = 0) -> InvalidRequestError:
    """Return the error for things that are wrong with the request as a whole; ``unlisted`` more aren't described."""
    count = len(violations) + unlisted
    summary = "One thing is wrong" if count == 1 else f"{count:,} things are wrong"
    first = f" The first {len(violations)} are listed." if unlisted else ""
    return InvalidRequestError(f"{summary} with the request.{first}", violations)


def escape(name: str) -> str:
    """Return a member's name as a part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def find_similar(name: str, allowed: Sequence[str]) -> str | None:
    """Return the allowed name that is most similar to ``name``, or None if no name is similar."""
    if len(name) > MAX_NAME_LENGTH:
        return None
    folded = {_fold(candidate): candidate for candidate in allowed}
    if _fold(name) in folded:
        return folded[_fold(name)]
    # Imported here: only refused requests need it.
    from difflib import get_close_matches

    close = get_close_matches(_fold(name), list(folded), n=1, cutoff=_LEAST_SIMILARITY)
    return folded[close[0]] if close else None


def describe_unknown(kind: str, name: str, allowed: Sequence[str]) -> str:
    """Return a sentence about an unknown name of a ``kind`` ("field", "parameter" …); it suggests one that is allowed.

    The sentence doesn't quote the name, since it may be any text; the violation's pointer does.
    """
    similar = find_similar(name, allowed)
    if similar is not None:
        return f"No {kind} has this name. Did you mean {similar!r}?"
    return f"No {kind} has this name. Allowed: {', '.join(allowed)}."


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
