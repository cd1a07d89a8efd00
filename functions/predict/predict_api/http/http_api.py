"""HTTP in, HTTP out: the routes, and what every answer has. What a prediction is, ``service`` knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic_core import to_json

from predict_api.http import problems
from predict_api.http.errors import MalformedRequestError, MethodNotAllowedError, RequestError, UnknownRouteError
from predict_api.http.exchange import Exchange, choose_request_id
from predict_api.http.request_body import read_json_object
from predict_api.models.alias_follower import AliasFollower
from predict_api.models.clock import Clock
from predict_api.service import PredictionService
from predict_api.telemetry import Telemetry

JSON = "application/json"
_READ_METHODS = ("GET", "HEAD")
# JSON has no NaN or Infinity: better an error here than in the client's parser.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_NO_EVENT = "This is no event of an API Gateway HTTP API (payload format 2.0). See the examples in events/."


class _Route(NamedTuple):
    path: str
    methods: tuple[str, ...]
    answer: Callable[..., Response[Any]]


class PredictionApi:
    """The function's handler.

    Parameters
    ----------
    service : PredictionService
        What the API does.
    follower : AliasFollower
        Asked how stale the alias is.
    telemetry : Telemetry
        Told of each request.
    clock : Clock
        The time.
    new_id : callable
        Makes a request id where nobody gave one.
    """

    def __init__(
        self,
        service: PredictionService,
        follower: AliasFollower,
        telemetry: Telemetry,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._service = service
        self._follower = follower
        self._telemetry = telemetry
        self._clock = clock
        self._new_id = new_id
        self._routes = (
            _Route("/predict", ("POST",), self._predict),
            _Route("/livez", _READ_METHODS, self._livez),
            _Route("/readyz", _READ_METHODS, self._readyz),
            _Route("/models/<name>", _READ_METHODS, self._model),
            _Route("/openapi.json", _READ_METHODS, self._openapi),
            _Route("/docs", _READ_METHODS, self._docs),
        )
        # Never in Powertools' debug mode: it prints whole events.
        self._resolver = APIGatewayHttpResolver(debug=False)
        for route in self._routes:
            self._resolver.route(route.path, method=list(route.methods))(route.answer)
        self._resolver.not_found(self._unmatched)
        self._resolver.exception_handler(Exception)(self._problem)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event; whatever happens, with an answer in payload format 2.0."""
        exchange = self._open(event, context)
        try:
            self._resolver.context["exchange"] = exchange
            if not _is_http_event(event):
                raise MalformedRequestError(_NO_EVENT)
            answer = self._resolver.resolve(event, context)
        except Exception as error:
            self._resolver.context.clear()
            answer = _as_event_answer(self._describe(error, exchange))
        answer["headers"] = {
            **answer["headers"],
            "X-Request-Id": exchange.request_id,
            "Server-Timing": exchange.server_timing(),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if exchange.method == "HEAD":
            answer["body"], answer["isBase64Encoded"] = "", False
        self._telemetry.request_finished(exchange, int(answer["statusCode"]), self._follower.staleness_s())
        return answer

    def _predict(self) -> Response[str]:
        exchange = self._exchange("/predict")
        event = self._resolver.current_event
        with exchange.span("parse"):
            body, is_base64 = event.get("body"), event.get("isBase64Encoded") is True
            document = read_json_object(body, is_base64=is_base64, headers=exchange.headers)
        answer = self._service.predict(document, exchange)
        # Five times as fast for a thousand records as the encoder of the other answers, which refuses NaN and takes
        # lone surrogates. Neither can be here: probabilities were checked, and so were the texts that are echoed.
        return Response(200, JSON, to_json(answer).decode(), _model_headers(exchange))

    def _livez(self) -> Response[str]:
        self._exchange("/livez")
        return _json(200, {"status": "alive"})

    def _readyz(self) -> Response[str]:
        exchange = self._exchange("/readyz")
        return _json(200, self._service.check_ready(exchange))

    def _model(self, name: str) -> Response[str]:
        exchange = self._exchange("/models/{name}")
        return _json(200, self._service.describe(name, exchange))

    def _openapi(self) -> Response[str]:
        # Imported here, as docs_page is below: no prediction needs them.
        from predict_api.http.openapi import openapi_document

        self._exchange("/openapi.json")
        return _json(200, openapi_document())

    def _docs(self) -> Response[str]:
        from predict_api.http.docs_page import docs_page
        from predict_api.http.openapi import openapi_document

        self._exchange("/docs")
        return Response(200, "text/html; charset=utf-8", docs_page(openapi_document()), compress=True)

    def _unmatched(self, _: NotFoundError) -> Response[str]:
        allowed = self._allowed_methods(self._resolver.current_event.path)
        # Where the method is right, the name in the path is one that the resolver takes for none: nothing is there.
        if allowed and self._resolver.context["exchange"].method not in allowed:
            return self._problem(MethodNotAllowedError(allowed))
        return self._problem(UnknownRouteError("Nothing is at this path. See /docs for what there is."))

    def _allowed_methods(self, path: str) -> tuple[str, ...]:
        for route in self._routes:
            prefix, _, placeholder = route.path.partition("<")
            rest = path.removeprefix(prefix)
            if path == route.path or (placeholder and rest != path and rest and "/" not in rest):
                return route.methods
        return ()

    def _problem(self, error: Exception) -> Response[str]:
        return self._describe(error, self._resolver.context["exchange"])

    def _describe(self, error: Exception, exchange: Exchange) -> Response[str]:
        problem = problems.describe(error, exchange.request_id)
        exchange.problem = problem.kind.slug
        if problem.kind is problems.INTERNAL_ERROR:
            self._telemetry.unexpected_error(error, exchange)
        elif isinstance(error, RequestError):
            exchange.violations = len(error.violations)
        return _json(problem.kind.status, problem.document, problem.headers, problems.CONTENT_TYPE)

    def _exchange(self, route: str) -> Exchange:
        exchange: Exchange = self._resolver.context["exchange"]
        exchange.route = route
        return exchange

    def _open(self, event: Any, context: Any) -> Exchange:
        started = self._clock.now()
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
            deadline=context,
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


def _model_headers(exchange: Exchange) -> dict[str, str]:
    if exchange.model is None:
        return {}
    return {"X-Model-Version": str(exchange.model.manifest.version), "X-Model-Form": exchange.model.form}


def _json(
    status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None, content_type: str = JSON
) -> Response[str]:
    return Response(status, content_type, _ENCODER.encode(document), dict(headers or {}))


def _as_event_answer(response: Response[str]) -> dict[str, Any]:
    return {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": response.body,
        "isBase64Encoded": False,
        "cookies": [],
    }
