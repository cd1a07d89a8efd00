"""Events outlive the process that has accepted them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.data_plane.event_queue.retries import (
    AsyncInvocations,
    EventPolicy,
    QueuedEvent,
    RetryWaits,
)
from emulator.lambda_service.data_plane.event_queue.spool import EventSpool
from emulator.lambda_service.errors import ResourceNotFoundError
from emulator.lambda_service.invocation import InvocationResult

pytestmark = pytest.mark.fidelity("events-survive-kill")


class Process:
    """One process's queue over a folder; its calls end when `release` is set, and its clock says `now_s`."""

    def __init__(self, folder: Path, now_s: float = 1000.0, spool: type[EventSpool] = EventSpool) -> None:
        self.now_s = now_s
        self.spool = spool(folder, lambda: self.now_s)
        self.calls: list[tuple[str, bytes, str]] = []
        self.release = asyncio.Event()
        self.queue = AsyncInvocations(RetryWaits(), clock=lambda: 0.0, sleep=self._sleep, spool=self.spool)
        self.slept: list[float] = []

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def event(self, name: str, payload: bytes, request_id: str, is_kept: bool = True) -> QueuedEvent:
        if name == "gone":
            raise ResourceNotFoundError("Function not found: gone")

        async def run() -> InvocationResult:
            self.calls.append((name, payload, request_id))
            await self.release.wait()
            return InvocationResult(b"{}", "Unhandled" if name == "failing" else None, "1")

        call = {"name": name, "request_id": request_id}
        return QueuedEvent(name, request_id, payload, run, EventPolicy, call=call if is_kept else None)


def run(scenario: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_what_had_not_ended_is_tried_by_the_next_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = Process(tmp_path)
        before.queue.accept(before.event("f", b'"1"', "1"))
        before.queue.accept(before.event("f", b'"not kept"', "2", is_kept=False))
        await settle()
        before.release.set()
        await settle()
        assert before.spool.load() == [], "both have succeeded"
        before.release.clear()
        before.now_s = 1001.0
        before.queue.accept(before.event("f", b'"\xc3\xa4"', "3"))
        before.now_s = 1002.0
        before.queue.accept(before.event("gone-later", b'"2"', "4"))
        await settle()
        await before.queue.close()

        after = Process(tmp_path, now_s=1010.0)
        after.queue.accept(after.event("f", b'"new"', "5"))
        after.queue.restore(after.event)
        await settle()
        assert [call[2] for call in after.calls] == ["5", "3", "4"], "in their order, and the new one once"
        assert after.calls[1] == ("f", b'"\xc3\xa4"', "3")
        after.release.set()
        await settle()
        assert after.spool.load() == []
        await after.queue.close()

    run(scenario)


def test_an_event_is_as_old_as_at_its_first_acceptance(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = Process(tmp_path)
        before.queue.accept(before.event("failing", b"1", "1"))
        await settle()
        await before.queue.close()
        after = Process(tmp_path, now_s=1000.0 + EventPolicy().max_age_s - 30)
        after.release.set()
        after.queue.restore(after.event)
        await settle()
        assert after.slept == [], "a minute later it would be too old"
        assert after.spool.load() == []

    run(scenario)


def test_a_function_that_is_away_keeps_its_events_and_a_reset_drops_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = Process(tmp_path)
        process.spool.keep("old", {"name": "gone", "request_id": "old"}, b"1")
        process.now_s += EventPolicy().max_age_s + 1
        process.spool.keep("1", {"name": "gone", "request_id": "1"}, b"1")
        (tmp_path / "queue" / "2.json").write_text("{")
        (tmp_path / "queue" / "3.json.tmp").write_text("{")
        process.queue.restore(process.event)
        await settle()
        assert process.calls == []
        assert [call["name"] for call, _, _ in process.spool.load()] == ["gone"]
        assert sorted(path.name for path in (tmp_path / "queue").iterdir()) == ["1.json", "2.json"]
        await process.queue.clear()
        assert process.spool.load() == []

    run(scenario)


def test_an_event_that_is_accepted_during_a_reset_is_kept(tmp_path: Path) -> None:
    class SlowSpool(EventSpool):
        def clear(self) -> None:
            is_accepted.wait(0.1)
            super().clear()

    is_accepted = threading.Event()

    async def scenario() -> None:
        process = Process(tmp_path, spool=SlowSpool)
        process.queue.accept(process.event("f", b"1", "before"))
        reset = asyncio.create_task(process.queue.clear())
        await settle()
        process.queue.accept(process.event("f", b"1", "after"))
        is_accepted.set()
        await reset
        assert [call["request_id"] for call, _, _ in process.spool.load()] == ["after"]
        await process.queue.close()

    run(scenario)


def test_a_stop_says_which_events_go_on_and_which_are_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        process = Process(tmp_path)
        for number, is_kept in enumerate((True, True, False)):
            process.queue.accept(process.event("f", b"1", str(number), is_kept=is_kept))
        await settle()
        await process.queue.close()

    run(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "2 asynchronous invocations had not succeeded yet and are tried again at the next start",
        "1 asynchronous invocations had not succeeded yet and are lost",
    ]


def test_kept_events_go_on_although_the_disk_is_full(tmp_path: Path) -> None:
    class FullSpool(EventSpool):
        def keep(self, *_: Any) -> None:
            raise OSError(28, "No space left on device")

    async def scenario() -> None:
        Process(tmp_path).queue.accept(Process(tmp_path).event("f", b"1", "1"))
        after = Process(tmp_path, spool=FullSpool)
        after.queue.restore(after.event)
        await settle()
        assert [call[2] for call in after.calls] == ["1"]
        with pytest.raises(OSError, match="No space left"):
            after.queue.accept(after.event("f", b"1", "2"))
        await after.queue.close()

    run(scenario)
