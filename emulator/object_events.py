"""A change of an object in the bucket, as the bucket's process hands it to the process that runs functions. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Where the bucket's process hands its changes out.
OBJECT_EVENTS_PATH = "/_emulator/object-events"


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """One change. It is on disk when the event is made."""

    # S3's name without ``s3:``: ``ObjectCreated:Put``, ``:Copy`` or ``:CompleteMultipartUpload``,
    # ``ObjectRemoved:Delete`` or ``:DeleteMarkerCreated``.
    event_name: str
    bucket: str
    # As it is, not URL-encoded.
    key: str
    # Size and ETag are None where an object was removed. The ETag has no quotes.
    size: int | None
    etag: str | None
    # None without versioning.
    version_id: str | None
    # Hexadecimal; of two changes of one key the later one has the greater text.
    sequencer: str
    # In UTC.
    time: dt.datetime
    # The header X-Amzn-Trace-Id of the request, by which a function's own writes are recognised.
    trace_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the event as plain values."""
        return asdict(self) | {"time": self.time.isoformat()}


def read_object_event(document: Mapping[str, Any]) -> ObjectEvent:
    """Return the event that `ObjectEvent.as_json` described."""
    return ObjectEvent(**{**document, "time": dt.datetime.fromisoformat(document["time"])})
