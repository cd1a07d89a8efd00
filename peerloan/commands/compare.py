"""The command ``compare``: how another version would score and decide, before a rollout starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerloan.files import make_folder, write_whole
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
    out: Annotated[Path, typer.Option(help="The folder that the page is written to.")] = Path(),
    as_json: JsonFlag = False,
) -> None:
    """Compare two versions on the same loans.

    It says how far their probabilities differ, which decisions flip and why, and, where outcomes are known, how well
    both are calibrated. It also writes comparison-MAIN-CANDIDATE.html, a page that needs no other file.

    Example: peerloan compare 2 3 --records loans.csv
    """
    # Imported here: they bring NumPy, SciPy and Matplotlib, which take longer than most commands.
    from peerloan.comparing.findings import find_findings
    from peerloan.comparing.page import render_comparison
    from peerloan.comparing.version_scores import compare_versions

    workplace: Workplace = ctx.obj
    findings = find_findings(compare_versions(workplace, main, candidate, records))
    make_folder(out)
    page = out / f"comparison-{main}-{candidate}.html"
    write_whole(page, render_comparison(findings).encode())
    if as_json:
        say_json({**findings.to_document(), "page": str(page)})
        return
    _say(findings)
    say(f"Written: {page}")


def _say(findings: Findings) -> None:
    from peerloan.comparing import tables

    say(f"{tables.title(findings)}: {tables.loans_line(findings)}")
    for name, figure in tables.headline(findings).items():
        say(f"  {name}: {figure}")
    shown = [
        ("Scores", tables.scores_table(findings)),
        ("Decisions that flip", tables.swap_table(findings)),
        *(
            (tables.reasons_title(findings, to_late=to_late), tables.reasons_table(findings, to_late=to_late))
            for to_late in (True, False)
        ),
        ("Outcomes", tables.outcomes_table(findings)),
    ]
    for title, table in shown:
        if table is None:
            continue
        say(f"\n{title}")
        say_table(table.columns, table.rows)
        if table.note:
            say(f"  {table.note}")
