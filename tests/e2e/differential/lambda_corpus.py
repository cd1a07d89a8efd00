"""Requests to Lambda's own API: functions invoked by name, and what is wrong with a call."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.differential.case import Case, all_named_once

_FUNCTIONS = "/2015-03-31/functions"
_MEGABYTE = 1024 * 1024
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:EchoFunction"


def _invoking(
    name: str, event: Any, *, function: str = "EchoFunction", query: str = "", status: int = 200, **headers: str
) -> Case:
    """Return an invocation; a bytes event goes as it is, underscores in headers' names become hyphens."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    named = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    return Case(name, f"{_FUNCTIONS}/{function}/invocations{query}", "POST", named, body, status=status)


def _failing(how: str, *, function: str = "ExitFunction") -> Case:
    return _invoking(how, {"what": how}, function=function)


PAYLOADS = (
    _invoking("an-object", {"a": [1, 2.5, None], "\u00e4": "\u20ac"}),
    _invoking("an-event-that-is-a-list", [1, "two"]),
    _invoking("an-event-that-is-a-string", "text"),
    _invoking("an-event-that-is-a-number", 7),
    _invoking("an-event-that-is-true", True),
    _invoking("an-event-that-is-null", None),
    _invoking("no-event", b""),
    _invoking("an-event-with-spaces", b' {"a" : 1} '),
    _invoking("an-event-of-another-content-type", {"a": 1}, Content_Type="text/plain"),
    _invoking("an-event-that-is-no-json", b'{"a": ', status=400),
    _invoking("an-event-that-is-not-utf-8", b'"\xff"', status=400),
    _invoking("an-event-over-6-megabytes", "x" * 6 * _MEGABYTE, status=413),
)

NAMES = (
    _invoking("by-arn", {"a": 1}, function=_ARN),
    _invoking("by-partial-arn", {"a": 1}, function="123456789012:function:EchoFunction"),
    _invoking("by-encoded-arn", {"a": 1}, function=_ARN.replace(":", "%3A")),
    _invoking("an-unknown-function", {}, function="NoSuchFunction", status=404),
    _invoking("latest-in-the-query", {"a": 1}, query="?Qualifier=%24LATEST"),
    _invoking("latest-in-the-name", {"a": 1}, function="EchoFunction:$LATEST"),
    _invoking("an-unknown-alias", {"a": 1}, query="?Qualifier=nobody", status=404),
    _invoking("an-unknown-version", {"a": 1}, query="?Qualifier=99", status=404),
)

TYPES = (
    _invoking("request-response", {"a": 1}, X_Amz_Invocation_Type="RequestResponse"),
    _invoking("event", {"a": 1}, X_Amz_Invocation_Type="Event", status=202),
    _invoking("dry-run", {"a": 1}, X_Amz_Invocation_Type="DryRun", status=204),
    _invoking("an-unknown-invocation-type", {"a": 1}, X_Amz_Invocation_Type="Sometimes", status=400),
    _invoking("the-log-s-tail", {"a": 1}, X_Amz_Log_Type="Tail"),
    _invoking("no-log", {"a": 1}, X_Amz_Log_Type="None"),
)

FAILURES = (
    _invoking("raise", {"what": "raise"}, function="AnswerFunction"),
    _invoking("set", {"what": "set"}, function="AnswerFunction"),
    _invoking("none", {"what": "none"}, function="AnswerFunction"),
    _invoking("7-megabytes", {"what": "7-megabytes"}, function="AnswerFunction"),
    _invoking("after-an-oversized-answer", {"what": "none"}, function="AnswerFunction"),
    *(_failing(how) for how in ("os-exit-0", "os-exit-7", "sys-exit-0", "sys-exit-3", "killed")),
    _invoking("after-a-process-that-ended", {"what": "alive"}, function="ExitFunction"),
    _failing("sleep", function="SlowFunction"),
    _invoking("after-a-timeout", {"what": "alive"}, function="SlowFunction"),
    _invoking("a-module-that-cannot-be-imported", {}, function="BrokenFunction"),
    _invoking("a-handler-that-is-not-there", {}, function="NoHandlerFunction"),
)

LAMBDA_API: tuple[Case, ...] = all_named_once(PAYLOADS, NAMES, TYPES, FAILURES)
