"""S3's answers and errors, and their XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from emulator.bucket.object_files import ObjectFile
from emulator.text_formats import xml_node

OWNER = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "DisplayName": "emulator"}
_XML = {"Content-Type": "application/xml"}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# Each error's status and usual message.
_ERRORS: Mapping[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationQueryParametersError": (400, "The presigned address has no date, or no time span of at most a week"),
    "BadDigest": (400, "The checksum you specified did not match the calculated checksum."),
    "BucketAlreadyOwnedByYou": (409, "You already own the bucket that you want to create."),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": (409, "The object was changed while it was read. Please try again."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "IllegalVersioningConfigurationException": (400, "The status of versioning must be Enabled or Suspended"),
    "IncompleteBody": (400, "The request body ended unexpectedly, or its chunks have other sizes than they name."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidArgument": (400, "Invalid argument"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (400, "One of the parts was not uploaded, or has another entity tag or checksum."),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (400, "The parts must be in ascending order of their numbers."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid request"),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidURI": (400, "Couldn't parse the specified URI: it is not /bucket/key."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedTrailerError": (400, "The request's trailing headers are not well-formed, or lack an announced one."),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (404, "The specified upload does not exist: it never began, or was completed or aborted."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "The emulator's bucket doesn't implement this."),
    "NotModified": (304, "Not Modified"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match the body."),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a file's body."""

    file: ObjectFile
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to put on the wire. Its body is bytes, or a piece of an open file, which the receiver closes."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    span: Span | None = None
    descriptor: int | None = None


class S3Error(Exception):
    """A refusal in S3's own words.

    Parameters
    ----------
    code : str
        One of S3's codes, which has its status and a message.
    message : str, optional
        What is wrong, in place of the usual message.
    headers : mapping, optional
        More headers of the answer.
    **fields
        More elements of the error's document: which value is wrong.
    """

    def __init__(
        self, code: str, message: str = "", *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> None:
        self.status, usual_message = _ERRORS[code]
        self.code = code
        self.message = message or usual_message
        self.headers = headers or {}
        self.fields = fields
        super().__init__(f"{code}: {self.message}")

    def to_answer(self, resource: str, request_id: str) -> Answer:
        """Return the answer, which boto3 and the AWS CLI understand (and retry, from 500 on)."""
        if self.status == 304:
            return Answer(304, self.headers)
        fields = {"Code": self.code, "Message": self.message, **self.fields}
        error = xml_node("Error", {**fields, "Resource": resource, "RequestId": request_id})
        return Answer(self.status, {**_XML, **self.headers}, _document(error))


def invalid_argument(message: str, name: str, value: object) -> S3Error:
    """Return the error of a parameter or header with a value that S3 doesn't take."""
    return S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def xml_answer(name: str, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with an XML document; for its content see `xml_node`."""
    # S3 lists keys as they are, whatever a client can read.
    node = xml_node(name, content, is_readable=False).replace(f"<{name}>", f'<{name} xmlns="{_NAMESPACE}">', 1)
    return Answer(200, {**_XML, **(headers or {})}, _document(node))


class _WithoutDoctype(ET.TreeBuilder):
    """Refuses a document type: entities are of no use here, and some grow to gigabytes."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise ValueError(name)


def read_xml(body: bytes, root: str) -> ET.Element:
    """Return a document's root element, which has this name, with the namespaces taken off; else MalformedXML."""
    try:
        element = ET.fromstring(body, ET.XMLParser(target=_WithoutDoctype()))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise S3Error("MalformedXML") from error
    for node in element.iter():
        node.tag = node.tag.rpartition("}")[2]
    if element.tag != root:
        raise S3Error("MalformedXML")
    return element


def _document(node: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{node}'.encode()
