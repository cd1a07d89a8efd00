"""Buckets: made, named, listed, removed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, refusal


def test_a_bucket_is_made_listed_and_removed(s3: Any, bucket: str) -> None:
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert bucket in [made["Name"] for made in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket=bucket)
    assert bucket not in [made["Name"] for made in s3.list_buckets()["Buckets"]]
    assert refusal(s3.head_bucket, Bucket=bucket) == (404, "404")
    assert refusal(s3.delete_bucket, Bucket=bucket) == (404, "NoSuchBucket")
    assert refusal(s3.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"") == (404, "NoSuchBucket")


def test_a_bucket_with_objects_stays(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refusal(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("name", ["ab", "a" * 64])
def test_a_name_of_another_length_makes_no_bucket(endpoint: Endpoint, name: str) -> None:
    assert endpoint.send("PUT", f"/{name}").refusal == (400, "InvalidBucketName")


@pytest.mark.moto_is_wrong("it looks at the length alone")
@pytest.mark.parametrize(
    "name",
    ["A-Name", "a_b", "a..b", "-a-b", "ab-", "192.168.1.1", "a%20b", "xn--a", "sthree-a", "a-s3alias", "a--x-s3"],
)
def test_a_name_that_s3_refuses_makes_no_bucket(endpoint: Endpoint, name: str) -> None:
    assert endpoint.send("PUT", f"/{name}").refusal == (400, "InvalidBucketName")


def test_a_bucket_has_the_region_that_it_was_made_in(endpoint: Endpoint) -> None:
    s3 = endpoint.client()
    name = endpoint.new_bucket()
    assert s3.get_bucket_location(Bucket=name).get("LocationConstraint") is None
    other = f"{name}-there"
    configuration = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    s3.create_bucket(Bucket=other, **configuration)
    assert s3.get_bucket_location(Bucket=other)["LocationConstraint"] == "eu-central-1"
    assert refusal(s3.create_bucket, Bucket=other, **configuration) == (409, "BucketAlreadyOwnedByYou")


@pytest.mark.moto_is_wrong("it takes any text")
@pytest.mark.parametrize("region", ["eu&#10;west", "é", "a b"])
def test_an_impossible_region_makes_no_bucket(endpoint: Endpoint, region: str) -> None:
    body = f"<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    assert endpoint.send("PUT", "/nowhere", body.encode()).refusal == (400, "InvalidLocationConstraint")
    assert endpoint.send("GET", "/nowhere").refusal == (404, "NoSuchBucket")


def test_a_bucket_that_is_there_is_made_again_in_the_first_region_without_loss(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
