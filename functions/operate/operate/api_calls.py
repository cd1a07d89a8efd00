"""Calls versions of the API's function past the API: events as the API makes them, sent by Lambda's Invoke."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Lambda's words for a version whose snapshot is being made: because it is new, or because nobody called it for 14 days
# and this call has woken it (Lambda developer guide, "Lambda SnapStart and function states").
_NOT_READY = ("SnapStartNotReadyException", "ResourceNotReadyException", "ResourceConflictException")


class NotReadyError(Exception):
    """Lambda is making the version's snapshot; it answers in some minutes."""


class FunctionFailedError(Exception):
    """The version raised, timed out or crashed; the message says which and why."""


def invoke_version(client: Any, version: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version answers to an event.

    Parameters
    ----------
    client : botocore's client of Lambda
        Its other errors are raised.
    version : str
        The ARN of a version or of an alias.
    event : mapping
        As `api_event` makes it.

    Raises
    ------
    NotReadyError
        If the version is inactive or new, and its snapshot isn't ready.
    FunctionFailedError
        If the function failed.
    """
    # Botocore comes with Lambda's Python. Imported here: tests of events need none.
    from botocore.exceptions import ClientError

    try:
        answer = client.invoke(FunctionName=version, Payload=json.dumps(event).encode())
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_READY:
            raise NotReadyError(f"{version} isn't ready: {error}") from error
        raise
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise FunctionFailedError(f"{version} failed: {payload.get('errorMessage', payload)}")
    return payload


def api_event(
    method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return an event of an HTTP API, payload 2.0."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "application/json", "content-type": "application/json", **(headers or {})},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "operate",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "operate",
            },
            "requestId": "operate",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/1970:00:00:00 +0000",
            "timeEpoch": 0,
        },
        "isBase64Encoded": False,
    }  # fmt: skip
    return event if body is None else {**event, "body": body}
