"""Copies of objects: what they take along, and when they are refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read, refusal

PAST = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
OTHER = '"0123456789abcdef0123456789abcdef"'
SOURCE = {"ContentType": "text/x-model", "CacheControl": "no-store", "Metadata": {"who": "me"}}


@pytest.fixture
def source(s3: Any, bucket: str) -> dict[str, str]:
    """An object with settings and a key that must be quoted."""
    s3.put_object(Bucket=bucket, Key="a b/ü+%", Body=b"content", **SOURCE)
    return {"Bucket": bucket, "Key": "a b/ü+%"}


def test_a_copy_takes_content_and_settings(s3: Any, bucket: str, source: dict[str, str]) -> None:
    answer = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    original, copy = s3.head_object(**source), s3.get_object(Bucket=bucket, Key="copy")
    assert answer["CopyObjectResult"]["ETag"] == copy["ETag"] == original["ETag"]
    assert {name: copy[name] for name in SOURCE} == SOURCE
    assert copy["Body"].read() == b"content"


def test_a_copy_may_get_settings_of_its_own(s3: Any, bucket: str, source: dict[str, str]) -> None:
    own = {"ContentType": "text/plain", "Metadata": {"new": "yes"}}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE", **own)
    copy = s3.head_object(Bucket=bucket, Key="copy")
    assert {name: copy[name] for name in own} == own
    assert "CacheControl" not in copy
    s3.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"again": "1"})
    assert (s3.head_object(**source)["Metadata"], read(s3, bucket, source["Key"])) == ({"again": "1"}, b"content")


def test_a_copy_to_itself_that_changes_nothing_is_refused(s3: Any, source: dict[str, str]) -> None:
    assert refusal(s3.copy_object, **source, CopySource=source) == (400, "InvalidRequest")


def test_a_copy_between_buckets(endpoint: Endpoint, s3: Any, source: dict[str, str]) -> None:
    other = endpoint.new_bucket()
    s3.copy_object(Bucket=other, Key="copy", CopySource=source)
    assert read(s3, other, "copy") == b"content"


@pytest.mark.parametrize("lead", ["", "/"])
def test_a_source_is_named_with_or_without_a_slash(
    endpoint: Endpoint, s3: Any, bucket: str, source: dict[str, str], lead: str
) -> None:
    named = lead + path_of(bucket, source["Key"]).removeprefix("/").replace("+", "%2B")
    answer = endpoint.send("PUT", path_of(bucket, "copy"), x_amz_copy_source=named)
    assert answer.status == 200
    assert read(s3, bucket, "copy") == b"content"


def test_a_copy_of_what_isnt_there_is_refused(s3: Any, bucket: str) -> None:
    missing = {"Bucket": bucket, "Key": "none"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="k", CopySource=missing) == (404, "NoSuchKey")
    missing = {"Bucket": "no-such-bucket", "Key": "k"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="k", CopySource=missing) == (404, "NoSuchBucket")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.moto_is_wrong("it fails on some, and takes others for names")
@pytest.mark.parametrize("named", ["", "/", "no-key", "bucket/", "/?versionId=x", "b/k?versionId="])
@pytest.mark.fidelity("malformed-requests")
def test_a_source_that_cant_be_read_is_refused(endpoint: Endpoint, s3: Any, bucket: str, named: str) -> None:
    answer = endpoint.send("PUT", path_of(bucket, "copy"), x_amz_copy_source=named)
    assert answer.status in {400, 404}, answer
    assert answer.code in {"InvalidArgument", "NoSuchBucket", "NoSuchKey"}
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.moto_is_wrong("it ignores the conditions of a copy")
@pytest.mark.fidelity("conditional-copy")
def test_conditions_of_the_source(s3: Any, bucket: str, source: dict[str, str]) -> None:
    etag = s3.head_object(**source)["ETag"]
    copied = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    for condition in ({"CopySourceIfMatch": OTHER}, {"CopySourceIfNoneMatch": etag},
                      {"CopySourceIfUnmodifiedSince": PAST}):  # fmt: skip
        assert refusal(s3.copy_object, **copied, **condition) == (412, "PreconditionFailed"), condition
    assert refusal(s3.head_object, Bucket=bucket, Key="copy")[0] == 404
    for condition in (
        {"CopySourceIfMatch": etag},
        {"CopySourceIfNoneMatch": OTHER},
        {"CopySourceIfModifiedSince": PAST},
    ):
        s3.copy_object(**copied, **condition)
    assert read(s3, bucket, "copy") == b"content"


@pytest.mark.moto_is_wrong("it ignores the conditions of a copy")
@pytest.mark.fidelity("conditional-copy")
def test_conditions_of_the_target(s3: Any, bucket: str, source: dict[str, str]) -> None:
    copied = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    assert refusal(s3.copy_object, **copied, IfMatch=OTHER) == (404, "NoSuchKey")
    etag = s3.copy_object(**copied, IfNoneMatch="*")["CopyObjectResult"]["ETag"]
    assert refusal(s3.copy_object, **copied, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.copy_object, **copied, IfMatch=OTHER) == (412, "PreconditionFailed")
    s3.copy_object(**copied, IfMatch=etag)


@pytest.mark.moto_is_wrong("it copies no checksum")
@pytest.mark.fidelity("bucket-checksums")
def test_a_copy_takes_its_checksum_or_gets_another(s3: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "source"}
    s3.put_object(**source, Body=b"content", ChecksumAlgorithm="SHA256")
    due = s3.head_object(**source, ChecksumMode="ENABLED")["ChecksumSHA256"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")["ChecksumSHA256"] == due
    answer = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ChecksumAlgorithm="SHA1")
    assert answer["CopyObjectResult"]["ChecksumSHA1"]
    assert read(s3, bucket, "copy", ChecksumMode="ENABLED") == b"content"
