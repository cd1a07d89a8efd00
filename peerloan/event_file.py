"""API Gateway events (payload 2.0) as the requests that they stand for, so that ``predict`` can send them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peerloan.errors import UsageError

# The client makes its own host and length; what the event's request said of itself goes along.
_SENT_HEADERS = ("content-type", "accept", "idempotency-key", "x-request-id")


@dataclass(frozen=True)
class EventRequest:
    """A request that an event stands for."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


def read_event(event: Mapping[str, Any]) -> EventRequest:
    """Return the request that an event stands for.

    Parameters
    ----------
    event : mapping
        With ``requestContext``; what else is missing or null is an empty POST to /predict.

    Raises
    ------
    UsageError
        If a part is not what an event has there: the part is named.
    """
    context = _part(event, "requestContext", dict) or {}
    http = _part(context, "http", dict) or {}
    path = _part(event, "rawPath", str) or "/predict"
    if not path.startswith("/"):
        raise UsageError("This event can't be sent: its 'rawPath' does not begin with a slash.")
    headers = {
        name: str(value).strip()
        for name, value in (_part(event, "headers", dict) or {}).items()
        if name.lower() in _SENT_HEADERS
    }
    if wrong := [name for name, value in headers.items() if not (value.isascii() and value.isprintable())]:
        raise UsageError(f"This event can't be sent: its header {wrong[0]!r} is no printable ASCII.")
    return EventRequest(_part(http, "method", str) or "POST", path, _body(event), headers)


def _part(parent: Mapping[str, Any], name: str, kind: type) -> Any:
    part = parent.get(name)
    if part is not None and not isinstance(part, kind):
        raise UsageError(f"This event can't be sent: its {name!r} is no {'text' if kind is str else 'object'}.")
    return part


def _body(event: Mapping[str, Any]) -> bytes | None:
    body = _part(event, "body", str) or ""
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode("utf-8")
    except ValueError as error:
        what = "base64, though the event says so" if event.get("isBase64Encoded") else "text that UTF-8 has"
        raise UsageError(f"This event can't be sent: its body is no {what}.") from error
    return data or None
