"""The commands on aliases: where one points, its history, and moving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from model_registry.alias import Alias, RoutingConfig
from model_registry.names import DEFAULT_ALIAS
from peerloan.command_table import check_text
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, say, say_json, say_table

AliasName = Annotated[str, typer.Argument(help="The alias's name.")]
Revision = Annotated[int | None, typer.Option(help="Only if the alias is still at this revision.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.", callback=check_text)]

alias = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Show where an alias points, and move it."
)


@alias.command("get")
def alias_get(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """Say where an alias points now.

    Example: peerloan alias get live
    """
    _say_alias(ctx.obj.reader().get_alias(name).alias, as_json=as_json)


@alias.command("set")
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


@alias.command("history")
def alias_history(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """List every revision of an alias, oldest first.

    Example: peerloan alias history live
    """
    history = [revision.to_document() for revision in ctx.obj.reader().history(name)]
    if as_json:
        say_json(history)
        return
    members = ("revision", "version", "weights", "updated_at", "updated_by", "reason")
    rows = (
        {**revision, "weights": _weights(revision), "updated_at": revision["updated_at"][:19]} for revision in history
    )
    say_table(
        ("revision", "version", "weights", "when", "by", "reason"),
        ([row[member] for member in members] for row in rows),
    )


@alias.command("rollback")
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
    """Return the share of each additional version, from texts such as ``8=0.1``.

    Raises
    ------
    UsageError
        If a word isn't of this form, or a version has two shares.
    """
    weights: dict[int, float] = {}
    for text in words:
        name, _, share = text.partition("=")
        try:
            version, weight = int(name), float(share)
        except ValueError:
            raise UsageError(f"{text!r} isn't a weight: write the version and its share, as 8=0.1.") from None
        if version in weights:
            raise UsageError(f"Version {version} has two weights; give it one.")
        weights[version] = weight
    return weights


def alias_line(alias: Mapping[str, Any]) -> str:
    """Say in a line where an alias points, from its document."""
    weights = _weights(alias)
    shares = f", of which {weights}" if weights else ""
    change = f"revision {alias['revision']}, by {alias['updated_by']}"
    return f"{alias['alias']} -> version {alias['version']}{shares} ({change})"


def _say_alias(alias: Alias, *, as_json: bool) -> None:
    document = alias.to_document()
    say_json(document) if as_json else say(alias_line(document))


def _weights(alias: Mapping[str, Any]) -> str:
    weights = alias["routing_config"]["additional_version_weights"].items()
    return ", ".join(f"{weight:.1%} to version {version}" for version, weight in weights)
