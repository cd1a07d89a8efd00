"""Reads an HTTP API's routes from its OpenAPI definition and from separate resources, before its stages are known.

Source: API Gateway developer guide, "OpenAPI extensions"; CloudFormation's AWS::ApiGatewayV2 resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE
from emulator.template.project import UnsupportedError
from emulator.template.resource_models import VERBS, Api, Integration, LambdaAuthorizer, Route, read_model
from emulator.template.resources import Resources

_ANY_VERB = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RouteDefinition:
    """One route, whose addresses may hold stage variables.

    Parameters
    ----------
    resource, where : str
        Resource and property that errors name.
    method, path : str
        As `emulator.template.http_api_spec.HttpRoute` has them.
    integration : Integration
        What is called.
    authorizer : tuple of (str, LambdaAuthorizer) or None
        The name and the properties of the authorizer that decides before the function is called.
    """

    resource: str
    where: str
    method: str
    path: str
    integration: Integration
    authorizer: tuple[str, LambdaAuthorizer] | None = None


def routes_of_body(api: str, body: _Json) -> Iterator[RouteDefinition]:
    """Yield the routes of an OpenAPI definition.

    Raises
    ------
    UnsupportedError
        An operation isn't a route that can be imitated.
    """
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
                read_model(Integration, integration, resource=api, within=where),
                _security(api, where, body, operation),
            )


def routes_of_resources(resources: Resources, api_id: str, api: Api) -> Iterator[RouteDefinition]:
    """Yield the routes of an API that are resources of their own, and that of its ``Target``.

    Raises
    ------
    UnsupportedError
        A route, an integration or an authorizer can't be imitated.
    """
    if api.target is not None:
        properties = {"type": "aws_proxy", "uri": api.target, "payloadFormatVersion": "2.0"}
        integration = read_model(Integration, properties, resource=api_id, within="Target")
        yield RouteDefinition(api_id, "Target", *_method_and_path(api.route_key), integration)
    for name, route in resources.of_type(Route).items():
        if resources.target(route.api_id, Api) != api_id:
            continue
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


def _authorizer(resources: Resources, name: str, route: Route) -> tuple[str, LambdaAuthorizer] | None:
    if route.authorization_type == "NONE":
        return None
    authorizer_id = resources.target(route.authorizer_id, LambdaAuthorizer)
    if authorizer_id is None:
        raise UnsupportedError(name, "AuthorizerId", "it must be an authorizer of the template")
    return authorizer_id, resources.read(authorizer_id, LambdaAuthorizer)


def _security(api: str, where: str, body: _Json, operation: _Json) -> tuple[str, LambdaAuthorizer] | None:
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
    return name, read_model(LambdaAuthorizer, authorizer, resource=api, within=f"{where}, authorizer {name}")


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
