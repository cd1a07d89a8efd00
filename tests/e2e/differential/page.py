"""Writes the table of allowed differences into docs/emulator-fidelity.md: python -m tests.e2e.differential.page"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.doors import DOORS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "emulator-fidelity.md"
BEGIN, END = "<!-- allowed differences: begin -->\n", "<!-- allowed differences: end -->\n"


def render(table: Iterable[Allowed]) -> str:
    """Return the table as Markdown."""
    rows = [f"| {one.what} | {one.sam} | {one.here} | {one.aws} |\n" for one in table]
    return "| What | SAM CLI 1.170 | Here | AWS |\n|---|---|---|---|\n" + "".join(rows)


def with_table(page: str) -> str:
    """Return the page with the table as it is now.

    Raises
    ------
    ValueError
        The page has not both of the marks that the table goes between.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN.strip()} … {END.strip()} in the page")
    # What holds at several doors is said once.
    entries = {one.what: one for door in DOORS for one in door.allowed}
    return before + begin + "\n" + render(entries.values()) + "\n" + end + after


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
