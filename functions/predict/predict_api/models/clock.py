"""Time, as something that is passed in. Pure but for ``SystemClock``, which the wiring place alone constructs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Instant:
    """One moment on both clocks, in seconds."""

    monotonic_s: float
    wall_s: float


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Instant:
        """Return this moment."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Instant:
        """Return this moment."""
        return Instant(monotonic_s=time.monotonic(), wall_s=time.time())


def elapsed_s(since: Instant, now: Instant) -> float:
    """Return how long ago ``since`` may have been at most.

    Lambda freezes an environment between invocations and restores snapshots days later: the monotonic clock may stand
    still meanwhile, and the wall clock may be set back. So the larger of both differences counts, and a wall clock
    that went back means that nothing is known.

    Parameters
    ----------
    since, now : Instant
        Two moments, the earlier one first.

    Returns
    -------
    float
        Seconds, infinite if the wall clock went back.
    """
    if now.wall_s < since.wall_s:
        return math.inf
    return known_elapsed_s(since, now)


def known_elapsed_s(since: Instant, now: Instant) -> float:
    """Return how long ago ``since`` was at least, always finite: what may be measured, and what an alarm can compare.

    Parameters
    ----------
    since, now : Instant
        Two moments, the earlier one first.
    """
    return max(now.monotonic_s - since.monotonic_s, now.wall_s - since.wall_s, 0.0)
