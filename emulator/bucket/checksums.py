"""Checksums that S3 verifies and keeps. AWS's own library, ``awscrt``, computes the CRCs that Python lacks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Mapping

from awscrt import checksums as awscrt

from emulator.bucket.answers import S3Error

DEFAULT_ALGORITHM = "CRC64NVME"
_HEADER = "x-amz-checksum-"
_OTHER_HEADERS = frozenset({_HEADER + name for name in ("algorithm", "type", "mode")})
# The function, and the size of its result in bytes.
_CRCS = {"CRC32": (zlib.crc32, 4), "CRC32C": (awscrt.crc32c, 4), "CRC64NVME": (awscrt.crc64nvme, 8)}
_ALGORITHMS = frozenset({*_CRCS, "SHA1", "SHA256", "SHA512"})


class Checksum:
    """A checksum that is being computed, by one of S3's algorithms or MD5."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._crc = 0
        self._hash = None if algorithm in _CRCS else hashlib.new(algorithm, usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Add bytes."""
        if self._hash is not None:
            self._hash.update(piece)
        else:
            self._crc = _CRCS[self.algorithm][0](piece, self._crc)

    def digest(self) -> bytes:
        """Return the checksum of the bytes so far."""
        if self._hash is not None:
            return self._hash.digest()
        return self._crc.to_bytes(_CRCS[self.algorithm][1], "big")

    @property
    def value(self) -> str:
        """The digest as S3 writes it."""
        return base64.b64encode(self.digest()).decode()

    def check(self, header: str, sent: str) -> None:
        """Compare with what a client has sent.

        Raises
        ------
        S3Error
            InvalidDigest or InvalidRequest: that can't be read. BadDigest: it is another checksum.
        """
        digest = decode(sent, self.algorithm)
        if digest is None and self.algorithm == "MD5":
            raise S3Error("InvalidDigest")
        if digest is None:
            raise S3Error("InvalidRequest", f"Value for {header} header is invalid.")
        if digest != self.digest():
            raise S3Error("BadDigest", f"The {self.algorithm} you specified did not match the calculated checksum.")


def header_name(algorithm: str) -> str:
    """Return the header in which an algorithm's checksum is sent."""
    return _HEADER + algorithm.lower()


def decode(value: str, algorithm: str) -> bytes | None:
    """Return the digest that a text stands for, or None if it isn't one of this algorithm."""
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == len(Checksum(algorithm).digest()) else None


def find_algorithm(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the algorithm of the one checksum among the names of headers and trailers, or the one asked for.

    More than one checksum, or one by an unknown algorithm, is an InvalidRequest.
    """
    given = {name for name in map(str.lower, names) if name.startswith(_HEADER)} - _OTHER_HEADERS
    if len(given) > 1:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple types are not allowed.")
    wish = headers.get("x-amz-sdk-checksum-algorithm") or headers.get(_HEADER + "algorithm")
    algorithm = given.pop().removeprefix(_HEADER).upper() if given else (wish or "").upper()
    if algorithm and algorithm not in _ALGORITHMS:
        valid = ", ".join(sorted(_ALGORITHMS))
        raise S3Error("InvalidRequest", f"Checksum algorithm provided is unsupported. The valid ones are: [{valid}]")
    return algorithm or None
