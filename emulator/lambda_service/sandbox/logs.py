"""Reads what a function's process prints, line by line, and hands it to the environment's log stream."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from typing import Protocol

_CHUNK_BYTES = 65_536
_PAUSE_S = 0.02
_TAIL_BYTES = 4096
# CloudWatch Logs' limit of an event from Lambda, 256 KB, of which it takes 26 bytes for itself: users found longer
# lines divided at that size.
MAX_LINE_BYTES = (256 << 10) - 26


class LogOutput(Protocol):
    """What takes the output of one environment."""

    def write(self, data: bytes) -> None:
        """Take whole lines; call on the event loop."""

    def is_behind(self) -> bool:
        """Return whether the function should wait before it prints more."""


class LogTail:
    """The last 4 KB of one invocation's log, for ``LogType: Tail``."""

    def __init__(self) -> None:
        self.value = b""
        """The end of the log so far."""

    def write(self, data: bytes) -> None:
        """Take more of the log."""
        self.value = (self.value + data.replace(b"\r", b"\n"))[-_TAIL_BYTES:]


class LogPipe:
    """The pipe of a process's stdout and stderr; passes whole lines on.

    A process that prints faster than its output is written finds the pipe full, and waits.
    """

    def __init__(self, output: LogOutput) -> None:
        self._output = output
        self.tail: LogTail | None = None
        """If it is set, it gets all output, too."""
        self._read, self.write_fd = os.pipe()
        os.set_blocking(self._read, False)
        self._unfinished_line = b""
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read, self._readable)

    def drain(self) -> None:
        """Pass on the whole lines that are in the pipe; what is printed meanwhile waits for the next call."""
        if not self._open:
            return
        left = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._read, termios.FIONREAD, left)
        missing = left[0]
        while missing > 0 and (data := self._read_chunk()):
            missing -= len(data)
            self._take(data)

    def end_line(self) -> None:
        """Pass on all that is in the pipe; a line that isn't finished is ended here."""
        self.drain()
        if self._unfinished_line:
            line, self._unfinished_line = self._unfinished_line, b""
            self._write(line + b"\n")

    def finish(self) -> None:
        """Pass on the remaining output and close the pipe."""
        if not self._open:
            return
        self.end_line()
        self._open = False
        self._loop.remove_reader(self._read)
        os.close(self._read)

    def _readable(self) -> None:
        # One piece at a time: a function that never stops printing must not keep the others waiting.
        if self._output.is_behind():
            self._loop.remove_reader(self._read)
            self._loop.call_later(_PAUSE_S, self._resume)
            return
        data = self._read_chunk()
        if data == b"":
            self.finish()
        elif data is not None:
            self._take(data)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._read, self._readable)

    def _read_chunk(self) -> bytes | None:
        """Return what is in the pipe, nothing at its end, and None if it is empty."""
        try:
            return os.read(self._read, _CHUNK_BYTES)
        except BlockingIOError:
            return None

    def _take(self, data: bytes) -> None:
        lines, newline, self._unfinished_line = (self._unfinished_line + data).rpartition(b"\n")
        if newline:
            self._write(lines + newline)
        while len(self._unfinished_line) > MAX_LINE_BYTES:
            size = _whole_characters(self._unfinished_line, MAX_LINE_BYTES)
            piece, self._unfinished_line = self._unfinished_line[:size], self._unfinished_line[size:]
            self._write(piece + b"\n")

    def _write(self, lines: bytes) -> None:
        if len(lines) > MAX_LINE_BYTES:
            lines = b"".join(piece + b"\n" for line in lines.split(b"\n")[:-1] for piece in _pieces(line))
        self._output.write(lines)
        if self.tail is not None:
            self.tail.write(lines)


def _pieces(line: bytes) -> Iterator[bytes]:
    """Divide a line at the limit of a log event."""
    while len(line) > MAX_LINE_BYTES:
        size = _whole_characters(line, MAX_LINE_BYTES)
        yield line[:size]
        line = line[size:]
    yield line


def _whole_characters(text: bytes, size: int) -> int:
    """Return the largest size up to the given one that cuts no character of UTF-8 in two."""
    return next((end for end in range(size, size - 4, -1) if text[end] & 0xC0 != 0x80), size)
