"""The resources that the emulator imitates: the properties that it reads, with their types and ranges.

`MODELS` says which model a type of resource has. Properties that a model doesn't name are ignored. A property's name
may begin with a capital, as in CloudFormation, or a small letter, as in API Gateway's OpenAPI definitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AliasChoices, AliasGenerator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel, to_pascal

from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE, DEFAULT_STAGE, MAX_INTEGRATION_S
from emulator.template.intrinsics import Unresolvable
from emulator.template.project import UnsupportedError
from emulator.template.property_types import (
    AuthorizerTtl,
    IdentitySources,
    LocalFolder,
    SimpleAnswers,
    Text,
    Texts,
    absent,
    matching,
    resolvable,
    whole_number,
)

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Name of a property after the transform → its name in a SAM template, for messages.
_SAM_NAMES = {"Code": "CodeUri", "Content": "ContentUri", "BodyS3Location": "DefinitionUri"}
_MOST = 1_000_000
_LIMIT_MS = int(MAX_INTEGRATION_S * 1000)
# A property that names another resource: a reference, text, or an `Unresolvable`.
Name = Any
_ROUTE_KEY = rf"\{DEFAULT_ROUTE}|({'|'.join([*VERBS, ANY_METHOD])}) /.*"
_RouteKey = Annotated[Text, matching(_ROUTE_KEY, "'{value}' must be $default, or a method and a path")]
_PayloadFormat = Annotated[Text, matching(r"1\.0|2\.0", "there is no payload format {value}")]


class Properties(BaseModel):
    """Properties of a resource, or a part of them."""

    model_config = ConfigDict(
        frozen=True,
        validate_default=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(to_pascal(name), to_camel(name))),
    )


class Environment(Properties):
    """Environment variables."""

    variables: dict[str, Text] = {}


class LoggingConfig(Properties):
    """The format and level of a function's log."""

    log_format: Text = "Text"
    application_log_level: Text | None = None


class SnapStart(Properties):
    """Which versions are snapshotted."""

    apply_on: Text = "None"


class Function(Properties):
    """``AWS::Lambda::Function``."""

    package_type: Annotated[Text, matching("Zip", "only Zip functions are imitated: images need Docker")] = "Zip"
    runtime: Annotated[Text, matching(r"python3\..*", "{value}: only Python functions are imitated")] = ""
    file_system_configs: Annotated[Any, absent("file systems are not imitated")] = None
    durable_config: Annotated[Any, absent("durable functions are not imitated")] = None
    capacity_provider_config: Annotated[Any, absent("capacity providers are not imitated")] = None
    tenancy_config: Annotated[Any, absent("tenant isolation is not imitated")] = None
    code: LocalFolder = Path()
    handler: Text = ""
    environment: Environment = Environment()
    timeout: Annotated[int, whole_number(1, 900)] = 3
    memory_size: Annotated[int, whole_number(128, 10_240)] = 128
    snap_start: SnapStart = SnapStart()
    logging_config: LoggingConfig = LoggingConfig()
    layers: list[Annotated[Name, AfterValidator(resolvable)]] = []
    reserved_concurrent_executions: Annotated[int, whole_number(0, _MOST)] | None = None


class LayerVersion(Properties):
    """``AWS::Lambda::LayerVersion``."""

    content: LocalFolder = Path()


class ProvisionedConcurrency(Properties):
    """Environments that are kept initialised."""

    provisioned_concurrent_executions: Annotated[int, whole_number(1, _MOST)]


class Alias(Properties):
    """``AWS::Lambda::Alias``."""

    function_name: Name = None
    name: Text = ""
    function_version: Text = ""
    routing_config: Any = None
    provisioned_concurrency_config: ProvisionedConcurrency | None = None


class Bucket(Properties):
    """``AWS::S3::Bucket``; the emulator needs only its name."""


class Cors(Properties):
    """``CorsConfiguration`` of an API, or ``x-amazon-apigateway-cors`` of its definition."""

    allow_origins: Texts = ()
    allow_methods: Annotated[Texts, AfterValidator(lambda methods: tuple(map(str.upper, methods)))] = ()
    allow_headers: Texts = ()
    expose_headers: Texts = ()
    allow_credentials: bool = False
    max_age_s: Annotated[int, whole_number(-1, 86_400)] | None = Field(
        None, validation_alias=AliasChoices("MaxAge", "maxAge")
    )


class Api(Properties):
    """``AWS::ApiGatewayV2::Api``."""

    protocol_type: Annotated[Text, matching("HTTP", "only HTTP APIs are imitated")] = "HTTP"
    body_s3_location: Annotated[Any, absent("write the definition inline, with DefinitionBody")] = None
    body: dict[str, Any] = {}
    cors_configuration: Cors | None = None
    target: Text | None = None
    route_key: _RouteKey = DEFAULT_ROUTE


class RouteLimits(Properties):
    """``DefaultRouteSettings`` of a stage, or one of its ``RouteSettings``."""

    throttling_rate_limit: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    throttling_burst_limit: Annotated[int, whole_number(0, _MOST)] | None = None


class Stage(Properties):
    """``AWS::ApiGatewayV2::Stage``."""

    api_id: Name = None
    stage_name: Annotated[Text, matching(r"\$default|[A-Za-z0-9_-]{1,128}", "'{value}' can't name a stage")] = (
        DEFAULT_STAGE
    )
    stage_variables: dict[str, Text] = {}
    route_settings: dict[str, RouteLimits] = {}
    default_route_settings: RouteLimits = RouteLimits()


class Route(Properties):
    """``AWS::ApiGatewayV2::Route``."""

    api_id: Name = None
    route_key: _RouteKey
    request_parameters: Annotated[Any, absent("request parameters of a route are not imitated")] = None
    target: Text = ""
    authorization_type: Annotated[
        Text, matching("NONE|CUSTOM", "{value} is not imitated; only Lambda authorizers are")
    ] = "NONE"
    authorizer_id: Name = None


class Integration(Properties):
    """``AWS::ApiGatewayV2::Integration``, or ``x-amazon-apigateway-integration`` of an operation."""

    request_parameters: Annotated[Any, absent("parameter mapping is not imitated")] = None
    response_parameters: Annotated[Any, absent("parameter mapping is not imitated")] = None
    integration_subtype: Annotated[Any, absent("integrations with AWS services are not imitated")] = None
    type: Annotated[Text, matching("(?i)aws_proxy", "integrations of type '{value}' are not imitated")] = Field(
        "", validation_alias=AliasChoices("type", "IntegrationType")
    )
    uri: Text = Field("", validation_alias=AliasChoices("uri", "IntegrationUri"))
    payload_format_version: _PayloadFormat = "1.0"
    timeout_in_millis: Annotated[int, whole_number(50, _LIMIT_MS)] = _LIMIT_MS


class LambdaAuthorizer(Properties):
    """``AWS::ApiGatewayV2::Authorizer``, or ``x-amazon-apigateway-authorizer`` of a security scheme."""

    type: Annotated[Text, matching("(?i)request", "{value} authorizers are not imitated; only Lambda ones are")] = (
        Field("", validation_alias=AliasChoices("type", "AuthorizerType"))
    )
    authorizer_uri: Text = ""
    identity_source: IdentitySources = ()
    authorizer_result_ttl_in_seconds: AuthorizerTtl | None = None
    authorizer_payload_format_version: _PayloadFormat
    enable_simple_responses: SimpleAnswers = False


MODELS: Mapping[str, type[BaseModel]] = {
    "AWS::Lambda::Function": Function,
    "AWS::Lambda::LayerVersion": LayerVersion,
    "AWS::Lambda::Alias": Alias,
    "AWS::S3::Bucket": Bucket,
    "AWS::ApiGatewayV2::Api": Api,
    "AWS::ApiGatewayV2::Stage": Stage,
    "AWS::ApiGatewayV2::Route": Route,
    "AWS::ApiGatewayV2::Integration": Integration,
    "AWS::ApiGatewayV2::Authorizer": LambdaAuthorizer,
}
Model = TypeVar("Model", bound=BaseModel)


def read_model(
    model: type[Model],
    properties: Mapping[str, Any],
    *,
    resource: str,
    within: str | None = None,
    folder: Path | None = None,
) -> Model:
    """Check a resource's properties, and return them as their model.

    Parameters
    ----------
    model : type
        One of this module's.
    properties : mapping
        Resolved.
    resource : str
        The resource that an error names.
    within : str or None
        The place in the resource that an error names; None for the properties themselves.
    folder : Path or None
        The folder that local paths are relative to.

    Raises
    ------
    UnsupportedError
        Names the resource and the property, the path in it, and what is wrong there.
    """
    present = {name: value for name, value in properties.items() if value is not None}
    try:
        return model.model_validate(present, context=folder)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        words = list(map(str, first["loc"]))
        place = within or _SAM_NAMES.get(words[0], words[0])
        path = ".".join(words if within else words[1:])
        raise UnsupportedError(resource, place, f"{path}: {_reason(first)}" if path else _reason(first)) from error


def _reason(error: Mapping[str, Any]) -> str:
    if isinstance(error["input"], Unresolvable):
        return error["input"].reason
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    message = str(error["msg"])
    return f"{message[0].lower()}{message[1:]}, not {error['input']!r}"
