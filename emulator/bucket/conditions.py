"""Checks the conditions of a copy, which moto ignores; moto itself checks those of a plain PUT."""

from __future__ import annotations

from collections.abc import Mapping


def find_copy_error(headers: Mapping[str, str], etag: str | None) -> tuple[int, str, str] | None:
    """Return the status, S3's error code and a message for a copy that may not overwrite its target, or None.

    The ETag is that of the target; None if it doesn't exist or has a delete marker on top.
    """
    by_name = {name.lower(): value.strip() for name, value in headers.items()}
    if "x-amz-copy-source" not in by_name:
        return None
    failure = 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold."
    if by_name.get("if-none-match") == "*" and etag is not None:
        return failure
    if "if-match" not in by_name:
        return None
    if etag is None:
        return 404, "NoSuchKey", "The specified key does not exist."
    return None if by_name["if-match"].strip('"') == etag.strip('"') else failure
