"""Writes files whole or not at all. A failed write raises an error that names the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from peerloan.errors import CommandError


class FileWriteError(CommandError):
    """A file could not be written: the disk is full, its folder is read-only, or part of its path is a file."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} could not be written: {error.strerror or error}. "
            "Make room or choose another place; then run the command again."
        )
        self.path = path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into a ``FileWriteError`` that names the file (or the folder)."""
    try:
        yield
    except OSError as error:
        # Users know the file, not the draft beside it. A folder above it is named, too.
        is_draft = error.filename is None or str(error.filename).startswith(str(path))
        raise FileWriteError(path if is_draft else Path(error.filename), error) from error


def write_whole(path: Path, content: bytes, *, is_private: bool = False) -> None:
    """Write a file so that after a crash at any moment its old or its new content is there, never a part.

    A private file can be read by its owner alone, from its first byte on.

    Raises
    ------
    FileWriteError
        If it can't be written; the old content stays.
    """
    draft = path.with_name(path.name + ".new")
    with writing(path):
        try:
            # A draft that was left by a crash may have another mode.
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                sync_file(file)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless it is there; raise ``FileWriteError`` if that fails."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def sync_file(file: IO[bytes]) -> None:
    """Write what an open file has buffered to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Write a folder's renames to the disk. Some systems can't open folders; they do it by themselves."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
