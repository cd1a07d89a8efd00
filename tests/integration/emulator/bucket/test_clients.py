"""Clients that people use, unchanged: boto3's transfers, pyarrow's file system and MinIO's client."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import pytest
from boto3.s3.transfer import TransferConfig
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from tests.integration.emulator.bucket.endpoint import MIN_PART, Endpoint

pytestmark = [pytest.mark.fidelity("s3-clients"), pytest.mark.parametrize("endpoint", ["ours"], indirect=True)]
LARGE = bytes(range(256)) * 50_000  # 12.8 MB: over each client's threshold for multipart uploads.


@pytest.mark.parametrize("mode", ["when_supported", "when_required"])
def test_boto3_transfers_files_in_parts_at_once(endpoint: Endpoint, bucket: str, tmp_path: Path, mode: str) -> None:
    s3 = endpoint.client(request_checksum_calculation=mode, response_checksum_validation=mode)
    in_parts = TransferConfig(multipart_threshold=MIN_PART, multipart_chunksize=MIN_PART, max_concurrency=4)
    (tmp_path / "large").write_bytes(LARGE)
    s3.upload_file(str(tmp_path / "large"), bucket, "deep/large", Config=in_parts, ExtraArgs={"Metadata": {"a": "b"}})
    s3.download_file(bucket, "deep/large", str(tmp_path / "back"), Config=in_parts)
    assert (tmp_path / "back").read_bytes() == LARGE
    s3.copy({"Bucket": bucket, "Key": "deep/large"}, bucket, "copy", Config=in_parts)
    answer = s3.get_object(Bucket=bucket, Key="copy")
    assert (answer["Body"].read(), answer["ETag"].endswith('-3"')) == (LARGE, True)
    s3.upload_fileobj(io.BytesIO(LARGE), bucket, "stream", Config=in_parts)
    target = io.BytesIO()
    s3.download_fileobj(bucket, "stream", target, Config=in_parts)
    assert target.getvalue() == LARGE
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.fixture
def arrow(endpoint: Endpoint) -> Any:
    """pyarrow's file system, whose client is the AWS SDK for C++."""
    return pyarrow.fs.S3FileSystem(
        access_key="test", secret_key="test", region="us-east-1", endpoint_override=endpoint.url,
        allow_bucket_creation=True, allow_bucket_deletion=True,
    )  # fmt: skip


def test_pyarrow_writes_and_reads_files(arrow: Any, bucket: str) -> None:
    with arrow.open_output_stream(f"{bucket}/a/large.bin") as stream:
        stream.write(LARGE)
    with arrow.open_input_file(f"{bucket}/a/large.bin") as file:
        assert file.size() == len(LARGE)
        assert file.read_at(1000, 5_000_000) == LARGE[5_000_000:5_001_000]
        assert file.read() == LARGE
    arrow.copy_file(f"{bucket}/a/large.bin", f"{bucket}/a/b/copy ü.bin")
    arrow.move(f"{bucket}/a/large.bin", f"{bucket}/moved.bin")
    listed = arrow.get_file_info(pyarrow.fs.FileSelector(bucket, recursive=True))
    files = sorted((info.path, info.size) for info in listed if info.type == pyarrow.fs.FileType.File)
    assert files == [(f"{bucket}/a/b/copy ü.bin", len(LARGE)), (f"{bucket}/moved.bin", len(LARGE))]
    assert arrow.get_file_info(f"{bucket}/none").type == pyarrow.fs.FileType.NotFound
    arrow.delete_dir(f"{bucket}/a")
    listed = arrow.get_file_info(pyarrow.fs.FileSelector(bucket, recursive=True))
    assert [info.path for info in listed] == [f"{bucket}/moved.bin"]
    with pytest.raises(FileNotFoundError):
        arrow.open_input_file(f"{bucket}/none")


def test_pyarrow_keeps_a_data_set(arrow: Any, bucket: str) -> None:
    table = pa.table({"loan": list(range(1000)), "late": [number % 7 == 0 for number in range(1000)]})
    root = f"{bucket}/loans"
    pyarrow.parquet.write_to_dataset(table, root, partition_cols=["late"], filesystem=arrow)
    read = pyarrow.parquet.read_table(root, filesystem=arrow, filters=[("loan", ">=", 990)])
    assert sorted(read.column("loan").to_pylist()) == list(range(990, 1000))


@pytest.fixture
def minio(endpoint: Endpoint) -> Any:
    """MinIO's client: it signs and frames by its own code."""
    return Minio(
        endpoint=urlsplit(endpoint.url).netloc, access_key="test", secret_key="test", region="us-east-1", secure=False
    )


def test_minios_client_puts_gets_and_stats(minio: Any, bucket: str) -> None:
    made = minio.put_object(
        bucket_name=bucket, object_name="a b/ü", data=io.BytesIO(b"small"), length=5, content_type="text/plain",
        metadata={"who": "me"},
    )  # fmt: skip
    found = minio.stat_object(bucket_name=bucket, object_name="a b/ü")
    assert (found.etag, found.size, found.content_type) == (made.etag, 5, "text/plain")
    assert found.metadata["x-amz-meta-who"] == "me"
    answer = minio.get_object(bucket_name=bucket, object_name="a b/ü", offset=1, length=3)
    assert answer.read() == b"mal"
    answer.close()
    answer.release_conn()
    with pytest.raises(S3Error) as missing:
        minio.stat_object(bucket_name=bucket, object_name="none")
    assert missing.value.code == "NoSuchKey"


def test_minios_client_uploads_parts_of_a_stream(minio: Any, bucket: str) -> None:
    minio.put_object(
        bucket_name=bucket, object_name="large", data=io.BytesIO(LARGE), length=-1, part_size=MIN_PART,
        num_parallel_uploads=2,
    )  # fmt: skip
    answer = minio.get_object(bucket_name=bucket, object_name="large")
    assert answer.read() == LARGE
    answer.close()
    answer.release_conn()


def test_minios_client_copies_composes_lists_and_removes(minio: Any, bucket: str) -> None:
    for key, body in (("a/1", LARGE), ("a/2", b"end"), ("b", b"x")):
        minio.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(body), length=len(body))
    minio.copy_object(bucket_name=bucket, object_name="copy", source=CopySource(bucket_name=bucket, object_name="a/2"))
    minio.compose_object(
        bucket_name=bucket, object_name="both",
        sources=[ComposeSource(bucket_name=bucket, object_name=key) for key in ("a/1", "a/2")],
    )  # fmt: skip
    assert minio.stat_object(bucket_name=bucket, object_name="both").size == len(LARGE) + 3
    listed = [found.object_name for found in minio.list_objects(bucket_name=bucket)]
    assert sorted(listed) == ["a/", "b", "both", "copy"]
    everything = [found.object_name for found in minio.list_objects(bucket_name=bucket, recursive=True)]
    assert everything == ["a/1", "a/2", "b", "both", "copy"]
    errors = minio.remove_objects(bucket_name=bucket, delete_object_list=[DeleteObject(name) for name in everything])
    assert list(errors) == []
    minio.remove_bucket(bucket_name=bucket)
    assert not minio.bucket_exists(bucket_name=bucket)


def test_minios_presigned_addresses(minio: Any, endpoint: Endpoint, bucket: str) -> None:
    put = urlsplit(minio.presigned_put_object(bucket_name=bucket, object_name="k"))
    assert endpoint.send("PUT", f"{put.path}?{put.query}", b"content", is_signed=False).status == 200
    get = urlsplit(minio.presigned_get_object(bucket_name=bucket, object_name="k"))
    assert endpoint.send("GET", f"{get.path}?{get.query}", is_signed=False).body == b"content"
