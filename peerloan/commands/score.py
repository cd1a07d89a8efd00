"""The command ``score``: a whole file through a published version, without the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, byte_progress_bar, note, say, say_json
from peerloan.scoring.results import Targets
from peerloan.workplace import Workplace

_PARQUET = (".parquet", ".pq")


def score(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A CSV or Parquet file with the ten columns; others are kept.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; FILE with .scored in its name by default.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="The version that scores.")] = None,
    alias: Annotated[str, typer.Option(help="Without --version: the alias whose main version scores.")] = DEFAULT_ALIAS,
    as_json: JsonFlag = False,
) -> None:
    """Score a file of any size. Run again after a cut, it goes on where it was.

    Examples: peerloan score loans.csv --out scored.csv

    peerloan score loans.parquet --version 2
    """
    # Imported here: NumPy takes longer than most commands.
    from peerloan.scoring.score_csv import score_csv
    from peerloan.scoring.score_parquet import score_parquet
    from peerloan.scoring.versions import load_version

    workplace: Workplace = ctx.obj
    targets = _targets(source, out)
    reader = workplace.reader()
    number = version if version is not None else reader.get_alias(alias).alias.version
    model = load_version(reader, number)
    with byte_progress_bar() as progress:
        task = progress.add_task(source.name, total=source.stat().st_size)
        score_file = score_parquet if source.suffix in _PARQUET else score_csv
        outcome = score_file(source, targets, model, on_progress=lambda done: progress.update(task, completed=done))
    if outcome.resumed_at:
        note(f"Went on at byte {outcome.resumed_at:,}, to where an earlier run had come.")
    if as_json:
        say_json(
            {
                "out": str(targets.scored),
                "rejects": str(targets.rejects) if outcome.rejected else None,
                "rows": outcome.rows,
                "rejected": outcome.rejected,
                "model_version": model.version,
                "model_form": model.form,
            }
        )
        return
    say(f"Scored {outcome.rows:,} rows by version {model.version}: {targets.scored}")
    if outcome.rejected:
        say(f"Left out {outcome.rejected:,} rows that are wrong, with the reasons: {targets.rejects}")


def _targets(source: Path, out: Path | None) -> Targets:
    if not source.is_file():
        raise UsageError(f"{source} is no file.")
    if source.suffix not in (".csv", *_PARQUET):
        raise UsageError(f"{source} is neither .csv nor .parquet.")
    scored = out or source.with_name(f"{source.stem}.scored{source.suffix}")
    if scored.suffix != source.suffix:
        raise UsageError(f"{scored} must end as {source.name} does: the format stays what it is.")
    if not scored.parent.is_dir():
        raise UsageError(f"There is no folder {scored.parent}.")
    if scored.exists() and scored.samefile(source):
        raise UsageError("The output would replace the input. Give another --out.")
    return Targets(scored, scored.with_name(f"{scored.name}.rejects.csv"))
