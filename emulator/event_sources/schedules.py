"""Calls functions on the template's schedules, asynchronously, as EventBridge does."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable

from emulator.event_sources.scheduled_events import scheduled_event
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.data_plane.retries import AsyncInvocations, EventPolicy, QueuedEvent
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.invocation import InvocationResult
from emulator.supervision import BackgroundTasks
from emulator.template.event_sources.schedule_expressions import Rate, ScheduleExpression
from emulator.template.event_sources.schedule_spec import ScheduleSpec

# The clock is read at least this often, since a suspended machine's timers stand still.
LONGEST_SLEEP_S = 30.0
_log = logging.getLogger(__name__)


class FunctionCaller:
    """Calls a function for a schedule.

    Parameters
    ----------
    service : LambdaService
        The functions; ``names`` maps their logical ids to names.
    events : AsyncInvocations
        Takes the events, and tries failed ones again.
    account_id, region : str
        For the events.
    new_id : callable
        Returns an event's id.
    """

    def __init__(
        self,
        service: LambdaService,
        names: dict[str, str],
        events: AsyncInvocations,
        *,
        account_id: str,
        region: str,
        new_id: Callable[[], str],
    ) -> None:
        self._service = service
        self._names = names
        self._events = events
        self._account_id = account_id
        self._region = region
        self._new_id = new_id

    def call(self, schedule: ScheduleSpec, time: dt.datetime) -> Callable[[], bool]:
        """Queue the event of one time; return a function that says whether the function runs for it now.

        Raises
        ------
        LambdaApiError
            The queue is full.
        """
        request_id, name, running = self._new_id(), self._names[schedule.function], set[object]()
        payload = scheduled_event(schedule, time, request_id, account_id=self._account_id, region=self._region)

        def run() -> Awaitable[InvocationResult]:
            result = self._service.submit(name, payload, schedule.qualifier, request_id=request_id)
            running.add(result)
            result.add_done_callback(running.discard)
            return result

        def policy() -> EventPolicy:
            return self._service.event_policy(name, schedule.qualifier)

        self._events.accept(QueuedEvent(name, request_id, len(payload), run, policy))
        return lambda: bool(running)


class Schedules:
    """Runs schedules until it is closed.

    Parameters
    ----------
    schedules : iterable of ScheduleSpec
        Each is run by itself.
    call : callable
        Queues a schedule's event of one time, as `FunctionCaller.call` does.
    longest_rate_s : float or None
        Replaces the interval of every ``rate(…)`` that is longer. A shortened schedule leaves a time out while the
        function still runs for the one before: with its own interval the two would hardly meet.
    clock, sleep : callable
        The time in UTC, and what waits.
    """

    def __init__(
        self,
        schedules: Iterable[ScheduleSpec],
        call: Callable[[ScheduleSpec, dt.datetime], Callable[[], bool]],
        *,
        longest_rate_s: float | None = None,
        clock: Callable[[], dt.datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._schedules = tuple(schedules)
        self._call = call
        self._longest_rate_s = longest_rate_s
        self._clock = clock
        self._sleep = sleep
        self._tasks = BackgroundTasks()

    def start(self) -> None:
        """Begin; a rate fires for the first time after one interval."""
        for schedule in self._schedules:
            self._tasks.keep_running(functools.partial(self.run, schedule), f"run {schedule.logical_id}")

    async def close(self) -> None:
        """Stop; events that are queued already belong to the queue."""
        await self._tasks.cancel()

    async def run(self, schedule: ScheduleSpec) -> None:
        """Fire one schedule until it has no further time.

        However many times were missed, because the machine slept or the clock was moved, it fires once and goes on.
        """
        expression = self._shortened(schedule.expression)
        is_shortened = expression is not schedule.expression
        is_running: Callable[[], bool] = bool
        now = self._clock()
        due = expression.next_after(now, now)
        while due is not None:
            now = self._clock()
            # A clock that was set back must not silence a rate.
            due = min(due, expression.next_after(now, now) or due)
            if now < due:
                await self._sleep(min((due - now).total_seconds(), LONGEST_SLEEP_S))
                continue
            if not (is_shortened and is_running()):
                try:
                    is_running = self._call(schedule, due)
                except LambdaApiError as error:
                    _log.warning("%s: the event of %s was dropped: %s", schedule.logical_id, due, error.message)
            due = expression.next_after(due, now)

    def _shortened(self, expression: ScheduleExpression) -> ScheduleExpression:
        """Return a rate that is longer than the limit with that limit; any other expression as it is."""
        if self._longest_rate_s is None or not isinstance(expression, Rate):
            return expression
        limit = dt.timedelta(seconds=self._longest_rate_s)
        return Rate(limit) if expression.interval > limit else expression
