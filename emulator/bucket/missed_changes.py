"""The changes that a process has missed while it wasn't there, found in the objects themselves. Pure.

No change is written down for it: an object's number says whether it came after a position, as that of an event does.
Objects and versions that were removed meanwhile leave nothing to find; of several writes of a key without versioning
the last one is found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from emulator.bucket.store import Bucket
from emulator.object_events import ObjectEvent


def missed_changes(buckets: Mapping[str, Bucket], positions: Mapping[str, str]) -> list[ObjectEvent]:
    """Return the changes after each bucket's position, the ``sequencer`` of its last known change, oldest first."""
    events = []
    for name, position in positions.items():
        bucket = buckets.get(name)
        for file in [] if bucket is None else [file for files in bucket.versions.values() for file in files]:
            facts, sequencer = file.facts, f"{int(file.facts['sequence']):016X}"
            if sequencer <= position:
                continue
            is_there, version_id = not facts["delete_marker"], facts["version_id"]
            created = "ObjectCreated:CompleteMultipartUpload" if "-" in str(facts.get("etag")) else "ObjectCreated:Put"
            event = ObjectEvent(
                event_name=created if is_there else "ObjectRemoved:DeleteMarkerCreated",
                bucket=name,
                key=facts["key"],
                size=file.size_bytes if is_there else None,
                etag=facts["etag"] if is_there else None,
                version_id=None if version_id == "null" else version_id,
                sequencer=sequencer,
                time=dt.datetime.fromisoformat(facts["last_modified"]),
            )
            events.append(event)
    return sorted(events, key=lambda event: event.sequencer)
