"""Requests whose answer is compared: the function says what it is told to, or fails as it is told to."""

from __future__ import annotations

from typing import Any

from tests.e2e.differential.case import Case, answering

_HTML = {"content-type": "text/html"}
_PIXEL = "R0lGODlhAQABAAAAACw="


def _saying(name: str, *, status: int = 200, **keys: Any) -> Case:
    return answering(name, {"statusCode": 200, **keys}, status=status)


def _special(what: str, *, status: int = 200) -> Case:
    return Case(what, f"/answer/{what}", status=status)


SHAPES = (
    answering("an-object-without-a-status", {"a": 1, "text": "\u20ac", "list": [True, None]}),
    answering("an-object-with-a-body-and-no-status", {"body": "text", "headers": _HTML}),
    answering("an-empty-object", {}),
    answering("a-string", "plain text"),
    answering("a-string-of-json", '{"a": 1}'),
    answering("an-empty-string", ""),
    answering("a-list", [1, "two", {"three": None}]),
    answering("a-number", 42),
    answering("a-float", 1.5),
    answering("true", True),
    answering("null", None),
    answering("an-error-by-value", {"errorMessage": "made up", "errorType": "Error"}),
)

STATUSES = (
    answering("a-status-alone", {"statusCode": 200}),
    answering("status-201", {"statusCode": 201, "headers": _HTML, "body": "made"}, status=201),
    answering("status-204", {"statusCode": 204, "headers": _HTML}, status=204),
    answering("status-302", {"statusCode": 302, "headers": {**_HTML, "location": "/echo"}}, status=302),
    answering("status-304", {"statusCode": 304, "headers": {**_HTML, "etag": '"1"'}}, status=304),
    answering("status-404", {"statusCode": 404, "headers": _HTML, "body": "none"}, status=404),
    answering("status-418", {"statusCode": 418, "headers": _HTML, "body": "teapot"}, status=418),
    answering("status-500", {"statusCode": 500, "headers": _HTML, "body": "own error"}, status=500),
    answering("a-status-in-a-string", {"statusCode": "201", "headers": _HTML, "body": "made"}, status=201),
    answering("a-status-that-is-no-number", {"statusCode": "teapot", "body": "x"}, status=500),
    answering("a-status-of-null", {"statusCode": None, "body": "x"}, status=500),
    answering("a-status-of-0", {"statusCode": 0, "headers": _HTML, "body": "x"}, status=500),
    answering("a-status-of-199", {"statusCode": 199, "headers": _HTML, "body": "x"}, status=500),
    answering("a-status-of-600", {"statusCode": 600, "headers": _HTML, "body": "x"}, status=500),
    answering("a-status-that-is-negative", {"statusCode": -1, "headers": _HTML, "body": "x"}, status=500),
)

HEADERS = (
    _saying("no-content-type-in-the-answer", body="text"),
    _saying("a-content-type-in-odd-spelling", headers={"cOnTeNt-TyPe": "text/csv"}, body="a,b"),
    _saying("headers-that-are-numbers", headers={**_HTML, "x-number": 1, "x-float": 1.5}, body="x"),
    _saying("headers-that-are-booleans", headers={**_HTML, "x-true": True, "x-false": False}, body="x"),
    _saying("a-header-that-is-null", headers={**_HTML, "x-null": None}, body="x", status=500),
    _saying("a-header-that-is-a-list", headers={**_HTML, "x-list": ["a", "b"]}, body="x", status=500),
    _saying("a-header-that-is-empty", headers={**_HTML, "x-empty": ""}, body="x"),
    _saying("a-header-with-a-line-break", headers={**_HTML, "x-break": "a\r\nx-more: b"}, body="x", status=500),
    _saying("a-header-with-a-bad-name", headers={**_HTML, "x bad": "a"}, body="x", status=500),
    _saying("headers-that-are-null", headers=None, body="x"),
    _saying("headers-that-are-a-list", headers=[["x-a", "b"]], body="x", status=500),
    _saying("a-content-length-of-the-functions-own", headers={**_HTML, "content-length": "1"}, body="four"),
    _saying("multi-value-headers-are-no-part-of-2.0", headers=_HTML, multiValueHeaders={"x-many": ["a"]}, body="x"),
    _saying("one-cookie", headers=_HTML, cookies=["a=1; Secure; HttpOnly"], body="x"),
    _saying("several-cookies-in-the-answer", headers=_HTML, cookies=["a=1", "b=2; Path=/", "a=3"], body="x"),
    _saying("no-cookies-in-a-list", headers=_HTML, cookies=[], body="x"),
    _saying("a-set-cookie-header-beside-cookies", headers={**_HTML, "set-cookie": "c=3"}, cookies=["a=1"], body="x"),
    _saying("cookies-that-are-no-list", headers=_HTML, cookies="a=1", body="x", status=500),
)

BODIES = (
    _saying("a-body-in-unicode", headers={"content-type": "text/plain; charset=utf-8"}, body="na\u00efve \U0001f600"),
    _saying("a-body-that-is-empty", headers=_HTML, body=""),
    _saying("a-body-that-is-null", headers=_HTML, body=None),
    _saying("a-body-that-is-an-object", headers=_HTML, body={"a": 1}, status=500),
    _saying("a-body-that-is-a-number", headers=_HTML, body=7, status=500),
    _saying("a-base64-body", headers={"content-type": "image/gif"}, body=_PIXEL, isBase64Encoded=True),
    _saying("a-base64-body-that-is-not-marked", headers={"content-type": "image/gif"}, body=_PIXEL),
    _saying("a-base64-body-marked-in-a-string", headers=_HTML, body=_PIXEL, isBase64Encoded="true"),
    _saying("a-base64-body-that-is-broken", headers=_HTML, body="not base64!", isBase64Encoded=True, status=500),
    _saying("a-base64-body-that-is-empty", headers=_HTML, body="", isBase64Encoded=True),
    answering(
        "a-gzip-answer",
        {
            "statusCode": 200,
            "headers": {"content-type": "text/plain", "content-encoding": "gzip"},
            "body": "H4sIAAAAAAACA0tMSgYAwkEkNQMAAAA=",
            "isBase64Encoded": True,
        },
    ),
    answering("the-answer-to-head", {"statusCode": 200, "headers": _HTML, "body": "four"}, method="HEAD"),
)

SPECIAL = (
    _special("none"),
    _special("tuple"),
    _special("integer-key"),
    _special("decimal", status=201),
    _special("bytes"),
    _special("bare-bytes", status=500),
    _special("nan", status=500),
    _special("bare-nan", status=500),
    _special("4-megabytes"),
    _special("6-megabytes"),
)

FAILURES = (
    _special("raise", status=500),
    _special("recursion", status=500),
    _special("set", status=500),
    _special("date", status=500),
    _special("surrogate", status=500),
    Case("after-an-unusable-answer", "/answer/tuple"),
    _special("7-megabytes", status=500),
    Case("after-an-oversized-answer", "/answer/tuple"),
    *(
        Case(how, f"/exit/{how}", status=500)
        for how in ("os-exit-0", "os-exit-7", "sys-exit-0", "sys-exit-3", "killed")
    ),
    Case("after-a-process-that-ended", "/exit/alive"),
    Case("a-timeout", "/slow/sleep", status=500),
    Case("after-a-timeout", "/slow/alive"),
    Case("a-module-that-cannot-be-imported", "/broken", status=500),
    Case("a-module-that-cannot-be-imported-again", "/broken", status=500),
    Case("a-handler-that-is-not-there", "/no-handler", status=500),
)
