"""Lambda's queue of asynchronous invocations: tries each event until it succeeds, fails too often or is too old.

Source: "How Lambda handles errors and retries with asynchronous invocation" of the Lambda developer guide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emulator.lambda_service.errors import LambdaApiError, TooManyRequestsError
from emulator.lambda_service.invocation import InvocationResult
from emulator.supervision import BackgroundTasks

MAX_QUEUED_BYTES = 256 * 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryWaits:
    """How long an event waits for its next attempt."""

    after_error_s: tuple[float, float] = (60.0, 120.0)  # After the first and after the second attempt that failed
    first_throttled_s: float = 1.0  # After the first throttled attempt; it doubles each time
    longest_throttled_s: float = 300.0

    def throttled_s(self, times: int) -> float:
        """Return the wait after an event was throttled for the `times`-th time."""
        # The exponent is bounded: an event may be throttled for hours.
        return min(self.first_throttled_s * 2.0 ** min(times - 1, 30), self.longest_throttled_s)


@dataclass(frozen=True, slots=True)
class EventPolicy:
    """How often and for how long an event is tried: a function's ``EventInvokeConfig``."""

    max_retries: int = 2
    max_age_s: float = 21_600.0


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that was accepted."""

    function: str
    request_id: str
    size_bytes: int  # How much of the queue's capacity it uses
    # Begins one attempt. Raises `TooManyRequestsError`, or `LambdaApiError` if the function is gone.
    run: Callable[[], Awaitable[InvocationResult]]
    policy: Callable[[], EventPolicy]  # Returns the one that applies now


class AsyncInvocations:
    """Takes events, and delivers each in a background task."""

    def __init__(
        self,
        waits: RetryWaits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._waits = waits
        self._clock = clock
        self._sleep = sleep
        self._tasks = BackgroundTasks()
        self._queued_bytes = 0

    def accept(self, event: QueuedEvent) -> None:
        """Take an event into the queue; raise `TooManyRequestsError` if the queue is full."""
        if self._queued_bytes + event.size_bytes > MAX_QUEUED_BYTES:
            raise TooManyRequestsError(event.function, MAX_QUEUED_BYTES, "FunctionInvocationRateLimitExceeded")
        self._queued_bytes += event.size_bytes
        self._tasks.start(self._deliver(event), f"deliver event {event.request_id} to {event.function}")

    async def close(self) -> None:
        """Give up the queued events and log their number: unlike Lambda's queue, this one ends with its process."""
        if self._tasks:
            _log.warning("%d asynchronous invocations had not succeeded yet and are lost", len(self._tasks))
        await self._tasks.cancel()

    async def _deliver(self, event: QueuedEvent) -> None:
        try:
            reason = await self._try_until_done(event)
        except LambdaApiError as error:
            reason = error.message
        finally:
            self._queued_bytes -= event.size_bytes
        if reason is not None:
            _log.warning("%s: event %s was dropped: %s", event.function, event.request_id, reason)

    async def _try_until_done(self, event: QueuedEvent) -> str | None:
        """Return None once the event has succeeded, or why it was given up."""
        accepted_at = self._clock()
        failed = throttled = 0
        while True:
            try:
                result = await event.run()
            except TooManyRequestsError as error:
                if error.limit == 0:
                    # Fidelity: events of a function with a reservation of 0 are lost.
                    return "the function's reserved concurrency is 0"
                throttled += 1
                wait_s = self._waits.throttled_s(throttled)
            else:
                if result.function_error is None:
                    return None
                failed += 1
                if failed > event.policy().max_retries:
                    return f"it failed {failed} times"
                wait_s = self._waits.after_error_s[failed - 1]
            max_age_s = event.policy().max_age_s
            if self._clock() - accepted_at + wait_s > max_age_s:
                return f"at its next attempt it would be older than {max_age_s:.0f} seconds"
            await self._sleep(wait_s)
