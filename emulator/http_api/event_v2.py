"""Builds the event that a function gets for an HTTP request, payload format 2.0. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from emulator.http_api.requests import HOP_BY_HOP, EventSource, HttpRequest, encode_body, shared_context
from emulator.http_api.routes import RouteMatch


def build_event_v2(request: HttpRequest, match: RouteMatch, source: EventSource) -> dict[str, Any]:
    """Return the event for a matched request; keys without content are left out, as AWS does."""
    headers, cookies = _headers(request)
    path = request.path
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
        "headers": headers,
        "requestContext": {
            **shared_context(request, source, headers.get("host", "")),
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
        event["queryStringParameters"] = _query(request.raw_query)
    if match.path_parameters:
        event["pathParameters"] = match.path_parameters
    if source.stage_variables:
        event["stageVariables"] = dict(source.stage_variables)
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(request.body, headers)
    return event


def _headers(request: HttpRequest) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        lower = name.lower()
        if lower == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        elif lower in headers:
            headers[lower] += f",{value}"
        elif lower not in HOP_BY_HOP:
            headers[lower] = value
    earlier = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{earlier}, {request.source_ip}" if earlier else request.source_ip
    # AWS adds the length where the client sends none: recorded events of GET have "content-length": "0".
    headers.setdefault("content-length", str(len(request.body)))
    headers["x-forwarded-port"] = str(request.port)
    headers["x-forwarded-proto"] = "http"
    headers["x-amzn-trace-id"] = request.trace_id(headers.get("x-amzn-trace-id", ""))
    return headers, cookies


def _query(raw_query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values
