"""Builds the event that a function gets for an HTTP request, payload format 2.0. Pure.

Source: API Gateway developer guide, "Working with AWS Lambda proxy integrations for HTTP APIs", and recorded
events; docs/emulator-fidelity.md lists what is recorded and what is assumed.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from emulator.http_api.routes import RouteMatch

# AWS's load balancers remove these headers before API Gateway sees them.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "expect"})
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})
_TRACE_ID = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;[!-~]*)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the client sent it.

    Parameters
    ----------
    method : str
        In capitals.
    raw_path : str
        Percent-encoded, without the query.
    raw_query : str
        Percent-encoded, without the question mark.
    headers : iterable of (str, str)
        In the client's order, duplicates included.
    body : bytes
        Empty without one.
    source_ip, port, protocol
        The client's address, the gateway's port, ``HTTP/1.1``.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    source_ip: str
    port: int
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """Values that API Gateway makes for each request; passed in, so that events can be compared.

    Parameters
    ----------
    request_id : str
        For the event and the ``Apigw-Requestid`` header.
    trace_id : str
        The X-Ray header, unless the request has a valid one.
    time : datetime
        When the request arrived, in UTC.
    """

    request_id: str
    trace_id: str
    time: dt.datetime


@dataclass(frozen=True, slots=True)
class EventSource:
    """The API and stage that events come from.

    Parameters
    ----------
    api_id, account_id, stage : str
        For the request context.
    stage_variables : mapping
        Empty without any.
    """

    api_id: str
    account_id: str
    stage: str
    stage_variables: Mapping[str, str]


def build_event(
    request: HttpRequest, match: RouteMatch, identity: RequestIdentity, source: EventSource
) -> dict[str, Any]:
    """Return the event for a matched request; keys without content are left out, as AWS does."""
    headers, cookies = _headers(request, identity)
    path = path_of(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
        "headers": headers,
        "requestContext": _context(request, match, identity, source, headers, path),
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
        event["body"], event["isBase64Encoded"] = encode_body(
            request.body, headers.get("content-type", ""), headers.get("content-encoding", "")
        )
    return event


def _context(
    request: HttpRequest,
    match: RouteMatch,
    identity: RequestIdentity,
    source: EventSource,
    headers: Mapping[str, str],
    path: str,
) -> dict[str, Any]:
    domain = domain_of(headers.get("host", ""))
    return {
        "accountId": source.account_id,
        "apiId": source.api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": identity.request_id,
        "routeKey": match.route.key,
        "stage": source.stage,
        "time": clf_time(identity.time),
        "timeEpoch": int(identity.time.timestamp() * 1000),
    }


def readable(value: str) -> str:
    """Return a header's value; if its bytes aren't UTF-8, which aiohttp shows as lone surrogates, read as Latin-1."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def path_of(request: HttpRequest) -> str:
    """Return the path for events of both formats: decoded, although AWS names it ``rawPath``."""
    return unquote(request.raw_path, errors="replace")


def domain_of(host: str) -> str:
    """Return a ``Host`` header without its port."""
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


def encode_body(body: bytes, content_type: str, content_encoding: str = "") -> tuple[str, bool]:
    """Return a body as the event carries it, and whether that is base64.

    Text goes as text; every other type, forms included, goes as base64. So do compressed text, and bytes that claim to
    be text and aren't UTF-8.
    """
    kind = content_type.partition(";")[0].strip().lower()
    is_text = not kind or kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))
    if is_text and content_encoding.strip().lower() in {"", "identity"}:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def trace_id_of(sent: str, identity: RequestIdentity) -> str:
    """Return the request's own X-Ray header if it is valid, or else a new one."""
    return identity.trace_id if _TRACE_ID.fullmatch(sent) is None else sent


def clf_time(time: dt.datetime) -> str:
    """Return a time in common log format, for instance ``09/Mar/2026:07:05:01 +0000``."""
    # Not by strftime, whose %b depends on the machine's language.
    clock = f"{time.hour:02}:{time.minute:02}:{time.second:02}"
    return f"{time.day:02}/{_MONTHS[time.month - 1]}/{time.year}:{clock} +0000"


def _headers(request: HttpRequest, identity: RequestIdentity) -> tuple[dict[str, str], list[str]]:
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
    headers["x-amzn-trace-id"] = trace_id_of(headers.get("x-amzn-trace-id", ""), identity)
    return headers, cookies


def _query(raw_query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values
