"""The changes that the bucket hands out: their names, and that none is lost or handed out twice."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from emulator.bucket import object_feed
from emulator.bucket.object_feed import ObjectFeed
from emulator.object_events import OBJECT_EVENTS_PATH, ObjectEvent, read_object_event

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=dt.UTC)


def event(key: str, bucket: str = "data") -> ObjectEvent:
    return ObjectEvent("ObjectCreated:Put", bucket, key, 1, "e", None, "00", NOW)


class Feed:
    """A feed with a clock that stands still, asked as over HTTP."""

    def __init__(self, hold_s: float = 0.05) -> None:
        self.now = 0.0
        self.feed = ObjectFeed(clock=lambda: self.now, hold_s=hold_s)

    async def ask(
        self, method: str, body: bytes = b"", path: str = OBJECT_EVENTS_PATH, **query: str
    ) -> tuple[int, Any]:
        async def read() -> bytes:
            return body

        request = SimpleNamespace(method=method, path=path, query=query, headers={"Host": "localhost"}, read=read)
        answer = cast("web.Response", await self.feed.answer(cast("web.BaseRequest", request)))
        return answer.status, json.loads(answer.text) if answer.text else None

    async def subscribe(self, *buckets: str) -> str:
        status, answer = await self.ask("POST", json.dumps({"buckets": dict.fromkeys(buckets or ["data"])}).encode())
        assert status == 201
        return str(answer["subscription"])

    async def keys(self, subscription: str, after: int) -> list[tuple[int, str]]:
        status, answer = await self.ask("GET", subscription=subscription, after=str(after))
        assert status == 200
        return [(entry["number"], entry["key"]) for entry in answer["events"]]


def test_an_event_comes_back() -> None:
    made = event("a b")
    assert read_object_event(json.loads(json.dumps(made.as_json()))) == made


@pytest.mark.fidelity("object-events")
def test_a_change_stays_until_it_is_worked_off() -> None:
    async def run() -> None:
        feed = Feed()
        subscription = await feed.subscribe()
        feed.feed.publish(event("one"))
        feed.feed.publish(event("elsewhere", "other"))
        feed.feed.publish(event("two"))
        assert await feed.keys(subscription, 0) == [(1, "one"), (2, "two")]
        # The answer was lost.
        assert await feed.keys(subscription, 0) == [(1, "one"), (2, "two")]
        assert await feed.keys(subscription, 1) == [(2, "two")]
        assert await feed.keys(subscription, 2) == []

    asyncio.run(run())


@pytest.mark.fidelity("object-events")
def test_a_process_that_has_missed_changes_gets_them_first() -> None:
    async def run() -> None:
        feed = Feed()
        asked: list[dict[str, str]] = []

        def catch_up(positions: Mapping[str, str]) -> tuple[str, list[ObjectEvent]]:
            asked.append(dict(positions))
            return "09", [event("missed")]

        feed.feed.catch_up = catch_up
        body = json.dumps({"buckets": {"data": "05", "new": None}}).encode()
        status, answer = await feed.ask("POST", body)
        assert (status, answer["position"], asked) == (201, "09", [{"data": "05"}])
        feed.feed.publish(event("now"))
        assert await feed.keys(answer["subscription"], 0) == [(1, "missed"), (2, "now")]

    asyncio.run(run())


def test_a_held_question_is_answered_by_a_change() -> None:
    async def run() -> None:
        feed = Feed(hold_s=60)
        subscription = await feed.subscribe()
        question = asyncio.create_task(feed.keys(subscription, 0))
        await asyncio.sleep(0)
        feed.feed.publish(event("one"))
        assert await question == [(1, "one")]
        question = asyncio.create_task(feed.keys(subscription, 1))
        await asyncio.sleep(0)
        feed.feed.close()
        assert await question == []

    asyncio.run(run())


def test_two_emulators_get_the_same_changes() -> None:
    async def run() -> None:
        feed = Feed()
        first, second = await feed.subscribe(), await feed.subscribe("other", "data")
        feed.feed.publish(event("one"))
        assert await feed.keys(first, 0) == await feed.keys(second, 0) == [(1, "one")]
        assert (await feed.ask("DELETE", subscription=first))[0] == 204
        assert (await feed.ask("GET", subscription=first))[0] == 404
        assert await feed.keys(second, 0) == [(1, "one")]

    asyncio.run(run())


def test_an_emulator_that_is_gone_is_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_feed, "MAX_WAITING", 3)

    async def run() -> None:
        feed = Feed()
        subscription = await feed.subscribe()
        feed.now = object_feed.SILENT_AFTER_S + 1
        for number in range(3):
            feed.feed.publish(event(str(number)))
        assert caplog.text.count("no emulator takes the changes of data; they wait for it") == 1
        assert len(await feed.keys(subscription, 0)) == 3
        feed.now *= 3
        feed.feed.publish(event("3"))
        assert "4 changes that no emulator took are dropped" in caplog.text
        assert (await feed.ask("GET", subscription=subscription))[0] == 404

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "body", "query", "status"),
    [
        ("POST", b"[]", {}, 400),
        ("POST", b"{", {}, 400),
        ("GET", b"", {"subscription": "?"}, 404),
        ("PUT", b"", {"subscription": "mine"}, 400),
        ("GET", b"", {"subscription": "mine", "after": "-1"}, 400),
    ],
)
def test_a_wrong_question_is_refused(method: str, body: bytes, query: dict[str, str], status: int) -> None:
    async def run() -> None:
        feed = Feed()
        mine = await feed.subscribe()
        named = {**query, **({"subscription": mine} if query.get("subscription") == "mine" else {})}
        assert (await feed.ask(method, body, **named))[0] == status
        assert (await feed.ask("GET", path="/_emulator/other"))[0] == 404

    asyncio.run(run())
