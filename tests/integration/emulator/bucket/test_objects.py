"""Objects: what is put comes back, whole, in ranges and in parts."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import MIN_PART, Endpoint, path_of, read, refusal

SETTINGS = {
    "ContentType": "text/x-model",
    "CacheControl": "no-store",
    "ContentDisposition": 'attachment; filename="a.txt"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "Metadata": {"who": "me", "empty": "", "two-words": "a b"},
}
EMPTY_END = pytest.mark.moto_is_wrong("it serves the last bytes of nothing")
WHOLE = b"0123456789"


@pytest.fixture
def digits(s3: Any, bucket: str) -> str:
    """The path of an object of ten bytes."""
    s3.put_object(Bucket=bucket, Key="digits", Body=WHOLE)
    return path_of(bucket, "digits")


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 1000])
def test_an_object_comes_back_with_its_settings(s3: Any, bucket: str, body: bytes) -> None:
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert s3.put_object(Bucket=bucket, Key="k", Body=body, **SETTINGS)["ETag"] == etag
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in SETTINGS} == SETTINGS
        assert (answer["ETag"], answer["ContentLength"], answer["AcceptRanges"]) == (etag, len(body), "bytes")
    assert read(s3, bucket, "k") == body


def test_an_object_without_a_type_has_s3s_default(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    assert endpoint.send("PUT", path_of(bucket, "k"), b"x").status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_an_overwritten_object_keeps_nothing_of_the_old_one(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"long and old", **SETTINGS)
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"new", {})
    assert not {"CacheControl", "ContentEncoding", "ContentLanguage"} & set(answer)


def test_a_request_may_name_the_headers_of_its_answer(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **SETTINGS)
    answer = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="text/plain", ResponseContentDisposition="inline",
        ResponseCacheControl="no-cache", ResponseContentEncoding="br", ResponseContentLanguage="en",
    )  # fmt: skip
    assert (answer["ContentType"], answer["ContentDisposition"], answer["CacheControl"]) == (
        "text/plain", "inline", "no-cache",
    )  # fmt: skip
    assert (answer["ContentEncoding"], answer["ContentLanguage"]) == ("br", "en")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "text/x-model"


@pytest.mark.parametrize("method", ["get_object", "head_object"])
def test_what_isnt_there_is_named_so(s3: Any, bucket: str, method: str) -> None:
    in_body = method == "get_object"
    assert refusal(getattr(s3, method), Bucket=bucket, Key="none") == (404, "NoSuchKey" if in_body else "404")
    assert refusal(getattr(s3, method), Bucket="no-such-bucket", Key="k") == (404, "NoSuchBucket" if in_body else "404")


def test_a_key_may_have_1024_bytes(s3: Any, bucket: str) -> None:
    for key in ("k" * 1024, "é" * 512, "/".join(["deep"] * 200)):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert read(s3, bucket, key) == key.encode()


@pytest.mark.moto_is_wrong("it takes a key of any length")
@pytest.mark.fidelity("key-length")
@pytest.mark.parametrize("key", ["k" * 1025, "é" * 512 + "k"])
def test_a_key_of_1025_bytes_is_refused_by_whatever_writes(s3: Any, bucket: str, key: str) -> None:
    assert refusal(s3.put_object, Bucket=bucket, Key=key, Body=b"x") == (400, "KeyTooLongError")
    assert refusal(s3.create_multipart_upload, Bucket=bucket, Key=key) == (400, "KeyTooLongError")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refusal(s3.copy_object, Bucket=bucket, Key=key, CopySource=f"{bucket}/k") == (400, "KeyTooLongError")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@pytest.mark.parametrize(
    ("asked", "served"),
    [("0-3", (0, 3)), ("0-0", (0, 0)), ("7-", (7, 9)), ("-3", (7, 9)), ("-100", (0, 9)), ("3-100", (3, 9))],
)
@pytest.mark.fidelity("bucket-ranges")
def test_a_range_is_served(s3: Any, bucket: str, digits: str, asked: str, served: tuple[int, int]) -> None:
    first, last = served
    answer = s3.get_object(Bucket=bucket, Key="digits", Range=f"bytes={asked}")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["ContentRange"], answer["ContentLength"]) == (f"bytes {first}-{last}/10", last - first + 1)
    assert answer["Body"].read() == WHOLE[first : last + 1]


def test_a_range_of_a_head_has_its_length_and_no_body(s3: Any, bucket: str, digits: str) -> None:
    answer = s3.head_object(Bucket=bucket, Key="digits", Range="bytes=2-4")
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ContentLength"]) == (206, 3)
    assert answer["ContentRange"] == "bytes 2-4/10"


@pytest.mark.parametrize("asked", ["10-", "10-20", "100-", "-0"])
@pytest.mark.fidelity("bucket-ranges")
def test_a_range_behind_the_end_cant_be_served(endpoint: Endpoint, digits: str, asked: str) -> None:
    answer = endpoint.send("GET", digits, Range=f"bytes={asked}")
    assert answer.refusal == (416, "InvalidRange")


@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=0-", pytest.param("bytes=-5", marks=EMPTY_END)])
def test_an_empty_object_has_no_range(s3: Any, bucket: str, asked: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert refusal(s3.get_object, Bucket=bucket, Key="empty", Range=asked) == (416, "InvalidRange")


@pytest.mark.moto_is_wrong("it fails on some, and serves others")
@pytest.mark.fidelity("bucket-ranges")
@pytest.mark.parametrize(
    "header",
    [
        "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,3-4", "bytes=0-1,", "items=0-3", "0-3",
        "bytes=0-3-5", "bytes=--3", "bytes=+1-3", "bytes=1.5-3", "bytes=²-3", "bytes=" + "9" * 5000 + "-x",
    ],
)  # fmt: skip
def test_a_range_that_cant_be_read_is_ignored(endpoint: Endpoint, digits: str, header: str) -> None:
    answer = endpoint.send("GET", digits, Range=header.encode("utf-8").decode("latin-1"))
    assert (answer.status, answer.body) == (200, WHOLE)
    assert "content-range" not in answer.headers


@pytest.fixture
def in_parts(s3: Any, bucket: str) -> list[bytes]:
    """The parts of the object "parts"."""
    parts = [b"a" * MIN_PART, b"b" * MIN_PART, b"end"]
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tags = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(parts, start=1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": tags})
    return parts


@pytest.mark.moto_is_wrong("it serves the whole object for each part")
@pytest.mark.fidelity("parts-by-number")
def test_a_part_is_served_by_its_number(s3: Any, bucket: str, in_parts: list[bytes]) -> None:
    first, size = 0, sum(map(len, in_parts))
    for number, part in enumerate(in_parts, start=1):
        asked = {"Bucket": bucket, "Key": "parts", "PartNumber": number}
        body = s3.get_object(**asked)["Body"].read()
        assert body == part
        for answer in (s3.get_object(**asked), s3.head_object(**asked)):
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
            assert (answer["PartsCount"], answer["ContentLength"]) == (3, len(part))
            assert answer["ContentRange"] == f"bytes {first}-{first + len(part) - 1}/{size}"
        first += len(part)
    assert refusal(s3.get_object, **{**asked, "PartNumber": 4}) == (416, "InvalidPartNumber")


@pytest.mark.moto_is_wrong("it ignores the number")
@pytest.mark.fidelity("parts-by-number")
def test_an_object_put_whole_is_its_own_only_part(s3: Any, bucket: str, digits: str) -> None:
    answer = s3.get_object(Bucket=bucket, Key="digits", PartNumber=1)
    assert (answer["Body"].read(), answer["ResponseMetadata"]["HTTPStatusCode"]) == (WHOLE, 206)
    assert refusal(s3.get_object, Bucket=bucket, Key="digits", PartNumber=2) == (416, "InvalidPartNumber")


@pytest.mark.moto_is_wrong("it ignores the number")
@pytest.mark.fidelity("parts-by-number")
def test_a_number_that_no_part_can_have_is_refused(s3: Any, endpoint: Endpoint, bucket: str, digits: str) -> None:
    for number in ("0", "-1", "10001", "x", ""):
        assert endpoint.send("GET", f"{digits}?partNumber={number}").refusal == (400, "InvalidArgument"), number
    both = {"PartNumber": 1, "Range": "bytes=0-1"}
    assert refusal(s3.get_object, Bucket=bucket, Key="digits", **both) == (400, "InvalidRequest")
