"""Tells the time, and how much of it has passed. Only ``app`` uses ``read_clocks``; all else gets a clock passed in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple


class Instant(NamedTuple):
    """One moment on both clocks, in seconds. A tuple, since a request reads the clocks some fifteen times."""

    monotonic_s: float
    wall_s: float


Clock = Callable[[], Instant]


def read_clocks() -> Instant:
    """Return this moment by the machine's clocks."""
    return Instant(time.monotonic(), time.time())


def elapsed_s(since: Instant, now: Instant) -> float:
    """Return the longest time, in seconds, that may have passed; infinite if the wall clock was set back.

    Lambda freezes an environment between invocations and restores snapshots days later. The monotonic clock may stand
    still meanwhile, and the wall clock may be set back. So the larger of both differences counts.
    """
    return math.inf if now.wall_s < since.wall_s else known_elapsed_s(since, now)


def known_elapsed_s(since: Instant, now: Instant) -> float:
    """Return the seconds that have certainly passed: always finite, so that it can be a metric."""
    return max(now.monotonic_s - since.monotonic_s, now.wall_s - since.wall_s, 0.0)
