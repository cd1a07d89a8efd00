"""Checksums: sent, verified, kept and answered, by each of S3's algorithms."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from awscrt import checksums

from tests.integration.emulator.bucket.endpoint import MIN_PART, Endpoint, path_of, read, refusal

BODY = bytes(range(256)) * 600


def crc(function: Callable[[bytes], int], size: int) -> Callable[[bytes], bytes]:
    return lambda body: function(body).to_bytes(size, "big")


ALGORITHMS = {
    "CRC32": crc(checksums.crc32, 4),
    "CRC32C": crc(checksums.crc32c, 4),
    "CRC64NVME": crc(checksums.crc64nvme, 8),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
# Each has a member of its name in requests and answers.
NAMES = sorted(ALGORITHMS)
MODES = ["when_supported", "when_required"]
KNOWN_TO_MOTO = pytest.mark.moto_is_wrong("it verifies no checksum")


def checksum(name: str, body: bytes) -> str:
    return base64.b64encode(ALGORITHMS[name](body)).decode()


def header(name: str) -> str:
    return f"x-amz-checksum-{name.lower()}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("made", [bytes, io.BytesIO])
def test_both_of_boto3s_defaults_write_and_read(
    endpoint: Endpoint, bucket: str, mode: str, made: Callable[[bytes], Any]
) -> None:
    # A file is sent in chunks with a trailer, bytes with a header; when_required sends neither.
    s3 = endpoint.client(request_checksum_calculation=mode, response_checksum_validation=mode)
    s3.put_object(Bucket=bucket, Key="k", Body=made(BODY))
    assert read(s3, bucket, "k") == BODY
    if mode == "when_supported":
        answer = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert answer["ChecksumCRC32"] == checksum("CRC32", BODY)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", MODES)
def test_a_checksum_that_a_client_asks_for_is_kept(endpoint: Endpoint, bucket: str, name: str, mode: str) -> None:
    s3 = endpoint.client(request_checksum_calculation=mode, response_checksum_validation=mode)
    for body in (BODY, io.BytesIO(BODY)):
        s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=name)
        answer = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (answer[f"Checksum{name}"], answer["Body"].read()) == (checksum(name, BODY), BODY)
        assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[f"Checksum{name}"] == checksum(name, BODY)
    assert f"Checksum{name}" not in s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.moto_is_wrong("it doesn't say the type, and answers an upload without its checksum")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.fidelity("bucket-checksums")
def test_an_upload_is_answered_with_its_checksum_and_its_type(s3: Any, bucket: str, name: str) -> None:
    answer = s3.put_object(Bucket=bucket, Key="k", Body=BODY, **{f"Checksum{name}": checksum(name, BODY)})
    assert (answer[f"Checksum{name}"], answer["ChecksumType"]) == (checksum(name, BODY), "FULL_OBJECT")
    answer = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (answer[f"Checksum{name}"], answer["ChecksumType"]) == (checksum(name, BODY), "FULL_OBJECT")


@KNOWN_TO_MOTO
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.fidelity("bucket-checksums")
def test_another_body_than_the_checksums_is_refused(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    wrong = {f"Checksum{name}": checksum(name, BODY + b"x")}
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=BODY, **wrong) == (400, "BadDigest")
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    assert refusal(s3.upload_part, **upload, PartNumber=1, Body=BODY, **wrong) == (400, "BadDigest")
    assert "Parts" not in s3.list_parts(**upload)
    assert read(s3, bucket, "k") == b"old"


@KNOWN_TO_MOTO
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "x", "AAA=", "AAAAAAAAAAAA", "not base64!", "AAAAAA==" * 9])
@pytest.mark.fidelity("bucket-checksums")
def test_a_checksum_that_cant_be_read_is_refused(endpoint: Endpoint, bucket: str, name: str, value: str) -> None:
    answer = endpoint.send("PUT", path_of(bucket, "k"), BODY, **{header(name): value})
    assert answer.refusal == (400, "InvalidRequest")


@KNOWN_TO_MOTO
@pytest.mark.fidelity("bucket-checksums")
def test_two_checksums_are_one_too_many(endpoint: Endpoint, bucket: str) -> None:
    both = {header(name): checksum(name, BODY) for name in ("CRC32", "SHA256")}
    assert endpoint.send("PUT", path_of(bucket, "k"), BODY, **both).refusal == (400, "InvalidRequest")


@KNOWN_TO_MOTO
@pytest.mark.fidelity("bucket-checksums")
def test_content_md5_is_verified(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    digest = base64.b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ContentMD5=digest)
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=digest) == (400, "BadDigest")
    for value in ("x", "AAAA", ""):
        answer = endpoint.send("PUT", path_of(bucket, "k"), BODY, Content_MD5=value)
        assert answer.refusal == (400, "InvalidDigest"), value
    assert read(s3, bucket, "k") == BODY


@KNOWN_TO_MOTO
@pytest.mark.fidelity("bucket-checksums")
def test_the_hash_that_a_request_is_signed_over_is_verified(endpoint: Endpoint, bucket: str) -> None:
    target, right = path_of(bucket, "k"), hashlib.sha256(BODY).hexdigest()
    assert endpoint.send("PUT", target, BODY, x_amz_content_sha256=right).status == 200
    answer = endpoint.send("PUT", target, BODY + b"x", x_amz_content_sha256=right)
    assert answer.refusal == (400, "XAmzContentSHA256Mismatch")
    assert endpoint.send("PUT", target, BODY, x_amz_content_sha256="UNSIGNED-PAYLOAD").status == 200


@pytest.mark.moto_is_wrong("it answers a range with the whole object's checksum, which the client then misses")
@pytest.mark.fidelity("bucket-checksums")
def test_a_range_is_answered_without_the_objects_checksum(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm="SHA256")
    answer = s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-9", ChecksumMode="ENABLED")
    assert answer["Body"].read() == BODY[:10]


def in_parts(s3: Any, target: dict[str, str], parts: list[bytes], name: str, **more: Any) -> tuple[Any, Any]:
    """Upload parts with their checksums; return what complete_multipart_upload needs, and the answers to the parts."""
    begun = s3.create_multipart_upload(**target, ChecksumAlgorithm=name, **more)
    upload = {**target, "UploadId": begun["UploadId"]}
    answers = [
        s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm=name)
        for number, body in enumerate(parts, start=1)
    ]
    listed = [
        {"PartNumber": number, "ETag": answer["ETag"], f"Checksum{name}": answer[f"Checksum{name}"]}
        for number, answer in enumerate(answers, start=1)
    ]
    return {**upload, "MultipartUpload": {"Parts": listed}}, answers


PARTS = [b"a" * MIN_PART, b"b" * 9]


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "SHA1", "SHA256"])
@pytest.mark.moto_is_wrong("it doesn't say the type, and answers HEAD without the number of parts")
@pytest.mark.fidelity("multipart-checksums")
def test_a_composite_checksum_is_that_of_the_parts_checksums(s3: Any, bucket: str, name: str) -> None:
    target = {"Bucket": bucket, "Key": "k"}
    upload, answers = in_parts(s3, target, PARTS, name, ChecksumType="COMPOSITE")
    assert [answer[f"Checksum{name}"] for answer in answers] == [checksum(name, part) for part in PARTS]
    due = checksum(name, b"".join(ALGORITHMS[name](part) for part in PARTS)) + "-2"
    answer = s3.complete_multipart_upload(**upload)
    assert (answer[f"Checksum{name}"], answer["ChecksumType"]) == (due, "COMPOSITE")
    for answer in (
        s3.head_object(**target, ChecksumMode="ENABLED"), s3.get_object(**target, ChecksumMode="ENABLED"),
    ):  # fmt: skip
        assert (answer[f"Checksum{name}"], answer["ChecksumType"]) == (due, "COMPOSITE")
    assert answer["Body"].read() == b"".join(PARTS)


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
@pytest.mark.moto_is_wrong("it makes every checksum of parts a composite one, of four bytes for CRC64NVME")
@pytest.mark.fidelity("multipart-checksums")
def test_a_full_objects_checksum_is_that_of_its_content(s3: Any, bucket: str, name: str) -> None:
    target = {"Bucket": bucket, "Key": "k"}
    upload, _ = in_parts(s3, target, PARTS, name, ChecksumType="FULL_OBJECT")
    whole = {f"Checksum{name}": checksum(name, b"".join(PARTS))}
    other = {f"Checksum{name}": checksum(name, b"other")}
    assert refusal(s3.complete_multipart_upload, **upload, **other) == (400, "BadDigest")
    answer = s3.complete_multipart_upload(**upload, ChecksumType="FULL_OBJECT", **whole)
    assert whole.items() <= answer.items()
    answer = s3.get_object(**target, ChecksumMode="ENABLED")
    assert ({**whole, "ChecksumType": "FULL_OBJECT"}).items() <= answer.items()
    assert answer["Body"].read() == b"".join(PARTS)


@pytest.mark.moto_is_wrong("it stores four bytes of CRC64NVME's eight")
@pytest.mark.fidelity("multipart-checksums")
def test_crc64nvme_without_a_type_is_the_full_objects(s3: Any, bucket: str) -> None:
    # As the AWS CLI 2 sends it: the parts are completed by their ETags alone.
    target = {"Bucket": bucket, "Key": "k"}
    upload, _ = in_parts(s3, target, PARTS, "CRC64NVME")
    for part in upload["MultipartUpload"]["Parts"]:
        del part["ChecksumCRC64NVME"]
    s3.complete_multipart_upload(**upload)
    answer = s3.head_object(**target, ChecksumMode="ENABLED")
    assert (answer["ChecksumCRC64NVME"], answer["ChecksumType"]) == (
        checksum("CRC64NVME", b"".join(PARTS)), "FULL_OBJECT",
    )  # fmt: skip
    assert read(s3, bucket, "k") == b"".join(PARTS)


@pytest.mark.moto_is_wrong("it takes every pair")
@pytest.mark.parametrize(
    ("name", "kind"), [("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]
)
@pytest.mark.fidelity("multipart-checksums")
def test_a_type_that_an_algorithm_doesnt_have_is_refused(s3: Any, bucket: str, name: str, kind: str) -> None:
    pair = {"ChecksumAlgorithm": name, "ChecksumType": kind}
    assert refusal(s3.create_multipart_upload, Bucket=bucket, Key="k", **pair) == (400, "InvalidRequest")


@pytest.mark.moto_is_wrong("it compares no checksum of a part")
@pytest.mark.fidelity("multipart-checksums")
def test_a_part_is_completed_by_its_own_checksum_alone(s3: Any, bucket: str) -> None:
    upload, _ = in_parts(s3, {"Bucket": bucket, "Key": "k"}, PARTS, "SHA256")
    upload["MultipartUpload"]["Parts"][1]["ChecksumSHA256"] = checksum("SHA256", b"other")
    assert refusal(s3.complete_multipart_upload, **upload) == (400, "InvalidPart")
