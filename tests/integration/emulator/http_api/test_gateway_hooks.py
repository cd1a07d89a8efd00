"""The gateway's meter and the emulator's own pages, over real sockets in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web

from emulator.http_api.gateway import Gateway
from emulator.lambda_service.errors import TooManyRequestsError
from emulator.lambda_service.invocation import InvocationResult
from emulator.template.http_api_spec import HttpApi, HttpRoute, HttpStage, Throttle


class Echo:
    """Stands for Lambda: answers as the path says."""

    def is_debugged(self, name: str) -> bool:
        return False

    def submit(
        self, name: str, payload: bytes, qualifier: str | None = None, trace_id: str = ""
    ) -> asyncio.Future[InvocationResult]:
        event = json.loads(payload)
        if event["rawPath"] == "/busy":
            raise TooManyRequestsError(name, 1)
        if event["rawPath"] == "/raise":
            raise RuntimeError("a mistake of the emulator")
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        if event["rawPath"] == "/broken":
            answer.set_result(InvocationResult(b"{}", "Unhandled", "1"))
        elif event["rawPath"] != "/stuck":
            answer.set_result(InvocationResult(b'{"statusCode": 201}', None, "1"))
        return answer


class Recorder:
    """Stands for the meter and for the pages, and records the calls."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, int]] = []
        self.durations: list[float] = []

    def record(self, route_key: str, status: int, seconds: float, _headers: object) -> None:
        self.recorded.append((route_key, status))
        self.durations.append(seconds)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"page": request.path})


def run(talk: Callable[[ClientSession, str], Awaitable[None]], **more: Any) -> None:
    paths = ("/", "/busy", "/broken", "/stuck", "/raise", "/_emulator/{x}")
    routes = tuple(HttpRoute("GET", path, "F", timeout_s=0.05) for path in paths)
    limited = HttpRoute("GET", "/none", "F")
    stage = HttpStage(routes=(*routes, limited), throttles={"GET /none": Throttle(0, 0)})

    async def _run() -> None:
        gateway = Gateway(HttpApi("Api", (stage,)), {"F": "f"}, Echo(), "1", **more)  # type: ignore[arg-type]
        port = await gateway.start("127.0.0.1", 0)
        try:
            async with ClientSession() as session:
                await talk(session, f"http://127.0.0.1:{port}")
        finally:
            await gateway.stop()

    asyncio.run(_run())


def test_the_meter_counts_every_answer_by_route() -> None:
    recorder = Recorder()

    async def talk(session: ClientSession, url: str) -> None:
        for path in ("/", "/busy", "/broken", "/stuck", "/none", "/missing"):
            async with session.get(url + path) as response:
                await response.read()

    run(talk, meter=recorder)
    assert recorder.recorded == [
        ("GET /", 201),
        ("GET /busy", 503),
        ("GET /broken", 500),
        ("GET /stuck", 503),
        ("GET /none", 429),
        ("no route", 404),
    ]
    assert recorder.durations[3] >= 0.05


def test_the_emulators_pages_take_precedence_over_the_apis_routes() -> None:
    answers: list[Any] = []

    async def talk(session: ClientSession, url: str) -> None:
        async with session.get(f"{url}/_emulator/status") as response:
            answers.append((response.status, await response.text()))

    recorder = Recorder()
    run(talk, admin=recorder.answer, meter=recorder)
    run(talk)
    assert answers == [(200, '{"page": "/_emulator/status"}'), (201, "")]
    assert recorder.recorded == []


def test_a_failure_of_the_gateway_is_logged_without_the_query(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(session: ClientSession, url: str) -> None:
        async with session.get(f"{url}/raise?token=a-secret") as response:
            assert response.status == 500

    run(talk)
    assert "GET /raise failed in the gateway" in caplog.text
    assert "a-secret" not in caplog.text
