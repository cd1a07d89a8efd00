"""Takes the changes of objects from the bucket's process, each once, in their order. See `emulator.bucket.object_feed`.

A change that was worked off is named in the next question. So none is lost or doubled while both processes live. After
a restart of either, the positions say which objects have come since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import aiohttp

from emulator.event_sources.bucket_positions import BucketPositions
from emulator.object_events import OBJECT_EVENTS_PATH, ObjectEvent, read_object_event
from emulator.strict_json import read_json

_RETRY_PAUSE_S = 0.5
# Longer than the bucket holds a question.
_ANSWER_LIMIT_S = 60.0
_log = logging.getLogger(__name__)


class NotOurBucketError(Exception):
    """The S3 server isn't a bucket of this emulator, and tells nobody of its changes."""


class BucketEvents:
    """One subscription of some buckets' changes at an S3 server.

    Parameters
    ----------
    endpoint_url : str
        The server's address.
    buckets : iterable of str
        Their names.
    work_off : callable
        Gets each change; a change counts as worked off once it returns.
    positions : BucketPositions, optional
        How far a process before this one has come.
    """

    def __init__(
        self,
        endpoint_url: str,
        buckets: Iterable[str],
        work_off: Callable[[ObjectEvent], Awaitable[None]],
        positions: BucketPositions | None = None,
    ) -> None:
        self._positions = positions or BucketPositions()
        self._url = endpoint_url.rstrip("/") + OBJECT_EVENTS_PATH
        self._buckets = list(buckets)
        self._work_off = work_off
        self._subscription = ""
        self._done = 0
        self._is_away = False
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_LIMIT_S))

    async def subscribe(self) -> None:
        """Ask for the changes from now on, and for those since the positions.

        Raises
        ------
        NotOurBucketError
            The server answers as another S3 server does.
        aiohttp.ClientError, TimeoutError
            It can't be reached.
        """
        async with self._session.post(self._url, json={"buckets": self._positions.of(self._buckets)}) as response:
            content = await response.read()
            if response.status != HTTPStatus.CREATED:
                raise NotOurBucketError(f"it answers {response.status}")
        answer: Any = read_json(content)
        self._positions.begin(self._buckets, str(answer["position"]))
        self._subscription, self._done = str(answer["subscription"]), 0

    async def run(self) -> None:
        """Take changes until it is cancelled, or the server turns out to be another's."""
        while True:
            try:
                if not self._subscription:
                    await self.subscribe()
                    self._note_return()
                await self._take()
            except NotOurBucketError as error:
                _log.warning("%s isn't a bucket of this emulator (%s): no function is called", self._url, error)
                return
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._note_absence(error)
                await asyncio.sleep(_RETRY_PAUSE_S)

    async def close(self) -> None:
        """End the subscription, if the bucket is still there."""
        try:
            if self._subscription:
                async with asyncio.timeout(1), self._session.delete(self._url, params=self._parameters()):
                    pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            # It has ended before this process.
            pass
        finally:
            await self._session.close()

    def _parameters(self) -> dict[str, str]:
        return {"subscription": self._subscription, "after": str(self._done)}

    async def _take(self) -> None:
        """Ask once, and work off what comes."""
        async with self._session.get(self._url, params=self._parameters()) as response:
            content = await response.read()
            if response.status != HTTPStatus.OK:
                # The bucket was restarted, or has given this process up.
                self._subscription = ""
                _log.warning("the bucket doesn't know this emulator any more, and is asked for what has come since")
                return
        self._note_return()
        document: Any = read_json(content)
        for entry in document["events"]:
            number = entry.pop("number")
            event = read_object_event(entry)
            await self._work_off(event)
            self._positions.advance(event.bucket, event.sequencer)
            self._done = number

    def _note_absence(self, error: Exception) -> None:
        if not self._is_away:
            _log.warning("%s can't be reached, and is tried again: %s", self._url, str(error) or type(error).__name__)
        self._is_away = True

    def _note_return(self) -> None:
        if self._is_away:
            _log.warning("%s is there again", self._url)
        self._is_away = False
