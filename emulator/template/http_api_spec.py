"""An HTTP API as plain values: its stages, routes, CORS policy, authorizers and limits.

`@properties` lets a class be read from the template: each field takes the property with its name, or the one given by
`named`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from emulator.template.left_out import LeftOut
from emulator.template.property_types import (
    AnyText,
    IdentitySources,
    PayloadFormat,
    Text,
    Texts,
    check,
    matching,
    member,
    named,
    properties,
    whole_number,
)

DEFAULT_ROUTE = "$default"
DEFAULT_STAGE = "$default"
ANY_METHOD = "ANY"
MAX_INTEGRATION_S = 30.0
MAX_LIMIT = 1_000_000
# An account's limits. One of them applies where the template sets only the other.
ACCOUNT_RATE = 10_000.0
ACCOUNT_BURST = 5_000
_ISSUER = re.compile(r"https://.+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/.*)?")
_TOKEN_PLACES = ("$request.header.", "$request.querystring.")


def _with_format_2(simple: bool, info: ValidationInfo) -> bool:
    if simple and info.data.get("payload_format") == "1.0":
        raise ValueError("simple answers need payload format 2.0")
    return simple


def _without_every_origin(credentials: bool, info: ValidationInfo) -> bool:
    if credentials and "*" in info.data.get("allow_origins", ()):
        raise ValueError("credentials can't go with every origin, as on AWS: name the origins")
    return credentials


def _with_sources(ttl_s: int, info: ValidationInfo) -> int:
    if ttl_s and not info.data.get("identity_sources"):
        raise ValueError("answers can be cached only with identity sources: add one, or set the TTL to 0")
    return ttl_s


@properties
@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer (``REQUEST``).

    Read from ``AWS::ApiGatewayV2::Authorizer``, or from ``x-amazon-apigateway-authorizer`` of a security scheme.
    """

    # Routes refer to it by this name.
    name: str
    # The logical id of its function, and the alias or version that is called.
    function: str
    qualifier: str | None = None
    # The event's payload format: 1.0 or 2.0.
    payload_format: Annotated[PayloadFormat, named("AuthorizerPayloadFormatVersion")] = "2.0"
    # It answers {"isAuthorized": …} rather than an IAM policy.
    simple_answers: Annotated[bool, named("EnableSimpleResponses"), AfterValidator(_with_format_2)] = False
    # A request that lacks one of these is refused without a call; together they are the key of the cache.
    identity_sources: Annotated[IdentitySources, named("IdentitySource")] = ()
    # How long an answer is cached; 0 caches none.
    ttl_s: Annotated[
        int, named("AuthorizerResultTtlInSeconds"), whole_number(0, 3600), AfterValidator(_with_sources)
    ] = 0
    type: Annotated[
        Text,
        named("type", "AuthorizerType"),
        matching("(?i)request", "{value} authorizers are not imitated; only Lambda ones are"),
    ] = field(default="", compare=False)
    # The function's address, which may hold stage variables: `function` and `qualifier` depend on the stage.
    uri: Annotated[AnyText, named("AuthorizerUri")] = field(default="", compare=False)


def _checked_issuer(issuer: str) -> str:
    if _ISSUER.fullmatch(issuer) is None:
        raise ValueError(f"an issuer begins with https://, or on this machine with http://localhost, not {issuer!r}")
    return issuer


@properties
@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    """A JWT authorizer, read from the same places as `Authorizer`."""

    # Routes refer to it by this name.
    name: str
    # Whose tokens are taken: their `iss`, under which discovery finds the keys.
    issuer: Annotated[Text, member("JwtConfiguration", "Issuer"), AfterValidator(_checked_issuer)]
    # Of which a token must be for one.
    audiences: Annotated[
        Texts,
        member("JwtConfiguration", "Audience"),
        check(lambda audiences: 0 < len(audiences) <= 50, "name 1 to 50 audiences"),
    ]
    # Where the token is; there is only one such place.
    identity_sources: Annotated[
        IdentitySources,
        named("IdentitySource"),
        check(
            lambda sources: len(sources) == 1 and sources[0].startswith(_TOKEN_PLACES),
            "a token is in one header or one parameter of the query, not in {value}",
        ),
    ] = ("$request.header.Authorization",)


@dataclass(frozen=True, slots=True)
class IamAuthorizer:
    """Takes requests that are signed with AWS credentials (``AWS_IAM``)."""


@dataclass(frozen=True, slots=True)
class UnknownAuthorizer:
    """An authorizer that isn't imitated: it can't decide, so its routes answer 500, as where one fails on AWS."""

    left_out: LeftOut


AnyAuthorizer = Authorizer | JwtAuthorizer | IamAuthorizer | UnknownAuthorizer


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One route of an HTTP API."""

    # A verb in capitals, or `ANY_METHOD`.
    method: str
    # `DEFAULT_ROUTE`, or a path of plain segments, {parameter} segments and a last {parameter+}.
    path: str
    # The logical id of the function behind it, and the alias or version that is called.
    function: str
    qualifier: str | None = None
    # How long the API waits.
    timeout_s: float = MAX_INTEGRATION_S
    # The payload format of the event and the answer: 1.0 or 2.0.
    payload_format: str = "2.0"
    # Decides before the function is called.
    authorizer: AnyAuthorizer | None = None
    # With a JWT authorizer: a token must have one of these, unless there is none.
    scopes: tuple[str, ...] = ()
    # Why it has no function, for a route that isn't imitated; it answers 500.
    left_out: LeftOut | None = None
    # The name of the route in events, "POST /predict" or "$default". A field, because each request needs it.
    key: str = field(init=False)

    def __post_init__(self) -> None:
        key = self.path if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"
        object.__setattr__(self, "key", key)

    @property
    def authorization_type(self) -> str:
        """What decides who may call, by AWS's names."""
        if self.authorizer is None:
            return "NONE"
        return {IamAuthorizer: "AWS_IAM", JwtAuthorizer: "JWT"}.get(type(self.authorizer), "CUSTOM")


@properties
@dataclass(frozen=True, slots=True)
class Throttle:
    """A route's limits: ``rate`` requests per second in the long run, ``burst`` at once."""

    rate: Annotated[float, named("ThrottlingRateLimit"), Field(ge=0, allow_inf_nan=False)] = ACCOUNT_RATE
    burst: Annotated[int, named("ThrottlingBurstLimit"), whole_number(0, MAX_LIMIT)] = ACCOUNT_BURST


@properties
@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """The requests that scripts of other origins may send. An empty field sends no header.

    Read from an API's ``CorsConfiguration``, or from ``x-amazon-apigateway-cors`` of its definition.
    """

    allow_origins: Texts = ()
    allow_methods: Annotated[Texts, AfterValidator(lambda methods: tuple(map(str.upper, methods)))] = ()
    allow_headers: Texts = ()
    expose_headers: Texts = ()
    allow_credentials: Annotated[bool, AfterValidator(_without_every_origin)] = False
    max_age_s: Annotated[Annotated[int, whole_number(-1, 86_400)] | None, named("MaxAge")] = None


def _limits(settings: Any) -> Any:
    """Return settings of a route without empty ones, or None if no limit is among them."""
    if not isinstance(settings, Mapping):
        return settings
    limits = {name: value for name, value in settings.items() if "Throttling" in name and value is not None}
    return limits or None


_Throttle = Annotated[Throttle | None, BeforeValidator(_limits)]


@properties
@dataclass(frozen=True, slots=True)
class HttpStage:
    """One stage of an API, read from ``AWS::ApiGatewayV2::Stage``."""

    # `DEFAULT_STAGE`, or the first segment of every path.
    name: Annotated[
        AnyText, named("StageName"), matching(r"\$default|[A-Za-z0-9_-]{1,128}", "'{value}' can't name a stage")
    ] = DEFAULT_STAGE
    # A stage variable in an integration's URI can make routes differ between stages.
    routes: tuple[HttpRoute, ...] = ()
    variables: Annotated[Mapping[str, AnyText], named("StageVariables")] = field(default_factory=dict)
    # Route key → its limits. Routes without an entry have `default_throttle`, each for itself; None: no limit.
    throttles: Annotated[Mapping[str, _Throttle], named("RouteSettings")] = field(default_factory=dict)
    default_throttle: Annotated[_Throttle, named("DefaultRouteSettings")] = None


@dataclass(frozen=True, slots=True)
class HttpApi:
    """An HTTP API. It has at least one stage."""

    logical_id: str
    stages: tuple[HttpStage, ...]
    # None leaves CORS to the functions.
    cors: CorsPolicy | None = None


def without_authorizers(api: HttpApi) -> HttpApi:
    """Return an API whose routes everybody may call."""
    stages = (
        dataclasses.replace(stage, routes=tuple(dataclasses.replace(route, authorizer=None) for route in stage.routes))
        for stage in api.stages
    )
    return dataclasses.replace(api, stages=tuple(stages))
