"""Events and answers in payload format 1.0, for integrations and authorizers that use it. Pure.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs", and a recorded event
(milliHQ/terraform-aws-next-js pull request 31): a few headers are written in AWS's own way, the others as the client
wrote them. Assumed: ``path`` carries the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from emulator.http_api.event_v2 import (
    HOP_BY_HOP,
    EventSource,
    HttpRequest,
    RequestIdentity,
    clf_time,
    domain_of,
    encode_body,
    path_of,
    trace_id_of,
)
from emulator.http_api.responses import INTERNAL_SERVER_ERROR, HttpResponse, response_of
from emulator.http_api.routes import RouteMatch
from emulator.strict_json import read_json

_NO_IDENTITY = dict.fromkeys(
    (
        "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
        "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
    )
)  # fmt: skip

_SPELLED_BY_AWS = {
    name.lower(): name
    for name in (
        "Content-Length", "Host", "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port",
        "X-Forwarded-Proto",
    )
}  # fmt: skip


def build_event_v1(
    request: HttpRequest, match: RouteMatch, identity: RequestIdentity, source: EventSource
) -> dict[str, Any]:
    """Return the event of payload format 1.0; what the request doesn't have is null."""
    headers = _headers(request, identity)
    query = _by_name(parse_qsl(request.raw_query, keep_blank_values=True))
    by_lower_name = {name.lower(): values[-1] for name, values in headers.items()}
    encoding = by_lower_name.get("content-encoding", "")
    body, is_base64 = encode_body(request.body, by_lower_name.get("content-type", ""), encoding)
    return {
        "version": "1.0",
        "resource": match.route.path,
        "path": path_of(request),
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context(request, match, identity, source, by_lower_name),
        "pathParameters": match.path_parameters or None,
        "stageVariables": dict(source.stage_variables) or None,
        "body": body or None,
        "isBase64Encoded": is_base64,
    }


def _context(
    request: HttpRequest,
    match: RouteMatch,
    identity: RequestIdentity,
    source: EventSource,
    headers: Mapping[str, str],
) -> dict[str, Any]:
    domain = domain_of(headers.get("host", ""))
    return {
        "accountId": source.account_id,
        "apiId": source.api_id,
        "authorizer": {"claims": None, "scopes": None},
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": identity.request_id,
        "httpMethod": request.method,
        "identity": {**_NO_IDENTITY, "sourceIp": request.source_ip, "userAgent": headers.get("user-agent", "")},
        "path": path_of(request),
        "protocol": request.protocol,
        "requestId": identity.request_id,
        "requestTime": clf_time(identity.time),
        "requestTimeEpoch": int(identity.time.timestamp() * 1000),
        "resourceId": match.route.key,
        "resourcePath": match.route.path,
        "stage": source.stage,
    }


def build_response_v1(payload: bytes) -> HttpResponse:
    """Return the response for a function's answer, which must be complete in this format.

    Parameters
    ----------
    payload : bytes
        JSON with ``statusCode``, and optionally ``headers``, ``multiValueHeaders``, ``body`` and ``isBase64Encoded``.
    """
    try:
        answer = read_json(payload)
    except ValueError:
        return INTERNAL_SERVER_ERROR
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return INTERNAL_SERVER_ERROR
    several = answer.get("multiValueHeaders") or {}
    single = answer.get("headers") or {}
    if not isinstance(several, dict) or not isinstance(single, dict):
        return INTERNAL_SERVER_ERROR
    named = {name.lower() for name in several}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in named]
    for name, values in several.items():
        if not isinstance(values, list):
            return INTERNAL_SERVER_ERROR
        pairs += [(name, value) for value in values]
    return response_of(answer, pairs)


def _headers(request: HttpRequest, identity: RequestIdentity) -> dict[str, list[str]]:
    # Names ignore case; the first spelling of a name is kept.
    spellings = dict(_SPELLED_BY_AWS)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(spellings.setdefault(name.lower(), name), []).append(value)
    headers["X-Forwarded-For"] = [", ".join([*headers.get("X-Forwarded-For", ()), request.source_ip])]
    headers["X-Forwarded-Port"], headers["X-Forwarded-Proto"] = [str(request.port)], ["http"]
    headers["X-Amzn-Trace-Id"] = [trace_id_of(headers.get("X-Amzn-Trace-Id", [""])[-1], identity)]
    # As in format 2.0: "0" without a body.
    headers.setdefault("Content-Length", [str(len(request.body))])
    return headers


def _by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
