"""Operations on objects: GET, HEAD, PUT and DELETE."""

from __future__ import annotations

import re
from collections.abc import Mapping

from emulator.bucket import checksums
from emulator.bucket.answers import (
    Answer,
    S3Error,
    Span,
    invalid_argument,
    invalid_request,
    malformed_xml,
    read_xml,
    xml_answer,
)
from emulator.bucket.conditions import check_read, check_write, find_range
from emulator.bucket.object_facts import (
    checksum_headers,
    http_date,
    object_headers,
    read_object_headers,
)
from emulator.bucket.object_files import ObjectFile
from emulator.bucket.operations.new_objects import (
    body_facts,
    keep_object,
    received,
    version_headers,
    written_headers,
)
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request, check_key

_RESPONSE_PARAMETERS = tuple(
    f"response-{name}"
    for name in ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type",
                 "expires")
)  # fmt: skip
# A new line would begin another header; a tab alone is allowed.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


async def get_object(store: Store, request: S3Request) -> Answer:
    """GetObject, HeadObject: the object or a version, whole, a range of it or one of its parts."""
    file = store.version(request.bucket, request.key, request.query.get("versionId"))
    if file.facts["delete_marker"]:
        headers = {"x-amz-delete-marker": "true", "Allow": "DELETE", "Last-Modified": http_date(file.facts)}
        message = "The specified method is not allowed against this resource."
        raise S3Error(405, "MethodNotAllowed", message, headers, Method=request.method, ResourceType="DeleteMarker")
    check_read(request.headers, file)
    span, headers = _find_span(file, request)
    headers = {**object_headers(file.facts), **version_headers(store.bucket(request.bucket), file), **headers}
    headers |= _replaced_headers(request)
    is_part = span.size_bytes != file.size_bytes or "Content-Range" in headers
    if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and not is_part:
        headers |= checksum_headers(file.facts)
    return Answer(206 if "Content-Range" in headers else 200, headers, span=span)


def _replaced_headers(request: S3Request) -> dict[str, str]:
    """Return the headers that a GET's address sets; a header has no control characters."""
    headers = {}
    for parameter in _RESPONSE_PARAMETERS:
        value = request.query.get(parameter)
        if value is not None and _CONTROL.search(value):
            raise invalid_argument("Header value cannot be represented using ISO-8859-1.", parameter, value)
        if value is not None:
            headers[parameter.removeprefix("response-")] = value
    return headers


def _find_span(file: ObjectFile, request: S3Request) -> tuple[Span, dict[str, str]]:
    """Return the bytes that a GET asks for, and the headers that say which they are."""
    value, number = request.headers.get("Range"), request.number("partNumber", 10_000)
    parts = file.facts.get("parts")
    headers = {"x-amz-mp-parts-count": str(len(parts))} if parts and number else {}
    if number is None:
        found = find_range(value, file.size_bytes)
    elif value is not None:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    else:
        sizes = [size for size, _ in parts] if parts else [file.size_bytes]
        if number > len(sizes):
            raise S3Error(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
        found = sum(sizes[: number - 1]), sizes[number - 1]
        if parts and parts[number - 1][1] and request.headers.get("x-amz-checksum-mode"):
            headers[checksums.header_name(file.facts["checksum_algorithm"])] = parts[number - 1][1]
    if found is None:
        return Span(file, 0, file.size_bytes), headers
    start, size = found
    if file.size_bytes:
        headers["Content-Range"] = f"bytes {start}-{start + size - 1}/{file.size_bytes}"
    return Span(file, start, size), headers


async def put_object(store: Store, request: S3Request) -> Answer:
    """PutObject: the body is on disk, and its checksums are verified, before the object takes its place."""
    facts = {"key": request.key, **read_object_headers(request.headers)}
    request.body.check_length()
    check_write(request.headers, store.bucket(request.bucket).current(request.key))
    algorithm = request.body.algorithm or checksums.DEFAULT_ALGORITHM
    checksum = request.body.also_compute(algorithm)
    async with received(store, request, facts) as writer:
        facts |= body_facts(request, algorithm, checksum)
        bucket, file = await keep_object(store, request, writer, facts, "ObjectCreated:Put")
    return Answer(200, {**written_headers(bucket, file), **checksum_headers(facts)})


async def delete_object(store: Store, request: S3Request) -> Answer:
    """DeleteObject: the object, or for good one of its versions."""
    version_id = request.query.get("versionId")
    async with store.changing(request.bucket, request.key) as bucket:
        if "If-Match" in request.headers:
            check_write({"If-Match": request.headers["If-Match"]}, bucket.current(request.key))
        return Answer(204, await store.delete(bucket, request.key, version_id, request.trace_id))


async def delete_objects(store: Store, request: S3Request) -> Answer:
    """DeleteObjects: up to a thousand, each with its own outcome."""
    root = read_xml(await request.body.document(), "Delete")
    objects = root.findall("Object")
    if not 0 < len(objects) <= 1000 or any(not item.findtext("Key") for item in objects):
        raise malformed_xml()
    is_quiet = root.findtext("Quiet", "").strip().lower() == "true"
    deleted: list[Mapping[str, object]] = []
    errors: list[Mapping[str, object]] = []
    for item in objects:
        key, version_id, etag = item.findtext("Key", ""), item.findtext("VersionId"), item.findtext("ETag")
        named = {"Key": key, "VersionId": version_id}
        try:
            check_key(key)
            async with store.changing(request.bucket, key) as bucket:
                check_write({"If-Match": etag} if etag else {}, bucket.current(key))
                headers = await store.delete(bucket, key, version_id, request.trace_id)
        except S3Error as error:
            if error.code in {"NoSuchBucket", "InternalError"}:
                raise
            errors.append(named | {"Code": error.code, "Message": str(error.fields["Message"])})
            continue
        is_marker = headers.get("x-amz-delete-marker")
        marker_id = headers.get("x-amz-version-id") if is_marker else None
        deleted.append(named | {"DeleteMarker": is_marker, "DeleteMarkerVersionId": marker_id})
    return xml_answer("DeleteResult", {"Deleted": [] if is_quiet else deleted, "Error": errors})


async def get_tags(store: Store, request: S3Request) -> Answer:
    """GetObjectTagging: those that an earlier program has kept; the AWS CLI asks for them before a large copy."""
    file = store.version(request.bucket, request.key, request.query.get("versionId"))
    tags = [{"Key": key, "Value": value} for key, value in file.facts.get("tags", {}).items()]
    headers = version_headers(store.bucket(request.bucket), file)
    return xml_answer("Tagging", {"TagSet": {"Tag": tags}}, headers)
