"""How far each bucket's changes have been taken, in a file, so that a restart finds out what it has missed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from emulator.durable_files import replace_unsynced

FILE = "bucket-positions.json"
_FORMAT = 1


class BucketPositions:
    """The ``sequencer`` of each bucket's last change that was taken; without a path they end with the process.

    The file survives ``kill -9``, and isn't synced to disk: an older one makes changes come twice, and loses none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._of = {} if path is None else _read(path)

    def of(self, buckets: Iterable[str]) -> dict[str, str | None]:
        """Return the positions of some buckets; None for one whose changes were never taken."""
        return {bucket: self._of.get(bucket) for bucket in buckets}

    def begin(self, buckets: Iterable[str], position: str) -> None:
        """Let buckets without a position begin at this one, and forget all other buckets."""
        self._of = {bucket: self._of.get(bucket, position) for bucket in buckets}
        self._write()

    def advance(self, bucket: str, position: str) -> None:
        """Note that a change was taken."""
        self._of[bucket] = max(position, self._of.get(bucket, ""))
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            replace_unsynced(self._path, json.dumps({"format": _FORMAT, "positions": self._of}).encode())


def _read(path: Path) -> dict[str, str]:
    try:
        document = json.loads(path.read_bytes())
        return dict(document["positions"]) if document["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
