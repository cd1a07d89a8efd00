"""Sends a function's or a layer's code as a zip file, from the address that GetFunction and GetLayerVersion name."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from emulator.lambda_service.control_plane.code_store import CODE_PATH, CodeError, CodeStore
from emulator.lambda_service.errors import ResourceNotFoundError

_CHUNK_BYTES = 256 * 1024


def with_address(content: Mapping[str, Any], address: str) -> dict[str, Any]:
    """Return an operation's answer with the code's path made an address that the client can reach."""
    located = {
        member: {**content[member], "Location": address + content[member]["Location"]}
        for member in ("Code", "Content")
        if "Location" in content.get(member, {})
    }
    return {**content, **located}


async def send_code(request: web.BaseRequest, store: CodeStore) -> web.StreamResponse:
    """Answer a request for a path under `CODE_PATH`; raise `ResourceNotFoundError` if there is no such code."""
    match = re.fullmatch(re.escape(CODE_PATH) + r"([0-9a-f]{64})\.zip", request.path)
    if match is None:
        raise ResourceNotFoundError(f"There is no code at {request.path}")
    with tempfile.TemporaryFile(prefix="emulator-code-") as file:
        try:
            # In a thread: a package may have hundreds of megabytes.
            await asyncio.to_thread(store.write_zip, match[1], file)
        except (CodeError, OSError) as error:
            raise ResourceNotFoundError(f"There is no code at {request.path}: {error}") from error
        headers = {"Content-Type": "application/zip", "Content-Length": str(file.tell())}
        file.seek(0)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            await response.write(chunk)
        await response.write_eof()
        return response
