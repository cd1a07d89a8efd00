"""The format of one file in the data folder: a line of JSON about the content, then the content.

Format 2. The first line is ``{"facts": {…}, "format": 2, "sha256": …, "size_bytes": …}`` and spaces up to where the
body begins; the rest of the file is the body, byte for byte, so that ``tail -n +2`` gives an object back without this
program. The hash covers the body, then a newline and the facts (as canonical JSON), so that a flipped bit in an ETag is
noticed as well as one in a model. The body comes first in the hash because it is written as it arrives, and the facts
(its ETag among them) are known at its end; the spaces are the room for them. Format 1, which is still read, hashed the
facts first and had no spaces.

A new field that readers may ignore needs no new format number. Any other change needs one, and a branch in
`read_object_file`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from emulator.bucket.errors import CorruptRecordError
from emulator.durable_files import open_temporary
from emulator.strict_json import read_json

FORMAT = 2
_READ_FORMATS = (1, FORMAT)
_MAX_HEADER_BYTES = 4 << 20
# What the end of a body adds to the facts: its ETag, checksum, size and hash, the version's id, number and time.
_ROOM_BYTES = 768
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A whole file: its facts in JSON's types, and where its body is.

    The inode tells a reader whether the path still leads to this file, or to one that is about to replace it.
    """

    path: Path
    facts: Mapping[str, Any]
    size_bytes: int
    body_offset: int
    inode: int

    def open(self) -> int | None:
        """Return a file descriptor, or None if the path leads to another file or none."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        if os.fstat(descriptor).st_ino == self.inode:
            return descriptor
        os.close(descriptor)
        return None


class ObjectFileWriter:
    """A new file that isn't at its place yet, written piece by piece.

    Parameters
    ----------
    temporary : Path
        Where it is written: on the file system of its later place.
    facts : mapping
        What is known of the facts before the body is.
    """

    def __init__(self, temporary: Path, facts: Mapping[str, Any]) -> None:
        self.path = temporary
        self.size_bytes = 0
        self._body_offset = len(json.dumps(facts)) + _ROOM_BYTES
        self._sha256 = hashlib.sha256()
        self._file: IO[bytes] = open_temporary(temporary)
        self._file.seek(self._body_offset)

    def write(self, piece: bytes) -> None:
        """Append a piece of the body."""
        self._file.write(piece)
        self._sha256.update(piece)
        self.size_bytes += len(piece)

    def sync(self) -> None:
        """Bring the body to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def keep(self, path: Path, facts: Mapping[str, Any]) -> ObjectFile:
        """Write the facts, and put the file at its place; the caller syncs the folder."""
        self._sha256.update(b"\n" + _canonical(facts))
        header = _header(facts, self.size_bytes, self._sha256.hexdigest()).ljust(self._body_offset - 1) + b"\n"
        if len(header) != self._body_offset:
            raise ValueError(f"no room for the facts of {path}")
        self._file.seek(0)
        self._file.write(header)
        self.sync()
        self._file.close()
        self.path.replace(path)
        return ObjectFile(path, facts, self.size_bytes, self._body_offset, path.stat().st_ino)

    def discard(self) -> None:
        """Remove what was written, unless it is at its place."""
        try:
            self._file.close()
        finally:
            self.path.unlink(missing_ok=True)


def encode_record(facts: Mapping[str, Any]) -> bytes:
    """Return the content of a file that has facts and no body."""
    return _header(facts, 0, hashlib.sha256(b"\n" + _canonical(facts)).hexdigest()) + b"\n"


def read_object_file(path: Path) -> ObjectFile:
    """Read a file of any format, a piece of its body at a time, and check it.

    Raises
    ------
    CorruptRecordError
        The header is missing or has another format, or the body has another size or hash.
    """
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
        if not line.endswith(b"\n"):
            raise CorruptRecordError(path, "it has no header line")
        header = _read_header(path, line)
        facts, size_bytes = header["facts"], 0
        digest = hashlib.sha256(_canonical(facts) + b"\n" if header["format"] == 1 else b"")
        while piece := file.read(_PIECE_BYTES):
            size_bytes += len(piece)
            digest.update(piece)
        if header["format"] != 1:
            digest.update(b"\n" + _canonical(facts))
        if header.get("size_bytes") != size_bytes:
            raise CorruptRecordError(path, f"it holds {size_bytes} bytes instead of {header.get('size_bytes')}")
        if header.get("sha256") != digest.hexdigest():
            raise CorruptRecordError(path, "its content does not match its SHA-256")
        return ObjectFile(path, facts, size_bytes, len(line), os.fstat(file.fileno()).st_ino)


def _read_header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = read_json(line)
    except ValueError as error:
        raise CorruptRecordError(path, f"its header is not JSON ({error})") from error
    if not isinstance(header, dict) or header.get("format") not in _READ_FORMATS:
        raise CorruptRecordError(path, f"its header has none of the formats {_READ_FORMATS}")
    if not isinstance(header.get("facts"), dict):
        raise CorruptRecordError(path, "its header has no facts")
    return header


def _header(facts: Mapping[str, Any], size_bytes: int, sha256: str) -> bytes:
    header = {"format": FORMAT, "size_bytes": size_bytes, "sha256": sha256, "facts": facts}
    return json.dumps(header, sort_keys=True).encode()


def _canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True).encode()
