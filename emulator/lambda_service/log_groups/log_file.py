"""Where the functions' output goes as it comes: a descriptor, or a file that is rotated by its size."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MAX_FILE_BYTES = 32 << 20
_STANDARD = (1, 2)


class LogFile:
    """A log file. Once it is over its size it is renamed to ``<name>.1``, in the place of an older one.

    If this process's stdout or stderr is the file, too, they are moved to the new one, so that all lines go on into the
    same file. Only `write` rotates, between whole lines, so that none is lost.

    Raises
    ------
    OSError
        The file can't be opened.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._descriptor = _open(path)

    def write(self, data: bytes | memoryview) -> int:
        """Write the beginning of whole lines, and return how many bytes that was."""
        return os.write(self._descriptor, data)

    def end_batch(self) -> None:
        """Rotate the file if it is large enough; call between whole lines."""
        if os.fstat(self._descriptor).st_size < self._max_bytes:
            return
        # Where no file can be made, it grows. The old file gets no line any more once the new one has its name: whoever
        # follows the log has then read all of the old one.
        with contextlib.suppress(OSError):
            fresh = self._path.with_name(self._path.name + ".new")
            old, self._descriptor = self._descriptor, _open(fresh)
            for number in _STANDARD:
                with contextlib.suppress(OSError):
                    if os.path.samestat(os.fstat(number), os.fstat(old)):
                        os.dup2(self._descriptor, number)
            os.close(old)
            self._path.replace(rotated(self._path))
            fresh.replace(self._path)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class Descriptor:
    """A descriptor of this process, such as stderr, which isn't rotated."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: bytes | memoryview) -> int:
        """See `LogFile`."""
        return os.write(self._number, data)

    def end_batch(self) -> None:
        """See `LogFile`."""


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def rotated(path: Path) -> Path:
    """Return the name of the file that a log file was before it was rotated."""
    return path.with_name(path.name + ".1")
