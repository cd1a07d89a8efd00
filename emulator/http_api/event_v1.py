"""Builds events in payload format 1.0, for integrations and authorizers that use it. Pure.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs", and a recorded event
(milliHQ/terraform-aws-next-js pull request 31): AWS spells the names of a few headers in its own way, and the others as
the client wrote them. Assumed: ``path`` begins with the stage.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from emulator.http_api.requests import HOP_BY_HOP, EventSource, HttpRequest, encode_body, shared_context
from emulator.http_api.routes import RouteMatch

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


def build_event_v1(request: HttpRequest, match: RouteMatch, source: EventSource) -> dict[str, Any]:
    """Return the event of payload format 1.0; members without content are null."""
    headers = _headers(request)
    query = _by_name(parse_qsl(request.raw_query, keep_blank_values=True))
    by_lower_name = {name.lower(): values[-1] for name, values in headers.items()}
    body, is_base64 = encode_body(request.body, by_lower_name)
    path, user_agent = request.path, by_lower_name.get("user-agent", "")
    return {
        "version": "1.0",
        "resource": match.route.path,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            **shared_context(request, source, by_lower_name.get("host", "")),
            "authorizer": {"claims": None, "scopes": None},
            "extendedRequestId": request.request_id,
            "httpMethod": request.method,
            "identity": {**_NO_IDENTITY, "sourceIp": request.source_ip, "userAgent": user_agent},
            "path": path,
            "protocol": request.protocol,
            "requestTime": request.clf_time,
            "requestTimeEpoch": request.epoch_ms,
            "resourceId": match.route.key,
            "resourcePath": match.route.path,
        },
        "pathParameters": match.path_parameters or None,
        "stageVariables": dict(source.stage_variables) or None,
        "body": body or None,
        "isBase64Encoded": is_base64,
    }


def _headers(request: HttpRequest) -> dict[str, list[str]]:
    # Names ignore case; the first spelling of a name is kept.
    spellings = dict(_SPELLED_BY_AWS)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(spellings.setdefault(name.lower(), name), []).append(value)
    headers["X-Forwarded-For"] = [", ".join([*headers.get("X-Forwarded-For", ()), request.source_ip])]
    headers["X-Forwarded-Port"], headers["X-Forwarded-Proto"] = [str(request.port)], ["http"]
    headers["X-Amzn-Trace-Id"] = [request.trace_id(headers.get("X-Amzn-Trace-Id", [""])[-1])]
    # As in format 2.0: "0" without a body.
    headers.setdefault("Content-Length", [str(len(request.body))])
    return headers


def _by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
