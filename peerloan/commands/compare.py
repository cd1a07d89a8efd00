"""The command ``compare``: how another version would score and decide, before a rollout starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerloan.errors import UsageError
from peerloan.files import make_folder, write_whole
from peerloan.output import JsonFlag, say, say_json, say_table
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.comparing.findings import Findings
    from peerloan.comparing.logged_scores import LoggedSides
    from peerloan.comparing.paired_scores import PairedScores
    from training.evidence.report.table import Table


def compare(
    ctx: typer.Context,
    main: Annotated[int, typer.Argument(help="The version in charge.")],
    candidate: Annotated[int, typer.Argument(help="The version that may replace it.")],
    records: Annotated[
        Path | None,
        typer.Option(help="A CSV or Parquet file; a column is_late gives the outcomes. By default the held-out loans."),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="Take the prediction log of this period, such as 7d, instead of loans.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder that the page is written to.")] = Path(),
    as_json: JsonFlag = False,
) -> None:
    """Compare two versions on the same loans.

    It says how far their probabilities differ, which decisions flip and why, and, where outcomes are known, how well
    both are calibrated. It also writes comparison-MAIN-CANDIDATE.html, a page that needs no other file.

    With --log it compares the loans that one version answered while the other was its shadow. Without such loans it
    says what each version answered, and how far their loans differ.

    Examples: peerloan compare 2 3 --records loans.csv

    peerloan compare 2 3 --log 7d
    """
    # Imported here: they bring NumPy and SciPy, which take longer than most commands.
    from peerloan.comparing.findings import Findings
    from peerloan.comparing.paired_scores import PairedScores
    from peerloan.comparing.version_scores import compare_versions

    workplace: Workplace = ctx.obj
    if log is None:
        findings = compare_versions(workplace, main, candidate, records)
    elif records is not None:
        raise UsageError("--records and --log name different loans. Give one of them.")
    else:
        scores = _logged(workplace, main, candidate, log)
        if not isinstance(scores, PairedScores):
            _say_sides(scores, as_json=as_json)
            return
        findings = Findings(scores)
    page = _write_page(findings, out)
    if as_json:
        say_json({**findings.to_document(), "page": str(page)})
        return
    _say(findings)
    say(f"Written: {page}")


def _logged(workplace: Workplace, main: int, candidate: int, period: str) -> PairedScores | LoggedSides:
    """Return what the log of a period shows of both versions."""
    from peerloan.comparing.logged_scores import find_logged_scores
    from peerloan.comparing.version_scores import check_two
    from peerloan.logged.period import read_predictions

    check_two(main, candidate)
    registry = workplace.reader()
    manifests = registry.get_manifest(main), registry.get_manifest(candidate)
    return find_logged_scores(read_predictions(workplace, period, "--log"), *manifests, period)


def _write_page(findings: Findings, out: Path) -> Path:
    # Imported here: Matplotlib takes longer than most commands.
    from peerloan.comparing.page import render_comparison

    scores = findings.scores
    make_folder(out)
    page = out / f"comparison-{scores.main.version}-{scores.candidate.version}.html"
    write_whole(page, render_comparison(findings).encode())
    return page


def _say(findings: Findings) -> None:
    from peerloan.comparing import tables

    say(f"{tables.title(findings)}: {tables.loans_line(findings)}")
    for name, figure in tables.headline(findings).items():
        say(f"  {name}: {figure}")
    _say_table("Scores", tables.scores_table(findings))
    _say_table("Decisions that flip", tables.swap_table(findings))
    for to_late in (True, False):
        _say_table(tables.reasons_title(findings, to_late=to_late), tables.reasons_table(findings, to_late=to_late))
    _say_table("Outcomes", tables.outcomes_table(findings))


def _say_sides(sides: LoggedSides, *, as_json: bool) -> None:
    from peerloan.comparing import tables

    if as_json:
        say_json(sides.to_document())
        return
    say(f"No version was the other's shadow often enough in {sides.source}. Each one's own loans:")
    _say_table("Scores", tables.logged_table(sides))
    _say_table("How far the loans of both differ", tables.shifts_table(sides))


def _say_table(title: str, table: Table | None) -> None:
    if table is None:
        return
    say(f"\n{title}")
    say_table(table.columns, table.rows)
    if table.note:
        say(f"  {table.note}")
