"""The commands on outcomes: what became of loans, imported from a file and kept in the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerloan.errors import UsageError
from peerloan.monitoring.options import read_as_of
from peerloan.output import JsonFlag, note, say, say_json, say_table
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.outcomes.importing import Import

outcomes = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Import what became of loans, and list it."
)


@outcomes.command("import")
def outcomes_import(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="A CSV or Parquet file with loan_id, is_late and perhaps observed_on.")
    ],
    as_of: Annotated[str, typer.Option("--as-of", help="The day whose knowledge the file is, such as 2026-07-15.")],
    rejects: Annotated[
        Path | None, typer.Option(help="Where the reasons for unusable rows go; FILE.rejects.csv by default.")
    ] = None,
    without_log: Annotated[
        bool, typer.Option("--without-log", help="Don't look up which loans the prediction log has.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Import what became of loans. The same file again changes nothing.

    In observed_on say when a late loan became late. Without it the loan was late by the file's day, not since when.

    Of two imports that tell of one loan and day the one with the later --as-of counts. Rows that can't be used, rows
    that contradict each other, and loans that the prediction log doesn't have are listed in the rejects file.

    Examples: peerloan outcomes import q3.csv --as-of 2027-01-15

    peerloan --bucket MODELS --log-bucket LOGS outcomes import q3.parquet --as-of 2027-01-15
    """
    # Imported here: NumPy takes longer than most commands.
    from peerloan.logged.loan_hashes import find_hasher
    from peerloan.outcomes.importing import import_outcomes
    from peerloan.outcomes.known_loans import KnownLoans

    workplace: Workplace = ctx.obj
    day = read_as_of(workplace, as_of, "Name the day whose knowledge the file is.")
    rejects = rejects or source.with_name(f"{source.name}.rejects.csv")
    if rejects.exists() and source.exists() and rejects.samefile(source):
        raise UsageError("The rejects file would replace the file of outcomes. Give another --rejects.")
    find_loans = None if without_log else KnownLoans(workplace.log_store(), workplace.model).find
    imported = import_outcomes(source, day, rejects, find_hasher(workplace), workplace.outcomes(), find_loans)
    if as_json:
        has_rejects = imported.rejected or imported.unknown_loans
        say_json(imported.to_document() | {"rejects": str(rejects) if has_rejects else None})
    else:
        _say(imported, source, rejects)


@outcomes.command("list")
def outcomes_list(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the imports, the latest knowledge last.

    Example: peerloan outcomes list
    """
    workplace: Workplace = ctx.obj
    rows: list[dict[str, Any]] = [
        {
            "digest": digest,
            "as_of": outcome_file.as_of,
            "first": outcome_file.span.first,
            "last": outcome_file.span.last,
            "late": outcome_file.late,
            "on_time": outcome_file.on_time,
        }
        for digest, outcome_file in workplace.outcomes().get_all()
    ]
    rows.sort(key=lambda row: (row["as_of"], row["digest"]))
    if as_json:
        say_json(rows)
        return
    say_table(
        ("as of", "observed from", "to", "late", "on time", "digest"),
        (
            (row["as_of"], row["first"], row["last"], f"{row['late']:,}", f"{row['on_time']:,}", row["digest"][:12])
            for row in rows
        ),
    )


def _say(imported: Import, source: Path, rejects: Path) -> None:
    count = imported.late + imported.on_time
    told = f"{count:,} outcomes ({imported.late:,} late), observed from {imported.first} to {imported.last}"
    if imported.is_new:
        say(f"Imported {told}, as of {imported.as_of}: {imported.digest[:12]}")
    else:
        say(f"{source} was imported before, as {imported.digest[:12]}: {told}, as of {imported.as_of}.")
    if imported.rejected:
        opposite = f", {imported.contradictions:,} of them contradict each other" if imported.contradictions else ""
        say(f"Left out {imported.rejected:,} rows{opposite}; the reasons are in {rejects}")
    if imported.unknown_loans:
        say(f"The log has no prediction of {imported.unknown_loans:,} loans; they are in {rejects}")
        note("Loan ids must be as they were sent, and LOAN_HASH_KEY must be the function's.")
