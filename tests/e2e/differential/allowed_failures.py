"""How SAM CLI answers what can't be used and what failed, and why the emulator answers as AWS does."""

from __future__ import annotations

from typing import Any

from tests.e2e.differential.allowance import Allowed, Check, are, like
from tests.e2e.differential.exchange import ABSENT

_JSON, _HTML = "application/json", "text/html"
_SERVER_ERROR = b'{"message":"Internal Server Error"}'
_SAM_FAILS = b'{"message":"Internal server error"}\n'
_TRACE = r'\{"errorMessage": .*"errorType": .*\}'
_AS_HERE = "500 `Internal Server Error`: recorded answers"


def _accepted(body: bytes, **parts: Check) -> dict[str, Check]:
    """SAM answers with the function's own status, type and body what the emulator refuses."""
    return {
        "status": are(200, 500),
        "header.content-type": are(_HTML, _JSON),
        "body": are(body, _SERVER_ERROR),
        **{name.replace("_", "."): check for name, check in parts.items()},
    }


def _is_failure(sam: Any, here: Any) -> bool:
    return sam in {500, 502} and here == 500


FAILURES = (
    Allowed(
        "A `statusCode` that is negative or not a number; a header with a line break",
        sam="502",
        here="500",
        aws=_AS_HERE,
        parts={"status": are(502, 500), "body": are(_SAM_FAILS, _SERVER_ERROR)},
        cases=("a-status-that-is-no-number", "a-status-that-is-negative", "a-header-with-a-line-break", "bare-bytes"),
    ),
    Allowed(
        "A `statusCode` of null",
        sam="200",
        here="500",
        aws="500 (assumed)",
        parts={"status": are(200, 500), "body": are(b"x", _SERVER_ERROR)},
        cases=("a-status-of-null",),
    ),
    Allowed(
        "A `statusCode` of 0",
        sam="200",
        here="500",
        aws="500 (assumed)",
        parts=_accepted(b"x"),
        cases=("a-status-of-0",),
    ),
    Allowed(
        "A `statusCode` of 600",
        sam="Sent",
        here="500",
        aws="500 (assumed)",
        parts={**_accepted(b"x"), "status": are(600, 500)},
        cases=("a-status-of-600",),
    ),
    Allowed(
        "A `statusCode` of 199",
        sam="Sent",
        here="500",
        aws="500 (assumed)",
        parts={**_accepted(b""), "status": are(199, 500)},
        cases=("a-status-of-199",),
    ),
    Allowed(
        "A header that is null",
        sam="`None`",
        here="500",
        aws="500 (assumed)",
        parts={**_accepted(b"x"), "header.x-null": are("None", ABSENT)},
        cases=("a-header-that-is-null",),
    ),
    Allowed(
        "A header that is a list",
        sam="One header each",
        here="500",
        aws="500 (assumed): payload format 2.0 has no headers of several values",
        parts={**_accepted(b"x"), "header.x-list": are("a | b", ABSENT)},
        cases=("a-header-that-is-a-list",),
    ),
    Allowed(
        "`headers` that are a list",
        sam="Taken for pairs",
        here="500",
        aws="500 (assumed)",
        parts={
            "status": are(200, 500),
            "body": are(b"x", _SERVER_ERROR),
            "header.x-a": are("b", ABSENT),
        },
        cases=("headers-that-are-a-list",),
    ),
    Allowed(
        "A header's name that isn't a token; `cookies` that aren't a list",
        sam="Left out",
        here="500",
        aws="500 (assumed)",
        parts=_accepted(b"x"),
        cases=("a-header-with-a-bad-name", "cookies-that-are-no-list"),
    ),
    Allowed(
        "A `body` that is an object",
        sam="As Python writes it",
        here="500",
        aws=_AS_HERE,
        parts=_accepted(b"{'a': 1}"),
        cases=("a-body-that-is-an-object",),
    ),
    Allowed(
        "A `body` that is a number",
        sam="As Python writes it",
        here="500",
        aws="500 (assumed)",
        parts=_accepted(b"7"),
        cases=("a-body-that-is-a-number",),
    ),
    Allowed(
        "A body that is flagged as base64 but isn't",
        sam="Sent as it is",
        here="500",
        aws="500 (assumed)",
        parts=_accepted(b"not base64!"),
        cases=("a-base64-body-that-is-broken",),
    ),
    Allowed(
        "A handler that raises, an answer that isn't JSON, a module or handler that can't be imported",
        sam="200 with the error and its stack trace",
        here="500 `Internal Server Error`, nothing of the error",
        aws=_AS_HERE,
        parts={"status": are(200, 500), "body": like(_TRACE, _SERVER_ERROR.decode())},
        cases=(
            "raise",
            "recursion",
            "set",
            "date",
            "a-module-that-cannot-be-imported",
            "a-module-that-cannot-be-imported-again",
            "a-handler-that-is-not-there",
        ),
    ),
    Allowed(
        "A process that ends, an oversized answer, an answer that can't be written as UTF-8",
        sam="500 or 502, `Internal server error`",
        here="500 `Internal Server Error`",
        aws=_AS_HERE,
        parts={"body": are(_SAM_FAILS, _SERVER_ERROR)},
        cases=(
            "surrogate",
            "7-megabytes",
            "os-exit-0",
            "os-exit-7",
            "sys-exit-0",
            "sys-exit-3",
            "killed",
        ),
    ),
    Allowed(
        "A timeout",
        sam="502 `Internal server error`",
        here="500 `Internal Server Error`",
        aws="As here: the function's own timeout is an error of the function, not of the integration",
        parts={"status": _is_failure, "body": are(_SAM_FAILS, _SERVER_ERROR)},
        cases=("a-timeout",),
    ),
)
