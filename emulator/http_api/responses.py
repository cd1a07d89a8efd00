"""Turns a function's answer into the HTTP response that API Gateway sends. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.strict_json import read_json

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110, section 5.5: the tab is the only control character that a value may have.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# API Gateway's quota: the values of all headers together.
_MAX_HEADER_BYTES = 10_240
# Headers that delimit the message. The gateway sets them; a function's own are dropped.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"})


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response to a client; the gateway leaves the body out for HEAD."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message(status: int, text: str) -> HttpResponse:
    """Return one of the gateway's own answers: ``{"message": …}``."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return HttpResponse(status, (("Content-Type", "application/json"),), body)


UNAUTHORIZED = message(401, "Unauthorized")
FORBIDDEN = message(403, "Forbidden")
NOT_FOUND = message(404, "Not Found")
REQUEST_TIMEOUT = message(408, "Request Timeout")
TOO_LARGE = message(413, "Request Entity Too Large")
TOO_MANY_REQUESTS = message(429, "Too Many Requests")
HEADERS_TOO_LARGE = message(431, "Request Header Fields Too Large")
INTERNAL_SERVER_ERROR = message(500, "Internal Server Error")
SERVICE_UNAVAILABLE = message(503, "Service Unavailable")


def build_response(payload: bytes, payload_format: str = "2.0") -> HttpResponse:
    """Return the response for a function's answer: JSON, of a route with this payload format.

    An object with ``statusCode`` is a response. In format 2.0 anything else is the body of a 200. An answer that can't
    be used becomes `INTERNAL_SERVER_ERROR`, as on AWS.
    """
    try:
        answer = read_json(payload)
        if isinstance(answer, dict) and "statusCode" in answer:
            headers = _checked_headers(_header_pairs(answer, payload_format))
            return HttpResponse(_status(answer["statusCode"]), tuple(headers), _body(answer))
    except (TypeError, ValueError):
        return INTERNAL_SERVER_ERROR
    if payload_format == "1.0":
        return INTERNAL_SERVER_ERROR
    body = answer.encode("utf-8", "replace") if isinstance(answer, str) else payload
    return HttpResponse(200, (("Content-Type", "application/json"),), body)


def _header_pairs(answer: Mapping[str, Any], payload_format: str) -> list[tuple[str, Any]]:
    """Return the headers as the function gave them, duplicates included."""
    single = _part(answer, "headers", dict)
    if payload_format == "2.0":
        return [*single.items(), *(("Set-Cookie", cookie) for cookie in _part(answer, "cookies", list))]
    multi_value = _part(answer, "multiValueHeaders", dict)
    multi_value_names = {name.lower() for name in multi_value}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in multi_value_names]
    for name, values in multi_value.items():
        if not isinstance(values, list):
            raise TypeError("each of multiValueHeaders must be a list")
        pairs += [(name, value) for value in values]
    return pairs


def _part(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return a part of the answer, which may be missing or null."""
    part = answer.get(name) or kind()
    if not isinstance(part, kind):
        raise TypeError(f"{name} must be {kind.__name__}")
    return part


def _status(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():  # JSON has one kind of number.
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("statusCode must be a whole number")
    if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) is None:
        raise ValueError("statusCode must be a whole number")
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError("statusCode must be 200 to 599")
    return status


def _checked_headers(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    headers = [(name, _header_value(value)) for name, value in pairs if name.lower() not in _FRAMING]
    if not all(_HEADER_NAME.fullmatch(name) for name, _ in headers):
        raise ValueError("a header's name must be a token")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "text/plain; charset=utf-8"))
    size = sum(len(value) if value.isascii() else len(value.encode()) for _, value in headers)
    if size > _MAX_HEADER_BYTES:
        raise ValueError(f"the headers' values have {size} bytes, of at most {_MAX_HEADER_BYTES}")
    return headers


def _header_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError("a header's value must be a string, a number or a boolean")
    text = str(value)
    if _CONTROLS.search(text) is not None:
        raise ValueError("a header's value has a line break or another control character")
    # A lone surrogate, which JSON can hold, can't be sent.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("body must be a string")
    if answer.get("isBase64Encoded") is True:
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ValueError("body isn't base64") from error
    return body.encode("utf-8", "replace")
