"""Reads days of the prediction log from its bucket: each line under the day that it says itself, each request once.

The lines of a day are in its own folder and in those of the days beside it (``log_objects``). Folders are read in their
order, each object once, and a day is complete after the folder of the day after it. Memory holds one object, or ten
small ones, and eight bytes for each request of three days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import compress
from typing import Any, Final, Generic, TypeVar

import numpy as np

from model_registry.stores.base import ObjectStore
from model_watch.folding.identities import Identities
from model_watch.folding.line_tally import Line
from model_watch.folding.single_record_lines import SingleRecord, SingleRecordLines
from model_watch.log_objects import (
    ONE_DAY,
    Damage,
    is_before,
    line_identity,
    read_objects,
    request_identity,
)
from model_watch.prediction_log import DamagedLineError, read_line

_DATE_LENGTH: Final = len("2026-03-12")
# So many bytes of lines are handed over at once.
_BATCH_BYTES: Final = 4 << 20
_T = TypeVar("_T")


@dataclass
class NewLines:
    """Lines of one day that weren't delivered before.

    ``records`` are the lines of answers for one record that ``SingleRecordLines`` has recognised, by the version that
    answered; ``lines`` are all others. ``damaged`` counts what can't be read, for the day under which it was delivered.
    """

    day: date
    lines: list[Line] = field(default_factory=list)
    records: dict[int, list[SingleRecord]] = field(default_factory=dict)
    damaged: int = 0


def read_days(
    store: ObjectStore, model: str, days: Sequence[date], folders: Mapping[date, Sequence[str]]
) -> Iterator[NewLines | date]:
    """Yield the lines of days, a batch at a time; and each day itself, in their order, once it is complete.

    Parameters
    ----------
    days : sequence of date
        In their order, each once.
    folders : mapping of date to sequence of str
        The keys of the objects that arrived on each of these days and on the days beside them.

    Raises
    ------
    StoreUnavailableError
        If the bucket doesn't answer.
    """
    reading = _Reading(model, days)
    for folder in sorted({day + beside * ONE_DAY for day in days for beside in (-1, 0, 1)}):
        yield from reading.read_folder(store, folder, folders[folder])
        if folder - ONE_DAY in days:
            reading.finish(folder - ONE_DAY)
            yield folder - ONE_DAY


def read_sorted(
    model: str, days: Sequence[date], folders: Iterable[tuple[date, Iterable[bytes | None]]]
) -> Iterator[NewLines]:
    """Yield the lines of days as ``read_days`` does, from lines that were fetched already.

    ``folders`` are the lines of the folders in the order of their days; None stands for what couldn't be read.
    """
    reading = _Reading(model, days)
    for folder, lines in folders:
        for day in [day for day in reading.days if day < folder - ONE_DAY]:
            reading.finish(day)
        yield from reading.read_lines(folder, lines)


@dataclass
class _Group(Generic[_T]):
    """Lines of one kind, and their places among the lines that were read with them."""

    items: list[_T] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def add(self, place: int, item: _T) -> None:
        """Add a line."""
        self.items.append(item)
        self.places.append(place)


class _Reading:
    """The days that are being read; lines of other days are left out."""

    def __init__(self, model: str, days: Sequence[date]) -> None:
        self._model = model
        self._lines = SingleRecordLines(model)
        self._seen = {day: Identities() for day in days}

    @property
    def days(self) -> tuple[date, ...]:
        """The days that aren't complete."""
        return tuple(self._seen)

    def finish(self, day: date) -> None:
        """Forget the requests of a day that is complete."""
        del self._seen[day]

    def read_folder(self, store: ObjectStore, folder: date, keys: Sequence[str]) -> Iterator[NewLines]:
        """Yield the new lines of the objects that arrived on one day."""
        damage = Damage()
        since = datetime.combine(min(self._seen), time(), UTC)
        objects = read_objects(store, [key for key in keys if not is_before(key, since)], damage)
        yield from self._read(folder, objects, damage)

    def read_lines(self, folder: date, lines: Iterable[bytes | None]) -> Iterator[NewLines]:
        """Yield the new lines of one day's folder; None is damage."""
        damage = Damage()

        def texts() -> Iterator[bytes]:
            for text in lines:
                if text is None:
                    damage.add("", "It can't be read.")
                else:
                    yield text

        yield from self._read(folder, [("", texts())], damage)

    def _read(self, folder: date, objects: Iterable[tuple[str, Iterable[bytes]]], damage: Damage) -> Iterator[NewLines]:
        for key, lines in objects:
            for texts in _batches(lines):
                yield from self._new_lines(texts, key, damage)
        if folder in self._seen and damage.lines:
            yield NewLines(folder, damaged=damage.lines)

    def _new_lines(self, texts: Sequence[bytes], key: str, damage: Damage) -> Iterable[NewLines]:
        records: defaultdict[tuple[bytes, int], _Group[SingleRecord]] = defaultdict(_Group)
        lines: defaultdict[date, _Group[Line]] = defaultdict(_Group)
        for place, text in enumerate(texts):
            found = self._lines.find(text)
            if found is not None:
                version, record = found
                records[record[0][:_DATE_LENGTH], version].add(place, record)
                continue
            try:
                line = read_line(text)
            except DamagedLineError as error:
                damage.add(key, str(error))
                continue
            if line is not None and line.is_of(self._model):
                lines[line.time.astimezone(UTC).date()].add(place, line)
        days: defaultdict[date, list[tuple[int | None, _Group[Any], Iterable[int]]]] = defaultdict(list)
        for day, of_day in lines.items():
            days[day].append((None, of_day, map(line_identity, of_day.items)))
        for (day_text, version), of_version in records.items():
            identities = (request_identity(invocation_id) for _, invocation_id, *_ in of_version.items)
            days[date.fromisoformat(day_text.decode("ascii"))].append((version, of_version, identities))
        return [self._new(day, groups) for day, groups in days.items() if day in self._seen]

    def _new(self, day: date, groups: Sequence[tuple[int | None, _Group[Any], Iterable[int]]]) -> NewLines:
        """Return those that weren't delivered before; of different lines with one identity the first one."""
        identities = np.concatenate(
            [np.fromiter(of_group, np.int64, len(group.items)) for _, group, of_group in groups]
        )
        order = np.argsort(np.concatenate([group.places for _, group, _ in groups]))
        is_new = np.empty(len(order), dtype=np.bool_)
        is_new[order] = self._seen[day].add_new(identities[order])
        new, start = NewLines(day), 0
        for version, group, _ in groups:
            items = list(compress(group.items, is_new[start : start + len(group.items)]))
            start += len(group.items)
            if version is None:
                new.lines = items
            else:
                new.records[version] = items
        return new


def _batches(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch
