"""The part of S3 that the registry needs: strong reads, conditional writes, listing; and deadlines for the reads.

A caller sets a deadline around a block, and the code in between needn't pass it on. A client's time-out bounds a single
wait, so a server that sends a byte now and then never exceeds it. A deadline bounds a whole read, and all reads of a
block together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

# A larger model doesn't fit into the function's 1,769 MiB beside the model in charge.
MAX_OBJECT_BYTES = 512 << 20

# For each enclosing block, a function that returns the seconds until its deadline.
_DEADLINES: ContextVar[tuple[Callable[[], float], ...]] = ContextVar("deadlines", default=())


@dataclass(frozen=True)
class StoredObject:
    """An object's bytes, and the entity tag that names exactly these bytes under this key."""

    body: bytes = field(repr=False)
    etag: str


class ObjectStore(Protocol):
    """A bucket. For any failure but those named here a store raises ``StoreUnavailableError``."""

    def get(self, key: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject:
        """Return an object.

        Raises ``ObjectNotFoundError`` if it doesn't exist, and ``ObjectTooLargeError`` if it has more bytes than the
        limit; no more than these are read.
        """

    def get_if_changed(self, key: str, etag: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject | None:
        """Return an object, or None if it still has this entity tag; raises as ``get`` does."""

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write an object durably and return its entity tag.

        With ``if_absent`` it must not exist yet; with ``if_match`` it must still have that entity tag. Otherwise
        ``PreconditionFailedError`` is raised, and nothing is written.
        """

    def list_keys(self, prefix: str) -> list[str]:
        """Return all keys that begin with ``prefix``, sorted."""

    def delete(self, key: str) -> None:
        """Remove an object; no error if it doesn't exist."""


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
