"""Waits between retries: they double up to a cap, and are shortened at random. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from predict_api.models.clock import Instant, elapsed_s


@dataclass(frozen=True)
class Failures:
    """Failures in a row: their count, the moment of the last one, and the wait from there."""

    count: int
    last: Instant
    wait_s: float

    def remaining_s(self, now: Instant) -> float:
        """Return the seconds until the next try; 0 if it is due."""
        return max(0.0, self.wait_s - elapsed_s(self.last, now))


@dataclass(frozen=True)
class BackOff:
    """The waits after 1, 2, 3 … failures in a row: ``first_s``, twice that, and so on; at most ``cap_s``.

    ``random`` returns a float in [0, 1). It shortens each wait by up to half, so that environments that failed together
    don't retry together.
    """

    first_s: float
    cap_s: float
    random: Callable[[], float]

    def wait_s(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row (1 or more)."""
        # Every cap is below 2**32 times the first wait; a larger exponent would overflow.
        longest_s = min(self.first_s * 2.0 ** min(failures - 1, 32), self.cap_s)
        return longest_s * (1 - self.random() / 2)

    def after_failure(self, previous: Failures | None, now: Instant) -> Failures:
        """Return the state after one more failure."""
        count = 1 if previous is None else previous.count + 1
        return Failures(count, now, self.wait_s(count))
