"""Runs background tasks and logs their failures.

asyncio keeps only a weak reference to a task. The exception of a task that nobody awaits shows when the task is
collected, or never. Therefore every task that isn't awaited where it is made is started here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

RESTART_PAUSE_S = 1.0
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class BackgroundTasks:
    """The background tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self,
        work: Coroutine[Any, Any, _Result],
        name: str,
        on_failure: Callable[[BaseException], object] | None = None,
    ) -> asyncio.Task[_Result]:
        """Run a coroutine in the background, and log its exception if it raises one, with the task's name.

        ``on_failure`` is called with the exception after it is logged, so that the owner can give up what the task was
        for.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._end, on_failure))
        return task

    def keep_running(
        self, work: Callable[[], Awaitable[object]], name: str, pause_s: float = RESTART_PAUSE_S
    ) -> asyncio.Task[None]:
        """Run a loop in the background; each time it fails, log that and start it again after a pause."""
        return self.start(_run_until_it_returns(work, name, pause_s), name)

    async def wait(self) -> None:
        """Wait until all tasks have ended, also those that they have started; failures are only logged."""
        # Not gathered: cancelling this must not cancel the tasks.
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancel every task and wait until all have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, on_failure: Callable[[BaseException], object] | None, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        _log.error("the background task '%s' failed", task.get_name(), exc_info=error)
        if on_failure is not None:
            on_failure(error)


async def first_of(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Wait until one coroutine is done, cancel the others, and raise its exception if it has one."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _run_until_it_returns(work: Callable[[], Awaitable[object]], name: str, pause_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - logged; the task begins again
            _log.exception("the background task '%s' failed; it starts again in %g s", name, pause_s)
            await asyncio.sleep(pause_s)
        else:
            return
