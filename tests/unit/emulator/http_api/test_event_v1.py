"""Payload format 1.0: events, answers, and the event of an authorizer."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from emulator.http_api.authorizers import authorizer_event
from emulator.http_api.events import build_event_v1
from emulator.http_api.requests import EventSource, HttpRequest
from emulator.http_api.responses import INTERNAL_SERVER_ERROR, build_response
from emulator.http_api.routes import RouteMatch
from emulator.template.http_api_spec import Authorizer, HttpRoute

TIME = dt.datetime(2026, 3, 9, 7, 5, 1, 250_000, tzinfo=dt.UTC)


def build(query: str = "", body: bytes = b"", **more: Any) -> dict[str, Any]:
    headers = more.pop(
        "headers",
        [("Host", "api.example.test"), ("X-A", "1"), ("x-a", "2"), ("Cookie", "c=1"), ("User-Agent", "t/1")],
    )
    request = HttpRequest(
        "GET", "/dev/p/7", query, headers, body, "10.0.0.9", 3000, "HTTP/1.1", "id=", "Root=1-0", TIME
    )
    match = RouteMatch(HttpRoute("GET", "/p/{id}", "F"), more.pop("parameters", {}))
    return build_event_v1(request, match, EventSource("Api", "1", "dev", {}))


@pytest.mark.fidelity("payload-format-1")
def test_missing_parts_of_a_request_are_null() -> None:
    event = build()
    assert event["headers"] == {
        "Host": "api.example.test", "X-A": "2", "Cookie": "c=1", "User-Agent": "t/1", "X-Forwarded-For": "10.0.0.9",
        "X-Forwarded-Port": "3000", "X-Forwarded-Proto": "http", "X-Amzn-Trace-Id": "Root=1-0",
        "Content-Length": "0",
    }  # fmt: skip
    assert event["multiValueHeaders"]["X-A"] == ["1", "2"]
    for name in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ):
        assert event[name] is None
    context = event["requestContext"]
    assert (event["version"], event["resource"], event["path"], event["httpMethod"]) == (
        "1.0",
        "/p/{id}",
        "/dev/p/7",
        "GET",
    )
    assert (context["resourcePath"], context["stage"], context["requestId"]) == ("/p/{id}", "dev", "id=")
    assert (context["requestTime"], context["requestTimeEpoch"]) == ("09/Mar/2026:07:05:01 +0000", 1773039901250)
    assert (context["identity"]["sourceIp"], context["identity"]["user"]) == ("10.0.0.9", None)


def test_a_full_request() -> None:
    event = build("a=1&a=2&b=", b"\xff", parameters={"id": "7"})
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["pathParameters"] == {"id": "7"}
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


@pytest.mark.fidelity("payload-format-1")
def test_a_few_headers_are_written_in_awss_way() -> None:
    event = build(
        headers=[
            ("host", "h"), ("user-agent", "t"), ("content-length", "3"), ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-PORT", "1"), ("x-own", "1"),
        ],
        body=b"abc",
    )  # fmt: skip
    assert event["multiValueHeaders"] == {
        "Host": ["h"], "User-Agent": ["t"], "Content-Length": ["3"], "X-Forwarded-For": ["1.1.1.1, 10.0.0.9"],
        "X-Forwarded-Port": ["3000"], "x-own": ["1"], "X-Forwarded-Proto": ["http"], "X-Amzn-Trace-Id": ["Root=1-0"],
    }  # fmt: skip


@pytest.mark.fidelity("lambda-authorizers")
def test_the_authorizers_event_in_format_1() -> None:
    authorizer = Authorizer("A", "F", payload_format="1.0")
    event = authorizer_event(authorizer, build(), ["a", "b"], "arn")
    assert (event["type"], event["methodArn"], event["identitySource"]) == ("REQUEST", "arn", "a,b")
    assert event["authorizationToken"] == "a,b"
    assert event["httpMethod"] == "GET"
    assert "body" not in event


def test_answers() -> None:
    full = {
        "statusCode": 201,
        "headers": {"X-One": "1", "x-two": "lost"},
        "multiValueHeaders": {"X-Two": ["a", "b"], "Set-Cookie": ["c=1", "d=2"]},
        "body": "/w==",
        "isBase64Encoded": True,
    }
    response = build_response(json.dumps(full).encode(), "1.0")
    assert (response.status, response.body) == (201, b"\xff")
    assert response.headers == (
        ("X-One", "1"), ("X-Two", "a"), ("X-Two", "b"), ("Set-Cookie", "c=1"), ("Set-Cookie", "d=2"),
        ("Content-Type", "text/plain; charset=utf-8"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        b"no", b"null", b'"text"', b'{"body": "no status"}', b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "extra": NaN}',
        b'{"statusCode": 200, "multiValueHeaders": {"a": "b"}}', b'{"statusCode": 200, "multiValueHeaders": ["a"]}',
    ],
)  # fmt: skip
def test_an_incomplete_answer_is_an_error(payload: bytes) -> None:
    assert build_response(payload, "1.0") is INTERNAL_SERVER_ERROR
