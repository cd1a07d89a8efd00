"""Serves S3's protocol on a port, and streams bodies in both directions."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from email.utils import formatdate

from aiohttp import web

from emulator.browser_guard import BrowserGuard
from emulator.bucket.answers import Span
from emulator.bucket.dispatch import OpenAnswer, answer_request
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
        answered = await answer_request(
            self._store,
            request.method,
            request.raw_path,
            request.headers,
            request.content,
            invite=functools.partial(invite_body, request),
            host_bucket=_bucket_before(self._guard.find_subdomain(request.headers.get("Host", ""))),
            refusal=self._guard.find_refusal(request.headers),
        )
        headers = {
            **answered.answer.headers,
            "Date": formatdate(usegmt=True),
            "Server": "AmazonS3",
            "x-amz-request-id": answered.request_id,
        }
        try:
            return await self._respond(request, answered, headers)
        finally:
            if answered.descriptor is not None:
                os.close(answered.descriptor)

    async def _respond(
        self, request: web.BaseRequest, answered: OpenAnswer, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        answer, descriptor, span = answered.answer, answered.descriptor, answered.answer.span
        if span is not None and descriptor is not None:
            if span.size_bytes > _SMALL_BYTES:
                streamed = web.StreamResponse(status=answer.status, headers=headers)
                return await self._stream(request, streamed, span, descriptor)
            content = os.pread(descriptor, span.size_bytes, span.file.body_offset + span.start)
            return web.Response(status=answer.status, headers=headers, body=content)
        response = web.Response(status=answer.status, headers=headers, body=answer.body)
        if request.method == "HEAD":
            # The length of a GET's body.
            response.body = None
            response.headers["Content-Length"] = str(span.size_bytes if span is not None else 0)
        if not request.content.is_eof() and "Expect" in request.headers:
            # The client waits for an invitation that doesn't come; what it sends next may be a body or a request.
            response.force_close()
        return response

    async def _stream(
        self, request: web.BaseRequest, response: web.StreamResponse, span: Span, descriptor: int
    ) -> web.StreamResponse:
        response.content_length = span.size_bytes
        await response.prepare(request)
        async for piece in self._store.read_open(span, descriptor):
            await response.write(piece)
        return response


def _bucket_before(subdomain: str) -> str:
    """Return the bucket that a host names: ``models.localhost`` and ``models.s3.localhost`` name models."""
    return "" if subdomain == "s3" else subdomain.removesuffix(".s3")
