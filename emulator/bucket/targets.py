"""Reads the bucket and the key from a request's target; refuses targets that moto would read differently."""

from __future__ import annotations

import re
from urllib.parse import unquote

# The names that may reach moto and the disk. moto applies S3's stricter rules to new names.
_BUCKET_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,255}")


def bucket_and_key(target: str) -> tuple[str, str]:
    """Return the bucket and the key that a path-style request names, each empty if the request doesn't name one."""
    bucket, _, key = target.partition("?")[0].removeprefix("/").partition("/")
    return unquote(bucket), unquote(key)


def find_target_error(target: str) -> tuple[str, str] | None:
    """Return S3's error code and message for a target that can't be served, or None.

    moto strips every leading slash and cuts a fragment off. It would store the object under another key than this
    program looks for: the write would be acknowledged and lost.
    """
    if not target.startswith("/") or target.startswith("//") or "#" in target:
        return "InvalidURI", "Couldn't parse the specified URI: it is not /bucket/key."
    bucket, _ = bucket_and_key(target)
    if bucket and not _BUCKET_NAME.fullmatch(bucket):
        return "InvalidBucketName", "The specified bucket is not valid."
    return None


def moto_path(target: str) -> str:
    """Return a target with its semicolons escaped: to moto a plain one ends the path."""
    path, mark, query = target.partition("?")
    return path.replace(";", "%3B") + mark + query
