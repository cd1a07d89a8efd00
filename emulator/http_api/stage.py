"""Answers the requests to one stage of an API: throttles, authorizes, and calls the function. No sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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
from emulator.lambda_service.errors import LambdaApiError, TooManyRequestsError
from emulator.lambda_service.function_version import LocalCredentials
from emulator.lambda_service.invocation import MAX_EVENT_BYTES, InvocationResult
from emulator.template.http_api_spec import (
    DEFAULT_STAGE,
    Authorizer,
    HttpRoute,
    HttpStage,
    IamAuthorizer,
    JwtAuthorizer,
    UnknownAuthorizer,
)

if TYPE_CHECKING:
    from emulator.http_api.jwt_authorizer import TokenChecker

_log = logging.getLogger(__name__)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class StageHandler:
    """Answers the requests to one stage.

    ``functions`` maps logical ids to the functions' names. The clock gives monotonic seconds, for limits and for cached
    answers of authorizers. The credentials are those that sign requests to routes with IAM.
    """

    def __init__(
        self,
        stage: HttpStage,
        source: EventSource,
        functions: Mapping[str, str],
        service: LambdaService,
        clock: Callable[[], float],
        credentials: LocalCredentials | None = None,
    ) -> None:
        self._credentials = credentials or LocalCredentials()
        self._source = source
        # The beginning of the routes' ARNs.
        self._arn = f"arn:aws:execute-api:{source.region}:{source.account_id}:{source.api_id}/{stage.name}"
        self._functions = functions
        self._service = service
        self._prefix = "" if stage.name == DEFAULT_STAGE else f"/{stage.name}"
        self._answers = AnswerCache(clock)
        self._token_checkers: dict[JwtAuthorizer, TokenChecker] = {}
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
        identity = await self._authorize(route, event, request, match)
        if isinstance(identity, HttpResponse):
            return identity
        if preflight is not None:
            return preflight
        event["requestContext"] |= identity
        payload = _payload(event)
        if len(payload) > MAX_EVENT_BYTES:
            return TOO_LARGE
        return await self._call_function(route, payload, _trace_id(event))

    async def _call_function(self, route: HttpRoute, payload: bytes, trace_id: str) -> HttpResponse:
        if route.left_out is not None:
            self._service.note(f"{route.key} answers 500: {route.left_out}")
            return INTERNAL_SERVER_ERROR
        try:
            # Fidelity: the function keeps running after the API has timed out.
            result = await self._invoke(route.function, route.qualifier, payload, trace_id, route.timeout_s)
        except (TimeoutError, TooManyRequestsError):
            return SERVICE_UNAVAILABLE
        except LambdaApiError:
            # It doesn't exist or can't run; the functions' log says why it can't.
            return INTERNAL_SERVER_ERROR
        if result.function_error is not None:
            return INTERNAL_SERVER_ERROR
        return build_response(result.payload, route.payload_format)

    async def _invoke(
        self, function: str, qualifier: str | None, payload: bytes, trace_id: str, limit_s: float
    ) -> InvocationResult:
        name = self._functions[function]
        result = self._service.submit(name, payload, qualifier, trace_id)
        async with asyncio.timeout(None if self._service.is_debugged(name) else limit_s):
            return await result

    async def _authorize(
        self, route: HttpRoute, event: dict[str, Any], request: HttpRequest, match: RouteMatch
    ) -> Mapping[str, Any] | HttpResponse:
        """Return what the request's context says of the caller, or else the response to send."""
        authorizer = route.authorizer
        if authorizer is None:
            return {}
        if isinstance(authorizer, UnknownAuthorizer):
            self._service.note(f"{route.key} answers 500: {authorizer.left_out}")
            return INTERNAL_SERVER_ERROR
        if isinstance(authorizer, IamAuthorizer):
            return self._check_signature(route, event, request)
        # The route's own event is reused if it has this format, since a body may be large.
        event_v2 = event if event["version"] == "2.0" else self._event("2.0", request, match)
        values = identity_values(authorizer, event_v2)
        caller: Mapping[str, Any] | HttpResponse
        if isinstance(authorizer, JwtAuthorizer):
            checker = self._token_checkers.get(authorizer) or self._new_token_checker(authorizer, request.port)
            kind, caller = "jwt", await checker.authorize(None if values is None else values[0], route.scopes)
        elif values is None:
            return UNAUTHORIZED
        else:
            kind, caller = "lambda", await self._ask_authorizer(authorizer, values, event_v2, request, match)
        if isinstance(caller, HttpResponse):
            return caller
        return {"authorizer": caller if route.payload_format == "1.0" else {kind: caller}}

    def _check_signature(
        self, route: HttpRoute, event: Mapping[str, Any], request: HttpRequest
    ) -> Mapping[str, Any] | HttpResponse:
        # Imported here: botocore takes a fifth of a second, and most APIs have no such route.
        from emulator.http_api.iam_authorizer import SignatureError, caller_v1, caller_v2, check_signature

        try:
            check_signature(request, self._credentials, self._source.region)
        except SignatureError as error:
            # AWS's answer doesn't say why.
            _log.warning("%s: the request is refused: %s", route.key, error)
            return FORBIDDEN
        account_id = self._source.account_id
        if route.payload_format == "1.0":
            return {"identity": {**event["requestContext"]["identity"], **caller_v1(self._credentials, account_id)}}
        return {"authorizer": {"iam": caller_v2(self._credentials, account_id)}}

    def _new_token_checker(self, authorizer: JwtAuthorizer, port: int) -> TokenChecker:
        # Imported here: cryptography takes a while, and most APIs have no tokens.
        from emulator.http_api.issuer_keys import IssuerKeys
        from emulator.http_api.jwt_authorizer import TokenChecker, issuer_address

        issuer = issuer_address(authorizer.issuer, port)
        checker = TokenChecker(authorizer, IssuerKeys(issuer, time.time), issuer, time.time)
        self._token_checkers[authorizer] = checker
        return checker

    async def _ask_authorizer(
        self,
        authorizer: Authorizer,
        values: list[str],
        event_v2: dict[str, Any],
        request: HttpRequest,
        match: RouteMatch,
    ) -> Mapping[str, Any] | HttpResponse:
        """Return the context that a Lambda authorizer gives the request, or else the response to send."""
        path = event_v2["rawPath"].removeprefix(self._prefix).removeprefix("/")
        route_arn = f"{self._arn}/{request.method}/{path}"
        answer = self._answers.find(authorizer, values)
        if answer is None:
            is_v2 = authorizer.payload_format == "2.0"
            own_event = event_v2 if is_v2 else self._event(authorizer.payload_format, request, match)
            try:
                answer = await self._call_authorizer(
                    authorizer, authorizer_event(authorizer, own_event, values, route_arn), _trace_id(own_event)
                )
            except (TimeoutError, LambdaApiError, AuthorizerAnswerError) as error:
                _log.warning("authorizer %s: %s", authorizer.name, error or "no answer in time")
                return INTERNAL_SERVER_ERROR
            self._answers.keep(authorizer, values, answer)
        return answer.context if answer.allows(route_arn) else FORBIDDEN

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
