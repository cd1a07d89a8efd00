"""Printing: one JSON document, or text for people. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

notes = Console(stderr=True, highlight=False)
# Without a terminal nothing is wrapped: what reads it takes lines.
results = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)


def say(text: str = "") -> None:
    """Print a line of a result as it is, whatever the terminal's width."""
    results.print(text, soft_wrap=True, markup=False)


def say_json(document: Any) -> None:
    """Print a result as JSON."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as a table."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    results.print(table, soft_wrap=True)


def note(text: str) -> None:
    """Tell a person what is going on."""
    notes.print(text, soft_wrap=True, markup=False)


def complain(error: Exception, *, as_json: bool) -> None:
    """Print an error that a person can do something about."""
    if as_json:
        document = {"error": {"type": type(error).__name__, "message": str(error)}}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        notes.print(f"error: {error}", style="red", soft_wrap=True, markup=False)


def progress_bar() -> Progress:
    """Return a progress bar on stderr that vanishes when it is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
    )


def byte_progress_bar() -> Progress:
    """Return a progress bar that counts bytes, likewise."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
    )
