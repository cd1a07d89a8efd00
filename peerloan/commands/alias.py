"""The commands on aliases: where one points, its history, and moving it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from model_registry.alias import Alias, RoutingConfig, Shadow
from model_registry.names import DEFAULT_ALIAS
from model_registry.reader import RegistryReader
from peerloan.command_table import check_text
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, note, say, say_json, say_table

AliasName = Annotated[str, typer.Argument(help="The alias's name.")]
Revision = Annotated[int | None, typer.Option(help="Only if the alias is still at this revision.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.", callback=check_text)]
# A table's cell of evidence is cut here; --json has all of it.
_EVIDENCE_WIDTH = 72

alias = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Show where an alias points, and move it."
)


@alias.command("get")
def alias_get(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """Say where an alias points now: who moved it, when, why, in which rollout, and on what evidence.

    Example: peerloan alias get live
    """
    document = ctx.obj.reader().get_alias(name).alias.to_document()
    if as_json:
        say_json(document)
        return
    say(alias_line(document))
    say(f"since    {document['updated_at'][:19]}, UTC")
    say(f"reason   {document['reason'] or 'none given'}")
    say(f"rollout  {document['rollout']}")
    if "evidence" in document:
        say(f"evidence {evidence_line(document['evidence'])}")


@alias.command("set")
def alias_set(
    ctx: typer.Context,
    name: AliasName,
    version: Annotated[int, typer.Option(help="The version that gets the traffic.")],
    weight: Annotated[list[str] | None, typer.Option(help="A share for one more version, as 8=0.1.")] = None,
    shadow: Annotated[
        str | None, typer.Option(help="A version to score beside the answers, for the log only: 8, or a share, 8=0.5.")
    ] = None,
    shadow_budget_ms: Annotated[
        float | None, typer.Option(help="Score a shadow that serves as pickle too, for so long a request.")
    ] = None,
    revision: Revision = None,
    reason: Reason = "",
    as_json: JsonFlag = False,
) -> None:
    """Point an alias at a version. Warm environments follow within the function's alias TTL; nothing restarts.

    What isn't given ends: the share of another version, and a shadow.

    Examples: peerloan alias set live --version 2

    peerloan alias set live --version 1 --weight 2=0.1 --reason "canary"

    peerloan alias set live --version 1 --shadow 2 --reason "look at its scores first"
    """
    writer = ctx.obj.writer()
    scored_beside = parse_shadow(shadow, shadow_budget_ms)
    if scored_beside is not None:
        _require_budget(scored_beside, writer.reader)
    update = writer.assign(
        name,
        version,
        routing_config=RoutingConfig(parse_weights(weight or [])),
        shadow=scored_beside,
        expected_revision=revision,
        reason=reason,
    )
    _say_alias(update, as_json=as_json)
    if update.revision == 1 and name != DEFAULT_ALIAS:
        note(f"{name!r} is a new alias. The service follows {DEFAULT_ALIAS!r}, unless MODEL_ALIAS names another.")


@alias.command("history")
def alias_history(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """List every revision of an alias, oldest first.

    Example: peerloan alias history live
    """
    history = [revision.to_document() for revision in ctx.obj.reader().history(name)]
    if as_json:
        say_json(history)
        return
    rows = [_history_row(revision) for revision in history]
    # Most histories have neither shadows nor evidence.
    columns = [column for column in rows[0] if column not in ("shadow", "evidence") or any(row[column] for row in rows)]
    say_table(columns, ([row[column] for column in columns] for row in rows))


@alias.command("rollback")
def alias_rollback(
    ctx: typer.Context,
    name: AliasName = DEFAULT_ALIAS,
    revision: Revision = None,
    reason: Reason = "",
    as_json: JsonFlag = False,
) -> None:
    """Point an alias back at the version in charge before; during a canary, at the main version alone. Ends a shadow.

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
        version, weight = _parse_share(text, "a weight: write the version and its share, as 8=0.1")
        if version in weights:
            raise UsageError(f"Version {version} has two weights; give it one.")
        weights[version] = weight
    return weights


def parse_shadow(text: str | None, budget_ms: float | None) -> Shadow | None:
    """Return the shadow from a text such as ``8`` or ``8=0.5``; raise ``UsageError`` if it isn't of this form."""
    if text is None:
        if budget_ms is not None:
            raise UsageError("--shadow-budget-ms is for a shadow: name its version, as --shadow 8.")
        return None
    version, share = _parse_share(
        text, "a shadow: write its version, as 8, or the version and its share, as 8=0.5", "1"
    )
    return Shadow(version, share, budget_ms)


def evidence_line(evidence: Mapping[str, Any]) -> str:
    """Say in a line on what evidence an alias was moved: each guard with its verdict, all else as name and value."""
    return ", ".join(_fact(name, value) for name, value in evidence.items())


def alias_line(alias: Mapping[str, Any]) -> str:
    """Say in a line where an alias points, from its document."""
    weights = _weights(alias)
    shares = f", of which {weights}" if weights else ""
    shadow = _shadow(alias)
    beside = f", in the shadow {shadow}" if shadow else ""
    change = f"revision {alias['revision']}, by {alias['updated_by']}"
    return f"{alias['alias']} -> version {alias['version']}{shares}{beside} ({change})"


def _require_budget(shadow: Shadow, reader: RegistryReader) -> None:
    if shadow.budget_ms is None and reader.get_manifest(shadow.version).serving_form is None:
        raise UsageError(
            f"Version {shadow.version} is served from its pickle, so it is scored only within a budget: "
            "add --shadow-budget-ms 20, the milliseconds that an answer may wait for it."
        )


def _parse_share(text: str, form: str, default_share: str = "") -> tuple[int, float]:
    name, _, share = text.partition("=")
    try:
        return int(name), float(share or default_share)
    except ValueError:
        raise UsageError(f"{text!r} isn't {form}.") from None


def _say_alias(alias: Alias, *, as_json: bool) -> None:
    document = alias.to_document()
    say_json(document) if as_json else say(alias_line(document))


def _weights(alias: Mapping[str, Any]) -> str:
    weights = alias["routing_config"]["additional_version_weights"].items()
    return ", ".join(f"{weight:.1%} to version {version}" for version, weight in weights)


def _history_row(revision: Mapping[str, Any]) -> dict[str, object]:
    return {
        "revision": revision["revision"],
        "version": revision["version"],
        "weights": _weights(revision),
        "shadow": _shadow(revision),
        "when": revision["updated_at"][:19],
        "by": revision["updated_by"],
        "rollout": revision["rollout"],
        "reason": revision["reason"],
        "evidence": _shortened(evidence_line(revision.get("evidence", {}))),
    }


def _shadow(alias: Mapping[str, Any]) -> str:
    shadow = alias.get("shadow")
    if shadow is None:
        return ""
    budget = "" if shadow["budget_ms"] is None else f" within {shadow['budget_ms']:g} ms"
    return f"version {shadow['version']} for {shadow['share']:.1%}{budget}"


def _fact(name: str, value: Any) -> str:
    if name == "guards" and isinstance(value, list):
        with suppress(KeyError, TypeError):
            return ", ".join(f"{judgement['guard']} {judgement['verdict']}" for judgement in value)
    return f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _shortened(text: str) -> str:
    return text if len(text) <= _EVIDENCE_WIDTH else text[: _EVIDENCE_WIDTH - 1] + "…"
