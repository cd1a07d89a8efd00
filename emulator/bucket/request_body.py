"""Reads request bodies a piece at a time: ``aws-chunked`` in all its forms, and the checksums that come along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError

from emulator.bucket import checksums
from emulator.bucket.answers import S3Error, invalid_argument
from emulator.bucket.checksums import Checksum
from emulator.bucket.store import PIECE_BYTES

_MAX_OBJECT_BYTES = 5 << 30
# DeleteObjects with a thousand keys, or CompleteMultipartUpload with ten thousand checksums, is a quarter of it.
_MAX_DOCUMENT_BYTES = 16 << 20


class RequestBody:
    """The body of one request, and the checksums that it must have.

    Parameters
    ----------
    headers : mapping
        The request's; look-ups ignore case.
    stream : StreamReader
        The body as it comes off the wire.
    invite : callable
        Called before the body is read: a client may wait for permission to send it.

    Attributes
    ----------
    algorithm : str or None
        That of the checksum which the client sends or wishes.
    checksums : list of Checksum
        Whoever takes the `pieces` updates these with each of them.
    md5 : Checksum
        The first of them.
    """

    def __init__(self, headers: Mapping[str, str], stream: StreamReader, invite: Callable[[], Awaitable[None]]) -> None:
        self._headers = headers
        self._stream = stream
        self._invite = invite
        self._sha256 = headers.get("x-amz-content-sha256", "")
        self._trailer_names = [name.strip() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()]
        self._trailers: dict[str, str] = {}
        self.algorithm = checksums.find_algorithm(headers, [*headers, *self._trailer_names])
        self.md5 = Checksum("MD5")
        self.checksums = [self.md5]
        if len(self._sha256) == 64:
            self.compute("SHA256")
        if self.algorithm:
            self.compute(self.algorithm)
        encodings = [encoding.strip() for encoding in headers.get("Content-Encoding", "").lower().split(",")]
        self._is_chunked = "aws-chunked" in encodings or self._sha256.startswith("STREAMING-")

    def compute(self, algorithm: str) -> Checksum:
        """Return the checksum by an algorithm, which is computed along with the others from now on."""
        checksum = next((known for known in self.checksums if known.algorithm == algorithm), None)
        if checksum is None:
            checksum = Checksum(algorithm)
            self.checksums.append(checksum)
        return checksum

    def check_length(self) -> None:
        """Refuse an object's body without a length, or with one that is too large."""
        name = "x-amz-decoded-content-length" if self._is_chunked else "Content-Length"
        length = self._headers.get(name)
        if length is None and not self._is_chunked and "Transfer-Encoding" in self._headers:
            raise S3Error("NotImplemented", "Transfer-Encoding needs x-amz-decoded-content-length.")
        if length is None:
            raise S3Error("MissingContentLength", f"You must provide the {name} HTTP header.")
        if not (length.isascii() and length.isdigit()):
            raise invalid_argument("The length isn't a number of bytes", name, length)
        if int(length[:20]) > _MAX_OBJECT_BYTES:
            raise S3Error("EntityTooLarge", ProposedSize=length, MaxSizeAllowed=_MAX_OBJECT_BYTES)

    async def pieces(self, *, has_checksum: bool = True) -> AsyncIterator[bytes]:
        """Yield the body without its framing, at most about a mebibyte at a time, and check it at its end.

        Parameters
        ----------
        has_checksum : bool
            False if the checksum among the headers is that of something else than the body.

        Raises
        ------
        S3Error
            IncompleteBody, EntityTooLarge, BadDigest, InvalidDigest, InvalidRequest, MalformedTrailerError or
            XAmzContentSHA256Mismatch.
        """
        await self._invite()
        size_bytes, gathered = 0, bytearray()
        async for piece in self._unframed() if self._is_chunked else self._stream.iter_chunked(PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > _MAX_OBJECT_BYTES:
                raise S3Error("EntityTooLarge")
            gathered += piece
            if len(gathered) >= PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)
        length = self._headers.get("x-amz-decoded-content-length")
        if self._is_chunked and length is not None and length != str(size_bytes):
            raise S3Error("IncompleteBody")
        self._check(has_checksum=has_checksum)

    async def document(self, *, has_checksum: bool = True) -> bytes:
        """Return a whole body, checked as by `pieces`, of an operation that takes a small document."""
        gathered = bytearray()
        async for piece in self.pieces(has_checksum=has_checksum):
            gathered += piece
            for checksum in self.checksums:
                checksum.update(piece)
            if len(gathered) > _MAX_DOCUMENT_BYTES:
                raise S3Error("MaxMessageLengthExceeded")
        return bytes(gathered)

    def _check(self, *, has_checksum: bool) -> None:
        """Compare what the client has sent with what was computed."""
        if len(self._sha256) == 64 and self.compute("SHA256").digest().hex() != self._sha256.lower():
            raise S3Error("XAmzContentSHA256Mismatch")
        if "Content-MD5" in self._headers:
            self.md5.check("Content-MD5", self._headers["Content-MD5"])
        if any(name.lower() not in self._trailers for name in self._trailer_names):
            raise S3Error("MalformedTrailerError")
        if has_checksum and self.algorithm:
            name = checksums.header_name(self.algorithm)
            value = self._headers.get(name, self._trailers.get(name))
            if value is not None:
                self.compute(self.algorithm).check(name, value)

    async def _unframed(self) -> AsyncIterator[bytes]:
        """Take ``aws-chunked`` apart: chunks with or without signatures, then trailers."""
        try:
            while left := _chunk_size(await self._stream.readline()):
                while left:
                    piece = await self._stream.read(min(left, PIECE_BYTES))
                    if not piece:
                        raise S3Error("IncompleteBody")
                    left -= len(piece)
                    yield piece
                if await self._stream.readexactly(2) != b"\r\n":
                    raise S3Error("IncompleteBody")
            while line := await self._stream.readline():
                name, colon, value = line.decode().strip().partition(":")
                if name and not colon:
                    raise S3Error("MalformedTrailerError")
                self._trailers[name.lower()] = value.strip()
        except asyncio.IncompleteReadError as error:
            raise S3Error("IncompleteBody") from error
        except (HttpProcessingError, ValueError) as error:
            # A line that is longer than the reader's buffer, or not UTF-8.
            raise S3Error("MalformedTrailerError") from error


def _chunk_size(line: bytes) -> int:
    digits = line.rstrip(b"\r\n").partition(b";")[0]
    if not line.endswith(b"\n") or not 0 < len(digits) <= 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise S3Error("IncompleteBody")
    return int(digits, 16)
