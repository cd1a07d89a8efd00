"""Measures the memory of an environment's processes, and reports when it exceeds the function's limit.

The environment's first process counts in full (RSS): it may share pages with the snapshot that it was forked from, but
on Lambda each environment has its own copy of every page. Of the processes that it has started only their own share
counts (PSS), because on Lambda, too, the processes of one environment share pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from emulator.lambda_service.sandbox.process_tree import descendants

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MB = 1 << 20
# Memory isn't filled faster than this: the more is left, the later the next check may be.
_GROWTH_BYTES_PER_S = 2 << 30
_SHORTEST_WAIT_S = 0.02
_LONGEST_WAIT_S = 1.0
_PEAK_EVERY_S = 1.0


def resident_bytes(pid: int) -> int:
    """Return a process's RSS; 0 if the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Return a process's PSS: its own pages and its part of shared ones. Slower than `resident_bytes`."""
    return _kilobytes(f"/proc/{pid}/smaps_rollup", b"Pss:") * 1024


def used_bytes(pid: int, limit_bytes: int) -> int:
    """Return the memory that counts against an environment's limit.

    RSS counts shared pages several times, but is cheaper to read; PSS is read only if RSS exceeds the limit.
    """
    first_bytes = resident_bytes(pid)
    children = descendants(pid)
    upper_bound = first_bytes + sum(map(resident_bytes, children))
    if not children or upper_bound <= limit_bytes:
        return upper_bound
    return first_bytes + sum(map(proportional_bytes, children))


class MemoryWatch:
    """Checks an environment's memory while it works; the less memory is left, the more often.

    Idle environments aren't checked: on Lambda they are frozen.
    """

    def __init__(self, limit_mb: int, is_at_work: Callable[[], bool], over_limit: Callable[[], None]) -> None:
        self._limit_mb = limit_mb
        self._limit_bytes = limit_mb * _MB
        self._is_at_work = is_at_work
        self._over_limit = over_limit
        self._pid = 0
        self._left_bytes = self._limit_bytes
        self._timer: asyncio.TimerHandle | None = None
        self._peak_mb: int | None = None
        self._peak_read = 0.0

    def begin(self, pid: int) -> None:
        """Watch a new process."""
        self.end()
        self._pid = pid
        self._left_bytes = self._limit_bytes
        self._peak_mb = None
        self._peak_read = 0.0
        self.wake()

    def wake(self) -> None:
        """Check from now on, until the environment is idle; call this when it gets work."""
        if self._pid and self._timer is None:
            wait_s = min(max(self._left_bytes / _GROWTH_BYTES_PER_S, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._check)

    def end(self) -> None:
        """Stop checking."""
        self._pid = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def peak_mb(self) -> int | None:
        """Return the highest use of the first process, at most the limit; up to a second old."""
        now = time.monotonic()
        if self._pid and now - self._peak_read > _PEAK_EVERY_S:
            self._peak_read = now
            if peak_kb := _kilobytes(f"/proc/{self._pid}/status", b"VmHWM:"):
                self._peak_mb = min(-(-peak_kb // 1024), self._limit_mb)
        return self._peak_mb

    def _check(self) -> None:
        self._timer = None
        used = used_bytes(self._pid, self._limit_bytes)
        self._left_bytes = self._limit_bytes - used
        if self._left_bytes < 0:
            self._over_limit()
        elif self._is_at_work():
            self.wake()


def _kilobytes(path: str, name: bytes) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(path).read_bytes().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
