"""The bucket's own pages under ``/_emulator/``: its feed of changes, and its reset."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from emulator.browser_guard import BrowserGuard
from emulator.bucket.object_feed import ObjectFeed
from emulator.bucket.store import Store
from emulator.http_server import RESET_PATH, Gate


class BucketPages:
    """Answers requests for the bucket's own pages; `first` names the buckets that a reset leaves, all empty."""

    def __init__(self, store: Store, feed: ObjectFeed, guard: BrowserGuard, first: Collection[str]) -> None:
        self.gate = Gate()
        """Holds the bucket's requests up during a reset."""
        self._store = store
        self._feed = feed
        self._guard = guard
        self._first = first

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to a request whose path begins with ``/_emulator/``."""
        refusal = self._guard.find_refusal(request.headers)
        if refusal is not None:
            return web.json_response({"message": refusal}, status=403)
        if request.path != RESET_PATH:
            return await self._feed.answer(request)
        if request.method != "POST":
            message = f"{RESET_PATH} takes only POST."
            return web.json_response({"message": message}, status=405, headers={"Allow": "POST"})
        async with self.gate.closed():
            await self._store.start_anew(self._first)
            self._feed.forget()
        return web.Response(status=204)
