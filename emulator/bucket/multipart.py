"""Multipart uploads: parts are files of the upload's folder until they are put together."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

from emulator.bucket import checksums
from emulator.bucket.answers import Answer, S3Error, Span, invalid_argument, read_xml, xml_answer
from emulator.bucket.checksums import Checksum
from emulator.bucket.conditions import check_write, find_range
from emulator.bucket.object_facts import checksum_fields, read_object_headers
from emulator.bucket.object_files import ObjectFile
from emulator.bucket.objects import copy_fields, find_source, new_file, written_headers
from emulator.bucket.requests import S3Request
from emulator.bucket.store import Bucket, Store, Upload

MAX_PARTS = 10_000
_MIN_PART_BYTES = 5 << 20
_ALGORITHMS_BY_TYPE = {
    "COMPOSITE": frozenset({"CRC32", "CRC32C", "SHA1", "SHA256", "SHA512"}),
    "FULL_OBJECT": frozenset({"CRC32", "CRC32C", "CRC64NVME"}),
}


async def create_upload(store: Store, request: S3Request) -> Answer:
    """CreateMultipartUpload."""
    algorithm = request.body.algorithm
    default_type = "COMPOSITE" if algorithm in _ALGORITHMS_BY_TYPE["COMPOSITE"] else "FULL_OBJECT"
    checksum_type = request.headers.get("x-amz-checksum-type", default_type)
    if (algorithm or checksums.DEFAULT_ALGORITHM) not in _ALGORITHMS_BY_TYPE.get(checksum_type, ()):
        message = f"The {checksum_type} checksum type cannot be used with the {algorithm} checksum algorithm."
        raise S3Error("InvalidRequest", message)
    facts = {
        **read_object_headers(request.headers),
        "upload_id": uuid4().hex,
        "key": request.key,
        "checksum_algorithm": algorithm,
        "checksum_type": checksum_type,
        "created_at": store.now().isoformat(),
    }
    async with store.changing(request.bucket, request.key) as bucket:
        await store.run(store.disk.write_upload, request.bucket, facts["upload_id"], facts)
        bucket.uploads[facts["upload_id"]] = Upload(facts, {})
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": checksum_type} if algorithm else {}
    content = {"Bucket": request.bucket, "Key": request.key, "UploadId": facts["upload_id"]}
    return xml_answer("InitiateMultipartUploadResult", content, headers)


def find_upload(bucket: Bucket, request: S3Request) -> Upload:
    """Return the upload that a request names; NoSuchUpload if it isn't there."""
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None or upload.facts["key"] != request.key:
        raise S3Error("NoSuchUpload", UploadId=request.query["uploadId"])
    return upload


async def upload_part(store: Store, request: S3Request) -> Answer:
    """UploadPart."""
    request.body.check_length()
    part = await _write_part(store, request, request.body.pieces())
    checksum = {checksums.header_name(part["checksum_algorithm"]): part["checksum"]}
    return Answer(200, {"ETag": f'"{part["etag"]}"', **checksum})


async def copy_part(store: Store, request: S3Request) -> Answer:
    """UploadPartCopy: a part from an object, or from a range of one."""
    source, source_headers = find_source(store, request)
    start, size, name = 0, source.size_bytes, "x-amz-copy-source-range"
    value = request.headers.get(name)
    if value is not None:
        found = find_range(value, source.size_bytes) if not value.endswith("-") and "=-" not in value else None
        if found is None or found[0] + found[1] - 1 != int(value.rpartition("-")[2]):
            message = f"{name} must be of the form bytes=first-last, within the source's size"
            raise invalid_argument(message, name, value)
        start, size = found
    part = await _write_part(store, request, store.read_span(Span(source, start, size)))
    content = copy_fields(part) | {f"Checksum{part['checksum_algorithm']}": part["checksum"]}
    return xml_answer("CopyPartResult", content, source_headers)


async def _write_part(store: Store, request: S3Request, pieces: AsyncIterator[bytes]) -> Mapping[str, Any]:
    """Write a part, put it at its place, and return its facts."""
    upload = find_upload(store.bucket(request.bucket), request)
    algorithm, sent = upload.facts.get("checksum_algorithm"), request.body.algorithm
    if algorithm and sent and algorithm != sent:
        message = f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}, actual checksum Type: {sent}"
        raise S3Error("InvalidRequest", message)
    number = request.number("partNumber", MAX_PARTS)
    if number is None:
        raise invalid_argument(f"Part number must be an integer between 1 and {MAX_PARTS}", "partNumber", "")
    checksum = request.body.compute(algorithm or checksums.DEFAULT_ALGORITHM)
    async with new_file(store, request, {"number": number}, pieces, request.body.checksums) as writer:
        facts = {
            "number": number,
            "last_modified": store.now().isoformat(),
            "etag": request.body.md5.digest().hex(),
            "checksum_algorithm": checksum.algorithm,
            "checksum": checksum.value,
        }
        async with store.changing(request.bucket, request.key) as bucket:
            upload = find_upload(bucket, request)
            upload.parts[number] = await store.run(
                store.disk.keep_part, writer, request.bucket, upload.facts["upload_id"], facts
            )
    return facts


async def complete_upload(store: Store, request: S3Request) -> Answer:
    """CompleteMultipartUpload: the parts are written into one file, which takes its place before they go."""
    # A checksum among the headers is that of the object.
    root = read_xml(await request.body.document(has_checksum=False), "CompleteMultipartUpload")
    bucket = store.bucket(request.bucket)
    upload = find_upload(bucket, request)
    check_write(request.headers, bucket.current(request.key))
    parts = [_named_part(upload, element) for element in root.iterfind("Part")]
    _check_parts(parts, request.headers.get("x-amz-mp-object-size"))
    facts, whole = _object_facts(upload, parts)
    async with new_file(store, request, facts, _read_parts(store, parts), [whole] if whole else []) as writer:
        _check_object(facts, whole, request.headers)
        async with store.changing(request.bucket, request.key) as bucket:
            if any(find_upload(bucket, request).parts.get(part.facts["number"]) is not part for part in parts):
                raise S3Error("InvalidPart")
            check_write(request.headers, bucket.current(request.key))
            event_name = "ObjectCreated:CompleteMultipartUpload"
            file = await store.put_version(bucket, writer, facts, event_name, request.trace_id)
            await _drop(store, bucket, request)
    content = {
        "Location": f"/{request.bucket}/{request.key}",
        "Bucket": request.bucket,
        "Key": request.key,
        "ETag": f'"{facts["etag"]}"',
        **checksum_fields(facts),
    }
    return xml_answer("CompleteMultipartUploadResult", content, written_headers(bucket, file))


def _named_part(upload: Upload, element: ET.Element) -> ObjectFile:
    """Return the part that a Part of the request names, if its ETag and checksum are right."""
    number, etag = element.findtext("PartNumber", "").strip(), element.findtext("ETag")
    if not (number.isascii() and number.isdigit()) or etag is None:
        raise S3Error("MalformedXML")
    part = upload.parts.get(int(number[:9]))
    if part is None or part.facts["etag"] != etag.strip().strip('"'):
        raise S3Error("InvalidPart")
    checksum = element.findtext(f"Checksum{part.facts.get('checksum_algorithm')}")
    if checksum not in {None, part.facts.get("checksum")}:
        raise S3Error("InvalidPart")
    return part


def _check_parts(parts: list[ObjectFile], object_size: str | None) -> None:
    """Check the order and the sizes of the parts that become an object."""
    if not parts:
        raise S3Error("MalformedXML")
    numbers = [part.facts["number"] for part in parts]
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder")
    for part in parts[:-1]:
        if part.size_bytes < _MIN_PART_BYTES:
            number, size = part.facts["number"], part.size_bytes
            raise S3Error("EntityTooSmall", PartNumber=number, ProposedSize=size, MinSizeAllowed=_MIN_PART_BYTES)
    if object_size not in {None, str(sum(part.size_bytes for part in parts))}:
        raise S3Error("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match the parts.")


def _object_facts(upload: Upload, parts: list[ObjectFile]) -> tuple[dict[str, Any], Checksum | None]:
    """Return the facts of the object that parts become, and the checksum to compute of it if it isn't a composite."""
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.facts["etag"]) for part in parts), usedforsecurity=False)
    sums = [part.facts.get("checksum") for part in parts]
    algorithm, checksum_type = upload.facts.get("checksum_algorithm"), upload.facts.get("checksum_type")
    if not algorithm or not all(sums):
        algorithm, checksum_type = checksums.DEFAULT_ALGORITHM, "FULL_OBJECT"
    value, computed = None, Checksum(algorithm)
    if checksum_type == "COMPOSITE":
        for text in sums:
            computed.update(checksums.decode(text or "", algorithm) or b"")
        value = f"{computed.value}-{len(parts)}"
    names = ("key", "metadata", "storage_class", "website_redirect_location", "encryption", "kms_key_id", "tags")
    facts = {name: upload.facts.get(name) for name in names} | {
        "metadata": {name.lower(): text for name, text in upload.facts["metadata"].items()},
        "tags": upload.facts.get("tags") or {},
        "etag": f"{md5.hexdigest()}-{len(parts)}",
        "checksum_algorithm": algorithm,
        "checksum_type": checksum_type,
        "checksum_value": value,
        "parts": [[part.size_bytes, text] for part, text in zip(parts, sums, strict=True)],
    }
    return facts, None if value else computed


async def _read_parts(store: Store, parts: Iterable[ObjectFile]) -> AsyncIterator[bytes]:
    for part in parts:
        async for piece in store.read_span(Span(part, 0, part.size_bytes)):
            yield piece


def _check_object(facts: dict[str, Any], whole: Checksum | None, headers: Mapping[str, str]) -> None:
    """Compare the object's checksum with the one sent; add that of a whole to its facts."""
    name = checksums.header_name(facts["checksum_algorithm"])
    sent = headers.get(name)
    if whole is not None:
        if sent is not None:
            whole.check(name, sent)
        facts["checksum_value"] = whole.value
    elif sent is not None and sent.partition("-")[0] != facts["checksum_value"].partition("-")[0]:
        raise S3Error("BadDigest")


async def abort_upload(store: Store, request: S3Request) -> Answer:
    """AbortMultipartUpload."""
    async with store.changing(request.bucket, request.key) as bucket:
        find_upload(bucket, request)
        await _drop(store, bucket, request)
    return Answer(204)


async def _drop(store: Store, bucket: Bucket, request: S3Request) -> None:
    await store.run(store.disk.remove_upload, request.bucket, request.query["uploadId"])
    del bucket.uploads[request.query["uploadId"]]
