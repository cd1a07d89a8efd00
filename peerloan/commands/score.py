"""The command ``score``: a whole file, by a published version or by the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, byte_progress_bar, note, say, say_json
from peerloan.scoring.results import Targets
from peerloan.workplace import Workplace, check_url

if TYPE_CHECKING:
    from peerloan.scoring.scorers import Scorer

_CSV = ".csv"
_PARQUET = (".parquet", ".pq")


def score(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A CSV or Parquet file with the ten columns; others are kept.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; FILE with .scored in its name by default.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="The version that scores.")] = None,
    alias: Annotated[
        str | None, typer.Option(help="Without --version: the alias whose main version scores; live by default.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Let the API at this address score, 1,000 rows a request.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Score a file of any size. After an interruption, run it again: it resumes where it stopped.

    Examples: peerloan score loans.csv --out scored.csv

    peerloan score loans.parquet --version 2

    peerloan score loans.csv --url http://127.0.0.1:3000
    """
    # Imported here: NumPy takes longer than most commands.
    from peerloan.scoring.score_csv import score_csv
    from peerloan.scoring.score_parquet import score_parquet

    targets = _targets(source, out)
    scorer, scored_by = _scorer(ctx.obj, version, alias, url)
    with byte_progress_bar() as progress:
        task = progress.add_task(source.name, total=source.stat().st_size)
        score_file = score_csv if source.suffix.lower() == _CSV else score_parquet
        outcome = score_file(source, targets, scorer, on_progress=lambda done: progress.update(task, completed=done))
    if outcome.resumed_at:
        note(f"Resumed at byte {outcome.resumed_at:,}, where an earlier run stopped.")
    if as_json:
        rejects = str(targets.rejects) if outcome.rejected else None
        figures = {"rows": outcome.rows, "rejected": outcome.rejected}
        say_json({"out": str(targets.scored), "rejects": rejects, **figures, **scored_by})
        return
    by = f"version {scored_by['model_version']}" if url is None else url
    say(f"Scored {outcome.rows:,} rows by {by}: {targets.scored}")
    if outcome.rejected:
        say(f"Left out {outcome.rejected:,} wrong rows, with the reasons: {targets.rejects}")


def _scorer(
    workplace: Workplace, version: int | None, alias: str | None, url: str | None
) -> tuple[Scorer, dict[str, Any]]:
    """Return the scorer, and its members of the ``--json`` document."""
    from peerloan.api_client import ApiClient
    from peerloan.scoring.scorers import ApiScorer, VersionScorer

    if url is not None:
        if version is not None or alias is not None:
            raise UsageError("--url scores by the version that the API serves; leave out --version and --alias.")
        return ApiScorer(ApiClient(check_url(url, "--url"))), {"url": url}
    from model_artifact.loading import load_version

    reader = workplace.reader()
    if version is None:
        version = reader.get_alias(alias or DEFAULT_ALIAS).alias.version
    model = load_version(reader, version, workplace.keyring().trust())
    return VersionScorer(model), {"model_version": version, "model_form": model.form}


def _targets(source: Path, out: Path | None) -> Targets:
    if not source.is_file():
        raise UsageError(f"{source} isn't a file.")
    if source.suffix.lower() not in (_CSV, *_PARQUET):
        raise UsageError(f"{source} must end in .csv or .parquet.")
    scored = out or source.with_name(f"{source.stem}.scored{source.suffix}")
    if scored.suffix.lower() != source.suffix.lower():
        raise UsageError(f"{scored} must end as {source.name} does: the output has the input's format.")
    if not scored.parent.is_dir():
        raise UsageError(f"The folder {scored.parent} doesn't exist. Make it, or give another --out.")
    if scored.exists() and scored.samefile(source):
        raise UsageError("The output would replace the input. Give another --out.")
    return Targets(scored, scored.with_name(f"{scored.name}.rejects.csv"))
