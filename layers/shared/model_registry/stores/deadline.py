"""How long reads of a store may take together, for whoever calls through code that need not know of it.

The time-outs of a client hold for one wait each: a server that sends a byte now and then never trips them. A deadline
holds for a whole read, and for all reads of a block.
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
        """Return the seconds that are left; 0 if none are."""
        return max(0.0, self.at_s - self.clock())


_DEADLINES: ContextVar[tuple[Deadline, ...]] = ContextVar("deadlines", default=())


@contextmanager
def reads_until(deadline: Deadline) -> Iterator[None]:
    """Let the reads within the block end by then, or earlier if an outer block says so."""
    token = _DEADLINES.set((*_DEADLINES.get(), deadline))
    try:
        yield
    finally:
        _DEADLINES.reset(token)


def remaining_s() -> float:
    """Return the seconds that a read begun now may take; infinite outside of such a block."""
    return min((deadline.remaining_s() for deadline in _DEADLINES.get()), default=math.inf)
