"""Addresses: a bucket in the host's name, presigned addresses, and targets that are hard to read."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.emulator.bucket.endpoint import Endpoint, path_of, read


def host_of(endpoint: Endpoint, *labels: str) -> str:
    return ".".join([*labels, f"localhost:{urlsplit(endpoint.url).port}"])


@pytest.mark.moto_is_wrong("it reads the bucket from the hosts of AWS alone")
@pytest.mark.fidelity("virtual-hosts")
def test_a_bucket_may_be_named_by_the_host(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    for labels in ((bucket,), (bucket, "s3")):
        named = {"Host": host_of(endpoint, *labels)}
        assert endpoint.send("PUT", "/a%20b/k", b"x", **named).status == 200
        assert read(s3, bucket, "a b/k") == b"x"
        assert endpoint.send("GET", "/a%20b/k", **named).body == b"x"
        assert b"<Key>a b/k</Key>" in endpoint.send("GET", "/?list-type=2", **named).body
        assert endpoint.send("DELETE", "/a%20b/k", **named).status == 204
    assert endpoint.send("HEAD", "/", Host=host_of(endpoint, bucket)).status == 200
    assert endpoint.send("GET", "/k", Host=host_of(endpoint, "no-such-bucket")).refusal == (404, "NoSuchBucket")


@pytest.mark.moto_is_wrong("it reads the bucket from the hosts of AWS alone")
@pytest.mark.fidelity("virtual-hosts")
def test_a_bucket_is_made_by_its_host(endpoint: Endpoint, s3: Any) -> None:
    name = f"{endpoint.new_bucket()}.with.dots"
    assert endpoint.send("PUT", "/", Host=host_of(endpoint, name)).status == 200
    assert name in [made["Name"] for made in s3.list_buckets()["Buckets"]]


@pytest.mark.moto_is_wrong("it lists localhost's bucket")
@pytest.mark.fidelity("virtual-hosts")
def test_a_host_without_a_bucket_names_none(endpoint: Endpoint, bucket: str) -> None:
    for host in (host_of(endpoint), host_of(endpoint, "s3"), urlsplit(endpoint.url).netloc):
        assert f"<Name>{bucket}</Name>".encode() in endpoint.send("GET", "/", Host=host).body, host


def opened(url: str, method: str = "GET", body: bytes | None = None, content_type: str = "text/plain") -> Any:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.fidelity("presigned-addresses")
def test_a_presigned_address_needs_no_other_credentials(endpoint: Endpoint, bucket: str, version: str) -> None:
    s3 = endpoint.client(signature_version=version)
    target = {"Bucket": bucket, "Key": "a b/ü+%?#"}
    status, _, _ = opened(s3.generate_presigned_url("put_object", Params=target), "PUT", b"content")
    assert (status, read(s3, **{"bucket": bucket, "key": target["Key"]})) == (200, b"content")
    named = {"ResponseContentType": "text/plain", "ResponseContentDisposition": 'attachment; filename="a b.txt"'}
    _, headers, body = opened(s3.generate_presigned_url("get_object", Params={**target, **named}))
    assert (body, headers["Content-Type"]) == (b"content", "text/plain")
    assert headers["Content-Disposition"] == 'attachment; filename="a b.txt"'
    status, headers, _ = opened(s3.generate_presigned_url("head_object", Params=target), "HEAD")
    assert (status, headers["Content-Length"]) == (200, "7")
    assert opened(s3.generate_presigned_url("delete_object", Params=target), "DELETE")[0] == 204
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.fidelity("presigned-addresses")
def test_a_presigned_part(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    _, headers, _ = opened(s3.generate_presigned_url("upload_part", Params={**upload, "PartNumber": 1}), "PUT", b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": headers["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert read(s3, bucket, "k") == b"x"


@pytest.mark.moto_is_wrong("it reads a form's body as a form, as many clients send any body")
def test_a_body_is_stored_whatever_its_type_is(s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        opened(url, "PUT", b"a=1&b=2", content_type)
        assert read(s3, bucket, "k") == b"a=1&b=2"
        assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == content_type


@pytest.mark.moto_is_wrong("it refuses what isn't public, as S3 does; ours has no policies")
def test_a_request_without_credentials_is_answered(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    assert endpoint.send("PUT", path_of(bucket, "k"), b"x", is_signed=False).status == 200
    assert endpoint.send("GET", path_of(bucket, "k"), is_signed=False).body == b"x"


@pytest.mark.moto_is_wrong("it fails on some, and takes others for names")
@pytest.mark.parametrize("target", ["/{}/%ff", "/{}/%00", "/{}/%", "/{}/%zz", "/{}/k%0a", "//{}/k", "/{}//k"])
@pytest.mark.fidelity("malformed-requests")
def test_a_hard_target_is_kept_as_it_is_or_refused(endpoint: Endpoint, s3: Any, bucket: str, target: str) -> None:
    target = target.format(bucket)
    written = endpoint.send("PUT", target, b"x")
    assert written.status in {200, 400, 404}
    answer = endpoint.send("GET", target)
    if written.status == 200:
        assert answer.body == b"x"
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    else:
        assert answer.status in {400, 404}
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
