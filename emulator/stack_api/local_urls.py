"""Replaces the addresses that HTTP APIs have on AWS by those that they have here. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_ADDRESS = re.compile(r"(https://)?\b([A-Za-z0-9-]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")


class LocalUrls:
    """The HTTP APIs' addresses, by their ids; ``urls`` returns them, since they are known only once all ports are."""

    def __init__(self, urls: Callable[[], Mapping[str, str]]) -> None:
        self._urls = urls

    def of(self, api_id: str) -> str | None:
        """Return an API's address without a path, or None if it isn't served."""
        return self._urls().get(api_id)

    def localised(self, text: str) -> str:
        """Return a text, such as an output's value, with each served API's address on AWS replaced."""
        return _ADDRESS.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        scheme, api_id = match.groups()
        url = self.of(api_id)
        if url is None:
            return match[0]
        return url if scheme else url.partition("://")[2]
