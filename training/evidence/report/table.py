"""A table as a value, which the page and the model card show alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from training.evidence.intervals import Interval


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row. ``marked`` are the places of highlighted rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    marked: frozenset[int] = frozenset()


def table_of(
    items: Iterable[Any],
    columns: Mapping[str, Callable[[Any], str]],
    note: str = "",
    is_marked: Callable[[Any], bool] = lambda _: False,
) -> Table:
    """Return a table with a row for each item.

    Parameters
    ----------
    items : iterable
        One item for each row.
    columns : mapping
        The columns' titles, and how each gets its cell from an item.
    note : str
        The text below the table.
    is_marked : callable
        Whether an item's row is highlighted.
    """
    items = tuple(items)
    rows = tuple(tuple(cell(item) for cell in columns.values()) for item in items)
    return Table(tuple(columns), rows, note, frozenset(place for place, item in enumerate(items) if is_marked(item)))


def number(interval: Interval | Mapping[str, float | None], digits: int = 2, *, percent: bool = False) -> str:
    """Write a figure with its interval, ``0.75 [0.70, 0.79]``, or a dash if it is unknown."""
    ends = interval.to_dict() if isinstance(interval, Interval) else interval
    value, low, high = (
        "–" if ends[name] is None else f"{ends[name] * (100 if percent else 1):.{digits}f}"  # type: ignore[operator]
        for name in ("value", "low", "high")
    )
    unit = "%" if percent else ""
    return f"{value}{unit} [{low}, {high}]" if value != "–" else value
