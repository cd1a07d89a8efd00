"""The command ``demo-loop``: a year of quarters in a few minutes, in which the monitor finds what changes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import typer

from peerloan.output import JsonFlag, note, say, say_json
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, Workplace

_ALIAS_TTL_S = 1.0
_SCHEDULE_INTERVAL_S = 2.0
_PROBLEMS_SHOWN = 5


def demo_loop(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Live through a year of quarters: find what changes, and repair it.

    It starts a stack of its own on free ports, and trains a model. In each quarter eight clients score 40,000 generated
    loans. Nobody waits a year: the quarter's log lines are moved to the quarter's days. Everything else is as it would
    be: outcomes are imported, the monitor looks, and a version that is recalibrated or trained anew gets the traffic by
    a guarded rollout.

    Exits 1 if a verdict, a rollout or a figure isn't as promised, or a request failed.

    Example: peerloan demo-loop
    """
    # Imported here: it brings scikit-learn, which takes longer than most commands.
    from peerloan.demos.figures import in_one_line, loop_figures
    from peerloan.demos.year import YearRun, publish_first_model

    workplace: Workplace = ctx.obj
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="peerloan-demo-") as folder:
        state_dir = Path(folder)
        with Stack(state_dir, DEFAULT_BUCKET, dict(workplace.environ)) as stack:
            bucket_url = stack.start_bucket(0)
            local = workplace.at(
                bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model=workplace.model, state_dir=state_dir
            )
            local = publish_first_model(local)
            # Throttled requests would count as failed.
            url = stack.start_api(
                0,
                bucket_url,
                alias_ttl_s=_ALIAS_TTL_S,
                throttled=False,
                schedule_interval_s=_SCHEDULE_INTERVAL_S,
            )
            year = YearRun(local, url)
            asyncio.run(year.run())
    figures = loop_figures(year.looks, retrained=year.retrained, promoted=year.promoted, failed=year.problems.total())
    for problem, count in year.problems.most_common(_PROBLEMS_SHOWN):
        note(f"{count} requests: {problem}")
    note(f"A year in {time.monotonic() - began:.0f} s.")
    if as_json:
        say_json(figures)
    else:
        say(in_one_line(figures))
    if not figures["passed"]:
        raise typer.Exit(1)
