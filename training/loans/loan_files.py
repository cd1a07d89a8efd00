"""Finds the files of loans, and reads them from a zip archive, a folder or the disk.

Reading stops at ``LARGEST_FILE_BYTES``, so that neither an archive that unpacks to a thousand times its size nor a
device can fill the memory.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from training.errors import DataNotFoundError, DataRefusedError

# About three million loans.
LARGEST_FILE_BYTES = 256 * 2**20

# An archive is unpacked in small steps: bzip2 and LZMA expand the whole input of a step at once.
_STEP_BYTES = 4096

_WHAT_TO_NAME = "Name one zip archive, one folder, or two or more CSV files, oldest first: the last is tested on."


class LoanFile(NamedTuple):
    """A file's name, for messages and for the training record, and its content."""

    name: str
    content: bytes


def read_files(paths: Sequence[Path]) -> list[LoanFile]:
    """Read the training files, oldest first, and the test file, which is the last.

    The paths are one zip archive or folder that holds a training and a test file as CSV files, or two or more CSV
    files; ``data.load`` names the errors.
    """
    for path in paths:
        if not path.exists():
            raise DataNotFoundError(f"{path} doesn't exist. {_WHAT_TO_NAME}")
    if len(paths) > 1 and all(path.is_file() for path in paths):
        return [_read_from_disk(path) for path in paths]
    if len(paths) != 1:
        raise DataNotFoundError(_WHAT_TO_NAME)
    path = paths[0]
    if path.is_dir():
        names = [file.name for file in sorted(path.iterdir()) if file.suffix.lower() == ".csv"]
        train, test = (_only_name(path, names, role) for role in ("train", "test"))
        return [_read_from_disk(path / train), _read_from_disk(path / test)]
    return _read_archive(path)


def read_file(path: Path) -> LoanFile:
    """Read one CSV file, as ``data.read_loans`` says."""
    if not path.is_file() or zipfile.is_zipfile(path):
        what = "is a zip archive" if path.is_file() else "is a folder" if path.is_dir() else "doesn't exist"
        raise DataNotFoundError(f"{path} {what}. Name one CSV file of loans.")
    return _read_from_disk(path)


def _read_from_disk(path: Path) -> LoanFile:
    try:
        with path.open("rb") as file:
            return LoanFile(path.name, _read_bounded(path.name, file, LARGEST_FILE_BYTES))
    except OSError as error:
        raise DataRefusedError(str(path), f"The file can't be read: {error.strerror}.") from error


def _read_archive(path: Path) -> list[LoanFile]:
    if not zipfile.is_zipfile(path):
        raise DataNotFoundError(f"{path} is neither a zip archive nor a folder. {_WHAT_TO_NAME}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            by_name = {PurePosixPath(name).name: name for name in members if not name.startswith("__MACOSX/")}
            train, test = (_only_name(path, by_name, role) for role in ("train", "test"))
            return [_read_member(archive, by_name[name]) for name in (train, test)]
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError) as error:
        # RuntimeError: the archive needs a password, or its compression isn't supported.
        raise DataRefusedError(path.name, f"The archive can't be unpacked ({error}). Fetch it again.") from error


def _read_member(archive: zipfile.ZipFile, member: str) -> LoanFile:
    name = PurePosixPath(member).name
    with archive.open(member) as file:
        return LoanFile(name, _read_bounded(name, file, _STEP_BYTES))


def _read_bounded(name: str, file: IO[bytes], step_bytes: int) -> bytes:
    """Read a file to its end. The limit counts the bytes that were read; an archive's own sizes aren't trusted."""
    content = bytearray()
    while step := file.read(min(step_bytes, LARGEST_FILE_BYTES + 1 - len(content))):
        content += step
        if len(content) > LARGEST_FILE_BYTES:
            what = f"The file is larger than {LARGEST_FILE_BYTES // 2**20} MiB, unpacked. Name a file with fewer loans."
            raise DataRefusedError(name, what)
    return bytes(content)


def _only_name(path: Path, names: Iterable[str], role: str) -> str:
    names = list(names)
    matching = [name for name in names if role in name.lower()]
    if len(matching) != 1:
        files = ", ".join(names) or "no CSV file"
        raise DataNotFoundError(f"{path} should hold one CSV file with {role!r} in its name; it holds {files}.")
    return matching[0]
