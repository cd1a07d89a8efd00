"""The command ``status``: whether the API and the bucket answer, and which version is live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from model_registry.errors import RegistryError
from model_registry.names import DEFAULT_ALIAS
from peerloan.access import auth_mode, find_access
from peerloan.api_client import ApiClient
from peerloan.commands.alias import alias_line
from peerloan.errors import ServiceError, StackError
from peerloan.output import JsonFlag, say, say_json
from peerloan.workplace import Workplace


def status(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(help="The API's address; the local stack's by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say whether the API and the bucket answer, and which version is live. Also says who may call the API.

    Exits 1 if not all is well.

    Example: peerloan status
    """
    workplace: Workplace = ctx.obj
    address = workplace.api_url(url)
    client = ApiClient(address, find_access(workplace, address))
    report = {
        "api": _attempt(lambda: client.send("GET", "/readyz")),
        "model": _attempt(lambda: client.send("GET", f"/models/{workplace.model}")),
        "alias": _attempt(lambda: _alias_document(workplace)),
        "versions": _attempt(lambda: workplace.reader().list_versions()),
    }
    healthy = all("error" not in part for part in report.values())
    auth = auth_mode(workplace, address)
    if as_json:
        values = {name: part.get("value", part) for name, part in report.items()}
        say_json({"healthy": healthy, "url": client.url, "auth": auth, **values})
    else:
        say(f"address  {client.url}" + (f", AUTH={auth}" if auth else ""))
        for name, part in report.items():
            say(f"{name:8} {part.get('error') or _brief(name, part['value'])}")
    if not healthy:
        raise typer.Exit(1)


def _attempt(get: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": get()}
    except (ServiceError, StackError, RegistryError) as error:
        return {"error": str(error)}


def _brief(name: str, value: Any) -> str:
    if name == "api":
        return "ready"
    if name == "alias":
        return alias_line(value)
    if name == "versions":
        return ", ".join(map(str, value)) or "none"
    served = ", ".join(
        f"version {part['version']} ({part['weight']:.1%}, as {part['form']})" for part in value["versions"]
    )
    return f"{value['name']} {value['alias']['name']}, revision {value['alias']['revision']}: serves {served}"


def _alias_document(workplace: Workplace) -> dict[str, Any]:
    return workplace.reader().get_alias(DEFAULT_ALIAS).alias.to_document()
