"""Taking changes from the bucket's process: over a real socket, from the real feed."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from emulator.bucket.object_feed import ObjectFeed
from emulator.event_sources.bucket_events import BucketEvents, NotOurBucketError
from emulator.event_sources.bucket_positions import BucketPositions
from emulator.http_server import HttpServer
from emulator.object_events import ObjectEvent
from emulator.supervision import BackgroundTasks

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def event(key: str) -> ObjectEvent:
    return ObjectEvent("ObjectCreated:Put", "data", key, 1, "e", None, "00", NOW)


class FeedServer(HttpServer):
    """Serves a feed, or refuses as another S3 server does."""

    def __init__(self) -> None:
        super().__init__()
        self.feed: ObjectFeed | None = ObjectFeed(hold_s=0.05)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=403) if self.feed is None else await self.feed.answer(request)


class Rig:
    """A feed, and what takes its changes."""

    def __init__(self, server: FeedServer, port: int) -> None:
        self.server = server
        self.keys: list[str] = []
        self._news = asyncio.Event()
        self.events = BucketEvents(f"http://127.0.0.1:{port}/", ["data"], self._work_off)

    async def _work_off(self, taken: ObjectEvent) -> None:
        self.keys.append(taken.key)
        self._news.set()

    def publish(self, key: str) -> None:
        assert self.server.feed is not None
        self.server.feed.publish(event(key))

    async def until(self, count: int) -> None:
        while len(self.keys) < count:
            self._news.clear()
            await self._news.wait()


def run(scenario: Callable[[Rig], Awaitable[None]]) -> None:
    async def running() -> None:
        server = FeedServer()
        rig = Rig(server, await server.start("127.0.0.1", 0))
        try:
            await scenario(rig)
        finally:
            await rig.events.close()
            await rig.server.stop()

    asyncio.run(running())


@pytest.mark.fidelity("object-events")
def test_changes_are_taken_once_and_in_their_order() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.events.subscribe()
        tasks = BackgroundTasks()
        rig.publish("before")
        tasks.start(rig.events.run(), "take changes")
        for number in range(50):
            rig.publish(str(number))
            await asyncio.sleep(0)
        await rig.until(51)
        await tasks.cancel()
        assert rig.keys == ["before", *map(str, range(50))]

    run(scenario)


@pytest.mark.fidelity("object-events")
def test_a_bucket_that_was_started_again_is_asked_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.events.subscribe()
        tasks = BackgroundTasks()
        tasks.start(rig.events.run(), "take changes")
        rig.publish("one")
        await rig.until(1)
        rig.server.feed = ObjectFeed(hold_s=0.05)
        while "is asked for what has come since" not in caplog.text:
            await asyncio.sleep(0.01)
        while len(rig.keys) < 2:
            rig.publish("two")
            await asyncio.sleep(0.01)
        await tasks.cancel()
        assert rig.keys[:2] == ["one", "two"]

    run(scenario)


def test_another_s3_server_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.feed = None
        with pytest.raises(NotOurBucketError, match="it answers 403"):
            await rig.events.subscribe()
        await rig.events.run()
        assert "isn't a bucket of this emulator (it answers 403): no function is called" in caplog.text

    run(scenario)


def test_a_server_that_is_away_is_named_once_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.event_sources.bucket_events._RETRY_PAUSE_S", 0.01)

    async def scenario(rig: Rig) -> None:
        port = rig.server.port
        await rig.server.stop()
        tasks = BackgroundTasks()
        tasks.start(rig.events.run(), "take changes")
        while "can't be reached, and is tried again" not in caplog.text:
            await asyncio.sleep(0.01)
        server = FeedServer()
        await server.start("127.0.0.1", port)
        rig.server = server
        while "is there again" not in caplog.text:
            await asyncio.sleep(0.01)
        rig.publish("one")
        await rig.until(1)
        await tasks.cancel()
        assert caplog.text.count("can't be reached") == 1

    run(scenario)


@pytest.mark.fidelity("object-events")
def test_positions_outlive_their_process(tmp_path: Path) -> None:
    path = tmp_path / "state" / "positions.json"
    first = BucketPositions(path)
    assert first.of(["a"]) == {"a": None}
    first.begin(["a", "b"], "05")
    first.advance("a", "07")
    first.advance("a", "06")
    second = BucketPositions(path)
    assert second.of(["a", "b", "c"]) == {"a": "07", "b": "05", "c": None}
    second.begin(["a", "c"], "09")
    # A bucket that calls no function any more begins anew if it does so later.
    assert BucketPositions(path).of(["a", "b", "c"]) == {"a": "07", "b": None, "c": "09"}
    path.write_text("{")
    assert BucketPositions(path).of(["a"]) == {"a": None}
