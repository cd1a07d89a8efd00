"""The command ``report``: the figures of a version, as a page and as a model card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model_registry.errors import AliasNotFoundError
from model_registry.names import DEFAULT_ALIAS
from model_registry.reader import RegistryReader
from peerloan.errors import UsageError
from peerloan.files import make_folder, write_whole
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_artifact.opening.signature import Trust
    from training.evidence.gathering import Rival


def report(
    ctx: typer.Context,
    version: Annotated[
        int | None, typer.Argument(help="The version's number; by default the one that live points at.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="The loans, as for `train`: a zip, a folder, or twice a CSV file.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
    cost_missed_late: Annotated[float | None, typer.Option(help="What a late payer costs who was not called.")] = None,
    cost_call: Annotated[float | None, typer.Option(help="What a call costs.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write an HTML report and a model card of a version.

    They are report-VERSION.html, a page that needs no other file, and model-card-VERSION.md.

    Example: peerloan report 2 --data data/peerLoanData.zip
    """
    # Imported here: they bring scikit-learn and Matplotlib, which take longer than most commands.
    from peerloan.version_evidence import gather_evidence
    from training.data import load
    from training.evidence.report.render import render_card, render_page
    from training.evidence.report.tables import headline

    workplace: Workplace = ctx.obj
    ratios = _cost_ratios(cost_missed_late, cost_call)
    reader = workplace.reader()
    if version is None:
        version = reader.get_alias(DEFAULT_ALIAS).alias.version
    quarters = load(data or None, workplace.environ)
    note(f"Data: {quarters.source}")
    rivals = _rivals(reader, version, workplace.keyring().trust())
    evidence = gather_evidence(workplace, version, quarters, rivals, ratios, call_cost=cost_call)
    make_folder(out)
    page, card = out / f"report-{version}.html", out / f"model-card-{version}.md"
    write_whole(page, render_page(evidence).encode())
    write_whole(card, render_card(evidence).encode())
    if as_json:
        say_json({"version": version, "report": str(page), "model_card": str(card), "metrics": dict(evidence.metrics)})
        return
    for name, figure in headline(evidence).items():
        say(f"{name}: {figure}")
    say(f"Written: {page} and {card}")


def _cost_ratios(missed_late: float | None, call: float | None) -> tuple[float, ...] | None:
    if missed_late is None and call is None:
        return None
    if missed_late is None or call is None or not 0 < call < missed_late:
        raise UsageError("State both --cost-missed-late and --cost-call. A call must cost less than a late payer.")
    return (missed_late / call,)


def _rivals(reader: RegistryReader, version: int, trust: Trust) -> tuple[Rival, ...]:
    """Return the version that the default alias points at, unless it is the reported version."""
    from model_artifact.loading import load_pickle
    from training.evidence.gathering import Rival

    try:
        live = reader.get_alias(DEFAULT_ALIAS).alias.version
    except AliasNotFoundError:
        return ()
    if live == version:
        return ()
    return (Rival(f"version {live}, which {DEFAULT_ALIAS} points at", load_pickle(reader, live, trust).pipeline),)
