"""Reads an object in ranges, and writes one in parts, with botocore's client of S3."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from score_files.errors import SupersededError, UploadGoneError
from score_files.journal import Part, Upload

RANGE_BYTES = 8 << 20
# All parts but the last have at least 5 MiB, and there are 10,000 at most.
PART_BYTES = 8 << 20
_READ_ATTEMPTS = 3
_GONE = ("PreconditionFailed", "412", "NoSuchKey", "404")


class ObjectReader(io.RawIOBase):
    """One object's bytes, read in ranges. A range of another object that has replaced it raises ``SupersededError``."""

    def __init__(self, client: Any, bucket: str, key: str, etag: str, size: int) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key, "IfMatch": f'"{etag}"'}
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on from another place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read the next range."""
        view = memoryview(buffer)
        size = min(len(view), self._size - self._position)
        if size <= 0:
            return 0
        content = self._read(self._position, size)
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _read(self, start: int, size: int) -> bytes:
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                answer = self._client.get_object(**self._object, Range=f"bytes={start}-{start + size - 1}")
                return bytes(answer["Body"].read())
            except ClientError as error:
                if _code(error) in _GONE:
                    raise SupersededError("The object was replaced or deleted.") from error
                raise
            except (BotoCoreError, OSError):
                # The connection broke within the body; botocore has tried all else again itself.
                if attempt == _READ_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")


class ObjectWriter:
    """An object that is written in parts.

    Parameters
    ----------
    client : botocore's client of S3
    bucket, key : str
        The object.
    upload : Upload
        What is there already.
    mark : str
        Is kept with the object, so that a run knows it as its own.
    """

    def __init__(self, client: Any, bucket: str, key: str, upload: Upload, mark: str) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._mark = {"source": mark}
        self._upload = upload
        self._buffer = bytearray(upload.tail.encode())

    @property
    def upload(self) -> Upload:
        """What there is now, for the journal."""
        return replace(self._upload, tail=self._buffer.decode())

    @property
    def is_full(self) -> bool:
        """Whether there is enough for a part."""
        return len(self._buffer) >= PART_BYTES

    def write(self, content: bytes) -> None:
        """Add bytes at the end."""
        self._buffer += content

    def begin(self) -> None:
        """Begin the upload, unless that is done."""
        if self._upload.id is None:
            begun = self._client.create_multipart_upload(**self._object, ContentType="text/csv", Metadata=self._mark)
            self._upload = replace(self._upload, id=begun["UploadId"])

    def write_part(self) -> None:
        """Send what there is as the next part."""
        self.begin()
        number = self._upload.next_number
        try:
            sent = self._client.upload_part(**self._target, PartNumber=number, Body=bytes(self._buffer))
        except ClientError as error:
            raise _failure(error) from error
        parts = (*self._upload.parts, Part(number, sent["ETag"]))
        self._upload = replace(self._upload, parts=parts, next_number=number + 1)
        self._buffer.clear()

    def complete(self) -> None:
        """Send the rest, and make the object of its parts; once more does no harm."""
        try:
            if self._buffer:
                self.write_part()
            parts = [{"PartNumber": part.number, "ETag": part.etag} for part in self._upload.parts]
            self._client.complete_multipart_upload(**self._target, MultipartUpload={"Parts": parts})
        except (ClientError, UploadGoneError) as error:
            failure = _failure(error)
            if not (isinstance(failure, UploadGoneError) and self._is_complete()):
                raise failure from error

    def abort(self) -> None:
        """Drop the parts, unless they have become an object."""
        if self._upload.id is None:
            return
        try:
            self._client.abort_multipart_upload(**self._target)
        except ClientError as error:
            if _code(error) != "NoSuchUpload":
                raise

    def delete_earlier(self, is_later: Callable[[str], bool]) -> None:
        """Delete the object of an earlier file; raise ``SupersededError`` if it has the mark of a later one."""
        try:
            there = self._client.head_object(**self._object)
            if is_later(there["Metadata"].get("source", "")):
                raise SupersededError("A later object of this name is scored.")
            self._client.delete_object(**self._object, IfMatch=there["ETag"])
        except ClientError as error:
            if _code(error) not in _GONE:
                raise

    @property
    def _target(self) -> Mapping[str, Any]:
        return {**self._object, "UploadId": self._upload.id}

    def _is_complete(self) -> bool:
        try:
            return bool(self._client.head_object(**self._object)["Metadata"] == self._mark)
        except ClientError as error:
            if _code(error) in _GONE:
                return False
            raise


def _failure(error: Exception) -> Exception:
    # Whoever takes a name over for another object drops the uploads of the one before.
    return UploadGoneError("The upload was dropped.") if _code(error) == "NoSuchUpload" else error


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
