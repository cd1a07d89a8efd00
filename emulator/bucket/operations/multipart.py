"""Multipart uploads: parts are files of the upload's folder until they are put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

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
from emulator.bucket.bucket_index import Bucket, Upload
from emulator.bucket.conditions import check_write
from emulator.bucket.object_facts import checksum_fields, read_object_headers
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.bucket.operations.new_objects import copy_bytes, new_file, received, sync_if_large, written_headers
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request

MAX_PARTS = 10_000
_MIN_PART_BYTES = 5 << 20
_COMPOSITE_ALGORITHMS = frozenset({"CRC32", "CRC32C", "SHA1", "SHA256", "SHA512"})
_FULL_OBJECT_ALGORITHMS = frozenset({"CRC32", "CRC32C", "CRC64NVME"})


async def create_upload(store: Store, request: S3Request) -> Answer:
    """CreateMultipartUpload."""
    algorithm = request.body.algorithm
    default_type = "COMPOSITE" if algorithm in _COMPOSITE_ALGORITHMS else "FULL_OBJECT"
    checksum_type = request.headers.get("x-amz-checksum-type", default_type)
    allowed = {"COMPOSITE": _COMPOSITE_ALGORITHMS, "FULL_OBJECT": _FULL_OBJECT_ALGORITHMS}.get(checksum_type, ())
    if (algorithm or checksums.DEFAULT_ALGORITHM) not in allowed:
        message = f"The {checksum_type} checksum type cannot be used with the {algorithm} checksum algorithm."
        raise invalid_request(message)
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
    """Return the upload that a request names.

    Raises
    ------
    S3Error
        NoSuchUpload.
    """
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None or upload.facts["key"] != request.key:
        message = (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted"
        )
        raise S3Error(404, "NoSuchUpload", message, UploadId=request.query["uploadId"])
    return upload


def _part_number(request: S3Request) -> int:
    number = request.number("partNumber", MAX_PARTS)
    if number is None:
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise invalid_argument(message, "partNumber", "")
    return number


async def upload_part(store: Store, request: S3Request) -> Answer:
    """UploadPart."""
    request.body.check_length()
    algorithm, checksum, facts = part_checksum(store, request)
    async with received(store, request, facts) as writer:
        part = await keep_part(store, request, writer, facts, algorithm, checksum)
    return Answer(200, {"ETag": f'"{part["etag"]}"', checksums.header_name(algorithm): part["checksum"]})


def part_checksum(store: Store, request: S3Request) -> tuple[str, checksums.Hash, dict[str, Any]]:
    """Return the algorithm of a part's checksum, the checksum, and the facts that are known before the body is."""
    upload = find_upload(store.bucket(request.bucket), request)
    wanted, sent = upload.facts.get("checksum_algorithm"), request.body.algorithm
    if wanted and sent and wanted != sent:
        raise invalid_request(
            f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, actual checksum Type: "
            f"{sent.lower()}"
        )
    algorithm = wanted or checksums.DEFAULT_ALGORITHM
    return algorithm, request.body.also_compute(algorithm), {"number": _part_number(request)}


async def keep_part(
    store: Store,
    request: S3Request,
    writer: ObjectFileWriter,
    facts: Mapping[str, Any],
    algorithm: str,
    checksum: checksums.Hash,
) -> Mapping[str, Any]:
    """Put a part at its place, and return its facts."""
    part = {
        **facts,
        "last_modified": store.now().isoformat(),
        "etag": request.body.md5.digest().hex(),
        "checksum_algorithm": algorithm,
        "checksum": checksums.encode(checksum.digest()),
    }
    async with store.changing(request.bucket, request.key) as bucket:
        upload = find_upload(bucket, request)
        file = await store.run(store.disk.keep_part, writer, request.bucket, request.query["uploadId"], part)
        upload.parts[part["number"]] = file
    return part


async def complete_upload(store: Store, request: S3Request) -> Answer:
    """CompleteMultipartUpload: the parts are written into one file, which takes its place before they go."""
    # A checksum among the headers is that of the object.
    root = read_xml(await request.body.document(has_checksum=False), "CompleteMultipartUpload")
    bucket = store.bucket(request.bucket)
    upload = find_upload(bucket, request)
    check_write(request.headers, bucket.current(request.key))
    parts = [_wanted_part(upload, element) for element in root.iterfind("Part")]
    numbers = [part.facts["number"] for part in parts]
    _check_order(numbers, parts)
    total = sum(part.size_bytes for part in parts)
    expected = request.headers.get("x-amz-mp-object-size")
    if expected is not None and expected != str(total):
        raise invalid_request("The provided 'x-amz-mp-object-size' header does not match what was computed.")
    facts = _object_facts(upload, parts)
    async with new_file(store, request, facts) as writer:
        await store.run(_join, parts, facts, writer, request)
        await sync_if_large(store, writer)
        async with store.changing(request.bucket, request.key) as bucket:
            if any(find_upload(bucket, request).parts.get(part.facts["number"]) is not part for part in parts):
                raise _invalid_part()
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


def _wanted_part(upload: Upload, element: ET.Element) -> ObjectFile:
    """Return the part that a Part of the request names, if its ETag and checksum are right."""
    number, etag = element.findtext("PartNumber", ""), element.findtext("ETag")
    if not (number.strip().isascii() and number.strip().isdigit()) or etag is None:
        raise malformed_xml()
    part = upload.parts.get(int(number.strip()[:9]))
    if part is None:
        raise _invalid_part()
    checksum = element.findtext(checksums.xml_name(part.facts.get("checksum_algorithm", "")))
    if part.facts["etag"] != etag.strip().strip('"') or checksum not in {None, part.facts.get("checksum")}:
        raise _invalid_part()
    return part


def _check_order(numbers: list[int], parts: list[ObjectFile]) -> None:
    if not parts:
        raise malformed_xml()
    if numbers != sorted(set(numbers)):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise S3Error(400, "InvalidPartOrder", message)
    for part in parts[:-1]:
        if part.size_bytes < _MIN_PART_BYTES:
            raise S3Error(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size_bytes,
                MinSizeAllowed=_MIN_PART_BYTES,
                PartNumber=part.facts["number"],
                ETag=part.facts["etag"],
            )


def _object_facts(upload: Upload, parts: list[ObjectFile]) -> dict[str, Any]:
    """Return the facts of the object that parts become: all but the checksum of a whole."""
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.facts["etag"]) for part in parts), usedforsecurity=False)
    sums = [part.facts.get("checksum") for part in parts]
    algorithm, checksum_type = upload.facts.get("checksum_algorithm"), upload.facts.get("checksum_type")
    if not algorithm or not all(sums):
        algorithm, checksum_type = checksums.DEFAULT_ALGORITHM, "FULL_OBJECT"
    value = None
    if checksum_type == "COMPOSITE":
        whole = checksums.new_hash(algorithm)
        size_bytes = len(whole.digest())
        for text in sums:
            whole.update(checksums.decode(text or "", size_bytes) or b"")
        value = f"{checksums.encode(whole.digest())}-{len(parts)}"
    names = ("key", "metadata", "storage_class", "website_redirect_location", "encryption", "kms_key_id", "tags")
    return {name: upload.facts.get(name) for name in names} | {
        "metadata": {name.lower(): text for name, text in upload.facts["metadata"].items()},
        "tags": upload.facts.get("tags") or {},
        "etag": f"{md5.hexdigest()}-{len(parts)}",
        "checksum_algorithm": algorithm,
        "checksum_type": checksum_type,
        "checksum_value": value,
        "parts": [[part.size_bytes, text] for part, text in zip(parts, sums, strict=True)],
    }


def _join(parts: list[ObjectFile], facts: dict[str, Any], writer: ObjectFileWriter, request: S3Request) -> None:
    """Write the parts one behind the other; add the checksum of the whole to the facts, or verify the one sent."""
    whole = checksums.new_hash(facts["checksum_algorithm"])
    for part in parts:
        copy_bytes(Span(part, 0, part.size_bytes), [writer.write, whole.update])
    sent = request.headers.get(checksums.header_name(facts["checksum_algorithm"]))
    if facts["checksum_type"] == "COMPOSITE":
        if sent is not None and sent.partition("-")[0] != facts["checksum_value"].partition("-")[0]:
            raise S3Error(400, "BadDigest", "The checksum you specified did not match the calculated checksum.")
        return
    if sent is not None:
        checksums.check(checksums.header_name(facts["checksum_algorithm"]), sent, whole)
    facts["checksum_value"] = checksums.encode(whole.digest())


def _invalid_part() -> S3Error:
    message = (
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag."
    )
    return S3Error(400, "InvalidPart", message)


async def abort_upload(store: Store, request: S3Request) -> Answer:
    """AbortMultipartUpload."""
    async with store.changing(request.bucket, request.key) as bucket:
        find_upload(bucket, request)
        await _drop(store, bucket, request)
    return Answer(204)


async def _drop(store: Store, bucket: Bucket, request: S3Request) -> None:
    await store.run(store.disk.remove_upload, request.bucket, request.query["uploadId"])
    del bucket.uploads[request.query["uploadId"]]
