"""Errors of the bucket, one type for each thing that can go wrong."""

from __future__ import annotations

from pathlib import Path


class BucketError(Exception):
    """Base of every error of the bucket."""


class DataFolderInUseError(BucketError):
    """Another process already serves this data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"the data folder {folder} is served by another process: stop that one, or choose another "
            "folder with --data-dir"
        )


class ForeignFolderError(BucketError):
    """The folder has files, and no ``format.json`` that says that this program wrote them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} isn't a data folder of the bucket: it has files, and no format.json. Nothing was changed; "
            "choose an empty or a new folder with --data-dir"
        )


class UnknownFormatError(BucketError):
    """The data folder was written by another version of the bucket."""

    def __init__(self, folder: Path, its_format: object, our_format: int) -> None:
        self.folder = folder
        self.format = its_format
        super().__init__(
            f"the data folder {folder} has format {its_format!r}, and this program reads format {our_format}: run the "
            "program that wrote it, or choose another folder with --data-dir"
        )


class CorruptRecordError(BucketError):
    """A file of the data folder doesn't have the content that was written into it."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} is corrupt: {reason}")
