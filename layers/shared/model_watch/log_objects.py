"""Finds the prediction log's objects in their bucket, and takes them apart into lines. What can't be read is counted.

::

    log/dt=2026-03-12/<anything>.gz        JSON lines, packed by gzip or not

The folder is the day of arrival. A line belongs to the time that it says itself, and environments' clocks may be an
hour off: the lines of a day are in its folder and in those of the days beside it (docs/reliability.md, fault 33).
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import islice
from typing import Final

from model_registry.errors import ObjectNotFoundError, ObjectTooLargeError
from model_registry.stores.base import ObjectStore
from model_watch.prediction_log import LogLine, PlatformLine

ONE_DAY: Final = timedelta(days=1)

# Firehose buffers at most 128 MiB.
MOST_OBJECT_BYTES: Final = 256 << 20
# A line of the function has at most 256 KB.
MOST_LINE_BYTES: Final = 1 << 20
# So many damaged objects are named.
MOST_NAMED: Final = 100
# A quarter may have a hundred thousand small objects. A bucket gives many at once as fast as one; botocore has ten
# connections. Larger objects than this are fetched one at a time, so that they fit into memory.
_AT_ONCE: Final = 10
_SMALL_BYTES: Final = 1 << 20

LOG_PREFIX: Final = "log/"
_FOLDER = re.compile(r"log/dt=([0-9]{4}-[0-9]{2}-[0-9]{2})/")
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


@dataclass(frozen=True)
class Folder:
    """How many objects of the log arrived on a day, and the digest of their keys: what a tally was counted from."""

    objects: int
    sha256: str

    @classmethod
    def of(cls, keys: Sequence[str]) -> Folder:
        """Describe a folder by its keys."""
        return cls(len(keys), hashlib.sha256("\n".join(keys).encode("utf-8", "surrogatepass")).hexdigest())


def list_day(store: ObjectStore, day: date) -> list[str]:
    """Return the keys of the objects that arrived on a day, sorted."""
    return store.list_keys(f"{LOG_PREFIX}dt={day:%Y-%m-%d}/")


def list_days(store: ObjectStore, first: date, last: date) -> dict[date, list[str]]:
    """Return the keys of the objects that arrived on each day from ``first`` to ``last``, by a listing a month."""
    days: dict[date, list[str]] = {first + n * ONE_DAY: [] for n in range((last - first).days + 1)}
    months: dict[str, list[date]] = {}
    for day in days:
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    for month, of_month in months.items():
        if len(of_month) == 1:
            days[of_month[0]] = list_day(store, of_month[0])
            continue
        for key in store.list_keys(f"{LOG_PREFIX}dt={month}-"):
            match = _FOLDER.match(key)
            folder = _date(match[1]) if match else None
            if folder in days:
                days[folder].append(key)
    return days


def is_before(key: str, since: datetime) -> bool:
    """Say whether an object's name shows that all of its lines are earlier."""
    match = _NAMED_TIME.search(key)
    if not match:
        return False
    try:
        arrived = datetime.strptime(match[1], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return arrived + _MARGIN < since


def read_texts(store: ObjectStore, key: str, damage: Damage) -> Iterator[bytes]:
    """Yield an object's lines that aren't blank; none of an object that the bucket's lifecycle has removed.

    Of one that breaks off the whole lines come, and perhaps the beginning of one more. What can't be read is added to
    ``damage``. Raises ``StoreUnavailableError`` if the bucket doesn't answer.
    """
    return _read(lambda: _fetch(store, key), key, damage)


def read_objects(store: ObjectStore, keys: Sequence[str], damage: Damage) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield each key and its object's lines, as ``read_texts`` does; small objects are fetched ahead, many at once.

    An object's lines must be taken before the next key.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        rest = iter(keys)
        fetched: deque[tuple[str, Future[bytes]]] = deque()
        ahead = 1
        while True:
            for key in islice(rest, ahead - len(fetched)):
                fetched.append((key, threads.submit(_fetch, store, key)))
            if not fetched:
                return
            key, future = fetched.popleft()
            yield key, _read(future.result, key, damage)
            is_small = future.exception() is None and len(future.result()) <= _SMALL_BYTES
            ahead = _AT_ONCE if is_small else 1


def _fetch(store: ObjectStore, key: str) -> bytes:
    return store.get(key, limit_bytes=MOST_OBJECT_BYTES).body


def _read(fetch: Callable[[], bytes], key: str, damage: Damage) -> Iterator[bytes]:
    try:
        body = fetch()
    except ObjectNotFoundError:
        return
    except ObjectTooLargeError as error:
        damage.add(key, str(error))
        return
    yield from unpack(body, key, damage)


def unpack(body: bytes, key: str, damage: Damage) -> Iterator[bytes]:
    """Yield the lines of an object that was fetched, as ``read_texts`` does."""
    try:
        for text in _texts(body):
            if len(text) > MOST_LINE_BYTES:
                damage.add(key, f"The line has more than {MOST_LINE_BYTES:,} bytes.")
            elif text and not text.isspace():
                yield text
    except (EOFError, OSError, zlib.error) as error:
        damage.add(key, f"It can't be unpacked to its end: {error}.")


def line_identity(line: LogLine | PlatformLine) -> int:
    """Return a number by which a line that was delivered twice is known, within this process."""
    identity = line.invocation_id.encode("utf-8", "surrogatepass")
    return request_identity(identity) if isinstance(line, LogLine) else hash((identity, "report"))


def request_identity(invocation_id: bytes) -> int:
    """Return a request's ``line_identity``; its invocation may have a report besides."""
    return hash(invocation_id)


def _texts(body: bytes) -> Iterator[bytes]:
    """Yield the lines without their ends; of one that is too long, so much that this shows."""
    packed = BytesIO(body)
    file = gzip.GzipFile(fileobj=packed) if body.startswith(b"\x1f\x8b") else packed
    begun, is_rest = b"", False
    while piece := file.read1(MOST_LINE_BYTES):
        *lines, begun = (begun + piece).split(b"\n")
        for line in lines:
            if not is_rest:
                yield line
            is_rest = False
        if len(begun) > MOST_LINE_BYTES:
            if not is_rest:
                yield begun
            begun, is_rest = b"", True
    if begun and not is_rest:
        yield begun


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
