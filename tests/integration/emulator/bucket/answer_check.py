"""Checks an S3 answer against botocore's own model of the service.

A client parses what it knows and drops the rest, so an answer of a wrong shape may go unnoticed. These checks look at
the bytes: each header, each element of the document and each text in it must be what the model has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

# S3's codes with their statuses, as its reference lists them. The model has few of them.
STATUS_BY_CODE = {
    **dict.fromkeys(
        (
            "BadDigest", "EntityTooLarge", "EntityTooSmall", "IncompleteBody", "InvalidArgument", "InvalidBucketName",
            "InvalidDigest", "InvalidLocationConstraint", "InvalidPart", "InvalidPartOrder", "InvalidRequest",
            "InvalidTag", "InvalidURI", "KeyTooLongError", "MalformedXML", "MetadataTooLarge",
            "XAmzContentSHA256Mismatch", "IllegalVersioningConfigurationException", "MalformedTrailerError",
        ),
        400,
    ),
    **dict.fromkeys(("AccessDenied", "SignatureDoesNotMatch"), 403),
    **dict.fromkeys(
        ("NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NoSuchTagSet", "404",
         "ServerSideEncryptionConfigurationNotFoundError"),
        404,
    ),
    **dict.fromkeys(("MethodNotAllowed", "405"), 405),
    **dict.fromkeys(("BucketAlreadyExists", "BucketAlreadyOwnedByYou", "BucketNotEmpty", "ConditionalRequestConflict"),
                    409),
    "MissingContentLength": 411,
    **dict.fromkeys(("PreconditionFailed", "412"), 412),
    **dict.fromkeys(("InvalidRange", "InvalidPartNumber", "416"), 416),
    "304": 304,
    "400": 400,
    "403": 403,
    "InternalError": 500,
    "NotImplemented": 501,
}  # fmt: skip
# Members that S3 always answers, which the model doesn't require.
ALWAYS = {
    "ListObjects": {"Name", "Prefix", "Marker", "MaxKeys", "IsTruncated"},
    "ListObjectsV2": {"Name", "Prefix", "MaxKeys", "KeyCount", "IsTruncated"},
    "ListObjectVersions": {"Name", "Prefix", "KeyMarker", "VersionIdMarker", "MaxKeys", "IsTruncated"},
    "ListParts": {"Bucket", "Key", "UploadId", "PartNumberMarker", "MaxParts", "IsTruncated", "StorageClass"},
    "ListMultipartUploads": {"Bucket", "KeyMarker", "UploadIdMarker", "MaxUploads", "IsTruncated"},
    "CreateMultipartUpload": {"Bucket", "Key", "UploadId"},
    "CompleteMultipartUpload": {"Location", "Bucket", "Key", "ETag"},
    "GetObject": {"LastModified", "ETag", "ContentLength", "ContentType", "AcceptRanges"},
    "HeadObject": {"LastModified", "ETag", "ContentLength", "ContentType", "AcceptRanges"},
    "PutObject": {"ETag"},
    "UploadPart": {"ETag"},
}
# What every answer may have, and what HTTP itself has.
_COMMON_HEADERS = frozenset({"x-amz-request-id", "x-amz-id-2", "x-amz-bucket-region", "x-amzn-requestid"})
_TEXTS = {
    "boolean": re.compile(r"true|false"),
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"),
}


class AnswerCheck:
    """Handlers of a client's ``after-call`` event; a wrong answer raises ``AssertionError`` in the call."""

    def register(self, client: Any) -> None:
        client.meta.events.register("after-call.s3", self)

    def __call__(self, http_response: Any, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        faults = list(find_faults(model, http_response, parsed))
        assert not faults, f"{model.name}: {'; '.join(faults)}"


def find_faults(model: Any, http_response: Any, parsed: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an answer has that the operation's model doesn't allow, and what it lacks."""
    status = http_response.status_code
    if status >= 300:
        yield from _error_faults(model, http_response, parsed)
        return
    due = {model.http.get("responseCode", 200)} | ({200, 206} if model.name in {"GetObject", "HeadObject"} else set())
    if status not in due:
        yield f"status {status} for {due}"
    if "x-amz-request-id" not in http_response.headers:
        yield "no x-amz-request-id"
    shape = model.output_shape
    if shape is None:
        return
    yield from _header_faults(shape, http_response.headers)
    for member in ALWAYS.get(model.name, set()) - set(parsed):
        yield f"{member} is missing"
    payload = shape.serialization.get("payload")
    body_shape = shape.members[payload] if payload else shape
    if not model.has_streaming_output and http_response.content:
        root = ElementTree.fromstring(http_response.content)
        yield from _element_faults(root, body_shape, _bare(root.tag))


def _error_faults(model: Any, http_response: Any, parsed: Mapping[str, Any]) -> Iterator[str]:
    code, status = parsed["Error"]["Code"], http_response.status_code
    due = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}.get(
        code, STATUS_BY_CODE.get(code)
    )
    if due != status:
        yield f"status {status} for {code}, which has {due}"
    if model.http["method"] == "HEAD" or status == 304:
        return
    root = ElementTree.fromstring(http_response.content)
    if _bare(root.tag) != "Error" or root.tag != "Error":
        yield f"an error is <Error> without a namespace, not {root.tag}"
    names = {child.tag for child in root}
    if not {"Code", "Message", "RequestId"} <= names:
        yield f"an error has Code, Message and RequestId, not {names}"
    if not root.findtext("Message"):
        yield "an empty Message"


def _header_faults(shape: Any, headers: Mapping[str, str]) -> Iterator[str]:
    by_name, prefixes = {}, []
    for member in shape.members.values():
        location = member.serialization.get("location")
        if location == "header":
            by_name[member.serialization["name"].lower()] = member
        elif location == "headers":
            prefixes.append(member.serialization["name"].lower())
    for name, value in ((name.lower(), value) for name, value in headers.items()):
        if name in by_name:
            yield from _text_faults(value, by_name[name], name, is_header=True)
        elif name.startswith("x-amz") and name not in _COMMON_HEADERS and not name.startswith(tuple(prefixes)):
            yield f"the model has no header {name}"


def _element_faults(element: ElementTree.Element, shape: Any, place: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _structure_faults(element, shape, place)
    elif shape.type_name == "list":
        for item in element:
            yield from _element_faults(item, shape.member, f"{place}/{_bare(item.tag)}")
    else:
        yield from _text_faults(element.text or "", shape, place)


def _structure_faults(element: ElementTree.Element, shape: Any, place: str) -> Iterator[str]:
    members, children = {}, {_bare(child.tag) for child in element}
    for name, member in shape.members.items():
        if member.serialization.get("location"):
            continue
        is_flat = member.type_name == "list" and member.serialization.get("flattened")
        tag = member.serialization.get("name") or (is_flat and member.member.serialization.get("name")) or name
        members[tag] = member.member if is_flat else member
        if name in shape.required_members and tag not in children:
            yield f"{place}/{tag} is required"
    for child in element:
        tag = _bare(child.tag)
        if tag in members:
            yield from _element_faults(child, members[tag], f"{place}/{tag}")
        else:
            yield f"the model has no {place}/{tag}"


def _text_faults(text: str, shape: Any, place: str, *, is_header: bool = False) -> Iterator[str]:
    pattern = None if is_header and shape.type_name == "timestamp" else _TEXTS.get(shape.type_name)
    if pattern is not None and not pattern.fullmatch(text):
        yield f"{place} is {text!r}, which isn't {shape.type_name}"
    if getattr(shape, "enum", None) and text not in shape.enum:
        yield f"{place} is {text!r}, which isn't one of {shape.enum}"


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]
