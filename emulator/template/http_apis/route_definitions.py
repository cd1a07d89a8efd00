"""Reads an HTTP API's routes from its OpenAPI definition and from separate resources, before its stages are known.

Source: API Gateway developer guide, "OpenAPI extensions"; CloudFormation's AWS::ApiGatewayV2 resources.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.template.errors import UnsupportedError
from emulator.template.functions import find_function
from emulator.template.http_api_spec import (
    ANY_METHOD,
    DEFAULT_ROUTE,
    AnyAuthorizer,
    Authorizer,
    HttpRoute,
    IamAuthorizer,
    JwtAuthorizer,
    UnknownAuthorizer,
)
from emulator.template.left_out import LeftOut
from emulator.template.resource_models import VERBS, Api, Integration, Route
from emulator.template.resources import Resources, read_properties
from emulator.template.values import Unresolvable

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_ROUTE_PATH = re.compile(r"(/[^{}/]*|/\{[^{}/+]+\})*(/\{[^{}/+]+\+\})?$")
_DEFAULT_TTL_S = 300
_ANY_VERB = "x-amazon-apigateway-any-method"
# What an OpenAPI path has beside its methods.
_PATH_FIELDS = ("$ref", "description", "parameters", "servers", "summary")
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_AUTH_TYPE = "x-amazon-apigateway-authtype"
_Json = Mapping[str, Any]
_ANSWERS_500 = "requests to it are answered 500"
_NOT_SERVED = "the route is not served"


@dataclass(frozen=True, slots=True)
class RouteDefinition:
    """One route, whose addresses may hold stage variables; its authorizer has only its function's address."""

    # The resource and the property that errors name.
    resource: str
    where: str
    method: str
    path: str
    # Why there is no integration, where there is none.
    integration: Integration | LeftOut
    authorizer: AnyAuthorizer | None = None
    scopes: tuple[str, ...] = ()

    def route(self, resources: Resources, variables: Mapping[str, str], functions: Mapping[str, str]) -> HttpRoute:
        """Return the route as the stage with these variables has it; ``functions`` maps names to logical ids."""
        if self.path != DEFAULT_ROUTE and _ROUTE_PATH.fullmatch(self.path) is None:
            raise UnsupportedError(self.resource, self.where, "the path has a parameter that is not a whole segment")

        def function_at(address: str, where: str) -> tuple[str, str | None]:
            """Return the logical id and the qualifier of the function that an address names."""
            address = _STAGE_VARIABLE.sub(lambda match: variables.get(match[1], ""), address)
            called = find_function(address, functions)
            if called is None:
                reason = f"only functions of this template can be called, not {address or 'nothing'}"
                raise UnsupportedError(self.resource, where, reason)
            return called

        integration, authorizer = self.integration, self.authorizer
        try:
            if isinstance(authorizer, Authorizer):
                authorizing, alias = function_at(authorizer.uri, f"{self.where}, authorizer {authorizer.name}")
                authorizer = dataclasses.replace(authorizer, function=authorizing, qualifier=alias)
        except UnsupportedError as error:
            authorizer = UnknownAuthorizer(resources.leave_out(error, _ANSWERS_500))
        try:
            if isinstance(integration, Integration):
                function, qualifier = function_at(integration.uri, self.where)
        except UnsupportedError as error:
            integration = resources.leave_out(error, _ANSWERS_500)
        if isinstance(integration, LeftOut):
            return HttpRoute(self.method, self.path, "", authorizer=authorizer, left_out=integration)
        limit_s = integration.timeout_in_millis / 1000
        payload_format = integration.payload_format_version
        return HttpRoute(self.method, self.path, function, qualifier, limit_s, payload_format, authorizer, self.scopes)


def _members(resources: Resources, api: str, place: str, value: Any) -> list[tuple[str, Any]]:
    """Return the members of an object of an OpenAPI definition; what isn't one is left out."""
    members: list[tuple[str, Any]] = []
    with resources.leaving_out(_NOT_SERVED):
        members += _object(api, f"Body, {place}", {} if value is None else value).items()
    return members


def routes_of_body(resources: Resources, api: str, body: _Json) -> Iterator[RouteDefinition]:
    """Yield the routes of an OpenAPI definition."""
    if body.get("security"):
        error = UnsupportedError(api, "Body, security", "write security at each operation, as API Gateway reads it")
        resources.leave_out(error, "routes without security of their own are open")
    for path, operations in _members(resources, api, "paths", body.get("paths")):
        for verb, item in _members(resources, api, f"paths.{path}", operations):
            if verb == _ANY_VERB or str(verb).upper() in VERBS:
                method = ANY_METHOD if verb == _ANY_VERB else verb.upper()
                with resources.leaving_out(_NOT_SERVED):
                    yield _of_operation(resources, api, body, method, str(path), item or {})
            elif verb not in _PATH_FIELDS and not str(verb).startswith("x-"):
                error = UnsupportedError(api, f"Body, paths.{path}", f"{verb!r} isn't a method of HTTP APIs")
                resources.leave_out(error, _NOT_SERVED)


def _of_operation(resources: Resources, api: str, body: _Json, method: str, path: str, item: _Json) -> RouteDefinition:
    where = f"Body, {method} {path}"
    operation = _follow(api, where, body, item)
    properties = _follow(api, where, body, operation.get(_INTEGRATION) or {})
    if not properties:
        raise UnsupportedError(api, where, f"the operation has no {_INTEGRATION}")
    integration: Integration | LeftOut
    authorizer: AnyAuthorizer | None
    try:
        integration = read_properties(Integration, properties, api, within=where)
    except UnsupportedError as error:
        integration = resources.leave_out(error, _ANSWERS_500)
    try:
        authorizer, scopes = _security(api, where, body, operation)
    except UnsupportedError as error:
        authorizer, scopes = UnknownAuthorizer(resources.leave_out(error, _ANSWERS_500)), ()
    # FailOnWarnings makes SAM write /$default.
    path = DEFAULT_ROUTE if path.lstrip("/") == DEFAULT_ROUTE else path
    return RouteDefinition(api, where, method, path, integration, authorizer, scopes)


def routes_of_resources(resources: Resources, api_id: str, api: Api) -> Iterator[RouteDefinition]:
    """Yield the routes of an API that are resources of their own, and that of its ``Target``."""
    if api.target is not None:
        properties = {"type": "aws_proxy", "uri": api.target, "payloadFormatVersion": "2.0"}
        integration = read_properties(Integration, properties, api_id, within="Target")
        yield RouteDefinition(api_id, "Target", *_method_and_path(api.route_key), integration)
    for name in resources.owned_by(api_id, Route, "ApiId"):
        with resources.leaving_out(_NOT_SERVED):
            yield _of_resource(resources, name)


def _of_resource(resources: Resources, name: str) -> RouteDefinition:
    route = resources.read(name, Route)
    integration: Integration | LeftOut
    authorizer: AnyAuthorizer | None
    try:
        integration_id = resources.target(route.target.rpartition("/")[2], Integration)
        if integration_id is None:
            reason = "it must be integrations/ and the id of an integration of the template"
            raise UnsupportedError(name, "Target", reason)
        integration = resources.read(integration_id, Integration)
    except UnsupportedError as error:
        integration = resources.leave_out(error, _ANSWERS_500)
    try:
        authorizer = _authorizer(resources, name, route)
    except UnsupportedError as error:
        authorizer = UnknownAuthorizer(resources.leave_out(error, _ANSWERS_500))
    scopes = route.authorization_scopes if isinstance(authorizer, JwtAuthorizer) else ()
    return RouteDefinition(name, "Target", *_method_and_path(route.route_key), integration, authorizer, scopes)


def _method_and_path(route_key: str) -> tuple[str, str]:
    if route_key == DEFAULT_ROUTE:
        return ANY_METHOD, DEFAULT_ROUTE
    method, _, path = route_key.partition(" ")
    return method, path


def _authorizer(resources: Resources, name: str, route: Route) -> AnyAuthorizer | None:
    if route.authorization_type == "NONE":
        return None
    if route.authorization_type == "AWS_IAM":
        return IamAuthorizer()
    authorizer_id = resources.target(route.authorizer_id, Authorizer)
    if authorizer_id is None:
        raise UnsupportedError(name, "AuthorizerId", "it must be an authorizer of the template")
    authorizer = _read_authorizer(authorizer_id, resources[authorizer_id].properties, authorizer_id)
    if isinstance(authorizer, JwtAuthorizer) != (route.authorization_type == "JWT"):
        reason = f"it is {route.authorization_type}, and {authorizer_id} is an authorizer of another type"
        raise UnsupportedError(name, "AuthorizationType", reason)
    return authorizer


def _read_authorizer(
    name: str, properties: Any, resource: str, within: str | None = None
) -> Authorizer | JwtAuthorizer:
    properties = _object(resource, within or "Properties", properties)
    if str(properties.get("type") or properties.get("AuthorizerType")).lower() == "jwt":
        return read_properties(JwtAuthorizer, properties, resource, within=within, name=name)
    has_sources = properties.get("identitySource") or properties.get("IdentitySource")
    ttl_s = _DEFAULT_TTL_S if has_sources else 0
    # The payload format has no default here: a template must name it.
    values: dict[str, Any] = {"name": name, "function": "", "payload_format": "", "ttl_s": ttl_s}
    return read_properties(Authorizer, properties, resource, within=within, **values)


def _security(api: str, where: str, body: _Json, operation: _Json) -> tuple[AnyAuthorizer | None, tuple[str, ...]]:
    """Return the authorizer of an operation, and the scopes of which it needs one."""
    components = _object(api, f"{where}, components", body.get("components") or {})
    schemes = _object(api, f"{where}, securitySchemes", components.get("securitySchemes") or {})
    security = operation.get("security") or []
    if not isinstance(security, list):
        raise UnsupportedError(api, f"{where}, security", f"it must be a list, not {security!r}")
    requirements = [
        item for requirement in security for item in _object(api, f"{where}, security", requirement).items()
    ]
    # SAM writes NONE where an event opts out of the API's default.
    requirements = [(name, scopes) for name, scopes in requirements if name != "NONE" or name in schemes]
    if not requirements:
        return None, ()
    if len(requirements) > 1:
        names = " and ".join(name for name, _ in requirements)
        raise UnsupportedError(api, where, f"a route has one authorizer, not {names}")
    ((name, scopes),) = requirements
    if name not in schemes:
        raise UnsupportedError(api, where, f"the definition has no security scheme {name}: add it under components")
    scheme = _object(api, f"{where}, authorizer {name}", schemes[name])
    if str(scheme.get(_AUTH_TYPE)).lower() == "awssigv4":
        return IamAuthorizer(), ()
    if scheme.get(_AUTHORIZER) is None:
        raise UnsupportedError(api, where, f"{name} has no {_AUTHORIZER}, and isn't of {_AUTH_TYPE} awsSigv4")
    authorizer = _read_authorizer(name, scheme[_AUTHORIZER], api, f"{where}, authorizer {name}")
    return authorizer, tuple(map(str, scopes or ())) if isinstance(authorizer, JwtAuthorizer) else ()


def _object(resource: str, where: str, value: Any) -> _Json:
    """Return a value that must be an object."""
    if not isinstance(value, Mapping):
        reason = value.reason if isinstance(value, Unresolvable) else f"it must be an object, not {value!r}"
        raise UnsupportedError(resource, where, reason)
    return value


def _follow(api: str, where: str, body: _Json, value: Any) -> _Json:
    """Return the object that a ``$ref`` into the same definition points to, or the value itself."""
    found = _object(api, where, value)
    pointer = found.get("$ref")
    if pointer is None:
        return found
    target: Any = body
    for word in str(pointer).removeprefix("#/").split("/"):
        target = target.get(word.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise UnsupportedError(api, where, f"$ref {pointer} is not in the definition")
    return target
