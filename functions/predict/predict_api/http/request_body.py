"""Reads an HTTP body as one JSON object; checks its size, media type, encoding and syntax. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from model_registry import strict_json
from model_registry.strict_json import StrictJsonError
from predict_api.http.errors import MalformedRequestError, RequestTooLargeError, UnsupportedMediaTypeError

MAX_BODY_BYTES = 1024 * 1024


def read_json_object(body: str | None, *, is_base64: bool, headers: Mapping[str, str]) -> dict[str, Any]:
    """Read an event's body as a JSON object; None and the empty string both mean that it has no body.

    Of the headers, whose names are in lower case, ``content-type`` and ``content-encoding`` are read.

    Raises
    ------
    UnsupportedMediaTypeError
        If the headers don't declare uncompressed ``application/json`` in UTF-8.
    RequestTooLargeError
        If it has more than 1 MiB.
    MalformedRequestError
        If it is missing, not base64 though flagged so, not UTF-8, not JSON, not an object, or has a key twice.
    """
    _check_media_type(headers)
    text = _decode(_to_bytes(body or "", is_base64=is_base64))
    if not text.strip():
        raise MalformedRequestError("The body is empty. Send one record or an envelope of records as JSON.")
    document = parse(text)
    if isinstance(document, list):
        raise MalformedRequestError('The body is an array. Put the records into an envelope: {"instances": [...]}.')
    if not isinstance(document, dict):
        raise MalformedRequestError("The body isn't a JSON object. Send one record or an envelope of records.")
    return document


def _check_media_type(headers: Mapping[str, str]) -> None:
    """Raise ``UnsupportedMediaTypeError`` unless the headers declare plain JSON in UTF-8."""
    if "inference-header-content-length" in headers:
        raise UnsupportedMediaTypeError("Binary tensors aren't taken. Send their data as JSON (binary_data=False).")
    media_type, *parameters = headers.get("content-type", "").split(";")
    if media_type.strip().lower() != "application/json":
        raise UnsupportedMediaTypeError("Send the body as Content-Type: application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaTypeError("Send the body in UTF-8, which is what JSON is in (RFC 8259).")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaTypeError("Send the body uncompressed, without Content-Encoding.")


def _to_bytes(body: str, *, is_base64: bool) -> bytes:
    # Four characters of base64 are three bytes, so a longer text can be refused before it is decoded.
    if len(body) > (MAX_BODY_BYTES * 4 // 3 + 4 if is_base64 else MAX_BODY_BYTES):
        raise _too_large()
    try:
        raw = base64.b64decode(body, validate=True) if is_base64 else body.encode()
    except (binascii.Error, UnicodeEncodeError, ValueError):
        fault = "is flagged as base64 but isn't" if is_base64 else "isn't valid Unicode"
        raise MalformedRequestError(f"The body {fault}.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise _too_large()
    return raw


def _too_large() -> RequestTooLargeError:
    return RequestTooLargeError(
        f"The body has more than {MAX_BODY_BYTES:,} bytes. Send the records in several requests."
    )


def _decode(raw: bytes) -> str:
    try:
        # RFC 8259 lets a reader ignore a byte order mark; tools on Windows write one.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body isn't UTF-8: see its byte {error.start + 1}.") from None


def parse(text: str) -> object:
    """Parse a JSON text quickly; raises ``MalformedRequestError`` for the same texts as ``parse_strictly``."""
    try:
        document: object = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return parse_strictly(text)
    # Each member of an object has a colon in the text. As many members as colons: no key came twice. More colons: a key
    # came twice, or a value holds a colon; the slower parser finds out which.
    return document if text.count(":") == _count_members(document) else parse_strictly(text)


def _count_members(document: object) -> int:
    """Count the members of objects, down to the depth of correct requests: deeper ones go to the slower parser."""
    if not isinstance(document, dict):
        return 0
    count = len(document)
    for value in document.values():
        if isinstance(value, dict):
            count += len(value)
        elif isinstance(value, list):
            count += sum(len(item) for item in value if isinstance(item, dict))
    return count


def parse_strictly(text: str) -> object:
    """Parse with Python's own parser. It is five times slower, but sees each key and says what is wrong."""
    try:
        return strict_json.parse(text)
    except StrictJsonError as error:
        raise MalformedRequestError(f"The body {error}.") from None
