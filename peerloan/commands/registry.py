"""Commands on the registry: train, publish, versions, alias."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from model_registry.alias import Alias, RoutingConfig
from model_registry.manifest import Manifest
from model_registry.names import DEFAULT_ALIAS
from model_registry.reader import RegistryReader
from peerloan.errors import UsageError
from peerloan.first_model import publish_folder
from peerloan.gating import InspectedOnce, passed_gates
from peerloan.output import JsonFlag, say, say_json, say_table
from peerloan.workplace import PROJECT, Workplace

AliasName = Annotated[str, typer.Argument(help="The alias's name.")]
Revision = Annotated[int | None, typer.Option(help="Only if the alias is still at this revision.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]

alias_app = typer.Typer(no_args_is_help=True, help="Where an alias points, and moving it.")


def train(
    name: Annotated[str, typer.Argument(help="basic or improved.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A zip or a folder; or twice, two CSV files: training data, then test data."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write; models/NAME by default.")] = None,
    flag_share: Annotated[float | None, typer.Option(help="The share of the loans that can be called.")] = None,
    cost_missed_late: Annotated[float | None, typer.Option(help="What a late payer costs who was not called.")] = None,
    cost_call: Annotated[float | None, typer.Option(help="What a call costs.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a model and save it as a folder that `publish` takes.

    Examples: peerloan train improved --data data/peerLoanData.zip

    peerloan train improved --data q3.csv --data q4.csv
    """
    folder = out or PROJECT / "models" / name
    command = [sys.executable, "-m", "training", name, "--out", str(folder)]
    command += ["--data", *map(str, data)] if data else []
    rule = {"--flag-share": flag_share, "--cost-missed-late": cost_missed_late, "--cost-call": cost_call}
    command += [word for name, value in rule.items() if value is not None for word in (name, str(value))]
    command += ["--json"] if as_json else []
    # A process of its own: what training imports and allocates is gone when it ends.
    if code := subprocess.run(command, check=False).returncode:
        raise typer.Exit(code)


def publish(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder that `train` wrote, or a pickle file.")],
    require: Annotated[
        str | None, typer.Option(help="Publish only what is better-than=ALIAS, or no-worse-than=ALIAS.")
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="The loans to judge on, as for `train`.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish what --require refuses; takes --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is forced, for the manifest.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check a model in a process of its own and publish it as the next version. No alias moves.

    Examples: peerloan publish models/improved

    peerloan publish models/improved --require better-than=live
    """
    workplace: Workplace = ctx.obj
    if force and not (require and reason.strip()):
        raise UsageError("--force goes with --require and with --reason TEXT, which is recorded.")
    gates = None
    if require:
        workplace = replace(workplace, inspect=InspectedOnce(workplace.inspect))
        forced = reason if force else None
        gates = partial(passed_gates, workplace, require=require, data=data or (), force_reason=forced)
    publication = publish_folder(workplace, source, gates)
    manifest = publication.manifest
    if as_json:
        say_json({"created": publication.created, **_summary(manifest)})
    elif publication.created:
        say(f"Published version {manifest.version} ({manifest.artifact.size_bytes:,} bytes).")
        say(f"Shift to it: peerloan alias set {DEFAULT_ALIAS} --version {manifest.version}")
    else:
        say(f"Version {manifest.version} is this very model already; nothing was written.")


def versions(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the published versions, and which aliases use them.

    Example: peerloan versions
    """
    reader = ctx.obj.reader()
    manifests = [reader.get_manifest(version) for version in reader.list_versions()]
    users = _aliases_by_version(reader)
    if as_json:
        say_json([{**_summary(manifest), "aliases": users.get(manifest.version, [])} for manifest in manifests])
        return
    say_table(
        ("version", "aliases", "published", "by", "bytes", "threshold", "description"),
        (
            (
                manifest.version,
                ", ".join(users.get(manifest.version, [])),
                manifest.created_at[:19],
                manifest.created_by,
                f"{manifest.artifact.size_bytes:,}",
                f"{manifest.threshold.value:.4f}",
                manifest.description,
            )
            for manifest in manifests
        ),
    )


def delete(
    ctx: typer.Context, version: Annotated[int, typer.Argument(help="The version's number.")], as_json: JsonFlag = False
) -> None:
    """Delete a version that no alias uses. Its number is never used again.

    Example: peerloan delete 3
    """
    ctx.obj.writer().delete_version(version)
    say_json({"deleted": version}) if as_json else say(f"Deleted version {version}.")


@alias_app.command("get")
def alias_get(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """Say where an alias points now.

    Example: peerloan alias get live
    """
    _say_alias(ctx.obj.reader().get_alias(name).alias, as_json=as_json)


@alias_app.command("set")
def alias_set(
    ctx: typer.Context,
    name: AliasName,
    version: Annotated[int, typer.Option(help="The version that gets the traffic.")],
    weight: Annotated[list[str] | None, typer.Option(help="A share for one more version, as 8=0.1.")] = None,
    revision: Revision = None,
    reason: Reason = "",
    as_json: JsonFlag = False,
) -> None:
    """Point an alias at a version. Warm environments follow within the function's alias TTL; nothing restarts.

    Examples: peerloan alias set live --version 2

    peerloan alias set live --version 1 --weight 2=0.1 --reason "canary"
    """
    routing_config = RoutingConfig(parse_weights(weight or []))
    update = ctx.obj.writer().assign(
        name, version, routing_config=routing_config, expected_revision=revision, reason=reason
    )
    _say_alias(update, as_json=as_json)


@alias_app.command("history")
def alias_history(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """List every revision of an alias, oldest first.

    Example: peerloan alias history live
    """
    history = ctx.obj.reader().history(name)
    if as_json:
        say_json([revision.to_document() for revision in history])
        return
    say_table(
        ("revision", "version", "weights", "when", "by", "reason"),
        (
            (one.revision, one.version, _weights(one), one.updated_at[:19], one.updated_by, one.reason)
            for one in history
        ),
    )


@alias_app.command("rollback")
def alias_rollback(
    ctx: typer.Context,
    name: AliasName = DEFAULT_ALIAS,
    revision: Revision = None,
    reason: Reason = "",
    as_json: JsonFlag = False,
) -> None:
    """Point an alias back at the version in charge before; during a canary, at the main version alone.

    Example: peerloan alias rollback live --reason "too many false alarms"
    """
    _say_alias(ctx.obj.writer().roll_back(name, expected_revision=revision, reason=reason), as_json=as_json)


def parse_weights(words: Sequence[str]) -> dict[int, float]:
    """Return the shares of more versions, each said as ``8=0.1``.

    Raises
    ------
    UsageError
        If one is written otherwise, or a version has two.
    """
    weights: dict[int, float] = {}
    for text in words:
        name, _, share = text.partition("=")
        try:
            version, weight = int(name), float(share)
        except ValueError:
            raise UsageError(f"{text!r} is no weight: write the version and its share, as 8=0.1.") from None
        if version in weights:
            raise UsageError(f"Version {version} has two weights; give it one.")
        weights[version] = weight
    return weights


def _aliases_by_version(reader: RegistryReader) -> dict[int, list[str]]:
    users: dict[int, list[str]] = {}
    for name in reader.list_aliases():
        for version in reader.get_alias(name).alias.versions:
            users.setdefault(version, []).append(name)
    return users


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "model": manifest.model,
        "version": manifest.version,
        "sha256": manifest.artifact.sha256,
        "size_bytes": manifest.artifact.size_bytes,
        "threshold": manifest.threshold.value,
        "metrics": manifest.metrics,
        "created_at": manifest.created_at,
        "created_by": manifest.created_by,
        "description": manifest.description,
    }


def _say_alias(alias: Alias, *, as_json: bool) -> None:
    if as_json:
        say_json(alias.to_document())
    else:
        more = f", of which {_weights(alias)}" if len(alias.versions) > 1 else ""
        say(f"{alias.alias} -> version {alias.version}{more} (revision {alias.revision}, by {alias.updated_by})")


def _weights(alias: Alias) -> str:
    shares = alias.routing_config.additional_version_weights.items()
    return ", ".join(f"{weight:.1%} to version {version}" for version, weight in shares)
