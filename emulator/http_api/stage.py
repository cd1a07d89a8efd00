"""Answers the requests to one stage of an API: throttles, authorizes, and calls the function. No sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from emulator.http_api.authorizers import (
    ANSWER_LIMIT_S,
    AnswerCache,
    AuthorizerAnswer,
    AuthorizerAnswerError,
    authorizer_event,
    identity_values,
    read_answer,
)
from emulator.http_api.events import build_event_v1, build_event_v2
from emulator.http_api.requests import EventSource, HttpRequest
from emulator.http_api.responses import (
    FORBIDDEN,
    INTERNAL_SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    HttpResponse,
    build_response,
)
from emulator.http_api.routes import RouteMatch, RouteTable
from emulator.http_api.throttling import TokenBucket
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import ResourceNotFoundError, TooManyRequestsError
from emulator.lambda_service.invocation import MAX_EVENT_BYTES, InvocationResult
from emulator.template.http_api_spec import DEFAULT_STAGE, Authorizer, HttpRoute, HttpStage

_log = logging.getLogger(__name__)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class StageHandler:
    """Answers the requests to one stage.

    ``functions`` maps logical ids to the functions' names. The clock gives monotonic seconds, for limits and for cached
    answers of authorizers.
    """

    def __init__(
        self,
        stage: HttpStage,
        source: EventSource,
        functions: Mapping[str, str],
        service: LambdaService,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        # The beginning of the routes' ARNs.
        self._arn = f"arn:aws:execute-api:{source.region}:{source.account_id}:{source.api_id}/{stage.name}"
        self._functions = functions
        self._service = service
        self._prefix = "" if stage.name == DEFAULT_STAGE else f"/{stage.name}"
        self._answers = AnswerCache(clock)
        self._buckets: dict[str, TokenBucket] = {}
        for route in stage.routes:
            limits = stage.throttles.get(route.key, stage.default_throttle)
            if limits is not None:
                self._buckets[route.key] = TokenBucket(limits, clock)
        self.find = RouteTable(stage.routes, stage.name).find

    async def answer(
        self, request: HttpRequest, match: RouteMatch, preflight: HttpResponse | None = None
    ) -> HttpResponse:
        """Return the answer to a request whose route `find` has returned.

        The answer to a preflight request is sent instead of the function's. The route's authorizer is called first;
        therefore AWS's guide advises a route for OPTIONS that has no authorizer.
        """
        route = match.route
        bucket = self._buckets.get(route.key)
        if bucket is not None and not bucket.take():
            return TOO_MANY_REQUESTS
        event = self._event(route.payload_format, request, match)
        context = None
        if route.authorizer is not None:
            answer = await self._authorize(route.authorizer, event, request, match)
            if isinstance(answer, HttpResponse):
                return answer
            context = answer.context
        if preflight is not None:
            return preflight
        if context is not None:
            is_v1 = route.payload_format == "1.0"
            event["requestContext"]["authorizer"] = context if is_v1 else {"lambda": context}
        payload = _payload(event)
        if len(payload) > MAX_EVENT_BYTES:
            return TOO_LARGE
        return await self._call_function(route, payload, _trace_id(event))

    async def _call_function(self, route: HttpRoute, payload: bytes, trace_id: str) -> HttpResponse:
        try:
            # Fidelity: the function keeps running after the API has timed out.
            result = await self._invoke(route.function, route.qualifier, payload, trace_id, route.timeout_s)
        except (TimeoutError, TooManyRequestsError):
            return SERVICE_UNAVAILABLE
        except ResourceNotFoundError:
            return INTERNAL_SERVER_ERROR
        if result.function_error is not None:
            return INTERNAL_SERVER_ERROR
        return build_response(result.payload, route.payload_format)

    async def _invoke(
        self, function: str, qualifier: str | None, payload: bytes, trace_id: str, limit_s: float
    ) -> InvocationResult:
        result = self._service.submit(self._functions[function], payload, qualifier, trace_id)
        async with asyncio.timeout(limit_s):
            return await result

    async def _authorize(
        self, authorizer: Authorizer, event: dict[str, Any], request: HttpRequest, match: RouteMatch
    ) -> AuthorizerAnswer | HttpResponse:
        """Return the authorizer's answer if it allows the request, or else the response to send."""

        def in_format(payload_format: str) -> dict[str, Any]:
            # The route's own event is reused if it has this format, since a body may be large.
            has_format = event["version"] == payload_format
            return event if has_format else self._event(payload_format, request, match)

        event_v2 = in_format("2.0")
        values = identity_values(authorizer, event_v2)
        if values is None:
            return UNAUTHORIZED
        path = event_v2["rawPath"].removeprefix(self._prefix).removeprefix("/")
        route_arn = f"{self._arn}/{request.method}/{path}"
        answer = self._answers.find(authorizer, values)
        if answer is None:
            own_event = in_format(authorizer.payload_format)
            try:
                answer = await self._call_authorizer(
                    authorizer, authorizer_event(authorizer, own_event, values, route_arn), _trace_id(own_event)
                )
            except (TimeoutError, TooManyRequestsError, ResourceNotFoundError, AuthorizerAnswerError) as error:
                _log.warning("authorizer %s: %s", authorizer.name, error or "no answer in time")
                return INTERNAL_SERVER_ERROR
            self._answers.keep(authorizer, values, answer)
        return answer if answer.allows(route_arn) else FORBIDDEN

    async def _call_authorizer(
        self, authorizer: Authorizer, event: Mapping[str, Any], trace_id: str
    ) -> AuthorizerAnswer:
        result = await self._invoke(
            authorizer.function, authorizer.qualifier, _payload(event), trace_id, ANSWER_LIMIT_S
        )  # fmt: skip
        if result.function_error is not None:
            raise AuthorizerAnswerError("the function failed")
        return read_answer(authorizer, result.payload)

    def _event(self, payload_format: str, request: HttpRequest, match: RouteMatch) -> dict[str, Any]:
        build = build_event_v1 if payload_format == "1.0" else build_event_v2
        return build(request, match, self._source)


def _payload(event: Mapping[str, Any]) -> bytes:
    return _encode(event).encode("utf-8", "replace")


def _trace_id(event: Mapping[str, Any]) -> str:
    """Return the function's ``_X_AMZN_TRACE_ID``, which says whether X-Ray samples the request."""
    headers = event["headers"]
    trace_id = str(headers.get("x-amzn-trace-id") or headers.get("X-Amzn-Trace-Id"))
    # Not sampled: the emulator has no X-Ray daemon.
    return trace_id if "Sampled=" in trace_id else f"{trace_id};Sampled=0"
