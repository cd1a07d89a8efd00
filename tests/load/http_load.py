"""A lean HTTP client for closed-loop load: one thread, blocking sockets behind one epoll, answers hardly looked at.

About fifteen microseconds a request, so that on two cores the load takes little from what it measures; how much it took
is part of each result. HTTP/1.1 with Content-Length, kept alive where the server allows it.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_PATIENCE_S = 60.0
_CHUNK_BYTES = 65_536
_BETWEEN_CONNECTIONS_S = 0.002


class LoadError(Exception):
    """A server did not answer, or not in a way that can be counted."""


@dataclass(frozen=True)
class Target:
    """What to ask whom.

    Parameters
    ----------
    port : int
        On loopback.
    request : bytes
        A whole HTTP/1.1 request.
    """

    port: int
    request: bytes


@dataclass(frozen=True)
class LoadResult:
    """What came of one run.

    Parameters
    ----------
    latencies_s : list of float
        From before a request is sent to the last byte of its answer, in ascending order; only answers with status 200.
    refused : int
        Answers with another status, and connections that were closed without one.
    seconds : float
        How long the run took.
    client_cpu_s : float
        Processor time of this client.
    first_bodies : list of bytes
        Of each connection's first answer, if that is a good one.
    """

    latencies_s: list[float]
    refused: int
    seconds: float
    client_cpu_s: float
    first_bodies: list[bytes]

    def quantile_s(self, share: float) -> float:
        """Return the latency that `share` of the answers did not exceed."""
        return self.latencies_s[min(int(len(self.latencies_s) * share), len(self.latencies_s) - 1)]

    @property
    def per_second(self) -> float:
        """Return the good answers a second."""
        return len(self.latencies_s) / self.seconds


def make_request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a request as HTTP clients commonly send it."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: bench/1.0",
        "Accept: */*",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run_load(target: Target, clients: int, seconds: float, *, requests_each: int | None = None) -> LoadResult:
    """Send one request after another over `clients` connections, for so long or so often.

    Parameters
    ----------
    target : Target
        What to ask whom.
    clients : int
        How many requests are under way at once.
    seconds : float
        No request is sent later than this; those under way are awaited.
    requests_each : int, optional
        The most requests of each connection.

    Raises
    ------
    LoadError
        No good answer at all, or none within a minute, or one without a length.
    """
    run = _Run(target, requests_each)
    connections = [_connect_later(target.port) for _ in range(clients)]
    cpu_began, began = time.process_time(), time.perf_counter()
    try:
        run.until_s = began + seconds
        for connection in connections:
            run.send(connection)
        run.go_on()
    finally:
        took, cpu_took = time.perf_counter() - began, time.process_time() - cpu_began
        for connection in connections:
            connection.socket.close()
    if not run.latencies_s:
        raise LoadError(f"none of {run.refused} answers has status 200, the last one:\n{run.last_answer[:2000]!r}")
    bodies = [connection.first_body for connection in connections if connection.first_body]
    return LoadResult(sorted(run.latencies_s), run.refused, took, cpu_took, bodies)


def _connect_later(port: int) -> _Connection:
    # In one rush, the first of a server's workers to wake would take all of them, and the others none.
    time.sleep(_BETWEEN_CONNECTIONS_S)
    return _Connection(port)


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self.sent_s = 0.0
        self.requests = 0
        self.buffer = b""
        self.expected_bytes: int | None = None
        self.first_body = b""
        self.is_closing = False
        self.socket = self._connect()

    def reconnect(self) -> None:
        self.socket.close()
        self.socket = self._connect()
        self.is_closing = False

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected


@dataclass
class _Run:
    target: Target
    requests_each: int | None
    until_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0
    last_answer: bytes = b""
    _poll: select.epoll = field(default_factory=select.epoll)
    _under_way: dict[int, _Connection] = field(default_factory=dict)

    def send(self, connection: _Connection) -> None:
        connection.sent_s = time.perf_counter()
        if connection.is_closing:
            # Its time counts: whoever asks such a server pays for it.
            self._forget(connection)
            connection.reconnect()
        if connection.requests == 0 or connection.socket.fileno() not in self._under_way:
            self._under_way[connection.socket.fileno()] = connection
            self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        connection.requests += 1
        connection.socket.sendall(self.target.request)

    def go_on(self) -> None:
        with contextlib.closing(self._poll):
            while self._under_way:
                ready = self._poll.poll(_PATIENCE_S)
                if not ready:
                    raise LoadError(f"no answer within {_PATIENCE_S:.0f} s")
                for descriptor, _ in ready:
                    self._receive(self._under_way[descriptor])

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(_CHUNK_BYTES)
        if not data:
            connection.buffer, connection.is_closing = b"", True
            self._answered(connection, time.perf_counter() - connection.sent_s)
            return
        connection.buffer += data
        if connection.expected_bytes is None:
            end = connection.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            connection.expected_bytes = end + 4 + self._read_head(connection, connection.buffer[:end])
        if len(connection.buffer) >= connection.expected_bytes:
            self._answered(connection, time.perf_counter() - connection.sent_s)

    def _read_head(self, connection: _Connection, head: bytes) -> int:
        length = _LENGTH.search(head)
        if length is None:
            raise LoadError(f"an answer without Content-Length: {head!r}")
        connection.is_closing = head.startswith(b"HTTP/1.0") or _CLOSE.search(head) is not None
        return int(length[1])

    def _answered(self, connection: _Connection, latency_s: float) -> None:
        answer, connection.buffer, connection.expected_bytes = connection.buffer, b"", None
        if answer[9:12] == b"200":
            self.latencies_s.append(latency_s)
            if connection.requests == 1:
                connection.first_body = answer.partition(b"\r\n\r\n")[2]
        else:
            self.refused += 1
            self.last_answer = answer
        if time.perf_counter() < self.until_s and connection.requests != self.requests_each:
            self.send(connection)
        else:
            self._forget(connection)

    def _forget(self, connection: _Connection) -> None:
        self._poll.unregister(connection.socket.fileno())
        del self._under_way[connection.socket.fileno()]
