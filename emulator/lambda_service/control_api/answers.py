"""Lambda's answers over HTTP: JSON documents, errors, throttling. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.lambda_service.control_api.operations_table import message_member
from emulator.lambda_service.errors import LambdaApiError

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer without the headers that every answer has."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def document(status: int, content: Mapping[str, Any] | None) -> ApiAnswer:
    """Return an operation's answer; one without content has no body."""
    if content is None or status == 204:
        return ApiAnswer(status)
    return ApiAnswer(status, _encode(content).encode())


def refused(error: LambdaApiError) -> ApiAnswer:
    """Return an error as the service words it.

    Fidelity: most errors have ``message``, as the service's model says, and clients that read ``Message`` find it too.
    """
    content = {"Type": error.error_type, "Message": error.message, message_member(error.code): error.message}
    headers = {"X-Amzn-ErrorType": error.code}
    if error.reason is not None:
        content = {"Reason": error.reason, "Type": error.error_type, "message": error.message}
        headers["Retry-After"] = "1"
    return ApiAnswer(error.status, _encode(content).encode(), headers)


def too_large(limit_bytes: int, operation: str) -> LambdaApiError:
    """Return the answer to a request over its limit."""
    # Invoke's operation is called InvokeFunction in messages and policies.
    name, code = {"Invoke": ("InvokeFunction", "RequestTooLargeException")}.get(
        operation, (operation, "RequestEntityTooLargeException")
    )
    return LambdaApiError(code, 413, f"Request must be smaller than {limit_bytes} bytes for the {name} operation")
