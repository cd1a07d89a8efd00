"""What a request's target names: read here once, and refused where moto's own readers would read it differently."""

from __future__ import annotations

import re
from urllib.parse import unquote

# S3's rules for new names are stricter, and moto holds them; this is what may reach moto and the disk at all.
_BUCKET_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,255}")


def bucket_and_key(target: str) -> tuple[str, str]:
    """Return the bucket and the key that a path-style request names, each empty where it names none."""
    bucket, _, key = target.partition("?")[0].removeprefix("/").partition("/")
    return unquote(bucket), unquote(key)


def find_target_error(target: str) -> tuple[str, str] | None:
    """Return S3's error code and message for a target that cannot be served, or None.

    moto strips every leading slash and cuts a fragment off: a write that it placed elsewhere than this program
    looks for it would be acknowledged and lost.
    """
    if not target.startswith("/") or target.startswith("//") or "#" in target:
        return "InvalidURI", "Couldn't parse the specified URI: it is not /bucket/key."
    bucket, _ = bucket_and_key(target)
    if bucket and not _BUCKET_NAME.fullmatch(bucket):
        return "InvalidBucketName", "The specified bucket is not valid."
    return None


def moto_path(target: str) -> str:
    """Return a target as moto reads it right: to it an unescaped semicolon ends the path."""
    path, mark, query = target.partition("?")
    return path.replace(";", "%3B") + mark + query
