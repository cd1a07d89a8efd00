"""Requests and answers in the protocols of AWS's services."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.parsers import RpcV2CBORParser

from emulator.lambda_service.errors import LambdaApiError
from emulator.pages import TokenError, page
from emulator.stack_api.http_apis import HttpApiOperations, LocalUrls
from emulator.stack_api.services import AwsServices
from emulator.stack_api.wire import Call, Protocol, answered, list_parameter, not_imitated, read_call, refused

ERROR = LambdaApiError("SomeException", 400, "a < b & c")


def signed(service: str) -> dict[str, str]:
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=key/20261129/us-east-1/{service}/aws4_request, Signature=0"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("POST", "/", {"X-Amz-Target": "Logs_20140328.GetLogEvents"}, b'{"a": 1}',
         Call(Protocol.JSON, "Logs_20140328", "GetLogEvents", {"a": 1}, "Logs_20140328")),
        ("POST", "/", {"X-Amz-Target": "Logs_20140328.GetLogEvents", **signed("logs")}, b"no JSON",
         Call(Protocol.JSON, "logs", "GetLogEvents", {}, "Logs_20140328")),
        ("POST", "/", {"X-Amz-Target": "Logs_20140328.GetLogEvents", **signed("logs")}, b'{"a":' * 100_000,
         Call(Protocol.JSON, "logs", "GetLogEvents", {}, "Logs_20140328")),
        ("POST", "/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, b"Action=A&Version=1",
         Call(Protocol.QUERY, "1", "A", {"Action": "A", "Version": "1"})),
        ("GET", "/?Action=A&Version=1", signed("sts"), b"",
         Call(Protocol.QUERY, "sts", "A", {"Action": "A", "Version": "1"})),
        ("GET", "/?Action=A&Version=1", signed("ec2"), b"",
         Call(Protocol.EC2, "ec2", "A", {"Action": "A", "Version": "1"})),
        ("POST", "/service/Some/operation/Do", {"Smithy-Protocol": "rpc-v2-cbor"}, b"",
         Call(Protocol.CBOR, "Some", "Do")),
        ("GET", "/key?x=1", signed("s3"), b"", Call(Protocol.REST_XML, "s3", "GET /key", {"x": "1"}, "/key")),
        ("GET", "/v2/apis", {}, b"", Call(Protocol.REST_JSON, None, "GET /v2/apis", {}, "/v2/apis")),
    ],
)  # fmt: skip
def test_what_a_request_calls(method: str, path: str, headers: Any, body: bytes, expected: Call) -> None:
    assert read_call(method, path, headers, body) == expected


@pytest.mark.parametrize("protocol", [Protocol.QUERY, Protocol.EC2, Protocol.REST_XML])
def test_errors_in_xml_are_escaped(protocol: Protocol) -> None:
    answer = refused(Call(protocol, "s", "Do"), ERROR, "id")
    assert answer.status == 400
    assert b"<Code>SomeException</Code><Message>a &lt; b &amp; c</Message>" in answer.body


@pytest.mark.fidelity("service-not-imitated")
def test_errors_in_cbor() -> None:
    answer = refused(Call(Protocol.CBOR, "s", "Do"), not_imitated(Call(Protocol.CBOR, "s", "Do")), "id")
    parser = RpcV2CBORParser()
    document = parser.parse_data_item(parser.get_peekable_stream_from_bytes(answer.body))
    assert document == {
        "__type": "NotImplementedException",
        "message": "The emulator does not imitate Do of s. It imitates nothing of this service.",
    }
    assert (answer.status, answer.headers["smithy-protocol"]) == (501, "rpc-v2-cbor")


@pytest.mark.parametrize("protocol", [Protocol.QUERY, Protocol.EC2, Protocol.REST_XML])
@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\udcff", "\uffff", "<"])
def test_an_error_in_xml_can_be_read_whatever_it_names(protocol: Protocol, letter: str) -> None:
    call = Call(protocol, "s", f"Do{letter}")
    text = ElementTree.fromstring(refused(call, not_imitated(call), "id").body).findtext(".//Message")
    assert text is not None
    assert "does not imitate Do" in text


def test_answers_in_xml_and_json() -> None:
    call = Call(Protocol.QUERY, "s", "Do")
    document = {"List": [{"A": True, "B": None}, {"C": "<"}], "Empty": []}
    expected = (
        "<DoResult><List><member><A>true</A></member><member><C>&lt;</C></member></List><Empty></Empty></DoResult>"
    )
    assert expected in answered(call, document, "id").body.decode()
    answer = answered(Call(Protocol.JSON, "s", "Do"), {"a": 1, "b": None}, "id")
    assert (json.load(io.BytesIO(answer.body)), answer.headers["Content-Type"]) == (
        {"a": 1}, "application/x-amz-json-1.1",
    )  # fmt: skip


def test_lists_of_query_parameters_and_pages() -> None:
    assert list_parameter({"A.member.1": "x", "A.member.2": "y", "B": "z"}, "A") == ["x", "y"]
    assert page([1, 2, 3], None, 2) == ([1, 2], "2")
    assert page([1, 2, 3], "2", 2) == ([3], None)
    for token in ("x", "9" * 5000):
        with pytest.raises(TokenError):
            page([], token, 2)


@pytest.mark.fidelity("service-not-imitated")
@pytest.mark.parametrize(("service", "is_for_lambda"), [("lambda", True), (None, True), ("sqs", False), ("s3", False)])
def test_what_is_meant_for_lambda_is_left_to_it(service: str | None, is_for_lambda: bool) -> None:
    services = AwsServices({}, HttpApiOperations([], LocalUrls(dict), dt.datetime.now(dt.UTC)), "1")
    headers = {} if service is None else signed(service)
    answer = asyncio.run(services.answer("GET", "/unknown", headers, b"", "id"))
    assert (answer is None) == is_for_lambda


def test_a_failure_is_answered_in_the_calls_own_protocol(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> Any:
        raise ZeroDivisionError

    apis = HttpApiOperations([], LocalUrls(dict), dt.datetime.now(dt.UTC))
    services = AwsServices({("some",): {"Do": fail}}, apis, "1")
    answer = asyncio.run(services.answer("GET", "/?Action=Do&Version=1", signed("some"), b"", "id"))
    assert answer is not None
    assert (answer.status, b"<Code>InternalFailure</Code>" in answer.body) == (500, True)
    assert [record.message for record in caplog.records] == ["Do failed"]
