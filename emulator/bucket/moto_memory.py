"""moto's S3 in this process's memory: ask it, read its state, put its state back.

The only module that touches moto's insides. It keeps nothing and decides nothing about durability.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]
from moto.core.request import Request
from moto.s3.models import (
    FakeAcl,
    FakeBucket,
    FakeDeleteMarker,
    FakeGrant,
    FakeGrantee,
    FakeKey,
    FakeMultipart,
    S3Backend,
    s3_backends,
)
from moto.s3.responses import S3Response
from werkzeug.exceptions import HTTPException

from emulator.bucket.object_files import Record
from emulator.bucket.targets import moto_path

# moto tells path-style from virtual-host-style requests by the host: whatever address a client used
# (loopback, Docker's bridge, a host name with dots), moto sees S3's own, so path style always holds.
_HOST = "s3.amazonaws.com"
_DEFAULT_REGION = "us-east-1"
# Attributes of a moto object that are plain values, and make it what it is.
_PLAIN_FACTS = (
    "website_redirect_location", "checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts",
    "encryption", "kms_key_id", "bucket_key_enabled", "lock_mode", "lock_legal_status", "lock_until",
)  # fmt: skip
_TRACKED: tuple[Any, ...] = (FakeKey, FakeDeleteMarker, FakeMultipart, FakeAcl, FakeGrant, FakeGrantee)

Version = FakeKey | FakeDeleteMarker


@dataclass(frozen=True, slots=True)
class S3Request:
    """A request as it came off the wire: `target` is the path and query, still percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class S3Answer:
    """An answer to put on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MotoMemory:
    """moto's S3 of one account."""

    def __init__(self, backend: S3Backend | None = None) -> None:
        self._backend: S3Backend = backend or s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def answer(self, request: S3Request) -> S3Answer:
        """Let moto answer a request, changing its memory if the request asks for that."""
        url = f"http://{_HOST}{moto_path(request.target)}"
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        wrapped = Request.from_primitives(request.method, url, {**headers, "Host": _HOST}, request.body)
        segments = request.target.partition("?")[0].lstrip("/").split("/", 1)
        dispatch = S3Response.key_dispatch if len(segments) == 2 and segments[1] else S3Response.bucket_dispatch
        try:
            status, answered, body = dispatch(wrapped, wrapped.raw_url, wrapped.headers)
        except HTTPException as error:
            status, answered, body = error.code or 500, dict(error.get_headers()), error.get_body()
        content = body.encode() if isinstance(body, str) else bytes(body)
        # A deleted or replaced key would otherwise stay in moto's list of all instances for ever.
        for tracked in _TRACKED:
            tracked.instances_tracked.clear()
        return S3Answer(int(status), {str(name): str(value) for name, value in answered.items()}, content)

    def bucket_names(self) -> list[str]:
        """Return the buckets that moto holds."""
        return list(self._backend.buckets)

    def find_bucket(self, bucket: str) -> FakeBucket | None:
        """Return moto's bucket, or None."""
        return self._backend.buckets.get(bucket)

    def bucket_facts(self, bucket: str) -> dict[str, Any]:
        """Return what a bucket is apart from its objects and its sub-resources."""
        return _facts_of_bucket(self._backend.buckets[bucket])

    def default_bucket_facts(self, bucket: str) -> dict[str, Any]:
        """Return what `bucket_facts` says of a bucket that was made without any wish."""
        made = FakeBucket(bucket, DEFAULT_ACCOUNT_ID, _DEFAULT_REGION)  # type: ignore[abstract]
        return _facts_of_bucket(made)

    def make_bucket(self, facts: Mapping[str, Any]) -> None:
        """Make a bucket from its facts, keeping the objects of one that is there already."""
        held = self._backend.buckets.pop(facts["name"], None)
        s3_backends.bucket_accounts.pop(facts["name"], None)
        made = self._backend.create_bucket(facts["name"], facts["region"])
        made.creation_date = dt.datetime.fromisoformat(facts["created_at"])
        made.object_lock_enabled = facts["object_lock_enabled"]
        made.ownership_rule = facts["ownership_rule"]
        made.acl = _make_acl(facts["acl"])
        if held is not None:
            made.keys, made.multiparts = held.keys, held.multiparts

    def forget_bucket(self, bucket: str) -> None:
        """Drop a bucket with all that is in it."""
        self._backend.buckets.pop(bucket, None)
        s3_backends.bucket_accounts.pop(bucket, None)

    def keys(self, bucket: str) -> list[str]:
        """Return the keys of a bucket, those with a delete marker on top included."""
        return list(self._backend.buckets[bucket].keys)

    def versions(self, bucket: str, key: str) -> list[Version]:
        """Return an object's versions and delete markers, oldest first."""
        return list(self._backend.buckets[bucket].keys.getlist(key, []))

    def find_etag(self, bucket: str, key: str) -> str | None:
        """Return the ETag of the object that a GET would give, or None where it would give none."""
        held = self._backend.buckets.get(bucket)
        newest = held.keys.get(key) if held is not None else None
        return newest.etag if isinstance(newest, FakeKey) else None

    def version_facts(self, key: str, version: Version) -> dict[str, Any]:
        """Return what a version is apart from its body."""
        facts: dict[str, Any] = {
            "key": key,
            "version_id": version.version_id,
            "last_modified": version.last_modified.isoformat(),
            "delete_marker": isinstance(version, FakeDeleteMarker),
        }
        if isinstance(version, FakeKey):
            facts |= {name: getattr(version, name) for name in _PLAIN_FACTS}
            facts |= {
                "etag": version.etag.strip('"'),
                "metadata": dict(version.metadata),
                "storage_class": version.storage_class,
                "versioned": version._is_versioned,
                "region": version.region_name,
                "acl": _acl_facts(version.acl),
                "tags": self._backend.tagger.get_tag_dict_for_resource(version.arn),
            }
        return facts

    def put_versions_back(self, bucket: str, key: str, records: Iterable[Record]) -> None:
        """Make an object's versions what the records say (oldest first); none removes the object."""
        store = self._backend.buckets[bucket].keys
        made: list[Version] = []
        for record in records:
            if record.facts["delete_marker"]:
                made.append(self._make_delete_marker(bucket, key, record.facts, made))
            else:
                made.append(self._make_key(bucket, key, record))
        if made:
            store.setlist(key, made)
        elif key in store:
            store.pop(key)

    def uploads(self, bucket: str) -> dict[str, FakeMultipart]:
        """Return the unfinished uploads of a bucket by id."""
        return dict(self._backend.buckets[bucket].multiparts)

    def upload_facts(self, upload: FakeMultipart) -> dict[str, Any]:
        """Return what an unfinished upload is apart from its parts."""
        return {
            "upload_id": upload.id,
            "key": upload.key_name,
            "metadata": dict(upload.metadata),
            "storage_class": upload.storage,
            "tags": upload.tags,
            "acl": _acl_facts(upload.acl),
            "encryption": upload.sse_encryption,
            "kms_key_id": upload.kms_key_id,
        }

    def put_uploads_back(self, bucket: str, uploads: Iterable[tuple[Record, list[Record]]]) -> None:
        """Make the unfinished uploads of a bucket what the records say."""
        held = self._backend.buckets[bucket]
        for upload_id in list(held.multiparts):
            del held.multiparts[upload_id]
        for record, parts in uploads:
            facts = record.facts
            made = FakeMultipart(
                facts["key"],
                cast("Any", facts["metadata"]),
                account_id=self._backend.account_id,
                region_name=self._backend.region_name,
                storage=facts["storage_class"],
                tags=facts["tags"],
                acl=_make_acl(facts["acl"]),
                sse_encryption=facts["encryption"],
                kms_key_id=facts["kms_key_id"],
            )
            made.id = facts["upload_id"]
            for part in parts:
                put = made.set_part(part.facts["number"], part.body)
                put.last_modified = dt.datetime.fromisoformat(part.facts["last_modified"])
            held.multiparts[made.id] = made

    def _make_key(self, bucket: str, key: str, record: Record) -> FakeKey:
        facts = record.facts
        made = FakeKey(
            key,
            record.body,
            account_id=self._backend.account_id,
            region_name=facts["region"],
            storage=facts["storage_class"],
            etag=facts["etag"],
            is_versioned=facts["versioned"],
            version_id=facts["version_id"],
            bucket_name=bucket,
        )
        for name in _PLAIN_FACTS:
            setattr(made, name, facts[name])
        made.last_modified = dt.datetime.fromisoformat(facts["last_modified"])
        made.set_metadata(dict(facts["metadata"]))
        made.set_acl(_make_acl(facts["acl"]))
        self._backend.tagger.delete_all_tags_for_resource(made.arn)
        if facts["tags"]:
            tags = self._backend.tagger.convert_dict_to_tags_input(facts["tags"])
            self._backend.tagger.tag_resource(made.arn, tags)
        return made

    def _make_delete_marker(
        self, bucket: str, key: str, facts: Mapping[str, Any], earlier: list[Version]
    ) -> FakeDeleteMarker:
        # A marker points at what it hides; what it hid may have been deleted for good since.
        hidden = earlier[-1] if earlier else self._nameless(bucket, key)
        made = FakeDeleteMarker(cast("FakeKey", hidden))
        made._version_id = facts["version_id"]
        made.last_modified = dt.datetime.fromisoformat(facts["last_modified"])
        return made

    def _nameless(self, bucket: str, key: str) -> FakeKey:
        return FakeKey(key, b"", self._backend.account_id, self._backend.region_name, bucket_name=bucket)


def _facts_of_bucket(held: FakeBucket) -> dict[str, Any]:
    return {
        "name": held.name,
        "region": held.region_name,
        "created_at": held.creation_date.isoformat(),
        "object_lock_enabled": held.object_lock_enabled,
        "ownership_rule": held.ownership_rule,
        "acl": _acl_facts(held.acl),
    }


def _acl_facts(acl: FakeAcl | None) -> list[dict[str, Any]] | None:
    if acl is None:
        return None
    return [
        {
            "permissions": list(grant.permissions),
            "grantees": [[grantee.id, grantee.uri, grantee.display_name] for grantee in grant.grantees],
        }
        for grant in acl.grants
    ]


def _make_acl(grants: list[dict[str, Any]] | None) -> FakeAcl | None:
    if grants is None:
        return None
    return FakeAcl(
        [
            FakeGrant([FakeGrantee(*grantee) for grantee in grant["grantees"]], list(grant["permissions"]))
            for grant in grants
        ]
    )
