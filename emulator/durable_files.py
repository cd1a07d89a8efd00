"""Writes, replaces and removes files so that a crash leaves the old state or the new one.

New content goes to a temporary file, which is synced and renamed; then the folder is synced. A reader never sees half
of it, and it is on disk when the call returns.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

TEMPORARY_SUFFIX = ".tmp"


def write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace a file's content atomically; it has reached the disk when this returns.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    chunks : iterable of bytes
        The new content.

    Raises
    ------
    OSError
        The disk refused (full, read-only, I/O error): the old content, if any, is untouched.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_durably(paths: Iterable[Path]) -> None:
    """Remove files; they stay removed after a crash. A file that doesn't exist counts as removed."""
    folders: set[Path] = set()
    for path in paths:
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in folders:
        sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and its parents, so that they survive a crash."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder with the files and folders in it."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            remove_folder(entry)
        else:
            entry.unlink()
    folder.rmdir()
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to disk: a rename changes the folder, not the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderLock:
    """An advisory lock on a folder that ends with the process, ``kill -9`` included.

    Parameters
    ----------
    folder : Path
        The folder; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock, and return whether it was free."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
