"""The page that a browser shows at ``/_emulator/``: one file with its style and its script, without a build step."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

from aiohttp import web

_FILE = Path(__file__).with_name("first_page.html")
_INLINE = {
    "script-src": re.compile(r"<script>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(r"<style>(.*?)</style>", re.DOTALL),
}


async def show_first_page(_request: web.BaseRequest) -> web.Response:
    """Answer with the page, which asks for the status by itself, again and again."""
    page, policy = _read()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)


@functools.cache
def _read() -> tuple[bytes, str]:
    """Return the page and its policy: nothing runs but its own script, and nothing is loaded but from this address."""
    text = _FILE.read_text(encoding="utf-8")
    parts = ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"]
    parts += ["frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    for directive, pattern in _INLINE.items():
        hashes = [hashlib.sha256(content.encode()).digest() for content in pattern.findall(text)]
        parts.append(" ".join([directive, *(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)]))
    return text.encode(), "; ".join(parts)
