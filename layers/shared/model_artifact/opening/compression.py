"""Reading a pickle's bytes, compressed or not, as one bounded stream. Knows nothing of pickles.

``joblib.dump(…, compress=…)`` writes a plain zlib, gzip, bz2, lzma or xz stream; which one, its first bytes tell.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from model_artifact.errors import UnreadablePickleError

CHUNK_BYTES = 1 << 18

# zlib's wbits for "zlib or gzip, see the header" (zlib manual, inflateInit2).
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class BoundedStream(io.RawIOBase):
    """The decompressed bytes, read forwards; more than ``limit_bytes`` of them are an error, so that a small file can't
    fill the memory.

    Parameters
    ----------
    data : bytes
        The file.
    limit_bytes : int
        How many decompressed bytes may be read.
    """

    def __init__(self, data: bytes, limit_bytes: int) -> None:
        super().__init__()
        self._chunks = _chunks(data)
        self._pending = b""
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the next chunk reaches; 0 at the end."""
        if not self._pending:
            self._pending = next(self._chunks, b"")
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise UnreadablePickleError(
                f"The pickle unpacks to more bytes than a model may have: more than {self._limit_bytes:,} of them. "
                "Train a smaller model."
            )
        return count


def open_stream(data: bytes, limit_bytes: int) -> io.BufferedReader:
    """Return a buffered reader of the decompressed bytes.

    Raises (while reading)
    ----------------------
    UnreadablePickleError
        If a compressed stream is cut off, is followed by other bytes, or unpacks to more than ``limit_bytes``.
    zlib.error, OSError, lzma.LZMAError
        If it is damaged.
    """
    return io.BufferedReader(BoundedStream(data, limit_bytes), CHUNK_BYTES)


def _chunks(data: bytes) -> Iterator[bytes]:
    for magic, make in _DECOMPRESSORS:
        if data.startswith(magic):
            yield from _decompressed(data, make())
            return
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def _decompressed(data: bytes, decompressor: _Decompressor) -> Iterator[bytes]:
    pending = memoryview(data)
    while not decompressor.eof:
        block = b""
        if decompressor.needs_input:
            block, pending = bytes(pending[:CHUNK_BYTES]), pending[CHUNK_BYTES:]
        chunk = decompressor.decompress(block, CHUNK_BYTES)
        if not (chunk or block or decompressor.eof):
            raise UnreadablePickleError("The compressed pickle is cut off. Copy the whole file.")
        if chunk:
            yield chunk
    if decompressor.unused_data or pending:
        raise UnreadablePickleError("Other bytes follow the compressed pickle. Copy the file again.")


class _Inflate:
    """zlib's decompressor with the interface of the others: what it could not take yet it keeps by itself."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _lzma_alone() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_ALONE)


# An uncompressed pickle starts with 0x80 (protocol 2 and later), which none of these does.
_DECOMPRESSORS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x78", _Inflate),
    (b"\x1f\x8b", _Inflate),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"\x5d\x00", _lzma_alone),
)
