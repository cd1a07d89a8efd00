"""Operations of S3 that the bucket doesn't have: each is refused with NotImplemented, and changes nothing."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read, refusal

IMITATED = {
    "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload",
    "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketLocation", "GetBucketVersioning", "GetObject",
    "GetObjectTagging", "HeadBucket", "HeadObject", "ListBuckets", "ListDirectoryBuckets", "ListMultipartUploads",
    "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListParts", "PutBucketVersioning", "PutObject", "UploadPart",
    "UploadPartCopy",
}  # fmt: skip
# It belongs to S3 Object Lambda, whose addresses have no bucket.
ELSEWHERE = {"WriteGetObjectResponse"}
MODEL = botocore.session.get_session().get_service_model("s3")
pytestmark = [
    pytest.mark.fidelity("not-imitated-in-the-bucket"),
    pytest.mark.parametrize("endpoint", ["ours"], indirect=True),
]


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - IMITATED - ELSEWHERE))
def test_other_operations_are_refused(endpoint: Endpoint, s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    http = MODEL.operation_model(name).http
    target = http["requestUri"].replace("{Bucket}", bucket).replace("{Key+}", "k")
    assert endpoint.send(http["method"], target, b"<x/>").refusal == (501, "NotImplemented")
    assert read(s3, bucket, "k") == b"content"


def test_a_client_shows_the_refusal_and_an_object_gets_no_tags(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    tags = {"TagSet": [{"Key": "team", "Value": "credit"}]}
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=tags) == (501, "NotImplemented")
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x", Tagging="a=b") == (501, "NotImplemented")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert read(s3, bucket, "k") == b"content"


@pytest.mark.parametrize("query", ["", "?name"])
def test_a_form_of_a_browser_is_refused(endpoint: Endpoint, bucket: str, query: str) -> None:
    assert endpoint.send("POST", f"/{bucket}{query}", b"x").refusal == (501, "NotImplemented")
    assert endpoint.send("POST", path_of(bucket, "k") + query, b"x").refusal == (501, "NotImplemented")
