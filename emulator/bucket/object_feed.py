"""Hands the bucket's changes to the processes that run functions, each as often as it takes to arrive once.

A process subscribes, and then asks for the changes after the last one that it has worked off; the question is held
until there is one. A change stays here until it was worked off, so that a lost answer loses nothing. A process that has
ended asks no more. Its changes are dropped after `MAX_WAITING` of them, and it starts anew. A process that says how far
it has come gets first what it has missed.

    POST   /_emulator/object-events {"buckets": {"name": null}}  → 201 {"subscription": "id", "position": "00A4…"}
    GET    /_emulator/object-events?subscription=id&after=7      → 200 {"events": [{"number": 8, …}]}
    DELETE /_emulator/object-events?subscription=id              → 204
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from uuid import uuid4

from aiohttp import web

from emulator.object_events import OBJECT_EVENTS_PATH, ObjectEvent
from emulator.strict_json import read_json

# Of a process that doesn't ask: about 50 MB.
MAX_WAITING = 100_000
SILENT_AFTER_S = 30.0
_HOLD_S = 20.0
_MAX_EVENTS_IN_ANSWER = 1000
CatchUp = Callable[[Mapping[str, str]], tuple[str, list[ObjectEvent]]]
_log = logging.getLogger(__name__)


class _Subscription:
    """The changes of some buckets that one process hasn't worked off yet, oldest first."""

    def __init__(self, buckets: frozenset[str], now: float) -> None:
        self.buckets = buckets
        self.waiting: deque[tuple[int, ObjectEvent]] = deque()
        self.is_news = asyncio.Event()
        self.last_number = 0
        self.asked_at = now
        self.is_asking = False
        self.is_told = False


class ObjectFeed:
    """The subscriptions of one bucket process, used in its event loop alone.

    Parameters
    ----------
    clock : callable
        Counts seconds.
    hold_s : float
        How long a question is held.

    Attributes
    ----------
    catch_up : callable
        Gets buckets' positions; returns the position of now, and the changes after those.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, hold_s: float = _HOLD_S) -> None:
        self.catch_up: CatchUp = lambda _: ("", [])
        self._clock = clock
        self._hold_s = hold_s
        self._subscriptions: dict[str, _Subscription] = {}

    def publish(self, event: ObjectEvent) -> None:
        """Keep a change for each process that subscribed to its bucket."""
        for name, subscription in list(self._subscriptions.items()):
            if event.bucket in subscription.buckets:
                self._add(name, subscription, event)

    def forget(self) -> None:
        """Drop the changes that no process has worked off yet."""
        for subscription in self._subscriptions.values():
            subscription.waiting.clear()

    def close(self) -> None:
        """Answer the questions that are held."""
        self._hold_s = 0.0
        for subscription in self._subscriptions.values():
            subscription.is_news.set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for the emulator's own pages of the bucket, which no web page of another origin has sent."""
        if request.path != OBJECT_EVENTS_PATH:
            return web.json_response({"message": f"The bucket's own page is {OBJECT_EVENTS_PATH}."}, status=404)
        if request.method == "POST":
            return await self._subscribe(request)
        name = request.query.get("subscription", "")
        if name not in self._subscriptions:
            return web.json_response({"message": "The subscription isn't known: subscribe anew."}, status=404)
        return await self._answer_subscriber(request, name)

    async def _answer_subscriber(self, request: web.BaseRequest, name: str) -> web.Response:
        if request.method == "DELETE":
            del self._subscriptions[name]
            return web.Response(status=204)
        after = request.query.get("after", "0")
        if request.method != "GET" or not after.isdecimal():
            return web.json_response({"message": "Ask by GET with after=NUMBER, or end by DELETE."}, status=400)
        return web.json_response({"events": await self._events_after(self._subscriptions[name], int(after))})

    async def _subscribe(self, request: web.BaseRequest) -> web.Response:
        try:
            buckets = dict(read_json(await request.read())["buckets"])
        except (KeyError, TypeError, ValueError):
            return web.json_response({"message": 'The body must be {"buckets": {"name": null}}.'}, status=400)
        name, subscription = uuid4().hex, _Subscription(frozenset(buckets), self._clock())
        known = {bucket: str(position) for bucket, position in buckets.items() if position is not None}
        # In one step with the subscription, so that no change is missed or comes twice.
        position, missed = self.catch_up(known)
        self._subscriptions[name] = subscription
        for event in missed:
            self._add(name, subscription, event)
        return web.json_response({"subscription": name, "position": position}, status=201)

    async def _events_after(self, subscription: _Subscription, after: int) -> list[dict[str, object]]:
        """Forget the changes up to a number, and return those after it; wait a while for one if there is none."""
        while subscription.waiting and subscription.waiting[0][0] <= after:
            subscription.waiting.popleft()
        subscription.is_asking, subscription.is_told = True, False
        if not subscription.waiting:
            subscription.is_news.clear()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._hold_s):
                    await subscription.is_news.wait()
        finally:
            subscription.is_asking, subscription.asked_at = False, self._clock()
        events = itertools.islice(subscription.waiting, _MAX_EVENTS_IN_ANSWER)
        return [{"number": number, **event.as_json()} for number, event in events]

    def _add(self, name: str, subscription: _Subscription, event: ObjectEvent) -> None:
        subscription.last_number += 1
        subscription.waiting.append((subscription.last_number, event))
        is_silent = not subscription.is_asking and self._clock() - subscription.asked_at > SILENT_AFTER_S
        if is_silent and not subscription.is_told:
            subscription.is_told = True
            _log.warning("no emulator takes the changes of %s; they wait for it", ", ".join(subscription.buckets))
        if is_silent and len(subscription.waiting) > MAX_WAITING:
            del self._subscriptions[name]
            _log.warning("%d changes that no emulator took are dropped", len(subscription.waiting))
        subscription.is_news.set()
