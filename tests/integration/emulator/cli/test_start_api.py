"""The HTTP API and Lambda together: real processes and sockets."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from processes import is_running, wait_until

INTERNAL_SERVER_ERROR = b'{"message":"Internal Server Error"}'
SERVICE_UNAVAILABLE = b'{"message":"Service Unavailable"}'


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    return start_for_module("start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"))


@pytest.mark.fidelity("function-surroundings")
def test_a_function_finds_lambdas_surroundings(start: Callable[..., Any], functions: Path) -> None:
    api = start(
        "start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"),
        "--parameter-overrides", 'Greeting="good day"',
        env={"AWS_REGION": "eu-west-3", "SECRET_OF_THE_SHELL": "1", "AWS_ACCESS_KEY_ID": "", "PYTHONSTARTUP": "x"},
    )  # fmt: skip
    first, second = api.get("/do").json, api.get("/do").json
    environ = first["environ"]
    assert environ["GREETING"] == "good day"
    assert environ["BUCKET"] == "basic-store"
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "Basic"
    assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/Basic"
    assert "[$LATEST]" in environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "eu-west-3"
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environ["TZ"] == ":UTC"
    assert environ["AWS_ACCESS_KEY_ID"]
    assert environ["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert "SECRET_OF_THE_SHELL" not in environ
    assert "PYTHONSTARTUP" not in environ
    assert first["cwd"] == environ["LAMBDA_TASK_ROOT"] == first["path"][0]
    source, copy = functions / "basic" / "code", Path(first["cwd"])
    assert copy != source, "what runs is a copy, which edits do not reach"
    assert (copy / "app.py").read_bytes() == (source / "app.py").read_bytes()
    assert first["layer"] == "from the layer"
    assert first["arn"].endswith(":function:Basic")
    assert 0 < first["remaining_ms"] <= 60_000
    assert first["emulator_loaded"] == []
    assert first["threads"] == 1
    assert (first["pid"], first["calls"] + 1) == (second["pid"], second["calls"])
    assert first["request_id"] != second["request_id"]


@pytest.mark.fidelity(
    "raw-path",
    "no-route",
    "apigw-requestid",
)
def test_events_and_routes(api: Any) -> None:
    body = json.dumps({"ä": 1})
    answer = api.get(
        "/files/a%20b/%C3%BC?act=echo&x=1&x=2&empty=", "PUT", body.encode(),
        Content_Type="application/json", Cookie="a=1; b=2", X_Custom="v", Expect="100-continue",
    )  # fmt: skip
    event = answer.json
    assert event["routeKey"] == "ANY /files/{proxy+}"
    assert event["rawPath"] == "/files/a b/ü"
    assert event["pathParameters"] == {"proxy": "a b/ü"}
    assert event["queryStringParameters"] == {"act": "echo", "x": "1,2", "empty": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == (body, False)
    assert event["headers"]["x-custom"] == "v"
    assert "cookie" not in event["headers"]
    assert event["requestContext"]["requestId"] == answer.header("Apigw-Requestid")
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    binary = api.get("/do?act=echo", "POST", b"\xff\x00", Content_Type="application/octet-stream").json
    assert (binary["body"], binary["isBase64Encoded"]) == (base64.b64encode(b"\xff\x00").decode(), True)
    assert "body" not in api.get("/do?act=echo").json
    assert api.get("/items/7?act=echo").json["pathParameters"] == {"id": "7"}
    for path, method in (("/items/7", "POST"), ("/items/", "GET"), ("/nothing", "GET"), ("/files/", "GET")):
        missing = api.get(path, method)
        assert (missing.status, missing.body) == (404, b'{"message":"Not Found"}')
        assert missing.header("Apigw-Requestid")


@pytest.mark.fidelity("compressed-body")
def test_a_compressed_body_reaches_the_handler_as_it_came(api: Any) -> None:
    body = gzip.compress(b'{"a": 1}')
    event = api.get(
        "/do?act=echo", "POST", body, Content_Type="application/json", Content_Encoding="gzip"
    ).json  # fmt: skip
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (body, True)
    assert event["headers"]["content-encoding"] == "gzip"
    assert event["headers"]["content-length"] == str(len(body))


@pytest.mark.fidelity("answer-without-statuscode")
def test_answers(api: Any) -> None:
    def answer(value: Any, method: str = "GET") -> Any:
        return api.get(f"/do?act=answer&json={quote(json.dumps(value))}", method)

    full = answer(
        {
            "statusCode": 201,
            "headers": {"X-One": "1", "Content-Length": "999"},
            "cookies": ["a=1", "b=2"],
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        }
    )
    assert (full.status, full.body, full.header("X-One")) == (201, b"\x00\xff", "1")
    assert full.header("Content-Type") == "text/plain; charset=utf-8"
    assert [value for name, value in full.headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]
    plain = answer("just text")
    assert (plain.status, plain.body, plain.header("Content-Type")) == (200, b"just text", "application/json")
    assert answer({"a": [1]}).body == b'{"a": [1]}'
    assert answer({"statusCode": 204}).body == b""
    head = answer({"statusCode": 200, "body": "four"}, "HEAD")
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", "4")


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    "query",
    [
        "act=raise",
        "act=unserialisable",
        "act=big&size=6300000",
        *(
            f"act=answer&json={quote(json.dumps(unusable))}"
            for unusable in (
                {"statusCode": "no"},
                {"statusCode": 99},
                {"statusCode": 200, "body": {}},
                {"statusCode": 200, "headers": {"a b": "1"}},
                {"statusCode": 200, "headers": {"a": "x\r\nb: 1"}},
                {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
            )
        ),
    ],
)
@pytest.mark.fidelity("answer-too-large", "handler-failures")
def test_fault_26_unusable_answer_is_500_and_the_next_request_is_clean(api: Any, query: str) -> None:
    failed = api.get(f"/do?{query}")
    assert (failed.status, failed.body) == (500, INTERNAL_SERVER_ERROR)
    assert api.get("/do").status == 200


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    "target", ["/do?act=exit&status=7", "/do?act=exit&status=0", "/do?act=kill", "/limited?act=sleep&s=60"]
)
@pytest.mark.fidelity("environment-reset")
def test_fault_24_exit_crash_and_timeout_cost_one_request(api: Any, target: str) -> None:
    path = target.partition("?")[0]
    before = api.get(path).json["pid"]
    failed = api.get(target)
    assert (failed.status, failed.body) == (500, INTERNAL_SERVER_ERROR)
    after = api.get(path)
    assert after.status == 200
    assert after.json["pid"] != before
    assert wait_until(lambda: not is_running(before))


def test_environment_that_ends_while_idle_costs_nothing(api: Any) -> None:
    for _ in range(3):
        assert api.get("/do?act=exit_after").status == 200
        time.sleep(0.06)
        assert api.get("/do").status == 200


@pytest.mark.fault(25)
@pytest.mark.fidelity("one-request-per-environment")
def test_fault_25_two_requests_at_once_get_two_environments(api: Any) -> None:
    api.get("/do")

    def four_at_once() -> bool:
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda _: api.get("/do?act=sleep&s=0.5"), range(4)))
        assert [answer.status for answer in answers] == [200] * 4
        return len({answer.json["pid"] for answer in answers}) == 4

    # A busy machine may have started the last one only when the first was done: then they are warm, and start closer.
    assert wait_until(four_at_once)


@pytest.mark.fault(25)
@pytest.mark.fidelity("concurrency")
def test_fault_25_beyond_the_limit_is_refused_and_counted_again_when_free(api: Any) -> None:
    api.get("/single")
    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda _: api.get("/single?act=sleep&s=0.4"), range(3)))
    assert sorted(answer.status for answer in answers) == [200, 503, 503]
    assert all(answer.body == SERVICE_UNAVAILABLE for answer in answers if answer.status == 503)
    assert api.get("/single").status == 200


@pytest.mark.fault(27)
@pytest.mark.fidelity("environment-killed")
def test_fault_27_environments_killed_under_load_fail_their_own_request_alone(
    start: Callable[..., Any], functions: Path
) -> None:
    api = start("start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"))
    at_once = 4
    victim = None

    def has_begun(invocations: int) -> bool:
        return bool(api.log.count("START RequestId") >= invocations)

    with ThreadPoolExecutor(at_once) as clients:
        for _ in range(5):
            begun = api.log.count("START RequestId") + at_once
            under_way = [clients.submit(api.get, "/do?act=sleep&s=0.8") for _ in range(at_once)]
            # Each environment has one request now, the victim among them.
            assert wait_until(partial(has_begun, begun))
            if victim is not None:
                os.kill(victim, signal.SIGKILL)
            answers = [request.result() for request in under_way]
            assert sorted(answer.status for answer in answers) == [200] * (at_once - 1) + [
                200 if victim is None else 500
            ]
            pids = {answer.json["pid"] for answer in answers if answer.status == 200}
            assert len(pids) == at_once - (victim is not None)
            assert victim not in pids
            victim = pids.pop()


@pytest.mark.fidelity("request-too-large")
def test_limits_on_the_request(api: Any) -> None:
    too_large = b'{"message":"Request Entity Too Large"}'
    event_over_6_mb = api.get("/do?act=echo", "POST", b"x" * 6_300_000, Content_Type="text/plain")
    assert (event_over_6_mb.status, event_over_6_mb.body) == (413, too_large)
    body_over_10_mb = api.get("/do?act=echo", "POST", b"x" * 10_600_000, Content_Type="text/plain")
    assert (body_over_10_mb.status, body_over_10_mb.body) == (413, too_large)
    nearly = api.get("/do", "POST", b"x" * 6_000_000, Content_Type="text/plain")
    assert nearly.status == 200


def test_a_long_header_and_a_whole_url_in_the_request_line(api: Any) -> None:
    long = "x" * 9_000
    assert api.get("/do?act=echo", X_Long=long).json["headers"]["x-long"] == long
    event = api.get(f"{api.url}/files/a?act=echo").json
    assert (event["rawPath"], event["rawQueryString"]) == ("/files/a", "act=echo")


def test_a_client_that_leaves_amid_its_body_is_not_logged(start: Callable[..., Any], functions: Path) -> None:
    api = start("start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"))
    host, port = api.url.removeprefix("http://").split(":")
    head = b"POST /do HTTP/1.1\r\nHost: h\r\n"
    for rest in (b"Content-Length: 100\r\n\r\n0123", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head + rest)
            time.sleep(0.1)
    assert api.get("/do").status == 200
    time.sleep(0.1)
    assert "Traceback" not in api.log


@pytest.mark.fidelity("keep-alive")
def test_chunked_bodies_and_kept_connections(api: Any) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        for _ in range(3):
            connection.sendall(
                b"POST /do?act=echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            received = b""
            while b'"body": "abcde"' not in received:
                received += connection.recv(65_536)
        assert b"transfer-encoding" not in received


def test_a_client_that_leaves_does_not_disturb_the_next(api: Any) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /do?act=sleep&s=0.2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert api.get("/do").status == 200


@pytest.mark.fidelity("report-lines")
def test_log_lines_have_lambdas_form(api: Any) -> None:
    request_id = api.get("/do?act=print&text=gr%C3%BC%C3%9Fe").json["request_id"]
    assert wait_until(lambda: f"REPORT RequestId: {request_id}" in api.log)
    lines = api.log.splitlines()
    start, end = (
        lines.index(f"START RequestId: {request_id} Version: $LATEST"),
        lines.index(f"END RequestId: {request_id}"),
    )
    assert {"grüße", "an error line"} <= set(lines[start:end])
    api.get("/do?act=raise")
    assert wait_until(lambda: "[ERROR] ValueError: as asked" in api.log)


@pytest.mark.fidelity("integration-timeout")
def test_the_api_times_out_before_its_function(api: Any) -> None:
    def idle_environments() -> int:
        functions = {entry["function"]: entry for entry in api.get("/_emulator/status").json["functions"]}
        (pool,) = functions["Hurried"]["environments"]
        return int(pool["byState"]["idle"])

    answer = api.get("/hurried?act=sleep&s=1")
    assert (answer.status, answer.body) == (503, SERVICE_UNAVAILABLE)
    assert wait_until(lambda: idle_environments() == 1)
    assert api.get("/hurried").json["calls"] == 2, "the function was left to finish"
