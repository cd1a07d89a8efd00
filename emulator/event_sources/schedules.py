"""Calls functions on the template's schedules, asynchronously, as EventBridge does."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable

from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.scheduled_events import scheduled_event
from emulator.lambda_service.errors import LambdaApiError, ResourceConflictError, TooManyRequestsError
from emulator.supervision import BackgroundTasks
from emulator.template.event_sources.schedule_expressions import Bounded, Rate, ScheduleExpression
from emulator.template.event_sources.schedule_spec import ScheduleSpec

# The clock is read at least this often, since a suspended machine's timers stand still.
LONGEST_SLEEP_S = 30.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0
_log = logging.getLogger(__name__)


class ScheduleCalls:
    """Hands schedules' events to Lambda's queue, as EventBridge does, again and again while that is full.

    Parameters
    ----------
    caller : FunctionCaller
        Queues the events.
    account_id, region : str
        For the events.
    new_id : callable
        Returns an event's id.
    bury : callable
        Gets the ARN of a dead-letter queue, and the message for it.
    sleep : callable
        Waits.
    """

    def __init__(
        self,
        caller: FunctionCaller,
        *,
        account_id: str,
        region: str,
        new_id: Callable[[], str],
        bury: Callable[[str, object], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._caller = caller
        self._account_id = account_id
        self._region = region
        self._new_id = new_id
        self._bury = bury
        self._sleep = sleep
        self._tasks = BackgroundTasks()

    def call(self, schedule: ScheduleSpec, time: dt.datetime, max_age_s: float | None = None) -> Callable[[], bool]:
        """Queue the event of one time; return a function that says whether it has succeeded or was given up.

        With ``max_age_s`` a throttled event is tried again for so long only, and a failed one isn't.
        """
        request_id = self._new_id()
        payload = scheduled_event(schedule, time, request_id, account_id=self._account_id, region=self._region)
        try:
            return self.send(schedule, payload, request_id, max_age_s).done
        except LambdaApiError as error:
            work = self._send_later(schedule, payload, request_id, max_age_s, error)
            return self._tasks.start(work, f"hand event {request_id} of {schedule.logical_id} to Lambda").done

    def send(
        self, schedule: ScheduleSpec, payload: bytes, request_id: str, max_age_s: float | None = None
    ) -> asyncio.Task[None]:
        """Queue an event for a schedule's function; raise `LambdaApiError` if Lambda doesn't take it."""
        function, qualifier = schedule.function, schedule.qualifier
        return self._caller.call(function, qualifier, payload, request_id=request_id, max_age_s=max_age_s)

    async def close(self) -> None:
        """Give up the events that Lambda hasn't taken yet."""
        await self._tasks.cancel()

    async def _send_later(
        self, schedule: ScheduleSpec, payload: bytes, request_id: str, max_age_s: float | None, error: LambdaApiError
    ) -> None:
        retries, waited_s, wait_s = 0, 0.0, _FIRST_RETRY_S
        limit_s = schedule.max_age_s if max_age_s is None else max_age_s
        # Fidelity: an event for a function that isn't there isn't tried again.
        while isinstance(error, ResourceConflictError | TooManyRequestsError):
            if retries == schedule.max_retries or waited_s + wait_s > limit_s:
                break
            await self._sleep(wait_s)
            retries, waited_s, wait_s = retries + 1, waited_s + wait_s, min(wait_s * 2, _LONGEST_RETRY_S)
            try:
                await asyncio.shield(self.send(schedule, payload, request_id, max_age_s))
            except LambdaApiError as refusal:
                error = refusal
            else:
                return
        _log.warning("%s: event %s was dropped: %s", schedule.logical_id, request_id, error.message)
        if schedule.dead_letter is not None:
            await self._bury(schedule.dead_letter, _dead_letter(schedule, payload, retries, error))


class Schedules:
    """Runs schedules until it is closed.

    Parameters
    ----------
    schedules : iterable of ScheduleSpec
        Each is run by itself.
    call : callable
        Queues a schedule's event of one time, as `ScheduleCalls.call` does.
    longest_rate_s : float or None
        Replaces the interval of every ``rate(…)`` that is longer. A shortened schedule has one event at a time, which
        is tried for one interval: with its own interval, events that wait or run would hardly meet.
    clock, sleep : callable
        The time in UTC, and what waits.
    """

    def __init__(
        self,
        schedules: Iterable[ScheduleSpec],
        call: Callable[[ScheduleSpec, dt.datetime, float | None], Callable[[], bool]],
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
            if not schedule.is_enabled or schedule.expression is None:
                continue
            self._tasks.keep_running(functools.partial(self.run, schedule), f"run {schedule.logical_id}")

    async def close(self) -> None:
        """Stop; events that are queued already belong to the queue."""
        await self._tasks.cancel()

    async def run(self, schedule: ScheduleSpec) -> None:
        """Fire one schedule until it has no further time.

        However many times were missed, because the machine slept or the clock was moved, it fires once and goes on.
        """
        assert schedule.expression is not None
        expression = self._shortened(schedule.expression)
        max_age_s = None if expression is schedule.expression else self._longest_rate_s
        is_done: Callable[[], bool] | None = None
        now = self._clock()
        due = expression.next_after(now, now)
        while due is not None:
            now = self._clock()
            # A clock that was set back must not silence a rate.
            due = min(due, expression.next_after(now, now) or due)
            if now < due:
                await self._sleep(min((due - now).total_seconds(), LONGEST_SLEEP_S))
                continue
            if max_age_s is None or is_done is None or is_done():
                is_done = self._call(schedule, due, max_age_s)
            due = expression.next_after(due, now)

    def _shortened(self, expression: ScheduleExpression) -> ScheduleExpression:
        """Return a rate that is longer than the limit with that limit; any other expression as it is."""
        if isinstance(expression, Bounded):
            inner = self._shortened(expression.inner)
            if inner is expression.inner or not isinstance(inner, Rate):
                return expression
            return dataclasses.replace(expression, inner=inner)
        if self._longest_rate_s is None or not isinstance(expression, Rate):
            return expression
        limit = dt.timedelta(seconds=self._longest_rate_s)
        return Rate(limit) if expression.interval > limit else expression


def _dead_letter(schedule: ScheduleSpec, payload: bytes, retries: int, error: LambdaApiError) -> dict[str, object]:
    """Return EventBridge's message of an event that Lambda didn't take. The names of Scheduler's are assumed."""
    origin = "SCHEDULE_ARN" if schedule.source == "aws.scheduler" else "RULE_ARN"
    values = {origin: schedule.arn, "ERROR_CODE": error.code, "ERROR_MESSAGE": error.message}
    values["RETRY_ATTEMPTS"] = str(retries)
    attributes = {name: {"Type": "String", "Value": value} for name, value in values.items()}
    return {"Message": payload.decode(), "MessageAttributes": attributes}
