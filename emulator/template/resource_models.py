"""The resources that only the reading of a template needs: the properties that the emulator reads of them.

Functions, stages, authorizers and CORS policies have their types in `emulator.template.project` and
`emulator.template.http_api_spec`. Properties that a type doesn't name are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE, MAX_INTEGRATION_S, MAX_LIMIT, CorsPolicy
from emulator.template.property_types import (
    AnyText,
    LocalCode,
    PayloadFormat,
    Text,
    Texts,
    absent,
    matching,
    member,
    named,
    properties,
    whole_number,
)

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LIMIT_MS = int(MAX_INTEGRATION_S * 1000)
_ROUTE_KEY = rf"\{DEFAULT_ROUTE}|({'|'.join([*VERBS, ANY_METHOD])}) /.*"
_RouteKey = Annotated[Text, matching(_ROUTE_KEY, "'{value}' must be $default, or a method and a path")]


@properties
@dataclass(frozen=True, slots=True)
class LayerVersion:
    """``AWS::Lambda::LayerVersion``."""

    content: LocalCode


@properties
@dataclass(frozen=True, slots=True)
class Alias:
    """``AWS::Lambda::Alias``."""

    name: AnyText
    function_version: Annotated[
        Text, matching(r"(?!\$LATEST$).*", "only aliases of a published version are imitated")
    ] = ""
    routing_config: Annotated[Any, absent("a template has one version here; set weights with UpdateAlias")] = None
    provisioned_concurrency: Annotated[
        Annotated[int, whole_number(1, MAX_LIMIT)] | None,
        member("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions"),
    ] = None


@properties
@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """``AWS::Lambda::EventInvokeConfig``; the ARN of a destination may be of anything."""

    qualifier: Text
    maximum_retry_attempts: Annotated[int, whole_number(0, 2)] | None = None
    maximum_event_age_in_seconds: Annotated[int, whole_number(60, 21_600)] | None = None
    on_success: Annotated[Any, member("DestinationConfig", "OnSuccess", "Destination")] = None
    on_failure: Annotated[Any, member("DestinationConfig", "OnFailure", "Destination")] = None


@properties
@dataclass(frozen=True, slots=True)
class Api:
    """``AWS::ApiGatewayV2::Api``."""

    protocol_type: Annotated[Text, matching("HTTP", "only HTTP APIs are imitated")] = "HTTP"
    body_s3_location: Annotated[Any, absent("write the definition inline, with DefinitionBody")] = None
    body: dict[str, Any] = field(default_factory=dict)
    cors_configuration: Annotated[CorsPolicy | None, BeforeValidator(lambda policy: policy or None)] = None
    target: AnyText | None = None
    route_key: _RouteKey = DEFAULT_ROUTE


@properties
@dataclass(frozen=True, slots=True)
class Route:
    """``AWS::ApiGatewayV2::Route``; ``AuthorizerId`` may be a reference."""

    route_key: _RouteKey
    request_parameters: Annotated[Any, absent("request parameters of a route are not imitated")] = None
    target: AnyText = ""
    authorization_type: Annotated[Text, matching("NONE|CUSTOM|JWT|AWS_IAM", "{value} isn't a type")] = "NONE"
    authorizer_id: Any = None
    authorization_scopes: Texts = ()


@properties
@dataclass(frozen=True, slots=True)
class Integration:
    """``AWS::ApiGatewayV2::Integration``, or ``x-amazon-apigateway-integration`` of an operation."""

    request_parameters: Annotated[Any, absent("parameter mapping is not imitated")] = None
    response_parameters: Annotated[Any, absent("parameter mapping is not imitated")] = None
    integration_subtype: Annotated[Any, absent("integrations with AWS services are not imitated")] = None
    type: Annotated[
        Text,
        named("type", "IntegrationType"),
        matching("(?i)aws_proxy", "integrations of type '{value}' are not imitated"),
    ] = ""
    uri: Annotated[AnyText, named("uri", "IntegrationUri")] = ""
    payload_format_version: PayloadFormat = "1.0"
    timeout_in_millis: Annotated[int, whole_number(50, _LIMIT_MS)] = _LIMIT_MS
