"""Limits the rate of a route's requests by a token bucket, as API Gateway does. Pure; the clock is passed in.

Source: API Gateway developer guide, "Throttle requests to your HTTP APIs".
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.template.http_api_spec import Throttle


class TokenBucket:
    """A bucket of up to ``burst`` tokens that gains ``rate`` tokens a second and starts full.

    A burst of 0 refuses every request. The clock gives monotonic seconds.
    """

    def __init__(self, limits: Throttle, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._tokens = float(limits.burst)
        self._counted_at = clock()

    def take(self) -> bool:
        """Take a token, and return whether the bucket had one."""
        now = self._clock()
        gained = (now - self._counted_at) * self._limits.rate
        self._tokens = min(self._tokens + gained, float(self._limits.burst))
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
