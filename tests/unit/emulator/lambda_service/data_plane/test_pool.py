"""Environments of a version, given out one request each, without a process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service.data_plane.environment import State
from emulator.lambda_service.data_plane.ledger import BurstRate
from emulator.lambda_service.data_plane.pool import STARTED_AT_ONCE, EnvironmentPool, pause_before_replacing
from emulator.lambda_service.errors import TooManyRequestsError
from emulator.lambda_service.invocation import (
    SNAP_START_ERROR,
    InitFailure,
    Invocation,
    InvocationResult,
)


class FakeEnvironment:
    """An environment whose life the test decides."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self.pool = pool
        self.state = State.STARTING
        self.idle_since = 0.0
        self.is_fresh = True
        self.is_provisioned = False
        self.pid = None
        self.current: Invocation | None = None
        self.gone = asyncio.Event()
        self.start_error: Exception | None = None

    async def start(self) -> None:
        """Do nothing: the test makes it ready, or has it fail."""
        if self.start_error is not None:
            raise self.start_error

    async def wait_stopped(self) -> None:
        await self.gone.wait()

    def invoke(self, invocation: Invocation) -> None:
        assert self.state in {State.IDLE, State.RESET}
        assert self.current is None, "interleaved"
        self.state, self.current, self.is_fresh = State.BUSY, invocation, False

    def become_free(self) -> None:
        self.state, self.current = State.IDLE, None
        self.pool.environment_is_free(self)  # type: ignore[arg-type]

    def answer(self) -> None:
        assert self.current is not None
        self.current.result.set_result(InvocationResult(b"ok", None, "1"))
        self.become_free()

    def crash(self) -> None:
        current, self.current, self.state = self.current, None, State.RESET
        if current is not None:
            current.result.set_result(InvocationResult(b"dead", "Unhandled", "1"))
        self.pool.environment_was_reset(self)  # type: ignore[arg-type]

    def fail_to_start(self) -> None:
        self.state = State.STOPPED
        self.gone.set()
        self.pool.environment_failed_to_start(self, InitFailure(b"failed", api_error=SNAP_START_ERROR))  # type: ignore[arg-type]

    def stop(self) -> None:
        self.state = State.STOPPED
        self.gone.set()


class Rig:
    """A pool of fakes."""

    def __init__(self, burst: int = 100) -> None:
        self.made: list[FakeEnvironment] = []
        self.start_error: Exception | None = None
        self.pool = EnvironmentPool("f", "1", self._make, BurstRate(lambda: 0.0, burst))

    def _make(self, pool: EnvironmentPool) -> Any:
        self.made.append(FakeEnvironment(pool))
        self.made[-1].start_error = self.start_error
        return self.made[-1]

    def submit(self) -> Invocation:
        result: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        invocation = Invocation(str(len(self.made)), b"{}", "arn", "", result)
        self.pool.submit(invocation)
        return invocation


@pytest.mark.fidelity("waiting-request")
def test_the_first_free_environment_takes_the_oldest_request() -> None:
    async def scenario() -> None:
        rig = Rig()
        first, second = rig.submit(), rig.submit()
        assert len(rig.made) == 2
        rig.made[1].become_free()
        assert rig.made[1].current is first
        rig.made[1].answer()
        assert rig.made[1].current is second
        third = rig.submit()
        assert len(rig.made) == 2, "the one that is still starting will do"
        rig.made[0].become_free()
        assert rig.made[0].current is third
        rig.made[0].answer()
        rig.made[1].answer()
        status = rig.pool.status()
        assert (status.cold_starts, status.warm_starts, status.by_state["idle"]) == (2, 1, 2)
        assert rig.pool.reap(-1) == 2
        assert rig.pool.size == 0

    asyncio.run(scenario())


def test_a_start_that_raises_costs_its_request_and_the_next_one_gets_another_environment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.start_error = RuntimeError("a bug")
        first = rig.submit()
        result = await asyncio.wait_for(first.result, 10)
        assert result.function_error == "Unhandled"
        assert b"Runtime.StartFailed" in result.payload
        rig.start_error = None
        second = rig.submit()
        rig.made[-1].become_free()
        assert rig.made[-1].current is second
        rig.made[-1].answer()
        assert (len(rig.made), rig.pool.size) == (2, 1)

    asyncio.run(scenario())
    assert "a bug" in caplog.text


def test_a_failed_start_costs_one_waiting_request_at_most() -> None:
    async def scenario() -> None:
        rig = Rig()
        first, second = rig.submit(), rig.submit()
        rig.made[0].fail_to_start()
        assert first.result.result().api_error == SNAP_START_ERROR
        assert not second.result.done()
        rig.made[1].become_free()
        third = rig.submit()
        rig.made[1].answer()
        assert rig.made[1].current is third
        rig.made[2].fail_to_start()
        assert not third.result.done()

    asyncio.run(scenario())


def test_a_reset_environment_is_used_before_one_is_added_and_after_the_idle_ones() -> None:
    async def scenario() -> None:
        rig = Rig(burst=2)
        rig.submit(), rig.submit()
        for environment in rig.made:
            environment.become_free()
        rig.made[0].crash()
        rig.made[1].answer()
        assert rig.pool.status().by_state == {"starting": 0, "idle": 1, "busy": 0, "reset": 1}
        third, fourth = rig.submit(), rig.submit()
        assert (rig.made[1].current, rig.made[0].current) == (third, fourth)
        with pytest.raises(TooManyRequestsError, match="limit of 2"):
            rig.submit()
        rig.made[0].crash()
        rig.made[1].crash()
        assert rig.pool.reap(-1) == 2

    asyncio.run(scenario())


@pytest.mark.fidelity("version-replaced")
def test_draining_stops_the_idle_at_once_and_the_busy_after_their_answers() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.submit(), rig.submit()
        for environment in rig.made:
            environment.become_free()
        rig.made[0].answer()
        late, last = rig.submit(), rig.submit()
        assert rig.made[0].current is late
        draining = asyncio.create_task(rig.pool.drain())
        await asyncio.sleep(0)
        rig.made[0].answer()
        assert rig.made[0].current is last, "it was accepted before"
        rig.made[0].answer()
        assert rig.made[0].state is State.STOPPED
        rig.made[1].crash()
        assert rig.made[1].state is State.STOPPED
        assert not draining.done()
        rig.made[2].become_free()
        await draining
        assert rig.pool.size == 0

    asyncio.run(scenario())


def test_closing_amid_draining_waits_for_every_process_all_the_same() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.submit()
        (environment,) = rig.made
        environment.become_free()
        environment.answer()
        environment.stop = lambda: setattr(environment, "state", State.STOPPED)  # type: ignore[method-assign]
        draining = asyncio.create_task(rig.pool.drain())
        await asyncio.sleep(0.01)
        draining.cancel()
        await asyncio.wait({draining})
        closing = asyncio.create_task(rig.pool.close())
        await asyncio.sleep(0.01)
        assert not closing.done(), "its process is not gone yet"
        environment.gone.set()
        await closing

    asyncio.run(scenario())


@pytest.mark.fidelity("provisioned-concurrency-environments")
def test_provisioned_environments_are_kept_replaced_and_given_up() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.pool.provision(2)
        assert [environment.is_provisioned for environment in rig.made] == [True, True]
        for environment in rig.made:
            environment.become_free()
        assert rig.pool.reap(-1) == 0
        assert rig.pool.status().provisioned_ready == 2
        rig.submit()
        served = next(environment for environment in rig.made if environment.current is not None)
        served.crash()
        assert (served.state, len(rig.made)) == (State.STOPPED, 3), "replaced at once: a request has ended it"
        rig.made[2].fail_to_start()
        status = rig.pool.status()
        assert (len(rig.made), status.provisioned_wanted, status.provisioning_failure) == (3, 1, b"failed")
        rig.pool.provision(0)
        assert rig.pool.reap(-1) == 1
        await rig.pool.close()

    asyncio.run(scenario())


@pytest.mark.fidelity("provisioned-concurrency-capped")
def test_provisioned_environments_start_a_few_at_a_time() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.pool.provision(3 * STARTED_AT_ONCE)
        while len(rig.made) < 3 * STARTED_AT_ONCE:
            starting = [environment for environment in rig.made if environment.state is State.STARTING]
            assert len(starting) == STARTED_AT_ONCE
            starting[0].become_free()
        for environment in rig.made:
            if environment.state is State.STARTING:
                environment.become_free()
        status = rig.pool.status()
        assert (len(rig.made), status.provisioned_ready) == (3 * STARTED_AT_ONCE, 3 * STARTED_AT_ONCE)
        rig.pool.provision(5 * STARTED_AT_ONCE)
        rig.made[-1].fail_to_start()
        status = rig.pool.status()
        assert (len(rig.made), status.provisioning_failure) == (4 * STARTED_AT_ONCE, b"failed"), "not tried again"
        await rig.pool.close()

    asyncio.run(scenario())


def test_provisioned_environments_that_end_by_themselves_are_replaced_later_and_later() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.pool.provision(1)
        for number in range(1, 4):
            rig.made[-1].become_free()
            made = len(rig.made)
            rig.made[-1].crash()
            assert len(rig.made) == made
            timer = rig.pool._replacing
            assert timer is not None
            assert rig.pool._ended_untried == number
            rig.pool._keep_provisioned()
            assert timer.cancelled()
            assert len(rig.made) == made + 1
        rig.made[-1].become_free()
        rig.submit()
        rig.made[-1].answer()
        rig.made[-1].crash()
        assert rig.pool._replacing is None, "it was of use; the next one begins anew"
        rig.made[-1].become_free()
        rig.made[-1].crash()
        await rig.pool.close()
        assert rig.pool._replacing is None

    asyncio.run(scenario())


@pytest.mark.fidelity("provisioned-concurrency-environments")
def test_the_pauses_double_up_to_a_minute() -> None:
    pauses = [pause_before_replacing(number) for number in (0, 1, 2, 3, 4, 5, 6, 7, 5000)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.lists(st.integers(0, 6), max_size=80), st.integers(1, 5))
@pytest.mark.fidelity("one-request-per-environment")
def test_whatever_happens_every_request_ends_and_none_is_interleaved(steps: list[int], burst: int) -> None:
    async def scenario() -> None:
        rig = Rig(burst)
        submitted: list[Invocation] = []
        for step in steps:
            living = [environment for environment in rig.made if environment.state is not State.STOPPED]
            starting = [environment for environment in living if environment.state is State.STARTING]
            busy = [environment for environment in living if environment.state is State.BUSY]
            idle = [environment for environment in living if environment.state is State.IDLE]
            if step <= 1:
                try:
                    submitted.append(rig.submit())
                except TooManyRequestsError:
                    assert len(rig.made) == burst
            elif step == 2 and starting:
                starting[0].become_free()
            elif step == 3 and busy:
                busy[-1].answer()
            elif step == 4 and busy:
                busy[0].crash()
            elif step == 5 and starting:
                starting[-1].fail_to_start()
            elif step == 6 and idle:
                idle[0].crash()
        for _ in range(2 * len(submitted) + 2):
            for environment in list(rig.made):
                if environment.state is State.STARTING:
                    environment.become_free()
                elif environment.state is State.BUSY:
                    environment.answer()
        assert all(invocation.result.done() for invocation in submitted)
        assert rig.pool.status().waiting == 0
        await rig.pool.close()

    asyncio.run(scenario())
