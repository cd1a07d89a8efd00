"""The command ``publish``: a trained model becomes the next version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from model_registry.candidate import Inspection
from model_registry.names import DEFAULT_ALIAS
from peerloan.command_table import check_text
from peerloan.commands.versions import summary
from peerloan.errors import UsageError
from peerloan.first_model import publish_folder
from peerloan.gating import judge_candidate, remembering
from peerloan.output import JsonFlag, say, say_json
from peerloan.workplace import DEFAULT_KEY, Workplace


def publish(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder that `train` wrote, or a pickle file.")],
    require: Annotated[
        str | None, typer.Option(help="Publish only what is better-than=ALIAS, or no-worse-than=ALIAS.")
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="The loans to judge on, as for `train`.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish what --require refuses; takes --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is forced, for the manifest.", callback=check_text)] = "",
    key: Annotated[str, typer.Option(help="The key that signs the version; see `peerloan keys`.")] = DEFAULT_KEY,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Publish without a signature.")] = False,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Open a pickle that brings code of its own.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check a model and publish it as the next version. No alias moves.

    The pickle is opened in a limited process of its own. A function opens it only if its publisher's key is trusted
    there; a model that is served from arrays needs no signature.

    Examples: peerloan publish models/improved

    peerloan publish models/improved --require better-than=live
    """
    workplace: Workplace = ctx.obj
    if force and not (require and reason.strip()):
        raise UsageError("--force goes with --require and with --reason TEXT, which is recorded.")
    gates = None
    inspect = _inspect_any if trust_pickle else workplace.inspect
    workplace = replace(workplace, inspect=remembering(inspect), key=None if unsigned else key)
    if require:
        force_reason = reason if force else None
        gates = partial(judge_candidate, workplace, require=require, data=data or (), force_reason=force_reason)
    publication = publish_folder(workplace, source, gates)
    manifest = publication.manifest
    if as_json:
        say_json({"created": publication.created, **summary(manifest)})
    elif publication.created:
        signed = f"signed by {manifest.signature.key_id}" if manifest.signature else "unsigned"
        say(f"Published version {manifest.version} ({manifest.artifact.size_bytes:,} bytes, {signed}).")
        say(f"Shift to it: peerloan alias set {DEFAULT_ALIAS} --version {manifest.version}")
    else:
        say(f"Version {manifest.version} is this very model already; nothing was written.")


def _inspect_any(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    # Imported here: most commands inspect nothing.
    from model_artifact.opening.inspection import inspect_candidate

    return inspect_candidate(pickle, probe_records, is_name_checked=False)
