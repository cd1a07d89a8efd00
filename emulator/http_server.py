"""Serves HTTP on a port: the base of the HTTP API, of Lambda's API and of the bucket.

A request that isn't HTTP is answered and logged in one line. Neither repeats its bytes, which may be personal data.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from emulator.supervision import BackgroundTasks

ADMIN_PATH = "/_emulator/"
RESET_PATH = ADMIN_PATH + "reset"
# Where the emulator's own issuer of tokens is.
OIDC_PATH = ADMIN_PATH + "oidc"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# The client has hung up, or what it sends isn't HTTP.
CLIENT_IS_GONE = (ConnectionError, ClientError, web.RequestPayloadError)
_CHECKS_PER_PAUSE = 4
_BACKLOG = 1024
# aiohttp's messages repeat what the client has sent, after a colon or in quotes. This matches what comes before.
_OWN_WORDS = re.compile(r"[^:'\"\n]*")


async def invite_body(request: web.BaseRequest) -> None:
    """Tell a client that waits for permission to send its body; boto3 does, for up to a second."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


class Gate:
    """Holds requests up while everything is set back: they wait, and find what is there afterwards."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._closing = asyncio.Lock()

    async def wait(self) -> None:
        """Return once it is open."""
        await self._open.wait()

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Hold requests up inside the block; one block at a time."""
        async with self._closing:
            self._open.clear()
            try:
                yield
            finally:
                self._open.set()


class _OneLineForBadRequests(logging.Filter):
    """Shortens aiohttp's log of a request that isn't HTTP to one line, without a traceback and the request's bytes."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            match = _OWN_WORDS.match(str(error.message))
            reason = match[0].strip() if match else ""
            record.msg, record.args, record.exc_info = "a client's request isn't HTTP: %s", (reason,), None
        return True


_log = logging.getLogger(__name__)
_log.addFilter(_OneLineForBadRequests())


class HttpServer(ABC):
    """Serves HTTP on one or several addresses; a subclass answers the requests.

    Parameters
    ----------
    admin : callable, optional
        Answers paths under `ADMIN_PATH`: the emulator's own pages.
    write_pause_s : float, optional
        Ends a connection whose client reads nothing of its answer for so long (checked each quarter of that time).
    shutdown_s : float, optional
        How long requests in progress may take once the server stops.
    **options
        As aiohttp's `web.Server` takes them.

    Attributes
    ----------
    port : int
        The bound port.
    gate : Gate
        Holds up all requests but those for the emulator's own pages.
    """

    def __init__(
        self,
        *,
        admin: Handler | None = None,
        write_pause_s: float | None = None,
        shutdown_s: float = 0.1,
        **options: Any,
    ) -> None:
        self.port = 0
        self.gate = Gate()
        self._admin = admin
        self._write_pause_s = write_pause_s
        self._shutdown_s = shutdown_s
        self._options = options
        self._runner: web.ServerRunner | None = None
        self._tasks = BackgroundTasks()

    @abstractmethod
    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to a request; an exception among `CLIENT_IS_GONE` ends the connection."""

    async def start(self, host: str, port: int) -> int:
        """Listen on an address, or on one more, and return the bound port.

        Raises
        ------
        OSError
            The address is taken or not this machine's.
        """
        if self._runner is None:
            # Compressed bodies reach the subclass as they came.
            server = _Server(self._answer, logger=_log, access_log=None, auto_decompress=False, **self._options)
            self._runner = web.ServerRunner(server, shutdown_timeout=self._shutdown_s)
            await self._runner.setup()
            if self._write_pause_s is not None:
                end_stalled = functools.partial(server.end_stalled_connections, self._write_pause_s)
                self._tasks.keep_running(end_stalled, "end the connections of clients that read nothing")
        await web.TCPSite(self._runner, host, port, backlog=_BACKLOG).start()
        self.port = int(self._runner.addresses[-1][1])
        return self.port

    async def stop(self) -> None:
        """Stop listening and close the connections."""
        await self._tasks.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._admin is not None and request.raw_path.startswith(ADMIN_PATH):
            return await self._admin(request)
        await self.gate.wait()
        try:
            return await self.answer(request)
        except CLIENT_IS_GONE:
            # Nobody waits for an answer.
            request.protocol.force_close()
            return web.Response(status=400)


class _Server(web.Server):
    """Makes connections that can be ended once their clients stop reading."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._protocol_options = options

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection; aiohttp calls it."""
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._protocol_options)

    async def end_stalled_connections(self, write_pause_s: float) -> None:
        """End connections whose clients have stopped reading; runs until it is cancelled."""
        while True:
            await asyncio.sleep(write_pause_s / _CHECKS_PER_PAUSE)
            now = asyncio.get_running_loop().time()
            for connection in self.connections:
                if isinstance(connection, _Protocol):
                    connection.end_if_stalled(now, write_pause_s)


class _Protocol(web.RequestHandler):
    """One connection. Notes how many bytes are unsent, and since when that number hasn't changed."""

    __slots__ = ("_unsent_bytes", "_unsent_since")

    def __init__(self, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._unsent_bytes = 0
        self._unsent_since = 0.0

    def end_if_stalled(self, now: float, write_pause_s: float) -> None:
        """End the connection if its client has read nothing for `write_pause_s` seconds."""
        if self.transport is None:
            return
        size = self.transport.get_write_buffer_size()
        if size != self._unsent_bytes or not size:
            self._unsent_bytes, self._unsent_since = size, now
        elif now - self._unsent_since >= write_pause_s:
            # Not close(), which waits for the client again.
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that aiohttp can't parse in API Gateway's words; aiohttp would quote the request."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        super().handle_error(request, status, exc, "")
        response = web.json_response({"message": "Bad Request"}, status=status)
        response.force_close()
        return response
