"""The HTTP API's sockets: requests in, events to Lambda, responses out. The edge; decides nothing by itself."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import logging
import os
import re
import time

from aiohttp import ClientError, web
from multidict import CIMultiDict

from emulator.events import HttpRequest, RequestIdentity, build_event
from emulator.lambda_service.errors import ResourceNotFoundError
from emulator.lambda_service.invocations import MAX_EVENT_BYTES, TooManyRequestsError
from emulator.lambda_service.service import LambdaService
from emulator.project import HttpApi, HttpRoute
from emulator.responses import (
    INTERNAL_SERVER_ERROR,
    NOT_FOUND,
    SERVICE_UNAVAILABLE,
    TOO_LARGE,
    HttpResponse,
    build_response,
)
from emulator.routing import RouteTable

MAX_HEAD_BYTES = 10_240
MAX_BODY_BYTES = 10 * 1024 * 1024
# A proxy's clients put the whole URL into the request line.
_ORIGIN = re.compile(r"^https?://[^/?]*", re.IGNORECASE)
_log = logging.getLogger(__name__)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Gateway:
    """One HTTP API on one address.

    Parameters
    ----------
    api : HttpApi
        Its routes and stage.
    functions : mapping
        Logical id → the function's name.
    service : LambdaService
        What runs the functions.
    account_id : str
        For events.
    """

    def __init__(self, api: HttpApi, functions: dict[str, str], service: LambdaService, account_id: str) -> None:
        self._api = api
        self._functions = functions
        self._service = service
        self._account_id = account_id
        self._routes = RouteTable(api.routes, api.stage)
        self._runner: web.ServerRunner | None = None
        self._port = 0

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the bound port.

        Raises
        ------
        OSError
            The address is taken or not this machine's.
        """
        server = web.Server(
            self._answer,
            access_log=None,
            keepalive_timeout=75,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            auto_decompress=False,  # API Gateway hands on what came.
        )
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, shutdown_timeout=0.1, backlog=1024).start()
        self._port = int(self._runner.addresses[0][1])
        return self._port

    async def stop(self) -> None:
        """Stop listening and close the connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        request_id = base64.urlsafe_b64encode(os.urandom(11)).decode("ascii")
        try:
            response = await self._respond(request, request_id)
        except (ConnectionError, ClientError, web.RequestPayloadError):
            # The client has gone, or what it sends is no HTTP: there is nobody to answer.
            request.protocol.force_close()
            return web.Response(status=400)
        except Exception:
            _log.exception("%s %s failed in the gateway", request.method, request.path)
            response = INTERNAL_SERVER_ERROR
        return _to_web(request.method, response, request_id)

    async def _respond(self, request: web.BaseRequest, request_id: str) -> HttpResponse:
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        body = await _read_body(request)
        if body is None:
            return TOO_LARGE
        raw_path, _, raw_query = _ORIGIN.sub("", request.raw_path).partition("?")
        raw_path = raw_path or "/"
        match = self._routes.find(request.method, raw_path)
        if match is None:
            return NOT_FOUND
        asked = HttpRequest(
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=request.headers.items(),
            body=body,
            source_ip=request.remote or "127.0.0.1",
            port=self._port,
            protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        )
        event = build_event(
            asked,
            match,
            _identity(request_id),
            api_id=self._api.logical_id,
            account_id=self._account_id,
            stage=self._api.stage,
            stage_variables=self._api.stage_variables,
        )
        payload = _encode(event).encode("utf-8", "replace")
        if len(payload) > MAX_EVENT_BYTES:
            return TOO_LARGE
        return await self._invoke(match.route, payload, event["headers"]["x-amzn-trace-id"])

    async def _invoke(self, route: HttpRoute, payload: bytes, trace_id: str) -> HttpResponse:
        try:
            result = self._service.submit(self._functions[route.function], payload, route.qualifier, trace_id)
            async with asyncio.timeout(route.timeout_s):
                # The function goes on after the API has given up, as on AWS.
                answer = await result
        except (TimeoutError, TooManyRequestsError):
            return SERVICE_UNAVAILABLE
        except ResourceNotFoundError:
            return INTERNAL_SERVER_ERROR
        if answer.function_error is not None:
            return INTERNAL_SERVER_ERROR
        return build_response(answer.payload)


async def _read_body(request: web.BaseRequest) -> bytes | None:
    """Return the body, or None where it is over the limit."""
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _identity(request_id: str) -> RequestIdentity:
    # Not sampled: there is no X-Ray daemon here to send anything to.
    trace_id = f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()};Sampled=0"
    return RequestIdentity(request_id, trace_id, dt.datetime.now(dt.UTC))


def _to_web(method: str, response: HttpResponse, request_id: str) -> web.StreamResponse:
    headers = CIMultiDict(response.headers)
    headers["Apigw-Requestid"] = request_id
    if method == "HEAD":
        headers["Content-Length"] = str(len(response.body))
        return web.Response(status=response.status, headers=headers)
    return web.Response(status=response.status, headers=headers, body=response.body)
