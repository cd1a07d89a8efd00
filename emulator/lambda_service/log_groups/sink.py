"""Hands the functions' output on: to stderr or the log file, to the log store, and to subscribers of a group."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from emulator.lambda_service.log_groups.backlog import Backlog
from emulator.lambda_service.log_groups.log_file import Descriptor
from emulator.lambda_service.log_groups.store import LogStore

_FLUSH_AFTER_S = 0.02


class _Target(Protocol):
    def write(self, data: bytes | memoryview) -> int:
        """Write the beginning of some lines, and return how many bytes that was."""

    def end_batch(self) -> None:
        """Note that whole lines have been written."""


class LogSink:
    """Writes functions' output, in order, and never delays an invocation.

    A thread does the writing: a terminal that is paused, or a pipe that nobody reads, must not stop requests.
    ``subscribers`` get the lines of their log group, too; they must return at once.
    """

    def __init__(
        self,
        target: int | _Target,
        subscribers: Mapping[str, Collection[Callable[[bytes], None]]] | None = None,
        store: LogStore | None = None,
    ) -> None:
        self.store = store
        """What keeps the output for CloudWatch Logs' API; None if nothing does."""
        self._target = Descriptor(target) if isinstance(target, int) else target
        self._subscribers = subscribers or {}
        self._pending: list[bytes] = []
        self._backlog = Backlog()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="function-logs", daemon=True)
        self._thread.start()

    def stream(self, group: str, name: str) -> StreamOutput:
        """Return what takes the output of one log stream."""
        return StreamOutput(self, group, name, self._subscribers.get(group, ()))

    def write(self, data: bytes) -> None:
        """Take whole lines; call on the event loop."""
        if not self._backlog.add(len(data)):
            return
        if not self._pending:
            asyncio.get_running_loop().call_later(_FLUSH_AFTER_S, self._flush)
        self._pending.append(self._backlog.note_dropped() + data)

    def is_behind(self) -> bool:
        """Return whether functions should wait before they print more."""
        now_s = asyncio.get_running_loop().time()
        return self._backlog.is_long(now_s) or (self.store is not None and self.store.backlog.is_long(now_s))

    def close(self) -> None:
        """Write the remaining output; wait at most half a second for a slow reader."""
        self._pending.append(self._backlog.note_dropped())
        self._flush()
        self._queue.put(None)
        self._thread.join(timeout=0.5)

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        if data:
            self._queue.put(data)

    def _write_all(self) -> None:
        while (data := self._queue.get()) is not None:
            view, written = memoryview(data), 0
            with contextlib.suppress(OSError):
                while written < len(data):
                    size = self._target.write(view[written:])
                    written += size
                    self._backlog.done(size)
            self._backlog.done(len(data) - written)
            with contextlib.suppress(OSError):
                self._target.end_batch()


class StreamOutput:
    """Takes the output of one log stream; see `emulator.lambda_service.sandbox.logs.LogOutput`."""

    def __init__(
        self, sink: LogSink, group: str, name: str, subscribers: Collection[Callable[[bytes], None]] = ()
    ) -> None:
        self.name = name
        """The stream's name."""
        self._sink = sink
        self._group = group
        self._subscribers = subscribers

    def write(self, data: bytes) -> None:
        """Take whole lines; call on the event loop."""
        # The runtime client ends the lines of a stack trace with \r: to CloudWatch they are one event of many lines.
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
        self._sink.write(lines)
        if self._sink.store is not None:
            self._sink.store.write(self._group, self.name, data)
        for subscriber in self._subscribers:
            subscriber(lines)

    def is_behind(self) -> bool:
        """Return whether the function should wait before it prints more."""
        return self._sink.is_behind()
