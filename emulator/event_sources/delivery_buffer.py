"""Firehose's buffer: collects messages until an object is large or old enough, and names the object.

Source: Amazon Data Firehose developer guide, "Configure Amazon S3 object name format" and "Understand buffering hints".
No clock and no sockets: times and identifiers are passed in.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from dataclasses import dataclass

from emulator.template.event_sources.delivery_spec import StreamSpec

_MIB = 1 << 20
_COMPRESSION_LEVEL = 6


@dataclass(frozen=True, slots=True)
class LogObject:
    """An object to write."""

    key: str
    body: bytes
    messages: int
    # The memory that its messages took, uncompressed.
    size_bytes: int


class DeliveryBuffer:
    """The messages of one object in the making.

    Parameters
    ----------
    stream : StreamSpec
        Whose hints, prefix and compression apply.
    interval_s : float
        Shortens the stream's own interval.
    new_id : callable
        Returns what makes an object's name unique.
    """

    def __init__(self, stream: StreamSpec, interval_s: float, new_id: Callable[[], str]) -> None:
        hints = stream.destination.buffering_hints
        self._stream = stream
        self._interval_s = min(interval_s, float(hints.interval_in_seconds))
        self._limit_bytes = hints.size_in_mbs * _MIB
        self._new_id = new_id
        self._messages: list[bytes] = []
        self._size_bytes = 0
        self._first_at = dt.datetime.min
        self.due_at: float | None = None
        """When the object is to be written, on the clock of `add`; None while it is empty."""

    def add(self, message: bytes, now: float, time: dt.datetime) -> None:
        """Take a message, without a line end; ``time`` is that of ``now`` in UTC."""
        if self.due_at is None:
            self.due_at, self._first_at = now + self._interval_s, time
        self._messages.append(message)
        self._size_bytes += len(message) + 1

    def is_full(self) -> bool:
        """Return whether the object has reached the size of the hints."""
        return self._size_bytes >= self._limit_bytes

    def take(self) -> LogObject:
        """Return the object, and begin the next one; only if `due_at` isn't None."""
        content = b"\n".join([*self._messages, b""])
        result = LogObject(self._key(), self._compress(content), len(self._messages), self._size_bytes)
        self._messages, self._size_bytes, self.due_at = [], 0, None
        return result

    def _key(self) -> str:
        unique = self._new_id()
        prefix = self._stream.destination.prefix.render(self._first_at, unique[:11])
        # Fidelity: the stream's version, then the time of the oldest message.
        return f"{prefix}{self._stream.name}-1-{self._first_at:%Y-%m-%d-%H-%M-%S}-{unique}{self._stream.extension}"

    def _compress(self, content: bytes) -> bytes:
        if self._stream.destination.compression_format != "GZIP":
            return content
        return gzip.compress(content, _COMPRESSION_LEVEL)
