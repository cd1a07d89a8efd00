"""Moves the log lines of a demonstration to the days that they stand for: nobody waits a year to see one.

The lines are the function's own, and only their times change. A line's place in the new days is that of its records
among all records, in the order of time, so that each day gets about as many.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from model_registry.stores.base import ObjectStore
from model_watch.log_objects import ONE_DAY, Damage, list_day, read_texts
from model_watch.prediction_log import LogLine, PlatformLine, read_line

_TIME_OF_REQUEST: Final = re.compile(rb'("timestamp":\s*")[^"]*(")')
_TIME_OF_REPORT: Final = re.compile(rb'("time":\s*")[^"]*(")')


@dataclass(frozen=True)
class _Line:
    text: bytes
    time: datetime
    records: int
    is_request: bool

    def at(self, moment: datetime) -> bytes:
        """Return the line with another time."""
        stamp = moment.isoformat(timespec="milliseconds").encode()
        pattern = _TIME_OF_REQUEST if self.is_request else _TIME_OF_REPORT
        return pattern.sub(rb"\g<1>" + stamp + rb"\g<2>", self.text, count=1)


class FreshLog:
    """The log objects of today, which haven't been moved. ``clock`` returns now."""

    def __init__(self, store: ObjectStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lines: dict[str, list[_Line]] = {}

    def count_requests(self) -> int:
        """Return how many requests have reached the log since the last move."""
        today = self._clock().astimezone(UTC).date()
        for day in (today - ONE_DAY, today, today + ONE_DAY):
            for key in list_day(self._store, day):
                if key not in self._lines:
                    self._lines[key] = _read(self._store, key)
        return sum(line.is_request for lines in self._lines.values() for line in lines)

    def move(self, first: date, days: int) -> None:
        """Move all lines that ``count_requests`` has found to so many days, and remove their objects."""
        lines = sorted((line for lines in self._lines.values() for line in lines), key=lambda line: line.time)
        records = sum(line.records for line in lines)
        begin, span = datetime.combine(first, time.min, UTC), days * ONE_DAY
        before = 0
        by_day: dict[date, list[bytes]] = {}
        for line in lines:
            moment = begin + span * (before / records) if records else begin
            before += line.records
            # The last lines may have no records.
            moment = min(moment, begin + span - timedelta(seconds=1))
            by_day.setdefault(moment.date(), []).append(line.at(moment))
        for day, texts in by_day.items():
            self._store.put(f"log/dt={day}/moved.jsonl.gz", gzip.compress(b"\n".join(texts) + b"\n", mtime=0))
        for key in self._lines:
            self._store.delete(key)
        self._lines.clear()


def _read(store: ObjectStore, key: str) -> list[_Line]:
    lines = []
    for text in read_texts(store, key, Damage()):
        line = read_line(text)
        if isinstance(line, LogLine):
            lines.append(_Line(text, line.time, len(line.loans), is_request=True))
        elif isinstance(line, PlatformLine):
            lines.append(_Line(text, line.time, 0, is_request=False))
    return lines
