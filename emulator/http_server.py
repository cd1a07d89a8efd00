"""aiohttp's server, with clients of all kinds in mind: one that takes no answer it would wait for forever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

_LOOKS_PER_PAUSE = 4


class _WithoutClientsFaults(logging.Filter):
    """Says in one line what aiohttp says in a traceback: that what a client sent is no HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            reason = str(error.message).partition("\n")[0].rstrip(": ")
            record.msg, record.args, record.exc_info = "a client sent what is no HTTP: %s", (reason,), None
        return True


_log = logging.getLogger(__name__)
_log.addFilter(_WithoutClientsFaults())


@dataclass(slots=True)
class _Waiting:
    """What of a connection's answers the system has not taken yet, and since when it has been so much."""

    transport: asyncio.Transport
    size: int = 0
    since: float = 0.0


class WatchedServer(web.Server):
    """A server of one handler, to be run by `web.ServerRunner`.

    Parameters
    ----------
    handler : callable
        Request → response.
    write_pause_s : float
        How long a client may take none of what it was answered. Found out within a quarter more.
    **options
        As `web.Server` takes them.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        write_pause_s: float,
        **options: Any,
    ) -> None:
        super().__init__(handler, logger=_log, **options)
        self._write_pause_s = write_pause_s
        self._waiting: dict[web.RequestHandler, _Waiting] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection in; aiohttp calls it."""
        super().connection_made(handler, transport)
        self._waiting[handler] = _Waiting(transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection; aiohttp calls it."""
        super().connection_lost(handler, exc)
        self._waiting.pop(handler, None)

    async def watch(self) -> None:
        """End connections whose clients take nothing; never return."""
        while True:
            await asyncio.sleep(self._write_pause_s / _LOOKS_PER_PAUSE)
            now = asyncio.get_running_loop().time()
            for waiting in list(self._waiting.values()):
                size = waiting.transport.get_write_buffer_size()
                if size != waiting.size or not size:
                    waiting.size, waiting.since = size, now
                elif now - waiting.since >= self._write_pause_s:
                    # Not close(), which waits for the client again.
                    waiting.transport.abort()
