"""Builds the events that functions get for HTTP requests, in payload formats 1.0 and 2.0. Pure.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs"; recorded events, of format
1.0 that of milliHQ/terraform-aws-next-js pull request 31: AWS spells the names of a few headers in its own way, and
the others as the client wrote them. Assumed: in format 1.0 ``path`` begins with the stage.
docs/emulator-fidelity.md lists what is recorded and what is assumed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from emulator.http_api.requests import EventSource, HttpRequest
from emulator.http_api.routes import RouteMatch

# AWS's load balancers remove these headers before API Gateway sees them.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "expect"})
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})
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


def build_event_v2(request: HttpRequest, match: RouteMatch, source: EventSource) -> dict[str, Any]:
    """Return the event for a matched request; keys without content are left out, as AWS does."""
    headers, cookies = _headers_v2(request)
    path = request.path
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
        "headers": headers,
        "requestContext": {
            **_shared_context(request, source, headers.get("host", "")),
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "routeKey": match.route.key,
            "time": request.clf_time,
            "timeEpoch": request.epoch_ms,
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.raw_query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in _query(request.raw_query).items()}
    if match.path_parameters:
        event["pathParameters"] = match.path_parameters
    if source.stage_variables:
        event["stageVariables"] = dict(source.stage_variables)
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(request.body, headers)
    return event


def build_event_v1(request: HttpRequest, match: RouteMatch, source: EventSource) -> dict[str, Any]:
    """Return the event of payload format 1.0; members without content are null."""
    headers = _headers_v1(request)
    query = _query(request.raw_query)
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
            **_shared_context(request, source, by_lower_name.get("host", "")),
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


def encode_body(body: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
    """Return a body as the event carries it, and whether that is base64. The headers' names are in lower case.

    Text is passed as it is. Every other type, forms included, becomes base64. So do compressed text, and bytes that
    are declared as text but aren't UTF-8.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = not kind or kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))
    if is_text and headers.get("content-encoding", "").strip().lower() in {"", "identity"}:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _shared_context(request: HttpRequest, source: EventSource, host: str) -> dict[str, Any]:
    """Return the part of the request context that both payload formats have."""
    name, _, port = host.rpartition(":")
    domain = name if port.isdecimal() else host
    return {
        "accountId": source.account_id,
        "apiId": source.api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "requestId": request.request_id,
        "stage": source.stage,
    }


def _headers_v2(request: HttpRequest) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        lower = name.lower()
        if lower == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        elif lower in headers:
            headers[lower] += f",{value}"
        elif lower not in _HOP_BY_HOP:
            headers[lower] = value
    earlier = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{earlier}, {request.source_ip}" if earlier else request.source_ip
    # AWS adds the length where the client sends none: recorded events of GET have "content-length": "0".
    headers.setdefault("content-length", str(len(request.body)))
    headers["x-forwarded-port"] = str(request.port)
    headers["x-forwarded-proto"] = "http"
    headers["x-amzn-trace-id"] = request.trace_id(headers.get("x-amzn-trace-id", ""))
    return headers, cookies


def _headers_v1(request: HttpRequest) -> dict[str, list[str]]:
    # Names ignore case; the first spelling of a name is kept.
    spellings = dict(_SPELLED_BY_AWS)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in _HOP_BY_HOP:
            headers.setdefault(spellings.setdefault(name.lower(), name), []).append(value)
    headers["X-Forwarded-For"] = [", ".join([*headers.get("X-Forwarded-For", ()), request.source_ip])]
    headers["X-Forwarded-Port"], headers["X-Forwarded-Proto"] = [str(request.port)], ["http"]
    headers["X-Amzn-Trace-Id"] = [request.trace_id(headers.get("X-Amzn-Trace-Id", [""])[-1])]
    # As in format 2.0: "0" without a body.
    headers.setdefault("Content-Length", [str(len(request.body))])
    return headers


def _query(raw_query: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values
