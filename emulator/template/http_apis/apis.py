"""Reads a template's HTTP APIs, SAM's and those written by hand, as `HttpApi`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from emulator.template.errors import UnsupportedError
from emulator.template.http_api_spec import CorsPolicy, HttpApi, HttpRoute, HttpStage
from emulator.template.http_apis.route_definitions import RouteDefinition, routes_of_body, routes_of_resources
from emulator.template.resource_models import Api
from emulator.template.resources import Resources, read_properties

_LIMITS = dict.fromkeys(("DefaultRouteSettings", "RouteSettings"), "the stage has no limits of its own")
_QUOTES = ("'", '"')


def read_api(resources: Resources, logical_id: str, functions: Mapping[str, str]) -> HttpApi:
    """Return one API with its stages; ``functions`` maps functions' names to logical ids.

    An API without a stage gets one, and a note.
    """
    optional = {
        "CorsConfiguration": "the API has no CORS policy",
        "BodyS3Location": "the API has no routes of a definition",
    }
    api = resources.read(logical_id, Api, optional=optional)
    definitions = [*routes_of_body(resources, logical_id, api.body), *routes_of_resources(resources, logical_id, api)]
    stages = []
    for name in (stage_ids := resources.owned_by(logical_id, HttpStage, "ApiId")):
        with resources.leaving_out("the stage is not served"):
            stage = resources.read(name, HttpStage, optional=_LIMITS)
            stages.append(_with_routes(resources, name, stage, definitions, functions))
    if not stage_ids:
        # Creating an API by its Target makes this stage; without either, AWS would answer nothing.
        if definitions and api.target is None:
            reason = "no stage of the template names the API"
            resources.report(logical_id, "Stage", reason, "it is served as $default")
        stages = [_with_routes(resources, logical_id, HttpStage(), definitions, functions)]
    return HttpApi(logical_id, tuple(stages), _cors(resources, logical_id, api))


def _cors(resources: Resources, logical_id: str, api: Api) -> CorsPolicy | None:
    cors, cors_of_body = api.cors_configuration, api.body.get("x-amazon-apigateway-cors")
    if cors_of_body:
        with resources.leaving_out("the API has no CORS policy"):
            cors = read_properties(CorsPolicy, cors_of_body, logical_id, within="CorsConfiguration")
    if cors is not None:
        for value in (*cors.allow_origins, *cors.allow_methods, *cors.allow_headers, *cors.expose_headers):
            if value[:1] in _QUOTES:
                reason = f"{value} has quotes within its quotes, as only REST APIs need them"
                resources.report(logical_id, "CorsConfiguration", reason, "it matches nothing; write it without them")
    return cors


def _with_routes(
    resources: Resources,
    name: str,
    stage: HttpStage,
    definitions: Iterable[RouteDefinition],
    functions: Mapping[str, str],
) -> HttpStage:
    routes: dict[str, HttpRoute] = {}
    for definition in definitions:
        with resources.leaving_out("the route is not served"):
            route = definition.route(resources, stage.variables, functions)
            if route.key in routes:
                raise UnsupportedError(definition.resource, definition.where, f"there are two routes {route.key}")
            routes[route.key] = route
    for key in [key for key in stage.throttles if key not in routes]:
        error = UnsupportedError(name, "RouteSettings", f"the API has no route {key!r}: name one of its routes")
        resources.leave_out(error, "its limits apply to nothing")
    throttles = {key: throttle for key, throttle in stage.throttles.items() if throttle is not None}
    return dataclasses.replace(stage, routes=tuple(routes.values()), throttles=throttles)
