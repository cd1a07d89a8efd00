"""How long a change by Lambda's API is in progress. Pure: it gets its clock.

Fidelity: on AWS a function that was just updated refuses another update, and a version that was just made refuses
requests, for some seconds. A script that doesn't wait for the end would work here and fail there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Change:
    is_new: bool
    ends_at_s: float


class ChangesInProgress:
    """Functions and versions that were just changed or made; each for `duration_s` seconds of `clock`."""

    def __init__(self, duration_s: float = 0.0, clock: Callable[[], float] = lambda: 0.0) -> None:
        self._duration_s = duration_s
        self._clock = clock
        self._changes: dict[tuple[str, str], _Change] = {}

    def begin(self, name: str, version: str, *, is_new: bool = False) -> None:
        """Note that a version, or ``$LATEST``, has been changed or made."""
        self._changes[name, version] = _Change(is_new, self._clock() + self._duration_s)

    def clear(self) -> None:
        """Let no change be in progress."""
        self._changes.clear()

    def is_updated(self, name: str, version: str) -> bool:
        """Return whether a change or the making of a version is in progress."""
        return self._find(name, version) is not None

    def is_made(self, name: str, version: str) -> bool:
        """Return whether a version is being made."""
        change = self._find(name, version)
        return change is not None and change.is_new

    def _find(self, name: str, version: str) -> _Change | None:
        change = self._changes.get((name, version))
        if change is not None and change.ends_at_s <= self._clock():
            self._changes.pop((name, version), None)
            return None
        return change
