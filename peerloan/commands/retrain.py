"""The command ``retrain``: the next version of the model in charge, and a guarded rollout of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.command_table import check_text
from peerloan.errors import UsageError
from peerloan.monitoring.options import read_settings_file
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.retraining.asking import Options
    from peerloan.retraining.recalibrated import Outcomes

_DATE = ["%Y-%m-%d"]


def retrain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The alias whose version in charge is retrained.")] = DEFAULT_ALIAS,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Loans to train on, oldest first, each file with --data; the last file is tested on."),
    ] = None,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Only set intercept and slope, on outcomes that are mature.")
    ] = False,
    recipe: Annotated[
        str | None, typer.Option(help="Train this model, instead of that of the version in charge: basic or improved.")
    ] = None,
    require: Annotated[
        str, typer.Option(help="What the new ranking must be to be published: no-worse-than or better-than the old.")
    ] = "no-worse-than",
    if_verdict: Annotated[
        str | None,
        typer.Option(help="Do what the monitor's last report says, if it is among these: recalibrate,refit."),
    ] = None,
    rollout: Annotated[
        str | None, typer.Option(help="Start a rollout with this strategy, such as Canary10Percent5Minutes.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="Start a rollout with these percentages instead, such as 1,10,50.")
    ] = None,
    every: Annotated[str | None, typer.Option(help="How long each of --steps takes, 5m by default.")] = None,
    shadow: Annotated[str, typer.Option(help="How long the version is only scored beside the one in charge.")] = "5m",
    bake: Annotated[str, typer.Option(help="How long it is watched with all the traffic.")] = "5m",
    reason: Annotated[str, typer.Option(help="Why, for the history.", callback=check_text)] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Recalibrate on loans scored since this date.", formats=_DATE)
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(help="Recalibrate on what was known on this date; today if absent.", formats=_DATE),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="A TOML file with some of the monitor's settings, such as its outcome window.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="Go on with this retraining, or begin one of this name.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the next version: trained on newer loans, or recalibrated on outcomes.

    It trains, judges against the version in charge, publishes, compares, and with --rollout or --steps starts a guarded
    rollout. It doesn't wait for the rollout's end. Each stage is kept in the bucket. If it is cut off, the same command
    goes on; nothing is done twice.

    With --if-verdict the monitor's last report decides: recalibrate recalibrates, refit trains on --data, and any other
    verdict ends with exit code 0. Exit code 1: a rule was failed, or a stage couldn't be done.

    Examples: peerloan retrain --data q3.csv --data q4.csv --rollout Canary10Percent5Minutes

    peerloan retrain --recalibrate

    peerloan retrain --data loans --if-verdict recalibrate,refit --rollout Canary10Percent5Minutes
    """
    # Imported here: they bring what most commands don't need.
    from peerloan.retraining.asking import Options, find_or_begin
    from peerloan.retraining.stages import MakeCandidate, Run
    from peerloan.rollouts.planning import Wishes

    workplace: Workplace = ctx.obj
    options = Options(name, tuple(data or ()), recalibrate, recipe, require, identity)
    tell = note if as_json else say
    if if_verdict is not None:
        decided = _decide(workplace, options, if_verdict, as_json=as_json)
        if decided is None:
            return
        options = decided
    elif recalibrate and data:
        raise UsageError("--recalibrate takes outcomes from the bucket, and no --data. Give one of them.")
    wishes = None
    if not (rollout is None and steps is None and every is None):
        wishes = Wishes(rollout, steps, every, shadow, bake, None, (), None, None, reason)
        # Checked before minutes are spent on training.
        wishes.plan()
    outcomes = _outcomes(workplace, since, as_of, settings)
    workplace.find_signer()
    snapshot = find_or_begin(workplace, options, has_rollout=wishes is not None)
    tell(f"Retraining {snapshot.retraining.id} of version {snapshot.retraining.main} on alias {name}.")
    run = Run(
        workplace,
        wishes,
        lambda stage, told, was_done: tell(f"{stage + ':':<11}{told}{' (done before)' if was_done else ''}"),
        MakeCandidate(outcomes),
    )
    retraining = run.go_on(snapshot)
    if as_json:
        say_json(retraining.to_document())
        return
    if wishes is None and retraining.version != retraining.main:
        note(f"Roll it out: peerloan rollout start {name} --to {retraining.version}")


def _decide(workplace: Workplace, options: Options, if_verdict: str, *, as_json: bool) -> Options | None:
    """Return the options with what the monitor's verdict decides; None if nothing is to be done."""
    from peerloan.retraining.asking import kind_by_verdict, read_verdicts

    verdicts = read_verdicts(if_verdict)
    if "refit" in verdicts and not options.data:
        raise UsageError("--if-verdict refit trains anew: name the loans with --data, or leave refit out.")
    kind, told = kind_by_verdict(workplace, options.alias, verdicts)
    (note if as_json else say)(told)
    if kind is None:
        if as_json:
            say_json({"retraining": None, "why": told})
        return None
    if kind == "recalibrate":
        return replace(options, is_recalibrated=True, data=())
    return replace(options, is_recalibrated=False)


def _outcomes(workplace: Workplace, since: datetime | None, as_of: datetime | None, settings: Path | None) -> Outcomes:
    from peerloan.retraining.recalibrated import Outcomes

    read = read_settings_file(settings)
    today = workplace.clock().astimezone(UTC).date()
    day = as_of.date() if as_of else today
    for option, date in (("--as-of", day), ("--since", since.date() if since else day)):
        if date > today:
            raise UsageError(f"{option} {date} lies in the future; today is {today} (UTC).")
    return Outcomes(day, read, since and since.date())
