"""Operations on objects: GET, HEAD, PUT, copy and DELETE."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from emulator.bucket import checksums
from emulator.bucket.answers import Answer, S3Error, Span, invalid_argument, read_xml, xml_answer
from emulator.bucket.checksums import Checksum
from emulator.bucket.conditions import check_read, check_write, find_range
from emulator.bucket.object_facts import (
    REPLACEABLE_HEADERS,
    checksum_fields,
    checksum_headers,
    http_date,
    object_headers,
    read_object_headers,
    xml_date,
)
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.bucket.requests import S3Request, check_key
from emulator.bucket.store import PIECE_BYTES, Bucket, Store

_SOURCE = "x-amz-copy-source"
# What a copy to itself must change at least one of.
_CHANGES = ("x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location")
# A new line would begin another header; a tab alone is allowed.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


async def get_object(store: Store, request: S3Request) -> Answer:
    """GetObject, HeadObject: the object or a version, whole, a range of it or one of its parts."""
    answer = _find_object(store, request)
    if request.method == "HEAD" or answer.span is None:
        return answer
    descriptor = answer.span.file.open()
    if descriptor is not None:
        return replace(answer, descriptor=descriptor)
    async with store.lock:
        # A change was at work on the object: it is read now that that is over.
        answer = _find_object(store, request)
        descriptor = answer.span.file.open() if answer.span is not None else None
    if descriptor is None:
        raise S3Error("InternalError", "The object's file was replaced or removed by another program.")
    return replace(answer, descriptor=descriptor)


def _find_object(store: Store, request: S3Request) -> Answer:
    """Return the answer to a GET, whose file isn't open yet."""
    file = store.version(request.bucket, request.key, request.query.get("versionId"))
    if file.facts["delete_marker"]:
        headers = {"x-amz-delete-marker": "true", "Allow": "DELETE", "Last-Modified": http_date(file.facts)}
        raise S3Error("MethodNotAllowed", headers=headers, Method=request.method, ResourceType="DeleteMarker")
    check_read(request.headers, file)
    span, headers = _find_span(file, request)
    headers = {**object_headers(file.facts), **version_headers(store.bucket(request.bucket), file), **headers}
    for parameter, value in request.query.items():
        name = parameter.removeprefix("response-")
        if name == parameter or name not in REPLACEABLE_HEADERS:
            continue
        if _CONTROL.search(value):
            raise invalid_argument("Header value cannot be represented using ISO-8859-1.", parameter, value)
        headers[name] = value
    is_part = span.size_bytes != file.size_bytes or "Content-Range" in headers
    if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and not is_part:
        headers |= checksum_headers(file.facts)
    return Answer(206 if "Content-Range" in headers else 200, headers, span=span)


def _find_span(file: ObjectFile, request: S3Request) -> tuple[Span, dict[str, str]]:
    """Return the bytes that a GET asks for, and the headers that say which they are."""
    value, number = request.headers.get("Range"), request.number("partNumber", 10_000)
    parts = file.facts.get("parts")
    headers = {"x-amz-mp-parts-count": str(len(parts))} if parts and number else {}
    if number is None:
        found = find_range(value, file.size_bytes)
    elif value is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    else:
        sizes = [size for size, _ in parts] if parts else [file.size_bytes]
        if number > len(sizes):
            raise S3Error("InvalidPartNumber")
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
    body, facts = request.body, {"key": request.key, **read_object_headers(request.headers)}
    body.check_length()
    check_write(request.headers, store.bucket(request.bucket).current(request.key))
    checksum = body.compute(body.algorithm or checksums.DEFAULT_ALGORITHM)
    async with new_file(store, request, facts, body.pieces(), body.checksums) as writer:
        facts |= _body_facts(body.md5, checksum)
        bucket, file = await _keep_object(store, request, writer, facts, "ObjectCreated:Put")
    return Answer(200, {**written_headers(bucket, file), **checksum_headers(facts)})


async def copy_object(store: Store, request: S3Request) -> Answer:
    """CopyObject: with the source's metadata, or that of the request."""
    source, source_headers = find_source(store, request)
    facts = {**source.facts, **read_object_headers(request.headers), "key": request.key}
    is_new_metadata = _is_replaced(request, "x-amz-metadata-directive")
    if not is_new_metadata:
        facts["metadata"] = source.facts["metadata"]
    if not _is_replaced(request, "x-amz-tagging-directive"):
        facts["tags"] = source.facts["tags"]
    current = store.bucket(request.bucket).current(request.key)
    if source is current and not is_new_metadata and not any(name in request.headers for name in _CHANGES):
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    check_write(request.headers, current)
    kept = source.facts.get("checksum_algorithm") if source.facts.get("checksum_value") else None
    md5, checksum = Checksum("MD5"), Checksum(request.body.algorithm or kept or checksums.DEFAULT_ALGORITHM)
    pieces = store.read_span(Span(source, 0, source.size_bytes))
    async with new_file(store, request, facts, pieces, (md5, checksum)) as writer:
        facts |= _body_facts(md5, checksum)
        bucket, file = await _keep_object(store, request, writer, facts, "ObjectCreated:Copy")
    content = copy_fields(file.facts) | checksum_fields(facts)
    return xml_answer("CopyObjectResult", content, written_headers(bucket, file) | source_headers)


def _is_replaced(request: S3Request, directive: str) -> bool:
    value = request.headers.get(directive, "COPY")
    if value not in {"COPY", "REPLACE"}:
        raise invalid_argument(f"Unknown {directive.removeprefix('x-amz-')}.", directive, value)
    return value == "REPLACE"


def find_source(store: Store, request: S3Request) -> tuple[ObjectFile, dict[str, str]]:
    """Return the version that a copy takes, after the conditions that it has, and the header that names the version."""
    path, _, query = request.headers[_SOURCE].partition("?")
    name, _, key = unquote(path).removeprefix("/").partition("/")
    version_id = query.removeprefix("versionId=") if query.startswith("versionId=") else None
    if not name or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key: bucket/key", _SOURCE, path)
    file = store.version(name, key, version_id)
    if file.facts["delete_marker"]:
        raise S3Error("InvalidRequest", "The source of a copy request may not be a delete marker.")
    check_read(request.headers, file, _SOURCE + "-")
    is_versioned = bool(store.bucket(name).versioning)
    return file, {"x-amz-copy-source-version-id": file.facts["version_id"]} if is_versioned else {}


def copy_fields(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the XML elements of a copy's answer that don't depend on its checksum."""
    return {"LastModified": xml_date(facts["last_modified"]), "ETag": f'"{facts["etag"]}"'}


@contextlib.asynccontextmanager
async def new_file(
    store: Store,
    request: S3Request,
    facts: Mapping[str, Any],
    pieces: AsyncIterator[bytes],
    computed: Iterable[Checksum],
) -> AsyncIterator[ObjectFileWriter]:
    """Write pieces into a new file and compute checksums of them; the file is gone afterwards unless it was kept."""

    def add(piece: bytes) -> None:
        writer.write(piece)
        for checksum in computed:
            checksum.update(piece)

    store.bucket(request.bucket)
    writer = await store.run(store.disk.new_file, request.bucket, request.key, facts)
    try:
        async for piece in pieces:
            await store.run(add, piece)
        if writer.size_bytes > PIECE_BYTES:
            # Now, since other changes wait while the file is put at its place.
            await store.run(writer.sync)
        yield writer
    finally:
        writer.discard()


def _body_facts(md5: Checksum, checksum: Checksum) -> dict[str, Any]:
    """Return the facts of an object that are known at the end of its body."""
    return {
        "etag": md5.digest().hex(),
        "checksum_algorithm": checksum.algorithm,
        "checksum_type": "FULL_OBJECT",
        "checksum_value": checksum.value,
        "parts": None,
    }


async def _keep_object(
    store: Store, request: S3Request, writer: ObjectFileWriter, facts: Mapping[str, Any], event_name: str
) -> tuple[Bucket, ObjectFile]:
    """Put a new object at its place if the request's conditions still hold."""
    async with store.changing(request.bucket, request.key) as bucket:
        check_write(request.headers, bucket.current(request.key))
        return bucket, await store.put_version(bucket, writer, facts, event_name, request.trace_id)


def version_headers(bucket: Bucket, file: ObjectFile) -> dict[str, str]:
    """Return the header that says which version it is, once versioning was switched on."""
    return {"x-amz-version-id": file.facts["version_id"]} if bucket.versioning else {}


def written_headers(bucket: Bucket, file: ObjectFile) -> dict[str, str]:
    """Return the headers of the answer to a write."""
    headers = {"ETag": f'"{file.facts["etag"]}"', **version_headers(bucket, file)}
    return headers | {"x-amz-server-side-encryption": file.facts.get("encryption") or "AES256"}


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
        raise S3Error("MalformedXML")
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
            if error.code == "NoSuchBucket":
                raise
            errors.append(named | {"Code": error.code, "Message": error.message})
            continue
        is_marker = headers.get("x-amz-delete-marker")
        marker_id = headers.get("x-amz-version-id") if is_marker else None
        deleted.append(named | {"DeleteMarker": is_marker, "DeleteMarkerVersionId": marker_id})
    is_quiet = root.findtext("Quiet", "").strip().lower() == "true"
    return xml_answer("DeleteResult", {"Deleted": [] if is_quiet else deleted, "Error": errors})


async def get_tags(store: Store, request: S3Request) -> Answer:
    """GetObjectTagging: those that an earlier program has kept; the AWS CLI asks for them before a large copy."""
    file = store.version(request.bucket, request.key, request.query.get("versionId"))
    tags = [{"Key": key, "Value": value} for key, value in file.facts.get("tags", {}).items()]
    return xml_answer("Tagging", {"TagSet": {"Tag": tags}}, version_headers(store.bucket(request.bucket), file))
