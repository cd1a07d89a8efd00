"""Reads what a request names: its bucket, key and parameters, in path style or with the bucket in the host's name."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from aiohttp import StreamReader

from emulator.bucket.answers import S3Error, invalid_argument
from emulator.bucket.request_body import RequestBody

# The names that may reach the disk; S3's stricter rules are for new names.
_BUCKET_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,255}")
_MAX_KEY_BYTES = 1024
_MAX_EXPIRES_S = 604_800


@dataclass(frozen=True)
class S3Request:
    """A request: what it names, decoded, and its body as it comes."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    stream: StreamReader
    invite: Callable[[], Awaitable[None]]

    @functools.cached_property
    def body(self) -> RequestBody:
        """The body with its checksums, which a GET doesn't pay for."""
        return RequestBody(self.headers, self.stream, self.invite)

    @property
    def trace_id(self) -> str:
        """The header by which a function's own writes are recognised."""
        return self.headers.get("X-Amzn-Trace-Id", "")

    def number(self, name: str, most: int, least: int = 1) -> int | None:
        """Return a parameter that is a number, or None without it; another value is an InvalidArgument."""
        value = self.query.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and least <= int(value) <= most):
            raise invalid_argument(f"{name} must be an integer between {least} and {most}, inclusive", name, value)
        return int(value)


def read_target(target: str, host_bucket: str) -> tuple[str, str, dict[str, str]]:
    """Return the bucket, the key and the parameters of a request's target; what it doesn't name is empty.

    Parameters
    ----------
    target : str
        Path and query as they came, percent-encoded.
    host_bucket : str
        The bucket that the ``Host`` header names; empty if the path names it.

    Raises
    ------
    S3Error
        InvalidURI, InvalidBucketName or KeyTooLongError.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/") or (path.startswith("//") and not host_bucket) or "#" in target:
        raise S3Error("InvalidURI")
    named, _, key = (host_bucket + path if host_bucket else path[1:]).partition("/")
    try:
        bucket, key = unquote(named, errors="strict"), unquote(key, errors="strict")
        parameters = dict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise S3Error("InvalidURI") from error
    if bucket and not _BUCKET_NAME.fullmatch(bucket):
        raise S3Error("InvalidBucketName", BucketName=bucket)
    check_key(key)
    return bucket, key, parameters


def check_key(key: str) -> None:
    """Refuse a key that is too long with KeyTooLongError."""
    size_bytes = len(key.encode())
    if size_bytes > _MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError", Size=size_bytes, MaxSizeAllowed=_MAX_KEY_BYTES)


def check_expiry(query: Mapping[str, str], now: dt.datetime) -> None:
    """Refuse a presigned address whose time is over. Signatures aren't checked: any key is right."""
    try:
        if "X-Amz-Expires" in query:
            seconds = int(query["X-Amz-Expires"])
            if not 0 <= seconds <= _MAX_EXPIRES_S:
                raise ValueError(seconds)
            signed = dt.datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%S%z")
            end = signed + dt.timedelta(seconds=seconds)
        elif "Signature" in query and "Expires" in query:
            end = dt.datetime.fromtimestamp(int(query["Expires"]), dt.UTC)
        else:
            return
    except (ValueError, OverflowError, OSError) as error:
        raise S3Error("AuthorizationQueryParametersError") from error
    if now > end:
        raise S3Error("AccessDenied", "Request has expired", Expires=end.isoformat(), ServerTime=now.isoformat())
