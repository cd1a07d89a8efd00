"""Where `sam local start-lambda` differs from Lambda's API as the emulator has it."""

from __future__ import annotations

from typing import Any

from tests.e2e.differential.allowance import Allowed, are, like
from tests.e2e.differential.exchange import ABSENT

_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_REFERENCE = "Lambda API reference, Invoke"


def _says(error_type: str, message: str) -> str:
    """Return the pattern of a refusal."""
    return rf'\{{"Type": ?"{error_type}", ?"Message": ?"{message}"(,"message":"{message}")?\}}'


def _are_same_places(sam: Any, here: Any) -> bool:
    """Both traces begin in the same file; below what folder it is differs."""
    return bool(sam) and bool(here) and _file_and_rest(sam[-1]) == _file_and_rest(here[-1])


def _file_and_rest(frame: str) -> str:
    return frame.rpartition("/")[2]


def _is_ended_alike(sam: Any, here: Any) -> bool:
    """The messages are one, but for the request's id."""
    return isinstance(sam, str) and isinstance(here, str) and sam.partition(" Error")[2] == here.partition(" Error")[2]


LAMBDA_API = (
    Allowed(
        "Headers of Lambda's API",
        sam="`Server: Werkzeug`, `Connection: close`",
        here="`x-amzn-RequestId`, `X-Amz-Executed-Version`; `Server: aiohttp`",
        aws=f"`x-amzn-RequestId`, `X-Amz-Executed-Version`: {_REFERENCE}; no `Server`",
        parts={
            "header.server": like("Werkzeug/.*", "Python/.* aiohttp/.*"),
            "header.connection": are("close", ABSENT),
            "header.x-amzn-requestid": like(None, _ID),
            "header.x-amz-executed-version": like(None, r"\$LATEST"),
        },
    ),
    Allowed(
        "An event that isn't JSON",
        sam="400 `InvalidRequestContent`",
        here="400 `InvalidRequestContentException`",
        aws=f"As here: {_REFERENCE}; the parser's own words differ",
        parts={
            "header.x-amzn-errortype": are("InvalidRequestContent", "InvalidRequestContentException"),
            "body": like(
                _says("User", "Could not parse request body into json: No JSON object could be decoded"),
                _says("User", "Could not parse request body into json: .*"),
            ),
        },
        cases=("an-event-that-is-no-json",),
    ),
    Allowed(
        "An event that is not UTF-8",
        sam="500 `ServiceException`",
        here="400 `InvalidRequestContentException`",
        aws=f"As here: {_REFERENCE}",
        parts={
            "status": are(500, 400),
            "header.x-amzn-errortype": are("Service", "InvalidRequestContentException"),
            "body": like(
                _says("Service", "ServiceException"), _says("User", "Could not parse request body into json: .*")
            ),
        },
        cases=("an-event-that-is-not-utf-8",),
    ),
    Allowed(
        "An event over 6 MB",
        sam="Invoked",
        here="413 `RequestTooLargeException`",
        aws="As here: recorded answers",
        parts={
            "status": are(200, 413),
            "header.x-amzn-errortype": are(ABSENT, "RequestTooLargeException"),
            "body": like('"x+"', _says("User", "Request must be smaller than 6291456 bytes for the InvokeFunction .*")),
        },
        cases=("an-event-over-6-megabytes",),
    ),
    Allowed(
        "A function that doesn't exist",
        sam="404 `ResourceNotFound`, with a region and an account of its own",
        here="404 `ResourceNotFoundException`, with the ARN asked for",
        aws=f"As here: {_REFERENCE}",
        parts={
            "header.x-amzn-errortype": are("ResourceNotFound", "ResourceNotFoundException"),
            "body": like(
                *[_says("User", "Function not found: arn:aws:lambda:[^:]*:[0-9]+:function:NoSuchFunction")] * 2
            ),
        },
        cases=("an-unknown-function",),
    ),
    Allowed(
        "`?Qualifier=$LATEST`",
        sam="400: no query is supported",
        here="Invoked",
        aws=f"As here: {_REFERENCE}",
        parts={
            "status": are(400, 200),
            "header.x-amzn-errortype": are("InvalidRequestContent", ABSENT),
            "body": like(_says("User", "Query Parameters are not supported"), r'\{"a": 1\}'),
        },
        cases=("latest-in-the-query",),
    ),
    Allowed(
        "A version or alias that doesn't exist",
        sam="400: no query is supported",
        here="404 `ResourceNotFoundException`",
        aws=f"As here: {_REFERENCE}",
        parts={
            "status": are(400, 404),
            "header.x-amzn-errortype": are("InvalidRequestContent", "ResourceNotFoundException"),
            "body": like(
                _says("User", "Query Parameters are not supported"),
                _says("User", "Function not found: arn:aws:lambda:[^:]*:[0-9]+:function:EchoFunction:(nobody|99)"),
            ),
        },
        cases=("an-unknown-alias", "an-unknown-version"),
    ),
    Allowed(
        "Invocation type `DryRun`",
        sam="501",
        here="204, empty",
        aws=f"As here: {_REFERENCE}",
        parts={
            "status": are(501, 204),
            "header.x-amzn-errortype": are("NotImplemented", ABSENT),
            "body": like(_says("LocalService", "invocation-type: DryRun is not supported.*"), ""),
        },
        cases=("dry-run",),
    ),
    Allowed(
        "An unknown invocation type",
        sam="501",
        here="400 `ValidationException`",
        aws="As here, as every value that the service model does not know",
        parts={
            "status": are(501, 400),
            "header.x-amzn-errortype": are("NotImplemented", "ValidationException"),
            "body": like(
                _says("LocalService", "invocation-type: Sometimes is not supported.*"),
                _says("User", "1 validation error detected: Value 'Sometimes' at 'invocationType' .*"),
            ),
        },
        cases=("an-unknown-invocation-type",),
    ),
    Allowed(
        "Log type `Tail`",
        sam="501",
        here="The last 4 KB of the log",
        aws=f"As here: {_REFERENCE}",
        parts={
            "status": are(501, 200),
            "header.x-amzn-errortype": are("NotImplemented", ABSENT),
            "header.x-amz-log-result": like(None, "[A-Za-z0-9+/]+={0,2}"),
            "body": like(_says("LocalService", "log-type: Tail is not supported.*"), r'\{"a": 1\}'),
        },
        cases=("the-log-s-tail",),
    ),
    Allowed(
        "Errors of a function written in Python",
        sam="Not marked as errors",
        here="`X-Amz-Function-Error: Unhandled`",
        aws=f"As here: {_REFERENCE}",
        parts={"header.x-amz-function-error": are(ABSENT, "Unhandled")},
        cases=(
            "raise",
            "set",
            "sleep",
            "a-module-that-cannot-be-imported",
            "a-handler-that-is-not-there",
        ),
    ),
    Allowed(
        "Ids of requests in errors",
        sam="The request's",
        here="The request's",
        aws="The request's: no two are the same",
        parts={"error.requestId": like(_ID, _ID)},
        cases=("raise", "set"),
    ),
    Allowed(
        "Files in stack traces",
        sam="Below `/var/task`",
        here="Below the folder that the function runs from",
        aws="Below `/var/task`, which only a container can have",
        parts={"error.stackTrace": _are_same_places},
        cases=("raise",),
    ),
    Allowed(
        "Stack traces of imports",
        sam="Of its Python 3.13",
        here="Of the emulator's own Python",
        aws="Of the function's runtime",
        parts={"error.stackTrace": lambda sam, here: bool(sam) and bool(here)},
        cases=("a-module-that-cannot-be-imported",),
    ),
    Allowed(
        "A process that ended",
        sam="The message names the request",
        here="The message names the request",
        aws="As here: no two are the same",
        parts={"error.errorMessage": _is_ended_alike},
        cases=("os-exit-0", "os-exit-7", "sys-exit-0", "sys-exit-3", "killed"),
    ),
    Allowed(
        "A timeout, of Lambda's API",
        sam="200 with the bare message, which isn't JSON",
        here="`Sandbox.Timedout`, with the request's id",
        aws="As here: recorded answers",
        parts={
            "body": are(b"Task timed out after 1.00 seconds", ABSENT),
            "error.errorType": are(ABSENT, "Sandbox.Timedout"),
            "error.errorMessage": like(None, f"RequestId: {_ID} Error: Task timed out after 1.00 seconds"),
        },
        cases=("sleep",),
    ),
    Allowed(
        "The message of an oversized answer",
        sam="Names the limit",
        here="Names the limit and the size",
        aws="Both have been recorded, at different times",
        parts={
            "error.errorMessage": like(
                r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
                r"Response payload size \(7340106 bytes\) exceeded maximum allowed payload size \(6291556 bytes\)\.",
            )
        },
        cases=("7-megabytes",),
    ),
)
