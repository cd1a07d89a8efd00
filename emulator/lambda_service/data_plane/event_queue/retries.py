"""Lambda's queue of asynchronous invocations: tries each event until it succeeds, fails too often or is too old.

Source: "How Lambda handles errors and retries with asynchronous invocation" of the Lambda developer guide.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.data_plane.event_queue.spool import EventSpool
from emulator.lambda_service.errors import LambdaApiError, TooManyRequestsError
from emulator.lambda_service.invocation import InvocationResult
from emulator.supervision import BackgroundTasks

_RECURSIVE = "the function has called itself 16 times in a row, and its loop is stopped"
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
    """How often and for how long an event is tried, and where its record goes: a function's ``EventInvokeConfig``.

    Destinations are ARNs.
    """

    max_retries: int = 2
    max_age_s: float = 21_600.0
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None  # The function's ``DeadLetterConfig``


def read_policy(config: Mapping[str, Any], dead_letters: Mapping[str, Any]) -> EventPolicy:
    """Return the policy that a function's ``EventInvokeConfig`` and ``DeadLetterConfig`` describe."""
    default, destinations = EventPolicy(), config.get("DestinationConfig") or {}
    return EventPolicy(
        config.get("MaximumRetryAttempts", default.max_retries),
        config.get("MaximumEventAgeInSeconds", default.max_age_s),
        (destinations.get("OnSuccess") or {}).get("Destination") or None,
        (destinations.get("OnFailure") or {}).get("Destination") or None,
        dead_letters.get("TargetArn") or None,
    )


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that was accepted."""

    function: str
    request_id: str
    payload: bytes  # JSON
    # Begins one attempt. Raises `TooManyRequestsError`, or `LambdaApiError` if the function is gone.
    run: Callable[[], Awaitable[InvocationResult]]
    policy: Callable[[], EventPolicy]  # Returns the one that applies now
    arn: str = ""  # The function's, with the qualifier
    trace_id: str = ""  # What the function gets as its trace header
    is_recursive: bool = False  # Whether the function has called itself too often in a row
    call: Mapping[str, Any] | None = None  # Of `LambdaService.event`, to make it anew; None: it isn't kept
    age_s: float = 0.0  # How long ago it was accepted, by a process before this one

    @property
    def size_bytes(self) -> int:
        """How much of the queue's capacity it uses."""
        return len(self.payload)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event ended."""

    condition: str  # In the words of Lambda's invocation records
    attempts: int  # That reached the function
    result: InvocationResult | None = None  # Of the last attempt
    reason: str | None = None  # Why it was given up


class AsyncInvocations:
    """Takes events, and delivers each in a background task.

    ``on_end`` gets each event that has succeeded or was given up, with its policy. A ``spool`` keeps the events until
    then.
    """

    def __init__(
        self,
        waits: RetryWaits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_end: Callable[[QueuedEvent, EventPolicy, Outcome], Awaitable[None]] | None = None,
        spool: EventSpool | None = None,
    ) -> None:
        self.on_end = on_end
        self._waits = waits
        self._clock = clock
        self._sleep = sleep
        self._tasks = BackgroundTasks()
        self._queued_bytes = 0
        self._kept_ids: set[str] = set()
        self._spool = spool

    def accept(self, event: QueuedEvent) -> asyncio.Task[None]:
        """Take an event into the queue; return the task that ends once it has succeeded or was given up.

        Raises
        ------
        TooManyRequestsError
            The queue is full.
        OSError
            The event can't be kept.
        """
        if self._queued_bytes + event.size_bytes > MAX_QUEUED_BYTES:
            raise TooManyRequestsError(event.function, MAX_QUEUED_BYTES, "FunctionInvocationRateLimitExceeded")
        if self._spool is not None and event.call is not None:
            self._spool.keep(event.request_id, event.call, event.payload)
        return self._begin(event)

    def restore(self, make: Callable[..., QueuedEvent]) -> None:
        """Take the events that a process before this one has kept; ``make`` is `LambdaService.event`.

        An event whose function isn't there waits for a later start, for as long as Lambda keeps events.
        """
        if self._spool is None:
            return
        for call, payload, age_s in self._spool.load():
            if call["request_id"] in self._kept_ids:
                continue
            try:
                event = make(payload=payload, **call)
                self._begin(dataclasses.replace(event, age_s=age_s))
            except LambdaApiError as error:
                is_too_old = age_s > EventPolicy().max_age_s
                if is_too_old:
                    self._spool.remove(call["request_id"])
                what_follows = "was dropped" if is_too_old else "waits for the next start"
                _log.warning("%s: event %s %s: %s", call["name"], call["request_id"], what_follows, error.message)

    async def close(self) -> None:
        """Stop, and log how many events are left: those that are kept go on at the next start."""
        _log_unfinished(len(self._kept_ids), "are tried again at the next start")
        _log_unfinished(len(self._tasks) - len(self._kept_ids), "are lost")
        await self._tasks.cancel()
        self._queued_bytes = 0

    async def clear(self) -> None:
        """Give up all events, and log their number."""
        _log_unfinished(len(self._tasks), "are lost")
        await self._tasks.cancel()
        self._queued_bytes = 0
        if self._spool is not None:
            # Not in a thread: an event that was accepted meanwhile would lose its file.
            self._spool.clear()

    def _begin(self, event: QueuedEvent) -> asyncio.Task[None]:
        self._queued_bytes += event.size_bytes
        task = self._tasks.start(self._deliver(event), f"deliver event {event.request_id} to {event.function}")
        if self._spool is not None and event.call is not None:
            self._kept_ids.add(event.request_id)
            task.add_done_callback(lambda _: self._kept_ids.discard(event.request_id))
        return task

    async def _deliver(self, event: QueuedEvent) -> None:
        await self._try_and_end(event)
        # Not if it was cancelled: then the next process goes on with it.
        if self._spool is not None:
            self._spool.remove(event.request_id)

    async def _try_and_end(self, event: QueuedEvent) -> None:
        try:
            outcome = await self._try_until_done(event)
        except LambdaApiError as error:
            # The function, version or alias is gone, and its destinations with it.
            _log_dropped(event, error.message)
            return
        finally:
            self._queued_bytes -= event.size_bytes
        await self._end(event, outcome)

    async def _end(self, event: QueuedEvent, outcome: Outcome) -> None:
        if outcome.reason is not None:
            _log_dropped(event, outcome.reason)
        if self.on_end is not None:
            await self.on_end(event, event.policy(), outcome)

    async def _try_until_done(self, event: QueuedEvent) -> Outcome:
        if event.is_recursive:
            # Fidelity: Lambda doesn't try it, and sends its record on. The condition is assumed.
            return Outcome("RecursiveInvocation", 0, reason=_RECURSIVE)
        accepted_at = self._clock() - event.age_s
        failed = throttled = 0
        result: InvocationResult | None = None
        while True:
            try:
                result = await event.run()
            except TooManyRequestsError as error:
                if error.limit == 0:
                    # Fidelity: events of a function with a reservation of 0 aren't tried. The condition is assumed.
                    reason = "the function's reserved concurrency is 0"
                    return Outcome("ZeroReservedConcurrency", failed, result, reason)
                throttled += 1
                wait_s = self._waits.throttled_s(throttled)
            else:
                if result.function_error is None:
                    return Outcome("Success", failed + 1, result)
                failed += 1
                if failed > event.policy().max_retries:
                    return Outcome("RetriesExhausted", failed, result, f"it failed {failed} times")
                wait_s = self._waits.after_error_s[failed - 1]
            max_age_s = event.policy().max_age_s
            if self._clock() - accepted_at + wait_s > max_age_s:
                reason = f"at its next attempt it would be older than {max_age_s:.0f} seconds"
                return Outcome("EventAgeExceeded", failed, result, reason)
            await self._sleep(wait_s)


def _log_unfinished(count: int, what_follows: str) -> None:
    if count:
        _log.warning("%d asynchronous invocations had not succeeded yet and %s", count, what_follows)


def _log_dropped(event: QueuedEvent, reason: str) -> None:
    _log.warning("%s: event %s was dropped: %s", event.function, event.request_id, reason)
