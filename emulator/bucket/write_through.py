"""What is durable when: every change is on disk before its answer, or it has not happened.

Invariants:

- Changes run one at a time. A change is answered after its files and their folder are synced.
- If moto refuses a change, or the disk does, memory is put back to what the disk holds.
- A reader never sees a change that is not on disk yet: it waits where it asks for something that a
  change is at work on, and for nothing else, so that a large upload does not hold up small reads.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from emulator.bucket.conditions import find_copy_error
from emulator.bucket.disk import Disk
from emulator.bucket.errors import LostChangeError
from emulator.bucket.moto_memory import MotoMemory, S3Answer, S3Request, Version
from emulator.bucket.object_files import Record
from emulator.bucket.targets import bucket_and_key, find_target_error

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_UPLOAD_QUERIES = frozenset({"uploads", "uploadId"})
_NAMING_OTHER_BUCKETS = frozenset({"logging", "replication", "inventory", "analytics"})
_VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
_log = logging.getLogger(__name__)


class WriteThrough:
    """moto's S3 and a data folder, kept equal.

    Parameters
    ----------
    disk : Disk
        Where things are kept; prepared, and locked against other processes.
    memory : MotoMemory
        Empty; `load` fills it.

    Attributes
    ----------
    rebuilt : list of str
        The buckets whose settings were lost and are the default ones now.
    """

    def __init__(self, disk: Disk, memory: MotoMemory) -> None:
        self._disk = disk
        self._memory = memory
        self._changing = threading.Lock()
        self._touching_memory = threading.RLock()
        self._target_at_work: tuple[str, str] | None = None
        # What is on disk: per bucket and key the versions by id, each with the facts last written for it.
        self._written: dict[str, dict[str, dict[str, tuple[Version, dict[str, Any]]]]] = {}
        self._written_parts: dict[str, dict[str, dict[int, object]]] = {}
        self._sub_resources: dict[str, dict[str, str]] = {}
        self._next_sequence = 1
        self.rebuilt: list[str] = []

    def load(self) -> None:
        """Replay the data folder into memory."""
        names = self._disk.bucket_names()
        for bucket in names:
            self._reload_bucket(bucket)
        self._replay_settings(names)
        for bucket in names:
            by_key: dict[str, list[Record]] = defaultdict(list)
            for record in self._disk.read_objects(bucket):
                by_key[record.facts["key"]].append(record)
            for key, records in by_key.items():
                self._replace_versions(bucket, key, records)
            self._reload_uploads(bucket)

    def create_bucket(self, bucket: str) -> S3Answer:
        """Create a bucket unless it is there."""
        if self._memory.find_bucket(bucket) is not None:
            return S3Answer(200, {}, b"")
        return self.answer(S3Request("PUT", f"/{bucket}", {"Content-Length": "0"}, b""))

    def answer(self, request: S3Request) -> S3Answer:
        """Answer one request; safe to call from several threads."""
        error = find_target_error(request.target)
        if error is not None:
            return error_answer(400, *error)
        if request.method in _READING_METHODS:
            return self._read(request)
        with self._changing:
            return self._change(request)

    def _read(self, request: S3Request) -> S3Answer:
        bucket, key = bucket_and_key(request.target)
        with self._touching_memory:
            if not self._is_at_work_on(bucket, key):
                return self._ask(request)
        with self._changing, self._touching_memory:
            return self._ask(request)

    def _is_at_work_on(self, bucket: str, key: str) -> bool:
        if self._target_at_work is None:
            return False
        changed_bucket, changed_key = self._target_at_work
        return bucket in {"", changed_bucket} and (not key or not changed_key or key == changed_key)

    def _change(self, request: S3Request) -> S3Answer:
        bucket, key = bucket_and_key(request.target)
        query = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
        with self._touching_memory:
            if self._names_unknown_upload(bucket, query):
                return error_answer(404, "NoSuchUpload", "The specified upload does not exist.")
            if request.method == "PUT" and key and "uploadId" not in query:
                error = find_copy_error(request.headers, self._memory.find_etag(bucket, key))
                if error is not None:
                    return error_answer(*error)
            self._target_at_work = (bucket, key)
            answer = self._ask(request)
        try:
            if 200 <= answer.status < 300:
                self._persist(request, bucket, key, query)
                return answer
            self._put_back(bucket, key, query)
            return answer
        except OSError as refusal:
            _log.error("the data folder refused a write: %s; %s %s is undone", refusal, request.method, bucket)
            self._put_back(bucket, key, query)
            return error_answer(500, "InternalError", f"The data folder refused the write: {refusal.strerror}.")
        except Exception:  # noqa: BLE001 - whatever fails, the change is undone
            _log.exception("%s %s could not be kept and is undone", request.method, request.target)
            self._put_back(bucket, key, query)
            return error_answer(500, "InternalError", "The change could not be kept and is undone.")
        finally:
            with self._touching_memory:
                self._target_at_work = None

    def _ask(self, request: S3Request) -> S3Answer:
        try:
            return self._memory.answer(request)
        except Exception as error:  # noqa: BLE001
            # moto lets some malformed requests through to a plain exception; S3 answers InternalError.
            _log.exception("moto failed on %s %s", request.method, request.target)
            return error_answer(500, "InternalError", f"{type(error).__name__}: {error}")

    def _names_unknown_upload(self, bucket: str, query: dict[str, str]) -> bool:
        if "uploadId" not in query or self._memory.find_bucket(bucket) is None:
            return False
        return query["uploadId"] not in self._memory.uploads(bucket)

    def _persist(self, request: S3Request, bucket: str, key: str, query: dict[str, str]) -> None:
        """Bring the disk to what memory holds for the target of a change that moto accepted."""
        if key and request.method == "PUT" and "uploadId" not in query and not self._holds(bucket, key):
            raise LostChangeError(bucket, key)
        if not key:
            self._persist_bucket(request, bucket)
        if self._memory.find_bucket(bucket) is None:
            return
        if key and not _UPLOAD_QUERIES.intersection(query):
            self._persist_versions(bucket, [key])
        elif key:
            # The object of a completed upload is written before its parts are dropped.
            self._persist_versions(bucket, [key])
            self._persist_uploads(bucket)
        elif request.method == "POST":
            self._persist_versions(bucket, {*self._memory.keys(bucket), *self._written.get(bucket, {})})

    def _holds(self, bucket: str, key: str) -> bool:
        return self._memory.find_bucket(bucket) is not None and bool(self._memory.versions(bucket, key))

    def _persist_bucket(self, request: S3Request, bucket: str) -> None:
        if self._memory.find_bucket(bucket) is None:
            if self._disk.find_bucket(bucket) is not None:
                self._disk.remove_bucket(bucket)
            for index in (self._written, self._written_parts, self._sub_resources):
                index.pop(bucket, None)
            return
        if request.method not in {"PUT", "DELETE"}:
            return
        sub_resource = request.target.partition("?")[2]
        settings = dict(self._sub_resources.get(bucket, {}))
        if sub_resource and sub_resource != "acl" and request.method == "PUT":
            settings[sub_resource] = base64.b64encode(request.body).decode()
        else:
            settings.pop(sub_resource, None)
        facts = self._memory.bucket_facts(bucket) | {"sub_resources": settings}
        self._disk.write_bucket(bucket, facts)
        self._sub_resources[bucket] = settings
        self._written.setdefault(bucket, {})
        self._written_parts.setdefault(bucket, {})

    def _persist_versions(self, bucket: str, keys: list[str] | set[str]) -> None:
        gone: list[tuple[str, str]] = []
        for key in keys:
            written = self._written[bucket].setdefault(key, {})
            held = {version.version_id: version for version in self._memory.versions(bucket, key)}
            for version_id, version in held.items():
                facts = self._memory.version_facts(key, version)
                before = written.get(version_id)
                if before is not None and before[0] is version and _same(before[1], facts):
                    continue
                facts["sequence"] = self._sequence_for(before, version)
                body = getattr(version, "value", b"")
                self._disk.write_version(bucket, key, version_id, Record(facts, body))
                written[version_id] = (version, facts)
            gone += [(key, version_id) for version_id in written if version_id not in held]
        if gone:
            self._disk.remove_versions(bucket, gone)
        for key, version_id in gone:
            del self._written[bucket][key][version_id]

    def _sequence_for(self, before: tuple[Version, dict[str, Any]] | None, version: Version) -> int:
        if before is not None and before[0] is version:
            return int(before[1]["sequence"])
        self._next_sequence += 1
        return self._next_sequence - 1

    def _persist_uploads(self, bucket: str) -> None:
        held = self._memory.uploads(bucket)
        written = self._written_parts[bucket]
        for upload_id, upload in held.items():
            if upload_id not in written:
                self._disk.write_upload(bucket, upload_id, self._memory.upload_facts(upload))
                written[upload_id] = {}
            for number, part in upload.parts.items():
                if written[upload_id].get(number) is not part:
                    facts = {"number": number, "last_modified": part.last_modified.isoformat()}
                    self._disk.write_part(bucket, upload_id, Record(facts, part.value))
                    written[upload_id][number] = part
        for upload_id in set(written) - set(held):
            self._disk.remove_upload(bucket, upload_id)
            del written[upload_id]

    def _put_back(self, bucket: str, key: str, query: dict[str, str]) -> None:
        """Make memory what the disk holds for the target of a change that did not happen."""
        if not bucket:
            return
        with self._touching_memory:
            was_there = self._memory.find_bucket(bucket) is not None
            if not key:
                self._reload_bucket(bucket)
            if self._memory.find_bucket(bucket) is None:
                return
            if not key:
                self._replay_settings([bucket])
            keys = [key] if key else {*self._memory.keys(bucket), *self._written.get(bucket, {})}
            for object_key in keys:
                if not self._is_as_written(bucket, object_key):
                    self._replace_versions(bucket, object_key, self._disk.read_versions(bucket, object_key))
            if not was_there or _UPLOAD_QUERIES.intersection(query):
                self._reload_uploads(bucket)

    def _is_as_written(self, bucket: str, key: str) -> bool:
        """Say whether memory holds the very versions that were last written, with the facts of then."""
        held = self._memory.versions(bucket, key)
        written = self._written[bucket].get(key, {})
        return len(held) == len(written) and all(
            version.version_id in written
            and written[version.version_id][0] is version
            and _same(written[version.version_id][1], self._memory.version_facts(key, version))
            for version in held
        )

    def _reload_bucket(self, bucket: str) -> None:
        if not self._disk.has_bucket(bucket):
            self._memory.forget_bucket(bucket)
            return
        record = self._disk.find_bucket(bucket) or self._rebuild_bucket(bucket)
        self._memory.make_bucket(record.facts)
        self._written.setdefault(bucket, {})
        self._written_parts.setdefault(bucket, {})
        self._sub_resources[bucket] = dict(record.facts["sub_resources"])

    def _replay_settings(self, buckets: list[str]) -> None:
        """Put the settings of buckets back: those that others need first, of every bucket."""
        settings = [
            (bucket, name, body) for bucket in buckets for name, body in self._sub_resources.get(bucket, {}).items()
        ]
        for bucket, name, body in sorted(settings, key=lambda setting: _replay_rank(setting[1])):
            content = base64.b64decode(body)
            region = self._memory.bucket_facts(bucket)["region"]
            headers = {"Content-Length": str(len(content)), "Authorization": _authorization(region)}
            answer = self._ask(S3Request("PUT", f"/{bucket}?{name}", headers, content))
            if not 200 <= answer.status < 300:
                reason = answer.body.decode(errors="replace")
                _log.error("the setting %r of the bucket %r can't be restored: %s", name, bucket, reason)

    def _rebuild_bucket(self, bucket: str) -> Record:
        """Give a bucket whose settings are lost the default ones; its objects outlive its settings."""
        facts = self._memory.default_bucket_facts(bucket)
        # More than unversioned objects: versioning was on, and with it off the next write would drop them.
        is_versioned = bool(self._disk.version_ids(bucket) - {"null"})
        facts["sub_resources"] = {"versioning": base64.b64encode(_VERSIONED).decode()} if is_versioned else {}
        self._disk.write_bucket(bucket, facts)
        self.rebuilt.append(bucket)
        return Record(facts, b"")

    def _replace_versions(self, bucket: str, key: str, records: list[Record]) -> None:
        ordered = sorted(records, key=lambda record: int(record.facts["sequence"]))
        self._memory.put_versions_back(bucket, key, ordered)
        self._written[bucket][key] = {
            version.version_id: (version, dict(record.facts))
            for version, record in zip(self._memory.versions(bucket, key), ordered, strict=True)
        }
        if ordered:
            self._next_sequence = max(self._next_sequence, int(ordered[-1].facts["sequence"]) + 1)

    def _reload_uploads(self, bucket: str) -> None:
        self._memory.put_uploads_back(bucket, self._disk.read_uploads(bucket))
        self._written_parts[bucket] = {
            upload_id: dict(upload.parts) for upload_id, upload in self._memory.uploads(bucket).items()
        }


def error_answer(status: int, code: str, message: str) -> S3Answer:
    """Return an error in S3's own shape, which boto3 and the AWS CLI understand (and retry, from 500 on)."""
    body = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    return S3Answer(status, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>\n{body}'.encode())


def _same(written: dict[str, Any], facts: dict[str, Any]) -> bool:
    return {name: value for name, value in written.items() if name != "sequence"} == facts


def _replay_rank(sub_resource: str) -> int:
    """Return when a setting is replayed: versioning is what others need, and some name other buckets."""
    name = sub_resource.partition("&")[0].partition("=")[0]
    return 0 if name == "versioning" else 2 if name in _NAMING_OTHER_BUCKETS else 1


def _authorization(region: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=replay/20260101/{region}/s3/aws4_request"
