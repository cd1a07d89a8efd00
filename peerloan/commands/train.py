"""The command ``train``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from peerloan.output import JsonFlag
from peerloan.workplace import PROJECT


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
