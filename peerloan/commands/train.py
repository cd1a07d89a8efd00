"""The command ``train``: the training's own command line, under the name that users look for."""

from __future__ import annotations

import subprocess
import sys

import typer

from peerloan.workplace import Workplace

train = typer.Typer(add_completion=False)


@train.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def hand_over(ctx: typer.Context) -> None:
    """Train a model and save it as a folder that `publish` takes."""
    workplace: Workplace = ctx.obj
    # A process of its own: its memory is free when it ends. Every option is defined there, `--help` among them.
    command = [sys.executable, "-m", "training", *ctx.args]
    if code := subprocess.run(command, check=False, env=dict(workplace.environ)).returncode:
        raise typer.Exit(code)
