"""Conditions of reading, writing, completing and deleting."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read, refusal

PAST, FUTURE = dt.datetime(2001, 1, 1, tzinfo=dt.UTC), dt.datetime(2199, 1, 1, tzinfo=dt.UTC)
DATE_FIRST = pytest.mark.moto_is_wrong("it looks at the date where the ETag decides")
OTHER = '"0123456789abcdef0123456789abcdef"'


@pytest.fixture
def etag(s3: Any, bucket: str) -> str:
    """The ETag of the object "k"."""
    return str(s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"])


def conditions(etag: str, **names: Any) -> dict[str, Any]:
    return {name: etag if value == "the ETag" else value for name, value in names.items()}


@pytest.mark.parametrize("method", ["get_object", "head_object"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"IfMatch": "the ETag"}, 200),
        ({"IfMatch": OTHER}, 412),
        ({"IfNoneMatch": OTHER}, 200),
        ({"IfNoneMatch": "the ETag"}, 304),
        ({"IfModifiedSince": PAST}, 200),
        ({"IfUnmodifiedSince": FUTURE}, 200),
        ({"IfUnmodifiedSince": PAST}, 412),
        pytest.param({"IfMatch": "the ETag", "IfUnmodifiedSince": PAST}, 200, marks=DATE_FIRST),
        ({"IfNoneMatch": "the ETag", "IfModifiedSince": PAST}, 304),
    ],
)
@pytest.mark.fidelity("conditional-requests")
def test_conditions_of_reading(
    request: pytest.FixtureRequest, s3: Any, bucket: str, etag: str, method: str, asked: dict[str, Any], status: int
) -> None:
    call = getattr(s3, method)
    arguments = {"Bucket": bucket, "Key": "k", **conditions(etag, **asked)}
    if status == 200:
        assert call(**arguments)["ETag"] == etag
    else:
        code = "PreconditionFailed" if status == 412 and method == "get_object" else str(status)
        assert refusal(call, **arguments) == (status, code)


def test_an_object_is_unmodified_since_it_was_written(s3: Any, bucket: str, etag: str) -> None:
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert refusal(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=written) == (304, "304")
    assert read(s3, bucket, "k", IfUnmodifiedSince=written) == b"one"


def test_an_unchanged_object_is_named_by_headers_alone(endpoint: Endpoint, bucket: str, etag: str) -> None:
    answer = endpoint.send("GET", path_of(bucket, "k"), If_None_Match=etag)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)


@pytest.mark.moto_is_wrong("it compares a list of ETags with the one")
def test_an_etag_may_be_unquoted_weak_or_in_a_list(endpoint: Endpoint, bucket: str, etag: str) -> None:
    for named in (etag, etag.strip('"'), f"{OTHER}, {etag}"):
        assert endpoint.send("GET", path_of(bucket, "k"), If_Match=named).status == 200, named
        assert endpoint.send("GET", path_of(bucket, "k"), If_None_Match=named).status == 304, named


@pytest.mark.fidelity("conditional-requests")
def test_conditions_of_writing(s3: Any, bucket: str, etag: str) -> None:
    target = {"Bucket": bucket, "Key": "k", "Body": b"two"}
    assert refusal(s3.put_object, **target, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.put_object, **target, IfMatch=OTHER) == (412, "PreconditionFailed")
    assert read(s3, bucket, "k") == b"one"
    s3.put_object(**target, IfMatch=etag)
    assert read(s3, bucket, "k") == b"two"
    assert refusal(s3.put_object, **target, IfMatch=etag) == (412, "PreconditionFailed")
    s3.put_object(**{**target, "Key": "new"}, IfNoneMatch="*")


@pytest.mark.fidelity("conditional-requests")
def test_what_isnt_there_matches_no_etag(s3: Any, bucket: str) -> None:
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch=OTHER) == (404, "NoSuchKey")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.fidelity("conditional-requests")
def test_a_deleted_object_may_be_written_anew(s3: Any, bucket: str, etag: str) -> None:
    s3.delete_object(Bucket=bucket, Key="k")
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch=etag) == (404, "NoSuchKey")
    s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfNoneMatch="*")
    assert read(s3, bucket, "k") == b"again"


@pytest.mark.moto_is_wrong("it takes any condition for the one that it knows")
@pytest.mark.fidelity("conditional-requests")
def test_a_write_knows_no_other_condition(s3: Any, bucket: str, etag: str) -> None:
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfNoneMatch=OTHER) == (501, "NotImplemented")
    assert read(s3, bucket, "k") == b"one"


def completed(s3: Any, bucket: str, key: str, body: bytes) -> dict[str, Any]:
    """Return the arguments that complete an upload of one part."""
    upload = {"Bucket": bucket, "Key": key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tag = s3.upload_part(**upload, PartNumber=1, Body=body)["ETag"]
    return {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}


@pytest.mark.moto_is_wrong("it ignores If-Match when an upload is completed")
@pytest.mark.fidelity("conditional-completion")
def test_conditions_of_completing_an_upload(s3: Any, bucket: str, etag: str) -> None:
    upload = completed(s3, bucket, "k", b"two")
    assert refusal(s3.complete_multipart_upload, **upload, IfMatch=OTHER) == (412, "PreconditionFailed")
    assert refusal(s3.complete_multipart_upload, **upload, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert read(s3, bucket, "k") == b"one"
    missing = completed(s3, bucket, "none-yet", b"two")
    assert refusal(s3.complete_multipart_upload, **missing, IfMatch=OTHER) == (404, "NoSuchKey")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    # A refused completion costs no part: the same upload is completed after all.
    s3.complete_multipart_upload(**upload, IfMatch=etag)
    s3.complete_multipart_upload(**missing, IfNoneMatch="*")
    assert (read(s3, bucket, "k"), read(s3, bucket, "none-yet")) == (b"two", b"two")


@pytest.mark.moto_is_wrong("it deletes whatever the condition is")
@pytest.mark.fidelity("conditional-delete")
def test_conditions_of_deleting(s3: Any, bucket: str, etag: str) -> None:
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", IfMatch=OTHER) == (412, "PreconditionFailed")
    assert read(s3, bucket, "k") == b"one"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
