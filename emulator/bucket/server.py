"""Serves S3's protocol on a port, and streams bodies in both directions."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from email.utils import formatdate
from uuid import uuid4

from aiohttp import web

from emulator.browser_guard import BrowserGuard
from emulator.bucket.answers import Answer, Span
from emulator.bucket.dispatch import answer_request
from emulator.bucket.store import PIECE_BYTES, Store
from emulator.http_server import Handler, HttpServer, invite_body

# A body up to this size is read without a thread: mostly from the system's memory, and quicker than it is asked for.
_SMALL_BYTES = 128 << 10
# A presigned address, or a key of 1,024 bytes that are all percent-encoded.
_MAX_LINE_BYTES = 32 << 10


class BucketServer(HttpServer):
    """S3 over HTTP on one or several addresses, from a loaded store."""

    def __init__(self, store: Store, guard: BrowserGuard, admin: Handler | None = None) -> None:
        limits = {
            "max_line_size": _MAX_LINE_BYTES,
            "max_field_size": _MAX_LINE_BYTES,
            "read_bufsize": PIECE_BYTES // 4,
        }
        super().__init__(admin=admin, shutdown_s=1, **limits)
        self._store = store
        self._guard = guard

    async def stop(self) -> None:
        """Stop listening; a change that has begun is finished first."""
        await super().stop()
        self._store.close()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to a request; a failure is S3's InternalError."""
        request_id = uuid4().hex[:16].upper()
        answer = await answer_request(
            self._store,
            request.method,
            request.raw_path,
            request.headers,
            request.content,
            functools.partial(invite_body, request),
            request_id=request_id,
            host_bucket=_bucket_before(self._guard.find_subdomain(request.headers.get("Host", ""))),
            refusal=self._guard.find_refusal(request.headers),
        )
        date = formatdate(usegmt=True)
        headers = {**answer.headers, "Date": date, "Server": "AmazonS3", "x-amz-request-id": request_id}
        if answer.span is None or answer.descriptor is None:
            return _whole_response(request, answer, headers)
        try:
            return await self._read(request, answer.status, headers, answer.span, answer.descriptor)
        finally:
            os.close(answer.descriptor)

    async def _read(
        self, request: web.BaseRequest, status: int, headers: Mapping[str, str], span: Span, descriptor: int
    ) -> web.StreamResponse:
        """Return or send an answer whose body is a piece of an open file."""
        if span.size_bytes <= _SMALL_BYTES:
            content = os.pread(descriptor, span.size_bytes, span.file.body_offset + span.start)
            return web.Response(status=status, headers=headers, body=content)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = span.size_bytes
        await response.prepare(request)
        async for piece in self._store.read_open(span, descriptor):
            await response.write(piece)
        return response


def _whole_response(request: web.BaseRequest, answer: Answer, headers: Mapping[str, str]) -> web.Response:
    response = web.Response(status=answer.status, headers=headers, body=answer.body)
    if request.method == "HEAD":
        # The length of a GET's body.
        response.body = None
        response.headers["Content-Length"] = str(answer.span.size_bytes if answer.span is not None else 0)
    if not request.content.is_eof() and "Expect" in request.headers:
        # The client waits for an invitation that doesn't come; what it sends next may be a body or a request.
        response.force_close()
    return response


def _bucket_before(subdomain: str) -> str:
    """Return the bucket that a host names: ``models.localhost`` and ``models.s3.localhost`` name models."""
    return "" if subdomain == "s3" else subdomain.removesuffix(".s3")
