"""Reads request bodies a piece at a time: ``aws-chunked`` in all its forms, and the checksums that come along."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from aiohttp.http_exceptions import HttpProcessingError

from emulator.bucket import checksums
from emulator.bucket.answers import S3Error, invalid_argument, not_implemented

PIECE_BYTES = 1 << 20
_MAX_OBJECT_BYTES = 5 << 30
# DeleteObjects with a thousand keys, or CompleteMultipartUpload with ten thousand checksums, is a quarter of it.
_MAX_DOCUMENT_BYTES = 16 << 20


class Stream(Protocol):
    """What aiohttp's StreamReader does for a body."""

    async def read(self, n: int = -1) -> bytes:
        """Return at most ``n`` bytes, none at the end."""

    async def readline(self) -> bytes:
        """Return a line with its end."""

    async def readexactly(self, n: int) -> bytes:
        """Return ``n`` bytes."""


class RequestBody:
    """The body of one request, and the checksums that it must have.

    Parameters
    ----------
    headers : mapping
        The request's; look-ups ignore case.
    stream : Stream
        The body as it comes off the wire.

    Attributes
    ----------
    algorithm : str or None
        The checksum that the client sends or wishes.
    """

    def __init__(self, headers: Mapping[str, str], stream: Stream) -> None:
        self._headers = headers
        self._stream = stream
        self._sha256 = headers.get("x-amz-content-sha256", "")
        self._trailer_names = [name.strip() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()]
        self._trailers: dict[str, str] = {}
        self.algorithm = checksums.find_algorithm(headers, [*headers, *self._trailer_names])
        self.md5: checksums.Hash = hashlib.md5(usedforsecurity=False)
        self._hashes: list[checksums.Hash] = [self.md5]
        if len(self._sha256) == 64:
            self._hashes.append(hashlib.sha256())
        self.checksum = checksums.new_hash(self.algorithm) if self.algorithm else None
        if self.checksum is not None:
            self._hashes.append(self.checksum)

    def also_compute(self, algorithm: str) -> checksums.Hash:
        """Return the checksum by one more algorithm, or the one that is computed already."""
        if algorithm == self.algorithm and self.checksum is not None:
            return self.checksum
        self._hashes.append(checksums.new_hash(algorithm))
        return self._hashes[-1]

    def update(self, piece: bytes) -> None:
        """Add a piece to the checksums; it may be called in another thread."""
        for computed in self._hashes:
            computed.update(piece)

    def check_length(self) -> None:
        """Refuse an object's body without a length, or with one that is too large.

        Raises
        ------
        S3Error
            MissingContentLength, NotImplemented, EntityTooLarge or InvalidArgument.
        """
        name = "x-amz-decoded-content-length" if self._is_chunked() else "Content-Length"
        length = self._headers.get(name)
        if length is None and not self._is_chunked() and "Transfer-Encoding" in self._headers:
            raise not_implemented("Transfer-Encoding without x-amz-decoded-content-length")
        if length is None:
            raise S3Error(411, "MissingContentLength", f"You must provide the {name} HTTP header.")
        if not (length.isascii() and length.isdigit()):
            raise invalid_argument("The length isn't a number of bytes", name, length)
        if int(length[:20]) > _MAX_OBJECT_BYTES:
            message = "Your proposed upload exceeds the maximum allowed size"
            raise S3Error(400, "EntityTooLarge", message, ProposedSize=length, MaxSizeAllowed=_MAX_OBJECT_BYTES)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body without its framing, at most about a mebibyte at a time; the last one's end is checked."""
        size_bytes, gathered = 0, bytearray()
        async for piece in self._unframed() if self._is_chunked() else self._plain():
            size_bytes += len(piece)
            if size_bytes > _MAX_OBJECT_BYTES:
                raise S3Error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            gathered += piece
            if len(gathered) >= PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)
        length = self._headers.get("x-amz-decoded-content-length")
        if self._is_chunked() and length is not None and length != str(size_bytes):
            raise _incomplete()

    def check(self, *, has_checksum: bool = True) -> None:
        """Compare what the client has sent with what was computed, once all pieces were added.

        Parameters
        ----------
        has_checksum : bool
            False if the checksum among the headers is that of something else than the body.

        Raises
        ------
        S3Error
            BadDigest, InvalidDigest, InvalidRequest, MalformedTrailerError or XAmzContentSHA256Mismatch.
        """
        if len(self._sha256) == 64 and self._hashes[1].digest().hex() != self._sha256.lower():
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise S3Error(400, "XAmzContentSHA256Mismatch", message)
        if "Content-MD5" in self._headers:
            checksums.check("Content-MD5", self._headers["Content-MD5"], self.md5)
        if any(name.lower() not in self._trailers for name in self._trailer_names):
            raise _malformed_trailer()
        if has_checksum and self.algorithm and self.checksum is not None:
            name = checksums.header_name(self.algorithm)
            value = self._headers.get(name, self._trailers.get(name))
            if value is not None:
                checksums.check(name, value, self.checksum)

    async def document(self, *, has_checksum: bool = True) -> bytes:
        """Return a whole body that is checked (see `check`), of an operation that takes a small document."""
        gathered = bytearray()
        async for piece in self.pieces():
            gathered += piece
            self.update(piece)
            if len(gathered) > _MAX_DOCUMENT_BYTES:
                raise S3Error(400, "MaxMessageLengthExceeded", "Your request was too big.")
        self.check(has_checksum=has_checksum)
        return bytes(gathered)

    def _is_chunked(self) -> bool:
        encodings = self._headers.get("Content-Encoding", "").lower().split(",")
        return "aws-chunked" in map(str.strip, encodings) or self._sha256.startswith("STREAMING-")

    async def _plain(self) -> AsyncIterator[bytes]:
        while piece := await self._stream.read(PIECE_BYTES):
            yield piece

    async def _unframed(self) -> AsyncIterator[bytes]:
        """Take ``aws-chunked`` apart: chunks with or without signatures, then trailers."""
        try:
            while left := _chunk_size(await self._stream.readline()):
                while left:
                    piece = await self._stream.read(min(left, PIECE_BYTES))
                    if not piece:
                        raise _incomplete()
                    left -= len(piece)
                    yield piece
                if await self._stream.readexactly(2) != b"\r\n":
                    raise _incomplete()
            while line := await self._stream.readline():
                name, colon, value = line.decode().strip().partition(":")
                if name and not colon:
                    raise _malformed_trailer()
                self._trailers[name.lower()] = value.strip()
        except asyncio.IncompleteReadError as error:
            raise _incomplete() from error
        except (HttpProcessingError, ValueError) as error:
            # A line that is longer than the reader's buffer, or not UTF-8.
            raise _malformed_trailer() from error


def _chunk_size(line: bytes) -> int:
    digits = line.rstrip(b"\r\n").partition(b";")[0]
    if not line.endswith(b"\n") or not 0 < len(digits) <= 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise _incomplete()
    return int(digits, 16)


def _incomplete() -> S3Error:
    message = "The request body terminated unexpectedly, or its chunks don't have the sizes that they name."
    return S3Error(400, "IncompleteBody", message)


def _malformed_trailer() -> S3Error:
    message = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return S3Error(400, "MalformedTrailerError", message)
