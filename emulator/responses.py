"""A function's answer as the HTTP response that API Gateway makes of it, payload format 2.0. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The framing belongs to the gateway, whatever a function says.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"})


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response to put on the wire.

    Parameters
    ----------
    status : int
        200 to 599.
    headers : tuple of (str, str)
        Duplicates allowed (Set-Cookie).
    body : bytes
        What a GET carries; the edge leaves it out for HEAD.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message(status: int, text: str) -> HttpResponse:
    """Return an answer of the gateway's own: ``{"message": …}``."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return HttpResponse(status, (("Content-Type", "application/json"),), body)


NOT_FOUND = message(404, "Not Found")
TOO_LARGE = message(413, "Request Entity Too Large")
INTERNAL_SERVER_ERROR = message(500, "Internal Server Error")
SERVICE_UNAVAILABLE = message(503, "Service Unavailable")


def build_response(payload: bytes) -> HttpResponse:
    """Return the response for what a function returned.

    Parameters
    ----------
    payload : bytes
        JSON. An object with ``statusCode`` is a response; anything else is the body of a 200.

    Returns
    -------
    HttpResponse
        `INTERNAL_SERVER_ERROR` where the function's answer can't be used, as API Gateway says it.
    """
    try:
        answer = json.loads(payload)
    except ValueError:
        return INTERNAL_SERVER_ERROR
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = answer.encode() if isinstance(answer, str) else payload
        return HttpResponse(200, (("Content-Type", "application/json"),), body)
    try:
        return HttpResponse(_status(answer["statusCode"]), tuple(_headers(answer)), _body(answer))
    except (TypeError, ValueError):
        return INTERNAL_SERVER_ERROR


def _status(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number only.
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("statusCode is no number")
    if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) is None:
        raise ValueError("statusCode is no number")
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError("statusCode is outside of 200 to 599")
    return status


def _headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = answer.get("headers") or {}
    if not isinstance(given, dict):
        raise TypeError("headers is no object")
    if not all(map(_HEADER_NAME.fullmatch, given)):
        raise ValueError("a header's name is no token")
    headers = [(name, _header_value(value)) for name, value in given.items() if name.lower() not in _FRAMING]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "text/plain; charset=utf-8"))
    cookies = answer.get("cookies") or []
    if not isinstance(cookies, list):
        raise TypeError("cookies is no list")
    return headers + [("Set-Cookie", _header_value(cookie)) for cookie in cookies]


def _header_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError("a header's value is no text")
    text = str(value)
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError("a header's value has a line break")
    return text


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("body is no string")
    if answer.get("isBase64Encoded") is True:
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ValueError("body is not base64") from error
    return body.encode("utf-8", "replace")
