"""An HTTP API's routes before its stages are known, out of OpenAPI or of resources written by hand.

Both come down to the same words: those of API Gateway's OpenAPI extensions.
Source: API Gateway developer guide, "OpenAPI extensions"; CloudFormation's AWS::ApiGatewayV2 resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE
from emulator.template.project import UnsupportedError as Unsupported
from emulator.template.resource_reader import TemplateReader

_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ANY_VERB = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"


@dataclass(frozen=True, slots=True)
class RouteDraft:
    """One route.

    Parameters
    ----------
    resource, where : str
        Resource and property that errors name.
    method, path : str
        As `emulator.template.http_api_spec.HttpRoute` has them.
    integration : mapping
        As in ``x-amazon-apigateway-integration``.
    authorizer : mapping or None
        As in ``x-amazon-apigateway-authorizer``, with its ``name``.
    """

    resource: str
    where: str
    method: str
    path: str
    integration: Mapping[str, Any]
    authorizer: Mapping[str, Any] | None = None


def drafts_of_body(api: str, body: Mapping[str, Any]) -> Iterator[RouteDraft]:
    """Yield the routes of an OpenAPI definition.

    Raises
    ------
    UnsupportedError
        An operation is no route that can be imitated.
    """
    if body.get("security"):
        raise Unsupported(api, "Body, security", "write security at each operation, as API Gateway reads it")
    for path, operations in (body.get("paths") or {}).items():
        for verb, written in (operations or {}).items():
            if verb != _ANY_VERB and verb.upper() not in _VERBS:
                continue
            method = ANY_METHOD if verb == _ANY_VERB else verb.upper()
            where = f"Body, {method} {path}"
            operation = _pointed_at(api, where, body, written or {})
            integration = _pointed_at(api, where, body, operation.get(_INTEGRATION) or {})
            if not integration:
                raise Unsupported(api, where, f"the operation has no {_INTEGRATION}")
            authorizer = _security(api, where, body, operation)
            # FailOnWarnings makes SAM write /$default.
            plain = DEFAULT_ROUTE if path.lstrip("/") == DEFAULT_ROUTE else path
            yield RouteDraft(api, where, method, plain, integration, authorizer)


def drafts_of_resources(template: TemplateReader, api: str) -> Iterator[RouteDraft]:
    """Yield the routes of an API that are resources of their own, and that of its ``Target``.

    Raises
    ------
    UnsupportedError
        A route, an integration or an authorizer can't be imitated.
    """
    target = template.get(api, "Target")
    if target is not None:
        integration = {"type": "aws_proxy", "uri": target, "payloadFormatVersion": "2.0"}
        method, path = _route_key(api, template.get(api, "RouteKey", DEFAULT_ROUTE))
        yield RouteDraft(api, "Target", method, path, integration)
    for name in template.of_type("AWS::ApiGatewayV2::Route"):
        if not template.refers_to(name, "ApiId", api):
            continue
        method, path = _route_key(name, template.get(name, "RouteKey"))
        if template.get(name, "RequestParameters"):
            raise Unsupported(name, "RequestParameters", "request parameters of a route are not imitated")
        integration_id = str(template.get(name, "Target", "")).rpartition("/")[2]
        if integration_id not in template.of_type("AWS::ApiGatewayV2::Integration"):
            raise Unsupported(name, "Target", "it must be integrations/ and the id of an integration of the template")
        integration = _integration(template, integration_id)
        yield RouteDraft(name, "Target", method, path, integration, _authorizer(template, name))


def _route_key(resource: str, key: Any) -> tuple[str, str]:
    method, _, path = str(key).partition(" ")
    if key == DEFAULT_ROUTE:
        return ANY_METHOD, DEFAULT_ROUTE
    if method not in {*_VERBS, ANY_METHOD} or not path.startswith("/"):
        raise Unsupported(resource, "RouteKey", f"{key!r} is not $default, and no method with a path")
    return method, path


def _integration(template: TemplateReader, name: str) -> dict[str, Any]:
    """Return an integration resource in OpenAPI's words."""
    words = {
        "type": "IntegrationType", "uri": "IntegrationUri", "integrationSubtype": "IntegrationSubtype",
        "payloadFormatVersion": "PayloadFormatVersion", "timeoutInMillis": "TimeoutInMillis",
        "requestParameters": "RequestParameters", "responseParameters": "ResponseParameters",
        "connectionType": "ConnectionType",
    }  # fmt: skip
    given = {word: template.get(name, property_name) for word, property_name in words.items()}
    return {word: value for word, value in given.items() if value is not None}


def _authorizer(template: TemplateReader, route: str) -> dict[str, Any] | None:
    """Return the authorizer of a route resource in OpenAPI's words."""
    kind = template.get(route, "AuthorizationType", "NONE")
    if kind == "NONE":
        return None
    if kind != "CUSTOM":
        raise Unsupported(route, "AuthorizationType", f"{kind} is not imitated; only Lambda authorizers are")
    name = str(template.get(route, "AuthorizerId", ""))
    if name not in template.of_type("AWS::ApiGatewayV2::Authorizer"):
        raise Unsupported(route, "AuthorizerId", "it must be an authorizer of the template")
    words = {
        "type": "AuthorizerType", "authorizerUri": "AuthorizerUri", "identitySource": "IdentitySource",
        "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
        "enableSimpleResponses": "EnableSimpleResponses",
        "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    }  # fmt: skip
    given = {word: template.get(name, property_name) for word, property_name in words.items()}
    return {"name": name} | {word: value for word, value in given.items() if value is not None}


def _security(api: str, where: str, body: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the authorizer of an operation."""
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    asked = [name for one in operation.get("security") or [] for name in one]
    # SAM writes NONE where an event opts out of the API's default.
    asked = [name for name in asked if name != "NONE" or name in schemes]
    if not asked:
        return None
    if len(asked) > 1:
        raise Unsupported(api, where, f"one authorizer a route, not {' and '.join(asked)}")
    (name,) = asked
    if name not in schemes:
        raise Unsupported(api, where, f"there is no security scheme {name}")
    authorizer = schemes[name].get(_AUTHORIZER)
    if authorizer is None:
        reason = "IAM authorization is not imitated" if name == "AWS_IAM" else f"{name} has no {_AUTHORIZER}"
        raise Unsupported(api, where, f"{reason}; only Lambda authorizers are")
    return {"name": name, **authorizer}


def _pointed_at(api: str, where: str, body: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a ``$ref`` into the same definition stands for, or the value itself."""
    pointer = value.get("$ref")
    if pointer is None:
        return value
    found: Any = body
    for word in str(pointer).removeprefix("#/").split("/"):
        found = found.get(word.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise Unsupported(api, where, f"$ref {pointer} is not in the definition")
    return found
