"""Payload format 1.0, in and out, for the integrations and authorizers that ask for it. Pure.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs". Assumed: header names are
those that the client wrote, and ``path`` carries the stage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from emulator.events import HOP_BY_HOP, HttpRequest, RequestIdentity, clf_time, encode_body, trace_id_of
from emulator.responses import INTERNAL_SERVER_ERROR, HttpResponse, response_of
from emulator.routing import RouteMatch

_NO_IDENTITY = dict.fromkeys(
    (
        "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
        "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
    )
)  # fmt: skip


def build_event_v1(
    request: HttpRequest,
    match: RouteMatch,
    identity: RequestIdentity,
    *,
    api_id: str,
    account_id: str,
    stage: str,
    stage_variables: Mapping[str, str],
) -> dict[str, Any]:
    """Return the event of payload format 1.0. What a request lacks is null."""
    headers = _headers(request, identity)
    query = _by_name(parse_qsl(request.raw_query, keep_blank_values=True))
    by_lower_name = {name.lower(): values[-1] for name, values in headers.items()}
    encoding = by_lower_name.get("content-encoding", "")
    body, is_base64 = encode_body(request.body, by_lower_name.get("content-type", ""), encoding)
    return {
        "version": "1.0",
        "resource": match.route.path,
        "path": unquote(request.raw_path, errors="replace"),
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": account_id,
            "apiId": api_id,
            "stage": stage,
            **_context(request, match, identity, by_lower_name),
        },
        "pathParameters": match.path_parameters or None,
        "stageVariables": dict(stage_variables) or None,
        "body": body or None,
        "isBase64Encoded": is_base64,
    }


def _context(
    request: HttpRequest, match: RouteMatch, identity: RequestIdentity, headers: Mapping[str, str]
) -> dict[str, Any]:
    host = headers.get("host", "")
    domain = host.rpartition(":")[0] or host
    return {
        "authorizer": {"claims": None, "scopes": None},
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": identity.request_id,
        "httpMethod": request.method,
        "identity": {**_NO_IDENTITY, "sourceIp": request.source_ip, "userAgent": headers.get("user-agent", "")},
        "path": unquote(request.raw_path, errors="replace"),
        "protocol": request.protocol,
        "requestId": identity.request_id,
        "requestTime": clf_time(identity.time),
        "requestTimeEpoch": int(identity.time.timestamp() * 1000),
        "resourceId": match.route.key,
        "resourcePath": match.route.path,
    }


def build_response_v1(payload: bytes) -> HttpResponse:
    """Return the response for what a function returned, which must be a whole answer in this format.

    Parameters
    ----------
    payload : bytes
        JSON with ``statusCode``, and ``headers``, ``multiValueHeaders``, ``body`` and ``isBase64Encoded`` if it likes.
    """
    try:
        answer = json.loads(payload)
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
    # The first writing of a name counts, as names are of any case.
    written: dict[str, str] = {}
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(written.setdefault(name.lower(), name), []).append(value)
    forwarded = headers.pop(written.get("x-forwarded-for", ""), [])
    headers["X-Forwarded-For"] = [", ".join([*forwarded, request.source_ip])]
    for name, value in (("X-Forwarded-Port", str(request.port)), ("X-Forwarded-Proto", "http")):
        headers.pop(written.get(name.lower(), ""), None)
        headers[name] = [value]
    brought = headers.pop(written.get("x-amzn-trace-id", ""), [""])
    headers["X-Amzn-Trace-Id"] = [trace_id_of(brought[-1], identity)]
    return headers


def _by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
