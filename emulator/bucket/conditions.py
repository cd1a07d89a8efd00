"""Conditions of requests (``If-Match`` and its like) and ranges of bytes, as S3 reads them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from emulator.bucket.answers import S3Error, not_implemented
from emulator.bucket.object_files import ObjectFile

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def check_read(headers: Mapping[str, str], file: ObjectFile, prefix: str = "") -> None:
    """Check the conditions of a GET or HEAD; with ``x-amz-copy-source-`` before their names, those of a copy.

    Raises
    ------
    S3Error
        PreconditionFailed; or NotModified, which a copy answers with PreconditionFailed.
    """
    etag = str(file.facts["etag"])
    modified = dt.datetime.fromisoformat(file.facts["last_modified"]).replace(microsecond=0, tzinfo=dt.UTC)
    if match := headers.get(prefix + "If-Match"):
        if not _matches(match, etag):
            raise _failed("If-Match")
    elif (since := _date(headers, prefix + "If-Unmodified-Since")) is not None and modified > since:
        raise _failed("If-Unmodified-Since")
    if none_match := headers.get(prefix + "If-None-Match"):
        is_same, name = _matches(none_match, etag), "If-None-Match"
    else:
        since, name = _date(headers, prefix + "If-Modified-Since"), "If-Modified-Since"
        is_same = since is not None and modified <= since
    if is_same and prefix:
        raise _failed(name)
    if is_same:
        raise S3Error(304, "NotModified", "Not Modified", {"ETag": f'"{etag}"'})


def check_write(headers: Mapping[str, str], current: ObjectFile | None) -> None:
    """Check the conditions of a write over the object that a GET would give now.

    Raises
    ------
    S3Error
        PreconditionFailed; NoSuchKey, if there is none to match; NotImplemented, for what S3 doesn't know.
    """
    none_match, match = headers.get("If-None-Match"), headers.get("If-Match")
    if none_match is not None and none_match.strip() != "*":
        raise not_implemented("If-None-Match")
    if none_match is not None and current is not None:
        raise _failed("If-None-Match")
    if match is not None and current is None:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    if match is not None and current is not None and not _matches(match, str(current.facts["etag"])):
        raise _failed("If-Match")


def find_range(value: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte of a range and how many follow; None for a header that S3 ignores, as it can't read it.

    Raises
    ------
    S3Error
        InvalidRange: it can be read, and the object has none of its bytes.
    """
    parts = _RANGE.fullmatch((value or "").strip())
    if parts is None or not any(parts.groups()) or max(map(len, parts.groups())) > 19:
        return None
    if parts[1]:
        start, end = int(parts[1]), int(parts[2]) if parts[2] else size_bytes - 1
        if parts[2] and end < start:
            return None
    else:
        start, end = max(0, size_bytes - int(parts[2])), size_bytes - 1
    if start >= size_bytes:
        raise S3Error(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
            {"Content-Range": f"bytes */{size_bytes}"},
            RangeRequested=value,
            ActualObjectSize=size_bytes,
        )
    return start, min(end, size_bytes - 1) - start + 1


def _matches(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or etag in tags


def _date(headers: Mapping[str, str], name: str) -> dt.datetime | None:
    try:
        date = parsedate_to_datetime(headers.get(name, ""))
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=dt.UTC)


def _failed(name: str) -> S3Error:
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error(412, "PreconditionFailed", message, Condition=name)
