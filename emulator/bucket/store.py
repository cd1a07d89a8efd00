"""The buckets, and what is durable when: every change is on disk before its answer, or it has not happened.

Invariants:

- Changes are made one at a time: their conditions are checked, files and folder synced, then the index is changed.
  Bodies are received and written before that, beside each other.
- If the disk refuses a change, the index is what the disk holds.
- A reader sees no change that isn't on disk yet: the index has the old file's inode, so that a reader who finds another
  file at its path waits for the change, and nobody else does.

The index (`Bucket`) has the facts of every version and part, and where their files are. It is used in the event loop
alone; files are written, synced and removed in threads.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import itertools
import os
import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

from emulator.bucket.answers import S3Error, Span
from emulator.bucket.disk import Disk
from emulator.bucket.object_facts import read_old_facts
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.object_events import ObjectEvent
from emulator.text_formats import NEW_BUCKET_NAME

PIECE_BYTES = 1 << 20
FIRST_REGION = "us-east-1"
_WORKER_THREADS = 6
_REGION = re.compile(r"[A-Za-z0-9-]{1,32}")
_STATUS = re.compile(rb"Status>\s*(Enabled|Suspended)\s*<")
_T = TypeVar("_T")


@dataclass(slots=True)
class Upload:
    """An unfinished multipart upload: its parts by number."""

    facts: Mapping[str, Any]
    parts: dict[int, ObjectFile]


@dataclass(slots=True)
class Bucket:
    """What a bucket holds: its own facts, its objects' versions (oldest first) and its unfinished uploads."""

    facts: Mapping[str, Any]
    keys: list[str] = field(default_factory=list)
    versions: dict[str, list[ObjectFile]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    @property
    def versioning(self) -> str:
        """``Enabled``, ``Suspended``, or an empty text if it was never switched on."""
        status = _STATUS.search(base64.b64decode(self.facts["sub_resources"].get("versioning", "")))
        return status[1].decode() if status else ""

    def current(self, key: str) -> ObjectFile | None:
        """Return what a GET gives: the newest version, unless that is a delete marker."""
        newest = self.versions[key][-1] if key in self.versions else None
        return None if newest is None or newest.facts["delete_marker"] else newest

    def visible_keys(self) -> list[str]:
        """Return the keys that a list gives, sorted."""
        return [key for key in self.keys if self.current(key) is not None] if self.versioning else self.keys

    def replace_versions(self, key: str, files: Iterable[ObjectFile]) -> None:
        """Make an object's versions these; none removes the object."""
        ordered = sorted(files, key=lambda file: int(file.facts["sequence"]))
        if ordered and key not in self.versions:
            insort(self.keys, key)
        elif not ordered and key in self.versions:
            del self.keys[bisect_left(self.keys, key)]
            del self.versions[key]
        if ordered:
            self.versions[key] = ordered


class Store:
    """The buckets of a data folder.

    Parameters
    ----------
    disk : Disk
        Where things are kept; prepared, and locked against other processes.
    now : callable
        Returns the time, with its time zone.
    publish : callable
        Gets each change of an object that is on disk, before it is answered.

    Attributes
    ----------
    rebuilt : list of str
        The buckets whose settings were lost and are the default ones now.
    lock : asyncio.Lock
        Held while a change is made.
    """

    def __init__(self, disk: Disk, now: Callable[[], dt.datetime], publish: Callable[[ObjectEvent], object]) -> None:
        self.disk = disk
        self.buckets: dict[str, Bucket] = {}
        self.rebuilt: list[str] = []
        self.now = now
        self.lock = asyncio.Lock()
        self._publish = publish
        self._sequence = 0
        # Below the number of the change that is being made.
        self._last_done = 0
        self._workers = ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="bucket")

    def load(self) -> None:
        """Read the data folder."""
        for name in self.disk.bucket_names():
            self._load_bucket(name)
        self._last_done = self._sequence

    @property
    def position(self) -> str:
        """The ``sequencer`` that all changes on disk are below or at, and all later ones above."""
        return _sequencer(self._last_done)

    def close(self) -> None:
        """Finish the changes that have begun."""
        self._workers.shutdown(wait=True)

    async def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call a function that reads or writes files, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)

    def bucket(self, name: str) -> Bucket:
        """Return a bucket; NoSuchBucket if it isn't there."""
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
            NoSuchBucket.
        OSError
            The disk refuses the change.
        """
        async with self.lock:
            bucket = self.bucket(name)
            try:
                yield bucket
            except S3Error:
                raise
            except BaseException:
                if key is None:
                    await self.run(self._load_bucket, name)
                else:
                    bucket.replace_versions(key, await self.run(self._read_versions, name, key))
                    bucket.uploads = await self.run(self._read_uploads, name)
                raise

    async def create_bucket(self, name: str, region: str = FIRST_REGION) -> None:
        """Create a bucket of a name that S3 allows; in its first region, one that is there is created again.

        Raises
        ------
        S3Error
            InvalidBucketName, InvalidLocationConstraint or BucketAlreadyOwnedByYou.
        OSError
            The disk refuses the change.
        """
        if not NEW_BUCKET_NAME.fullmatch(name):
            raise S3Error("InvalidBucketName", BucketName=name)
        if not _REGION.fullmatch(region):
            raise S3Error("InvalidLocationConstraint", LocationConstraint=region)
        async with self.lock:
            if name not in self.buckets:
                facts = self._new_facts(name, region)
                await self.run(self.disk.write_bucket, name, facts)
                self.buckets[name] = Bucket(facts)
            elif region != FIRST_REGION:
                raise S3Error("BucketAlreadyOwnedByYou", BucketName=name)

    async def set_versioning(self, name: str, status: str) -> None:
        """Switch a bucket's versioning on, or suspend it."""
        async with self.changing(name) as bucket:
            facts = _with_versioning(bucket.facts, status)
            await self.run(self.disk.write_bucket, name, facts)
            bucket.facts = facts

    async def start_anew(self, first: Collection[str]) -> None:
        """Remove everything, and create these buckets, empty, in one change; nobody is told of each object."""
        async with self.lock:
            try:
                for name in self.buckets:
                    await self.run(self.disk.remove_bucket, name)
                for name in first:
                    await self.run(self.disk.write_bucket, name, self._new_facts(name, FIRST_REGION))
            finally:
                for name in {*self.buckets, *first}:
                    await self.run(self._load_bucket, name)

    async def put_version(
        self, bucket: Bucket, writer: ObjectFileWriter, facts: Mapping[str, Any], event_name: str, trace_id: str
    ) -> ObjectFile:
        """Put a new version of an object at its place, while `changing` its bucket."""
        key, version_id = facts["key"], uuid4().hex if bucket.versioning == "Enabled" else "null"
        numbered = {
            "delete_marker": False,
            **facts,
            "version_id": version_id,
            "sequence": self._next_sequence(),
            "last_modified": self.now().isoformat(),
        }
        file = await self.run(self.disk.keep_version, writer, bucket.facts["name"], numbered)
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
        gone = next((file for file in versions if file.facts["version_id"] == (version_id or "null")), None)
        if gone is not None:
            await self.run(self.disk.remove_versions, name, [(key, gone.facts["version_id"])])
            bucket.replace_versions(key, [file for file in versions if file is not gone])
            self._announce(bucket, gone, "ObjectRemoved:Delete", trace_id)
        headers = {"x-amz-version-id": version_id} if version_id is not None else {}
        is_marker = gone is not None and gone.facts["delete_marker"]
        return headers | ({"x-amz-delete-marker": "true"} if is_marker else {})

    def _announce(self, bucket: Bucket, file: ObjectFile, event_name: str, trace_id: str) -> None:
        """Hand a change that is on disk to whoever wishes to know."""
        self._last_done = self._next_sequence()
        self._publish(_object_event(bucket, file, event_name, self.position, self.now(), trace_id))

    def changes_after(self, positions: Mapping[str, str]) -> tuple[str, list[ObjectEvent]]:
        """Return the position of now, and the changes after each bucket's position, oldest first.

        They are found in the objects themselves, by their numbers. Objects and versions that were removed leave nothing
        to find; of several writes of a key without versioning the last one is found.

        Parameters
        ----------
        positions : mapping
            By bucket, the ``sequencer`` of the last known change.
        """
        events = []
        for name in positions.keys() & self.buckets.keys():
            bucket = self.buckets[name]
            for file in itertools.chain.from_iterable(bucket.versions.values()):
                facts, sequencer = file.facts, _sequencer(int(file.facts["sequence"]))
                if sequencer > positions[name]:
                    is_multipart = "-" in str(facts.get("etag"))
                    created = "ObjectCreated:CompleteMultipartUpload" if is_multipart else "ObjectCreated:Put"
                    event_name = "ObjectRemoved:DeleteMarkerCreated" if facts["delete_marker"] else created
                    time = dt.datetime.fromisoformat(facts["last_modified"])
                    events.append(_object_event(bucket, file, event_name, sequencer, time))
        return self.position, sorted(events, key=lambda event: event.sequencer)

    def _next_sequence(self) -> int:
        """Return a number above all earlier ones, also those of things that were deleted before a restart."""
        self._sequence = max(self._sequence + 1, int(self.now().timestamp() * 1e6))
        return self._sequence

    def _load_bucket(self, name: str) -> None:
        if not self.disk.has_bucket(name):
            self.buckets.pop(name, None)
            return
        bucket = Bucket(self.disk.find_bucket(name) or self._rebuild_bucket(name))
        by_key: dict[str, list[ObjectFile]] = defaultdict(list)
        for file in self._read_versions(name):
            by_key[file.facts["key"]].append(file)
            self._sequence = max(self._sequence, int(file.facts["sequence"]))
        bucket.keys = sorted(by_key)
        bucket.versions = {key: [] for key in by_key}
        for key, files in by_key.items():
            bucket.replace_versions(key, files)
        bucket.uploads = self._read_uploads(name)
        self.buckets[name] = bucket

    def _read_versions(self, name: str, key: str | None = None) -> list[ObjectFile]:
        return [replace(file, facts=read_old_facts(file.facts)) for file in self.disk.read_versions(name, key)]

    def _read_uploads(self, name: str) -> dict[str, Upload]:
        return {
            facts["upload_id"]: Upload(facts, {int(part.facts["number"]): _with_etag(part) for part in parts})
            for facts, parts in self.disk.read_uploads(name)
        }

    def _rebuild_bucket(self, name: str) -> Mapping[str, Any]:
        """Give a bucket whose settings are lost the default ones; its objects outlive its settings."""
        facts = self._new_facts(name, FIRST_REGION)
        # More than unversioned objects: versioning was on, and with it off the next write would drop them.
        if self.disk.version_ids(name) - {"null"}:
            facts = _with_versioning(facts, "Enabled")
        self.disk.write_bucket(name, facts)
        self.rebuilt.append(name)
        return facts

    def _new_facts(self, name: str, region: str) -> Mapping[str, Any]:
        return {"name": name, "region": region, "created_at": self.now().isoformat(), "sub_resources": {}}


def _sequencer(number: int) -> str:
    return f"{number:016X}"


def _object_event(
    bucket: Bucket, file: ObjectFile, event_name: str, sequencer: str, time: dt.datetime, trace_id: str = ""
) -> ObjectEvent:
    facts, is_there = file.facts, event_name.startswith("ObjectCreated")
    return ObjectEvent(
        event_name=event_name,
        bucket=bucket.facts["name"],
        key=facts["key"],
        size=file.size_bytes if is_there else None,
        etag=facts["etag"] if is_there else None,
        version_id=None if facts["version_id"] == "null" else facts["version_id"],
        sequencer=sequencer,
        time=time,
        trace_id=trace_id,
    )


def _with_versioning(facts: Mapping[str, Any], status: str) -> Mapping[str, Any]:
    """Return a bucket's facts with another status of versioning, kept as S3's document.

    Beside it, a folder may have other settings that earlier programs kept.
    """
    document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    kept = {**facts["sub_resources"], "versioning": base64.b64encode(document.encode()).decode()}
    return {**facts, "sub_resources": kept}


def _with_etag(part: ObjectFile) -> ObjectFile:
    """Return a part with its ETag, which isn't among the facts of a file of format 1."""
    if "etag" in part.facts:
        return part
    with part.path.open("rb") as file:
        file.seek(part.body_offset)
        return replace(part, facts={**part.facts, "etag": hashlib.file_digest(file, "md5").hexdigest()})
