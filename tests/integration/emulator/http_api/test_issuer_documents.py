"""Fetching an issuer's documents over real sockets: within a time limit and a size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from emulator.http_api.issuer_keys import IssuerError, fetch_document


def fetch(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> bytes:
    """Fetch a document from a server that answers like that."""

    async def _fetch() -> bytes:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            return await fetch_document(f"http://127.0.0.1:{runner.addresses[0][1]}/keys")
        finally:
            await runner.cleanup()

    return asyncio.run(_fetch())


@pytest.mark.fidelity("jwt-keys")
def test_a_document_is_fetched_whole() -> None:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"k" * 150_000)

    assert len(fetch(answer)) == 150_000


@pytest.mark.fidelity("jwt-keys")
def test_a_document_that_is_too_large_or_too_late_or_missing_is_refused() -> None:
    async def too_large(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"k" * 150_001)

    async def too_late(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(2)
        return web.Response()

    async def missing(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=404)

    with pytest.raises(IssuerError, match="more than 150000 bytes"):
        fetch(too_large)
    with pytest.raises(TimeoutError):
        fetch(too_late)
    with pytest.raises(IssuerError, match="keys answers 404"):
        fetch(missing)


@pytest.mark.fidelity("jwt-keys")
def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/elsewhere":
            return web.Response(body=b"keys of somebody else")
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    with pytest.raises(IssuerError, match="keys answers 302"):
        fetch(elsewhere)
