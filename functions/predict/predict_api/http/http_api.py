"""Answers HTTP events: the table of routes, and the headers of every answer. ``service`` makes the predictions."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from pydantic_core import to_json

from predict_api.http import problems
from predict_api.http.errors import MalformedRequestError, MethodNotAllowedError, RequestError, UnknownRouteError
from predict_api.http.exchange import Exchange, choose_request_id
from predict_api.http.open_inference import OPEN_INFERENCE
from predict_api.http.protocols import DEFAULT, KSERVE_V1, MLFLOW, Protocol, Read
from predict_api.http.request_body import read_json_object
from predict_api.models.alias_follower import AliasFollower
from predict_api.models.clock import Clock
from predict_api.service import PredictionService
from predict_api.shadow import ShadowScorer
from predict_api.telemetry import Telemetry

JSON = "application/json"
_MODELS = "/models/"
_MODEL_OF_PROTOCOL = re.compile(r"/v[12]/models/([^/:]+)")
_READ_METHODS = ("GET", "HEAD")
# Other servers' protocols by the first segment of their paths, for answers to errors too; all other paths are our own.
_PROTOCOLS = {"invocations": MLFLOW, "ping": MLFLOW, "v1": KSERVE_V1, "v2": OPEN_INFERENCE}
# JSON has no NaN or Infinity: better an error here than in the client's parser.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_NOT_AN_EVENT = "This isn't an API Gateway HTTP API event (payload format 2.0). See the examples in events/."


class Response(NamedTuple):
    """A route's answer. If ``is_large``, the body is gzipped for clients that accept it."""

    body: str
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = {}
    is_large: bool = False


class _Route(NamedTuple):
    pattern: str
    methods: tuple[str, ...]
    answer: Callable[[Any, Exchange], Response]


class PredictionApi:
    """The function's handler. ``new_id`` makes a request id where neither the client nor Lambda gave one."""

    def __init__(
        self,
        service: PredictionService,
        follower: AliasFollower,
        shadow: ShadowScorer,
        telemetry: Telemetry,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._service = service
        self._follower = follower
        self._shadow = shadow
        self._telemetry = telemetry
        self._clock = clock
        self._new_id = new_id
        routes = (
            _Route("/livez", _READ_METHODS, self._livez),
            _Route("/readyz", _READ_METHODS, self._readyz),
            _Route("/openapi.json", _READ_METHODS, self._openapi),
            _Route("/docs", _READ_METHODS, self._docs),
        )
        self._routes = {route.pattern: route for route in routes}
        for protocol in (DEFAULT, *_PROTOCOLS.values()):
            self._add_routes(protocol)
        self._model_route = _Route("/models/{name}", _READ_METHODS, self._model)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event in payload format 2.0; an error becomes an answer, too."""
        exchange = self._make_exchange(event, context)
        protocol = DEFAULT
        try:
            if not exchange.method:
                raise MalformedRequestError(_NOT_AN_EVENT)
            path = _path(event)
            protocol = _PROTOCOLS.get(path[1:].partition("/")[0], DEFAULT)
            route = self._find_route(path, exchange.method)
            exchange.route, exchange.is_prediction = route.pattern, "POST" in route.methods
            response = route.answer(event, exchange)
        except Exception as error:  # noqa: BLE001 - any failure is a problem document
            response = self._problem_response(error, exchange, protocol)
        answer = _as_event_answer(response, exchange)
        exchange.end()
        exchange.shadow = self._shadow.score(exchange)
        self._telemetry.request_finished(exchange, response.status, self._follower.staleness_s())
        return answer

    def _find_route(self, path: str, method: str) -> _Route:
        route = self._routes.get(path)
        if route is None:
            if match := _MODEL_OF_PROTOCOL.match(path):
                self._service.check_name(match[1])
            name = path.removeprefix(_MODELS)
            if name in ("", path) or "/" in name:
                raise UnknownRouteError("The API has no such path. See /docs for all paths.")
            route = self._model_route
        if method not in route.methods:
            raise MethodNotAllowedError(route.methods)
        return route

    def _add_routes(self, protocol: Protocol) -> None:
        def add(pattern: str, methods: tuple[str, ...], answer: Callable[[Any, Exchange], Response]) -> None:
            self._routes[pattern.replace("{name}", self._service.model)] = _Route(pattern, methods, answer)

        add(protocol.predict_path, ("POST",), partial(self._predict, protocol))
        for pattern, read in protocol.reads.items():
            add(pattern, _READ_METHODS, partial(self._read, read))

    def _read(self, read: Read, _event: Any, exchange: Exchange) -> Response:
        return _json(read(self._service, exchange))

    def _predict(self, protocol: Protocol, event: Any, exchange: Exchange) -> Response:
        with exchange.span("parse"):
            is_base64 = event.get("isBase64Encoded") is True
            headers = exchange.headers
            if protocol.takes_no_content_type:
                headers = {"content-type": JSON, **headers}
            document = read_json_object(event.get("body"), is_base64=is_base64, headers=headers)
        answer = protocol.write_answer(self._service.predict(document, exchange, protocol.open_request), document)
        # For a thousand records this encoder is five times as fast as that of the other answers. It would write NaN and
        # refuse lone surrogates, but neither occurs here: probabilities were checked, and so were the echoed texts.
        return Response(to_json(answer).decode(), headers=_model_headers(exchange))

    def _livez(self, _event: Any, _exchange: Exchange) -> Response:
        return _json({"status": "alive"})

    def _readyz(self, _event: Any, exchange: Exchange) -> Response:
        return _json(self._service.check_ready(exchange))

    def _model(self, event: Any, exchange: Exchange) -> Response:
        return _json(self._service.describe(_path(event).removeprefix(_MODELS), exchange))

    def _openapi(self, _event: Any, _exchange: Exchange) -> Response:
        # Imported here, as docs_page is below: no prediction needs them.
        from predict_api.http.openapi import openapi_document

        return _json(openapi_document())

    def _docs(self, _event: Any, _exchange: Exchange) -> Response:
        from predict_api.http.docs_page import docs_page
        from predict_api.http.openapi import openapi_document

        return Response(docs_page(openapi_document()), "text/html; charset=utf-8", is_large=True)

    def _problem_response(self, error: Exception, exchange: Exchange, protocol: Protocol) -> Response:
        problem = problems.describe(error, exchange.request_id)
        exchange.problem = problem.kind.slug
        if problem.kind is problems.INTERNAL_ERROR:
            self._telemetry.unexpected_error(error, exchange)
        elif isinstance(error, RequestError):
            exchange.violations = len(error.violations)
        status, document = protocol.write_problem(problem)
        return _json(document, protocol.problem_type, status, problem.headers)

    def _make_exchange(self, event: Any, context: Any) -> Exchange:
        started = self._clock()
        is_event = _is_http_event(event)
        # API Gateway lower-cases names, SAM CLI does not.
        headers = (
            {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()} if is_event else {}
        )
        invocation_id = getattr(context, "aws_request_id", None) or self._new_id()
        return Exchange(
            clock=self._clock,
            started=started,
            request_id=choose_request_id(headers, invocation_id),
            invocation_id=invocation_id,
            headers=headers,
            method=event["requestContext"]["http"]["method"].upper() if is_event else "",
            lambda_context=context,
        )


def _is_http_event(event: Any) -> bool:
    try:
        return (
            isinstance(event["rawPath"], str)
            and isinstance(event["requestContext"]["http"]["method"], str)
            and isinstance(event.get("headers") or {}, dict)
            and isinstance(event.get("body") or "", str)
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _path(event: Any) -> str:
    """Return the path without its stage: API Gateway puts the stage in front of it, unless that is ``$default``."""
    path: str = event["rawPath"]
    stage = event["requestContext"].get("stage", "$default")
    return path if stage == "$default" else path.removeprefix(f"/{stage}")


def _model_headers(exchange: Exchange) -> dict[str, str]:
    if exchange.model is None:
        return {}
    return {"X-Model-Version": str(exchange.model.manifest.version), "X-Model-Form": exchange.model.form}


def _json(
    document: Mapping[str, Any], content_type: str = JSON, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(_ENCODER.encode(document), content_type, status, headers or {})


def _as_event_answer(response: Response, exchange: Exchange) -> dict[str, Any]:
    is_zipped = response.is_large and "gzip" in exchange.headers.get("accept-encoding", "")
    body = response.body
    if exchange.method == "HEAD":
        body = ""
    elif is_zipped:
        body = base64.b64encode(gzip.compress(body.encode())).decode()
    headers = {
        "Content-Type": response.content_type,
        **response.headers,
        **({"Content-Encoding": "gzip"} if is_zipped else {}),
        "X-Request-Id": exchange.request_id,
        "Server-Timing": exchange.server_timing(),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return {
        "statusCode": response.status,
        "headers": headers,
        "body": body,
        "isBase64Encoded": is_zipped and exchange.method != "HEAD",
        "cookies": [],
    }
