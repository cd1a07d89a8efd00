"""Sending a case for real, and what came back in a form that can be compared part by part."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.differential.case import HOST, USER_AGENT, Case

# Set by the function that answers its event.
_ECHO = "x-echo"
_LIMIT_S = 90
_BODY_PARTS = frozenset({"event.body", "event.isBase64Encoded"})


class _Absent:
    """What a part is where an answer does not have it."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class Exchange:
    """What came back for a case, flat: ``status``, ``header.…``, and ``body``, ``event.…`` or ``error.…``."""

    parts: Mapping[str, Any]

    def __getitem__(self, part: str) -> Any:
        return self.parts.get(part, ABSENT)

    @property
    def has_event(self) -> bool:
        """The function was reached and answered its event."""
        return f"header.{_ECHO}" in self.parts


@dataclass(frozen=True)
class Difference:
    """One part in which two answers to one request differ."""

    part: str
    sam: Any
    emulator: Any

    def __str__(self) -> str:
        return f"{self.part}: SAM {_short(self.sam)}, the emulator {_short(self.emulator)}"


def http_body(body: bytes) -> dict[str, Any]:
    """Return a body as one part."""
    return {"body": body}


def lambda_body(body: bytes) -> dict[str, Any]:
    """Return what Lambda's API answers as parts: errors key by key, anything else as one."""
    with contextlib.suppress(ValueError):
        document = json.loads(body)
        if isinstance(document, dict) and {"errorMessage", "errorType"} <= document.keys():
            return {f"error.{name}": value for name, value in document.items()}
    return {"body": body}


def send(port: int, case: Case, read_body: Callable[[bytes], dict[str, Any]] = http_body) -> Exchange:
    """Send a case to a server on this machine, over a connection of its own.

    Parameters
    ----------
    port : int
        The server's.
    case : Case
        The request.
    read_body : callable
        Body → its parts, for bodies that aren't events.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    try:
        connection.putrequest(case.method, case.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", HOST)
        connection.putheader("User-Agent", USER_AGENT)
        for name, value in case.headers:
            connection.putheader(name, value)
        # A server that refuses a body by its length need not read it: its answer counts, not the broken pipe.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send_body(connection, case)
        response = connection.getresponse()
        body = response.read()
        parts = _head_parts(case, response, body)
        if f"header.{_ECHO}" in parts:
            return Exchange({**parts, **dict(_event_parts(json.loads(body), port))})
        return Exchange({**parts, **read_body(body)})
    finally:
        connection.close()


def differences(sam: Exchange, emulator: Exchange) -> list[Difference]:
    """Return every part in which the two differ, in the order of the parts' names.

    Where only one of them reached the function, its event differs in everything: of that the body alone is kept.
    """
    parts = {*sam.parts, *emulator.parts}
    if sam.has_event != emulator.has_event:
        parts = {part for part in parts if not part.startswith("event.") or part in _BODY_PARTS}
    return [Difference(part, sam[part], emulator[part]) for part in sorted(parts) if sam[part] != emulator[part]]


def _send_body(connection: http.client.HTTPConnection, case: Case) -> None:
    if case.body is None:
        connection.endheaders()
    elif case.is_chunked:
        connection.putheader("Transfer-Encoding", "chunked")
        middle = len(case.body) // 2
        connection.endheaders([case.body[:middle], case.body[middle:]], encode_chunked=True)
    else:
        connection.putheader("Content-Length", str(len(case.body)))
        connection.endheaders(case.body)


def _head_parts(case: Case, response: http.client.HTTPResponse, body: bytes) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in response.getheaders():
        lower = name.lower()
        headers[lower] = f"{headers[lower]} | {value}" if lower in headers else value
    # What framing and clocks make differ is checked here instead, and taken out.
    if case.method != "HEAD" and headers.get("content-length") == str(len(body)):
        del headers["content-length"]
    if _is_now(headers.get("date", "")):
        headers["date"] = "<now>"
    return {"status": response.status, **{f"header.{name}": value for name, value in headers.items()}}


def _event_parts(event: Mapping[str, Any], port: int) -> Iterator[tuple[str, Any]]:
    """Yield an event's values by their places, and apart from that how its headers are spelled."""
    headers = {name.lower(): value for name, value in event["headers"].items()}
    if headers.get("x-forwarded-port") == str(port):
        headers["x-forwarded-port"] = "<the server's>"
    yield "event.headers", sorted(event["headers"], key=str.lower)
    yield from _flat("event.headers", headers)
    yield from _flat("event", {key: value for key, value in event.items() if key != "headers"})


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f"{place}.{name}", inner)
    else:
        yield place, value


def _is_now(date: str) -> bool:
    try:
        time = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return False
    return abs(dt.datetime.now(dt.UTC) - time) < dt.timedelta(minutes=2)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
