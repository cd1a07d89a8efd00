"""What the operations that make objects share: a new file, its body, and its place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from emulator.bucket import checksums
from emulator.bucket.answers import S3Error, Span
from emulator.bucket.bucket_index import Bucket
from emulator.bucket.conditions import check_write
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.bucket.request_body import PIECE_BYTES
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request


@contextlib.asynccontextmanager
async def received(store: Store, request: S3Request, facts: Mapping[str, Any]) -> AsyncIterator[ObjectFileWriter]:
    """Write a request's body into a new file and check it; the file is gone afterwards unless it was kept."""

    def add(piece: bytes) -> None:
        writer.write(piece)
        request.body.update(piece)

    async with new_file(store, request, facts) as writer:
        async for piece in request.body.pieces():
            await store.run(add, piece)
        request.body.check()
        await sync_if_large(store, writer)
        yield writer


@contextlib.asynccontextmanager
async def new_file(store: Store, request: S3Request, facts: Mapping[str, Any]) -> AsyncIterator[ObjectFileWriter]:
    """Give a new file, which is gone afterwards unless it was kept."""
    store.bucket(request.bucket)
    writer = await store.run(store.disk.new_file, request.bucket, request.key, facts)
    try:
        yield writer
    finally:
        writer.discard()


async def sync_if_large(store: Store, writer: ObjectFileWriter) -> None:
    """Bring a large body to disk before other changes have to wait for that."""
    if writer.size_bytes > PIECE_BYTES:
        await store.run(writer.sync)


def copy_bytes(span: Span, receivers: list[Callable[[bytes], None]]) -> None:
    """Hand a piece of a file to receivers, a mebibyte at a time.

    Raises
    ------
    S3Error
        The file was replaced or removed meanwhile.
    """
    descriptor = span.file.open()
    if descriptor is None:
        raise S3Error(409, "ConditionalRequestConflict", "The object was changed while it was read. Please try again.")
    with os.fdopen(descriptor, "rb") as file:
        file.seek(span.file.body_offset + span.start)
        left = span.size_bytes
        while left and (piece := file.read(min(left, PIECE_BYTES))):
            left -= len(piece)
            for receive in receivers:
                receive(piece)


def body_facts(request: S3Request, algorithm: str, checksum: checksums.Hash) -> dict[str, Any]:
    """Return the facts of an object that are known at the end of its body."""
    return {
        "etag": request.body.md5.digest().hex(),
        "checksum_algorithm": algorithm,
        "checksum_type": "FULL_OBJECT",
        "checksum_value": checksums.encode(checksum.digest()),
        "parts": None,
    }


async def keep_object(
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
