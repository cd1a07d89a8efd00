"""Multipart uploads: begun, filled, completed or dropped."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import MIN_PART, Endpoint, path_of, read, refusal

SMALL = b"small"
BIG = b"b" * MIN_PART


@pytest.fixture
def upload(s3: Any, bucket: str) -> dict[str, str]:
    """Bucket, key and id of an upload that has begun."""
    target = {"Bucket": bucket, "Key": "k"}
    return {**target, "UploadId": s3.create_multipart_upload(**target, Metadata={"a": "b"})["UploadId"]}


def add(s3: Any, upload: dict[str, str], number: int, body: bytes) -> dict[str, Any]:
    """Upload a part; return what completing needs of it."""
    return {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}


def test_parts_become_an_object(s3: Any, upload: dict[str, str], bucket: str) -> None:
    # Numbers may have gaps, parts come in any order, and the last under a number counts.
    last = add(s3, upload, 7, b"end")
    add(s3, upload, 2, SMALL)
    first = add(s3, upload, 2, BIG)
    add(s3, upload, 5, b"left out")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, last]})
    digests = [hashlib.md5(part, usedforsecurity=False).digest() for part in (BIG, b"end")]
    etag = f'"{hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()}-2"'
    assert (answer["ETag"], answer["Bucket"], answer["Key"]) == (etag, bucket, "k")
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["ETag"], answer["Metadata"], answer["Body"].read()) == (etag, {"a": "b"}, BIG + b"end")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.moto_is_wrong("it fails on an upload that was dropped")
def test_a_dropped_upload_is_gone(s3: Any, upload: dict[str, str], bucket: str) -> None:
    part = add(s3, upload, 1, SMALL)
    s3.abort_multipart_upload(**upload)
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [part]}) == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.moto_is_wrong("it fails")
@pytest.mark.fidelity("malformed-requests")
@pytest.mark.parametrize("upload_id", ["none", "", "../..", "%00", "a" * 5000])
def test_an_upload_that_never_began_is_unknown(endpoint: Endpoint, s3: Any, bucket: str, upload_id: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    target = f"{path_of(bucket, 'k')}?uploadId={upload_id}"
    assert endpoint.send("PUT", f"{target}&partNumber=1", SMALL).refusal == (404, "NoSuchUpload")
    assert endpoint.send("DELETE", target).refusal == (404, "NoSuchUpload")
    assert endpoint.send("GET", target).refusal == (404, "NoSuchUpload")
    assert read(s3, bucket, "k") == b"old"


@pytest.mark.moto_is_wrong("it knows an upload by its id alone")
def test_an_upload_belongs_to_its_key(s3: Any, upload: dict[str, str]) -> None:
    part = add(s3, upload, 1, SMALL)
    other = {**upload, "Key": "other"}
    assert refusal(s3.upload_part, **other, PartNumber=2, Body=SMALL) == (404, "NoSuchUpload")
    assert refusal(s3.complete_multipart_upload, **other, MultipartUpload={"Parts": [part]}) == (404, "NoSuchUpload")
    assert refusal(s3.abort_multipart_upload, **other) == (404, "NoSuchUpload")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})


def test_a_part_before_the_last_has_at_least_5_mib(s3: Any, upload: dict[str, str], bucket: str) -> None:
    parts = [add(s3, upload, 1, SMALL), add(s3, upload, 2, SMALL)]
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}) == (400, "EntityTooSmall")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts[1:]})
    assert read(s3, bucket, "k") == SMALL


@pytest.mark.moto_is_wrong("it takes parts in any order")
@pytest.mark.fidelity("multipart-order")
def test_parts_out_of_order_are_refused(s3: Any, upload: dict[str, str], bucket: str) -> None:
    one, two = add(s3, upload, 1, BIG), add(s3, upload, 2, BIG)
    for parts in ([two, one], [one, one], [one, two, one]):
        listed = {"Parts": parts}
        assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload=listed) == (400, "InvalidPartOrder")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [one, two]})
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 2 * MIN_PART


def test_a_part_that_isnt_there_is_refused(s3: Any, upload: dict[str, str]) -> None:
    part = add(s3, upload, 1, SMALL)
    for wrong in ({**part, "PartNumber": 2}, {**part, "ETag": '"0123456789abcdef0123456789abcdef"'}):
        assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [wrong]}) == (
            400,
            "InvalidPart",
        )
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{**part, "ETag": part["ETag"].strip('"')}]})


@pytest.mark.moto_is_wrong("it fails, or takes the number")
@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", "", "1.5", "%C2%B2", "+1", "1_0"])
@pytest.mark.fidelity("malformed-requests")
def test_a_number_that_no_part_can_have_is_refused(
    endpoint: Endpoint, s3: Any, upload: dict[str, str], bucket: str, number: str
) -> None:
    target = f"{path_of(bucket, 'k')}?partNumber={number}&uploadId={upload['UploadId']}"
    assert endpoint.send("PUT", target, SMALL).refusal == (400, "InvalidArgument")
    assert "Parts" not in s3.list_parts(**upload)


@pytest.mark.moto_is_wrong("it takes any size")
def test_a_size_that_isnt_the_objects_is_refused(s3: Any, upload: dict[str, str]) -> None:
    parts = {"Parts": [add(s3, upload, 1, SMALL)]}
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload=parts, MpuObjectSize=6) == (
        400, "InvalidRequest",
    )  # fmt: skip
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, MpuObjectSize=5)


@pytest.mark.moto_is_wrong("it ends the list at the first gap between numbers")
def test_parts_are_listed_in_pages(s3: Any, upload: dict[str, str]) -> None:
    parts = [add(s3, upload, number, b"p" * number) for number in (9, 1, 4)]
    answer = s3.list_parts(**upload)
    due = sorted((part["PartNumber"], part["ETag"], part["PartNumber"]) for part in parts)
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in answer["Parts"]] == due
    pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}))
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 4], [9]]


@pytest.mark.moto_is_wrong("it lists them by their beginning")
def test_uploads_are_listed(s3: Any, bucket: str) -> None:
    for key in ("b", "a/1", "a/2"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    answer = s3.list_multipart_uploads(Bucket=bucket)
    assert [upload["Key"] for upload in answer["Uploads"]] == ["a/1", "a/2", "b"]
    answer = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")
    assert [upload["Key"] for upload in answer["Uploads"]] == ["a/1", "a/2"]
    assert len({upload["UploadId"] for upload in answer["Uploads"]}) == 2


@pytest.mark.moto_is_wrong("it lists all uploads on one page")
def test_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    for key in ("b", "a/1", "a/2", "a/2"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    for size in (1, 2, 3):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        uploads = [[(upload["Key"], upload["UploadId"]) for upload in page["Uploads"]] for page in pages]
        assert all(len(page) == size for page in uploads[:-1])
        assert [key for page in uploads for key, _ in page] == ["a/1", "a/2", "a/2", "b"]
        assert len({upload for page in uploads for upload in page}) == 4


def test_parts_are_copied_from_objects(s3: Any, upload: dict[str, str], bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="big", Body=BIG + b"tail")
    source = {"Bucket": bucket, "Key": "big"}
    ranges = [f"bytes=0-{MIN_PART - 1}", f"bytes={MIN_PART}-{MIN_PART + 3}"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part_copy(**upload, PartNumber=number, CopySource=source,
                                                            CopySourceRange=asked)["CopyPartResult"]["ETag"]}
        for number, asked in enumerate(ranges, start=1)
    ]  # fmt: skip
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert read(s3, bucket, "k") == BIG + b"tail"


@pytest.mark.moto_is_wrong("it fails, or copies what there is")
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=9-9", "bytes=2-1", "bytes=1-", "bytes=-1", "1-2", "bytes=a-b"])
@pytest.mark.fidelity("malformed-requests")
def test_a_range_of_a_source_must_be_whole_and_within(s3: Any, upload: dict[str, str], bucket: str, asked: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=SMALL)
    copied = {"PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "source"}, "CopySourceRange": asked}
    assert refusal(s3.upload_part_copy, **upload, **copied)[0] in {400, 416}
    assert "Parts" not in s3.list_parts(**upload)


def test_an_upload_begun_first_may_be_completed_last(s3: Any, upload: dict[str, str], bucket: str) -> None:
    part = add(s3, upload, 1, SMALL)
    s3.put_object(Bucket=bucket, Key="k", Body=b"meanwhile")
    assert read(s3, bucket, "k") == b"meanwhile"
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert read(s3, bucket, "k") == SMALL
