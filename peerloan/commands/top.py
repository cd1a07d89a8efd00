"""The command ``top``: the local emulator's requests and environments, from its status page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from peerloan.api_client import ApiClient
from peerloan.errors import ServiceError
from peerloan.keyboard import watching_for
from peerloan.output import JsonFlag, say_json
from peerloan.workplace import Workplace

_STATUS_PATH = "/_emulator/status"


def top(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(help="The emulator's address; the local stack's by default.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the state once and end.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between updates.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Show the local environments, versions, requests and faults. The key q ends it; in a pipe it prints once.

    Examples: peerloan top

    peerloan top --once
    """
    workplace: Workplace = ctx.obj
    address = workplace.api_url(url)
    client = ApiClient(address)
    try:
        status = client.send("GET", _STATUS_PATH)
    except ServiceError as error:
        raise ServiceError(f"No emulator shows its status at {address}{_STATUS_PATH}. {error}") from error
    console = Console(highlight=False)
    if as_json:
        say_json(status)
    elif once or not console.is_terminal:
        if not console.is_terminal:
            console.width = 1000  # Programs read the output line by line, so no line is wrapped.
        console.print(render(status), soft_wrap=True)
    else:
        _watch(console, client, status, every)


def render(status: Mapping[str, Any]) -> RenderableType:
    """Return a status page as text and tables."""
    requests = status["requests"]
    parts: list[RenderableType] = [_requests("route", {**requests["routes"], "all": requests["all"]}), Text()]
    if models := requests.get("byHeader", {}).get("values"):
        parts += [_requests("model version", models), Text()]
    parts.append(_environments(status))
    parts += [Text(line, style="yellow") for line in _remarks(status)]
    return Group(*parts)


def _watch(console: Console, client: ApiClient, status: Mapping[str, Any], every_s: float) -> None:
    try:
        with (
            watching_for("q") as wait,
            Live(_with_hint(render(status)), console=console, screen=True, auto_refresh=False) as view,
        ):
            while not wait(every_s):
                try:
                    view.update(_with_hint(render(client.send("GET", _STATUS_PATH))), refresh=True)
                except ServiceError as error:
                    # Shown, so that nobody takes it for an idle emulator. Asked again, since it may be restarting.
                    view.update(_with_hint(Text(str(error), style="red")), refresh=True)
    except KeyboardInterrupt:
        return


def _with_hint(content: RenderableType) -> RenderableType:
    return Group(content, Text(), Text("q ends it", style="dim"))


def _requests(kind: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table of the requests of each route or of each model version."""
    table = _table(kind, "requests/s", "last minute", "not 2xx", "p50 ms", "p90 ms", "p99 ms")
    for group, figures in groups.items():
        failed = sum(count for status, count in figures["statuses"].items() if not status.startswith("2"))
        latencies = ("" if latency is None else f"{latency:.1f}" for latency in figures["latencyMs"].values())
        rate, count = f"{figures['requestsPerSecond']:.1f}", str(figures["requests"])
        table.add_row(group, rate, count, str(failed), *latencies)
    return table


def _environments(status: Mapping[str, Any]) -> Table:
    table = _table("function", "code", "share", "idle", "busy", "init", "reset", "wait", "cold", "warm", "MB")
    for function in status["functions"]:
        for pool in function["environments"]:
            states = (str(pool["byState"][state]) for state in ("idle", "busy", "starting", "reset"))
            table.add_row(
                function["function"],
                pool["version"],
                _shares(function["aliases"], pool["version"]),
                *states,
                str(pool["waiting"]),
                str(pool["coldStarts"]),
                str(pool["warmStarts"]),
                f"{sum(process['mb'] for process in pool['memory']):.0f}",
            )
    return table


def _shares(aliases: Iterable[Mapping[str, Any]], version: str) -> str:
    """Return the share of each alias's requests that a version gets."""
    shares = ((alias["name"], alias["weights"].get(version, 0)) for alias in aliases)
    return ", ".join(f"{name} {weight:.0%}" for name, weight in shares if weight)


def _remarks(status: Mapping[str, Any]) -> list[str]:
    """Return warnings: faults that are set, and provisioned environments that are missing."""
    remarks = []
    for fault in status["faults"]:
        parameters = ", ".join(f"{name} {value}" for name, value in fault["parameters"].items())
        remarks.append(f"fault: {fault['function']} {fault['actionId']} ({parameters})")
    for function in status["functions"]:
        for pool in function["environments"]:
            name, provisioned = f"{function['function']} {pool['version']}", pool["provisioned"]
            if failure := provisioned["failure"]:
                remarks.append(f"{name} can't be provisioned: {failure}")
            elif provisioned["ready"] < provisioned["wanted"]:
                ready = f"{provisioned['ready']} of {provisioned['wanted']} provisioned environments ready"
                remarks.append(f"{name}: {ready}")
    return remarks


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        # In a narrow window names are wrapped, figures never.
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number > 0, overflow="fold")
    return table
