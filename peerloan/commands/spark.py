"""The commands ``spark score`` and ``spark tally``: what one machine does, on Spark."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import UsageError
from peerloan.output import say
from peerloan.workplace import PROJECT, Workplace

if TYPE_CHECKING:
    from peerloan.spark.pinned_version import PinnedVersion

spark = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

MasterOption = Annotated[str | None, typer.Option(help="Spark's master, such as local[2]; spark-submit's by default.")]
SubmitOption = Annotated[
    str | None, typer.Option(help="The spark-submit to run; that of make spark-setup by default, or the one in PATH.")
]
ConfOption = Annotated[list[str] | None, typer.Option(help="A setting of Spark, NAME=VALUE. May be repeated.")]
BuildOption = Annotated[
    Path | None, typer.Option(help="Write the job's files into this folder, print the command line, and run nothing.")
]


@dataclass(frozen=True)
class Place:
    """Where a job runs: Spark's master, the spark-submit and its settings; or the folder that it is only built in."""

    master: str | None
    submit: str | None
    conf: Sequence[str]
    build_only: Path | None


@spark.callback()
def describe() -> None:
    """Score data sets and tally the prediction log on Spark."""


@spark.command("score")
def score(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A file or folder that Spark reads, such as s3a://….")],
    out: Annotated[str, typer.Argument(help="The folder to write; it mustn't exist.")],
    version: Annotated[int | None, typer.Option(help="The version that scores.")] = None,
    alias: Annotated[
        str | None, typer.Option(help="Without --version: the alias whose main version scores; live by default.")
    ] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="csv or parquet; by the ending of IN by default.")
    ] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Add a column with each row's warnings.")] = False,
    rejects: Annotated[str | None, typer.Option(help="The folder of rejected rows; OUT.rejects by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT and the rejects if they exist.")] = False,
    master: MasterOption = None,
    submit: SubmitOption = None,
    conf: ConfOption = None,
    build_only: BuildOption = None,
) -> None:
    """Score a data set on Spark. Its rows are the same as by `peerloan score`, to the last byte.

    The version is looked up once, now, and ships with the job.

    Examples: peerloan spark score loans/ scored --format csv --version 2 --master 'local[2]'

    peerloan spark score s3a://lake/loans s3a://lake/scored --format parquet --build-only job
    """
    from peerloan.spark.shipment import pin_version

    workplace: Workplace = ctx.obj
    source_format = _format(source, file_format)
    reader = workplace.reader()
    if version is None:
        version = reader.get_alias(alias or DEFAULT_ALIAS).alias.version
    pinned = pin_version(reader, version)
    arguments = [
        "--job",
        "score",
        "--source",
        source,
        "--out",
        out,
        "--rejects",
        rejects or f"{out.rstrip('/')}.rejects",
    ]
    arguments += ["--sha256", pinned.sha256, "--format", source_format, "--warnings", "yes" if warnings else "no"]
    arguments += ["--mode", "overwrite" if overwrite else "error"]
    _ship(workplace, pinned, Place(master, submit, conf or (), build_only), arguments)


@spark.command("tally")
def tally(
    ctx: typer.Context,
    log: Annotated[str, typer.Argument(help="The log's bucket, such as s3a://NAME: it holds log/dt=….")],
    out: Annotated[str, typer.Argument(help="The model's bucket: the tallies are written where the monitor has them.")],
    day: Annotated[str, typer.Option(help="The day to tally, such as 2026-07-01.")],
    until: Annotated[str | None, typer.Option(help="The last day, if they are several.")] = None,
    master: MasterOption = None,
    submit: SubmitOption = None,
    conf: ConfOption = None,
    build_only: BuildOption = None,
) -> None:
    """Tally days of the prediction log on Spark, as `peerloan monitor` would. It doesn't read these days again.

    Example: peerloan spark tally s3a://peerloan-logs s3a://peerloan-models --day 2026-07-01 --until 2026-07-07
    """
    workplace: Workplace = ctx.obj
    first, last = _day(day), _day(until or day)
    if last < first:
        raise UsageError(f"--until {last} is before --day {first}.")
    arguments = ["--job", "tally", "--source", log, "--out", out, "--model", workplace.model]
    arguments += ["--day", first.isoformat(), "--until", last.isoformat()]
    _ship(workplace, None, Place(master, submit, conf or (), build_only), arguments)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} isn't a day, such as 2026-07-01.") from None


def _ship(
    workplace: Workplace,
    pinned: PinnedVersion | None,
    place: Place,
    arguments: Sequence[str],
) -> None:
    """Build a job and run it, or only build it."""
    from peerloan.spark.shipment import build_shipment, find_submit, run_submit

    is_local = place.master is not None and place.master.startswith("local")
    conf = [*(("spark.ui.enabled=false",) if is_local else ()), *place.conf]
    layer = PROJECT / "layers/shared"
    if place.build_only is not None:
        shipment = build_shipment(place.build_only, layer, pinned)
        say(shlex.join(shipment.command(place.submit or "spark-submit", place.master, conf, arguments)))
        return
    submit = find_submit(place.submit, PROJECT)
    with tempfile.TemporaryDirectory(prefix="peerloan-spark-") as folder:
        shipment = build_shipment(Path(folder), layer, pinned)
        run_submit(shipment.command(submit, place.master, conf, arguments), workplace.environ, is_local=is_local)


def _format(source: str, file_format: str | None) -> str:
    for name, endings in (("csv", (".csv", ".csv.gz")), ("parquet", (".parquet", ".pq"))):
        if file_format == name or (file_format is None and source.rstrip("/").endswith(endings)):
            return name
    raise UsageError("Say what the input is: --format csv or --format parquet.")
