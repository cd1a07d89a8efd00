"""The gateway with slow, broken and vanished clients, over real sockets in this process."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from emulator.http_api.gateway import ConnectionLimits, Gateway
from emulator.lambda_service.invocation import InvocationResult
from emulator.template.http_api_spec import CorsPolicy, HttpApi, HttpRoute, HttpStage

# Limit for anything that must happen eventually.
DEADLINE_S = 30.0
LONG = ConnectionLimits(DEADLINE_S, DEADLINE_S, DEADLINE_S)
ROOT = "Root=1-[0-9a-f]{8}-[0-9a-f]{24}"


class RecordingLambda:
    """Stands for Lambda: gives one answer, and records the events."""

    def __init__(self, answer: bytes = b'{"statusCode": 200, "body": "fine"}') -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.trace_ids: list[str] = []

    def submit(
        self, name: str, payload: bytes, qualifier: str | None = None, trace_id: str = ""
    ) -> asyncio.Future[InvocationResult]:
        self.events.append(json.loads(payload))
        self.trace_ids.append(trace_id)
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        answer.set_result(InvocationResult(self.answer, None, "1"))
        return answer

    def is_debugged(self, name: str) -> bool:
        return False


def run(
    talk: Callable[[int], Awaitable[None]], recorder: RecordingLambda, limits: ConnectionLimits = LONG, **more: Any
) -> None:
    """Run a gateway in front of one function, and talk to it."""
    stage = HttpStage(routes=(HttpRoute("ANY", "$default", "F"), HttpRoute("GET", "/one", "F", payload_format="1.0")))

    async def _run() -> None:
        api = HttpApi("Api", (stage,), more.get("cors"))
        gateway = Gateway(api, {"F": "f"}, recorder, "1", limits=limits)  # type: ignore[arg-type]
        port = await gateway.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await talk(port)
        finally:
            await gateway.stop()

    asyncio.run(_run())


async def exchange(port: int, head: bytes) -> bytes:
    """Send these bytes, and return everything that the gateway sends until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: h\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
@pytest.mark.fidelity("keep-alive")
def test_a_connection_without_a_whole_request_is_ended(head: bytes) -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        received.append(await exchange(port, head))

    run(talk, RecordingLambda(), ConnectionLimits(0.2, DEADLINE_S, DEADLINE_S))
    assert received[0].startswith(b"HTTP/1.1 200 " if head.endswith(b"\r\n\r\n") else b"")
    assert bool(received[0]) is head.endswith(b"\r\n\r\n")


@pytest.mark.fidelity("keep-alive")
def test_a_body_that_stops_is_408() -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
        received.append(await reader.readuntil(b'{"message":"Request Timeout"}'))
        writer.close()

    recorder = RecordingLambda()
    run(talk, recorder, ConnectionLimits(DEADLINE_S, 0.1, DEADLINE_S))
    assert received[0].startswith(b"HTTP/1.1 408 ")
    assert recorder.events == []


@pytest.mark.parametrize("requests", [1, 200])
@pytest.mark.fidelity("stalled-client")
def test_a_client_that_reads_nothing_is_disconnected(requests: int) -> None:
    """The connection and its tasks end, whether one large answer waits or many small ones."""
    size = 6_000_000 // requests
    recorder = RecordingLambda(json.dumps({"statusCode": 200, "body": "x" * size}).encode())

    async def talk(port: int) -> None:
        before = len(asyncio.all_tasks())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * requests)
            while not recorder.events:
                await asyncio.sleep(0.01)
            # The connection's task, and that of the request that waits to be taken, end although the client stays.
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)

    run(talk, recorder, ConnectionLimits(DEADLINE_S * 2, DEADLINE_S, 0.3))
    assert recorder.events


@pytest.mark.fidelity("stalled-client")
def test_a_client_that_reads_slowly_gets_the_whole_answer() -> None:
    body = "x" * 6_000_000
    received: list[bytes] = []

    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        while more := await reader.read(500_000):
            received.append(more)
            await asyncio.sleep(0.02)
        writer.close()

    run(talk, RecordingLambda(json.dumps({"statusCode": 200, "body": body}).encode()), ConnectionLimits(9, 9, 2))
    assert b"".join(received).endswith(body.encode())


@pytest.mark.fidelity("latin-1-headers")
def test_bytes_of_a_header_that_are_not_utf_8_are_latin_1() -> None:
    recorder = RecordingLambda()
    head = b"Host: h\r\nX-Utf: caf\xc3\xa9\r\nX-Latin: caf\xe9\r\nCookie: a=\xe9\r\nConnection: close\r\n\r\n"

    async def talk(port: int) -> None:
        for target in (b"/", b"/one"):
            await exchange(port, b"GET " + target + b" HTTP/1.1\r\n" + head)

    run(talk, recorder)
    format_2, format_1 = recorder.events
    assert (format_2["headers"]["x-utf"], format_2["headers"]["x-latin"], format_2["cookies"]) == (
        "café",
        "café",
        ["a=é"],
    )
    assert (format_1["headers"]["X-Utf"], format_1["headers"]["X-Latin"], format_1["headers"]["Cookie"]) == (
        "café",
        "café",
        "a=é",
    )


def test_an_origin_that_is_not_utf_8_is_answered() -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        rest = b"Host: h\r\nOrigin: https://caf\xe9\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n"
        for method in (b"GET", b"OPTIONS"):
            received.append(await exchange(port, method + b" / HTTP/1.1\r\n" + rest))

    run(talk, RecordingLambda(), cors=CorsPolicy(allow_origins=("https://*",)))
    for answer, status in zip(received, (b"200", b"204"), strict=True):
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert "access-control-allow-origin: https://café\r\n".encode() in answer.lower()


@pytest.mark.fidelity("trace-id")
def test_sampled_is_added_to_the_functions_trace_id_and_not_to_the_event() -> None:
    recorder = RecordingLambda()
    brought = "Root=1-5759e988-bd862e3fe1be46a994272793"

    async def talk(port: int) -> None:
        for header in ("", f"X-Amzn-Trace-Id: {brought}\r\n", f"X-Amzn-Trace-Id: {brought};Sampled=1\r\n"):
            for target in ("/", "/one"):
                await exchange(port, f"GET {target} HTTP/1.1\r\nHost: h\r\n{header}Connection: close\r\n\r\n".encode())

    run(talk, recorder)
    shown = [
        event["headers"].get("x-amzn-trace-id") or event["headers"]["X-Amzn-Trace-Id"] for event in recorder.events
    ]
    assert all(re.fullmatch(ROOT, trace_id) for trace_id in shown[:2])
    assert shown[2:] == [brought] * 2 + [f"{brought};Sampled=1"] * 2
    assert recorder.trace_ids == [f"{trace_id};Sampled=0" for trace_id in shown[:4]] + shown[4:]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b'POST /predict HTTP/1.1\nHost: h\nContent-Length: 25\n\n{"annual_inc": 54321.99}\r\n\r\n',
        b'POST /predict HTTP/1.1\r\nHost: h\r\n{"annual_inc": 54321.99}\r\n\r\n',
        b'{"annual_inc": 54321.99}\r\n\r\n',
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: " + b"54321.99" * 10_000 + b"\r\n\r\n",
    ],
)
@pytest.mark.fidelity("not-http")
def test_a_request_that_is_not_http_gets_400_and_one_log_line(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        received.append(await exchange(port, sent))

    run(talk, RecordingLambda())
    assert received[0].split()[1] == b"400"
    assert received[0].endswith(b'{"message": "Bad Request"}')
    assert b"54321.99" not in received[0], "the answer must not repeat the request"
    # aiohttp logs an unknown method for debugging alone.
    assert len(caplog.records) == (0 if sent.startswith(b"{") else 1)
    for record in caplog.records:
        line = caplog.handler.format(record)
        assert record.getMessage().startswith("a client's request isn't HTTP: ")
        assert "\n" not in line
        assert "54321.99" not in line, "the log must not have a borrower's values"


def test_a_body_that_is_too_large_gets_no_100_continue() -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10485761\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        received.append(await reader.readuntil(b"}"))
        writer.close()

    run(talk, RecordingLambda())
    assert received[0].startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "answer",
    [
        {"headers": {"x-a": "\u0001"}}, {"headers": {"x-a": "\u007f"}}, {"headers": {"x-a": "\ud800"}},
        {"cookies": ["a=\u0000"]}, {"cookies": ["a=\udfff"]}, {"body": "\ud800"}, {"headers": {"x-a": "\t€"}},
    ],
)  # fmt: skip
@pytest.mark.fidelity("nan-refused")
def test_every_answer_of_a_function_becomes_a_response(answer: dict[str, Any]) -> None:
    received: list[bytes] = []

    async def talk(port: int) -> None:
        received.append(await exchange(port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))

    run(talk, RecordingLambda(json.dumps({"statusCode": 200, **answer}).encode()))
    has_controls = re.search(r"\\u00", json.dumps(answer)) is not None
    assert received[0].startswith(b"HTTP/1.1 500 " if has_controls else b"HTTP/1.1 200 ")
