"""The Lambda Runtime API for one environment: a loopback listener that one process speaks to.

Source: "Using the Lambda runtime API for custom runtimes" in the Lambda developer guide. Each environment has a
listener, since the runtime client takes host and port and no path. It is a protocol of its own rather than a web
framework: each invocation passes here twice, which is most of an empty function's time.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol, cast

from emulator.lambda_service.invocation import MAX_ANSWER_BYTES, Invocation, too_large

_PREFIX = "/2018-06-01/runtime"
_NEXT = f"GET {_PREFIX}/invocation/next "
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'
_MAX_HEAD_BYTES = 2_200_000  # The client sends an X-Ray cause of up to 1 MiB in a header.


class RuntimeEvents(Protocol):
    """The environment, as its runtime sees it."""

    def runtime_asks_for_next(self) -> None:
        """The runtime is initialised, and idle until `RuntimeApi.send`."""

    def runtime_answered(self, request_id: str, payload: bytes) -> None:
        """The handler returned."""

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        """The handler raised, or what it returned is over the limit."""

    def runtime_failed_to_initialise(self, payload: bytes) -> None:
        """Initialising, or a hook around the snapshot, raised."""


class RuntimeApi:
    """The listener; it tells `events` of the runtime's requests."""

    def __init__(self, events: RuntimeEvents) -> None:
        self.connections: set[_Connection] = set()
        self._events = events
        self._server: asyncio.Server | None = None
        self._waiting: _Connection | None = None

    async def start(self) -> str:
        """Listen on a free loopback port and return ``host:port``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=4)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        self.connections.clear()
        self._waiting = None

    @property
    def is_polled(self) -> bool:
        """Whether the runtime waits for an invocation at this moment."""
        return self._waiting is not None

    def send(self, call: Invocation, deadline_ms: int) -> None:
        """Answer the runtime's waiting poll with an invocation; only while `is_polled`."""
        # As one line of ASCII, however its JSON is laid out.
        context = json.dumps(json.loads(call.client_context)) if call.client_context else None
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(call.payload)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {call.request_id}\r\nLambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {call.arn}\r\nLambda-Runtime-Trace-Id: {call.trace_id}\r\n"
            + (f"Lambda-Runtime-Client-Context: {context}\r\n\r\n" if context else "\r\n")
        ).encode("latin-1", "replace")
        connection, self._waiting = self._waiting, None
        assert connection is not None
        connection.reply(head, call.payload)

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None

    def asked_for_next(self, connection: _Connection) -> None:
        """Note that the runtime waits for an invocation on this connection."""
        self._waiting = connection
        self._events.runtime_asks_for_next()

    def handle(self, connection: _Connection, method: str, path: str, body: bytes, size_bytes: int) -> None:
        """Answer any other request of the runtime; `body` is empty if `size_bytes` is over the limit."""
        is_too_large = size_bytes > MAX_ANSWER_BYTES
        if is_too_large:
            # Fidelity: documented for what a handler returns; assumed for errors, which the client doesn't cut either.
            body = too_large(size_bytes)
        parts = path.removeprefix(_PREFIX).strip("/").split("/") if path.startswith(_PREFIX) else []
        match method, *parts:
            case "GET", "restore", "next":
                # The snapshot is this process: it is restored as soon as it asks.
                connection.reply_json(200, {})
            case "POST", "invocation", request_id, "response":
                connection.reply(_ACCEPTED, b"")
                if is_too_large:
                    self._events.runtime_failed(request_id, body)
                else:
                    self._events.runtime_answered(request_id, body)
            case "POST", "invocation", request_id, "error":
                connection.reply(_ACCEPTED, b"")
                self._events.runtime_failed(request_id, body)
            case ("POST", "init", "error") | ("POST", "restore", "error"):
                connection.reply(_ACCEPTED, b"")
                self._events.runtime_failed_to_initialise(body)
            case _:
                connection.reply_json(404, {"errorMessage": f"no {method} {path}", "errorType": "NotFound"})


class _Connection(asyncio.Protocol):
    """One connection of the runtime: as much HTTP/1.1 as a runtime client speaks."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        # The request whose body is on its way: method, path, and how many bytes are missing.
        self._method = ""
        self._path = ""
        self._size = 0
        self._missing = 0
        self._in_body = False
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports aren't subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._api.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._api.closed(self)

    def close(self) -> None:
        self._is_closed = True
        if self._transport is not None:
            self._transport.close()

    def reply(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(head + body)

    def reply_json(self, status: int, answer: dict[str, str]) -> None:
        # Without a Content-Type the native client crashes on a null pointer.
        body = json.dumps(answer).encode()
        reason = "OK" if status == 200 else "Error"
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.reply(head.encode(), body)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return
        if self._in_body:
            self._take_body(data)
        else:
            self._buffer += data
        while not self._in_body and self._take_head():
            pass

    def _take_head(self) -> bool:
        """Parse one request's head and the part of its body that has arrived; return whether to go on."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                self.close()
            return False
        head = self._buffer[:end].decode("latin-1")
        rest = bytes(self._buffer[end + 4 :])
        self._buffer.clear()
        if head.startswith(_NEXT):
            self._buffer += rest
            self._api.asked_for_next(self)
            return bool(rest)
        request_line, _, header_lines = head.partition("\r\n")
        self._method, self._path, _ = [*request_line.split(" "), "", "", ""][:3]
        self._size = _content_length(header_lines)
        self._missing = self._size
        self._in_body = True
        self._take_body(rest)
        return not self._in_body and bool(self._buffer)

    def _take_body(self, data: bytes) -> None:
        taken, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(taken)
        if self._size <= MAX_ANSWER_BYTES:
            self._buffer += taken
        if self._missing:
            return
        body = bytes(self._buffer)
        self._buffer.clear()
        self._buffer += rest
        self._in_body = False
        self._api.handle(self, self._method, self._path, body, self._size)


def _content_length(header_lines: str) -> int:
    for line in header_lines.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0
