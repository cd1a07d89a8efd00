"""What is durable when, with a disk that can be told to fail. moto is real and in this process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from emulator.bucket.disk import Disk
from emulator.bucket.moto_memory import MotoMemory, S3Answer, S3Request
from emulator.bucket.object_files import Record
from emulator.bucket.write_through import WriteThrough

pytestmark = pytest.mark.filterwarnings("ignore:S3 key was not disposed of in time:ResourceWarning")
UPLOAD_ID = b"<UploadId>"


class FailingDisk(Disk):
    """A disk that is full, or slow, when told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.error: Exception | None = None
        self.may_write = threading.Event()
        self.may_write.set()
        self.is_writing = threading.Event()
        self.read: list[str] = []

    def _read(self, path: Path) -> Record | None:
        self.read.append(path.name.partition(".")[0])
        return super()._read(path)

    def _write(self, path: Path, record: Record) -> None:
        self.is_writing.set()
        assert self.may_write.wait(5)
        if self.error is not None:
            # A new one each time: an error that lives as long as the test's parameters keeps moto's objects alive.
            raise type(self.error)(*self.error.args)
        super()._write(path, record)


class Bucket:
    """A store over a folder, asked as over HTTP."""

    def __init__(self, folder: Path) -> None:
        # moto's memory is this process's: a second bucket over a folder is the first one, started again.
        s3_backends["123456789012"]["aws"].reset()
        self.disk = FailingDisk(folder)
        self.disk.prepare()
        self.store = WriteThrough(self.disk, MotoMemory())
        self.store.load()

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> S3Answer:
        sent = {"Content-Length": str(len(body)), "Authorization": "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/s3/c"}
        return self.store.answer(S3Request(method, target, sent | headers, body))


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(tmp_path)
    made.store.create_bucket("bkt")
    yield made
    s3_backends["123456789012"]["aws"].reset()
    # What moto complains of when it is collected is collected here, where that is expected.
    gc.collect()


@pytest.mark.fault(17)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), TypeError("no JSON"), KeyError("bkt")])
@pytest.mark.fidelity("disk-refuses-write")
def test_fault_17_refused_write_undoes_every_kind_of_change(bucket: Bucket, tmp_path: Path, error: Exception) -> None:
    bucket.ask("PUT", "/bkt?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    bucket.ask("PUT", "/bkt/k", b"old")
    upload = bucket.ask("POST", "/bkt/big?uploads").body.split(UPLOAD_ID)[1].split(b"<")[0].decode()
    tagging = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    part = f"/bkt/big?partNumber=1&uploadId={upload}"
    etag = bucket.ask("PUT", part, b"part").headers["ETag"].strip('"')
    complete = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    changes: list[tuple[str, str, bytes]] = [
        ("PUT", "/bkt/k", b"new"),
        ("PUT", "/bkt/other", b"new"),
        ("PUT", "/bkt/k?tagging", tagging),
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
    again = Bucket(tmp_path)
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
        "/bkt/k?tagging",
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
    writer = threading.Thread(target=bucket.ask, args=("PUT", "/bkt/k", b"new"))
    writer.start()
    assert bucket.disk.is_writing.wait(5)
    assert bucket.ask("GET", "/bkt/other").body == b"other"
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(bucket.ask("GET", "/bkt/k").body))
    reader.start()
    reader.join(0.05)
    assert read == []
    bucket.disk.may_write.set()
    reader.join()
    writer.join()
    assert read == [b"new"]


def test_a_request_that_moto_refuses_half_way_changes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    bucket.ask("PUT", "/bkt/k", b"old")
    # moto stores the object first and finds the tags to be bad afterwards.
    refused = bucket.ask("PUT", "/bkt/k", b"new", **{"x-amz-tagging": "&".join(f"k{n}=v" for n in range(60))})
    assert refused.status == 400
    assert bucket.ask("GET", "/bkt/k").body == b"old"
    assert Bucket(tmp_path).ask("GET", "/bkt/k").body == b"old"


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
        again = Bucket(tmp_path)
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
    assert (Bucket(tmp_path).ask("GET", target).body == b"x") == acknowledged


class MisplacingMemory(MotoMemory):
    """A memory that accepts a PUT and keeps nothing, when told."""

    loses = False

    def answer(self, request: S3Request) -> S3Answer:
        if self.loses and request.method == "PUT":
            return S3Answer(200, {}, b"")
        return super().answer(request)


@pytest.mark.fidelity("ambiguous-target")
def test_an_accepted_put_that_memory_does_not_hold_is_an_error(bucket: Bucket) -> None:
    memory = MisplacingMemory()
    bucket.store = WriteThrough(bucket.disk, memory)
    bucket.store.load()
    memory.loses = True
    assert bucket.ask("PUT", "/bkt/k", b"x").status == 500
    assert bucket.ask("GET", "/bkt/k").status == 404


REPLICATION = (
    b"<ReplicationConfiguration><Role>arn:aws:iam::123456789012:role/r</Role><Rule><ID>1</ID><Priority>1</Priority>"
    b"<Status>Enabled</Status><Filter><Prefix></Prefix></Filter><DeleteMarkerReplication><Status>Disabled</Status>"
    b"</DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::zzz</Bucket></Destination></Rule>"
    b"</ReplicationConfiguration>"
)
LOGGING = (
    b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>zzz</TargetBucket><TargetPrefix>log/</TargetPrefix>"
    b"</LoggingEnabled></BucketLoggingStatus>"
)
LOG_POLICY = (
    b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", '
    b'"Principal": {"Service": "logging.s3.amazonaws.com"}, "Resource": "arn:aws:s3:::zzz/*"}]}'
)


@pytest.mark.fidelity("settings-order")
def test_settings_that_need_other_settings_or_a_later_bucket_come_back(
    bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.store.create_bucket("zzz")
    versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    for target, body in (
        ("/bkt?versioning", versioning), ("/zzz?versioning", versioning), ("/zzz?policy", LOG_POLICY),
        ("/bkt?replication", REPLICATION), ("/bkt?logging", LOGGING),
    ):  # fmt: skip
        answer = bucket.ask("PUT", target, body)
        assert answer.status in {200, 204}, (target, answer.body)
    again = Bucket(tmp_path)
    assert b"zzz" in again.ask("GET", "/bkt?replication").body
    assert b"zzz" in again.ask("GET", "/bkt?logging").body
    assert not caplog.records


@pytest.mark.fidelity("settings-order")
def test_a_setting_that_can_no_longer_be_replayed_is_logged(
    bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.disk.write_bucket(
        "bkt", MotoMemory().default_bucket_facts("bkt") | {"sub_resources": {"versioning": "PHg+"}}
    )
    again = Bucket(tmp_path)
    assert "versioning" in caplog.text
    assert "'bkt'" in caplog.text
    assert again.ask("GET", "/bkt").status == 200


def test_a_refused_change_that_changed_nothing_reads_nothing_back(bucket: Bucket) -> None:
    etag = bucket.ask("PUT", "/bkt/k", b"old").headers["ETag"]
    upload = bucket.ask("POST", "/bkt/big?uploads").body.split(UPLOAD_ID)[1].split(b"<")[0].decode()
    bucket.ask("PUT", f"/bkt/big?partNumber=1&uploadId={upload}", b"part")
    bucket.disk.read.clear()
    refused = [
        bucket.ask("PUT", "/bkt/k", b"new", **{"If-None-Match": "*"}),
        bucket.ask("PUT", "/bkt/k", b"new", **{"If-Match": '"0"'}),
        bucket.ask("PUT", "/nobucket/k", b"new"),
        bucket.ask("PUT", "/bkt/new?tagging", b"<Tagging><TagSet></TagSet></Tagging>"),
    ]
    assert [answer.status for answer in refused] == [412, 412, 404, 404]
    assert bucket.disk.read == []
    # A refused change of the bucket reads its settings and no object.
    assert bucket.ask("DELETE", "/bkt").status == 409
    assert bucket.disk.read == ["bucket"]
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
