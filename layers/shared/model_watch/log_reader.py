"""Reads the prediction log from its bucket: each object once, each request once, and damage counted and named.

::

    log/dt=2026-03-12/<anything>.gz        JSON lines, packed by gzip or not

Delivery is at least once and not in order, an object may arrive late, and an environment's clock may be off. So objects
are found by listing days again, repeated lines are known by their invocation's id, and a line belongs to the time that
it says itself (docs/reliability.md, faults 29 and 33). What was read is remembered in memory only: a reader that starts
anew reads again from its ``since`` on.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from io import BytesIO
from typing import Final

from model_registry.errors import ObjectNotFoundError, ObjectTooLargeError, StoreUnavailableError
from model_registry.stores.base import ObjectStore
from model_watch.prediction_log import DamagedLineError, LoadLine, LogLine, PlatformLine, read_line

Line = LogLine | LoadLine | PlatformLine

# Firehose buffers at most 128 MiB.
MOST_OBJECT_BYTES: Final = 256 << 20
# A line of the function has at most 256 KB.
MOST_LINE_BYTES: Final = 1 << 20
# Of more requests than this the oldest are forgotten: they would have to be delivered again hours later.
MOST_REMEMBERED: Final = 1_000_000
# So many damaged objects are named.
MOST_NAMED: Final = 100

_ONE_DAY = timedelta(days=1)
# Firehose writes the arrival of an object's first line into its name. The other lines arrived within 15 minutes, and
# clocks may be an hour off.
_NAMED_TIME = re.compile(r"-([0-9]{4}(?:-[0-9]{2}){5})-[^/]*$")
_MARGIN = timedelta(hours=2)


@dataclass
class Damage:
    """What could not be read so far.

    ``lines`` counts damaged lines; an object that breaks off counts as one more. ``objects`` has the first fault of
    each damaged object by its key, of a hundred objects at most.
    """

    lines: int = 0
    objects: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, fault: str) -> None:
        """Count a fault."""
        self.lines += 1
        if len(self.objects) < MOST_NAMED:
            self.objects.setdefault(key, fault)


class LogReader:
    """Reads the log of one function from ``store``.

    Attributes
    ----------
    damage : Damage
        What could not be read so far.
    """

    def __init__(self, store: ObjectStore, prefix: str = "log/") -> None:
        self.damage = Damage()
        self._store = store
        self._prefix = prefix
        self._complete: set[date] = set()
        self._read: set[str] = set()
        # A dict keeps the order in which its keys came.
        self._seen: dict[int, None] = {}

    def read_new(self, since: datetime, until: datetime) -> list[Line]:
        """Return the lines that arrived since the last call.

        Parameters
        ----------
        since : datetime
            Lines whose own time is earlier are left out. It must not be earlier than in the last call: what was left
            out isn't read again.
        until : datetime
            Now: objects of the days up to the next one are listed.

        Raises
        ------
        StoreUnavailableError
            If the bucket doesn't answer. If that happens after some objects were read, their lines are returned, and
            the rest comes with the next call.
        """
        lines: list[Line] = []
        try:
            for day in self._days(since, until):
                for key in self._store.list_keys(f"{self._prefix}dt={day:%Y-%m-%d}/"):
                    if key not in self._read and not _is_before(key, since):
                        lines += self._read_object(key, since)
                        self._read.add(key)
                self._complete.add(day)
        except StoreUnavailableError:
            if not lines:
                raise
        return lines

    def _days(self, since: datetime, until: datetime) -> Iterator[date]:
        """Yield the days to list: objects of the day before may still arrive, those of earlier days are complete."""
        today = until.astimezone(UTC).date()
        day = since.astimezone(UTC).date() - _ONE_DAY
        while day <= today + _ONE_DAY:
            if day >= today - _ONE_DAY or day not in self._complete:
                yield day
            day += _ONE_DAY

    def _read_object(self, key: str, since: datetime) -> list[Line]:
        try:
            body = self._store.get(key, limit_bytes=MOST_OBJECT_BYTES).body
        except ObjectNotFoundError:
            return []  # The bucket's lifecycle has removed it.
        except ObjectTooLargeError as error:
            self.damage.add(key, str(error))
            return []
        lines: list[Line] = []
        try:
            for text in _texts(body):
                if (line := self._read_text(key, text)) is not None and line.time >= since and self._is_new(line):
                    lines.append(line)
        except (EOFError, OSError, zlib.error) as error:
            self.damage.add(key, f"It can't be unpacked to its end: {error}.")
        return lines

    def _read_text(self, key: str, text: bytes) -> Line | None:
        try:
            if len(text) > MOST_LINE_BYTES:
                raise DamagedLineError(f"The line has more than {MOST_LINE_BYTES:,} bytes.")
            return read_line(text)
        except DamagedLineError as error:
            self.damage.add(key, str(error))
            return None

    def _is_new(self, line: Line) -> bool:
        what = line if isinstance(line, LoadLine) else (type(line).__name__, line.invocation_id)
        identity = int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest(), "big")
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


def _is_before(key: str, since: datetime) -> bool:
    """Say whether an object's name shows that all of its lines are earlier."""
    match = _NAMED_TIME.search(key)
    if not match:
        return False
    try:
        arrived = datetime.strptime(match[1], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return arrived + _MARGIN < since


def _texts(body: bytes) -> Iterator[bytes]:
    """Yield an object's lines; of one that is too long, so much that this shows."""
    packed = BytesIO(body)
    file = gzip.GzipFile(fileobj=packed) if body.startswith(b"\x1f\x8b") else packed
    is_rest = False
    while text := file.readline(MOST_LINE_BYTES + 1):
        if not is_rest and text.strip():
            yield text
        is_rest = not text.endswith(b"\n")
