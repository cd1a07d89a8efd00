"""What can go wrong in the bucket, one type each."""

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
    """The folder holds files, and nothing that says that this program put them there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} is no data folder of the bucket: it has files in it, and no format.json. Nothing was changed; "
            "choose an empty or a new folder with --data-dir"
        )


class UnknownFormatError(BucketError):
    """The data folder was written by another version of the bucket."""

    def __init__(self, folder: Path, found: object, known: int) -> None:
        self.folder = folder
        self.found = found
        super().__init__(f"the data folder {folder} has format {found!r}; this program knows format {known}")


class CorruptRecordError(BucketError):
    """A file of the data folder does not hold what was written into it."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} is corrupt: {reason}")


class LostChangeError(BucketError):
    """A change was accepted, and what it was to make is nowhere."""

    def __init__(self, bucket: str, key: str) -> None:
        self.bucket = bucket
        self.key = key
        super().__init__(f"a PUT of {key!r} into {bucket!r} was accepted, and there is no such object now")
