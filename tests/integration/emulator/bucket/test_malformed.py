"""Requests that can't be read: each gets S3's 400, never a 500, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read

LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<Delete><Object><Key>&b;</Key></Object></Delete>"
)
NO_DOCUMENTS = [b"<", b"not XML", b"<a><b></a>", b"<Other/>", b"\xff\xfe", b"<Delete", b"{}", LAUGHS]
pytestmark = [pytest.mark.moto_is_wrong("it fails on malformed XML"), pytest.mark.fidelity("malformed-requests")]


@pytest.mark.parametrize("document", [b"", *NO_DOCUMENTS, b"<Delete/>", b"<Delete><Object/></Delete>"])
def test_no_list_of_objects_to_delete(endpoint: Endpoint, s3: Any, bucket: str, document: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert endpoint.send("POST", f"/{bucket}?delete", document).refusal == (400, "MalformedXML")
    assert read(s3, bucket, "k") == b"x"


@pytest.mark.parametrize("value", ["a%0D%0Ax-other:%20b", "a%0Ab", "%00"])
def test_a_header_that_an_address_can_not_set(endpoint: Endpoint, s3: Any, bucket: str, value: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    target = f"{path_of(bucket, 'k')}?response-content-type={value}"
    assert endpoint.send("GET", target).refusal == (400, "InvalidArgument")


def test_more_than_a_thousand_objects_to_delete(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="0", Body=b"x")
    objects = "".join(f"<Object><Key>{number}</Key></Object>" for number in range(1001))
    answer = endpoint.send("POST", f"/{bucket}?delete", f"<Delete>{objects}</Delete>".encode())
    assert answer.refusal == (400, "MalformedXML")
    assert read(s3, bucket, "0") == b"x"


@pytest.mark.parametrize(
    "document",
    [
        b"", *NO_DOCUMENTS, b"<CompleteMultipartUpload/>",
        b"<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ],
)  # fmt: skip
def test_no_list_of_parts(endpoint: Endpoint, s3: Any, bucket: str, document: bytes) -> None:
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    answer = endpoint.send("POST", f"{path_of(bucket, 'k')}?uploadId={upload['UploadId']}", document)
    assert answer.refusal == (400, "MalformedXML")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert read(s3, bucket, "k") == b"x"


@pytest.mark.parametrize("document", [b"", *NO_DOCUMENTS])
def test_no_setting(endpoint: Endpoint, s3: Any, bucket: str, document: bytes) -> None:
    assert endpoint.send("PUT", f"/{bucket}?versioning", document).refusal == (400, "MalformedXML")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


@pytest.mark.parametrize("status", ["", "On", "enabled"])
def test_no_status_of_versioning(endpoint: Endpoint, s3: Any, bucket: str, status: str) -> None:
    document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
    answer = endpoint.send("PUT", f"/{bucket}?versioning", document)
    assert answer.status == 400
    assert answer.code in {"MalformedXML", "IllegalVersioningConfigurationException"}
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


@pytest.mark.parametrize("document", NO_DOCUMENTS)
def test_no_configuration_of_a_bucket(endpoint: Endpoint, s3: Any, bucket: str, document: bytes) -> None:
    name = f"{bucket}-more"
    assert endpoint.send("PUT", f"/{name}", document).refusal == (400, "MalformedXML")
    assert name not in [made["Name"] for made in s3.list_buckets()["Buckets"]]


def test_more_metadata_than_2_kb(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    answer = endpoint.send("PUT", path_of(bucket, "k"), b"x", x_amz_meta_much="m" * 2100)
    assert answer.refusal == (400, "MetadataTooLarge")
    assert endpoint.send("PUT", path_of(bucket, "k"), b"x", x_amz_meta_much="m" * 2000).status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"much": "m" * 2000}


def test_a_body_without_a_length_is_refused(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"of unknown length"

    assert endpoint.send("PUT", path_of(bucket, "k"), pieces()).refusal == (501, "NotImplemented")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
