"""The commands ``versions`` and ``delete``: which versions are published, and removing one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from peerloan.output import JsonFlag, say, say_json, say_table


def versions(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the published versions, and which aliases use them.

    Example: peerloan versions
    """
    reader = ctx.obj.reader()
    manifests = [reader.get_manifest(version) for version in reader.list_versions()]
    users = _aliases_by_version(reader)
    if as_json:
        say_json([{**summary(manifest), "aliases": users.get(manifest.version, [])} for manifest in manifests])
        return
    say_table(
        ("version", "aliases", "published", "by", "bytes", "serves as", "threshold", "description"),
        (
            (
                manifest.version,
                ", ".join(users.get(manifest.version, [])),
                manifest.created_at[:19],
                manifest.created_by,
                f"{manifest.artifact.size_bytes:,}",
                "arrays" if manifest.serving_form else "pickle",
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


def summary(manifest: Manifest) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {
        "model": manifest.model,
        "version": manifest.version,
        "sha256": manifest.artifact.sha256,
        "size_bytes": manifest.artifact.size_bytes,
        "threshold": manifest.threshold.value,
        "serves_as": "arrays" if manifest.serving_form else "pickle",
        "why_no_serving_form": manifest.why_no_serving_form,
        "metrics": manifest.metrics,
        "created_at": manifest.created_at,
        "created_by": manifest.created_by,
        "description": manifest.description,
    }


def _aliases_by_version(reader: RegistryReader) -> dict[int, list[str]]:
    users: dict[int, list[str]] = {}
    for name in reader.list_aliases():
        for version in reader.get_alias(name).alias.versions_in_use:
            users.setdefault(version, []).append(name)
    return users
