"""Deadlines for a store's reads. A caller sets one around a block, and the code in between needn't pass it on.

A client's time-out bounds a single wait, so a server that sends a byte now and then never exceeds it. A deadline bounds
a whole read, and all reads of a block together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on a monotonic clock.

    Attributes
    ----------
    at_s : float
        The moment, in the clock's seconds.
    clock : callable
        Returns the clock's seconds now.
    """

    at_s: float
    clock: Callable[[], float]

    def remaining_s(self) -> float:
        """Return the seconds that are left, at least 0."""
        return max(0.0, self.at_s - self.clock())


_DEADLINES: ContextVar[tuple[Deadline, ...]] = ContextVar("deadlines", default=())


@contextmanager
def reads_until(deadline: Deadline) -> Iterator[None]:
    """End the reads within the block at the deadline, or at an outer block's if that is earlier."""
    token = _DEADLINES.set((*_DEADLINES.get(), deadline))
    try:
        yield
    finally:
        _DEADLINES.reset(token)


def remaining_s() -> float:
    """Return the seconds that a read begun now may take; infinite outside of such blocks."""
    return min((deadline.remaining_s() for deadline in _DEADLINES.get()), default=math.inf)
