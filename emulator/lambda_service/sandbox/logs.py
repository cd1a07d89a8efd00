"""Collects the functions' output and writes it to the emulator's stderr or log file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

_CHUNK_BYTES = 65_536
_FLUSH_AFTER_S = 0.02
_MAX_WAITING_BYTES = 16 << 20
_TAIL_BYTES = 4096
# CloudWatch Logs' limit of an event; a longer line is divided.
_MAX_LINE_BYTES = 1 << 20


class LogOutput(Protocol):
    """What takes the output of functions."""

    def write(self, data: bytes) -> None:
        """Take whole lines; call on the event loop."""


class LogSink:
    """Writes functions' output, in order, and never delays an invocation.

    A thread does the writing: a terminal that is paused, or a pipe that nobody reads, must not stop requests. At most
    16 MiB wait for a slow reader; more is dropped, and a line says how much. ``subscribers`` get the lines of their log
    group, too; they must return at once.
    """

    def __init__(
        self, descriptor: int, subscribers: Mapping[str, Collection[Callable[[bytes], None]]] | None = None
    ) -> None:
        self._descriptor = descriptor
        self._subscribers = subscribers or {}
        self._pending: list[bytes] = []
        self._flushing = False
        # Only one thread writes each of these, so that no count is lost.
        self._queued_bytes = 0
        self._written_bytes = 0
        self._dropped_bytes = 0
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="function-logs", daemon=True)
        self._thread.start()

    def of_group(self, name: str) -> LogOutput:
        """Return what takes the output of one log group."""
        subscribers = self._subscribers.get(name)
        return _SubscribedOutput(self, subscribers) if subscribers else self

    def write(self, data: bytes) -> None:
        """See `LogOutput`."""
        self._pending.append(data)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(_FLUSH_AFTER_S, self._flush)

    def close(self) -> None:
        """Write the remaining output; wait at most half a second for a slow reader."""
        self._flush()
        self._queue.put(None)
        self._thread.join(timeout=0.5)

    def _flush(self) -> None:
        self._flushing = False
        data = b"".join(self._pending)
        self._pending.clear()
        if self._queued_bytes - self._written_bytes + len(data) > _MAX_WAITING_BYTES:
            self._dropped_bytes += len(data)
            return
        if self._dropped_bytes:
            data = f"[{self._dropped_bytes} bytes of functions' output dropped]\n".encode() + data
            self._dropped_bytes = 0
        if data:
            self._queued_bytes += len(data)
            self._queue.put(data)

    def _write_all(self) -> None:
        while (data := self._queue.get()) is not None:
            view = memoryview(data)
            with contextlib.suppress(OSError):
                while view:
                    view = view[os.write(self._descriptor, view) :]
            self._written_bytes += len(data)


class _SubscribedOutput:
    """The output of a log group that has subscribers."""

    def __init__(self, sink: LogSink, subscribers: Collection[Callable[[bytes], None]]) -> None:
        self._sink = sink
        self._subscribers = subscribers

    def write(self, data: bytes) -> None:
        """See `LogOutput`."""
        self._sink.write(data)
        for subscriber in self._subscribers:
            subscriber(data)


class LogTail:
    """The last 4 KB of one invocation's log, for ``LogType: Tail``."""

    def __init__(self) -> None:
        self.value = b""
        """The end of the log so far."""

    def write(self, data: bytes) -> None:
        """Take more of the log."""
        self.value = (self.value + data)[-_TAIL_BYTES:]


class LogPipe:
    """The pipe of a process's stdout and stderr; passes whole lines to a sink."""

    def __init__(self, sink: LogOutput) -> None:
        self._sink = sink
        self.tail: LogTail | None = None
        """If it is set, it gets all output, too."""
        self._read, self.write_fd = os.pipe()
        os.set_blocking(self._read, False)
        self._unfinished_line = b""
        self._open = True
        asyncio.get_running_loop().add_reader(self._read, self.drain)

    def drain(self) -> None:
        """Pass on the output so far; returns at once if nothing was written."""
        while self._open:
            try:
                data = os.read(self._read, _CHUNK_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.finish()
                return
            lines, newline, self._unfinished_line = (self._unfinished_line + data).rpartition(b"\n")
            if newline:
                self._write(lines + newline)
            elif len(self._unfinished_line) > _MAX_LINE_BYTES:
                self._write(self._unfinished_line + b"\n")
                self._unfinished_line = b""
            if len(data) < _CHUNK_BYTES:
                return

    def finish(self) -> None:
        """Pass on the remaining output and close the pipe."""
        if not self._open:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._read, _CHUNK_BYTES):
                self._unfinished_line += data
        self._open = False
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        if self._unfinished_line:
            self._write(self._unfinished_line + (b"" if self._unfinished_line.endswith(b"\n") else b"\n"))

    def _write(self, data: bytes) -> None:
        # The runtime client ends the lines of a stack trace with \r, which CloudWatch shows as line ends.
        lines = data.replace(b"\r", b"\n")
        self._sink.write(lines)
        if self.tail is not None:
            self.tail.write(lines)
