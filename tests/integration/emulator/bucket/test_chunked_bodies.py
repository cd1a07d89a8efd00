"""``aws-chunked`` bodies, as SDKs frame them: sent raw, for no client lets a test send them wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from awscrt import checksums

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read

SIGNATURE = "0" * 64
BODY = b"hello, " + b"world" * 20_000
# What stands in for a body's hash. moto knows the first three.
KNOWN_HASHES = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
]  # fmt: skip
OTHER_HASHES = [
    None, "UNSIGNED-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
]  # fmt: skip


def frame(
    body: bytes, size: int = 65_536, *, is_signed: bool = False, trailer: Mapping[str, str] | None = None
) -> bytes:
    """Return a body in chunks: each with its size, and its signature if it is signed; then the trailing headers."""
    extension = f";chunk-signature={SIGNATURE}" if is_signed else ""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    lines = "".join(f"{name}:{value}\r\n" for name, value in (trailer or {}).items())
    return framed + f"0{extension}\r\n{lines}\r\n".encode()


def crc32(body: bytes) -> str:
    return base64.b64encode(checksums.crc32(body).to_bytes(4, "big")).decode()


def put(
    endpoint: Endpoint, target: str, framed: bytes | Iterable[bytes], length: int | None = len(BODY),
    sha256: str | None = KNOWN_HASHES[0], **more: str,
) -> Any:  # fmt: skip
    headers = {"Content-Encoding": "aws-chunked", **more}
    if sha256 is not None:
        headers["x-amz-content-sha256"] = sha256
    if length is not None:
        headers["x-amz-decoded-content-length"] = str(length)
    return endpoint.send("PUT", target, framed, **headers)


@pytest.mark.parametrize(
    "sha256",
    [
        *KNOWN_HASHES,
        *(
            pytest.param(value, marks=pytest.mark.moto_is_wrong("it stores the framing as content"))
            for value in OTHER_HASHES
        ),
    ],
)
@pytest.mark.parametrize("size", [65_536, 8192, 1_000_000])
@pytest.mark.fidelity("aws-chunked")
def test_the_content_is_stored_and_not_its_frame(
    endpoint: Endpoint, s3: Any, bucket: str, sha256: str | None, size: int
) -> None:
    framed = frame(BODY, size, is_signed="AWS4" in str(sha256))
    assert put(endpoint, path_of(bucket, "k"), framed, sha256=sha256).status == 200
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["ContentLength"], answer["Body"].read()) == (len(BODY), BODY)
    assert not answer.get("ContentEncoding")


@pytest.mark.moto_is_wrong("it knows a frame by its hash alone")
@pytest.mark.parametrize("sha256", [*KNOWN_HASHES, *OTHER_HASHES])
@pytest.mark.fidelity("aws-chunked")
def test_a_part_is_framed_too(endpoint: Endpoint, s3: Any, bucket: str, sha256: str | None) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = f"{path_of(bucket, 'k')}?partNumber=1&uploadId={upload}"
    etag = put(endpoint, target, frame(BODY, is_signed="AWS4" in str(sha256)), sha256=sha256).headers["etag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    assert read(s3, bucket, "k") == BODY


@pytest.mark.parametrize("encoding", ["aws-chunked,gzip", "gzip,aws-chunked", "gzip, aws-chunked"])
@pytest.mark.moto_is_wrong("it keeps the frame's name among the encodings")
@pytest.mark.fidelity("aws-chunked")
def test_other_encodings_stay_the_objects(endpoint: Endpoint, s3: Any, bucket: str, encoding: str) -> None:
    assert put(endpoint, path_of(bucket, "k"), frame(BODY), **{"Content-Encoding": encoding}).status == 200
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["ContentEncoding"], answer["Body"].read()) == ("gzip", BODY)


@pytest.mark.moto_is_wrong("it needs Content-Encoding, which clients may leave out")
@pytest.mark.fidelity("aws-chunked")
def test_a_streaming_hash_names_the_frame_as_well(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    assert put(endpoint, path_of(bucket, "k"), frame(BODY), **{"Content-Encoding": "identity"}).status == 200
    assert read(s3, bucket, "k") == BODY


@pytest.mark.fidelity("aws-chunked")
def test_an_empty_body_may_be_framed(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    assert put(endpoint, path_of(bucket, "k"), b"0\r\n\r\n", 0).status == 200
    assert read(s3, bucket, "k") == b""


@pytest.mark.fidelity("aws-chunked")
def test_a_trailing_checksum_is_kept(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    framed = frame(BODY, trailer={"x-amz-checksum-crc32": crc32(BODY)})
    named = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"}
    answer = put(endpoint, path_of(bucket, "k"), framed, **named)
    assert answer.status == 200
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc32(BODY)


@pytest.mark.moto_is_wrong("it reads no trailer of a signed frame")
@pytest.mark.fidelity("aws-chunked")
def test_a_signed_trailer_is_read_as_well(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    trailer = {"x-amz-checksum-crc32": crc32(BODY), "x-amz-trailer-signature": SIGNATURE}
    framed = frame(BODY, is_signed=True, trailer=trailer)
    named = {"x-amz-trailer": "x-amz-checksum-crc32"}
    assert put(endpoint, path_of(bucket, "k"), framed, sha256=KNOWN_HASHES[2], **named).status == 200
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc32(BODY)


@pytest.mark.moto_is_wrong("it verifies no checksum")
@pytest.mark.fidelity("aws-chunked")
def test_another_body_than_the_trailing_checksums_is_refused(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    framed = frame(BODY, trailer={"x-amz-checksum-crc32": crc32(BODY + b"x")})
    answer = put(endpoint, path_of(bucket, "k"), framed, **{"x-amz-trailer": "x-amz-checksum-crc32"})
    assert answer.refusal == (400, "BadDigest")
    assert read(s3, bucket, "k") == b"old"


MALFORMED = {
    "a negative size": (b"-5\r\nhello\r\n0\r\n\r\n", 5),
    "a negative size of the end": (b"5\r\nhello\r\n-0\r\n\r\n", 5),
    "no number": (b"zz\r\nhello\r\n0\r\n\r\n", 5),
    "no size": (b"\r\nhello\r\n0\r\n\r\n", 5),
    "a prefixed number": (b"0x5\r\nhello\r\n0\r\n\r\n", 5),
    "a number with an underscore": (b"0_5\r\nhello\r\n0\r\n\r\n", 5),
    "a space": (b" 5\r\nhello\r\n0\r\n\r\n", 5),
    "a huge size": (b"ffffffffffffffffffff\r\nhello\r\n0\r\n\r\n", 5),
    "too large a size": (b"50\r\nhello\r\n0\r\n\r\n", 5),
    "too small a size": (b"4\r\nhello\r\n0\r\n\r\n", 5),
    "no end of a chunk": (b"5\r\nhello0\r\n\r\n", 5),
    "no last chunk": (b"5\r\nhello\r\n", 5),
    "a cut chunk": (b"5\r\nhel", 5),
    "no frame": (b"hello", 5),
    "a line without an end": (b"5" * 100_000, 5),
    "less than was said": (b"5\r\nhello\r\n0\r\n\r\n", 6),
    "more than was said": (b"5\r\nhello\r\n0\r\n\r\n", 4),
    "something behind the end": (b"5\r\nhello\r\n0\r\n\r\n5\r\nworld\r\n0\r\n\r\n", 5),
}


@pytest.mark.moto_is_wrong("it fails on some, and stores an empty or a cut object for others")
@pytest.mark.parametrize("fault", MALFORMED)
@pytest.mark.fidelity("aws-chunked")
def test_a_malformed_frame_is_refused_and_nothing_stored(endpoint: Endpoint, s3: Any, bucket: str, fault: str) -> None:
    framed, length = MALFORMED[fault]
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    answer = put(endpoint, path_of(bucket, "k"), framed, length)
    assert answer.status == 400, answer
    assert answer.code in {"IncompleteBody", "InvalidRequest", "InvalidArgument", "MalformedTrailerError"}
    assert read(s3, bucket, "k") == b"old"


@pytest.mark.moto_is_wrong("it takes the framed length for the content's")
@pytest.mark.fidelity("aws-chunked")
def test_the_contents_length_must_be_said(endpoint: Endpoint, bucket: str) -> None:
    assert put(endpoint, path_of(bucket, "k"), frame(BODY), None).refusal == (411, "MissingContentLength")
    for length in ("-1", "x", "1.5", ""):
        named = {"x-amz-decoded-content-length": length}
        answer = put(endpoint, path_of(bucket, "k"), frame(BODY), None, **named)
        assert answer.refusal in {(400, "InvalidArgument"), (411, "MissingContentLength")}, length


def test_http_may_chunk_what_aws_has_framed(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    framed = frame(BODY, 8192)
    pieces = (framed[start : start + 1000] for start in range(0, len(framed), 1000))
    assert put(endpoint, path_of(bucket, "k"), pieces).status == 200
    assert read(s3, bucket, "k") == BODY
