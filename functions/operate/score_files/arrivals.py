"""Reads S3's events: which object has arrived, and the names of what is written about it. Pure.

Source: S3 user guide, "Event message structure".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

INCOMING = "batch/in/"
OUTGOING = "batch/out/"
JOURNALS = "batch/journal/"


@dataclass(frozen=True)
class Arrival:
    """An object that was written.

    ``sequencer`` orders the writes of one key: two events of one write have the same.
    """

    bucket: str
    key: str
    etag: str
    size: int
    sequencer: str

    @property
    def name(self) -> str:
        """The file's name below ``batch/in/``."""
        return self.key.removeprefix(INCOMING)

    @property
    def scored_key(self) -> str:
        """Where the scored rows go; named as ``peerloan score`` names a file."""
        # Not by a path's rules: a//b and a/b are two keys.
        folder, slash, file = self.name.rpartition("/")
        stem, point, suffix = file.rpartition(".")
        return f"{OUTGOING}{folder}{slash}{stem}.scored.{suffix}" if point else f"{OUTGOING}{self.name}.scored"

    @property
    def rejects_key(self) -> str:
        """Where the faults of the other rows go."""
        return f"{self.scored_key}.rejects.csv"

    @property
    def summary_key(self) -> str:
        """Where it is said what became of the file."""
        return f"{self.scored_key}.summary.json"

    @property
    def journal_key(self) -> str:
        """Where the progress is kept."""
        return f"{JOURNALS}{self.name}.json"


def arrivals(event: Mapping[str, Any]) -> Iterator[Arrival]:
    """Yield the files that an event tells of; what the console makes for a folder is left out."""
    for record in event.get("Records", ()):
        entry = record["s3"]["object"]
        key = unquote_plus(entry["key"])
        if key.startswith(INCOMING) and not key.endswith("/"):
            bucket = record["s3"]["bucket"]["name"]
            yield Arrival(bucket, key, entry["eTag"].strip('"'), entry["size"], entry["sequencer"])


def is_newer(sequencer: str, than: str) -> bool:
    """Say whether a write of a key came after another one; the shorter sequencer is filled up with zeros."""
    length = max(len(sequencer), len(than))
    return sequencer.ljust(length, "0") > than.ljust(length, "0")
