"""From an HTTP body to one JSON object: size, media type, encoding, and JSON stricter than Python's own. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic_core import from_json

from predict_api.http.errors import MalformedRequestError, RequestTooLargeError, UnsupportedMediaTypeError

MAX_BODY_BYTES = 1024 * 1024
_MAX_QUOTED_NAME = 64


def read_json_object(body: str | None, *, is_base64: bool, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON object that a request's body is.

    Parameters
    ----------
    body : str or None
        As in the event; None and the empty string both mean that there is none.
    is_base64 : bool
        Whether the gateway flagged the body so.
    headers : mapping of str to str
        Looked up in any case: ``Content-Type`` and ``Content-Encoding`` count.

    Raises
    ------
    UnsupportedMediaTypeError
        If it is not declared as ``application/json`` in UTF-8, uncompressed.
    RequestTooLargeError
        If it has more than 1 MiB.
    MalformedRequestError
        If it is missing, not base64 though flagged so, not UTF-8, not JSON, not an object, or has a key twice.
    """
    check_media_type(headers)
    text = _decode(_to_bytes(body or "", is_base64=is_base64))
    if not text.strip():
        raise MalformedRequestError("The body is empty. Send one record or an envelope of records as JSON.")
    document = parse(text)
    if isinstance(document, list):
        raise MalformedRequestError('The body is an array. Put the records into an envelope: {"instances": [...]}.')
    if not isinstance(document, dict):
        raise MalformedRequestError("The body is no JSON object. Send one record or an envelope of records.")
    return document


def check_media_type(headers: Mapping[str, str]) -> None:
    """Raise ``UnsupportedMediaTypeError`` unless the headers declare plain JSON in UTF-8."""
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
        what = "is flagged as base64 and is not" if is_base64 else "is not valid Unicode"
        raise MalformedRequestError(f"The body {what}.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise _too_large()
    return raw


def _too_large() -> RequestTooLargeError:
    return RequestTooLargeError(
        f"The body has more than {MAX_BODY_BYTES:,} bytes. Send the records in several requests."
    )


def _decode(raw: bytes) -> str:
    try:
        # RFC 8259 lets a reader ignore a byte order mark, and Windows' tools write one.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8: see its byte {error.start + 1}.") from None


def parse(text: str) -> object:
    """Return what a JSON text says; raises ``MalformedRequestError`` for the same texts as ``parse_strictly``."""
    try:
        document: object = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return parse_strictly(text)
    # Each member of an object has a colon of its own in the text, so where there are no more of them than members were
    # found, no key came twice. Where there are (a colon in a value is enough), the slower way looks closely.
    return document if text.count(":") == _count_members(document) else parse_strictly(text)


def _count_members(document: object) -> int:
    """Return how many members the objects have, as deep as right requests go: never more than there are."""
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
    """Parse by Python's own parser, five times slower: it says what is wrong, and sees each key."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequestError(f"The body is not JSON: {error.msg.partition(':')[0]} at {where}.") from None
    except RecursionError:
        raise MalformedRequestError("The body is nested too deeply.") from None
    except ValueError:
        # Python refuses to convert integers of thousands of digits.
        raise MalformedRequestError("The body holds a number with too many digits.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    quoted = f"The key {twice!r}" if len(twice) <= _MAX_QUOTED_NAME else "A key"
    raise MalformedRequestError(f"{quoted} occurs twice in one object. Send each key once.")


def _refuse_constant(token: str) -> NoReturn:
    # Python's parser takes NaN, Infinity and -Infinity; JSON has none of them.
    raise MalformedRequestError(f"The body is not JSON: it holds {token}. Send null where a value is missing.")
