"""Copies of objects: whole ones, and ranges as parts of an upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from emulator.bucket import checksums
from emulator.bucket.answers import Answer, Span, invalid_argument, invalid_request, xml_answer
from emulator.bucket.conditions import check_read, check_write, find_range
from emulator.bucket.object_facts import checksum_fields, read_object_headers, xml_date
from emulator.bucket.object_files import ObjectFile
from emulator.bucket.operations.multipart import keep_part, part_checksum
from emulator.bucket.operations.new_objects import (
    body_facts,
    copy_bytes,
    keep_object,
    new_file,
    sync_if_large,
    written_headers,
)
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request

_SOURCE = "x-amz-copy-source"


async def copy_object(store: Store, request: S3Request) -> Answer:
    """CopyObject: with the source's metadata and tags, or those of the request."""
    source = find_source(store, request)
    given = read_object_headers(request.headers)
    facts = {**source.facts, **given, "key": request.key}
    is_new_metadata = _is_replaced(request, "x-amz-metadata-directive")
    if not is_new_metadata:
        facts["metadata"] = source.facts["metadata"]
    if not _is_replaced(request, "x-amz-tagging-directive"):
        facts["tags"] = source.facts["tags"]
    is_same = source is store.bucket(request.bucket).current(request.key)
    changing = ("x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location")
    if is_same and not is_new_metadata and not any(name in request.headers for name in changing):
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )
    check_write(request.headers, store.bucket(request.bucket).current(request.key))
    kept = source.facts.get("checksum_algorithm") if source.facts.get("checksum_value") else None
    algorithm = request.body.algorithm or kept or checksums.DEFAULT_ALGORITHM
    checksum = request.body.also_compute(algorithm)
    async with new_file(store, request, facts) as writer:
        await store.run(copy_bytes, Span(source, 0, source.size_bytes), [writer.write, request.body.update])
        await sync_if_large(store, writer)
        facts |= body_facts(request, algorithm, checksum)
        bucket, file = await keep_object(store, request, writer, facts, "ObjectCreated:Copy")
    headers = written_headers(bucket, file) | source_headers(store, request, source)
    return xml_answer("CopyObjectResult", _copy_result(file.facts) | checksum_fields(facts), headers)


def _is_replaced(request: S3Request, directive: str) -> bool:
    value = request.headers.get(directive, "COPY")
    if value not in {"COPY", "REPLACE"}:
        raise invalid_argument(f"Unknown {directive.removeprefix('x-amz-')}.", directive, value)
    return value == "REPLACE"


def find_source(store: Store, request: S3Request) -> ObjectFile:
    """Return the version that a copy takes, after the conditions that it has.

    Raises
    ------
    S3Error
        InvalidArgument, PreconditionFailed, InvalidRequest, or what `Store.version` raises.
    """
    name, _, query = request.headers[_SOURCE].partition("?")
    bucket, _, key = unquote(name).removeprefix("/").partition("/")
    version_id = query.removeprefix("versionId=") if query.startswith("versionId=") else None
    if not bucket or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key: bucket/key", _SOURCE, name)
    file = store.version(bucket, key, version_id)
    if file.facts["delete_marker"]:
        raise invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    check_read(request.headers, file, _SOURCE + "-")
    return file


def source_headers(store: Store, request: S3Request, source: ObjectFile) -> dict[str, str]:
    """Return the header that says which version a copy was made of."""
    bucket = store.bucket(unquote(request.headers[_SOURCE]).removeprefix("/").partition("/")[0])
    return {"x-amz-copy-source-version-id": source.facts["version_id"]} if bucket.versioning else {}


def _copy_result(facts: Mapping[str, Any]) -> dict[str, str]:
    return {"LastModified": xml_date(facts["last_modified"]), "ETag": f'"{facts["etag"]}"'}


async def copy_part(store: Store, request: S3Request) -> Answer:
    """UploadPartCopy: a part from an object, or from a range of one."""
    source = find_source(store, request)
    start, size = 0, source.size_bytes
    value = request.headers.get("x-amz-copy-source-range")
    if value is not None:
        found = find_range(value, source.size_bytes) if not value.endswith("-") and "=-" not in value else None
        if found is None or found[0] + found[1] - 1 != int(value.rpartition("-")[2]):
            message = "The x-amz-copy-source-range value must be of the form bytes=first-last, within the source's size"
            raise invalid_argument(message, "x-amz-copy-source-range", value)
        start, size = found
    algorithm, checksum, facts = part_checksum(store, request)
    async with new_file(store, request, facts) as writer:
        await store.run(copy_bytes, Span(source, start, size), [writer.write, request.body.update])
        await sync_if_large(store, writer)
        part = await keep_part(store, request, writer, facts, algorithm, checksum)
    content = _copy_result(part) | {checksums.xml_name(algorithm): part["checksum"]}
    return xml_answer("CopyPartResult", content, source_headers(store, request, source))
