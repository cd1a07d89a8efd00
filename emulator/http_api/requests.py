"""A request as the gateway reads it, and the parts of events that both payload formats have. Pure.

Source: API Gateway developer guide, "Working with AWS Lambda proxy integrations for HTTP APIs", and recorded
events; docs/emulator-fidelity.md lists what is recorded and what is assumed.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from emulator.template.project import REGION

# AWS's load balancers remove these headers before API Gateway sees them.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "expect"})
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})
_TRACE_ID = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;[!-~]*)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the client sent it, with the ids and the time that API Gateway adds.

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
        Empty if the request has no body.
    source_ip, port, protocol
        The client's address, the gateway's port, ``HTTP/1.1``.
    request_id : str
        For the event and the ``Apigw-Requestid`` header.
    new_trace_id : str
        The X-Ray header for a request that has no valid one.
    time : datetime
        When the request arrived, in UTC.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    source_ip: str
    port: int
    protocol: str
    request_id: str
    new_trace_id: str
    time: dt.datetime

    @property
    def path(self) -> str:
        """The path for events of both formats: decoded, although AWS names it ``rawPath``."""
        return unquote(self.raw_path, errors="replace")

    @property
    def epoch_ms(self) -> int:
        """When the request arrived, in milliseconds since 1970."""
        return int(self.time.timestamp() * 1000)

    @property
    def clf_time(self) -> str:
        """When the request arrived in common log format, for instance ``09/Mar/2026:07:05:01 +0000``."""
        # Not by strftime, whose %b depends on the machine's language.
        time = self.time
        clock = f"{time.hour:02}:{time.minute:02}:{time.second:02}"
        return f"{time.day:02}/{_MONTHS[time.month - 1]}/{time.year}:{clock} +0000"

    def trace_id(self, header: str) -> str:
        """Return the client's X-Ray header if it is valid, or else a new one."""
        return self.new_trace_id if _TRACE_ID.fullmatch(header) is None else header


@dataclass(frozen=True, slots=True)
class EventSource:
    """The API and stage that events come from.

    Parameters
    ----------
    api_id, account_id, stage : str
        For the request context.
    stage_variables : mapping
        Empty without any.
    region : str
        For the ARNs of routes.
    """

    api_id: str
    account_id: str
    stage: str
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    region: str = REGION


def shared_context(request: HttpRequest, source: EventSource, host: str) -> dict[str, Any]:
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


def readable(value: str) -> str:
    """Return a header's value as text that can be encoded.

    aiohttp decodes bytes that aren't UTF-8 to lone surrogates. Such a value is read as Latin-1 instead.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


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
