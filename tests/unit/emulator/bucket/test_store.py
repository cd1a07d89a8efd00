"""What is durable when, with a disk that can be told to fail. Requests are answered without a socket."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from emulator import durable_files
from tests.unit.emulator.bucket.asked_bucket import Bucket

UPLOAD_ID = b"<UploadId>"


@pytest.mark.fault(17)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), TypeError("no JSON"), KeyError("bkt")])
@pytest.mark.fidelity("disk-refuses-write")
def test_fault_17_refused_write_undoes_every_kind_of_change(bucket: Bucket, tmp_path: Path, error: Exception) -> None:
    bucket.ask("PUT", "/bkt?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    bucket.ask("PUT", "/bkt/k", b"old")
    upload = bucket.ask("POST", "/bkt/big?uploads").body.split(UPLOAD_ID)[1].split(b"<")[0].decode()
    part = f"/bkt/big?partNumber=1&uploadId={upload}"
    etag = bucket.ask("PUT", part, b"part").headers["ETag"].strip('"')
    complete = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    changes: list[tuple[str, str, bytes]] = [
        ("PUT", "/bkt/k", b"new"),
        ("PUT", "/bkt/other", b"new"),
        ("DELETE", "/bkt/k", b""),
        ("POST", "/bkt?delete", b"<Delete><Object><Key>k</Key></Object></Delete>"),
        ("POST", "/bkt/more?uploads", b""),
        ("PUT", part, b"part"),
        ("POST", f"/bkt/big?uploadId={upload}", complete),
        ("PUT", "/ccc", b""),
        ("PUT", "/bkt?versioning", b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"),
    ]
    before = look(bucket, upload)
    bucket.disk.error = error
    for change in changes:
        answer = bucket.ask(*change)
        assert answer.status == 500, change
        assert b"<Code>InternalError</Code>" in answer.body
        assert look(bucket, upload) == before, change
    bucket.disk.error = None
    again = bucket.again()
    assert look(again, upload) == before
    for change in changes:
        assert again.ask(*change).status in {200, 204}, change


def look(bucket: Bucket, upload: str) -> list[Any]:
    targets = [
        "/",
        "/bkt?versioning",
        "/bkt?versions",
        "/bkt?uploads",
        "/bkt/k",
        f"/bkt/big?uploadId={upload}",
    ]
    answers = [bucket.ask("GET", target) for target in targets]
    return [(answer.status, answer.body) for answer in answers]


@pytest.mark.fidelity("durable-before-visible")
def test_readers_wait_for_what_is_not_on_disk_yet_and_for_nothing_else(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt/k", b"old")
    bucket.ask("PUT", "/bkt/other", b"other")
    bucket.disk.is_writing.clear()
    bucket.disk.may_write.clear()

    async def scenario() -> None:
        writer = asyncio.create_task(bucket.answer("PUT", "/bkt/k", b"new"))
        await asyncio.to_thread(bucket.disk.is_writing.wait, 5)
        assert (await bucket.answer("GET", "/bkt/other")).body == b"other"
        # Not at its place yet: the old object is what a reader sees.
        assert (await bucket.answer("GET", "/bkt/k")).body == b"old"
        bucket.disk.may_write.set()
        assert (await writer).status == 200
        assert (await bucket.answer("GET", "/bkt/k")).body == b"new"

    bucket.runner.run(scenario())


@pytest.mark.fidelity("durable-before-visible")
def test_reader_of_a_file_that_is_at_its_place_and_not_yet_durable_waits(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.ask("PUT", "/bkt/k", b"old")
    at_its_place, may_sync = threading.Event(), threading.Event()

    def sync_folder(folder: Path) -> None:
        at_its_place.set()
        assert may_sync.wait(5)

    async def scenario() -> None:
        monkeypatch.setattr(durable_files, "sync_folder", sync_folder)
        writer = asyncio.create_task(bucket.answer("PUT", "/bkt/k", b"newer"))
        await asyncio.to_thread(at_its_place.wait, 5)
        reader = asyncio.create_task(bucket.answer("GET", "/bkt/k"))
        await asyncio.sleep(0)
        assert not reader.done()
        may_sync.set()
        assert (await reader).body == b"newer"
        assert (await writer).status == 200

    bucket.runner.run(scenario())


def test_a_refused_request_changes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    bucket.ask("PUT", "/bkt/k", b"old")
    refused = bucket.ask("PUT", "/bkt/k", b"new", **{"x-amz-meta-much": "m" * 2100})
    assert refused.status == 400
    assert bucket.ask("GET", "/bkt/k").body == b"old"
    assert bucket.again().ask("GET", "/bkt/k").body == b"old"


def test_unknown_uploads_and_broken_requests_are_s3_errors(bucket: Bucket) -> None:
    unknown = bucket.ask("PUT", "/bkt/k?partNumber=1&uploadId=nope", b"x")
    assert (unknown.status, b"NoSuchUpload" in unknown.body) == (404, True)
    assert bucket.ask("POST", "/bkt?delete", b"<no xml").status >= 400
    assert bucket.ask("PUT", "/nobucket/k", b"x").status == 404
    assert bucket.ask("GET", "/bkt?list-type=2").status == 200


@pytest.mark.fault(17)
@pytest.mark.parametrize("damage", ["a flipped bit", "a lost file"])
@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.fidelity("bucket-settings-lost")
def test_fault_17_damaged_bucket_settings_cost_no_object(
    bucket: Bucket, tmp_path: Path, damage: str, versioned: bool
) -> None:
    if versioned:
        enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        assert bucket.ask("PUT", "/bkt?versioning", enabled).status == 200
    bucket.ask("PUT", "/bkt/k", b"old")
    bucket.ask("PUT", "/bkt/k", b"new")
    settings = tmp_path / "buckets" / "bkt" / "bucket"
    content = settings.read_bytes()
    settings.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    if damage == "a lost file":
        settings.unlink()
    for start in range(3):
        again = bucket.again()
        assert again.store.rebuilt == (["bkt"] if start == 0 else [])
        assert again.ask("GET", "/bkt/k").body == b"new"
        # Old versions say that versioning was on: with it off, the next write would drop them.
        assert (b"Enabled" in again.ask("GET", "/bkt?versioning").body) == versioned
        assert again.ask("PUT", "/bkt/other", b"x").status == 200


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("//bkt/k", b"InvalidURI"), ("///bkt/k", b"InvalidURI"), ("http://host/bkt/k", b"InvalidURI"),
        ("/bkt/k#part", b"InvalidURI"), ("/bkt%2Fk", b"InvalidBucketName"), ("/%2Fbkt/k", b"InvalidBucketName"),
        ("/../k", b"InvalidBucketName"), ("/b%00t/k", b"InvalidBucketName"), ("/b%C3%BC/k", b"InvalidBucketName"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.fidelity("ambiguous-target")
def test_a_target_that_two_readers_may_read_differently_is_refused(
    bucket: Bucket, method: str, target: str, code: bytes
) -> None:
    bucket.ask("PUT", "/bkt/k", b"old")
    answer = bucket.ask(method, target, b"new" if method == "PUT" else b"")
    assert (answer.status, code in answer.body) == (400, True)
    assert bucket.ask("GET", "/bkt/k").body == b"old"


@pytest.mark.parametrize("target", ["/bkt/a%2Fb", "/bkt//k", "/bkt/%FF", "/bkt/a;b", "/bkt/./..", "/bkt/%23"])
def test_what_is_acknowledged_is_on_disk_whatever_its_name(bucket: Bucket, tmp_path: Path, target: str) -> None:
    acknowledged = bucket.ask("PUT", target, b"x").status == 200
    assert (bucket.again().ask("GET", target).body == b"x") == acknowledged


LIFECYCLE = "PExpZmVjeWNsZUNvbmZpZ3VyYXRpb24vPg=="


@pytest.mark.fidelity("old-folder-is-read")
def test_settings_that_an_earlier_program_kept_stay_in_the_folder(bucket: Bucket) -> None:
    # Such a program may be run on the folder again.
    before = bucket.disk.find_bucket("bkt")
    assert before is not None
    bucket.disk.write_bucket("bkt", {**before, "sub_resources": {"lifecycle": LIFECYCLE}})
    again = bucket.again()
    assert again.ask("GET", "/bkt?lifecycle").status == 501
    versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert again.ask("PUT", "/bkt?versioning", versioning).status == 200
    after = bucket.again().disk.find_bucket("bkt")
    assert after is not None
    assert after["sub_resources"]["lifecycle"] == LIFECYCLE


def test_an_object_whose_file_another_program_removed_is_an_error_that_says_so(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt/k", b"x")
    next((bucket.disk.root / "buckets" / "bkt" / "objects").iterdir()).unlink()
    answer = bucket.ask("GET", "/bkt/k")
    assert (answer.status, b"removed by another program" in answer.body) == (500, True)


def test_the_status_of_versioning_is_not_that_of_deletes_with_a_second_factor(bucket: Bucket) -> None:
    setting = (
        b"<VersioningConfiguration><MfaDelete>Enabled</MfaDelete><Status>Suspended</Status></VersioningConfiguration>"
    )
    assert bucket.ask("PUT", "/bkt?versioning", setting).status == 200
    assert bucket.ask("PUT", "/bkt/k", b"x").headers["x-amz-version-id"] == "null"


def test_a_refused_change_that_changed_nothing_reads_nothing_back(bucket: Bucket) -> None:
    etag = bucket.ask("PUT", "/bkt/k", b"old").headers["ETag"]
    upload = bucket.ask("POST", "/bkt/big?uploads").body.split(UPLOAD_ID)[1].split(b"<")[0].decode()
    bucket.ask("PUT", f"/bkt/big?partNumber=1&uploadId={upload}", b"part")
    bucket.disk.read.clear()
    refused = [
        bucket.ask("PUT", "/bkt/k", b"new", **{"If-None-Match": "*"}),
        bucket.ask("PUT", "/bkt/k", b"new", **{"If-Match": '"0"'}),
        bucket.ask("PUT", "/nobucket/k", b"new"),
    ]
    assert [answer.status for answer in refused] == [412, 412, 404]
    assert bucket.disk.read == []
    assert bucket.ask("DELETE", "/bkt").status == 409
    assert bucket.disk.read == []
    assert bucket.ask("GET", "/bkt/k").headers["ETag"] == etag
    assert bucket.ask("GET", f"/bkt/big?uploadId={upload}").status == 200


@pytest.mark.fidelity("conditional-copy")
def test_a_conditional_copy_overwrites_nothing(bucket: Bucket) -> None:
    etag = bucket.ask("PUT", "/bkt/k", b"old").headers["ETag"]
    bucket.ask("PUT", "/bkt/source", b"new")
    source = {"x-amz-copy-source": "/bkt/source"}
    exists = bucket.ask("PUT", "/bkt/k", **source, **{"If-None-Match": "*"})
    assert (exists.status, b"PreconditionFailed" in exists.body) == (412, True)
    assert bucket.ask("PUT", "/bkt/k", **source, **{"if-match": '"0"'}).status == 412
    assert bucket.ask("PUT", "/bkt/nothing", **source, **{"If-Match": etag}).status == 404
    assert bucket.ask("GET", "/bkt/k").body == b"old"
    assert bucket.ask("PUT", "/bkt/other", **source, **{"If-None-Match": "*"}).status == 200
    assert bucket.ask("PUT", "/bkt/k", **source, **{"If-Match": etag}).status == 200
    assert bucket.ask("GET", "/bkt/k").body == bucket.ask("GET", "/bkt/other").body == b"new"
    bucket.ask("DELETE", "/bkt/k")
    assert bucket.ask("PUT", "/bkt/k", **source, **{"If-None-Match": "*"}).status == 200


@pytest.mark.fidelity("object-events")
def test_each_change_of_an_object_is_published_once_it_is_on_disk(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt/a%20b", b"old")
    bucket.ask("PUT", "/bkt/a%20b", b"newer")
    bucket.ask("PUT", "/bkt/c", **{"x-amz-copy-source": "/bkt/a%20b"})
    upload = bucket.ask("POST", "/bkt/big?uploads").body.split(UPLOAD_ID)[1].split(b"<")[0].decode()
    etag = bucket.ask("PUT", f"/bkt/big?partNumber=1&uploadId={upload}", b"part").headers["ETag"]
    parts = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    bucket.ask("POST", f"/bkt/big?uploadId={upload}", f"{parts}</CompleteMultipartUpload>".encode())
    bucket.ask("DELETE", "/bkt/c")
    bucket.ask("DELETE", "/bkt/never")
    bucket.ask("POST", "/bkt?delete", b"<Delete><Object><Key>a b</Key></Object></Delete>")
    bucket.disk.error = OSError(28, "No space left on device")
    assert bucket.ask("PUT", "/bkt/refused", b"x").status == 500
    assert [(event.event_name, event.key, event.size) for event in bucket.events] == [
        ("ObjectCreated:Put", "a b", 3),
        ("ObjectCreated:Put", "a b", 5),
        ("ObjectCreated:Copy", "c", 5),
        ("ObjectCreated:CompleteMultipartUpload", "big", 4),
        ("ObjectRemoved:Delete", "c", None),
        ("ObjectRemoved:Delete", "a b", None),
    ]
    sequencers = [event.sequencer for event in bucket.events]
    assert sequencers == sorted(set(sequencers))


@pytest.mark.fidelity("object-events")
def test_a_delete_marker_is_published_as_one(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    bucket.ask("PUT", "/bkt/k", b"old")
    bucket.ask("DELETE", "/bkt/k")
    bucket.ask("DELETE", f"/bkt/k?versionId={bucket.events[-1].version_id}")
    assert [(event.event_name, event.version_id is not None) for event in bucket.events] == [
        ("ObjectCreated:Put", True),
        ("ObjectRemoved:DeleteMarkerCreated", True),
        ("ObjectRemoved:Delete", True),
    ]
