"""Serves one HTTP API on one port: reads requests, finds the stage, and sends the answers.

`emulator.http_api.stage` decides how a request is answered.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict

from emulator.http_api.cors import answer_preflight, is_preflight, with_cors
from emulator.http_api.requests import EventSource, HttpRequest, readable
from emulator.http_api.responses import (
    HEADERS_TOO_LARGE,
    INTERNAL_SERVER_ERROR,
    NOT_FOUND,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    HttpResponse,
)
from emulator.http_api.stage import StageHandler
from emulator.http_server import CLIENT_IS_GONE, Handler, HttpServer, invite_body
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.function_version import LocalCredentials
from emulator.metrics import RequestMeter
from emulator.template.http_api_spec import DEFAULT_STAGE, HttpApi
from emulator.template.project import REGION

MAX_HEAD_BYTES = 10_240
MAX_BODY_BYTES = 10 * 1024 * 1024
NO_ROUTE = "no route"
# aiohttp's own limits are higher, so that the gateway itself answers requests over AWS's limit.
_MOST_PARSED_BYTES = 64 * 1024
_MOST_HEADERS = 2_000
# Clients of a proxy put the whole URL into the request line.
_ORIGIN = re.compile(r"^https?://[^/?]*", re.IGNORECASE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long clients may take."""

    # Until the next request's line and headers are complete.
    keep_alive_s: float = 75.0
    # Between two pieces of a body.
    body_pause_s: float = 30.0
    # Between two pieces of an answer that the client takes.
    write_pause_s: float = 30.0


class Gateway(HttpServer):
    """One HTTP API on one address.

    Parameters
    ----------
    functions : mapping
        Logical id → the function's name.
    admin : callable, optional
        Answers the paths of the emulator's own pages; without it these are ordinary paths of the API.
    meter : RequestMeter, optional
        Counts the answered requests.
    region : str, optional
        For the ARNs of routes, which authorizers see; signatures must be for it.
    credentials : LocalCredentials, optional
        Those that sign requests to routes with IAM.
    """

    def __init__(
        self,
        api: HttpApi,
        functions: dict[str, str],
        service: LambdaService,
        account_id: str,
        *,
        admin: Handler | None = None,
        meter: RequestMeter | None = None,
        region: str = REGION,
        credentials: LocalCredentials | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self._limits = limits or ConnectionLimits()
        super().__init__(
            admin=admin,
            write_pause_s=self._limits.write_pause_s,
            keepalive_timeout=self._limits.keep_alive_s,
            max_line_size=_MOST_PARSED_BYTES,
            max_field_size=_MOST_PARSED_BYTES,
            max_headers=_MOST_HEADERS,
        )
        self._cors = api.cors
        self._meter = meter
        self._stages: dict[str, StageHandler] = {}
        for stage in api.stages:
            source = EventSource(api.logical_id, account_id, stage.name, stage.variables, region)
            self._stages[stage.name] = StageHandler(
                stage, source, functions, service, time.monotonic, credentials=credentials
            )

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the API's answer, with the headers of its CORS policy."""
        started_s = time.perf_counter()
        request_id = base64.urlsafe_b64encode(os.urandom(11)).decode("ascii")
        route_key, preflight = NO_ROUTE, None
        if self._cors is not None and is_preflight(request.method, request.headers):
            preflight = answer_preflight(self._cors, readable(request.headers["Origin"]))
        try:
            route_key, response = await self._respond(request, request_id, preflight)
        except CLIENT_IS_GONE:
            raise
        except Exception:  # noqa: BLE001 - any failure is answered 500
            # Without the query, which may hold a token or a signature.
            _log.exception("%s %s failed in the gateway", request.method, request.raw_path.partition("?")[0])
            response = INTERNAL_SERVER_ERROR
        if self._cors is not None and response is not preflight:
            origin = request.headers.get("Origin")
            response = with_cors(self._cors, None if origin is None else readable(origin), response)
        if self._meter is not None:
            self._meter.record(route_key, response.status, time.perf_counter() - started_s, response.headers)
        return _to_aiohttp(request.method, response, request_id)

    async def _respond(
        self, request: web.BaseRequest, request_id: str, preflight: HttpResponse | None
    ) -> tuple[str, HttpResponse]:
        """Return the key of the route that a request took, and its answer."""
        head_size, headers = _read_headers(request)
        if head_size > MAX_HEAD_BYTES:
            return NO_ROUTE, HEADERS_TOO_LARGE
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return NO_ROUTE, TOO_LARGE
        await invite_body(request)
        try:
            body = await _read_body(request, self._limits.body_pause_s)
        except TimeoutError:
            return NO_ROUTE, REQUEST_TIMEOUT
        if body is None:
            return NO_ROUTE, TOO_LARGE
        target = request.raw_path
        raw_path, _, raw_query = (target if target.startswith("/") else _ORIGIN.sub("", target)).partition("?")
        raw_path = raw_path or "/"
        handler = self._stage_of(raw_path)
        match = None if handler is None else handler.find(request.method, raw_path)
        if handler is None or match is None:
            return NO_ROUTE, preflight or NOT_FOUND
        http_request = HttpRequest(
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=headers,
            body=body,
            source_ip=request.remote or "127.0.0.1",
            port=self.port,
            protocol=f"HTTP/{request.version.major}.{request.version.minor}",
            request_id=request_id,
            new_trace_id=f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()}",
            time=dt.datetime.now(dt.UTC),
        )
        return match.route.key, await handler.answer(http_request, match, preflight)

    def _stage_of(self, raw_path: str) -> StageHandler | None:
        """Return the stage that a path's first segment names, or else the default stage, if the API has one."""
        name = raw_path[1:].partition("/")[0]
        handler = self._stages.get(name) if name != DEFAULT_STAGE else None
        return handler or self._stages.get(DEFAULT_STAGE)


def _read_headers(request: web.BaseRequest) -> tuple[int, Iterable[tuple[str, str]]]:
    """Return the headers, and their size as the quota counts it: the request line and the headers' values."""
    headers = request.headers
    text = f"{request.method}{request.raw_path}{''.join(headers.values())}"
    if text.isascii():
        return len(text), headers.items()
    size = len(text.encode("utf-8", "surrogateescape"))
    return size, [(name, readable(value)) for name, value in headers.items()]


async def _read_body(request: web.BaseRequest, pause_s: float) -> bytes | None:
    """Return the body, or None if it is over the limit; `TimeoutError` if the client stops sending before its end."""
    if not request.body_exists:
        return b""
    if request.content.is_eof():
        # Small bodies arrive along with the headers.
        return await request.content.read()
    chunks: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout(pause_s):
            chunk = await request.content.readany()
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)


def _to_aiohttp(method: str, response: HttpResponse, request_id: str) -> web.StreamResponse:
    headers = CIMultiDict(response.headers)
    headers["Apigw-Requestid"] = request_id
    if method == "HEAD":
        headers["Content-Length"] = str(len(response.body))
        return web.Response(status=response.status, headers=headers)
    return web.Response(status=response.status, headers=headers, body=response.body)
