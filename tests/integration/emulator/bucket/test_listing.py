"""Lists of objects, in both versions: pages, prefixes, delimiters, tokens."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, refusal

KEYS = ["a/1", "a/2", "b/1", "c/1", "c/2/x", "d", "e f", "ä", "\x01", "z+"]
SORTED = sorted(KEYS, key=lambda key: key.encode())


@pytest.fixture
def keys(s3: Any, bucket: str) -> list[str]:
    """The keys of a bucket, in S3's order: that of their bytes."""
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return SORTED


def pages(s3: Any, operation: str, size: int, **arguments: Any) -> list[list[str]]:
    """Return page by page the prefixes and keys, each page in the order of its names."""
    listed = s3.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
    return [
        sorted(
            [prefix["Prefix"] for prefix in page.get("CommonPrefixes", [])]
            + [item["Key"] for item in page.get("Contents", [])]
        )
        for page in listed
    ]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_pages_together_have_each_key_once_in_order(
    s3: Any, bucket: str, keys: list[str], operation: str, size: int
) -> None:
    listed = s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
    found = [[item["Key"] for item in page["Contents"]] for page in listed]
    assert found == [keys[start : start + size] for start in range(0, len(keys), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.fidelity("listing-pages")
def test_a_delimiter_over_pages_v2(s3: Any, bucket: str, keys: list[str], size: int) -> None:
    names = ["\x01", "a/", "b/", "c/", "d", "e f", "z+", "ä"]
    found = pages(s3, "list_objects_v2", size, Bucket=bucket, Delimiter="/")
    assert found == [names[start : start + size] for start in range(0, len(names), size)]


@pytest.mark.moto_is_wrong("it repeats the prefixes on every page of version 1")
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.fidelity("listing-pages")
def test_a_delimiter_over_pages_v1(s3: Any, bucket: str, keys: list[str], size: int) -> None:
    names = ["\x01", "a/", "b/", "c/", "d", "e f", "z+", "ä"]
    found = pages(s3, "list_objects", size, Bucket=bucket, Delimiter="/")
    assert found == [names[start : start + size] for start in range(0, len(names), size)]


@pytest.mark.moto_is_wrong("it repeats the prefixes that a marker has passed")
@pytest.mark.fidelity("listing-pages")
def test_a_marker_passes_the_keys_below_a_prefix(s3: Any, bucket: str, keys: list[str]) -> None:
    page = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="c/", MaxKeys=1)
    assert ([item["Key"] for item in page["Contents"]], page["IsTruncated"]) == (["d"], True)
    assert "CommonPrefixes" not in page
    assert page["NextMarker"] == "d"


@pytest.mark.moto_is_wrong("it names one always")
def test_version_1_names_the_next_marker_with_a_delimiter_alone(
    endpoint: Endpoint, bucket: str, keys: list[str]
) -> None:
    assert b"<NextMarker>" in endpoint.send("GET", f"/{bucket}?delimiter=/&max-keys=1").body
    assert b"<NextMarker>" not in endpoint.send("GET", f"/{bucket}?max-keys=1").body


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_prefix_and_a_delimiter(s3: Any, bucket: str, keys: list[str], operation: str) -> None:
    page = getattr(s3, operation)(Bucket=bucket, Prefix="c/", Delimiter="/")
    assert [item["Key"] for item in page["Contents"]] == ["c/1"]
    assert [prefix["Prefix"] for prefix in page["CommonPrefixes"]] == ["c/2/"]
    assert (page["Prefix"], page["Delimiter"], page["IsTruncated"]) == ("c/", "/", False)
    assert pages(s3, operation, 1000, Bucket=bucket, Delimiter="/1", Prefix="a") == [["a/1", "a/2"]]


def test_version_2_begins_after_a_key_and_counts(s3: Any, bucket: str, keys: list[str]) -> None:
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="b/1", MaxKeys=2)
    assert [item["Key"] for item in page["Contents"]] == ["c/1", "c/2/x"]
    assert (page["KeyCount"], page["MaxKeys"], page["StartAfter"], page["IsTruncated"]) == (2, 2, "b/1", True)
    token = page["NextContinuationToken"]
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="b/1", MaxKeys=1, ContinuationToken=token, Delimiter="/")
    assert [item["Key"] for item in page["Contents"]] == ["d"]
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=3)
    assert (page["KeyCount"], len(page["CommonPrefixes"]), len(page["Contents"])) == (3, 2, 1)


def test_an_item_has_what_s3_says_of_it(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"four")["ETag"]
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    (item,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert (item["Key"], item["ETag"], item["Size"], item["StorageClass"]) == ("k", etag, 4, "STANDARD")
    assert item["LastModified"].replace(microsecond=0) == written
    assert item["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.list_objects(Bucket=bucket)["Contents"][0]["Owner"]["ID"]


@pytest.mark.parametrize("listing", ["", "list-type=2&"])
def test_no_keys_at_all_may_be_asked_for(endpoint: Endpoint, bucket: str, keys: list[str], listing: str) -> None:
    answer = endpoint.send("GET", f"/{bucket}?{listing}max-keys=0")
    assert answer.status == 200
    assert b"<IsTruncated>false</IsTruncated>" in answer.body
    assert b"<Key>" not in answer.body


@pytest.mark.moto_is_wrong("it says the number that it was asked for")
def test_a_page_has_at_most_a_thousand_keys(s3: Any, bucket: str, keys: list[str]) -> None:
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_objects(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000


@pytest.mark.moto_is_wrong("it fails")
@pytest.mark.parametrize("listing", ["", "list-type=2&", "versions&"])
@pytest.mark.parametrize(
    "number", ["-1", "x", "1.5", "9999999999999999999999", "%C2%B2", "1_0", "+1", "%201", "0" * 5000]
)
@pytest.mark.fidelity("malformed-requests")
def test_a_number_of_keys_that_cant_be_read_is_refused(
    endpoint: Endpoint, bucket: str, listing: str, number: str
) -> None:
    assert endpoint.send("GET", f"/{bucket}?{listing}max-keys={number}").refusal == (400, "InvalidArgument")


@pytest.mark.moto_is_wrong("it fails on some, and lists from the beginning for others")
@pytest.mark.parametrize("token", ["", "x", "%00", "AAAA", "%C3%A4", "e30%3D", "a" * 2000])
@pytest.mark.fidelity("malformed-requests")
def test_a_token_that_nobody_gave_is_refused(endpoint: Endpoint, bucket: str, keys: list[str], token: str) -> None:
    answer = endpoint.send("GET", f"/{bucket}?list-type=2&continuation-token={token}")
    assert answer.refusal == (400, "InvalidArgument")


@pytest.mark.moto_is_wrong("it takes any encoding for url")
def test_names_come_encoded_on_request_alone(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b/ü&<", Body=b"")
    plain = ElementTree.fromstring(endpoint.send("GET", f"/{bucket}").body)
    assert [key.text for key in plain.iterfind("{*}Contents/{*}Key")] == ["a b/ü&<"]
    encoded = endpoint.send("GET", f"/{bucket}?encoding-type=url").body
    assert b"<EncodingType>url</EncodingType>" in encoded
    assert b"<Key>a+b/%C3%BC%26%3C</Key>" in encoded or b"<Key>a%20b/%C3%BC%26%3C</Key>" in encoded
    assert endpoint.send("GET", f"/{bucket}?encoding-type=xml").refusal == (400, "InvalidArgument")


def test_an_empty_bucket_has_no_items(s3: Any, bucket: str) -> None:
    assert "Contents" not in s3.list_objects(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert refusal(s3.list_objects, Bucket="no-such-bucket") == (404, "NoSuchBucket")
