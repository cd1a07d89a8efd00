"""An HTTP API of a template, SAM's or written by hand, as an `HttpApi`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from emulator.template.http_api_spec import (
    ACCOUNT_BURST,
    ACCOUNT_RATE,
    DEFAULT_ROUTE,
    DEFAULT_STAGE,
    MAX_INTEGRATION_S,
    Authorizer,
    CorsPolicy,
    HttpApi,
    HttpRoute,
    HttpStage,
    Throttle,
)
from emulator.template.identity_sources import IdentitySourceError, check_identity_source
from emulator.template.intrinsics import as_text
from emulator.template.project import FunctionSpec
from emulator.template.project import UnsupportedError as Unsupported
from emulator.template.resource_reader import TemplateReader, whole_number
from emulator.template.route_drafts import RouteDraft, drafts_of_body, drafts_of_resources

# Either the address that API Gateway calls, or the ARN alone, which it takes as well.
_FUNCTION_ARN = re.compile(
    r"(?:^|functions/)arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)(?::([^:/]+))?(?:/invocations)?$"
)
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_STAGE_NAME = re.compile(r"\$default|[A-Za-z0-9_-]{1,128}")
_ROUTE_PATH = re.compile(r"(/[^{}/]*|/\{[^{}/+]+\})*(/\{[^{}/+]+\+\})?$")
_MIN_INTEGRATION_MS, _MAX_INTEGRATION_MS = 50, int(MAX_INTEGRATION_S * 1000)
_MAX_TTL_S = 3600
_DEFAULT_TTL_S = 300


def read_api(template: TemplateReader, logical_id: str, functions: Mapping[str, FunctionSpec]) -> HttpApi:
    """Return one API with its stages.

    Raises
    ------
    UnsupportedError
        Something of it can't be imitated.
    """
    if template.get(logical_id, "ProtocolType", "HTTP") != "HTTP":
        raise Unsupported(logical_id, "ProtocolType", "only HTTP APIs are imitated")
    if template.get(logical_id, "BodyS3Location") is not None:
        raise Unsupported(logical_id, "DefinitionUri", "write the definition inline, with DefinitionBody")
    body = template.get(logical_id, "Body", {})
    if not isinstance(body, dict):
        raise Unsupported(logical_id, "Body", "it is no OpenAPI definition")
    drafts = [*drafts_of_body(logical_id, body), *drafts_of_resources(template, logical_id)]
    names = [
        name for name in template.of_type("AWS::ApiGatewayV2::Stage") if template.refers_to(name, "ApiId", logical_id)
    ]
    by_name = {spec.name: spec.logical_id for spec in functions.values()}
    stages = [_stage(template, name, drafts, by_name) for name in names]
    if not stages:
        # Creating an API by its Target makes this stage; without either, AWS would answer nothing.
        if drafts and template.get(logical_id, "Target") is None:
            template.notes.append(f"{logical_id}: the API has no stage; it is served as $default")
        stages = [HttpStage(routes=_routes(drafts, {}, by_name))]
    return HttpApi(logical_id, tuple(stages), _cors(template, logical_id, body))


def _stage(template: TemplateReader, name: str, drafts: list[RouteDraft], by_name: Mapping[str, str]) -> HttpStage:
    stage_name = str(template.get(name, "StageName", DEFAULT_STAGE))
    if _STAGE_NAME.fullmatch(stage_name) is None:
        raise Unsupported(name, "StageName", f"{stage_name!r} is no name of a stage")
    variables = {key: as_text(value) for key, value in template.get(name, "StageVariables", {}).items()}
    routes = _routes(drafts, variables, by_name)
    settings = template.get(name, "RouteSettings", {})
    for key in settings:
        if key not in {route.key for route in routes}:
            raise Unsupported(name, "RouteSettings", f"there is no route {key!r}")
    throttles = {key: _throttle(name, f"RouteSettings, {key}", one) for key, one in settings.items()}
    return HttpStage(
        stage_name,
        routes,
        variables,
        {key: one for key, one in throttles.items() if one is not None},
        _throttle(name, "DefaultRouteSettings", template.get(name, "DefaultRouteSettings", {})),
    )


def _throttle(resource: str, where: str, settings: Mapping[str, Any]) -> Throttle | None:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    try:
        rate_per_s = ACCOUNT_RATE if rate is None else float(rate)
    except (TypeError, ValueError):
        rate_per_s = -1.0
    if not 0 <= rate_per_s < math.inf:
        raise Unsupported(resource, f"{where}, ThrottlingRateLimit", f"{rate!r} is no rate")
    name = f"{where}, ThrottlingBurstLimit"
    return Throttle(
        rate_per_s, ACCOUNT_BURST if burst is None else whole_number(resource, name, burst, low=0, high=1_000_000)
    )


def _routes(
    drafts: Iterable[RouteDraft], variables: Mapping[str, str], by_name: Mapping[str, str]
) -> tuple[HttpRoute, ...]:
    routes: dict[str, HttpRoute] = {}
    for draft in drafts:
        route = _route(draft, variables, by_name)
        if route.key in routes:
            raise Unsupported(draft.resource, draft.where, f"there are two routes {route.key}")
        routes[route.key] = route
    return tuple(routes.values())


def _route(draft: RouteDraft, variables: Mapping[str, str], by_name: Mapping[str, str]) -> HttpRoute:
    resource, where, integration = draft.resource, draft.where, draft.integration
    for name in ("requestParameters", "responseParameters", "integrationSubtype"):
        if integration.get(name):
            raise Unsupported(resource, where, f"{name} of an integration is not imitated")
    if str(integration.get("type", "")).lower() != "aws_proxy":
        raise Unsupported(resource, where, f"integrations of type {integration.get('type')!r} are not imitated")
    function, qualifier = _function(resource, where, str(integration.get("uri", "")), variables, by_name)
    payload_format = str(integration.get("payloadFormatVersion", "1.0"))
    if payload_format not in {"1.0", "2.0"}:
        raise Unsupported(resource, where, f"there is no payload format {payload_format}")
    if draft.path != DEFAULT_ROUTE and _ROUTE_PATH.fullmatch(draft.path) is None:
        raise Unsupported(resource, where, "the path has a parameter that is not a whole segment")
    limit_ms = whole_number(
        resource, f"{where}, timeoutInMillis", integration.get("timeoutInMillis", _MAX_INTEGRATION_MS),
        low=_MIN_INTEGRATION_MS, high=_MAX_INTEGRATION_MS,
    )  # fmt: skip
    authorizer = None if draft.authorizer is None else _authorizer(draft, draft.authorizer, variables, by_name)
    return HttpRoute(draft.method, draft.path, function, qualifier, limit_ms / 1000, payload_format, authorizer)


def _authorizer(
    draft: RouteDraft, words: Mapping[str, Any], variables: Mapping[str, str], by_name: Mapping[str, str]
) -> Authorizer:
    resource, where = draft.resource, f"{draft.where}, authorizer {words['name']}"
    if str(words.get("type", "")).lower() != "request":
        raise Unsupported(resource, where, f"{words.get('type')} authorizers are not imitated; only Lambda ones are")
    function, qualifier = _function(resource, where, str(words.get("authorizerUri", "")), variables, by_name)
    sources = words.get("identitySource") or []
    sources = [one.strip() for one in sources.split(",")] if isinstance(sources, str) else sources
    for source in sources:
        try:
            check_identity_source(source)
        except IdentitySourceError as error:
            raise Unsupported(resource, where, str(error)) from error
    default_ttl = _DEFAULT_TTL_S if sources else 0
    ttl_s = whole_number(
        resource, f"{where}, TTL", words.get("authorizerResultTtlInSeconds", default_ttl), low=0, high=_MAX_TTL_S
    )
    if ttl_s and not sources:
        raise Unsupported(resource, where, "answers can be kept only with identity sources to tell requests apart")
    payload_format = str(words.get("authorizerPayloadFormatVersion", ""))
    simple = words.get("enableSimpleResponses") in {True, "true"}
    if payload_format not in {"1.0", "2.0"} or (simple and payload_format == "1.0"):
        raise Unsupported(resource, where, "the payload format must be 1.0 or 2.0, with simple answers 2.0")
    return Authorizer(words["name"], function, qualifier, payload_format, simple, tuple(sources), ttl_s)


def _function(
    resource: str, where: str, address: str, variables: Mapping[str, str], by_name: Mapping[str, str]
) -> tuple[str, str | None]:
    """Return the logical id and the qualifier that an address means, for one stage."""
    address = _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), address)
    match = _FUNCTION_ARN.search(address)
    if match is None or match[1] not in by_name:
        raise Unsupported(resource, where, f"only functions of this template can be called, not {address or 'nothing'}")
    return by_name[match[1]], match[2]


def _cors(template: TemplateReader, api: str, body: Mapping[str, Any]) -> CorsPolicy | None:
    words = body.get("x-amazon-apigateway-cors")
    if words is None:
        words = {key[:1].lower() + key[1:]: one for key, one in template.get(api, "CorsConfiguration", {}).items()}
    if not words:
        return None
    age = words.get("maxAge")
    policy = CorsPolicy(
        _texts(words.get("allowOrigins")),
        tuple(one.upper() for one in _texts(words.get("allowMethods"))),
        _texts(words.get("allowHeaders")),
        _texts(words.get("exposeHeaders")),
        words.get("allowCredentials") in {True, "true"},
        None if age is None else whole_number(api, "CorsConfiguration, MaxAge", age, low=-1, high=86_400),
    )
    if policy.allow_credentials and "*" in policy.allow_origins:
        raise Unsupported(api, "CorsConfiguration", "AllowCredentials can't go with every origin, as on AWS")
    return policy


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(as_text, value or ()))
