"""Requests that nobody should send: whatever they hold, they are refused in S3's words or answered."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.emulator.bucket.asked_bucket import Bucket

VALUES = st.sampled_from(
    ["", "0", "-1", "1", "99999999999999999999", "1e3", "٣", "\x00", "k", "/", "*", "bytes=0-1", "bytes=-0", "bytes",
     "bytes=5-2", "Mon, 99 Foo 2020", "2000-01-01", "AAAAAA==", "CRC32", "CRC64NVME", "COMPOSITE", "aws-chunked",
     "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32", "url", "REPLACE", "/bkt/k", "bkt/k?versionId=",
     "Mon, 01 Jan 2020 00:00:00 +" + "9" * 30,
     "a=b&a=b", "\udcff"]
)  # fmt: skip
PARAMETERS = st.sampled_from(
    ["versionId", "partNumber", "uploadId", "uploads", "delete", "versioning", "versions", "list-type", "max-keys",
     "continuation-token", "start-after", "marker", "prefix", "delimiter", "encoding-type", "key-marker",
     "version-id-marker", "upload-id-marker", "max-uploads", "tagging", "acl", "attributes", "location", "lifecycle",
     "policy", "id", "X-Amz-Expires", "X-Amz-Date", "Expires", "Signature", "max-buckets", "torrent"]
)  # fmt: skip
HEADERS = st.sampled_from(
    ["Range", "If-Match", "If-None-Match", "If-Modified-Since", "Content-MD5", "x-amz-content-sha256",
     "x-amz-decoded-content-length", "Content-Encoding", "x-amz-trailer", "x-amz-checksum-crc32",
     "x-amz-checksum-crc64nvme", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm", "x-amz-checksum-type",
     "x-amz-checksum-mode", "x-amz-tagging", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-meta-a",
     "x-amz-metadata-directive", "x-amz-mp-object-size", "x-amz-object-attributes", "Content-Length",
     "x-amz-storage-class"]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"x", b"<a", b"<Delete/>", b"<Delete><Object><Key>k</Key><VersionId/></Object></Delete>", b"\xff\xfe", b"{}",
     b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>", b"<Tagging><TagSet><Tag/></TagSet></Tagging>",
     b"<?xml version='1.0' encoding='utf-99'?><Delete/>", b"<!DOCTYPE Delete><Delete/>", b"-5\r\nhello\r\n0\r\n\r\n",
     b"5\r\nhel", b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"f" * 70_000]
)  # fmt: skip


@pytest.mark.fidelity("malformed-requests")
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]),
    st.sampled_from(["/", "/bkt", "/bkt/k", "/bkt/%FF", "/bkt/" + "k" * 1025, "/nope", "/nope/k", "/B"]),
    st.dictionaries(PARAMETERS, VALUES, max_size=3),
    st.dictionaries(HEADERS, VALUES, max_size=3),
    BODIES,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_request_is_an_internal_error(
    bucket: Bucket, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    parameters = "&".join(f"{name}={quote(value, errors='surrogateescape')}" for name, value in query.items())
    answer = bucket.ask(method, f"{path}?{parameters}", body, **headers)
    assert answer.status < 500 or answer.status == 501, answer.body


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x-amz-storage-class", "COLD", b"InvalidStorageClass"),
        ("x-amz-website-redirect-location", "\udcff", b"InvalidArgument"),
        ("x-amz-meta-a", "\udcff", b"InvalidArgument"),
    ],
)
def test_what_no_answer_could_hold_is_refused(bucket: Bucket, name: str, value: str, code: bytes) -> None:
    answer = bucket.ask("PUT", "/bkt/k", b"x", **{name: value})
    assert (answer.status, code in answer.body) == (400, True)


def test_a_date_that_no_clock_has_is_passed_over(bucket: Bucket) -> None:
    bucket.ask("PUT", "/bkt/k", b"x")
    date = "Mon, 01 Jan 2020 00:00:00 +" + "9" * 30
    assert bucket.ask("GET", "/bkt/k", **{"If-Modified-Since": date}).status == 200


@pytest.mark.parametrize("target", ["?delimiter=/", "?delimiter=/&versions", "?delimiter=/&uploads"])
def test_the_last_of_all_characters_ends_no_list(bucket: Bucket, target: str) -> None:
    key = quote("a/\U0010ffff")
    bucket.ask("PUT", f"/bkt/{key}", b"x")
    bucket.ask("POST", f"/bkt/{key}?uploads")
    answer = bucket.ask("GET", f"/bkt{target}")
    assert answer.body.count(b"<CommonPrefixes>") == 1
    assert b"<IsTruncated>false</IsTruncated>" in answer.body


# A file, an upload and a part as the program wrote them that kept the bucket in moto's memory.
OLD_OBJECT = (
    b'{"facts": {"acl": null, "bucket_key_enabled": null, "checksum_algorithm": "CRC32", "checksum_parts": null, '
    b'"checksum_type": null, "checksum_value": "o6a/Qw==", "delete_marker": false, "encryption": null, '
    b'"etag": "99914b932bd37a50b983c5e7c90ae93b", "key": "alias", "kms_key_id": null, '
    b'"last_modified": "2026-11-29T13:50:43.658724", "lock_legal_status": null, "lock_mode": null, '
    b'"lock_until": null, "metadata": {"Cache-Control": "no-store", "X-Amz-Content-Sha256": "44136f", '
    b'"x-amz-meta-who": "me"}, "region": "aws", "sequence": 1, "storage_class": "STANDARD", '
    b'"tags": {"team": "credit"}, "version_id": "null", "versioned": false, "website_redirect_location": null}, '
    b'"format": 1, "sha256": "c9407bee98c4c579b4a93a880a8edd24d1ae8b7b232e7dcfcf8221749ae58180", "size_bytes": 2}\n{}'
)
OLD_OBJECT_OF_PARTS = (
    b'{"facts": {"checksum_algorithm": "SHA256", "checksum_parts": 2, "checksum_type": "COMPOSITE", "checksum_value": '
    b'"Kx88+XmAVq4UZvCfjGz4LEBlViFLMJiq4bmobNJor3Y=", "delete_marker": false, "encryption": null, "etag": '
    b'"46d35c5ad9bc6410d1564c87922ac597-2", "key": "parts", "last_modified": "2026-11-29T13:50:43.658724", '
    b'"metadata": {}, "sequence": 2, "storage_class": "STANDARD", "tags": {}, "version_id": "null", "versioned": '
    b'false, "website_redirect_location": null}, "format": 1, "sha256": '
    b'"94b468df5611275d85bc345af5342c9174e5adf54b044f8db815aa07ef698274", "size_bytes": 2}\n{}'
)
OLD_UPLOAD = (
    b'{"facts": {"acl": null, "encryption": null, "key": "big", "kms_key_id": null, "metadata": {"Content-Type": '
    b'"text/p"}, "storage_class": "STANDARD", "tags": null, "upload_id": "up"}, "format": 1, "sha256": '
    b'"82ce18c37c20d317741afd3969d47af8c0a9adaafd88a913a4b60e3303071676", "size_bytes": 0}\n'
)
OLD_PART = (
    b'{"facts": {"last_modified": "2026-11-29T13:50:44.058375", "number": 1}, "format": 1, "sha256": '
    b'"e240b95087b5c0b429848fe5829920dbf1db7671ef433f55e810ea5e52c976bc", "size_bytes": 3}\none'
)


@pytest.mark.fidelity("old-folder-is-read")
def test_a_folder_of_format_1_is_read_on(bucket: Bucket) -> None:
    folder = bucket.disk.root / "buckets" / "bkt"
    upload = folder / "uploads" / hashlib.sha256(b"up").hexdigest()
    upload.mkdir()
    (folder / "objects" / f"{hashlib.sha256(b'alias').hexdigest()}.null").write_bytes(OLD_OBJECT)
    (upload / "upload").write_bytes(OLD_UPLOAD)
    (upload / "part.1").write_bytes(OLD_PART)
    again = bucket.again()
    assert again.disk.corrupt == []
    old = again.ask("GET", "/bkt/alias", **{"x-amz-checksum-mode": "ENABLED"})
    assert (old.body, old.headers["cache-control"], old.headers["x-amz-meta-who"]) == (b"{}", "no-store", "me")
    assert (old.headers["ETag"], old.headers["x-amz-checksum-crc32"]) == (
        '"99914b932bd37a50b983c5e7c90ae93b"',
        "o6a/Qw==",
    )
    assert "x-amz-content-sha256" not in old.headers
    assert b"<Key>team</Key>" in again.ask("GET", "/bkt/alias?tagging").body
    etag = hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    assert etag.encode() in again.ask("GET", "/bkt/big?uploadId=up").body
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    complete = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    assert again.ask("POST", "/bkt/big?uploadId=up", complete).status == 200
    done = bucket.again().ask("GET", "/bkt/big")
    assert (done.body, done.headers["content-type"]) == (b"one", "text/p")


@pytest.mark.fidelity("old-folder-is-read")
def test_an_old_checksum_of_parts_isnt_taken_for_one_of_the_content(bucket: Bucket) -> None:
    # A client that compared the content with it refused the object.
    folder = bucket.disk.root / "buckets" / "bkt" / "objects"
    (folder / f"{hashlib.sha256(b'parts').hexdigest()}.null").write_bytes(OLD_OBJECT_OF_PARTS)
    again = bucket.again()
    assert again.disk.corrupt == []
    old = again.ask("GET", "/bkt/parts", **{"x-amz-checksum-mode": "ENABLED"})
    assert (old.headers["x-amz-checksum-sha256"], old.headers["x-amz-checksum-type"]) == (
        "Kx88+XmAVq4UZvCfjGz4LEBlViFLMJiq4bmobNJor3Y=-2",
        "COMPOSITE",
    )


@pytest.mark.parametrize("target", ["/bkt?max-keys=", "/bkt/k?uploadId={upload}&part-number-marker="])
def test_a_number_of_thousands_of_digits_is_refused(bucket: Bucket, target: str) -> None:
    upload = bucket.ask("POST", "/bkt/k?uploads").body.split(b"<UploadId>")[1].split(b"<")[0].decode()
    answer = bucket.ask("GET", target.format(upload=upload) + "0" * 5000)
    assert (answer.status, b"InvalidArgument" in answer.body) == (400, True)
