"""A table as a value, which the page and the model card show alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# A table with a longer cell than this is set flush left.
_LONG_CELL = 40


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row. ``marked`` are the places of highlighted rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    marked: frozenset[int] = frozenset()

    @property
    def has_words(self) -> bool:
        """Whether its cells are words rather than figures."""
        return any(len(cell) > _LONG_CELL for row in self.rows for cell in row[1:])


def table_of(
    items: Iterable[Any],
    columns: Mapping[str, Callable[[Any], str]],
    note: str = "",
    is_marked: Callable[[Any], bool] = lambda _: False,
) -> Table:
    """Return a table with a row for each item; ``columns`` are titles, and how each gets its cell from an item."""
    items = tuple(items)
    rows = tuple(tuple(cell(item) for cell in columns.values()) for item in items)
    return Table(tuple(columns), rows, note, frozenset(place for place, item in enumerate(items) if is_marked(item)))
