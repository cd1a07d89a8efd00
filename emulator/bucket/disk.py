"""The data folder: where each bucket, object version and unfinished upload lives, and how it is read back.

::

    format.json   lock
    buckets/<name>/bucket                            the bucket's own settings
    buckets/<name>/objects/<sha256 of key>.<version> one version of one object
    buckets/<name>/uploads/<sha256 of id>/upload     an unfinished multipart upload
    buckets/<name>/uploads/<sha256 of id>/part.<n>   …and its parts
    removed/                                         buckets that are being removed
    set-aside/                                       files that were found corrupt

A key is hashed into its file's name because a key may be 1,024 bytes long, hold slashes, dots or control
characters, and differ from another in case alone; the key itself is among the facts in the file. A bucket
without its ``bucket`` file and without objects does not exist; one with objects has lost its settings, and no
object for that. Knows files, not S3's protocol.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator import durable_files
from emulator.bucket.errors import CorruptRecordError, ForeignFolderError, UnknownFormatError
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter, encode_record, read_object_file
from emulator.strict_json import read_json

# Format 1 had files of format 1 only; its programs would set aside those of format 2. Such a folder is made one of
# format 2 at the first start.
FORMAT = 2
_READ_FORMATS = (1, FORMAT)
_MARKER = "format.json"
# What a first start that was killed may leave in a folder before the marker says whose it is.
_FIRST_FILES = frozenset({"lock", _MARKER + durable_files.TEMPORARY_SUFFIX})
_OBJECT_FILE = re.compile(r"[0-9a-f]{64}\.[^.]+")
_UPLOAD_FOLDER = re.compile(r"[0-9a-f]{64}")


class Disk:
    """One data folder.

    Parameters
    ----------
    root : Path
        The folder; `prepare` makes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.corrupt: list[CorruptRecordError] = []

    def check(self) -> None:
        """Make sure, changing nothing, that the folder is ours, or new or empty and so may become ours.

        Raises
        ------
        ForeignFolderError, UnknownFormatError
            It holds other files, or was written by another version of this program.
        """
        marker = self.root / _MARKER
        if marker.exists():
            if (stored_format := _format_of(marker)) not in _READ_FORMATS:
                raise UnknownFormatError(self.root, stored_format, FORMAT)
        elif self.root.exists() and {path.name for path in self.root.iterdir()} - _FIRST_FILES:
            raise ForeignFolderError(self.root)

    def prepare(self) -> None:
        """`check` the folder, make it if needed, and remove what a crash left half-written."""
        self.check()
        durable_files.make_folder(self.root)
        marker = self.root / _MARKER
        if not marker.exists() or _format_of(marker) != FORMAT:
            durable_files.write_durably(marker, [json.dumps({"format": FORMAT}).encode() + b"\n"])
        durable_files.make_folder(self.root / "buckets")
        durable_files.remove_folder(self.root / "removed")
        for torn in self._scraps():
            torn.unlink()

    def bucket_names(self) -> list[str]:
        """Return the names of the buckets that exist: those with settings, and those with objects and none."""
        return sorted(path.name for path in (self.root / "buckets").iterdir() if self.has_bucket(path.name))

    def has_bucket(self, bucket: str) -> bool:
        """Say whether there is a bucket of this name, damaged or whole."""
        return (self._bucket(bucket) / "bucket").exists() or bool(self.version_ids(bucket))

    def version_ids(self, bucket: str) -> set[str]:
        """Return the version ids of a bucket's objects."""
        names = [path.name for path in (self._bucket(bucket) / "objects").glob("*")]
        return {name.partition(".")[2] for name in names if _OBJECT_FILE.fullmatch(name)}

    def find_bucket(self, bucket: str) -> Mapping[str, Any] | None:
        """Return a bucket's settings, or None if their file is missing or damaged."""
        file = self._read(self._bucket(bucket) / "bucket")
        return file.facts if file is not None else None

    def write_bucket(self, bucket: str, facts: Mapping[str, Any]) -> None:
        """Create a bucket or replace its settings."""
        durable_files.make_folder(self._bucket(bucket) / "objects")
        durable_files.make_folder(self._bucket(bucket) / "uploads")
        self._write(self._bucket(bucket) / "bucket", facts)

    def remove_bucket(self, bucket: str) -> None:
        """Remove a bucket with all that is in it; a crash leaves it whole or gone."""
        removed = self.root / "removed" / uuid4().hex
        durable_files.make_folder(removed.parent)
        self._bucket(bucket).rename(removed)
        durable_files.sync_folder(self.root / "buckets")
        durable_files.remove_folder(removed)

    def new_file(self, bucket: str, key: str, facts: Mapping[str, Any]) -> ObjectFileWriter:
        """Begin a file for a version or a part; `keep_version` or `keep_part` puts it at its place."""
        name = f"{_hashed(key)}.{uuid4().hex}{durable_files.TEMPORARY_SUFFIX}"
        return ObjectFileWriter(self._bucket(bucket) / "objects" / name, facts)

    def keep_version(self, writer: ObjectFileWriter, bucket: str, facts: Mapping[str, Any]) -> ObjectFile:
        """Put one version of an object over what was there under the same version id."""
        return self._keep(writer, self._version(bucket, facts["key"], facts["version_id"]), facts)

    def remove_versions(self, bucket: str, versions: Iterable[tuple[str, str]]) -> None:
        """Remove (key, version id) pairs."""
        durable_files.remove_durably(self._version(bucket, key, version) for key, version in versions)

    def read_versions(self, bucket: str, key: str | None = None) -> list[ObjectFile]:
        """Return every version of every object of a bucket, or those of one key, in no particular order."""
        paths = (self._bucket(bucket) / "objects").glob("*" if key is None else f"{_hashed(key)}.*")
        return self._read_all(path for path in paths if _OBJECT_FILE.fullmatch(path.name))

    def write_upload(self, bucket: str, upload_id: str, facts: Mapping[str, Any]) -> None:
        """Note that a multipart upload has begun."""
        durable_files.make_folder(self._upload(bucket, upload_id))
        self._write(self._upload(bucket, upload_id) / "upload", facts)

    def keep_part(self, writer: ObjectFileWriter, bucket: str, upload_id: str, facts: Mapping[str, Any]) -> ObjectFile:
        """Put one part of an unfinished upload at its place; its facts hold its number."""
        return self._keep(writer, self._upload(bucket, upload_id) / f"part.{facts['number']}", facts)

    def remove_upload(self, bucket: str, upload_id: str) -> None:
        """Forget an upload that was completed or aborted; its parts cannot come back without its facts."""
        durable_files.remove_durably([self._upload(bucket, upload_id) / "upload"])
        durable_files.remove_folder(self._upload(bucket, upload_id))

    def read_uploads(self, bucket: str) -> Iterator[tuple[Mapping[str, Any], list[ObjectFile]]]:
        """Yield the facts of each unfinished upload with its parts."""
        folders = (self._bucket(bucket) / "uploads").iterdir()
        for folder in sorted(path for path in folders if _UPLOAD_FOLDER.fullmatch(path.name)):
            if not (folder / "upload").exists():
                durable_files.remove_folder(folder)
                continue
            upload = self._read(folder / "upload")
            if upload is not None:
                yield upload.facts, self._read_all(folder.glob("part.*"))

    def _scraps(self) -> list[Path]:
        """Return the temporary files of this program: by place and name, for other files may end in .tmp too."""
        patterns = {
            "": re.escape(_MARKER),
            "buckets/*/": "bucket",
            "buckets/*/objects/": _OBJECT_FILE.pattern,
            "buckets/*/uploads/*/": r"upload|part\.\d+",
        }
        return [
            path
            for place, name in patterns.items()
            for path in self.root.glob(f"{place}*{durable_files.TEMPORARY_SUFFIX}")
            if re.fullmatch(name, path.name.removesuffix(durable_files.TEMPORARY_SUFFIX))
        ]

    def _bucket(self, bucket: str) -> Path:
        # Bucket names are checked by S3's own rules before anything is written; this is the second lock.
        if not bucket or "/" in bucket or bucket in {".", ".."}:
            raise ValueError(f"no bucket name: {bucket!r}")
        return self.root / "buckets" / bucket

    def _version(self, bucket: str, key: str, version: str) -> Path:
        return self._bucket(bucket) / "objects" / f"{_hashed(key)}.{version}"

    def _upload(self, bucket: str, upload_id: str) -> Path:
        return self._bucket(bucket) / "uploads" / _hashed(upload_id)

    def _write(self, path: Path, facts: Mapping[str, Any]) -> None:
        durable_files.write_durably(path, [encode_record(facts)])

    def _keep(self, writer: ObjectFileWriter, path: Path, facts: Mapping[str, Any]) -> ObjectFile:
        file = writer.keep(path, facts)
        durable_files.sync_folder(path.parent)
        return file

    def _read_all(self, paths: Iterable[Path]) -> list[ObjectFile]:
        files = (self._read(path) for path in sorted(paths) if path.suffix != durable_files.TEMPORARY_SUFFIX)
        return [file for file in files if file is not None]

    def _read(self, path: Path) -> ObjectFile | None:
        """Return a file, or None if it is missing or damaged; a damaged one is set aside."""
        try:
            return read_object_file(path)
        except FileNotFoundError:
            return None
        except CorruptRecordError as error:
            self._set_aside(path)
            self.corrupt.append(error)
            return None

    def _set_aside(self, path: Path) -> None:
        """Move a corrupt file out of the way, where a person can look at it, beside earlier ones of its name."""
        folder = self.root / "set-aside"
        durable_files.make_folder(folder)
        name = "--".join(path.relative_to(self.root / "buckets").parts)
        numbered = itertools.chain([name], (f"{name}--{number}" for number in itertools.count(2)))
        path.replace(next(folder / name for name in numbered if not (folder / name).exists()))
        durable_files.sync_folder(path.parent)
        durable_files.sync_folder(folder)


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _format_of(marker: Path) -> object:
    try:
        return read_json(marker.read_bytes()).get("format")
    except (ValueError, AttributeError):
        return None
