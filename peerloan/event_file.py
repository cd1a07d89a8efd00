"""Turns an API Gateway event (payload format 2.0) into the HTTP request that it describes, for ``predict``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peerloan.errors import UsageError

# The event's headers that are sent on. The client sets its own host and length.
_SENT_HEADERS = ("content-type", "accept", "idempotency-key", "x-request-id")


@dataclass(frozen=True)
class EventRequest:
    """The HTTP request that an event describes."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


def read_event(event: Mapping[str, Any]) -> EventRequest:
    """Return the HTTP request that an event describes.

    Parameters
    ----------
    event : mapping
        With ``requestContext``. By default the request is an empty POST to /predict.

    Raises
    ------
    UsageError
        If a part has the wrong type; the message names it.
    """
    context = _part(event, "requestContext", dict) or {}
    http = _part(context, "http", dict) or {}
    path = _part(event, "rawPath", str) or "/predict"
    if not path.startswith("/"):
        raise UsageError("This event can't be sent: its 'rawPath' doesn't begin with a slash.")
    headers = {
        name: str(value).strip()
        for name, value in (_part(event, "headers", dict) or {}).items()
        if name.lower() in _SENT_HEADERS
    }
    if wrong := [name for name, value in headers.items() if not (value.isascii() and value.isprintable())]:
        raise UsageError(f"This event can't be sent: its header {wrong[0]!r} isn't printable ASCII.")
    return EventRequest(_part(http, "method", str) or "POST", path, _body(event), headers)


def _part(parent: Mapping[str, Any], name: str, kind: type) -> Any:
    part = parent.get(name)
    if part is not None and not isinstance(part, kind):
        raise UsageError(f"This event can't be sent: its {name!r} isn't {'a text' if kind is str else 'an object'}.")
    return part


def _body(event: Mapping[str, Any]) -> bytes | None:
    body = _part(event, "body", str) or ""
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode("utf-8")
    except ValueError as error:
        form = "base64, as isBase64Encoded says" if event.get("isBase64Encoded") else "UTF-8"
        raise UsageError(f"This event can't be sent: its body isn't {form}.") from error
    return data or None
