"""Reads the scored file once from front to back, counting and hashing its bytes. A line is read in bounded pieces."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from batch_scoring.errors import UnreadableFileError, UnusableFileError
from model_artifact.loan_header import MAX_ROW_BYTES

_CR_AS_LF = bytes.maketrans(b"\r", b"\n")


class LineSource(Protocol):
    """What rows are read from: a file from front to back, or a part of one that begins with a line."""

    def read(self, size: int) -> bytes:
        """Return about ``size`` bytes; none at the end."""
        ...

    def read_line(self) -> bytes:
        """Return the rest of the line with its line ending, or a piece of a longer line; nothing at the end."""
        ...


class SourceFile:
    """An open file with the position up to which it was read, and the sha256 of its bytes up to there.

    Parameters
    ----------
    path : Path
        The file's name, for messages.
    file : binary file
        Must be seekable. If its lines end in CR alone (old Macs, some exports), each CR is read as LF.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(MAX_ROW_BYTES)
        self.ends_lines_in_cr = b"\n" not in start and b"\r" in start.removesuffix(b"\r")
        self._file = io.BufferedReader(_CarriageReturns(file)) if self.ends_lines_in_cr else file
        self.rewind()

    def rewind(self) -> None:
        """Begin again."""
        self._file.seek(0)
        self._sha256 = hashlib.sha256()
        self.position = 0

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer at the end of the file."""
        return self._count(self._file.read, size)

    def read_line(self) -> bytes:
        """Return the rest of the line with its line ending, or the next ``MAX_ROW_BYTES`` of a longer line."""
        return self._count(self._file.readline, MAX_ROW_BYTES)

    def sha256(self) -> str:
        """Return the sha256 of all bytes up to the position."""
        return self._sha256.hexdigest()

    def skip_to(self, position: int) -> str:
        """Read up to a position, and return the sha256 of all bytes up to there."""
        while self.position < position and self.read(min(position - self.position, MAX_ROW_BYTES)):
            pass
        return self.sha256()

    def go_to(self, position: int) -> None:
        """Go on from a position, without reading what is before it; ``sha256`` then has no meaning."""
        self._file.seek(position)
        self.position = position

    def _count(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            content = read(size)
        except OSError as error:
            raise UnreadableFileError(f"{self._path} can't be read: {error.strerror or error}.") from error
        self._sha256.update(content)
        self.position += len(content)
        return content


@contextmanager
def opened(path: Path) -> Iterator[SourceFile]:
    """Open a file for scoring; raise ``UnusableFileError`` if it can't be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnusableFileError(f"{path} can't be read: {error.strerror}.") from error
    with file:
        yield SourceFile(path, file)


class _CarriageReturns(io.RawIOBase):
    """A file whose every CR is read as LF."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        content = self._file.read(len(view)).translate(_CR_AS_LF)
        view[: len(content)] = content
        return len(content)
