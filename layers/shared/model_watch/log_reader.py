"""Reads the prediction log from its bucket: each object once, each request once, and damage counted and named.

Delivery is at least once and not in order, an object may arrive late, and an environment's clock may be off. So objects
are found by listing days again, repeated lines are known by their invocation's id, and a line belongs to the time that
it says itself (docs/reliability.md, faults 29 and 33). What was read is remembered in memory only: a reader that starts
anew reads again from its ``since`` on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from model_registry.stores.base import ObjectStore
from model_watch.log_objects import ONE_DAY, Damage, is_before, line_identity, list_day, read_texts
from model_watch.prediction_log import DamagedLineError, LogLine, PlatformLine, read_line

Line = LogLine | PlatformLine

# Of more requests than this the oldest are forgotten: they would have to be delivered again hours later.
MOST_REMEMBERED: Final = 1_000_000


class LogReader:
    """Reads the log of one model's function from ``store``; requests of other models in it are left out.

    Attributes
    ----------
    damage : Damage
        What could not be read so far.
    """

    def __init__(self, store: ObjectStore, model: str) -> None:
        self.damage = Damage()
        self._store = store
        self._model = model
        self._complete: set[date] = set()
        self._read: set[str] = set()
        # A dict keeps the order in which its keys came.
        self._seen: dict[int, None] = {}

    def read_new(self, since: datetime, until: datetime) -> Iterator[Line]:
        """Yield the lines that arrived since the last call, and hold one object's bytes at a time.

        Whoever stops in between loses nothing: an object counts as read once its last line was taken, and the next call
        yields the others.

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
            If the bucket doesn't answer. The lines that weren't yielded before come with the next call.
        """
        # Objects of the day before may still arrive, those of earlier days are complete once they were listed.
        last_complete = until.astimezone(UTC).date() - 2 * ONE_DAY
        day = since.astimezone(UTC).date() - ONE_DAY
        while day <= last_complete + 3 * ONE_DAY:
            if day not in self._complete:
                for key in list_day(self._store, day):
                    if key not in self._read and not is_before(key, since):
                        yield from self._read_object(key, since)
                        self._read.add(key)
                if day <= last_complete:
                    self._complete.add(day)
            day += ONE_DAY

    def _read_object(self, key: str, since: datetime) -> Iterator[Line]:
        for text in read_texts(self._store, key, self.damage):
            try:
                line = read_line(text)
            except DamagedLineError as error:
                self.damage.add(key, str(error))
                continue
            if line is not None and line.time >= since and line.is_of(self._model) and self._is_new(line):
                yield line

    def _is_new(self, line: Line) -> bool:
        identity = line_identity(line)
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True
