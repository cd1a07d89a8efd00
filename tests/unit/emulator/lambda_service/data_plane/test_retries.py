"""The queue of asynchronous invocations, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pytest

from emulator.lambda_service.data_plane.event_queue.retries import (
    MAX_QUEUED_BYTES,
    AsyncInvocations,
    EventPolicy,
    Outcome,
    QueuedEvent,
    RetryWaits,
)
from emulator.lambda_service.errors import LambdaApiError, ResourceNotFoundError, TooManyRequestsError
from emulator.lambda_service.invocation import UNHANDLED, InvocationResult

Ending = Literal["good", "bad", "throttled", "never", "gone"]


class Rig:
    """A queue whose attempts end as the test says, and a record of its waits."""

    def __init__(self, outcomes: Iterable[Ending], policy: EventPolicy | None = None, **values: Any) -> None:
        self._outcomes = iter(outcomes)
        self._now_s = 0.0
        self.attempts = 0
        self.waits: list[float] = []
        self.ended: list[tuple[str, int, bool]] = []
        self.queue = AsyncInvocations(RetryWaits(), clock=lambda: self._now_s, sleep=self._sleep, on_end=self._note_end)
        self.event = QueuedEvent("f", "id-1", b"{}", self._run, lambda: policy or EventPolicy(), **values)

    async def _run(self) -> InvocationResult:
        self.attempts += 1
        match next(self._outcomes):
            case "throttled":
                raise TooManyRequestsError("f", 1)
            case "never":
                raise TooManyRequestsError("f", 0)
            case "gone":
                raise ResourceNotFoundError("Function not found: f")
            case "bad":
                return InvocationResult(b"{}", UNHANDLED, "1")
            case _:
                return InvocationResult(b"{}", None, "1")

    async def _note_end(self, _event: QueuedEvent, _policy: EventPolicy, outcome: Outcome) -> None:
        self.ended.append((outcome.condition, outcome.attempts, outcome.result is not None))

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._now_s += seconds
        await asyncio.sleep(0)


def delivered(rig: Rig) -> Rig:
    async def scenario() -> None:
        rig.queue.accept(rig.event)
        for _ in range(10_000):
            await asyncio.sleep(0)
        await rig.queue.close()

    asyncio.run(scenario())
    return rig


@pytest.mark.parametrize(
    ("outcomes", "waits"),
    [
        (["good"], []),
        (["bad", "good"], [60]),
        (["bad", "bad", "good"], [60, 120]),
        (["throttled", "throttled", "throttled", "good"], [1, 2, 4]),
        (["throttled", "bad", "throttled", "good"], [1, 60, 2]),
    ],
)  # fmt: skip
@pytest.mark.fidelity("asynchronous-retries")
def test_an_event_is_tried_until_it_succeeds(
    outcomes: Sequence[Ending], waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    rig = delivered(Rig(outcomes))
    assert rig.waits == waits
    assert rig.attempts == len(outcomes)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("outcomes", "policy", "attempts", "reason"),
    [
        (["bad"] * 9, EventPolicy(), 3, "it failed 3 times"),
        (["bad"] * 9, EventPolicy(max_retries=0), 1, "it failed 1 times"),
        (["bad"] * 9, EventPolicy(max_age_s=60), 2, "older than 60 seconds"),
        (["throttled"] * 9, EventPolicy(max_age_s=60), 6, "older than 60 seconds"),
        (["never"], EventPolicy(), 1, "reserved concurrency is 0"),
        (["bad", "gone"], EventPolicy(), 2, "Function not found"),
    ],
)  # fmt: skip
def test_an_event_that_is_given_up_is_logged(
    outcomes: Sequence[Ending], policy: EventPolicy, attempts: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = delivered(Rig(outcomes, policy))
    assert rig.attempts == attempts
    (message,) = caplog.messages
    assert message.startswith("f: event id-1 was dropped")
    assert reason in message


def test_throttled_events_are_kept_for_six_hours_and_tried_every_five_minutes_in_the_end() -> None:
    rig = delivered(Rig(["throttled"] * 1000))
    assert max(rig.waits) == rig.waits[-1] == 300
    assert 21_600 - 300 < sum(rig.waits) <= 21_600


def test_a_full_queue_refuses_and_lost_events_are_logged_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        forever = asyncio.Event()

        async def run() -> InvocationResult:
            await forever.wait()
            raise AssertionError

        queue = AsyncInvocations(RetryWaits(), clock=lambda: 0.0)
        large = QueuedEvent("f", "id", bytes(MAX_QUEUED_BYTES // 2), run, EventPolicy)
        queue.accept(large)
        queue.accept(large)
        with pytest.raises(LambdaApiError) as refused:
            queue.accept(QueuedEvent("f", "id-1", b"{}", run, EventPolicy))
        assert (refused.value.status, refused.value.reason) == (429, "FunctionInvocationRateLimitExceeded")
        await asyncio.sleep(0)
        await queue.close()

    asyncio.run(scenario())
    assert caplog.messages == ["2 asynchronous invocations had not succeeded yet and are lost"]


@pytest.mark.fidelity("invocation-records", "recursive-loop")
@pytest.mark.parametrize(
    ("endings", "policy", "values", "ended"),
    [
        (["bad", "good"], EventPolicy(), {}, ("Success", 2, True)),
        (["bad"] * 3, EventPolicy(), {}, ("RetriesExhausted", 3, True)),
        (["bad", "throttled"] * 9, EventPolicy(max_age_s=61), {}, ("EventAgeExceeded", 2, True)),
        (["throttled"] * 9, EventPolicy(max_age_s=60), {}, ("EventAgeExceeded", 0, False)),
        (["never"], EventPolicy(), {}, ("ZeroReservedConcurrency", 0, False)),
        ([], EventPolicy(), {"is_recursive": True}, ("RecursiveInvocation", 0, False)),
    ],
)
def test_an_event_has_an_end_that_its_record_names(
    endings: Sequence[Ending], policy: EventPolicy, values: dict[str, Any], ended: tuple[str, int, bool]
) -> None:
    assert delivered(Rig(endings, policy, **values)).ended == [ended]


def test_a_function_that_is_gone_has_no_record() -> None:
    assert delivered(Rig(["gone"])).ended == []
