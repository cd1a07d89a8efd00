"""The AWS CLI and s3fs, unchanged, against the bucket. They live in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.integration.emulator.aws_cli import AwsCli
from tests.integration.emulator.bucket.endpoint import Endpoint

pytestmark = [
    pytest.mark.awscli, pytest.mark.fidelity("aws-cli", "s3-clients"),
    pytest.mark.parametrize("endpoint", ["ours"], indirect=True),
]  # fmt: skip
LARGE = bytes(range(256)) * 40_000  # Over the CLI's threshold for multipart uploads.


@pytest.fixture
def aws(endpoint: Endpoint, tmp_path: Path) -> AwsCli:
    return AwsCli(tmp_path, endpoint.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a large file and one of an odd name."""
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "large.bin").write_bytes(LARGE)
    (tmp_path / "folder" / "deep" / "ä b.txt").write_text("grüße")
    # S3 keeps whole seconds, so sync uploads a file again that was written in the very second of its upload.
    for file in ("large.bin", "deep/ä b.txt"):
        os.utime(tmp_path / "folder" / file, (1e9, 1e9))
    return tmp_path / "folder"


def test_a_bucket_from_making_to_removing(aws: AwsCli, endpoint: Endpoint, folder: Path, tmp_path: Path) -> None:
    name = f"{endpoint.new_bucket()}-by-the-cli"
    aws("s3", "mb", f"s3://{name}")
    aws("s3", "cp", "--recursive", "folder", f"s3://{name}/a")
    listed = aws("s3", "ls", "--recursive", f"s3://{name}/")
    assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == ["a/deep/ä b.txt", "a/large.bin"]
    assert "PRE deep/" in aws("s3", "ls", f"s3://{name}/a/")
    aws("s3", "cp", f"s3://{name}/a/large.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == LARGE
    aws("s3", "mv", f"s3://{name}/a/deep/ä b.txt", f"s3://{name}/moved.txt")
    assert aws("s3api", "head-object", "--bucket", name, "--key", "moved.txt")["ContentLength"] == 7
    assert "(404)" in aws.refused("s3", "cp", f"s3://{name}/none", "none")
    aws("s3", "rb", "--force", f"s3://{name}")
    assert name not in aws("s3", "ls")


def test_folders_are_kept_in_step_both_ways(aws: AwsCli, bucket: str, folder: Path, tmp_path: Path) -> None:
    target = f"s3://{bucket}/a"
    assert aws("s3", "sync", "folder", target).count("upload:") == 2
    assert aws("s3", "sync", "folder", target) == ""
    (folder / "deep" / "new.txt").write_text("x")
    (folder / "large.bin").unlink()
    changed = aws("s3", "sync", "--delete", "folder", target)
    assert ("new.txt" in changed, f"delete: {target}/large.bin" in changed) == (True, True)
    assert aws("s3", "sync", target, "back").count("download:") == 2
    assert aws("s3", "sync", target, "back") == ""
    assert (tmp_path / "back" / "deep" / "ä b.txt").read_text() == "grüße"
    aws("s3", "rm", f"{target}/deep/new.txt")
    assert "delete:" in aws("s3", "sync", "--delete", target, "back")
    assert [path.name for path in (tmp_path / "back" / "deep").iterdir()] == ["ä b.txt"]
    assert aws("s3", "sync", target, f"s3://{bucket}/b").count("copy:") == 1


def test_a_prefix_is_removed_with_what_is_below(aws: AwsCli, endpoint: Endpoint, bucket: str, folder: Path) -> None:
    aws("s3", "cp", "--recursive", "folder", f"s3://{bucket}/a")
    aws("s3", "cp", "folder/deep/ä b.txt", f"s3://{bucket}/ab")
    assert aws("s3", "rm", "--recursive", f"s3://{bucket}/a/").count("delete:") == 2
    assert [item["Key"] for item in endpoint.client().list_objects_v2(Bucket=bucket)["Contents"]] == ["ab"]


def test_a_stream_a_copy_and_a_presigned_address(aws: AwsCli, bucket: str, folder: Path) -> None:
    aws("s3", "cp", "folder/large.bin", f"s3://{bucket}/large", "--checksum-algorithm", "SHA256")
    aws("s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy")
    with urllib.request.urlopen(aws("s3", "presign", f"s3://{bucket}/copy").strip(), timeout=30) as answer:
        assert answer.read() == LARGE
    aws("s3", "cp", f"s3://{bucket}/large", "back.bin", "--checksum-mode", "ENABLED")
    assert (folder.parent / "back.bin").read_bytes() == LARGE


def test_single_requests_with_conditions_and_parts(aws: AwsCli, bucket: str, folder: Path) -> None:
    target = ["--bucket", bucket, "--key", "k"]
    put = ["s3api", "put-object", *target, "--body", "folder/deep/ä b.txt"]
    etag = aws(*put, "--if-none-match", "*")["ETag"]
    assert "(PreconditionFailed)" in aws.refused(*put, "--if-none-match", "*")
    assert aws("s3api", "get-object", *target, "--if-match", etag, "out")["ContentLength"] == 7
    assert aws("s3api", "get-object", *target, "--range", "bytes=0-1", "out")["ContentRange"] == "bytes 0-1/7"
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        begun = aws("s3api", "create-multipart-upload", *target, "--checksum-algorithm", algorithm)
        upload = ["--upload-id", begun["UploadId"]]
        part = aws("s3api", "upload-part", *target, *upload, "--part-number", "1", "--body", "folder/large.bin",
                   "--checksum-algorithm", algorithm)  # fmt: skip
        listed = f"Parts=[{{PartNumber=1,ETag={part['ETag']},Checksum{algorithm}={part['Checksum' + algorithm]}}}]"
        aws("s3api", "complete-multipart-upload", *target, *upload, "--multipart-upload", listed)
        head = aws("s3api", "head-object", *target, "--checksum-mode", "ENABLED")
        assert (head["ContentLength"], bool(head[f"Checksum{algorithm}"])) == (len(LARGE), True)
        aws("s3api", "get-object", *target, "--checksum-mode", "ENABLED", "out")
        assert (folder.parent / "out").read_bytes() == LARGE


def test_s3fs(endpoint: Endpoint, bucket: str) -> None:
    command = shutil.which("aws")
    assert command, "the environment of the AWS CLI and s3fs is not on the path: make aws-cli-test"
    session = [str(Path(command).parent / "python"), str(Path(__file__).with_name("s3fs_session.py"))]
    environ = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [*session, endpoint.url, bucket], capture_output=True, text=True, env=environ, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
