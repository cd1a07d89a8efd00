"""The conditions of a copy, which S3 checks and moto does not; those of a plain PUT moto checks itself."""

from __future__ import annotations

from collections.abc import Mapping


def find_copy_error(headers: Mapping[str, str], etag: str | None) -> tuple[int, str, str] | None:
    """Return the status, S3's error code and a message for a copy that may not overwrite its target, or None.

    Parameters
    ----------
    headers : mapping
        Of the request, in any case.
    etag : str or None
        Of the object that is there; None where there is none, or a delete marker on top.
    """
    sent = {name.lower(): value.strip() for name, value in headers.items()}
    if "x-amz-copy-source" not in sent:
        return None
    failed = 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold."
    if sent.get("if-none-match") == "*" and etag is not None:
        return failed
    if "if-match" not in sent:
        return None
    if etag is None:
        return 404, "NoSuchKey", "The specified key does not exist."
    return None if sent["if-match"].strip('"') == etag.strip('"') else failed
