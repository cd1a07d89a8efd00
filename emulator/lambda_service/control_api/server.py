"""Serves Lambda's API over HTTP: finds the operation of a request, calls it, and sends the answer."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import web

from emulator.browser_guard import BrowserGuard
from emulator.http_server import CLIENT_IS_GONE, Handler, HttpServer, invite_body
from emulator.lambda_service.control_api import code_deploy
from emulator.lambda_service.control_api.answers import ApiAnswer, document, refused, too_large
from emulator.lambda_service.control_api.code_download import send_code, with_address
from emulator.lambda_service.control_api.invoke import Invoker
from emulator.lambda_service.control_api.operations_table import (
    CREATE,
    INVOKE,
    UPDATE_CODE,
    WITH_CODE,
    find_operation,
    operations_by_form,
    snake_case,
    status,
)
from emulator.lambda_service.control_api.packages import PACKAGE_PARAMETERS, receive
from emulator.lambda_service.control_api.parameters import gather
from emulator.lambda_service.control_plane.code_store import CODE_PATH
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError
from emulator.lambda_service.invocation import MAX_EVENT_BYTES

MAX_CODE_REQUEST_BYTES = 70_167_211
# A body over its limit is read to its end, so that the client sees the answer, unless it is longer than this.
_MAX_DISCARDED_BYTES = 2 * MAX_CODE_REQUEST_BYTES
_log = logging.getLogger(__name__)


class OtherServices(Protocol):
    """AWS's services beside Lambda, on the same port."""

    async def answer(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> ApiAnswer | None:
        """Return the answer to a request of which Lambda has no operation; None if it is meant for Lambda."""


class ControlApi(HttpServer):
    """Lambda's API on one address.

    Parameters
    ----------
    service : LambdaService
        The functions.
    events : AsyncInvocations
        Takes the asynchronous invocations.
    admin : callable or None
        Answers requests for the emulator's own pages.
    s3_endpoint : str or None
        Where UpdateFunctionCode and CreateFunction find ``S3Bucket`` and ``S3Key``.
    guard : BrowserGuard, optional
        Refuses requests of web pages.
    others : OtherServices, optional
        Answers requests for other services.
    """

    def __init__(
        self,
        service: LambdaService,
        events: AsyncInvocations,
        *,
        admin: Handler | None = None,
        s3_endpoint: str | None = None,
        guard: BrowserGuard | None = None,
        others: OtherServices | None = None,
    ) -> None:
        super().__init__(admin=admin, keepalive_timeout=75)
        self._others = others
        self._guard = guard or BrowserGuard()
        self._functions = service.operations.functions
        self._code = service.operations.catalogue.code
        self._rollouts = service.rollouts
        self._methods = service.operations.table()
        self._invoker = Invoker(service, events)
        self._s3_endpoint = s3_endpoint
        operations_by_form()  # Read now, so that the first request need not wait for it.

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer of the operation that a request names, or the refusal as Lambda words it."""
        request_id = str(uuid4())
        try:
            refusal = self._guard.find_refusal(request.headers)
            if refusal is not None:
                raise LambdaApiError("AccessDeniedException", 403, refusal)
            if request.method == "GET" and request.path.startswith(CODE_PATH):
                return await send_code(request, self._code)
            answer = await self._call(request, request_id)
        except LambdaApiError as error:
            answer = refused(error)
        except CLIENT_IS_GONE:
            raise
        except Exception:  # noqa: BLE001 - any failure is answered 500
            _log.exception("%s %s failed", request.method, request.path)
            failure = "The emulator has failed; its log says how."
            answer = refused(LambdaApiError("ServiceException", 500, failure, error_type="Service"))
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/json", **answer.headers}
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    async def _call(self, request: web.BaseRequest, request_id: str) -> ApiAnswer:
        target = request.headers.get("X-Amz-Target", "")
        if target.startswith(code_deploy.PREFIX):
            body = await _read_body(request, MAX_EVENT_BYTES, target)
            return code_deploy.answer_code_deploy(target, body, self._rollouts)
        path, _, query_string = request.raw_path.partition("?")
        query = parse_qs(query_string, keep_blank_values=True)
        match = find_operation(request.method, path, query)
        if match is None:
            answer = await self._ask_others(request, request_id)
            if answer is not None:
                return answer
            message = f"Lambda has no operation {request.method} {path}"
            raise LambdaApiError("UnknownOperationException", 404, message, error_type="LocalService")
        operation, in_path = match
        if operation.name != INVOKE and operation.name not in self._methods:
            # AWS clients don't retry 501, and show both it and the code, which isn't one of the service's own.
            imitated = ", ".join(sorted({INVOKE, *self._methods}))
            message = f"The emulator does not imitate {operation.name}. It imitates: {imitated}."
            raise LambdaApiError("NotImplementedException", 501, message, error_type="LocalService")
        limit = MAX_CODE_REQUEST_BYTES if operation.name in WITH_CODE else MAX_EVENT_BYTES
        body = await _read_body(request, limit, operation.name)
        if operation.name == INVOKE:
            parameters = gather(operation.input_shape, in_path, query, b"", request.headers)
            return await self._invoker.invoke(parameters, request.headers, body, request_id)
        parameters = gather(operation.input_shape, in_path, query, body)
        content = await self._run(operation.name, parameters)
        return document(
            status(operation), content if content is None else with_address(content, f"http://{request.host}")
        )

    async def _ask_others(self, request: web.BaseRequest, request_id: str) -> ApiAnswer | None:
        if self._others is None:
            return None
        try:
            body = await _read_body(request, MAX_EVENT_BYTES, "")
        except LambdaApiError:
            body = b""  # None of the imitated operations takes so much.
        return await self._others.answer(request.method, request.raw_path, request.headers, body, request_id)

    async def _run(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        # In a thread: a change waits for the disk, and requests to functions must not wait with it.
        call = functools.partial(asyncio.to_thread, self._methods[operation])
        if operation not in WITH_CODE:
            return await call(**self._arguments(operation, parameters))
        # Architectures has no meaning on one machine.
        handled_here = {"Code"} if operation == CREATE else {*PACKAGE_PARAMETERS, "Architectures"}
        others = {name: value for name, value in parameters.items() if name not in handled_here}
        # What isn't imitated, and an unknown function, are refused before the code is read.
        arguments = self._arguments(operation, others)
        if operation == UPDATE_CODE:
            self._functions.get_configuration(function_name=parameters["FunctionName"])
        source = {name: value for name, value in parameters.get("Code", parameters).items() if value is not None}
        with tempfile.TemporaryDirectory(prefix="emulator-package-") as folder:
            package = await asyncio.to_thread(receive, source, self._s3_endpoint, Path(folder))
            return await call(
                **arguments, code_folder=package.folder, code_sha256=package.sha256, code_size=package.size_bytes
            )

    def _arguments(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of an operation's method; refuse parameters that it doesn't have.

        A method with ``**filters`` has nothing that they could leave out.
        """
        accepted = inspect.signature(self._methods[operation]).parameters
        arguments = {snake_case(name): value for name, value in parameters.items() if snake_case(name) in accepted}
        others = {name: value for name, value in parameters.items() if snake_case(name) not in accepted}
        if "changes" in accepted:
            arguments["changes"] = others
        elif others and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
            name = next(iter(others))
            raise InvalidParameterError(f"The emulator does not imitate {operation}'s parameter {name}; leave it out.")
        return arguments


async def _read_body(request: web.BaseRequest, limit_bytes: int, operation: str) -> bytes:
    """Return the body; raise ``LambdaApiError`` if it is over the limit."""
    await invite_body(request)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > _MAX_DISCARDED_BYTES:
            request.protocol.force_close()
            break
        if size <= limit_bytes:
            chunks.append(chunk)
    if size > limit_bytes:
        raise too_large(limit_bytes, operation)
    return b"".join(chunks)
