"""An HTTP API's stages, CORS, authorizers and limits, and odd clients: real processes and sockets."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ORIGIN = "https://app.example.test"


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    return start_for_module("start-api", "-p", "0", "-t", str(functions / "gateway" / "template.yaml"))


@pytest.fixture(scope="module")
def staged(api: Any) -> Any:
    return replace(api, url=re.findall("Running on (.*)", api.log)[1])


def exchange(api: Any, *pieces: bytes, until: int = 1) -> bytes:
    """Send bytes as they are, and return all that comes until the server has closed, or answered so many times."""
    host, port = api.url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        while received.count(b"Apigw-Requestid") < until or not received.rstrip().endswith((b"}", b"\r\n\r\n", b"0")):
            more = connection.recv(65_536)
            if not more:
                break
            received += more
    return received


@pytest.mark.fidelity("cors")
def test_preflight_is_answered_by_the_gateway_for_any_path(api: Any) -> None:
    for path in ("/open/a", "/nothing"):
        answer = api.get(path, "OPTIONS", Origin=ORIGIN, Access_Control_Request_Method="PUT")
        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("Access-Control-Allow-Origin") == ORIGIN
        assert answer.header("Access-Control-Allow-Methods") == "GET,PUT"
        assert answer.header("Access-Control-Allow-Headers") == "x-key"
        assert answer.header("Access-Control-Allow-Credentials") == "true"
        assert answer.header("Access-Control-Max-Age") == "60"
        assert answer.header("Apigw-Requestid")
    strange = api.get("/open/a", "OPTIONS", Origin="https://else.test", Access_Control_Request_Method="PUT")
    assert (strange.status, strange.header("Access-Control-Allow-Origin")) == (204, None)
    assert api.get("/open/a", "OPTIONS", Origin=ORIGIN).json["event"]["requestContext"]["http"]["method"] == "OPTIONS"


@pytest.mark.fidelity("cors")
def test_the_policys_headers_replace_the_functions(api: Any) -> None:
    answer = api.get("/open/a", Origin=ORIGIN)
    assert [value for name, value in answer.headers if name.lower() == "access-control-allow-origin"] == [ORIGIN]
    assert answer.header("Access-Control-Expose-Headers") == "x-answer"
    assert answer.header("X-Answer") == "1"
    assert api.get("/open/a").header("Access-Control-Allow-Origin") is None
    assert api.get("/open/a", Origin="https://else.test").header("Access-Control-Allow-Origin") is None
    missing = api.get("/nothing", Origin=ORIGIN)
    assert (missing.status, missing.header("Access-Control-Allow-Origin")) == (404, ORIGIN)


@pytest.mark.fidelity("lambda-authorizers")
def test_a_simple_authorizer_and_its_cache(api: Any) -> None:
    first = api.get("/simple/1?q=1", "PUT", b"body", X_Key="me", Cookie="a=1")
    context = first.json["event"]["requestContext"]["authorizer"]["lambda"]
    sent = context["asked"]
    assert (sent["version"], sent["type"], sent["identitySource"]) == ("2.0", "REQUEST", ["me"])
    assert sent["routeArn"] == "arn:aws:execute-api:us-east-1:123456789012:Main/$default/PUT/simple/1"
    assert (sent["rawPath"], sent["rawQueryString"], sent["cookies"]) == ("/simple/1", "q=1", ["a=1"])
    assert sent["pathParameters"] == {"id": "1"}
    assert "body" not in sent
    assert sent["requestContext"]["requestId"] == first.header("Apigw-Requestid")
    second = api.get("/simple/2", X_Key="me").json["event"]["requestContext"]["authorizer"]["lambda"]
    assert second["calls"] == context["calls"], "the answer was kept"
    other = api.get("/simple/2", X_Key="you").json["event"]["requestContext"]["authorizer"]["lambda"]
    assert other["asked"]["identitySource"] == ["you"]
    again = [
        api.get("/uncached", X_Key="me").json["event"]["requestContext"]["authorizer"]["lambda"]["calls"]
        for _ in range(2)
    ]
    assert again[1] == again[0] + 1


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        (None, 401, "Unauthorized"),
        ("", 401, "Unauthorized"),
        ("no", 403, "Forbidden"),
        ("raise", 500, "Internal Server Error"),
        ("odd", 500, "Internal Server Error"),
    ],
)
@pytest.mark.fidelity("identity-source-missing")
def test_who_is_not_authorized_is_told_so(api: Any, key: str | None, status: int, message: str) -> None:
    headers = {} if key is None else {"X_Key": key}
    answer = api.get("/simple/1", Origin=ORIGIN, **headers)
    assert (answer.status, answer.json) == (status, {"message": message})
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN
    assert api.get("/simple/1", X_Key="me").status == 200


@pytest.mark.fidelity("disable-authorizer")
def test_authorizers_can_be_disabled(start: Callable[..., Any], functions: Path) -> None:
    open_api = start("start-api", "-p", "0", "-t", str(functions / "gateway" / "template.yaml"), "--disable-authorizer")
    for headers in ({}, {"X_Key": "no"}):
        answer = open_api.get("/simple/1", **headers)
        assert answer.status == 200
        assert "authorizer" not in answer.json["event"]["requestContext"]


@pytest.mark.fidelity("preflight-and-authorizer")
def test_a_preflight_request_to_a_closed_route_has_to_pass_its_authorizer(api: Any) -> None:
    preflight = {"Origin": ORIGIN, "Access_Control_Request_Method": "PUT"}
    assert api.get("/simple/1", "OPTIONS", **preflight).status == 401
    assert api.get("/simple/1", "OPTIONS", X_Key="me", **preflight).status == 204


@pytest.mark.fidelity("authorizer-cache")
def test_a_policy_that_is_kept_is_held_against_each_route(api: Any) -> None:
    allowed = api.get("/policy/one?key=one")
    assert allowed.status == 200
    context = allowed.json["event"]["requestContext"]["authorizer"]["lambda"]
    assert context["arn"].endswith(":Main/$default/GET/policy/one")
    denied = api.get("/policy/two?key=one")
    assert (denied.status, denied.json) == (403, {"message": "Forbidden"})
    again = api.get("/policy/one?key=one").json["event"]["requestContext"]["authorizer"]["lambda"]
    assert again["calls"] == context["calls"]
    assert api.get("/policy/one").status == 401


@pytest.mark.fidelity("route-throttling")
def test_a_throttled_route_is_429_and_the_others_are_free(api: Any) -> None:
    answers = [api.get("/limited") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[3].body == b'{"message":"Too Many Requests"}'
    assert api.get("/open/a").status == 200


@pytest.mark.fidelity("payload-format-1")
def test_payload_format_1(api: Any) -> None:
    event = api.get("/old/7?a=1&a=2", "POST", b"text").json["event"]
    assert (event["version"], event["resource"], event["body"]) == ("1.0", "/old/{id}", "text")
    assert event["pathParameters"] == {"id": "7"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}


@pytest.mark.fidelity("several-stages")
def test_stages_are_told_apart_by_the_path(staged: Any) -> None:
    event = staged.get("/a/1").json["event"]
    assert (event["requestContext"]["stage"], event["rawPath"]) == ("$default", "/a/1")
    assert event["stageVariables"] == {"function": "Echo"}
    blue = staged.get("/blue/a/1").json["blue"]
    assert (blue["requestContext"]["stage"], blue["rawPath"]) == ("blue", "/blue/a/1")
    assert (blue["stageVariables"], blue["pathParameters"]) == ({"function": "Blue"}, {"id": "1"})
    assert staged.get("/blue/b").status == 404
    assert staged.get("/bluer/a/1").status == 404


@pytest.mark.parametrize(
    ("path", "raw_path", "rest"),
    [
        ("/open//a//b/", "/open//a//b/", "/a//b/"),
        ("/open/a/../b/./c", "/open/a/../b/./c", "a/../b/./c"),
        ("/open/a%2Fb%25", "/open/a/b%", "a/b%"),
        ("/open/%E2%82%AC%00", "/open/€\0", "€\0"),
        ("/open/a;b=1,c:@!$&'()*+", "/open/a;b=1,c:@!$&'()*+", "a;b=1,c:@!$&'()*+"),
    ],
)
@pytest.mark.fidelity("path-matching")
def test_odd_paths(api: Any, path: str, raw_path: str, rest: str) -> None:
    event = api.get(path).json["event"]
    assert (event["rawPath"], event["pathParameters"]) == (raw_path, {"rest": rest})


@pytest.mark.fidelity("path-matching")
def test_odd_queries(api: Any) -> None:
    event = api.get("/open/a?=1&b&c=%20+&&d=a=b").json["event"]
    assert event["rawQueryString"] == "=1&b&c=%20+&&d=a=b"
    assert event["queryStringParameters"] == {"": "1", "b": "", "c": "  ", "d": "a=b"}


def test_bytes_that_are_no_utf_8_in_the_request_line(api: Any) -> None:
    received = exchange(api, b"GET /open/\xff\xfe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert received.split(b" ", 2)[1] == b"400"
    assert api.get("/open/a").status == 200


@pytest.mark.fidelity("request-headers-quota")
def test_too_much_of_headers_is_431(api: Any) -> None:
    message = {"message": "Request Header Fields Too Large"}
    several = {f"X_{number}": "x" * 3_000 for number in range(4)}
    long = "x" * 10_300
    for answer in (api.get("/open/a", **several), api.get(f"/open/a?{long}"), api.get("/open/a", X=long)):
        assert (answer.status, answer.json) == (431, message)
    assert api.get("/open/a", X="x" * 9_000).status == 200


@pytest.mark.fidelity("keep-alive")
def test_pipelined_requests_are_answered_in_order(api: Any) -> None:
    request = b"GET /open/%d HTTP/1.1\r\nHost: h\r\n\r\n"
    received = exchange(api, *(request % number for number in range(3)), until=3)
    assert re.findall(rb'"rest": "(\d)"', received) == [b"0", b"1", b"2"]


@pytest.mark.fidelity("head-method")
def test_head_is_a_method_of_its_own(api: Any) -> None:
    head = api.get("/open/a", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.header("Content-Length")) > 0
    missing = api.get("/limited", "HEAD")
    assert (missing.status, missing.body) == (404, b"")


@pytest.mark.fidelity("keep-alive")
def test_a_client_that_waits_to_be_told_to_go_on(api: Any) -> None:
    head = b"PUT /open/a HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"late")
        received = b""
        while b'"body": "late"' not in received:
            more = connection.recv(65_536)
            assert more, received
            received += more
    assert received.startswith(b"HTTP/1.1 200")


def test_a_slow_client_does_not_hold_up_the_others(api: Any) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        rest = b"st: h\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\na"
        for piece in (b"PUT /open/slow HTTP/1.1\r\nHo", rest):
            slow.sendall(piece)
            assert api.get("/open/a").status == 200
        slow.sendall(b"bc")
        received = b""
        while b'"body": "abc"' not in received:
            more = slow.recv(65_536)
            assert more, received
            received += more


@pytest.mark.fidelity("client-gone")
def test_the_function_goes_on_when_its_client_is_gone(api: Any) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    started = api.log.count("REPORT RequestId")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /open/gone?sleep=0.3 HTTP/1.1\r\nHost: h\r\n\r\n")
    deadline = time.monotonic() + 20
    while api.log.count("REPORT RequestId") == started:
        assert time.monotonic() < deadline, "the function was cut off"
        time.sleep(0.02)
    assert json.loads(api.get("/open/a").body)["event"]
    assert "Traceback" not in api.log.replace("ValueError: as asked", "")[-2000:]
