"""``kill -9`` right after an answer: whatever kind of change was answered is there at the next start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import MIN_PART, Endpoint, read, refusal

BIG = b"b" * MIN_PART


def versions_of(s3: Any, key: str) -> list[tuple[str, bool]]:
    listed = s3.list_object_versions(Bucket="kept", Prefix=key)
    found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    return sorted((item["VersionId"], item["IsLatest"]) for item in found)


class Life:
    """One bucket over a number of kills."""

    def __init__(self, start: Callable[..., Any], folder: Path) -> None:
        self._arguments = ("bucket", "--port", "0", "--data-dir", str(folder), "--bucket", "kept")
        self._start = start
        self._running: Any = None
        self._endpoint: Endpoint | None = None

    def begin(self) -> Any:
        """Start, and return a client."""
        self._running = self._start(*self._arguments)
        self._endpoint = Endpoint(self._running.url)
        return self._endpoint.client()

    def end(self) -> None:
        self._running.kill()
        if self._endpoint is not None:
            self._endpoint.close()

    def killed(self) -> Any:
        """Kill the process, start it anew, and return a client."""
        self.end()
        return self.begin()


@pytest.mark.fault(17)
@pytest.mark.fidelity("acknowledged-writes-survive")
def test_fault_17_each_kind_of_change_survives_a_kill_after_its_answer(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    life = Life(start, tmp_path / "data")
    s3 = life.begin()
    target = {"Bucket": "kept", "Key": "k"}
    s3.put_object(**target, Body=b"one", ChecksumAlgorithm="SHA256", Metadata={"a": "b"})
    s3 = life.killed()
    assert s3.head_object(**target, ChecksumMode="ENABLED")["ChecksumSHA256"]
    etag = s3.head_object(**target)["ETag"]
    assert refusal(s3.put_object, **target, Body=b"two", IfNoneMatch="*") == (412, "PreconditionFailed")
    s3.put_object(**target, Body=b"two", IfMatch=etag)
    s3 = life.killed()
    assert read(s3, "kept", "k") == b"two"
    s3.copy_object(Bucket="kept", Key="copy", CopySource=target)
    s3 = life.killed()
    assert read(s3, "kept", "copy") == b"two"
    s3.delete_object(**target)
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "copy"}]})
    s3.create_bucket(Bucket="made")
    s3 = life.killed()
    assert "Contents" not in s3.list_objects_v2(Bucket="kept")
    assert [made["Name"] for made in s3.list_buckets()["Buckets"]] == ["kept", "made"]
    s3.delete_bucket(Bucket="made")
    s3 = life.killed()
    assert [made["Name"] for made in s3.list_buckets()["Buckets"]] == ["kept"]
    life.end()


@pytest.mark.fault(17)
@pytest.mark.fidelity("multipart-and-versions")
def test_fault_17_each_step_of_an_upload_survives_a_kill(start: Callable[..., Any], tmp_path: Path) -> None:
    life = Life(start, tmp_path / "data")
    s3 = life.begin()
    upload = {"Bucket": "kept", "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="CRC64NVME")["UploadId"]
    parts = []
    gone = s3.create_multipart_upload(Bucket="kept", Key="gone")
    s3.abort_multipart_upload(Bucket="kept", Key="gone", UploadId=gone["UploadId"])
    s3 = life.killed()
    for number, body in ((1, BIG), (2, b"end")):
        answer = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC64NVME")
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3 = life.killed()
    assert [part["Size"] for part in s3.list_parts(**upload)["Parts"]] == [MIN_PART, 3]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3 = life.killed()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="kept")
    assert read(s3, "kept", "k", ChecksumMode="ENABLED") == BIG + b"end"
    assert read(s3, "kept", "k", PartNumber=2) == b"end"
    life.end()


@pytest.mark.fault(17)
@pytest.mark.fidelity("multipart-and-versions")
def test_fault_17_versions_and_markers_survive_a_kill(start: Callable[..., Any], tmp_path: Path) -> None:
    life = Life(start, tmp_path / "data")
    s3 = life.begin()
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket="kept", Key="k", Body=body)["VersionId"] for body in (b"one", b"two"))
    marker = s3.delete_object(Bucket="kept", Key="k")["VersionId"]
    s3 = life.killed()
    assert s3.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    assert versions_of(s3, "k") == sorted([(first, False), (second, False), (marker, True)])
    s3.delete_object(Bucket="kept", Key="k", VersionId=marker)
    assert read(s3, "kept", "k") == b"two"
    s3.delete_object(Bucket="kept", Key="k", VersionId=second)
    s3 = life.killed()
    assert (read(s3, "kept", "k"), versions_of(s3, "k")) == (b"one", [(first, True)])
    life.end()
