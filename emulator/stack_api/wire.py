"""The protocols of AWS's services: which operation a request names, and answers and errors as clients read them. Pure.

Source: Smithy's documents of the AWS protocols. A service that isn't imitated is answered in its own protocol, too, so
that its client shows a message and doesn't fail on the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

from emulator.lambda_service.control_api.answers import ApiAnswer
from emulator.lambda_service.errors import LambdaApiError
from emulator.strict_json import read_json
from emulator.text_formats import xml_node

# Whose answers over REST are XML; all others' are JSON.
_WITH_REST_XML = frozenset(("s3", "s3express", "s3-object-lambda", "cloudfront", "route53"))
_SCOPE = re.compile(r"Credential=[^/]+/[0-9]+/[^/]*/([^/,]+)/aws4_request")
_RPC_PATH = re.compile(r"/service/([^/]+)/operation/([^/?]+)")
_FORM = "application/x-www-form-urlencoded"


class Protocol(Enum):
    """How a service speaks."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "rpc-v2-cbor"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a service."""

    protocol: Protocol
    # The signing name, the prefix of the target, or the version of a query API; None if nothing names the service.
    service: str | None
    # REST APIs have method and path instead.
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""


def read_call(method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the call that a request makes; of REST APIs, the operation is ``METHOD /path``."""
    path, _, query = raw_path.partition("?")
    scope = _SCOPE.search(headers.get("Authorization", ""))
    service = scope[1] if scope else None
    target = headers.get("X-Amz-Target", "")
    if target:
        prefix, _, operation = target.rpartition(".")
        return Call(Protocol.JSON, service or prefix, operation, _read_json(body), prefix)
    rpc = _RPC_PATH.fullmatch(path)
    if rpc is not None and headers.get("Smithy-Protocol"):
        return Call(Protocol.CBOR, service or rpc[1], rpc[2])
    form = body.decode("utf-8", "replace") if headers.get("Content-Type", "").startswith(_FORM) else query
    parameters = dict(parse_qsl(form, keep_blank_values=True))
    if path == "/" and "Action" in parameters and "Version" in parameters:
        protocol = Protocol.EC2 if service == "ec2" else Protocol.QUERY
        return Call(protocol, service or parameters["Version"], parameters["Action"], parameters)
    is_xml = service in _WITH_REST_XML
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    return Call(Protocol.REST_XML if is_xml else Protocol.REST_JSON, service, f"{method} {path}", parameters, path)


def list_parameter(parameters: Mapping[str, str], name: str) -> list[str]:
    """Return a list among a query API's parameters: ``Name.member.1``, ``Name.member.2`` …"""
    numbered = (f"{name}.member.{number}" for number in range(1, len(parameters) + 1))
    return [parameters[key] for key in numbered if key in parameters]


def answered(call: Call, document: Mapping[str, Any], request_id: str) -> ApiAnswer:
    """Return an operation's answer; a member that is None is left out. Times are ``datetime`` for query APIs."""
    if call.protocol is not Protocol.QUERY:
        document = {name: member for name, member in document.items() if member is not None}
        return ApiAnswer(200, json.dumps(document).encode(), {"Content-Type": _json_type(call)})
    content = {f"{call.operation}Result": document, "ResponseMetadata": {"RequestId": request_id}}
    return _xml(200, f"{call.operation}Response", content)


def refused(call: Call, error: LambdaApiError, request_id: str) -> ApiAnswer:
    """Return an error as the clients of the call's protocol read it."""
    details = {"Code": error.code, "Message": error.message}
    content = {"__type": error.code, "message": error.message}
    match call.protocol:
        case Protocol.QUERY:
            kind = "Sender" if error.status < 500 else "Receiver"
            answer = {"Error": {"Type": kind, **details}, "RequestId": request_id}
            return _xml(error.status, "ErrorResponse", answer)
        case Protocol.EC2:
            return _xml(error.status, "Response", {"Errors": {"Error": details}, "RequestID": request_id})
        case Protocol.REST_XML:
            return _xml(error.status, "Error", {**details, "RequestId": request_id})
        case Protocol.CBOR:
            headers = {"Content-Type": "application/cbor", "smithy-protocol": call.protocol.value}
            return ApiAnswer(error.status, _cbor_of_texts(content), headers)
        case _:
            headers = {"Content-Type": _json_type(call), "X-Amzn-ErrorType": error.code}
            return ApiAnswer(error.status, json.dumps(content).encode(), headers)


def not_imitated(call: Call, imitated: Iterable[str] = ()) -> LambdaApiError:
    """Return the error for an operation or a service that isn't imitated; AWS's clients don't repeat a 501."""
    name = f"{call.operation} of {call.service}" if call.service else call.operation
    names = ", ".join(sorted(imitated))
    hint = f"Of this service it imitates {names}." if names else "It imitates nothing of this service."
    if call.service == "s3":
        hint = "The bucket has a port of its own: set AWS_ENDPOINT_URL_S3, or name it with --endpoint-url."
    return LambdaApiError("NotImplementedException", 501, f"The emulator does not imitate {name}. {hint}")


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body or b"{}")
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}


def _json_type(call: Call) -> str:
    return "application/x-amz-json-1.1" if call.protocol is Protocol.JSON else "application/json"


def _xml(status: int, name: str, content: Mapping[str, Any]) -> ApiAnswer:
    document = '<?xml version="1.0"?>\n' + xml_node(name, content, item_name="member")
    return ApiAnswer(status, document.encode(), {"Content-Type": "text/xml"})


def _cbor_of_texts(content: Mapping[str, str]) -> bytes:
    """Return a map of fewer than 24 short texts in CBOR: a map is type 5, a text type 3, with its size in 2 bytes."""
    texts = (text.encode() for item in content.items() for text in item)
    return bytes([0xA0 + len(content)]) + b"".join(b"\x79" + len(text).to_bytes(2, "big") + text for text in texts)
