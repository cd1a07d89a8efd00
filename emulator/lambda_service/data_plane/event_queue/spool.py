"""Keeps the queue's events in files until each has ended, so that a restart goes on with them.

An event is a file of its own, written before the event is accepted and removed once it has succeeded or was given up.
It survives the end of the process, ``kill -9`` included. It isn't synced to disk: that would hold up all requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emulator.durable_files import TEMPORARY_SUFFIX, remove_folder, replace_unsynced

FOLDER = "queue"
_FORMAT = 1
_SUFFIX = ".json"


class EventSpool:
    """The events of one queue, in the folder `FOLDER` of a state folder, which no other process uses.

    ``clock`` returns the seconds since 1970, by which events are as old after a restart as they are.
    """

    def __init__(self, state_dir: Path, clock: Callable[[], float]) -> None:
        self._folder = state_dir / FOLDER
        self._clock = clock

    def keep(self, request_id: str, call: Mapping[str, Any], payload: bytes) -> None:
        """Keep an event that is accepted now: the arguments of `LambdaService.event`, and its JSON.

        Raises
        ------
        OSError
            It can't be written, so that the event must not be accepted.
        """
        document = {
            "format": _FORMAT,
            "accepted_at": self._clock(),
            "call": call,
            "payload": payload.decode("utf-8", "surrogateescape"),
        }
        replace_unsynced(self._folder / (request_id + _SUFFIX), json.dumps(document).encode())

    def remove(self, request_id: str) -> None:
        """Forget an event that has ended."""
        (self._folder / (request_id + _SUFFIX)).unlink(missing_ok=True)

    def load(self) -> list[tuple[dict[str, Any], bytes, float]]:
        """Return the events that had not ended, oldest first, as `keep` got them; what can't be read stays there."""
        if not self._folder.is_dir():
            return []
        events, now_s = [], self._clock()
        for path in self._folder.iterdir():
            if path.suffix == TEMPORARY_SUFFIX:
                path.unlink()
            elif (event := _read(path)) is not None:
                call, payload, accepted_at = event
                events.append((call, payload, max(0.0, now_s - accepted_at)))
        return sorted(events, key=lambda event: -event[2])

    def clear(self) -> None:
        """Forget every event."""
        remove_folder(self._folder)


def _read(path: Path) -> tuple[dict[str, Any], bytes, float] | None:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            return None
        payload = str(document["payload"]).encode("utf-8", "surrogateescape")
        return dict(document["call"]), payload, float(document["accepted_at"])
    except (ValueError, KeyError, TypeError):
        return None
