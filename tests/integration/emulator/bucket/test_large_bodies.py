"""Bodies of hundreds of megabytes pass through the bucket without being held in its memory."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.emulator.bucket.endpoint import SIGNED, Endpoint

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc"),
    pytest.mark.fidelity("bodies-are-streamed"),
]
MIB = 1024 * 1024
PIECE = bytes(range(256)) * (MIB // 256)
SIZE_MIB = 256
# Some pieces in flight, and what the allocator keeps: a fraction of one body.
ALLOWED_MIB = 48
DIGEST = hashlib.sha256(PIECE * SIZE_MIB).hexdigest()


def pieces(count: int = SIZE_MIB) -> Iterator[bytes]:
    return (PIECE for _ in range(count))


class Server:
    """A bucket whose memory is watched."""

    def __init__(self, running: Any) -> None:
        self._status = Path(f"/proc/{running.process.pid}/status")
        self.endpoint = Endpoint(running.url)
        # Whatever is loaded at the first request is there before the first measurement.
        self.endpoint.send("PUT", "/large/first", PIECE, Content_Length=str(MIB))
        self.endpoint.send("GET", "/large/first")
        self._before = self._peak_mib()

    def grown_mib(self) -> int:
        """Return by how much the peak of the memory has grown since the first requests."""
        return self._peak_mib() - self._before

    def _peak_mib(self) -> int:
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) // 1024

    def digest(self, target: str) -> tuple[int, str]:
        """Read an object a piece at a time; return its size in MiB and its SHA-256."""
        host, _, port = urlsplit(self.endpoint.url).netloc.partition(":")
        digest, size = hashlib.sha256(), 0
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=120)) as connection:
            connection.request("GET", target, headers=SIGNED)
            response = connection.getresponse()
            while piece := response.read(MIB):
                digest.update(piece)
                size += len(piece)
        return size // MIB, digest.hexdigest()


@pytest.fixture
def server(start: Callable[..., Any], tmp_path: Path) -> Iterator[Server]:
    running = start("bucket", "--port", "0", "--data-dir", str(tmp_path / "data"), "--bucket", "large")
    server = Server(running)
    yield server
    server.endpoint.close()


def test_a_plain_body(server: Server) -> None:
    length = str(SIZE_MIB * MIB)
    assert server.endpoint.send("PUT", "/large/k", pieces(), Content_Length=length).status == 200
    assert server.digest("/large/k") == (SIZE_MIB, DIGEST)
    assert server.endpoint.send("PUT", "/large/copy", x_amz_copy_source="/large/k").status == 200
    assert server.digest("/large/copy") == (SIZE_MIB, DIGEST)
    assert server.grown_mib() < ALLOWED_MIB


def test_a_framed_body(server: Server) -> None:
    def framed() -> Iterator[bytes]:
        for piece in pieces():
            yield f"{MIB:x};chunk-signature={'0' * 64}\r\n".encode() + piece + b"\r\n"
        yield f"0;chunk-signature={'0' * 64}\r\n\r\n".encode()

    answer = server.endpoint.send(
        "PUT", "/large/k", framed(), Content_Encoding="aws-chunked", x_amz_decoded_content_length=str(SIZE_MIB * MIB),
        x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )  # fmt: skip
    assert answer.status == 200, answer
    assert server.digest("/large/k") == (SIZE_MIB, DIGEST)
    assert server.grown_mib() < ALLOWED_MIB


def test_parts(server: Server) -> None:
    s3 = server.endpoint.client()
    upload = {"Bucket": "large", "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="CRC64NVME")["UploadId"]
    parts = []
    for number in (1, 2):
        target = f"/large/k?partNumber={number}&uploadId={upload['UploadId']}"
        size = SIZE_MIB // 2
        answer = server.endpoint.send("PUT", target, pieces(size), Content_Length=str(size * MIB))
        parts.append({"PartNumber": number, "ETag": answer.headers["etag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert server.digest("/large/k") == (SIZE_MIB, DIGEST)
    assert server.grown_mib() < ALLOWED_MIB


def test_a_body_that_is_refused(server: Server) -> None:
    answer = server.endpoint.send(
        "PUT", "/large/k", pieces(), Content_Length=str(SIZE_MIB * MIB), x_amz_checksum_crc32="AAAAAA=="
    )
    assert answer.refusal == (400, "BadDigest")
    assert server.endpoint.send("GET", "/large/k").refusal == (404, "NoSuchKey")
    assert server.grown_mib() < ALLOWED_MIB
