"""Sends requests from a few clients and records every answer: until the caller stops it, or each body once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import aiohttp

from peerloan.access import Access, OpenAccess

_TIMEOUT = aiohttp.ClientTimeout(total=35)


@dataclass(frozen=True)
class Answer:
    """The answer to one request: times in seconds (monotonic), and the version that it names.

    ``status`` is 0 where the request failed without an answer. ``key`` is the routing key that was sent in a header.
    """

    sent: float
    answered: float
    status: int
    version: int | None
    problem: str = ""
    key: str = ""


@asynccontextmanager
async def load(
    url: str,
    bodies: Sequence[bytes],
    clients: int,
    *,
    key_of: Callable[[int], str] | None = None,
    gate: asyncio.Semaphore | None = None,
    pause_s: float = 0.0,
    access: Access | None = None,
) -> AsyncIterator[list[Answer]]:
    """Send requests until the block ends, and yield the list that grows with their answers.

    Parameters
    ----------
    url : str
        The address that the requests are POSTed to.
    bodies : sequence of bytes
        The requests' JSON bodies, taken in turn.
    clients : int
        How many clients send at once; each sends one request after another.
    key_of : callable, optional
        Returns the routing key of a request by its number. It is sent as ``Idempotency-Key``, which counts for records
        without ``loan_id``.
    gate : Semaphore, optional
        Lets so many requests through at once, however many clients there are.
    pause_s : float
        How long a client waits between an answer and its next request.
    access : Access, optional
        Signs the requests, or adds a token.
    """
    authenticate = (access or OpenAccess()).headers
    answers: list[Answer] = []
    stopped = asyncio.Event()

    async def run(number: int) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as session:
            turn = number
            while not stopped.is_set():
                key, body = "" if key_of is None else key_of(turn), bodies[turn % len(bodies)]
                async with gate or nullcontext():
                    answers.append(await _send(session, url, body, key, authenticate("POST", url, body)))
                turn += clients
                await asyncio.sleep(pause_s)

    tasks = [asyncio.create_task(run(number)) for number in range(clients)]
    try:
        yield answers
    finally:
        stopped.set()
        await asyncio.gather(*tasks)


async def send_each(url: str, bodies: Iterable[bytes], clients: int) -> list[Answer]:
    """Send each body once, and return all answers; ``clients`` send at once, as in ``load``."""
    answers: list[Answer] = []
    left = iter(bodies)

    async def run() -> None:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=1)) as session:
            for body in left:
                answers.append(await _send(session, url, body, "", {}))

    await asyncio.gather(*(run() for _ in range(clients)))
    return answers


async def _send(
    session: aiohttp.ClientSession, url: str, body: bytes, key: str, authentication: Mapping[str, str]
) -> Answer:
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {}), **authentication}
    sent = time.monotonic()
    try:
        async with session.post(url, data=body, headers=headers) as response:
            text = await response.text()
            version = response.headers.get("X-Model-Version")
            problem = "" if response.ok else text[:300]
            return Answer(sent, time.monotonic(), response.status, int(version) if version else None, problem, key)
    except (aiohttp.ClientError, TimeoutError) as error:
        return Answer(sent, time.monotonic(), 0, None, repr(error), key)
