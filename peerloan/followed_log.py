"""Reads a log that the emulator writes, and rotates by its size, as it grows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from emulator.lambda_service.log_groups.log_file import rotated

_LAST_BYTES = 65_536


class FollowedLog:
    """A log file from its end on: each line is returned once, across rotations too. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished_line = b""
        self._file = self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> FollowedLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def new_lines(self) -> list[bytes]:
        """Return the whole lines that were written since the last call."""
        if self._file is None:
            self._file = self._open()
        if self._file is None:
            return []
        content = self._unfinished_line + self._file.read()
        if self._is_rotated(self._file):
            # What was written between the reading and the rotation; nothing is added any more.
            content += self._file.read()
            self._file.close()
            self._file = self._open()
            content += b"" if self._file is None else self._file.read()
        *lines, self._unfinished_line = content.split(b"\n")
        return lines

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None

    def _is_rotated(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False  # In a moment.


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, of the file before its rotation, too, if it has fewer."""
    content = b"".join(map(_end, (rotated(path), path)))
    return content.decode("utf-8", "replace").splitlines()[-count:]


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""
