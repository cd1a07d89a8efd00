"""S3's answers and errors, and their XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from emulator.bucket.object_files import ObjectFile

OWNER = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "DisplayName": "emulator"}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ESCAPED = re.compile(r"[&<>\"\x00-\x1f\x7f]")
# S3 lists keys with these as they are, in documents that few clients can read. An error must be read.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a file's body."""

    file: ObjectFile
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to put on the wire. Its body is bytes, or a piece of a file."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    span: Span | None = None


class S3Error(Exception):
    """A refusal in S3's own words; ``headers`` and ``fields`` add to the answer."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **fields: object
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.fields = {"Code": code, "Message": message, **fields}

    def to_answer(self, resource: str, request_id: str) -> Answer:
        """Return the answer, which boto3 and the AWS CLI understand (and retry, from 500 on)."""
        if self.status == 304:
            return Answer(304, self.headers)
        fields = {name: _NOT_IN_XML.sub("\ufffd", str(value)) for name, value in self.fields.items()}
        body = xml_node("Error", {**fields, "Resource": resource, "RequestId": request_id})
        return Answer(self.status, {"Content-Type": "application/xml", **self.headers}, _document(body))


def invalid_argument(message: str, name: str, value: object) -> S3Error:
    """Return the error of a parameter or header with a value that S3 doesn't take."""
    return S3Error(400, "InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def invalid_request(message: str) -> S3Error:
    """Return the error of a request that contradicts itself or S3's rules."""
    return S3Error(400, "InvalidRequest", message)


def not_implemented(what: str) -> S3Error:
    """Return the error of something that S3 does and the bucket doesn't; it names that."""
    message = "A header or query you provided implies functionality that is not implemented"
    return S3Error(501, "NotImplemented", f"{message}: {what}")


def malformed_xml() -> S3Error:
    """Return the error of a document that can't be read or has another shape than it must."""
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return S3Error(400, "MalformedXML", message)


def xml_answer(name: str, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with an XML document; for its content see `xml_node`."""
    body = xml_node(name, content).replace(f"<{name}>", f'<{name} xmlns="{_NAMESPACE}">', 1)
    return Answer(200, {"Content-Type": "application/xml", **(headers or {})}, _document(body))


def xml_node(name: str, content: Any) -> str:
    """Return an element: a mapping's items are its children, a list is one element each, None is no element."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(xml_node(name, item) for item in content)
    if isinstance(content, Mapping):
        inner = "".join(xml_node(child, value) for child, value in content.items())
    elif isinstance(content, bool):
        inner = str(content).lower()
    else:
        inner = _ESCAPED.sub(lambda match: f"&#{ord(match[0])};", str(content))
    return f"<{name}>{inner}</{name}>"


class _WithoutDoctype(ET.TreeBuilder):
    """Refuses a document type: entities are of no use here, and some grow to gigabytes."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise ValueError(name)


def read_xml(body: bytes, root: str | None = None) -> ET.Element:
    """Return a document's root element, of this name if one is given, with the namespaces taken off.

    Raises
    ------
    S3Error
        MalformedXML: it isn't XML, has a document type or another root.
    """
    try:
        element = ET.fromstring(body, ET.XMLParser(target=_WithoutDoctype()))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise malformed_xml() from error
    for node in element.iter():
        node.tag = node.tag.rpartition("}")[2]
    if root is not None and element.tag != root:
        raise malformed_xml()
    return element


def _document(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
