"""The buckets, and what is durable when: every change is on disk before its answer, or it has not happened.

Invariants:

- Changes are made one at a time: their conditions are checked, files and folder synced, then the index is changed.
  Bodies are received and written before that, beside each other.
- If the disk refuses a change, the index is what the disk holds.
- A reader sees no change that isn't on disk yet: the index has the old file's inode, so that a reader who finds another
  file at its path waits for the change, and nobody else does.

The index is used in the event loop alone; files are written, synced and removed in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from emulator.bucket.answers import S3Error, Span
from emulator.bucket.bucket_index import Bucket, Upload, with_versioning
from emulator.bucket.disk import Disk
from emulator.bucket.object_facts import read_old_facts
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.object_events import ObjectEvent

WORKER_THREADS = 6
PIECE_BYTES = 1 << 20
FIRST_REGION = "us-east-1"
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Store:
    """The buckets of a data folder.

    Parameters
    ----------
    disk : Disk
        Where things are kept; prepared, and locked against other processes.
    now : callable
        Returns the time, with its time zone.
    publish : callable
        Gets each change of an object that is on disk, before it is answered. What it raises is logged.

    Attributes
    ----------
    rebuilt : list of str
        The buckets whose settings were lost and are the default ones now.
    """

    def __init__(self, disk: Disk, now: Callable[[], dt.datetime], publish: Callable[[ObjectEvent], object]) -> None:
        self.disk = disk
        self.buckets: dict[str, Bucket] = {}
        self.rebuilt: list[str] = []
        self.now = now
        self._publish = publish
        self._lock = asyncio.Lock()
        self._sequence = 0
        self._workers = ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="bucket")

    def load(self) -> None:
        """Read the data folder."""
        for name in self.disk.bucket_names():
            self._load_bucket(name)

    def close(self) -> None:
        """Finish the changes that have begun."""
        self._workers.shutdown(wait=True)

    async def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call a function that reads or writes files, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)

    def bucket(self, name: str) -> Bucket:
        """Return a bucket, which NoSuchBucket says isn't there."""
        if name not in self.buckets:
            raise S3Error("NoSuchBucket", BucketName=name)
        return self.buckets[name]

    def version(self, name: str, key: str, version_id: str | None) -> ObjectFile:
        """Return a version of an object, which may be a delete marker if it is named; the current one without an id.

        Raises
        ------
        S3Error
            NoSuchBucket, NoSuchKey, NoSuchVersion or InvalidArgument.
        """
        bucket = self.bucket(name)
        versions = bucket.versions.get(key, [])
        if version_id is None:
            if (current := bucket.current(key)) is not None:
                return current
            marker = versions[-1].facts["version_id"] if versions else None
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": marker} if marker else {}
            raise S3Error("NoSuchKey", headers=headers, Key=key)
        if not version_id:
            raise S3Error("InvalidArgument", "Version id cannot be the empty string")
        for file in versions:
            if file.facts["version_id"] == version_id:
                return file
        raise S3Error("NoSuchVersion", Key=key, VersionId=version_id)

    async def read_span(self, span: Span) -> AsyncIterator[bytes]:
        """Yield a piece of an object a mebibyte at a time; ConditionalRequestConflict if the object was replaced."""
        descriptor = span.file.open()
        if descriptor is None:
            raise S3Error("ConditionalRequestConflict")
        try:
            async for piece in self.read_open(span, descriptor):
                yield piece
        finally:
            os.close(descriptor)

    async def read_open(self, span: Span, descriptor: int) -> AsyncIterator[bytes]:
        """Yield a piece of an object whose file is open."""
        position = span.file.body_offset + span.start
        end = position + span.size_bytes
        while position < end:
            piece = await self.run(os.pread, descriptor, min(PIECE_BYTES, end - position), position)
            if not piece:
                raise ConnectionAbortedError(f"{span.file.path} is shorter than it was")
            yield piece
            position += len(piece)

    @contextlib.asynccontextmanager
    async def changing(self, name: str, key: str | None = None) -> AsyncIterator[Bucket]:
        """Give a bucket to be changed, to one change at a time; what fails half-way is read back from the disk.

        Raises
        ------
        S3Error
            NoSuchBucket; InternalError, if the disk refuses the change.
        """
        async with self._lock, self._undone_on_failure(name, key) as bucket:
            yield bucket

    @contextlib.asynccontextmanager
    async def _undone_on_failure(self, name: str, key: str | None = None) -> AsyncIterator[Bucket]:
        bucket = self.bucket(name)
        try:
            yield bucket
        except S3Error:
            raise
        except BaseException as error:
            if key is None:
                await self.run(self._load_bucket, name)
            else:
                files, bucket.uploads = await self.run(self._read_key, name, key)
                bucket.replace_versions(key, files)
            if isinstance(error, OSError):
                raise disk_refusal(error) from error
            raise

    def _read_key(self, name: str, key: str) -> tuple[list[ObjectFile], dict[str, Upload]]:
        return self._read(self.disk.read_versions(name, key)), self._read_uploads(name)

    @contextlib.asynccontextmanager
    async def settled(self) -> AsyncIterator[None]:
        """Wait for the change in progress, and hold up the next."""
        async with self._lock:
            yield

    async def write_bucket(self, name: str, facts: Mapping[str, Any]) -> None:
        """Create a bucket, or change its settings (while `changing` it)."""
        await self.run(self.disk.write_bucket, name, facts)
        self.buckets.setdefault(name, Bucket({})).facts = dict(facts)

    async def create_bucket(self, name: str, region: str) -> bool:
        """Create a bucket, and say whether it wasn't there."""
        async with self._lock:
            if name in self.buckets:
                return False
            try:
                await self.write_bucket(name, self._new_bucket(name, region))
            except OSError as error:
                raise disk_refusal(error) from error
            return True

    async def start_anew(self, first: Collection[str]) -> None:
        """Remove everything, and create these buckets, empty, in one change; nobody is told of each object."""
        async with self._lock:
            for name in list(self.buckets):
                async with self._undone_on_failure(name) as bucket:
                    files = [(key, file) for key, versions in bucket.versions.items() for file in versions]
                    versions = [(key, file.facts["version_id"]) for key, file in files]
                    await self.run(self.disk.remove_versions, name, versions)
                    for upload_id in bucket.uploads:
                        await self.run(self.disk.remove_upload, name, upload_id)
                    await self.run(self.disk.remove_bucket, name)
                    del self.buckets[name]
            for name in first:
                await self.write_bucket(name, self._new_bucket(name, FIRST_REGION))

    async def put_version(
        self, bucket: Bucket, writer: ObjectFileWriter, facts: Mapping[str, Any], event_name: str, trace_id: str
    ) -> ObjectFile:
        """Put a new version of an object at its place, while `changing` its bucket."""
        name, key = bucket.facts["name"], facts["key"]
        version_id = uuid4().hex if bucket.versioning == "Enabled" else "null"
        numbered = {
            "delete_marker": False,
            **facts,
            "version_id": version_id,
            "sequence": self._next_sequence(),
            "last_modified": self.now().isoformat(),
        }
        file = await self.run(self.disk.keep_version, writer, name, numbered)
        others = [held for held in bucket.versions.get(key, []) if held.facts["version_id"] != version_id]
        bucket.replace_versions(key, [*others, file])
        self._announce(bucket, file, event_name, trace_id)
        return file

    async def delete(self, bucket: Bucket, key: str, version_id: str | None, trace_id: str) -> dict[str, str]:
        """Delete an object or a version of it while `changing` its bucket; return the answer's headers."""
        name = bucket.facts["name"]
        if version_id is None and bucket.versioning:
            facts = {"key": key, "delete_marker": True}
            writer = await self.run(self.disk.new_file, name, key, facts)
            try:
                marker = await self.put_version(bucket, writer, facts, "ObjectRemoved:DeleteMarkerCreated", trace_id)
            finally:
                writer.discard()
            return {"x-amz-delete-marker": "true", "x-amz-version-id": marker.facts["version_id"]}
        versions = bucket.versions.get(key, [])
        wanted = version_id or "null"
        gone = [file for file in versions if file.facts["version_id"] == wanted]
        if gone:
            await self.run(self.disk.remove_versions, name, [(key, wanted)])
            bucket.replace_versions(key, [file for file in versions if file not in gone])
            self._announce(bucket, gone[0], "ObjectRemoved:Delete", trace_id)
        headers = {"x-amz-version-id": version_id} if version_id is not None else {}
        if gone and gone[0].facts["delete_marker"]:
            headers["x-amz-delete-marker"] = "true"
        return headers

    def _announce(self, bucket: Bucket, file: ObjectFile, event_name: str, trace_id: str) -> None:
        """Hand a change that is on disk to whoever wishes to know."""
        version_id, is_there = file.facts["version_id"], event_name.startswith("ObjectCreated")
        event = ObjectEvent(
            event_name=event_name,
            bucket=bucket.facts["name"],
            key=file.facts["key"],
            size=file.size_bytes if is_there else None,
            etag=file.facts["etag"] if is_there else None,
            version_id=None if version_id == "null" else version_id,
            sequencer=f"{self._next_sequence():016X}",
            time=self.now(),
            trace_id=trace_id,
        )
        try:
            self._publish(event)
        except Exception:  # noqa: BLE001 - the change has happened, whoever fails to hear of it
            _log.exception("the event %s of a change in %s is lost", event_name, event.bucket)

    def _next_sequence(self) -> int:
        """Return a number above all earlier ones, also those of things that were deleted before a restart."""
        self._sequence = max(self._sequence + 1, int(self.now().timestamp() * 1e6))
        return self._sequence

    def _load_bucket(self, name: str) -> None:
        if not self.disk.has_bucket(name):
            self.buckets.pop(name, None)
            return
        facts = self.disk.find_bucket(name)
        bucket = Bucket(dict(facts if facts is not None else self._rebuild_bucket(name)))
        by_key: dict[str, list[ObjectFile]] = defaultdict(list)
        for file in self._read(self.disk.read_objects(name)):
            by_key[file.facts["key"]].append(file)
            self._sequence = max(self._sequence, int(file.facts["sequence"]))
        bucket.keys = sorted(by_key)
        bucket.versions = {key: [] for key in by_key}
        for key, files in by_key.items():
            bucket.replace_versions(key, files)
        bucket.uploads = self._read_uploads(name)
        self.buckets[name] = bucket

    def _read_uploads(self, name: str) -> dict[str, Upload]:
        uploads = self.disk.read_uploads(name)
        return {
            facts["upload_id"]: Upload(facts, {int(part.facts["number"]): _with_etag(part) for part in parts})
            for facts, parts in uploads
        }

    def _read(self, files: Iterable[ObjectFile]) -> list[ObjectFile]:
        return [replace(file, facts=read_old_facts(file.facts)) for file in files]

    def _rebuild_bucket(self, name: str) -> dict[str, Any]:
        """Give a bucket whose settings are lost the default ones; its objects outlive its settings."""
        facts = self._new_bucket(name, FIRST_REGION)
        # More than unversioned objects: versioning was on, and with it off the next write would drop them.
        if self.disk.version_ids(name) - {"null"}:
            facts = with_versioning(facts, "Enabled")
        self.disk.write_bucket(name, facts)
        self.rebuilt.append(name)
        return facts

    def _new_bucket(self, name: str, region: str) -> dict[str, Any]:
        return {"name": name, "region": region, "created_at": self.now().isoformat(), "sub_resources": {}}


def _with_etag(part: ObjectFile) -> ObjectFile:
    """Return a part with its ETag, which isn't among the facts of a file of format 1."""
    if "etag" in part.facts:
        return part
    with part.path.open("rb") as file:
        file.seek(part.body_offset)
        return replace(part, facts={**part.facts, "etag": hashlib.file_digest(file, "md5").hexdigest()})


def disk_refusal(error: OSError) -> S3Error:
    """Return S3's error for a disk that refuses to read or write, and log it."""
    _log.error("the data folder can't be read or written; a change is undone: %s", error)
    return S3Error("InternalError", f"The data folder can't be read or written: {error.strerror}.")
