"""The commands ``train`` and ``evaluate``: a model of one's own, and the figures of one that was handed over."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerloan.commands.publish import (
    CallOption,
    ColumnsOption,
    FlagShareOption,
    MissedLateOption,
    ThresholdOption,
    TrustPickleFlag,
    column_names,
)
from peerloan.handover import opened, threshold_rule
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from training.handover import Handover

train = typer.Typer(add_completion=False)


@train.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def hand_over(ctx: typer.Context) -> None:
    """Train a model and save it as a folder that `publish` takes."""
    workplace: Workplace = ctx.obj
    # A process of its own: its memory is free when it ends. Every option is defined there, `--help` among them.
    command = [sys.executable, "-m", "training", *ctx.args]
    if code := subprocess.run(command, check=False, env=dict(workplace.environ)).returncode:
        raise typer.Exit(code)


def evaluate(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder that `train` wrote, a pickle, or a booster's own file.")],
    data: Annotated[
        list[Path], typer.Option(help="A CSV file of loans that it hasn't seen; or --data for each of its two files.")
    ],
    flag_share: FlagShareOption = None,
    cost_missed_late: MissedLateOption = None,
    cost_call: CallOption = None,
    threshold: ThresholdOption = None,
    columns: ColumnsOption = None,
    trust_pickle: TrustPickleFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure a model on loans, as `publish` would, without publishing it.

    Examples: peerloan evaluate model.pkl --data test.csv --flag-share .1

    peerloan evaluate model.pkl --data train.csv --data test.csv
    """
    workplace: Workplace = ctx.obj
    rule = threshold_rule(flag_share, cost_missed_late, cost_call, threshold)
    # Imported here: they bring pandas, which takes longer than most commands.
    from training.evidence.summary import summarise
    from training.handover import read_handover, shortcomings

    handover = read_handover(source, workplace.who, rule=rule, columns=column_names(columns))
    handover = _with_loans(handover, data, workplace)
    with opened(handover, is_name_checked=not trust_pickle) as model:
        candidate, inspection = model.candidate, model.inspection
    if as_json:
        record = asdict(candidate)
        names = ("description", "threshold", "data", "metrics", "holdout_parity")
        serving = {
            "serves_as": "pickle" if inspection.serving_form is None else "arrays",
            "why_no_serving_form": inspection.why_no_serving_form,
        }
        say_json({**{name: record[name] for name in names}, **serving, "missing": shortcomings(candidate)})
        return
    say("\n".join(summarise(candidate, inspection)))
    if missing := shortcomings(candidate):
        note("Published with these loans alone it would have")
        for what in missing:
            note(f"  {what}")
    note("Nothing was published.")


def _with_loans(handover: Handover, data: list[Path], workplace: Workplace) -> Handover:
    from training.data import load, read_loans

    if len(data) == 1 and data[0].suffix.lower() == ".csv":
        return replace(handover, test=read_loans(data[0]))
    quarters = load(data, workplace.environ)
    return replace(handover, train=quarters.train, test=quarters.test)
