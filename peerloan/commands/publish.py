"""The command ``publish``: a trained model becomes the next version."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.command_table import check_text
from peerloan.commands.versions import summary
from peerloan.errors import UsageError
from peerloan.first_model import publish_folder
from peerloan.gating import judge_candidate, remembering
from peerloan.output import JsonFlag, say, say_json
from peerloan.workplace import Workplace


def publish(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder that `train` wrote, or a pickle file.")],
    require: Annotated[
        str | None, typer.Option(help="Publish only what is better-than=ALIAS, or no-worse-than=ALIAS.")
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="The loans to judge on, as for `train`.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish what --require refuses; takes --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is forced, for the manifest.", callback=check_text)] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check a model and publish it as the next version. No alias moves.

    The model is loaded in a process of its own.

    Examples: peerloan publish models/improved

    peerloan publish models/improved --require better-than=live
    """
    workplace: Workplace = ctx.obj
    if force and not (require and reason.strip()):
        raise UsageError("--force goes with --require and with --reason TEXT, which is recorded.")
    gates = None
    if require:
        workplace = replace(workplace, inspect=remembering(workplace.inspect))
        force_reason = reason if force else None
        gates = partial(judge_candidate, workplace, require=require, data=data or (), force_reason=force_reason)
    publication = publish_folder(workplace, source, gates)
    manifest = publication.manifest
    if as_json:
        say_json({"created": publication.created, **summary(manifest)})
    elif publication.created:
        say(f"Published version {manifest.version} ({manifest.artifact.size_bytes:,} bytes).")
        say(f"Shift to it: peerloan alias set {DEFAULT_ALIAS} --version {manifest.version}")
    else:
        say(f"Version {manifest.version} is this very model already; nothing was written.")
