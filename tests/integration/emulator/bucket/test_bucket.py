"""The bucket as a process: real boto3, real kills, a real disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.emulator.lambda_client import until

ODD_KEYS = [
    "a", "a/b", "a//b", "/leading", "ü/€", "a b+c", "x%20y", "%2F", "?q=1#f", "../..", ".", "..", "a\\b",
    "k" * 1000, "é" * 400, "q\"'<>&", "tab\there", "\x7f", "*", "folder/", "/", "~!@$^()=;,", "case", "CASE",
    "ends.tmp",
]  # fmt: skip


@pytest.fixture
def bucket(start: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def _start(**options: Any) -> Any:
        arguments = ["--port", "0", "--data-dir", str(tmp_path / "data"), "--bucket", "models"]
        return start("bucket", *arguments, **options)

    return _start


def s3_client(url: str, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, **config),
    )


def read(s3: Any, key: str, **more: Any) -> bytes:
    return bytes(s3.get_object(Bucket="models", Key=key, **more)["Body"].read())


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.fidelity("multipart-and-versions")
def test_objects_with_odd_keys_come_back_after_a_kill(bucket: Callable[..., Any]) -> None:
    first = bucket()
    s3 = s3_client(first.url)
    for key in ODD_KEYS:
        s3.put_object(
            Bucket="models", Key=key, Body=key.encode(), ContentType="text/x-key", Metadata={"who": "me"},
            CacheControl="no-store",
        )  # fmt: skip
    before = {key: s3.head_object(Bucket="models", Key=key) for key in ODD_KEYS}
    first.kill()

    s3 = s3_client(bucket().url)
    assert {item["Key"] for item in s3.list_objects_v2(Bucket="models")["Contents"]} == set(ODD_KEYS)
    for key in ODD_KEYS:
        assert read(s3, key) == key.encode()
        after = s3.head_object(Bucket="models", Key=key)
        for name in ("ETag", "LastModified", "ContentType", "Metadata", "ContentLength", "CacheControl"):
            assert after[name] == before[key][name], (key, name)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity"])
@pytest.mark.fidelity("bucket-keeps-bytes")
def test_an_encoded_body_is_kept_byte_for_byte(bucket: Callable[..., Any], encoding: str) -> None:
    s3 = s3_client(bucket().url)
    body = gzip.compress(b"model" * 1000)
    for sent in (body, io.BytesIO(body)):
        etag = s3.put_object(Bucket="models", Key="k", Body=sent, ContentEncoding=encoding)["ETag"]
        answer = s3.get_object(Bucket="models", Key="k")
        assert answer["Body"].read() == body
        assert (answer["ContentLength"], answer["ContentEncoding"]) == (len(body), encoding)
        assert etag == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.mark.fault(17)
@pytest.mark.parametrize("after_writes", [5, 60])
@pytest.mark.fidelity("acknowledged-writes-survive")
def test_fault_17_kill_amid_a_stream_of_writes_loses_nothing_acknowledged(
    bucket: Callable[..., Any], after_writes: int
) -> None:
    running = bucket()
    enough = threading.Event()
    count = itertools.count(1)
    acknowledged: dict[str, bytes] = {}
    attempted: dict[str, bytes] = {}

    def write(writer: int) -> None:
        s3 = s3_client(running.url)
        for number in range(10_000):
            key, body = f"w{writer}/{number % 7}", str(number).encode() * 500
            attempted[key] = body
            try:
                s3.put_object(Bucket="models", Key=key, Body=body)
            except (BotoCoreError, ClientError):
                return
            acknowledged[key] = body
            if next(count) >= after_writes:
                enough.set()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    running.kill()
    for writer in writers:
        writer.join()

    s3 = s3_client(bucket().url)
    for key, body in acknowledged.items():
        # The write that the kill cut off may have reached the disk unacknowledged; nothing in between.
        assert read(s3, key) in {body, attempted[key]}


@pytest.mark.fault(17)
@pytest.mark.fidelity("acknowledged-writes-survive")
def test_fault_17_client_that_hangs_up_amid_its_body_leaves_nothing(bucket: Callable[..., Any], tmp_path: Path) -> None:
    running = bucket()
    s3 = s3_client(running.url)
    s3.put_object(Bucket="models", Key="k", Body=b"old")
    objects = tmp_path / "data" / "buckets" / "models" / "objects"
    host, _, port = running.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"PUT /models/k HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n".encode())
        client.sendall(b"x" * 3_000_000)
        until(lambda: len(list(objects.iterdir())) == 2)
    until(lambda: len(list(objects.iterdir())) == 1)
    assert read(s3, "k") == b"old"


@pytest.mark.fault(17)
@pytest.mark.fidelity("disk-refuses-write")
def test_fault_17_full_disk_leaves_the_old_object_and_says_so(bucket: Callable[..., Any]) -> None:
    running = bucket(file_size_limit=200_000)
    s3 = s3_client(running.url)
    s3.put_object(Bucket="models", Key="model", Body=b"old")
    etag = s3.head_object(Bucket="models", Key="model")["ETag"]
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="models", Key="model", Body=b"new" * 100_000)
    assert code_of(refused) == (500, "InternalError")
    with pytest.raises(ClientError):
        s3.put_object(Bucket="models", Key="other", Body=b"new" * 100_000)
    assert read(s3, "model", IfMatch=etag) == b"old"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="models")["Contents"]] == ["model"]
    s3.put_object(Bucket="models", Key="model", Body=b"newer", IfMatch=etag)
    running.kill()
    assert read(s3_client(bucket().url), "model") == b"newer"


@pytest.mark.fidelity("conditional-requests")
def test_one_of_many_writers_with_one_etag_wins(bucket: Callable[..., Any]) -> None:
    url = bucket().url
    etag = s3_client(url).put_object(Bucket="models", Key="alias", Body=b"first")["ETag"]
    won: list[int] = []
    lost: list[str] = []

    def write(number: int) -> None:
        try:
            s3_client(url).put_object(Bucket="models", Key="alias", Body=str(number).encode(), IfMatch=etag)
            won.append(number)
        except ClientError as error:
            lost.append(error.response["Error"]["Code"])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (len(won), lost) == (1, ["PreconditionFailed"] * 7)
    assert read(s3_client(url), "alias") == str(won[0]).encode()


@pytest.mark.fidelity("multipart-and-versions")
def test_multipart_versions_deletes_and_settings_persist(bucket: Callable[..., Any]) -> None:
    first = bucket()
    s3 = s3_client(first.url)
    part = b"p" * 5_242_880
    upload = s3.create_multipart_upload(Bucket="models", Key="done", Metadata={"a": "b"})["UploadId"]
    tags = [
        s3.upload_part(Bucket="models", Key="done", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, part), (2, b"end"))
    ]
    parts = [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(tags)]
    s3.complete_multipart_upload(Bucket="models", Key="done", UploadId=upload, MultipartUpload={"Parts": parts})
    pending = s3.create_multipart_upload(Bucket="models", Key="pending")["UploadId"]
    tag = s3.upload_part(Bucket="models", Key="pending", UploadId=pending, PartNumber=1, Body=b"one")["ETag"]
    for number in range(5):
        s3.put_object(Bucket="models", Key=f"many/{number}", Body=b"x")
    s3.delete_objects(Bucket="models", Delete={"Objects": [{"Key": f"many/{n}"} for n in range(4)]})
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="versioned", Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
    s3.delete_object(Bucket="versioned", Key="k")
    s3.create_bucket(Bucket="dropped", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.delete_bucket(Bucket="dropped")
    etag = s3.head_object(Bucket="models", Key="done")["ETag"]
    first.kill()

    s3 = s3_client(bucket().url)
    done = s3.get_object(Bucket="models", Key="done")
    assert (done["ETag"], done["Metadata"], done["Body"].read()) == (etag, {"a": "b"}, part + b"end")
    s3.complete_multipart_upload(
        Bucket="models",
        Key="pending",
        UploadId=pending,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]},
    )
    assert read(s3, "pending") == b"one"
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="models")["Contents"]]
    assert keys == ["done", "many/4", "pending"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["models", "versioned"]
    assert s3.get_bucket_versioning(Bucket="versioned")["Status"] == "Enabled"
    assert s3.get_bucket_location(Bucket="versioned")["LocationConstraint"] == "eu-central-1"
    listed = s3.list_object_versions(Bucket="versioned")
    assert {version["VersionId"] for version in listed["Versions"]} == set(versions)
    assert len(listed["DeleteMarkers"]) == 1
    with pytest.raises(ClientError):
        s3.get_object(Bucket="versioned", Key="k")
    assert s3.get_object(Bucket="versioned", Key="k", VersionId=versions[1])["Body"].read() == b"1"
    s3.delete_object(Bucket="versioned", Key="k", VersionId=listed["DeleteMarkers"][0]["VersionId"])
    assert s3.get_object(Bucket="versioned", Key="k")["Body"].read() == b"2"


@pytest.mark.fault(17)
@pytest.mark.fidelity("damaged-file-set-aside")
def test_fault_17_corrupt_object_is_named_set_aside_and_not_served(bucket: Callable[..., Any], tmp_path: Path) -> None:
    first = bucket()
    s3 = s3_client(first.url)
    s3.put_object(Bucket="models", Key="good", Body=b"good")
    s3.put_object(Bucket="models", Key="bad", Body=b"bad-body")
    assert first.stop() == 0
    objects = tmp_path / "data" / "buckets" / "models" / "objects"
    bad = next(path for path in objects.iterdir() if b"bad-body" in path.read_bytes())
    bad.write_bytes(bad.read_bytes().replace(b"bad-body", b"bad-bodz"))
    (objects / ("0" * 64 + ".null.tmp")).write_bytes(b"torn")

    second = bucket()
    s3 = s3_client(second.url)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="models")["Contents"]] == ["good"]
    assert "does not match its SHA-256" in second.log
    assert bad.name in second.log
    assert [path.name for path in (tmp_path / "data" / "set-aside").iterdir()] == [f"models--objects--{bad.name}"]
    assert not list(objects.glob("*.tmp"))


@pytest.mark.fidelity("one-process-per-folder")
def test_one_process_a_folder_and_the_taken_port_is_named(bucket: Callable[..., Any], tmp_path: Path) -> None:
    running = bucket()
    port = running.url.rsplit(":", 1)[1]
    second = [sys.executable, "-m", "emulator", "bucket", "--data-dir"]
    same = subprocess.run([*second, str(tmp_path / "data"), "--port", "0"], capture_output=True, text=True, check=False)
    assert same.returncode == 1
    assert "served by another process" in same.stderr
    taken = subprocess.run([*second, str(tmp_path / "d2"), "--port", port], capture_output=True, text=True, check=False)
    assert taken.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in taken.stderr
    assert "--port" in taken.stderr
    assert running.stop(signal.SIGINT) == 0


def test_several_addresses_share_a_port_and_no_other_address_answers(start: Callable[..., Any], tmp_path: Path) -> None:
    running = start(
        "bucket", "--host", "127.0.0.1", "--host", "127.0.0.2", "--port", "0", "--data-dir", str(tmp_path / "d")
    )
    s3_client(running.url.replace("127.0.0.1", "127.0.0.2")).create_bucket(
        Bucket="made-here", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert s3_client(running.url).list_buckets()["Buckets"][0]["Name"] == "made-here"
    with pytest.raises(BotoCoreError):
        s3_client(running.url.replace("127.0.0.1", "127.0.0.3")).list_buckets()


@pytest.mark.fidelity("many-large-objects")
def test_large_objects_are_not_limited_by_open_files(bucket: Callable[..., Any]) -> None:
    running = bucket(open_files_limit=(64, 64))
    s3 = s3_client(running.url)
    for number in range(80):
        s3.put_object(Bucket="models", Key=str(number), Body=b"x" * 200_000)
    assert {len(read(s3, str(number))) for number in range(80)} == {200_000}


def test_a_folder_of_somebody_else_is_named_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.tmp").write_text("mine")
    command = [sys.executable, "-m", "emulator", "bucket", "--port", "0", "--data-dir", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert f"{tmp_path} isn't a data folder of the bucket" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.tmp"]


@pytest.mark.fault(17)
def test_fault_17_damaged_bucket_settings_are_named_and_objects_served(
    bucket: Callable[..., Any], tmp_path: Path
) -> None:
    first = bucket()
    s3_client(first.url).put_object(Bucket="models", Key="k", Body=b"body")
    assert first.stop() == 0
    settings = tmp_path / "data" / "buckets" / "models" / "bucket"
    settings.write_bytes(settings.read_bytes().replace(b"models", b"modelz"))
    second = bucket()
    assert "the settings of 'models' were lost; it is served with its objects and default settings" in second.log
    second.kill()
    third = bucket()
    assert read(s3_client(third.url), "k") == b"body"
    assert "lost" not in third.log
