"""Sends continuous load from a few clients and records every answer, until the caller stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=35)


@dataclass(frozen=True)
class Answer:
    """The answer to one request: times in seconds (monotonic), and the version that it names.

    ``status`` is 0 where the request failed without an answer.
    """

    sent: float
    answered: float
    status: int
    version: int | None
    problem: str = ""


class Load:
    """A few clients that each send one request after another until they are stopped.

    Parameters
    ----------
    url : str
        The address that the requests are POSTed to.
    bodies : sequence of bytes
        The requests' JSON bodies, taken in turn.
    clients : int
        How many requests are under way at once.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], clients: int) -> None:
        self.answers: list[Answer] = []
        self._url = url
        self._bodies = bodies
        self._clients = clients
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, number: int) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as session:
            turn = number
            while not self._stopped.is_set():
                self.answers.append(await self._send(session, self._bodies[turn % len(self._bodies)]))
                turn += self._clients

    async def _send(self, session: aiohttp.ClientSession, body: bytes) -> Answer:
        sent = time.monotonic()
        try:
            async with session.post(self._url, data=body, headers={"Content-Type": "application/json"}) as response:
                text = await response.text()
                version = response.headers.get("X-Model-Version")
                problem = "" if response.ok else text[:300]
                return Answer(sent, time.monotonic(), response.status, int(version) if version else None, problem)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(sent, time.monotonic(), 0, None, repr(error))
