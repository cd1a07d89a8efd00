"""One call of a function and how it ended. Pure; the shapes are those of Lambda's Invoke.

Source: recorded answers of the service; see docs/emulator-fidelity.md.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from emulator.strict_json import read_json

MAX_EVENT_BYTES = 6_291_456
MAX_ANSWER_BYTES = 6_291_556
UNHANDLED = "Unhandled"


class ApiError(NamedTuple):
    """An error of Invoke itself."""

    code: str
    status: int


SNAP_START_ERROR = ApiError("SnapStartException", 400)
SNAP_START_TIMEOUT = ApiError("SnapStartTimeoutException", 408)


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended."""

    payload: bytes  # The function's return value, or the error, as JSON
    function_error: str | None  # `UNHANDLED`, or None for success
    version: str  # The one that ran
    log_tail: bytes | None = None  # The last 4 KB of the invocation's log, if the caller asked for them
    # Lambda's own error, if its API answers with that rather than with the function's
    api_error: ApiError | None = None


class InitFailure(NamedTuple):
    """Why a process didn't become ready."""

    payload: bytes  # The error that the caller gets
    status: str = "error"  # ``error`` or ``timeout``
    error_type: str | None = None  # For the log; None is the payload's
    api_error: ApiError | None = None  # The error of Invoke itself, if it fails
    is_final: bool = False  # True: Lambda doesn't try again inside the invocation

    @property
    def logged_type(self) -> str | None:
        """The type of error that the log names; a timeout has none."""
        if self.status == "timeout":
            return None
        return self.error_type or error_type(self.payload)


@dataclass(slots=True, eq=False)
class Invocation:
    """A call on its way."""

    request_id: str
    payload: bytes  # The event as JSON
    arn: str  # The ARN with the qualifier that the caller used
    trace_id: str
    result: asyncio.Future[InvocationResult] = field(repr=False)  # Set exactly once
    client_context: str | None = None  # JSON
    want_log_tail: bool = False  # Whether the result is to carry the end of the log
    delay_s: float = 0.0  # How long the environment waits before it hands this to the function: an injected fault


def error_payload(error_type: str, message: str) -> bytes:
    """Return an error of the platform's own."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def error_type(payload: bytes) -> str | None:
    """Return the type that an error names; the function itself may have written the error, so it may be anything."""
    kind = _members(payload).get("errorType")
    return kind if isinstance(kind, str) else None


def error_words(payload: bytes) -> str:
    """Return an error as one line."""
    error = _members(payload)
    return f"{error.get('errorType', 'Error')}: {error.get('errorMessage', '')}"


def _members(payload: bytes) -> dict[str, Any]:
    try:
        content = read_json(payload)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def timed_out(request_id: str, timeout_s: float) -> bytes:
    """Return Lambda's answer for a function that took too long."""
    return error_payload(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    )


def exited(request_id: str, status: int | None) -> bytes:
    """Return Lambda's answer for a process that ended amid an invocation; `status` is negative for a signal."""
    if not status:
        cause = "Runtime exited without providing a reason"
    elif status > 0:
        cause = f"Runtime exited with error: exit status {status}"
    else:
        cause = f"Runtime exited with error: signal: {_SIGNAL_WORDS.get(-status, -status)}"
    return error_payload("Runtime.ExitError", f"RequestId: {request_id} Error: {cause}")


def too_large(size_bytes: int) -> bytes:
    """Return Lambda's answer for a function whose answer or error is too large."""
    return error_payload(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size_bytes} bytes) exceeded maximum allowed payload size ({MAX_ANSWER_BYTES} bytes).",
    )


def start_failed(reason: str) -> InitFailure:
    """Return the failure of a process that the emulator itself couldn't start."""
    return InitFailure(error_payload("Runtime.StartFailed", reason), is_final=True)


# As Go's runtime, in which Lambda's supervisor is written, says them.
_SIGNAL_WORDS = {
    2: "interrupt", 4: "illegal instruction", 6: "aborted", 7: "bus error", 8: "floating point exception",
    9: "killed", 11: "segmentation fault", 15: "terminated",
}  # fmt: skip
STOPPED = InitFailure(error_payload("Runtime.ExitError", "stopped"), is_final=True)
