"""Payload format 2.0: events and answers."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.http_api.events import build_event_v2, encode_body
from emulator.http_api.requests import EventSource, HttpRequest, readable
from emulator.http_api.responses import INTERNAL_SERVER_ERROR, build_response
from emulator.http_api.routes import RouteMatch
from emulator.template.http_api_spec import HttpRoute

TRACE = "Root=1-67891233-abcdef012345678912345678;Sampled=1"
TIME = dt.datetime(2026, 3, 9, 7, 5, 1, 250_000, tzinfo=dt.UTC)


def build(method: str = "GET", path: str = "/p", query: str = "", body: bytes = b"", **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", [("Host", "api.example.test:3000"), ("User-Agent", "t/1")])
    request = HttpRequest(method, path, query, headers, body, "10.0.0.9", 3000, "HTTP/1.1", "id=", "Root=1-0", TIME)
    match = RouteMatch(HttpRoute(method, path, "F"), more.pop("parameters", {}))
    variables = more.pop("variables", {})
    return build_event_v2(request, match, EventSource("Api", "1", "$default", variables))


@pytest.mark.fidelity("event-keys")
def test_a_plain_request_has_exactly_awss_keys() -> None:
    assert build() == {
        "version": "2.0",
        "routeKey": "GET /p",
        "rawPath": "/p",
        "rawQueryString": "",
        "headers": {
            "host": "api.example.test:3000",
            "user-agent": "t/1",
            "x-forwarded-for": "10.0.0.9",
            "content-length": "0",
            "x-forwarded-port": "3000",
            "x-forwarded-proto": "http",
            "x-amzn-trace-id": "Root=1-0",
        },
        "requestContext": {
            "accountId": "1",
            "apiId": "Api",
            "domainName": "api.example.test",
            "domainPrefix": "api",
            "http": {
                "method": "GET",
                "path": "/p",
                "protocol": "HTTP/1.1",
                "sourceIp": "10.0.0.9",
                "userAgent": "t/1",
            },
            "requestId": "id=",
            "routeKey": "GET /p",
            "stage": "$default",
            "time": "09/Mar/2026:07:05:01 +0000",
            "timeEpoch": 1773039901250,
        },
        "isBase64Encoded": False,
    }


@pytest.mark.fidelity("event-keys")
def test_optional_keys_appear_with_their_content() -> None:
    event = build("POST", query="a=1&b=x%20y&a=2&c", body=b"{}", parameters={"id": "7"}, variables={"v": "1"})
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "c": ""}
    assert event["rawQueryString"] == "a=1&b=x%20y&a=2&c"
    assert (event["pathParameters"], event["stageVariables"], event["body"]) == ({"id": "7"}, {"v": "1"}, "{}")


@pytest.mark.fidelity("header-case")
def test_headers_are_lowered_joined_and_cleaned() -> None:
    headers = [
        ("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1; b=2"), ("cookie", "c=3"), ("Connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"), ("X-Forwarded-For", "1.1.1.1"), ("X-Amzn-Trace-Id", TRACE),
    ]  # fmt: skip
    event = build(headers=headers)
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["headers"] == {
        "x-a": "1,2",
        "x-forwarded-for": "1.1.1.1, 10.0.0.9",
        "content-length": "0",
        "x-forwarded-port": "3000",
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": TRACE,
    }


@pytest.mark.parametrize(
    "trace_id", ["", "mine", f"x{TRACE}", "Root=1-0-0", f"{TRACE} ü", f"{TRACE}€", f"{TRACE}\udcff"]
)
def test_an_invalid_trace_id_is_replaced(trace_id: str) -> None:
    assert build(headers=[("X-Amzn-Trace-Id", trace_id)])["headers"]["x-amzn-trace-id"] == "Root=1-0"


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        ("application/json", True), ("Application/JSON; charset=utf-8", True), ("text/csv", True), ("", True),
        ("application/problem+json", True), ("image/svg+xml", True), ("application/javascript", True),
        ("application/x-www-form-urlencoded", False), ("application/octet-stream", False), ("image/png", False),
        ("multipart/form-data; boundary=x", False),
    ],
)  # fmt: skip
@pytest.mark.fidelity("body-encoding")
def test_text_is_not_encoded(content_type: str, is_text: bool) -> None:
    assert encode_body(b"abc", {"content-type": content_type}) == (("abc", False) if is_text else ("YWJj", True))


@pytest.mark.parametrize(
    ("host", "domain"),
    [("a.test", "a.test"), ("a.test:80", "a.test"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")],
)
def test_a_host_without_its_port(host: str, domain: str) -> None:
    assert build(headers=[("Host", host)])["requestContext"]["domainName"] == domain


@given(st.binary())
def test_every_header_can_be_read(value: bytes) -> None:
    text = readable(value.decode("utf-8", "surrogateescape"))
    assert value in {text.encode(), text.encode("latin-1", "replace")}


def test_compressed_text_is_encoded() -> None:
    assert encode_body(b"abc", {"content-type": "text/plain", "content-encoding": "br"}) == ("YWJj", True)
    assert encode_body(b"abc", {"content-type": "text/plain", "content-encoding": "identity"}) == ("abc", False)


@given(st.binary(), st.sampled_from(["application/json", "text/plain", "image/png", ""]))
@pytest.mark.fidelity("body-encoding")
def test_every_body_comes_back(body: bytes, content_type: str) -> None:
    text, is_base64 = encode_body(body, {"content-type": content_type})
    assert (base64.b64decode(text) if is_base64 else text.encode()) == body


def respond(value: Any) -> Any:
    return build_response(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "body"),
    [("text", b"text"), ({"a": 1}, b'{"a": 1}'), ([1, 2], b"[1, 2]"), (None, b"null"), (7, b"7"), ("", b"")],
)
def test_an_answer_without_a_status_is_the_body(value: Any, body: bytes) -> None:
    response = respond(value)
    assert (response.status, response.body) == (200, body)
    assert response.headers == (("Content-Type", "application/json"),)


def test_a_whole_number_is_a_status_in_every_form_that_json_has() -> None:
    assert respond({"statusCode": 201.0}).status == 201


@pytest.mark.fidelity("answer-without-statuscode")
def test_a_full_answer() -> None:
    response = respond(
        {
            "statusCode": "418",
            "headers": {"content-type": "a/b", "X-N": 1, "X-T": True, "Transfer-Encoding": "chunked"},
            "cookies": ["a=1", "b=2"],
            "body": "ü",
        }
    )
    assert response.status == 418
    assert response.headers == (
        ("content-type", "a/b"),
        ("X-N", "1"),
        ("X-T", "true"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )
    assert response.body == "ü".encode()


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": None}, {"statusCode": True}, {"statusCode": "x"}, {"statusCode": 99}, {"statusCode": 600},
        {"statusCode": " 2_0_0 "}, {"statusCode": "٢٠٠"}, {"statusCode": 1e999},
        {"statusCode": 200.5}, {"statusCode": 200, "headers": [1]}, {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "headers": {"a": None}}, {"statusCode": 200, "headers": {"a": "\x7f"}},
        {"statusCode": 200, "headers": {"": "x"}},
        {"statusCode": 200, "body": 1}, {"statusCode": 200, "cookies": "a=1"}, {"statusCode": 200, "cookies": [{}]},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)  # fmt: skip
@pytest.mark.fault(26)
def test_fault_26_an_unusable_answer_is_an_internal_server_error(value: Any) -> None:
    assert respond(value) is INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    "more", [{"headers": {"x": "a" * 10_240}}, {"headers": {"x": "ü" * 5_000}, "cookies": ["b" * 230]}]
)
@pytest.mark.fidelity("response-headers-quota")
def test_headers_over_api_gateways_quota_are_an_internal_server_error(more: dict[str, Any]) -> None:
    assert respond({"statusCode": 200, **more}) is INTERNAL_SERVER_ERROR
    assert respond({"statusCode": 200, "headers": {"x": "a" * 10_200}}).status == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["statusCode", "headers", "body"]), inner)
    ),
)


@given(json_values)
def test_no_answer_of_a_function_breaks_the_gateway(value: Any) -> None:
    response = respond(value)
    assert 200 <= response.status <= 599
    assert all("\n" not in text and "\r" not in text for header in response.headers for text in header)
    assert all(text.encode() is not None for header in response.headers for text in header)


@pytest.mark.parametrize(
    "payload",
    [
        b"{", b"\xff", b"NaN", b"[-Infinity]", b'{"statusCode": 200, "extra": NaN}',
        b'{"statusCode": 200, "extra": {"x": Infinity}}',
        '"text"'.encode("utf-16"), b"[" * 200_000 + b"]" * 200_000,
    ],
)  # fmt: skip
@pytest.mark.fidelity("nan-refused")
def test_an_answer_that_is_not_json_is_an_internal_server_error(payload: bytes) -> None:
    assert build_response(payload) is INTERNAL_SERVER_ERROR
