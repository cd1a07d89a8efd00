"""Keeps the log groups' output in the state folder, the newest 16 MiB of each group, and reads it as log events.

Requests never wait for it: the event loop only puts output into a queue, and a thread writes it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from emulator.lambda_service.log_groups.backlog import Backlog
from emulator.lambda_service.log_groups.segments import (
    START,
    LogEvent,
    Place,
    SegmentFacts,
    StreamFacts,
    encode_record,
    read_events,
    read_facts,
)

SEGMENT_BYTES = 1 << 20
SEGMENTS = 16
# Output is gathered for so long before it is written: waking the thread for each line would cost requests time.
_GATHER_S = 0.05
_SUFFIX = ".log"
_log = logging.getLogger(__name__)


class _Chunk(NamedTuple):
    group: str
    stream: str
    time_ms: int
    output: bytes


class LogStore:
    """The log groups of one state folder.

    Parameters
    ----------
    folder : Path
        Holds a folder for each group; it is made at the first output.
    clock : callable
        Returns seconds since 1970.
    segment_bytes, segments : int
        A group keeps so many segments of about so many bytes.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.time,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segments: int = SEGMENTS,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._segments = segments
        self.backlog = Backlog()
        """What waits to be written."""
        self._queue: queue.SimpleQueue[_Chunk | threading.Event | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        # Held while files are written or removed, not while they are read.
        self._changing = threading.Lock()
        # By group: the number of the segment that is written to, and its size.
        self._open: dict[str, tuple[int, int]] = {}
        self._facts: dict[tuple[Path, int], SegmentFacts] = {}
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="log-store", daemon=True)
        self._thread.start()

    def write(self, group: str, stream: str, output: bytes) -> None:
        """Take whole lines of a stream; never waits."""
        if self.backlog.add(len(output)):
            output = self.backlog.note_dropped() + output
            self._queue.put(_Chunk(group, stream, int(self._clock() * 1000), output))

    def close(self) -> None:
        """Write what remains, and end."""
        self._hurry.set()
        self._queue.put(None)
        self._thread.join(timeout=1.0)

    def flush(self) -> None:
        """Wait until all output so far is written: called by readers, in threads of their own."""
        written = threading.Event()
        self._queue.put(written)
        self._hurry.set()
        written.wait(timeout=2.0)

    def clear(self) -> None:
        """Remove all log groups."""
        self.flush()
        with self._changing:
            for group in self.groups():
                number = self._open_segment(group)[0]
                for path in self._paths(group).values():
                    path.unlink(missing_ok=True)
                # Numbers go on, so that an event's id never comes again.
                self._open[group] = (number + 1, 0)

    def groups(self) -> list[str]:
        """Return the names of the groups that have output, in order."""
        with contextlib.suppress(OSError):
            return sorted(unquote(folder.name) for folder in self._folder.iterdir() if any(folder.iterdir()))
        return []

    def streams(self, group: str) -> dict[str, StreamFacts]:
        """Return a group's streams by name."""
        merged: dict[str, StreamFacts] = {}
        for path in self._paths(group).values():
            for name, facts in self._facts_of(path).streams.items():
                stream = merged.setdefault(name, StreamFacts(facts.first_ms, facts.last_ms))
                stream.last_ms = facts.last_ms
                stream.size_bytes += facts.size_bytes
        return merged

    def events(
        self, group: str, since_ms: int = 0, first: Place = START, stream: str | None = None
    ) -> Iterator[LogEvent]:
        """Yield a group's events from a time and from a place on, the oldest first; of one stream if it is named."""
        for number, path in self._paths(group).items():
            if number < first.segment or self._facts_of(path).last_ms < since_ms:
                continue
            for event in read_events(path, number, since_ms, stream):
                if event.place >= first:
                    yield event

    def tail(self, group: str, count: int) -> list[LogEvent]:
        """Return a group's last events, the oldest first."""
        self.flush()
        last: list[LogEvent] = []
        for number, path in reversed(self._paths(group).items()):
            last = [*read_events(path, number), *last]
            if len(last) >= count:
                break
        return last[-count:]

    def _facts_of(self, path: Path) -> SegmentFacts:
        """Return a segment's facts; they are kept until the segment grows."""
        try:
            key = path, path.stat().st_size
        except FileNotFoundError:
            return SegmentFacts()
        facts = self._facts.get(key)
        if facts is None:
            facts = read_facts(path)
            for old in [known for known in list(self._facts) if known[0] == path]:
                self._facts.pop(old, None)
            self._facts[key] = facts
        return facts

    def _paths(self, group: str) -> dict[int, Path]:
        """Return a group's segments by number, the oldest first."""
        with contextlib.suppress(OSError):
            paths = [path for path in self._group_folder(group).iterdir() if path.stem.isdigit()]
            return {int(path.stem): path for path in sorted(paths)}
        return {}

    def _group_folder(self, group: str) -> Path:
        return self._folder / quote(group, safe="")

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            items = [self._queue.get()]
            if isinstance(items[0], _Chunk):
                self._hurry.wait(_GATHER_S)
            self._hurry.clear()
            with contextlib.suppress(queue.Empty):
                while True:
                    items.append(self._queue.get_nowait())
            chunks = [item for item in items if isinstance(item, _Chunk)]
            with self._changing:
                self._write(chunks)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            is_closing = None in items

    def _write(self, chunks: list[_Chunk]) -> None:
        records: dict[str, list[bytes]] = defaultdict(list)
        for chunk in chunks:
            records[chunk.group].append(encode_record(chunk.time_ms, chunk.stream, chunk.output))
        for group, encoded in records.items():
            try:
                self._append(group, encoded)
            except OSError as error:
                # Output is lost, and requests are answered nevertheless; said once.
                if self._failure is None:
                    _log.warning("the functions' log isn't kept: %s", error)
                self._failure = error
        self.backlog.done(sum(len(chunk.output) for chunk in chunks))

    def _append(self, group: str, records: Sequence[bytes]) -> None:
        number, size = self._open_segment(group)
        waiting = deque(records)
        while waiting:
            if size >= self._segment_bytes:
                number, size = number + 1, 0
            content = []
            while waiting and size < self._segment_bytes:
                content.append(waiting.popleft())
                size += len(content[-1])
            with (self._group_folder(group) / f"{number:08d}{_SUFFIX}").open("ab") as file:
                file.write(b"".join(content))
            self._open[group] = number, size
            for path in list(self._paths(group).values())[: -self._segments]:
                path.unlink(missing_ok=True)

    def _open_segment(self, group: str) -> tuple[int, int]:
        """Return number and size of the segment to write to. Each start of the emulator begins a new one."""
        if group not in self._open:
            self._group_folder(group).mkdir(parents=True, exist_ok=True)
            self._open[group] = max(self._paths(group), default=0) + 1, 0
        return self._open[group]
