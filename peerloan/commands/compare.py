"""The command ``compare``: how another version would score and decide, before a rollout starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerloan.output import JsonFlag, say, say_json, say_table
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.comparing.findings import Findings


def compare(
    ctx: typer.Context,
    main: Annotated[int, typer.Argument(help="The version in charge.")],
    candidate: Annotated[int, typer.Argument(help="The version that may replace it.")],
    records: Annotated[
        Path | None,
        typer.Option(help="A CSV or Parquet file; a column is_late gives the outcomes. By default the held-out loans."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare two versions on the same loans.

    It prints how far their probabilities differ, which decisions flip and why, and, where outcomes are known, how well
    both are calibrated.

    Example: peerloan compare 2 3 --records loans.csv
    """
    # Imported here: they bring NumPy and SciPy, which take longer than most commands.
    from peerloan.comparing.findings import find_findings
    from peerloan.comparing.version_scores import compare_versions

    workplace: Workplace = ctx.obj
    findings = find_findings(compare_versions(workplace, main, candidate, records))
    if as_json:
        say_json(findings.to_document())
        return
    _say(findings)


def _say(findings: Findings) -> None:
    from peerloan.comparing import tables

    say(f"{tables.title(findings)}: {tables.loans_line(findings)}")
    for name, figure in tables.headline(findings).items():
        say(f"  {name}: {figure}")
    shown = (
        tables.scores_table(findings),
        tables.swap_table(findings),
        *(tables.reasons_table(findings, to_late=to_late) for to_late in (True, False)),
        tables.outcomes_table(findings),
    )
    for table in filter(None, shown):
        say()
        say_table(table.columns, table.rows)
        if table.note:
            say(f"  {table.note}")
