"""Checksums that S3 verifies and keeps. AWS's own library, ``awscrt``, computes the CRCs that Python lacks."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from awscrt import checksums as awscrt

from emulator.bucket.answers import S3Error, invalid_request

DEFAULT_ALGORITHM = "CRC64NVME"
_HEADER = "x-amz-checksum-"
_OTHER_HEADERS = frozenset({_HEADER + name for name in ("algorithm", "type", "mode")})


class Hash(Protocol):
    """A checksum that is being computed."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def digest(self) -> bytes:
        """Return the checksum of the bytes so far."""


class _Crc:
    """A CRC with the interface of hashlib."""

    def __init__(self, function: Callable[[bytes, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


_ALGORITHMS: Mapping[str, Callable[[], Hash]] = {
    "CRC32": functools.partial(_Crc, zlib.crc32, 4),
    "CRC32C": functools.partial(_Crc, awscrt.crc32c, 4),
    "CRC64NVME": functools.partial(_Crc, awscrt.crc64nvme, 8),
    "SHA1": functools.partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


def new_hash(algorithm: str) -> Hash:
    """Return an empty checksum.

    Raises
    ------
    S3Error
        InvalidRequest: S3 or the bucket doesn't have this algorithm.
    """
    if algorithm not in _ALGORITHMS:
        raise invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(_ALGORITHMS))}]"
        )
    return _ALGORITHMS[algorithm]()


def header_name(algorithm: str) -> str:
    """Return the header in which an algorithm's checksum is sent."""
    return _HEADER + algorithm.lower()


def xml_name(algorithm: str) -> str:
    """Return the XML element in which an algorithm's checksum is sent."""
    return f"Checksum{algorithm}"


def encode(digest: bytes) -> str:
    """Return a digest as S3 writes it."""
    return base64.b64encode(digest).decode()


def decode(value: str, size_bytes: int) -> bytes | None:
    """Return the digest in a header, or None if it isn't base64 of so many bytes."""
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == size_bytes else None


def find_algorithm(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the algorithm of the one checksum among the names of headers and trailers, or the one asked for.

    Raises
    ------
    S3Error
        InvalidRequest: more than one checksum, or an unknown one.
    """
    given = {name for name in map(str.lower, names) if name.startswith(_HEADER)} - _OTHER_HEADERS
    if len(given) > 1:
        raise invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    wish = headers.get("x-amz-sdk-checksum-algorithm") or headers.get(_HEADER + "algorithm")
    algorithm = given.pop().removeprefix(_HEADER).upper() if given else (wish or "").upper()
    if algorithm:
        new_hash(algorithm)
    return algorithm or None


def check(header: str, value: str, computed: Hash) -> None:
    """Compare a checksum that a client has sent.

    Raises
    ------
    S3Error
        InvalidRequest or InvalidDigest: it isn't a checksum. BadDigest: it is another.
    """
    digest = computed.digest()
    sent = decode(value, len(digest))
    if sent is None and header == "Content-MD5":
        raise S3Error(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    if sent is None:
        raise invalid_request(f"Value for {header} header is invalid.")
    if sent != digest and header == "Content-MD5":
        raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    if sent != digest:
        name = header.removeprefix(_HEADER).upper()
        raise S3Error(400, "BadDigest", f"The {name} you specified did not match the calculated checksum.")
