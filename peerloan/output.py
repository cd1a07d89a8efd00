"""Printing: one JSON document, or text for people. Results go to stdout, everything else to stderr.

Rich is imported where a table, a colour or a progress bar is shown: most commands end sooner than that takes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerloan.command_table import remember_as_json

if TYPE_CHECKING:
    from rich.progress import Progress

JsonFlag = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", callback=remember_as_json, is_eager=True),
]
# Without a terminal nothing is wrapped: what reads it takes lines.
_PIPE_WIDTH = 1000


def say(text: str = "") -> None:
    """Print a line of a result."""
    print(text, flush=True)  # noqa: T201


def note(text: str) -> None:
    """Tell a person what is going on."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def say_json(document: Any) -> None:
    """Print a result as JSON."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table, soft_wrap=True)


def complain(error: Exception, *, as_json: bool) -> None:
    """Print an error that a person can do something about."""
    if as_json:
        document = {"error": {"type": type(error).__name__, "message": str(error)}}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        from rich.console import Console

        Console(stderr=True, highlight=False).print(f"error: {error}", style="red", soft_wrap=True, markup=False)


def byte_progress_bar() -> Progress:
    """Return a progress bar on stderr that counts bytes and vanishes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
