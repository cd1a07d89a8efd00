"""Background tasks: failures are reported, loops begin again, and no task outlives its owner."""

from __future__ import annotations

import asyncio
import logging

import pytest

from emulator.supervision import BackgroundTasks, first_of


class BrokenError(Exception):
    """Raised by the tests' tasks."""


async def fail() -> None:
    raise BrokenError("broken")


def test_a_failing_task_is_logged_and_reported_to_its_owner(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[BaseException]:
        tasks, errors = BackgroundTasks(), []
        tasks.start(fail(), "count the stars", errors.append)
        await tasks.wait()
        assert not len(tasks)
        return errors

    (error,) = asyncio.run(scenario())
    assert isinstance(error, BrokenError)
    (record,) = caplog.records
    assert record.getMessage() == "the background task 'count the stars' failed"
    assert record.levelno == logging.ERROR
    assert record.exc_info


def test_a_loop_that_fails_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> int:
        times, third = 0, asyncio.Event()

        async def loop() -> None:
            nonlocal times
            times += 1
            if times < 3:
                raise BrokenError
            third.set()
            await asyncio.Event().wait()

        tasks = BackgroundTasks()
        tasks.keep_running(loop, "loop", pause_s=0)
        await third.wait()
        await tasks.cancel()
        assert not len(tasks)
        return times

    assert asyncio.run(scenario()) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the background task 'loop' failed; it starts again in 0 s"
    ] * 2


def test_a_loop_that_returns_has_ended() -> None:
    async def scenario() -> None:
        tasks = BackgroundTasks()
        tasks.keep_running(lambda: asyncio.sleep(0), "loop")
        await tasks.wait()

    asyncio.run(scenario())


def test_the_first_of_two_ends_cancels_the_other() -> None:
    async def scenario() -> None:
        ended: list[str] = []

        async def wait_forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        with pytest.raises(BrokenError):
            await first_of(wait_forever(), fail())
        assert ended == ["cancelled"]

    asyncio.run(scenario())


def test_cancelling_a_waiter_cancels_no_task() -> None:
    async def scenario() -> bool:
        tasks, go_on = BackgroundTasks(), asyncio.Event()
        task = tasks.start(go_on.wait(), "wait")
        waiting = asyncio.ensure_future(tasks.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        go_on.set()
        return await task

    assert asyncio.run(scenario())
