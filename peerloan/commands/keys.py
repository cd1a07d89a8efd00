"""The commands on keys: who may publish a model that is served from its pickle."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from peerloan.keyring import Keyring
from peerloan.output import JsonFlag, note, say, say_json, say_table
from peerloan.workplace import DEFAULT_KEY, Workplace

KeyName = Annotated[str, typer.Argument(help="The key's name.")]

keys = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Make, list and trust publishers' keys."
)


@keys.command("new")
def keys_new(ctx: typer.Context, name: KeyName = DEFAULT_KEY) -> None:
    """Make a pair of keys that `publish --key NAME` signs with.

    Example: peerloan keys new
    """
    key = _keyring(ctx).create(name)
    say(key.public_key)
    note(f"Key {name} ({key.key_id}). A local stack trusts it from its next start on; on AWS add it to")
    note("TrustedPublishers (docs/operations.md).")


@keys.command("list")
def keys_list(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the keys that this machine signs with or trusts.

    Example: peerloan keys list
    """
    known_keys = _keyring(ctx).list_keys()
    if as_json:
        say_json([{**asdict(key), "key_id": key.key_id} for key in known_keys])
        return
    say_table(
        ("name", "key id", "use", "public key"),
        ((key.name, key.key_id, "signs" if key.can_sign else "trusted", key.public_key) for key in known_keys),
    )


@keys.command("export")
def keys_export(ctx: typer.Context) -> None:
    """Print all public keys in the form of the template's TrustedPublishers.

    Example: make deploy PARAMETERS="TrustedPublishers=$(peerloan keys export)"
    """
    say(_keyring(ctx).public_keys())


@keys.command("trust")
def keys_trust(
    ctx: typer.Context, name: KeyName, public_key: Annotated[str, typer.Argument(help="From `keys new` or `list`.")]
) -> None:
    """Trust somebody else's public key.

    Example: peerloan keys trust risk-team PUBLIC_KEY
    """
    key = _keyring(ctx).add(name, public_key)
    note(f"A local stack trusts {name} ({key.key_id}) from its next start on.")


@keys.command("revoke")
def keys_revoke(ctx: typer.Context, name: KeyName) -> None:
    """Trust a key no longer. The pickles that it signed aren't opened any more; the last good version serves.

    Example: peerloan keys revoke local
    """
    aside = _keyring(ctx).revoke(name)
    note(f"Revoked; kept as {aside}. Restart the local stack; on AWS take it out of TrustedPublishers.")


def _keyring(ctx: typer.Context) -> Keyring:
    workplace: Workplace = ctx.obj
    return workplace.keyring()
