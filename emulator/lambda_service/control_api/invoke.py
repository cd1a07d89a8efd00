"""Invoke: synchronous, asynchronous, or a dry run."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from emulator.lambda_service.control_api.answers import ApiAnswer, too_large
from emulator.lambda_service.control_api.operations_table import INVOKE
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.invocation import MAX_EVENT_BYTES, InvocationResult, error_words
from emulator.strict_json import read_json

MAX_ASYNC_EVENT_BYTES = 1_048_576
MAX_CLIENT_CONTEXT_BYTES = 3_583


class Invoker:
    """Answers Invoke; `events` takes the asynchronous invocations."""

    def __init__(self, service: LambdaService, events: AsyncInvocations) -> None:
        self._service = service
        self._events = events

    async def invoke(
        self, parameters: Mapping[str, Any], headers: Mapping[str, str], payload: bytes, request_id: str
    ) -> ApiAnswer:
        """Return the answer to one request; raise ``LambdaApiError`` if it is refused or throttled."""
        kind = parameters.get("InvocationType", "RequestResponse")
        function, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
        payload = _checked(payload, MAX_ASYNC_EVENT_BYTES if kind == "Event" else MAX_EVENT_BYTES)
        trace_id = headers.get("X-Amzn-Trace-Id", "")
        context = _client_context(parameters.get("ClientContext"))
        options: Any = {"client_context": context, "request_id": request_id}
        if kind == "Event":
            self._events.accept(self._service.event(function, payload, qualifier, trace_id, **options))
            return ApiAnswer(202)
        # An unknown or unready function, version or alias is refused at once.
        self._service.operations.catalogue.check_created(function, qualifier)
        if kind == "DryRun":
            return ApiAnswer(204)
        want_log_tail = parameters.get("LogType") == "Tail"
        run = self._service.submit(function, payload, qualifier, trace_id, want_log_tail=want_log_tail, **options)
        return _answer(await run)


def _answer(result: InvocationResult) -> ApiAnswer:
    if result.api_error is not None:
        raise LambdaApiError(*result.api_error, error_words(result.payload))
    headers = {"X-Amz-Executed-Version": result.version}
    if result.function_error is not None:
        headers["X-Amz-Function-Error"] = result.function_error
    if result.log_tail is not None:
        headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode("ascii")
    return ApiAnswer(200, result.payload, headers)


def _checked(payload: bytes, limit_bytes: int) -> bytes:
    """Return an event that is JSON; an empty payload is an empty object."""
    if len(payload) > limit_bytes:
        raise too_large(limit_bytes, INVOKE)
    if not payload:
        return b"{}"
    try:
        read_json(payload)
    except ValueError as error:
        raise _invalid(f"Could not parse request body into json: Could not parse payload into json: {error}") from None
    return payload


def _client_context(header: str | None) -> str | None:
    """Return the JSON of the header, on one line and in ASCII, as it goes to the function in a header again."""
    if not header:
        return None
    if len(header) > MAX_CLIENT_CONTEXT_BYTES:
        raise _invalid(f"The client context must be at most {MAX_CLIENT_CONTEXT_BYTES} bytes of base64")
    try:
        content = read_json(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError):
        content = None
    if not isinstance(content, dict):
        raise _invalid("Client context must be a valid Base64-encoded JSON object.")
    return json.dumps(content, separators=(",", ":"))


def _invalid(message: str) -> LambdaApiError:
    return LambdaApiError("InvalidRequestContentException", 400, message)
