"""Reads a template's HTTP APIs, SAM's and those written by hand, as `HttpApi`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from emulator.template.errors import UnsupportedError
from emulator.template.http_api_spec import CorsPolicy, HttpApi, HttpRoute, HttpStage
from emulator.template.resource_models import Api
from emulator.template.resources import Resources, read_properties
from emulator.template.route_definitions import RouteDefinition, routes_of_body, routes_of_resources


def read_api(resources: Resources, logical_id: str, functions: Mapping[str, str]) -> HttpApi:
    """Return one API with its stages; ``functions`` maps functions' names to logical ids.

    An API without a stage gets one, and a note.
    """
    api = resources.read(logical_id, Api)
    definitions = [*routes_of_body(logical_id, api.body), *routes_of_resources(resources, logical_id, api)]
    stages = [
        _with_routes(name, resources.read(name, HttpStage), definitions, functions)
        for name in resources.owned_by(logical_id, HttpStage, "ApiId")
    ]
    if not stages:
        # Creating an API by its Target makes this stage; without either, AWS would answer nothing.
        if definitions and api.target is None:
            resources.notes.append(f"{logical_id}: the API has no stage; it is served as $default")
        stages = [_with_routes(logical_id, HttpStage(), definitions, functions)]
    cors, cors_of_body = api.cors_configuration, api.body.get("x-amazon-apigateway-cors")
    if cors_of_body:
        cors = read_properties(CorsPolicy, cors_of_body, logical_id, within="CorsConfiguration")
    return HttpApi(logical_id, tuple(stages), cors)


def _with_routes(
    name: str, stage: HttpStage, definitions: Iterable[RouteDefinition], functions: Mapping[str, str]
) -> HttpStage:
    routes: dict[str, HttpRoute] = {}
    for definition in definitions:
        route = definition.route(stage.variables, functions)
        if route.key in routes:
            raise UnsupportedError(definition.resource, definition.where, f"there are two routes {route.key}")
        routes[route.key] = route
    for key in stage.throttles:
        if key not in routes:
            raise UnsupportedError(name, "RouteSettings", f"the API has no route {key!r}: name one of its routes")
    throttles = {key: throttle for key, throttle in stage.throttles.items() if throttle is not None}
    return dataclasses.replace(stage, routes=tuple(routes.values()), throttles=throttles)
