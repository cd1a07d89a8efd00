"""The command ``score``: a whole file, by a published version or by the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, byte_progress_bar, note, say, say_json
from peerloan.scoring.targets import Targets, is_csv
from peerloan.workplace import Workplace, check_url

if TYPE_CHECKING:
    from batch_scoring.scores import Scorer
    from model_registry.manifest import FieldSchema

# A message lists at most this many categories.
_CATEGORIES_LISTED = 20


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
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Add a column with each row's warnings, such as purpose:unseen_category.")
    ] = False,
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

    targets = _targets(source, out, has_warnings=warnings)
    scorer, scored_by, schema = _scorer(ctx.obj, version, alias, url)
    with byte_progress_bar() as progress:
        task = progress.add_task(source.name, total=source.stat().st_size)
        score_file = score_csv if is_csv(source) else score_parquet
        outcome = score_file(source, targets, scorer, on_progress=lambda done: progress.update(task, completed=done))
    if outcome.resumed_at:
        note(f"Resumed at byte {outcome.resumed_at:,}, where an earlier run stopped.")
    if as_json:
        rejects = str(targets.rejects) if outcome.rejected else None
        figures = {"rows": outcome.rows, "rejected": outcome.rejected, "warned": outcome.warned}
        warned = {"warnings": _by_column(outcome.warnings)}
        say_json({"out": str(targets.scored), "rejects": rejects, **figures, **warned, **scored_by})
        return
    by = f"version {scored_by['model_version']}" if url is None else url
    say(f"Scored {outcome.rows:,} rows by {by}: {targets.scored}")
    if outcome.rejected:
        say(f"Left out {_rows(outcome.rejected)}; the reasons are in {targets.rejects}")
    for line in describe_warnings(outcome.warned, outcome.warnings, schema, has_column=warnings):
        say(line)


def describe_warnings(
    warned: int, warnings: Mapping[str, int], schema: Sequence[FieldSchema], *, has_column: bool
) -> list[str]:
    """Return lines about the values that a version wasn't trained on; no line if all are known to it.

    Parameters
    ----------
    warned : int
        The number of rows with such a value.
    warnings : mapping of str to int
        The number of rows by warning, such as ``purpose:unseen_category``.
    schema : sequence of FieldSchema
        The columns of the version's manifest; empty if it isn't known.
    has_column : bool
        Whether the warnings were written as a column.
    """
    if not warned:
        return []
    fields = {field.name: field for field in schema}
    lines = [f"{_rows(warned)} with values that the model wasn't trained on, so trust their predictions less:"]
    for column, codes in _by_column(warnings).items():
        lines += [f"  {column}: {_rows(count)} {_beyond(code, fields.get(column))}" for code, count in codes.items()]
    return lines if has_column else [*lines, "  To see which rows they are, run it again with --warnings."]


def _beyond(code: str, field: FieldSchema | None) -> str:
    from model_artifact.training_range import OUT_OF_TRAINING_RANGE

    if code == OUT_OF_TRAINING_RANGE:
        limits = "" if field is None else f" ({field.train_min:.10g} to {field.train_max:.10g})"
        return f"outside the training range{limits}"
    categories = [] if field is None else list(field.categories or ())
    more = ", …" if len(categories) > _CATEGORIES_LISTED else ""
    listed = f" (trained on {', '.join(categories[:_CATEGORIES_LISTED])}{more})" if categories else ""
    return f"with an unseen category{listed}"


def _by_column(warnings: Mapping[str, int]) -> dict[str, dict[str, int]]:
    columns: dict[str, dict[str, int]] = {}
    for warning, count in sorted(warnings.items()):
        column, _, code = warning.partition(":")
        columns.setdefault(column, {})[code] = count
    return columns


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _scorer(
    workplace: Workplace, version: int | None, alias: str | None, url: str | None
) -> tuple[Scorer, dict[str, Any], Sequence[FieldSchema]]:
    """Return the scorer, its members of the ``--json`` document, and its columns where they are known."""
    from batch_scoring.scores import VersionScorer
    from peerloan.access import find_access
    from peerloan.api_client import ApiClient
    from peerloan.scoring.api_scorer import ApiScorer

    if url is not None:
        if version is not None or alias is not None:
            raise UsageError("--url scores by the version that the API serves; leave out --version and --alias.")
        return ApiScorer(ApiClient(check_url(url, "--url"), find_access(workplace, url))), {"url": url}, ()
    from model_artifact.loading import load_version

    reader = workplace.reader()
    if version is None:
        version = reader.get_alias(alias or DEFAULT_ALIAS).alias.version
    model = load_version(reader, version, workplace.keyring().trust())
    members = {"model_version": version, "model_form": model.form}
    return VersionScorer(model), members, model.manifest.input_schema


def _targets(source: Path, out: Path | None, *, has_warnings: bool) -> Targets:
    if not source.is_file():
        raise UsageError(f"{source} isn't a file.")
    is_csv(source)  # Refuses another kind of file.
    scored = out or source.with_name(f"{source.stem}.scored{source.suffix}")
    if scored.suffix.lower() != source.suffix.lower():
        raise UsageError(f"{scored} must end as {source.name} does: the output has the input's format.")
    if not scored.parent.is_dir():
        raise UsageError(f"The folder {scored.parent} doesn't exist. Make it, or give another --out.")
    if scored.exists() and scored.samefile(source):
        raise UsageError("The output would replace the input. Give another --out.")
    return Targets(scored, scored.with_name(f"{scored.name}.rejects.csv"), has_warnings)
