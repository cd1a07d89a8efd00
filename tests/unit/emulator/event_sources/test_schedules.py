"""Running schedules: when they fire, what they send, and what happens after a sleep."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any, cast

import pytest

from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.scheduled_events import scheduled_event
from emulator.event_sources.schedules import LONGEST_SLEEP_S, ScheduleCalls, Schedules
from emulator.lambda_service.data_plane.event_queue.retries import (
    AsyncInvocations,
    EventPolicy,
    QueuedEvent,
    RetryWaits,
)
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import LambdaApiError, ResourceNotFoundError, TooManyRequestsError
from emulator.lambda_service.invocation import UNHANDLED, InvocationResult
from emulator.template.event_sources.schedule_expressions import bounded, parse_expression
from emulator.template.event_sources.schedule_spec import ScheduleSpec

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ARN = "arn:aws:events:us-east-1:123456789012:rule/R"


def schedule(expression: str, **values: Any) -> ScheduleSpec:
    return ScheduleSpec("R", ARN, parse_expression(expression), "F", "live", **values)


class Simulation:
    """A clock that only sleeping moves; `jumps` maps a number of sleeps to seconds that the clock jumps by then."""

    def __init__(self, sleeps: int, jumps: dict[int, float] | None = None) -> None:
        self.now = START
        self.fired: list[float] = []
        self.is_busy = False
        self._left = sleeps
        self._jumps = jumps or {}
        self._slept = 0

    def run(self, spec: ScheduleSpec, longest_rate_s: float | None = None) -> list[float]:
        """Return the seconds after the start at which the schedule fired."""
        schedules = Schedules(
            [spec], self.call, longest_rate_s=longest_rate_s, clock=lambda: self.now, sleep=self.sleep
        )
        with pytest.raises(StopAsyncIteration):
            asyncio.run(schedules.run(spec))
        return self.fired

    async def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= LONGEST_SLEEP_S
        if self._slept == self._left:
            raise StopAsyncIteration
        self.now += dt.timedelta(seconds=seconds + self._jumps.get(self._slept, 0))
        self._slept += 1

    def call(self, _spec: ScheduleSpec, time: dt.datetime, _max_age_s: float | None) -> Any:
        self.fired.append((time - START).total_seconds())
        return lambda: not self.is_busy


@pytest.mark.fidelity("schedules")
def test_a_rate_fires_after_each_interval() -> None:
    assert Simulation(6).run(schedule("rate(1 minute)")) == [60, 120, 180]


@pytest.mark.fidelity("schedule-catch-up")
def test_after_a_sleep_a_schedule_fires_once_and_goes_on() -> None:
    # The machine sleeps for an hour in the third wait.
    assert Simulation(6, {2: 3600}).run(schedule("rate(1 minute)")) == [60, 120, 3720, 3780]
    assert Simulation(250, {1: 7200}).run(schedule("cron(0 * * * ? *)")) == [3600, 10_800, 14_400]


@pytest.mark.fidelity("schedule-catch-up")
def test_a_clock_that_is_set_back_does_not_silence_a_rate() -> None:
    assert Simulation(4, {1: -7200}).run(schedule("rate(1 minute)")) == [-7080.0]


@pytest.mark.fidelity("schedule-interval")
def test_rates_can_be_shortened_and_cron_stays() -> None:
    assert Simulation(3).run(schedule("rate(1 day)"), longest_rate_s=2) == [2, 4, 6]
    assert Simulation(2).run(schedule("rate(1 minute)"), longest_rate_s=3600) == [60]
    assert Simulation(3).run(schedule("cron(1 0 * * ? *)"), longest_rate_s=2) == [60]


@pytest.mark.fidelity("schedule-interval")
def test_a_shortened_schedule_has_one_event_at_a_time() -> None:
    simulation = Simulation(5)
    simulation.is_busy = True
    assert simulation.run(schedule("rate(1 minute)"), longest_rate_s=2) == [2]


class FailingService:
    """Throttles each invocation, or lets it fail; a clock that only sleeping moves."""

    def __init__(self, *, is_throttled: bool = False, refusals: tuple[LambdaApiError, ...] = ()) -> None:
        self.attempts = 0
        self.waits: list[float] = []
        self.buried: list[tuple[str, Any]] = []
        self._refusals = iter(refusals)
        self._is_throttled = is_throttled
        self._now_s = 0.0

    def run(self, shortened_s: float | None, **values: Any) -> int:
        """Queue an event, wait for its end, and return how often it was tried."""

        async def call() -> None:
            events = AsyncInvocations(RetryWaits(), clock=lambda: self._now_s, sleep=self._sleep)
            caller = FunctionCaller(cast(LambdaService, self), {"F": "f"}, events)
            calls = ScheduleCalls(
                caller, account_id="1", region="r", new_id=lambda: "id", bury=self._bury, sleep=self._note_wait
            )
            is_done = calls.call(schedule("rate(1 minute)", **values), START, shortened_s)
            assert not is_done()
            while not is_done():
                await asyncio.sleep(0)
            await calls.close()

        asyncio.run(call())
        return self.attempts

    def event(self, name: str, payload: bytes, qualifier: str, trace_id: str, request_id: str) -> QueuedEvent:
        assert (name, qualifier, trace_id, request_id) == ("f", "live", "", "id")
        for refusal in self._refusals:
            raise refusal
        return QueuedEvent(name, request_id, payload, self._run, lambda: EventPolicy(max_age_s=600.0))

    async def _run(self) -> InvocationResult:
        self.attempts += 1
        if self._is_throttled:
            raise TooManyRequestsError("f", 1)
        return InvocationResult(b"{}", UNHANDLED, "1")

    async def _sleep(self, seconds: float) -> None:
        self._now_s += seconds
        await asyncio.sleep(0)

    async def _note_wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def _bury(self, arn: str, message: object) -> None:
        self.buried.append((arn, message))


@pytest.mark.fidelity("schedule-interval")
@pytest.mark.parametrize(("is_throttled", "attempts"), [(True, (2, 10)), (False, (1, 3))])
def test_an_event_of_a_shortened_schedule_is_tried_for_one_interval(
    is_throttled: bool, attempts: tuple[int, int]
) -> None:
    assert tuple(FailingService(is_throttled=is_throttled).run(max_age_s) for max_age_s in (2.0, None)) == attempts


def test_an_unshortened_schedule_calls_on_while_the_function_runs() -> None:
    simulation = Simulation(6)
    simulation.is_busy = True
    assert simulation.run(schedule("rate(1 minute)")) == [60, 120, 180]


FULL = (TooManyRequestsError("f", 1),)
GONE = (ResourceNotFoundError("Function not found: f"),)


@pytest.mark.fidelity("schedule-retries")
@pytest.mark.parametrize(
    ("refusals", "values", "waits", "attempts"),
    [
        (FULL * 3, {}, [1, 2, 4], 3),
        (FULL * 9, {"max_retries": 2}, [1, 2], 0),
        (FULL * 9, {"max_age_s": 10.0}, [1, 2, 4], 0),
        (FULL * 9, {"max_retries": 0}, [], 0),
        (GONE * 9, {}, [], 0),
    ],
)
def test_an_event_that_lambda_does_not_take_is_tried_again_and_buried(
    refusals: tuple[LambdaApiError, ...],
    values: dict[str, Any],
    waits: list[float],
    attempts: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = FailingService(refusals=refusals)
    assert service.run(None, dead_letter="arn:q", **values) == attempts
    assert service.waits == waits
    if attempts:
        assert not service.buried
        return
    ((arn, message),) = service.buried
    assert arn == "arn:q"
    assert json.loads(message["Message"])["detail-type"] == "Scheduled Event"
    attributes = {name: attribute["Value"] for name, attribute in message["MessageAttributes"].items()}
    error = refusals[0]
    assert attributes == {
        "RULE_ARN": ARN, "ERROR_CODE": error.code, "ERROR_MESSAGE": error.message, "RETRY_ATTEMPTS": str(len(waits)),
    }  # fmt: skip
    assert "R: event id was dropped" in caplog.text


def test_a_shortened_schedule_waits_no_longer_for_the_queue() -> None:
    service = FailingService(refusals=FULL * 9)
    assert service.run(2.0) == 0
    assert service.waits == [1]


def test_disabled_schedules_and_rules_without_a_schedule_are_not_run() -> None:
    async def run() -> None:
        specs = [schedule("rate(1 minute)", is_enabled=False), ScheduleSpec("R", ARN, None, "F")]
        schedules = Schedules(specs, lambda *_: bool, clock=lambda: START, sleep=asyncio.sleep)
        schedules.start()
        await schedules.close()

    asyncio.run(run())


@pytest.mark.fidelity("schedule-dates", "schedule-interval")
def test_a_schedule_with_dates_is_shortened_too() -> None:
    first = START + dt.timedelta(seconds=10)
    last = START + dt.timedelta(seconds=14)
    spec = ScheduleSpec("R", ARN, bounded(parse_expression("rate(1 day)"), first, last), "F", "live")
    simulation = Simulation(9)
    schedules = Schedules(
        [spec], simulation.call, longest_rate_s=2, clock=lambda: simulation.now, sleep=simulation.sleep
    )
    asyncio.run(schedules.run(spec))
    assert simulation.fired == [10, 12, 14]


def test_a_time_that_never_comes_ends_the_schedule() -> None:
    spec = schedule("at(2020-01-01T00:00:00)")
    asyncio.run(Schedules([spec], lambda *_: bool, clock=lambda: START).run(spec))


@pytest.mark.fidelity("scheduled-event")
def test_the_event_of_a_rule() -> None:
    event = json.loads(scheduled_event(schedule("rate(1 day)"), START, "id", account_id="1", region="eu-west-3"))
    assert event == {
        "version": "0", "id": "id", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
        "time": "2026-01-01T00:00:00Z", "region": "eu-west-3", "resources": [ARN], "detail": {},
    }  # fmt: skip


@pytest.mark.fidelity("scheduled-event")
def test_the_event_of_eventbridge_scheduler() -> None:
    spec = schedule("rate(1 day)", source="aws.scheduler")
    event = json.loads(scheduled_event(spec, START, "id", account_id="1", region="r"))
    assert (event["source"], event["detail"]) == ("aws.scheduler", "{}")
    spec = schedule("rate(1 day)", source="aws.scheduler", input='{"at": "<aws.scheduler.scheduled-time>"}')
    assert scheduled_event(spec, START, "id", account_id="1", region="r") == b'{"at": "2026-01-01T00:00:00Z"}'


def test_an_input_replaces_the_event() -> None:
    spec = schedule("rate(1 day)", input='{"a": "<aws.scheduler.scheduled-time>"}')
    assert scheduled_event(spec, START, "id", account_id="1", region="r") == (spec.input or "").encode()
