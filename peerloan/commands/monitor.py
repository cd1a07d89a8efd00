"""The command ``monitor``: how the version in charge is doing, and what is to be done about it."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import EXIT_BY_VERDICT
from peerloan.files import make_folder, write_whole
from peerloan.monitoring.options import read_as_of, read_settings_file
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_monitor.report import MonitorReport


def monitor(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The alias whose version in charge is looked at.")] = DEFAULT_ALIAS,
    as_of: Annotated[
        str | None, typer.Option(help="The date of the report, such as 2026-07-01; today by default.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="A TOML file of tolerances, with lines such as outcome_window_days = 120.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the report as a page, too, which needs no other file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how the version in charge is doing, and what is to be done about it.

    Exit code 0: ok, 3: recalibrate, 4: refit, 5: look, 6: not enough data, 1: it couldn't look. The report is kept in
    the bucket under its date.

    Examples: peerloan monitor

    peerloan monitor live --as-of 2026-07-01 --page monitor.html
    """
    workplace: Workplace = ctx.obj
    day = workplace.clock().astimezone(UTC).date() if as_of is None else read_as_of(workplace, as_of)
    report = workplace.look(name, read_settings_file(settings), day)
    if page is not None:
        _write_page(page, report)
    if as_json:
        say_json(report.to_document())
    else:
        from peerloan.monitoring.text import report_lines

        for line in report_lines(report):
            say(line)
    raise typer.Exit(EXIT_BY_VERDICT[report.verdict.kind])


def _write_page(page: Path, report: MonitorReport) -> None:
    # Imported here: it brings Matplotlib.
    from peerloan.monitoring.page import render_monitor_page

    make_folder(page.parent)
    write_whole(page, render_monitor_page(report).encode())
    note(f"Written: {page}")
