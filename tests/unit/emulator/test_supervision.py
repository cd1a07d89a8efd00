"""Background tasks that fail are reported; loops begin again; nothing is left when their owner closes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from emulator.supervision import BackgroundTasks


class BrokenError(Exception):
    """Raised by the tests' tasks."""


async def fail() -> None:
    raise BrokenError("broken")


def test_a_task_that_fails_is_logged_and_its_owner_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[BaseException]:
        tasks, told = BackgroundTasks(), []
        tasks.start(fail(), "count the stars", told.append)
        await tasks.wait()
        assert not len(tasks)
        return told

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


def test_cancelling_who_waits_cancels_no_task() -> None:
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
