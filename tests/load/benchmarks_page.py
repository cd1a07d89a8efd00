"""docs/benchmarks.md: the page of ``make bench``, and below it the section of ``make bench-watch``."""

from __future__ import annotations

WATCH_HEADING = "## Counting the prediction log"


def split_page(text: str) -> tuple[str, str]:
    """Return the page without the section of ``make bench-watch``, and that section."""
    rest, heading, section = text.partition(WATCH_HEADING)
    return rest.rstrip(), heading + section
