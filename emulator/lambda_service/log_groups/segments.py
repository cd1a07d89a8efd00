r"""The files of a log group: what is written into them, and the log events in them. Pure but for reading files.

A segment holds records one after the other: a line with time, size and stream, and then the output itself, whole lines.

    1732887600123 27 2025/11/29/[1]0a1b…
    first line
    {"second": "line"}

A log group's segments are numbered; a number is never used twice, so that a place in them stays the same event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where an event is: its segment, its record's position there, and its line in the record. In order of time."""

    segment: int
    offset: int
    line: int

    def text(self) -> str:
        """Return it as the 56 digits of an event's id."""
        return f"{self.segment:016d}{self.offset:020d}{self.line:020d}"

    @classmethod
    def from_text(cls, text: str) -> Place:
        """Read what `text` returned; raise `ValueError` for anything else."""
        if len(text) != 56 or not text.isascii() or not text.isdigit():
            raise ValueError(text)
        return cls(int(text[:16]), int(text[16:36]), int(text[36:]))


START = Place(0, 0, 0)


class LogEvent(NamedTuple):
    """One line of a stream, with its line end; a stack trace, whose lines end in \\r, is one event."""

    place: Place
    time_ms: int
    stream: str
    message: str


@dataclass(slots=True)
class StreamFacts:
    """What is known of one stream without its events."""

    first_ms: int
    last_ms: int
    size_bytes: int = 0


@dataclass(slots=True)
class SegmentFacts:
    """What is known of one segment without its events."""

    last_ms: int = 0
    streams: dict[str, StreamFacts] = field(default_factory=dict)


class _Record(NamedTuple):
    offset: int
    time_ms: int
    stream: str
    output: bytes


def encode_record(time_ms: int, stream: str, output: bytes) -> bytes:
    """Return a record of output, which is whole lines."""
    return b"%d %d %s\n%b" % (time_ms, len(output), stream.encode(), output)


def read_facts(path: Path) -> SegmentFacts:
    """Return a segment's facts."""
    facts = SegmentFacts()
    for record in _records(path):
        facts.last_ms = max(facts.last_ms, record.time_ms)
        stream = facts.streams.setdefault(record.stream, StreamFacts(record.time_ms, record.time_ms))
        stream.last_ms = record.time_ms
        stream.size_bytes += len(record.output)
    return facts


def read_events(path: Path, number: int, since_ms: int = 0, stream: str | None = None) -> Iterator[LogEvent]:
    """Yield the events of the segment with this number: from a time on, and of one stream if it is named."""
    for record in _records(path):
        if record.time_ms < since_ms or stream not in (None, record.stream):
            continue
        for line, content in enumerate(record.output.split(b"\n")[:-1]):
            text = content.removesuffix(b"\r").replace(b"\r", b"\n").decode("utf-8", "replace")
            yield LogEvent(Place(number, record.offset, line), record.time_ms, record.stream, text + "\n")


def _records(path: Path) -> Iterator[_Record]:
    """Yield a segment's records; one that is cut off, by ``kill -9`` or as it is being written, is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return  # It was the oldest one, and has been removed meanwhile.
    offset = 0
    while (end := content.find(b"\n", offset)) >= 0:
        try:
            time_ms, size, stream = content[offset:end].split(b" ", 2)
            record = _Record(offset, int(time_ms), stream.decode(), content[end + 1 : end + 1 + int(size)])
        except ValueError:
            return
        if len(record.output) < int(size):
            return
        yield record
        offset = end + 1 + int(size)
