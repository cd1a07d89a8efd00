"""Running schedules: when they fire, what they send, and what happens after a sleep."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest

from emulator.event_sources.scheduled_events import scheduled_event
from emulator.event_sources.schedules import LONGEST_SLEEP_S, Schedules
from emulator.lambda_service.errors import TooManyRequestsError
from emulator.template.event_sources.schedule_expressions import parse_expression
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
        self.is_full = False
        self._left = sleeps
        self._jumps = jumps or {}
        self._slept = 0

    def run(self, spec: ScheduleSpec, longest_rate_s: float | None = None) -> list[float]:
        """Return the seconds after the start at which the schedule fired."""
        schedules = Schedules(
            [spec], self._call, longest_rate_s=longest_rate_s, clock=lambda: self.now, sleep=self._sleep
        )
        with pytest.raises(StopAsyncIteration):
            asyncio.run(schedules.run(spec))
        return self.fired

    async def _sleep(self, seconds: float) -> None:
        assert 0 < seconds <= LONGEST_SLEEP_S
        if self._slept == self._left:
            raise StopAsyncIteration
        self.now += dt.timedelta(seconds=seconds + self._jumps.get(self._slept, 0))
        self._slept += 1

    def _call(self, spec: ScheduleSpec, time: dt.datetime) -> Any:
        if self.is_full:
            raise TooManyRequestsError(spec.function, 1)
        self.fired.append((time - START).total_seconds())
        return lambda: self.is_busy


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
def test_a_shortened_schedule_waits_for_the_call_before() -> None:
    simulation = Simulation(5)
    simulation.is_busy = True
    assert simulation.run(schedule("rate(1 minute)"), longest_rate_s=2) == [2]


def test_an_unshortened_schedule_calls_on_while_the_function_runs() -> None:
    simulation = Simulation(6)
    simulation.is_busy = True
    assert simulation.run(schedule("rate(1 minute)")) == [60, 120, 180]


def test_a_full_queue_drops_the_event_and_the_schedule_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    simulation = Simulation(4)
    simulation.is_full = True
    assert simulation.run(schedule("rate(1 minute)")) == []
    assert "R: the event of 2026-01-01 00:01:00+00:00 was dropped" in caplog.text


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
