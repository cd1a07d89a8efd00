"""Pages of a list: their tokens are positions in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


class TokenError(Exception):
    """A token isn't one that a page ended with."""


def page(items: Sequence[_Item], token: object, size: int) -> tuple[list[_Item], str | None]:
    """Return the page at a token (None for the first one), and the token of the next page if there is one."""
    text = "0" if token is None else str(token)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise TokenError(text)
    end = int(text) + size
    return list(items[int(text) : end]), str(end) if end < len(items) else None
