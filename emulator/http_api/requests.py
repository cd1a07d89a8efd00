"""A request as the gateway reads it, with what API Gateway adds: ids, the time, the API and its stage. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from emulator.template.project import REGION

_TRACE_ID = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;[!-~]*)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the client sent it, with the ids and the time that API Gateway adds.

    The method is in capitals; path and query are percent-encoded. The headers have the client's order, duplicates
    included. ``port`` is the gateway's. ``request_id`` is also sent as ``Apigw-Requestid``; ``new_trace_id`` is for a
    request that has no valid X-Ray header. The time of arrival is in UTC.
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
    """The API and the stage that events come from; the region is part of the routes' ARNs."""

    api_id: str
    account_id: str
    stage: str
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    region: str = REGION


def readable(value: str) -> str:
    """Return a header's value as text that can be encoded.

    aiohttp decodes bytes that aren't UTF-8 to lone surrogates. Such a value is read as Latin-1 instead.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value
