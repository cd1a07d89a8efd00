"""The Runtime API reads what a runtime client sends, however it is cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service import invocation
from emulator.lambda_service.sandbox.runtime_api import RuntimeApi, _Connection


class Told:
    """Records a runtime's requests."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def runtime_asks_for_next(self) -> None:
        self.events.append(("next",))

    def runtime_answered(self, request_id: str, payload: bytes) -> None:
        self.events.append(("answer", request_id, payload))

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        self.events.append(("error", request_id, payload))

    def runtime_failed_to_initialise(self, payload: bytes) -> None:
        self.events.append(("init", payload))


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        """Nothing to close."""


def post(path: str, body: bytes) -> bytes:
    return f"POST /2018-06-01/runtime{path} HTTP/1.1\r\nHost: h\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


STREAM = (
    b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: h\r\n\r\n"
    + b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"
    + post("/invocation/1/response", b'{"a": "\r\n\r\n"}')
    + post("/invocation/2/error", b"{}")
    + post("/invocation/3/response", b"")
    + post("/init/error", b"x" * 300)
    + b"GET /nothing HTTP/1.1\r\n\r\n"
)


@given(st.lists(st.integers(1, 60), max_size=40))
@pytest.mark.fidelity("awslambdaric")
def test_the_runtime_api_reads_requests_however_they_are_cut(cuts: list[int]) -> None:
    told, transport = Told(), FakeTransport()
    connection = _Connection(RuntimeApi(told))
    connection.connection_made(transport)
    rest = STREAM
    for cut in cuts:
        connection.data_received(rest[:cut])
        rest = rest[cut:]
    connection.data_received(rest)
    assert told.events == [
        ("next",),
        ("answer", "1", b'{"a": "\r\n\r\n"}'),
        ("error", "2", b"{}"),
        ("answer", "3", b""),
        ("init", b"x" * 300),
    ]
    assert transport.written.count(b"HTTP/1.1 202") == 4
    assert transport.written.count(b"Content-Type: application/json") == 6, "an answer without one kills the client"
    assert b"HTTP/1.1 404" in transport.written


def test_an_invocation_is_sent_whatever_its_trace_id_holds() -> None:
    transport, api = FakeTransport(), RuntimeApi(Told())
    connection = _Connection(api)
    connection.connection_made(transport)
    connection.data_received(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
    api.send(invocation.Invocation("id", b"{}", "arn", "Root=€\udcff", None), 1)
    assert not api.is_polled
    assert transport.written.endswith(b"Lambda-Runtime-Trace-Id: Root=??\r\n\r\n{}")


@pytest.mark.parametrize("excess_bytes", [0, 1])
@pytest.mark.parametrize(
    ("path", "event", "event_over_the_limit"),
    [
        ("/invocation/1/response", ("answer", "1"), ("error", "1")),
        ("/invocation/1/error", ("error", "1"), ("error", "1")),
        ("/init/error", ("init",), ("init",)),
        ("/restore/error", ("init",), ("init",)),
    ],
)
@pytest.mark.fidelity("answer-too-large")
def test_a_body_over_the_limit_becomes_lambdas_error(
    path: str, event: tuple[str, ...], event_over_the_limit: tuple[str, ...], excess_bytes: int
) -> None:
    told, transport = Told(), FakeTransport()
    connection = _Connection(RuntimeApi(told))
    connection.connection_made(transport)
    body = b"x" * (invocation.MAX_ANSWER_BYTES + excess_bytes)
    data = post(path, body)
    for start in range(0, len(data), 1 << 20):
        connection.data_received(data[start : start + (1 << 20)])
    if excess_bytes:
        assert told.events == [(*event_over_the_limit, invocation.too_large(len(body)))]
        assert invocation.error_type(told.events[0][-1]) == "Function.ResponseSizeTooLarge"
    else:
        assert told.events == [(*event, body)]
