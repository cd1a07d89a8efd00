"""Bodies of answers, and long lists of them in pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from emulator.lambda_service.errors import InvalidParameterError

Body = dict[str, Any]


def page(name: str, items: Sequence[Body], marker: str | None, max_items: int | None, most: int = 50) -> Body:
    """Return one page of a list under its key, with ``NextMarker`` if more follow.

    `marker` is ``NextMarker`` of the page before. The caller asks for `max_items`; AWS returns at most `most`.
    """
    if marker and not re.fullmatch("[0-9]{1,9}", marker):
        raise InvalidParameterError(f"Invalid marker {marker}.")
    start = int(marker or 0)
    end = start + min(max_items or most, most)
    answer: Body = {name: list(items[start:end])}
    if end < len(items):
        answer["NextMarker"] = str(end)
    return answer
