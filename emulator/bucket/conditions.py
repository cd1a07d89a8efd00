"""Conditions of requests (``If-Match`` and its like) and ranges of bytes, as S3 reads them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from emulator.bucket.answers import S3Error
from emulator.bucket.object_files import ObjectFile

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


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
            raise S3Error("PreconditionFailed", Condition="If-Match")
    elif (since := _date(headers, prefix + "If-Unmodified-Since")) is not None and modified > since:
        raise S3Error("PreconditionFailed", Condition="If-Unmodified-Since")
    if none_match := headers.get(prefix + "If-None-Match"):
        is_same, name = _matches(none_match, etag), "If-None-Match"
    else:
        since, name = _date(headers, prefix + "If-Modified-Since"), "If-Modified-Since"
        is_same = since is not None and modified <= since
    if is_same and prefix:
        raise S3Error("PreconditionFailed", Condition=name)
    if is_same:
        raise S3Error("NotModified", headers={"ETag": f'"{etag}"'})


def check_write(headers: Mapping[str, str], current: ObjectFile | None) -> None:
    """Check the conditions of a write over the object that a GET would give now.

    Raises
    ------
    S3Error
        PreconditionFailed; NoSuchKey, if there is none to match; NotImplemented, for what S3 doesn't know.
    """
    none_match, match = headers.get("If-None-Match"), headers.get("If-Match")
    if none_match is not None and none_match.strip() != "*":
        raise S3Error("NotImplemented", "A write knows no If-None-Match but *.")
    if none_match is not None and current is not None:
        raise S3Error("PreconditionFailed", Condition="If-None-Match")
    if match is not None and current is None:
        raise S3Error("NoSuchKey")
    if match is not None and current is not None and not _matches(match, str(current.facts["etag"])):
        raise S3Error("PreconditionFailed", Condition="If-Match")


def find_range(value: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte of a range and how many follow; None for a header that S3 ignores, as it can't read it.

    A range of which the object has no byte is an InvalidRange.
    """
    match = _RANGE.fullmatch((value or "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, size_bytes - int(last))
    end = int(last) if first and last else size_bytes - 1
    if first and last and end < start:
        return None
    if start >= size_bytes:
        unsatisfied = {"Content-Range": f"bytes */{size_bytes}"}
        raise S3Error("InvalidRange", headers=unsatisfied, RangeRequested=value, ActualObjectSize=size_bytes)
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
