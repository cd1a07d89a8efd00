"""Prints results to stdout, as one JSON document or as text, and everything else to stderr.

Rich is imported only where a colour or a progress bar is shown: its import takes longer than most commands.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

_AS_JSON = "peerloan.as_json"


def _remember_as_json(ctx: typer.Context, as_json: bool) -> bool:
    ctx.meta[_AS_JSON] = as_json
    return as_json


JsonFlag = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", callback=_remember_as_json, is_eager=True),
]


def wants_json(ctx: Any) -> bool:
    """Return whether the command that ran was given ``--json``."""
    return bool(ctx.meta.get(_AS_JSON, False))


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
    cells = [columns, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        lines[0] = f"\033[1m{lines[0]}\033[0m"
    say("\n".join(lines))


def complain(error: Exception, *, as_json: bool) -> None:
    """Print an expected error to stderr."""
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
    console = Console(stderr=True, highlight=False)
    # Without a terminal it would leave an empty line behind.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
