"""Delivers log events to a bucket, as CloudWatch Logs' subscriptions and Firehose do together.

Requests never wait for it: the event loop only puts functions' output into a queue. A thread for each stream selects,
buffers, compresses and writes.

    function's output → queue → matching lines → buffer → object → bucket
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from emulator.event_sources.delivery_buffer import DeliveryBuffer, LogObject
from emulator.template.event_sources.delivery_spec import StreamSpec, SubscriptionSpec
from emulator.template.event_sources.filter_patterns import FilterPattern

# What waits for a bucket that doesn't answer: queue, buffer and objects together, uncompressed.
MAX_WAITING_BYTES = 64 << 20
# Output is gathered for so long before the thread looks at it: waking it for each line would cost requests time.
_GATHER_S = 0.1
_FIRST_RETRY_S = 0.25
_LONGEST_RETRY_S = 5.0
_log = logging.getLogger(__name__)


class _Chunk(NamedTuple):
    """Lines of a log group, and when they came: the buffer's interval counts from then."""

    pattern: FilterPattern
    lines: bytes
    at: float
    time: dt.datetime


class ObjectWriter(Protocol):
    """Where objects are written to."""

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object; raise an exception if that isn't certain, and it is written again later."""


class StreamDelivery:
    """Delivers one stream's messages until it is closed.

    At most `MAX_WAITING_BYTES` wait for the bucket; further output is dropped and counted.

    Parameters
    ----------
    stream : StreamSpec
        The stream.
    writer : ObjectWriter
        Called in the thread.
    interval_s : float
        Shortens the stream's buffering interval.
    """

    def __init__(self, stream: StreamSpec, writer: ObjectWriter, interval_s: float) -> None:
        self._stream = stream
        self._writer = writer
        self._buffer = DeliveryBuffer(stream, interval_s, lambda: str(uuid4()))
        self._objects: deque[LogObject] = deque()
        self._queue: queue.SimpleQueue[_Chunk | threading.Event | None] = queue.SimpleQueue()
        # Set first, so that the thread stops gathering; then the end of the queue says that all is received.
        self._closing = threading.Event()
        self._is_closing = False
        self._retry_at = 0.0
        self._retry_wait_s = _FIRST_RETRY_S
        self._failure: str | None = None
        # Only one thread writes each of these, so that no count is lost.
        self._offered_bytes = 0
        self._dropped_lines = 0
        self._told_dropped_lines = 0
        self._unreadable_lines = 0
        self._finished_bytes = 0
        self._delivered = 0
        self._thread = threading.Thread(target=self._run, name=f"deliver {stream.logical_id}", daemon=True)
        self._thread.start()

    def offer(self, pattern: FilterPattern, lines: bytes) -> None:
        """Take whole lines of a log group; those that match the pattern are delivered. Never waits."""
        if self._offered_bytes - self._finished_bytes + len(lines) > MAX_WAITING_BYTES:
            self._dropped_lines += lines.count(b"\n")
            return
        self._offered_bytes += len(lines)
        self._queue.put(_Chunk(pattern, lines, time.monotonic(), dt.datetime.now(dt.UTC)))

    def status(self) -> dict[str, Any]:
        """Return what was delivered, waits and was dropped, for the status page."""
        return {
            "stream": self._stream.logical_id,
            "bucket": self._stream.bucket,
            "delivered": self._delivered,
            "waitingBytes": self._offered_bytes - self._finished_bytes,
            "droppedLines": self._dropped_lines + self._unreadable_lines,
            "failure": self._failure,
        }

    def forget(self) -> threading.Event:
        """Drop what waits; the returned event is set once an object that is being written is done, too."""
        forgotten = threading.Event()
        self._queue.put(forgotten)
        return forgotten

    def stop(self) -> None:
        """Deliver what is left, each object in one attempt, and then end; returns at once."""
        self._closing.set()
        self._queue.put(None)

    def wait(self, limit_s: float) -> None:
        """Wait at most so many seconds until all is delivered; say how much couldn't be."""
        self._thread.join(limit_s)
        left = self._offered_bytes - self._finished_bytes
        if left:
            reason = self._failure or "the bucket is too slow"
            _log.warning("%s: %d bytes of the log were not delivered: %s", self._stream.logical_id, left, reason)

    def _run(self) -> None:
        while not self._is_closing:
            self._receive()
            if self._buffer.due_at is not None and (self._is_closing or self._buffer.due_at <= time.monotonic()):
                self._objects.append(self._buffer.take())
            if self._objects and (self._is_closing or self._retry_at <= time.monotonic()):
                self._send()

    def _receive(self) -> None:
        """Wait for output, until something else is due, and put the lines that match into the buffer."""
        times = [self._buffer.due_at, self._retry_at if self._objects else None]
        due_at = min((at for at in times if at is not None), default=None)
        try:
            wait_s = None if due_at is None else max(0.0, due_at - time.monotonic())
            chunks = [self._queue.get(timeout=wait_s)]
        except queue.Empty:
            return
        if chunks[0] is not None:
            self._closing.wait(_GATHER_S)
        with contextlib.suppress(queue.Empty):
            while True:
                chunks.append(self._queue.get_nowait())
        for chunk in chunks:
            if chunk is None:
                self._is_closing = True
            elif isinstance(chunk, threading.Event):
                self._drop_all()
                chunk.set()
            else:
                self._select(chunk)

    def _drop_all(self) -> None:
        if self._buffer.due_at is not None:
            self._objects.append(self._buffer.take())
        self._finished_bytes += sum(waiting.size_bytes for waiting in self._objects)
        self._objects.clear()

    def _select(self, chunk: _Chunk) -> None:
        """Put the lines that match into the buffer."""
        matching = 0
        for line in chunk.lines.splitlines():
            if line and self._matches(chunk.pattern, line):
                matching += len(line) + 1
                self._buffer.add(line, chunk.at, chunk.time)
                if self._buffer.is_full():
                    self._objects.append(self._buffer.take())
        self._finished_bytes += len(chunk.lines) - matching

    def _matches(self, pattern: FilterPattern, line: bytes) -> bool:
        """Return whether a line is delivered. One on which the pattern fails is dropped and counted, and it alone."""
        try:
            return pattern.matches(line)
        except Exception:  # noqa: BLE001 - logged once; the thread must outlive a mistake in a pattern
            if not self._unreadable_lines:
                message = "%s: the pattern %r failed on a line of the log, which is dropped; further ones are counted"
                _log.exception(message, self._stream.logical_id, pattern.text)
            self._unreadable_lines += 1
            return False

    def _send(self) -> None:
        """Write the objects that wait, the oldest first, until one fails."""
        while self._objects:
            log_object = self._objects[0]
            try:
                self._writer.put(self._stream.bucket, log_object.key, log_object.body)
            except Exception as error:  # noqa: BLE001 - whatever it was, the object waits for its next attempt
                self._note_failure(str(error))
                return
            self._objects.popleft()
            self._finished_bytes += log_object.size_bytes
            self._delivered += log_object.messages
        self._note_success()

    def _note_failure(self, reason: str) -> None:
        if self._failure is None:
            _log.warning("%s: the log can't be delivered, and is tried again: %s", self._stream.logical_id, reason)
        self._failure = reason
        self._retry_at = time.monotonic() + self._retry_wait_s
        self._retry_wait_s = min(self._retry_wait_s * 2, _LONGEST_RETRY_S)

    def _note_success(self) -> None:
        self._retry_at, self._retry_wait_s = 0.0, _FIRST_RETRY_S
        dropped = self._dropped_lines - self._told_dropped_lines
        if self._failure is not None:
            _log.warning("%s: the log is delivered again; %d lines were dropped", self._stream.logical_id, dropped)
        self._told_dropped_lines += dropped
        self._failure = None


class LogDelivery:
    """The deliveries of a template's subscriptions."""

    def __init__(self, subscriptions: Iterable[SubscriptionSpec], writer: ObjectWriter, interval_s: float) -> None:
        self._streams: dict[str, StreamDelivery] = {}
        self.subscribers: dict[str, list[Callable[[bytes], None]]] = {}
        """By log group: what gets its lines."""
        for subscription in subscriptions:
            name = subscription.stream.logical_id
            if name not in self._streams:
                self._streams[name] = StreamDelivery(subscription.stream, writer, interval_s)
            take = partial(self._streams[name].offer, subscription.pattern)
            self.subscribers.setdefault(subscription.log_group, []).append(take)

    def status(self) -> list[Mapping[str, Any]]:
        """Return each stream's status."""
        return [stream.status() for stream in self._streams.values()]

    def forget(self, limit_s: float) -> None:
        """Drop what waits to be delivered; wait at most so many seconds for an object that is being written."""
        deadline = time.monotonic() + limit_s
        for forgotten in [stream.forget() for stream in self._streams.values()]:
            forgotten.wait(max(0.0, deadline - time.monotonic()))

    def close(self, limit_s: float) -> None:
        """Deliver what is left, in at most so many seconds."""
        deadline = time.monotonic() + limit_s
        # All at once: a silent bucket must not use up the time of the others.
        for stream in self._streams.values():
            stream.stop()
        for stream in self._streams.values():
            stream.wait(max(0.0, deadline - time.monotonic()))
