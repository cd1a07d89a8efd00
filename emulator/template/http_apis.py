"""Reads a template's HTTP APIs, SAM's and those written by hand, as `HttpApi`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from emulator.template.http_api_spec import (
    ACCOUNT_BURST,
    ACCOUNT_RATE,
    DEFAULT_ROUTE,
    Authorizer,
    CorsPolicy,
    HttpApi,
    HttpRoute,
    HttpStage,
    Throttle,
)
from emulator.template.project import UnsupportedError
from emulator.template.resource_models import Api, Cors, LambdaAuthorizer, RouteLimits, Stage, read_model
from emulator.template.resources import Resources
from emulator.template.route_definitions import RouteDefinition, routes_of_body, routes_of_resources

# The address that API Gateway calls contains the function's ARN; API Gateway also accepts the ARN alone.
_FUNCTION_ARN = re.compile(
    r"(?:^|functions/)arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)(?::([^:/]+))?(?:/invocations)?$"
)
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_ROUTE_PATH = re.compile(r"(/[^{}/]*|/\{[^{}/+]+\})*(/\{[^{}/+]+\+\})?$")
_DEFAULT_TTL_S = 300


def read_api(resources: Resources, logical_id: str, api: Api, functions: Mapping[str, str]) -> HttpApi:
    """Return one API with its stages.

    Parameters
    ----------
    resources : Resources
        The template's resources; they get a note if the API has no stage.
    logical_id : str
        The API's.
    api : Api
        Its properties.
    functions : mapping
        A function's name → its logical id.

    Raises
    ------
    UnsupportedError
        A part of the API can't be imitated.
    """
    definitions = [*routes_of_body(logical_id, api.body), *routes_of_resources(resources, logical_id, api)]
    stages = [
        _stage(name, stage, definitions, functions)
        for name, stage in resources.of_type(Stage).items()
        if resources.target(stage.api_id, Api) == logical_id
    ]
    if not stages:
        # Creating an API by its Target makes this stage; without either, AWS would answer nothing.
        if definitions and api.target is None:
            resources.notes.append(f"{logical_id}: the API has no stage; it is served as $default")
        stages = [HttpStage(routes=_RouteMaker({}, functions).routes(definitions))]
    return HttpApi(logical_id, tuple(stages), _cors(logical_id, api))


def _stage(name: str, stage: Stage, definitions: Iterable[RouteDefinition], functions: Mapping[str, str]) -> HttpStage:
    routes = _RouteMaker(stage.stage_variables, functions).routes(definitions)
    for key in stage.route_settings:
        if key not in {route.key for route in routes}:
            raise UnsupportedError(name, "RouteSettings", f"the API has no route {key!r}: name one of its routes")
    throttles = {key: _throttle(limits) for key, limits in stage.route_settings.items()}
    return HttpStage(
        stage.stage_name,
        routes,
        stage.stage_variables,
        {key: throttle for key, throttle in throttles.items() if throttle is not None},
        _throttle(stage.default_route_settings),
    )


def _throttle(limits: RouteLimits) -> Throttle | None:
    rate, burst = limits.throttling_rate_limit, limits.throttling_burst_limit
    if rate is None and burst is None:
        return None
    return Throttle(ACCOUNT_RATE if rate is None else rate, ACCOUNT_BURST if burst is None else burst)


class _RouteMaker:
    """Makes the routes of one stage.

    Parameters
    ----------
    variables : mapping
        Stage variables, which functions' addresses may hold.
    functions : mapping
        A function's name → its logical id.
    """

    def __init__(self, variables: Mapping[str, str], functions: Mapping[str, str]) -> None:
        self._variables = variables
        self._functions = functions

    def routes(self, definitions: Iterable[RouteDefinition]) -> tuple[HttpRoute, ...]:
        routes: dict[str, HttpRoute] = {}
        for definition in definitions:
            route = self._route(definition)
            if route.key in routes:
                raise UnsupportedError(definition.resource, definition.where, f"there are two routes {route.key}")
            routes[route.key] = route
        return tuple(routes.values())

    def _route(self, definition: RouteDefinition) -> HttpRoute:
        resource, where, integration = definition.resource, definition.where, definition.integration
        function, qualifier = self._function(resource, where, integration.uri)
        if definition.path != DEFAULT_ROUTE and _ROUTE_PATH.fullmatch(definition.path) is None:
            raise UnsupportedError(resource, where, "the path has a parameter that is not a whole segment")
        authorizer = None
        if definition.authorizer is not None:
            authorizer = self._authorizer(resource, where, *definition.authorizer)
        limit_s = integration.timeout_in_millis / 1000
        payload_format = integration.payload_format_version
        return HttpRoute(definition.method, definition.path, function, qualifier, limit_s, payload_format, authorizer)

    def _authorizer(self, resource: str, where: str, name: str, authorizer: LambdaAuthorizer) -> Authorizer:
        function, qualifier = self._function(resource, f"{where}, authorizer {name}", authorizer.authorizer_uri)
        ttl_s = authorizer.authorizer_result_ttl_in_seconds
        if ttl_s is None:
            ttl_s = _DEFAULT_TTL_S if authorizer.identity_source else 0
        return Authorizer(
            name,
            function,
            qualifier,
            authorizer.authorizer_payload_format_version,
            authorizer.enable_simple_responses,
            authorizer.identity_source,
            ttl_s,
        )

    def _function(self, resource: str, where: str, address: str) -> tuple[str, str | None]:
        """Return the logical id and the qualifier of the function that an address names."""
        address = _STAGE_VARIABLE.sub(lambda match: self._variables.get(match[1], ""), address)
        match = _FUNCTION_ARN.search(address)
        if match is None or match[1] not in self._functions:
            reason = f"only functions of this template can be called, not {address or 'nothing'}"
            raise UnsupportedError(resource, where, reason)
        return self._functions[match[1]], match[2]


def _cors(logical_id: str, api: Api) -> CorsPolicy | None:
    in_body = api.body.get("x-amazon-apigateway-cors")
    cors = api.cors_configuration
    if in_body is not None:
        cors = read_model(Cors, in_body, resource=logical_id, within="CorsConfiguration")
    if cors is None or not cors.model_fields_set:
        return None
    if cors.allow_credentials and "*" in cors.allow_origins:
        raise UnsupportedError(
            logical_id, "CorsConfiguration", "AllowCredentials can't go with every origin, as on AWS"
        )
    return CorsPolicy(**dict(cors))
