"""Where the answers of SAM CLI differ from the emulator's, and why the emulator's are AWS's."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.differential.allowance import Allowed, are, like
from tests.e2e.differential.allowed_events import GUIDE
from tests.e2e.differential.exchange import ABSENT

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_NOT_FOUND = b'{"message":"Not Found"}'
_TOO_LARGE = b'{"message":"Request Entity Too Large"}'
_SERVER_ERROR = b'{"message":"Internal Server Error"}'
_SAM_NO_ROUTE = b'{"message":"Missing Authentication Token"}\n'
_SAM_FAILS = b'{"message":"Internal server error"}\n'
_TRACE = r'\{"errorMessage": .*"errorType": .*\}'


def _is_python_for_json(sam: Any, here: Any) -> bool:
    """SAM writes as Python does the value that the emulator hands on as JSON."""
    return bool(sam == str(json.loads(here)).encode())


SERVER = Allowed(
    "Headers of the server",
    sam="`Server: Werkzeug`, `Connection: close`, no request id",
    here="`Server: aiohttp`, the connection stays open, `Apigw-Requestid`",
    aws="`Apigw-Requestid`, and the connection stays open; no `Server`",
    parts={
        "header.server": like("Werkzeug/.*", "Python/.* aiohttp/.*"),
        "header.connection": are("close", ABSENT),
        "header.apigw-requestid": like(None, "[A-Za-z0-9_-]{15}="),
    },
)

ANSWERS = (
    Allowed(
        "No such route",
        sam="403 `Missing Authentication Token`, as REST APIs say it",
        here="404 `Not Found`",
        aws="As here: recorded answers",
        parts={"status": are(403, 404), "body": are(_SAM_NO_ROUTE, _NOT_FOUND)},
        cases=(
            "a-path-in-capitals",
            "an-unknown-path",
            "an-unknown-method",
            "options-of-a-get-route",
            "a-missing-greedy-parameter",
            "a-segment-too-many",
        ),
    ),
    Allowed(
        "`HEAD` where there is a route for `GET` alone",
        sam="502",
        here="404 `Not Found`",
        aws="As here: a route answers its own method",
        parts={"status": are(502, 404), "header.content-length": are("36", "23")},
        cases=("head-of-a-get-route",),
    ),
    Allowed(
        "A trailing slash, and a leading double slash",
        sam="Answered by the route without it",
        here="404 `Not Found`",
        aws="As here for the trailing slash: storacha/w3infra pull request 166; for the leading one assumed",
        parts={
            "status": are(200, 404),
            "body": are(ABSENT, _NOT_FOUND),
            "header.x-echo": are("event", ABSENT),
            "event.body": are("", ABSENT),
            "event.isBase64Encoded": are(False, ABSENT),
        },
        cases=("a-trailing-slash", "a-leading-double-slash"),
    ),
    Allowed(
        "An encoded slash in a parameter of one segment",
        sam="403: it ends the segment",
        here="It is part of the segment, decoded",
        aws="As here (assumed)",
        parts={
            "status": are(403, 200),
            "body": are(_SAM_NO_ROUTE, ABSENT),
            "header.x-echo": are(ABSENT, "event"),
            "event.isBase64Encoded": are(ABSENT, False),
        },
        cases=("a-parameter-with-an-encoded-slash",),
    ),
    Allowed(
        "An event over 6 MB, a body over 10 MB",
        sam="200 with the runtime's error: it gets the first 6 MB",
        here="413 `Request Entity Too Large`",
        aws="As here: quotas of HTTP APIs (10 MB) and of Lambda (6 MB)",
        parts={"status": are(200, 413), "body": like(_TRACE, _TOO_LARGE.decode())},
        cases=("an-event-just-over-6-megabytes", "a-body-over-10-megabytes"),
    ),
    Allowed(
        "Octets that are over 6 MB as base64",
        sam="Passed on as text",
        here="413 `Request Entity Too Large`",
        aws="As here: the event is what Lambda measures",
        parts={
            "status": are(200, 413),
            "body": are(ABSENT, _TOO_LARGE),
            "header.x-echo": are("event", ABSENT),
            "event.body": lambda sam, here: isinstance(sam, str) and here is ABSENT,
            "event.isBase64Encoded": are(False, ABSENT),
        },
        cases=("octets-over-6-megabytes-as-base64",),
    ),
    Allowed(
        "The type of an answer with `statusCode` that names none",
        sam="`application/json`",
        here="`text/plain; charset=utf-8`",
        aws="As here: recorded answers",
        parts={"header.content-type": are(_JSON, _TEXT)},
        cases=(
            "a-status-alone",
            "no-content-type-in-the-answer",
            "headers-that-are-null",
            "decimal",
            "bytes",
            "6-megabytes",
        ),
    ),
    Allowed(
        "JSON without `statusCode`",
        sam="As Python writes it: `[1, 'two', None]`, `True`; `null` is nothing",
        here="As the function wrote it",
        aws=f"As here: {GUIDE}",
        parts={"body": _is_python_for_json},
        cases=("a-list", "true", "tuple", "after-an-unusable-answer", "after-an-oversized-answer"),
    ),
    Allowed(
        "`null`",
        sam="Nothing",
        here="`null`",
        aws="As here: the value is the body",
        parts={"body": are(b"", b"null")},
        cases=("null", "none"),
    ),
    Allowed(
        "An object without `statusCode`",
        sam="Written anew, in ASCII",
        here="As the function wrote it",
        aws="As here (assumed): no bytes are touched",
        parts={
            "body": are(
                b'{"a": 1, "text": "\\u20ac", "list": [true, null]}',
                '{"a": 1, "text": "\u20ac", "list": [true, null]}'.encode(),
            )
        },
        cases=("an-object-without-a-status",),
    ),
    Allowed(
        "An object with `headers` and `body` and no `statusCode`",
        sam="Its headers count, and the body is the object",
        here="`application/json`; the body is the object",
        aws=f"As here: {GUIDE}",
        parts={"header.content-type": are("text/html", _JSON)},
        cases=("an-object-with-a-body-and-no-status",),
    ),
    Allowed(
        "An object that looks like an error and was returned",
        sam="500",
        here="200 with the object",
        aws="As here: Lambda marks errors by a header, not by their keys",
        parts={
            "status": are(500, 200),
            "body": are(_SAM_FAILS, b'{"errorMessage": "made up", "errorType": "Error"}'),
        },
        cases=("an-error-by-value",),
    ),
    Allowed(
        "NaN, which isn't JSON",
        sam="As Python says it: `nan`; inside of an answer it is not minded",
        here="500 `Internal Server Error`",
        aws="500 (assumed): AWS's own runtime client writes `NaN`, which isn't JSON",
        parts={"status": are(200, 500), "body": are(b"nan", _SERVER_ERROR)},
        cases=("bare-nan", "nan"),
    ),
    Allowed(
        "Headers that are booleans",
        sam="As Python writes them: `True`",
        here="As JSON writes them: `true`",
        aws="As here (assumed)",
        parts={"header.x-true": are("True", "true"), "header.x-false": are("False", "false")},
        cases=("headers-that-are-booleans",),
    ),
    Allowed(
        "A `Content-Type` with status 304",
        sam="Taken off",
        here="Kept",
        aws="As here (assumed): the function's headers are its own",
        parts={"header.content-type": are(ABSENT, "text/html")},
        cases=("status-304",),
    ),
    Allowed(
        "A `content-length` that the function gives",
        sam="Obeyed: the body is cut",
        here="Ignored: the gateway frames the answer",
        aws="As here (assumed)",
        parts={"body": are(b"f", b"four")},
        cases=("a-content-length-of-the-functions-own",),
    ),
    Allowed(
        '`isBase64Encoded: "true"`',
        sam="Decoded",
        here="Not decoded: a string isn't a boolean",
        aws="Assumed",
        parts={"body": are(b"GIF89a\x01\x00\x01\x00\x00\x00\x00,", b"R0lGODlhAQABAAAAACw=")},
        cases=("a-base64-body-marked-in-a-string",),
    ),
)
