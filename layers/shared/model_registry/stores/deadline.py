"""Deadlines for a store's reads. A caller sets one around a block, and the code in between needn't pass it on.

A client's time-out bounds a single wait, so a server that sends a byte now and then never exceeds it. A deadline bounds
a whole read, and all reads of a block together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# For each enclosing block, a function that returns the seconds until its deadline.
_DEADLINES: ContextVar[tuple[Callable[[], float], ...]] = ContextVar("deadlines", default=())


@contextmanager
def reads_until(deadline_s: float, clock: Callable[[], float]) -> Iterator[None]:
    """End the reads within the block at a moment of the monotonic clock, or at an outer block's if that is earlier."""
    token = _DEADLINES.set((*_DEADLINES.get(), lambda: deadline_s - clock()))
    try:
        yield
    finally:
        _DEADLINES.reset(token)


def remaining_s() -> float:
    """Return the seconds that a read begun now may take, at least 0; infinite outside of such blocks."""
    return max(0.0, min((remaining() for remaining in _DEADLINES.get()), default=math.inf))
