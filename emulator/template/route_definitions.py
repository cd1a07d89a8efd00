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
from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE, Authorizer, HttpRoute
from emulator.template.resource_models import VERBS, Api, Integration, Route
from emulator.template.resources import Resources, read_properties

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_ROUTE_PATH = re.compile(r"(/[^{}/]*|/\{[^{}/+]+\})*(/\{[^{}/+]+\+\})?$")
_DEFAULT_TTL_S = 300
_ANY_VERB = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RouteDefinition:
    """One route, whose addresses may hold stage variables; its authorizer has only its function's address."""

    # The resource and the property that errors name.
    resource: str
    where: str
    method: str
    path: str
    integration: Integration
    authorizer: Authorizer | None = None

    def route(self, variables: Mapping[str, str], functions: Mapping[str, str]) -> HttpRoute:
        """Return the route as the stage with these variables has it; ``functions`` maps names to logical ids."""

        def function_at(address: str, where: str) -> tuple[str, str | None]:
            """Return the logical id and the qualifier of the function that an address names."""
            address = _STAGE_VARIABLE.sub(lambda match: variables.get(match[1], ""), address)
            called = find_function(address, functions)
            if called is None:
                reason = f"only functions of this template can be called, not {address or 'nothing'}"
                raise UnsupportedError(self.resource, where, reason)
            return called

        function, qualifier = function_at(self.integration.uri, self.where)
        if self.path != DEFAULT_ROUTE and _ROUTE_PATH.fullmatch(self.path) is None:
            raise UnsupportedError(self.resource, self.where, "the path has a parameter that is not a whole segment")
        authorizer = self.authorizer
        if authorizer is not None:
            authorizing, alias = function_at(authorizer.uri, f"{self.where}, authorizer {authorizer.name}")
            authorizer = dataclasses.replace(authorizer, function=authorizing, qualifier=alias)
        limit_s = self.integration.timeout_in_millis / 1000
        payload_format = self.integration.payload_format_version
        return HttpRoute(self.method, self.path, function, qualifier, limit_s, payload_format, authorizer)


def routes_of_body(api: str, body: _Json) -> Iterator[RouteDefinition]:
    """Yield the routes of an OpenAPI definition."""
    if body.get("security"):
        raise UnsupportedError(api, "Body, security", "write security at each operation, as API Gateway reads it")
    for path, operations in (body.get("paths") or {}).items():
        for verb, item in (operations or {}).items():
            if verb != _ANY_VERB and verb.upper() not in VERBS:
                continue
            method = ANY_METHOD if verb == _ANY_VERB else verb.upper()
            where = f"Body, {method} {path}"
            operation = _follow(api, where, body, item or {})
            integration = _follow(api, where, body, operation.get(_INTEGRATION) or {})
            if not integration:
                raise UnsupportedError(api, where, f"the operation has no {_INTEGRATION}")
            yield RouteDefinition(
                api,
                where,
                method,
                # FailOnWarnings makes SAM write /$default.
                DEFAULT_ROUTE if path.lstrip("/") == DEFAULT_ROUTE else path,
                read_properties(Integration, integration, api, within=where),
                _security(api, where, body, operation),
            )


def routes_of_resources(resources: Resources, api_id: str, api: Api) -> Iterator[RouteDefinition]:
    """Yield the routes of an API that are resources of their own, and that of its ``Target``."""
    if api.target is not None:
        properties = {"type": "aws_proxy", "uri": api.target, "payloadFormatVersion": "2.0"}
        integration = read_properties(Integration, properties, api_id, within="Target")
        yield RouteDefinition(api_id, "Target", *_method_and_path(api.route_key), integration)
    for name in resources.owned_by(api_id, Route, "ApiId"):
        route = resources.read(name, Route)
        integration_id = resources.target(route.target.rpartition("/")[2], Integration)
        if integration_id is None:
            reason = "it must be integrations/ and the id of an integration of the template"
            raise UnsupportedError(name, "Target", reason)
        integration = resources.read(integration_id, Integration)
        authorizer = _authorizer(resources, name, route)
        yield RouteDefinition(name, "Target", *_method_and_path(route.route_key), integration, authorizer)


def _method_and_path(route_key: str) -> tuple[str, str]:
    if route_key == DEFAULT_ROUTE:
        return ANY_METHOD, DEFAULT_ROUTE
    method, _, path = route_key.partition(" ")
    return method, path


def _authorizer(resources: Resources, name: str, route: Route) -> Authorizer | None:
    if route.authorization_type == "NONE":
        return None
    authorizer_id = resources.target(route.authorizer_id, Authorizer)
    if authorizer_id is None:
        raise UnsupportedError(name, "AuthorizerId", "it must be an authorizer of the template")
    return _read_authorizer(authorizer_id, resources[authorizer_id].properties, authorizer_id)


def _read_authorizer(name: str, properties: _Json, resource: str, within: str | None = None) -> Authorizer:
    has_sources = properties.get("identitySource") or properties.get("IdentitySource")
    ttl_s = _DEFAULT_TTL_S if has_sources else 0
    # The payload format has no default here: a template must name it.
    values: dict[str, Any] = {"name": name, "function": "", "payload_format": "", "ttl_s": ttl_s}
    return read_properties(Authorizer, properties, resource, within=within, **values)


def _security(api: str, where: str, body: _Json, operation: _Json) -> Authorizer | None:
    """Return the authorizer of an operation."""
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    names = [name for requirement in operation.get("security") or [] for name in requirement]
    # SAM writes NONE where an event opts out of the API's default.
    names = [name for name in names if name != "NONE" or name in schemes]
    if not names:
        return None
    if len(names) > 1:
        raise UnsupportedError(api, where, f"a route has one authorizer, not {' and '.join(names)}")
    (name,) = names
    if name not in schemes:
        raise UnsupportedError(api, where, f"the definition has no security scheme {name}: add it under components")
    authorizer = schemes[name].get(_AUTHORIZER)
    if authorizer is None:
        reason = "IAM authorization is not imitated" if name == "AWS_IAM" else f"{name} has no {_AUTHORIZER}"
        raise UnsupportedError(api, where, f"{reason}; only Lambda authorizers are")
    return _read_authorizer(name, authorizer, api, f"{where}, authorizer {name}")


def _follow(api: str, where: str, body: _Json, value: _Json) -> _Json:
    """Return the value that a ``$ref`` into the same definition points to, or the value itself."""
    pointer = value.get("$ref")
    if pointer is None:
        return value
    target: Any = body
    for word in str(pointer).removeprefix("#/").split("/"):
        target = target.get(word.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise UnsupportedError(api, where, f"$ref {pointer} is not in the definition")
    return target
