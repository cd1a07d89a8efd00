"""Bodies of answers, and long lists of them in pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator import pages
from emulator.lambda_service.errors import InvalidParameterError

Body = dict[str, Any]
# AWS returns no more on a page, whatever a client asks for.
_MOST_ITEMS = 50


def page(name: str, items: Sequence[Body], marker: str | None, max_items: int | None) -> Body:
    """Return one page of a list under its key, with ``NextMarker`` if more follow.

    `marker` is ``NextMarker`` of the page before. The caller asks for `max_items`.
    """
    try:
        shown, following = pages.page(items, marker or None, min(max_items or _MOST_ITEMS, _MOST_ITEMS))
    except pages.TokenError as error:
        raise InvalidParameterError(f"Invalid marker {marker}.") from error
    return {name: shown} | ({} if following is None else {"NextMarker": following})
