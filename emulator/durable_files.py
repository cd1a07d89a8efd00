"""Writes, replaces and removes files so that a crash leaves the old state or the new one.

New content goes to a temporary file, which is synced and renamed; then the folder is synced. A reader never sees half
of it, and it is on disk when the call returns.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

TEMPORARY_SUFFIX = ".tmp"


def write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace a file's content atomically; it has reached the disk when this returns. The folder exists.

    After an `OSError` (the disk is full, read-only or broken) the old content, if any, is untouched. The file can be
    read by its owner alone: functions' variables may hold secrets, and objects anything.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with open_temporary(temporary) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def replace_unsynced(path: Path, content: bytes) -> None:
    """Replace a file's content atomically, and make its folder: it survives the process, and not a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with open_temporary(temporary) as file:
        file.write(content)
    temporary.replace(path)


def open_temporary(path: Path) -> IO[bytes]:
    """Open a new file that its owner alone can read, over one that a crash left, which may have another mode."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


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
    """Remove a folder with the files and folders in it, if it exists."""
    if folder.is_dir():
        shutil.rmtree(folder)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to disk: a rename changes the folder, not the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_folder(folder: Path, name: str = "lock") -> IO[bytes] | None:
    """Lock a folder; return the open file that holds the lock, or None if another process has it.

    The lock ends when the file is closed, also by the end of the process, ``kill -9`` included. ``name`` is the file's.
    """
    file = (folder / name).open("ab", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
