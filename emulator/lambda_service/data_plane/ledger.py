"""Admits requests by the account's concurrency, and new environments by the burst rate. Pure.

Source: "Understanding Lambda function scaling" and "Configuring reserved concurrency" in the Lambda developer
guide. Concurrency counts requests in flight, over all versions of a function; idle environments don't count.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from emulator.lambda_service.control_plane.catalogue import ACCOUNT_CONCURRENCY
from emulator.lambda_service.errors import TooManyRequestsError

NEW_ENVIRONMENTS = 1000
NEW_ENVIRONMENTS_WINDOW_S = 10.0


@dataclass(slots=True)
class _Share:
    """The concurrency of one function."""

    in_flight: int = 0
    reserved: int | None = None
    provisioned: int = 0
    throttles: int = 0

    @property
    def set_aside(self) -> int:
        """How much of the account's concurrency only this function may use."""
        return self.provisioned if self.reserved is None else self.reserved

    @property
    def from_unreserved(self) -> int:
        """How much of the account's shared concurrency its requests use."""
        return max(0, self.in_flight - self.provisioned) if self.reserved is None else 0


class ConcurrencyLedger:
    """Counts requests in flight, and refuses those over the account's or a function's concurrency.

    A function with a reservation has exactly that much; the others share what is left of the account's. Provisioned
    concurrency of a function without a reservation is also subtracted from the shared part, but doesn't limit the
    function. `account_limit` is the most requests in flight at once.
    """

    def __init__(self, account_limit: int = ACCOUNT_CONCURRENCY) -> None:
        self.account_limit = account_limit
        self._shares: defaultdict[str, _Share] = defaultdict(_Share)
        # The part that functions without a reservation share. Not summed each time: every request claims and releases.
        self._shared_limit = account_limit
        self._shared_in_flight = 0

    def claim(self, function: str) -> None:
        """Count a request in, until `release`; raise `TooManyRequestsError` if the concurrency is used up."""
        share = self._shares[function]
        if share.reserved is not None:
            if share.in_flight >= share.reserved:
                share.throttles += 1
                raise TooManyRequestsError(
                    function, share.reserved, "ReservedFunctionConcurrentInvocationLimitExceeded"
                )
        elif share.in_flight >= share.provisioned:
            if self._shared_in_flight >= self._shared_limit:
                share.throttles += 1
                raise TooManyRequestsError(function, self.account_limit)
            self._shared_in_flight += 1
        share.in_flight += 1

    def release(self, function: str) -> None:
        """Count a request out."""
        share = self._shares[function]
        if share.reserved is None and share.in_flight > share.provisioned:
            self._shared_in_flight -= 1
        share.in_flight -= 1

    def in_flight(self, function: str) -> int:
        """Return how many requests a function has."""
        return self._shares[function].in_flight

    def throttles(self, function: str) -> int:
        """Return how many requests of a function were refused with 429 since the start."""
        return self._shares[function].throttles

    def clear_throttles(self) -> None:
        """Count the refused requests from 0 again."""
        for share in self._shares.values():
            share.throttles = 0

    def count_throttle(self, function: str) -> None:
        """Count a request that something else refused with 429: the burst rate."""
        self._shares[function].throttles += 1

    def reserved(self, function: str) -> int | None:
        """Return a function's reservation."""
        return self._shares[function].reserved

    def set_reserved(self, function: str, reserved: int | None) -> None:
        """Reserve concurrency for a function, or give it up with None. Requests in flight go on.

        The control plane has checked that enough is left for the others.
        """
        self._shares[function].reserved = reserved
        self._recount_shared()

    def set_provisioned(self, function: str, provisioned: int) -> None:
        """Note how many environments a function has provisioned, over all its versions."""
        self._shares[function].provisioned = provisioned
        self._recount_shared()

    def _recount_shared(self) -> None:
        shares = self._shares.values()
        self._shared_limit = max(0, self.account_limit - sum(share.set_aside for share in shares))
        self._shared_in_flight = sum(share.from_unreserved for share in shares)


class BurstRate:
    """Limits how many environments each function adds: 1,000 in any 10 seconds.

    Fidelity: Lambda's documents state the rate, but not the reason that a refusal names. Assumed:
    `ConcurrentInvocationLimitExceeded`, the only reason in its model about concurrency without a reservation.
    """

    def __init__(self, clock: Callable[[], float], limit: int = NEW_ENVIRONMENTS) -> None:
        self._clock = clock
        self._limit = limit
        self._started: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, function: str) -> None:
        """Count a new environment; raise `TooManyRequestsError` if the function's rate is used up."""
        now = self._clock()
        started = self._started[function]
        while started and started[0] <= now - NEW_ENVIRONMENTS_WINDOW_S:
            started.popleft()
        if len(started) >= self._limit:
            raise TooManyRequestsError(function, self._limit)
        started.append(now)
