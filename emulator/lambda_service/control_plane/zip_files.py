"""Unpacks a zip file of code, which may be hostile: whatever it holds, nothing is written outside of the folder."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from emulator.lambda_service.errors import InvalidParameterError

MAX_UNZIPPED_BYTES = 262_144_000
TOO_LARGE = f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
_CHUNK_BYTES = 1024 * 1024
_LONGEST_PATH_BYTES = 4096
# Raised by zipfile and its decompressors for damaged files (RuntimeError: encrypted), and by the system for an entry
# that is a file and a folder at once, or has too long a name.
_DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
)  # fmt: skip
_NO_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def unpack(archive: BinaryIO, folder: Path) -> None:
    """Unpack a zip file into a folder.

    Raises
    ------
    InvalidParameterError
        It isn't a zip file, is empty or too large, or has a name or a link that points outside the folder.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            entries = source.infolist()
            if all(_is_folder(entry) for entry in entries):
                raise InvalidParameterError("Uploaded file must be a non-empty zip")
            _unpack_entries(source, entries, folder)
    except _DAMAGED as error:
        raise InvalidParameterError(f"{_NO_ZIP} ({error})") from None
    finally:
        archive.seek(0)


def _unpack_entries(source: zipfile.ZipFile, entries: Iterable[zipfile.ZipInfo], folder: Path) -> None:
    left = MAX_UNZIPPED_BYTES
    links: list[tuple[PurePosixPath, str]] = []
    for entry in entries:
        path = _relative(entry)
        mode = entry.external_attr >> 16
        if _is_folder(entry):
            (folder / path).mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(mode):
            links.append((path, _link_target(source, entry)))
        else:
            left -= _write(source, entry, folder / path, left)
            # Readable by all, as Lambda asks for; the right to execute is kept.
            (folder / path).chmod(0o644 | (mode & 0o111))
    # After the files, so that no file is written through a link.
    _make_links(links, folder)


def _make_links(links: Iterable[tuple[PurePosixPath, str]], folder: Path) -> None:
    """Make a package's links, none of them through another one; then refuse those that point outside the folder."""
    for path, to in links:
        for parent in path.parents:
            # The last parent is the folder itself.
            if parent.parts and (folder / parent).is_symlink():
                raise InvalidParameterError(f"{_NO_ZIP} (the link '{path}' is inside another link, '{parent}')")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(to)
    root = Path(os.path.realpath(folder))
    for path, to in links:
        if not Path(os.path.realpath(folder / path)).is_relative_to(root):
            raise InvalidParameterError(f"{_NO_ZIP} (the link '{path}' points outside the package, to {to!r})")


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    # Not entry.is_dir(), which raises IndexError for an empty name before Python 3.12.
    return entry.filename.endswith("/")


def _relative(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return an entry's path in the package. It is empty for the package's own folder, ``./``."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise InvalidParameterError(f"{_NO_ZIP} (the name {entry.filename!r} points outside the package)")
    if not path.parts and not _is_folder(entry):
        raise InvalidParameterError(f"{_NO_ZIP} (a file has no name: {entry.filename!r})")
    return path


def _link_target(source: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Return where a link points, without unpacking more than the longest path."""
    with source.open(entry) as content:
        to = content.read(_LONGEST_PATH_BYTES + 1)
    if len(to) > _LONGEST_PATH_BYTES:
        raise InvalidParameterError(
            f"{_NO_ZIP} (the target of the link {entry.filename!r} is longer than {_LONGEST_PATH_BYTES:,} bytes)"
        )
    return to.decode("utf-8", "surrogateescape")


def _write(source: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit_bytes: int) -> int:
    """Write one file and return its size, which is counted: the entry's own figure may lie."""
    size = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open(entry) as content, target.open("wb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit_bytes:
                raise InvalidParameterError(TOO_LARGE)
            file.write(chunk)
    return size
