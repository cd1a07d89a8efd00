"""Writes the table of all kinds into docs/models.md, and reads it for a test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.kind import End, Kind

PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
_BEGIN = "<!-- written by `make models` -->\n"
_END = "<!-- end -->\n"


def render_table(families: Mapping[str, Iterable[Kind]]) -> str:
    """Return a table for each family: each kind with what it is and what it is served from."""
    tables = []
    for family, kinds in families.items():
        rows = "".join(f"| {kind.name} | {_escaped(kind.what)} | {_served_from(kind)} |\n" for kind in kinds)
        tables.append(f"| {family} | what it is | served from |\n|---|---|---|\n{rows}")
    return "\n".join(tables)


def up_to_date(page: str, families: Mapping[str, Iterable[Kind]]) -> str:
    """Return the page with its table as the kinds have it now."""
    if _BEGIN not in page or _END not in page:
        raise ValueError(f"{PAGE.name} must have the lines {_BEGIN.strip()!r} and {_END.strip()!r}")
    pattern = f"{re.escape(_BEGIN)}.*?{re.escape(_END)}"
    return re.sub(pattern, lambda _: f"{_BEGIN}\n{render_table(families)}\n{_END}", page, flags=re.DOTALL)


def _served_from(kind: Kind) -> str:
    if kind.end == End.REFUSED:
        return f"refused: {_escaped(kind.refusal)}"
    return str(kind.end) + (", `--trust-pickle`" if kind.brings_code else "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
