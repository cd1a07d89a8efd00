"""Counts the bytes that wait for a writing thread; says when to slow down, and what found no room."""

from __future__ import annotations

_SLOW_BYTES = 4 << 20
_MAX_BYTES = 16 << 20
_PATIENCE_S = 1.0


class Backlog:
    """The output that one thread still has to write.

    Functions that print faster than the thread writes are slowed down. If the thread writes nothing for a second, since
    a terminal is paused or nobody reads a pipe, then functions go on, and what finds no room is counted.
    """

    def __init__(self) -> None:
        # Only one thread writes each of these, so that no count is lost.
        self._added_bytes = 0
        self._done_bytes = 0
        self._dropped_bytes = 0
        self._progress = 0
        self._progress_at = 0.0

    def add(self, size_bytes: int) -> bool:
        """Return whether there is room for so many bytes; they count as waiting, or as dropped."""
        if self._added_bytes - self._done_bytes + size_bytes > _MAX_BYTES:
            self._dropped_bytes += size_bytes
            return False
        self._added_bytes += size_bytes
        return True

    def done(self, size_bytes: int) -> None:
        """Note that the thread has written so many of the bytes."""
        self._done_bytes += size_bytes

    def note_dropped(self) -> bytes:
        """Return a line that says how much found no room since the last call; nothing if all did."""
        if not self._dropped_bytes:
            return b""
        line = f"[{self._dropped_bytes} bytes of functions' output dropped]\n".encode()
        self._dropped_bytes = 0
        self._added_bytes += len(line)
        return line

    def is_long(self, now_s: float) -> bool:
        """Return whether functions should wait before they print more; ``now_s`` is on any steady clock."""
        if self._added_bytes - self._done_bytes < _SLOW_BYTES or self._done_bytes != self._progress:
            self._progress, self._progress_at = self._done_bytes, now_s
        return self._added_bytes - self._done_bytes >= _SLOW_BYTES and now_s - self._progress_at < _PATIENCE_S
