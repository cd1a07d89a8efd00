"""Versions, delete markers, and deleting by one and by many."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read, refusal


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """The name of a bucket that keeps versions."""
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    return bucket


def put(s3: Any, bucket: str, key: str, *bodies: bytes) -> list[str]:
    return [s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"] for body in bodies]


def test_each_version_is_kept_and_read_by_its_id(s3: Any, versioned: str) -> None:
    versions = put(s3, versioned, "k", b"one", b"two", b"three")
    assert len(set(versions)) == 3
    answer = s3.get_object(Bucket=versioned, Key="k")
    assert (answer["VersionId"], answer["Body"].read()) == (versions[2], b"three")
    assert [read(s3, versioned, "k", VersionId=version) for version in versions] == [b"one", b"two", b"three"]
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [(item["VersionId"], item["IsLatest"]) for item in listed] == [
        (versions[2], True), (versions[1], False), (versions[0], False),
    ]  # fmt: skip
    assert [item["Size"] for item in s3.list_objects_v2(Bucket=versioned)["Contents"]] == [5]


def test_a_delete_marker_hides_the_object_until_it_is_deleted(s3: Any, versioned: str) -> None:
    (version,) = put(s3, versioned, "k", b"one")
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] is True
    assert refusal(s3.get_object, Bucket=versioned, Key="k") == (404, "NoSuchKey")
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert refusal(s3.delete_bucket, Bucket=versioned) == (409, "BucketNotEmpty")
    assert read(s3, versioned, "k", VersionId=version) == b"one"
    marked = {"Bucket": versioned, "Key": "k", "VersionId": marker["VersionId"]}
    s3.delete_object(**marked)
    assert read(s3, versioned, "k") == b"one"
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId=version)["VersionId"] == version
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.moto_is_wrong("it doesn't say why the object is gone")
def test_what_a_marker_hides_is_told_from_what_never_was(endpoint: Endpoint, s3: Any, versioned: str) -> None:
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    marked = {"Bucket": versioned, "Key": "k", "VersionId": marker}
    hidden = endpoint.send("GET", path_of(versioned, "k"))
    assert hidden.refusal == (404, "NoSuchKey")
    assert (hidden.headers["x-amz-delete-marker"], hidden.headers["x-amz-version-id"]) == ("true", marker)
    assert refusal(s3.get_object, **marked) == (405, "MethodNotAllowed")
    assert s3.delete_object(**marked)["DeleteMarker"] is True
    assert "x-amz-delete-marker" not in endpoint.send("GET", path_of(versioned, "none")).headers


def test_a_version_that_isnt_there(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k", b"one")
    (gone,) = put(s3, versioned, "other", b"two")
    s3.delete_object(Bucket=versioned, Key="other", VersionId=gone)
    assert refusal(s3.get_object, Bucket=versioned, Key="other", VersionId=gone) == (404, "NoSuchVersion")
    assert s3.delete_object(Bucket=versioned, Key="other", VersionId=gone)["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.moto_is_wrong("it writes a version of its own id, and forgets the one of no version")
@pytest.mark.fidelity("multipart-and-versions")
def test_a_suspended_bucket_overwrites_the_version_without_an_id(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    status = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}
    s3.put_bucket_versioning(**status)
    (version,) = put(s3, bucket, "k", b"kept")
    assert read(s3, bucket, "k", VersionId="null") == b"before"
    status["VersioningConfiguration"]["Status"] = "Suspended"
    s3.put_bucket_versioning(**status)
    for body in (b"suspended", b"again"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert read(s3, bucket, "k") == read(s3, bucket, "k", VersionId="null") == b"again"
    assert read(s3, bucket, "k", VersionId=version) == b"kept"
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [item["VersionId"] for item in listed] == ["null", version]


def test_versions_are_listed_in_pages(s3: Any, versioned: str) -> None:
    due = [("a", version) for version in reversed(put(s3, versioned, "a", b"1", b"2", b"3"))]
    due += [("b", version) for version in reversed(put(s3, versioned, "b", b"1", b"2"))]
    for size in (2, 3, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        listed = [[(item["Key"], item["VersionId"]) for item in page.get("Versions", [])] for page in pages]
        assert [item for page in listed for item in page] == due
        assert all(len(page) <= size for page in listed)


@pytest.mark.moto_is_wrong("it refuses a marker whose version is gone")
def test_deleting_each_page_of_versions_empties_the_bucket(s3: Any, versioned: str) -> None:
    put(s3, versioned, "a", b"1", b"2", b"3", b"4", b"5")
    put(s3, versioned, "b", b"1")
    pages = s3.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=versioned, PaginationConfig={"PageSize": 2}):
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in page["Versions"]]
        s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=versioned)


def test_a_copy_of_a_version_restores_it(s3: Any, versioned: str) -> None:
    versions = put(s3, versioned, "k", b"one", b"two")
    source = {"Bucket": versioned, "Key": "k", "VersionId": versions[0]}
    answer = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert answer["CopySourceVersionId"] == versions[0]
    assert read(s3, versioned, "k") == b"one"
    assert len(s3.list_object_versions(Bucket=versioned)["Versions"]) == 3


def test_deleting_what_isnt_there_is_no_error(s3: Any, bucket: str) -> None:
    assert s3.delete_object(Bucket=bucket, Key="none")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(s3.delete_object, Bucket="no-such-bucket", Key="k") == (404, "NoSuchBucket")


def test_many_are_deleted_at_once(s3: Any, bucket: str) -> None:
    keys = ["a", "b/c", "ü &<>", "none"]
    for key in (*keys[:3], "stays"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(item["Key"] for item in answer["Deleted"]) == sorted(keys)
    assert "Errors" not in answer
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["stays"]


@pytest.mark.moto_is_wrong("it isn't quiet")
def test_many_are_deleted_without_a_word(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}], "Quiet": True})
    assert "Deleted" not in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_many_versions_are_deleted_at_once(s3: Any, versioned: str) -> None:
    versions = put(s3, versioned, "k", b"one", b"two")
    objects = [{"Key": "k", "VersionId": versions[0]}, {"Key": "k"}]
    deleted = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})["Deleted"]
    assert [item.get("VersionId") for item in deleted] == [versions[0], None]
    assert deleted[1]["DeleteMarker"] is True
    assert deleted[1]["DeleteMarkerVersionId"]
    listed = s3.list_object_versions(Bucket=versioned)
    assert [item["VersionId"] for item in listed["Versions"]] == [versions[1]]
    assert [item["IsLatest"] for item in listed["DeleteMarkers"]] == [True]
