"""The commands on rollouts: a version gets the traffic in judged steps, and goes back by itself when a guard fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.command_table import check_text
from peerloan.errors import EXIT_FAILED, UsageError
from peerloan.output import JsonFlag, note, say, say_json, say_table
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_rollout.document import Rollout

EXIT_HELD = 3

AliasName = Annotated[str, typer.Argument(help="The alias's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.", callback=check_text)]

rollout = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Roll a version out in judged steps, which go back by themselves when a guard fails.",
)


@rollout.command("start")
def rollout_start(
    ctx: typer.Context,
    to: Annotated[int, typer.Option(help="The version to roll out.")],
    name: AliasName = DEFAULT_ALIAS,
    strategy: Annotated[
        str | None,
        typer.Option(help="AllAtOnce, CanaryXPercentYMinutes or LinearXPercentEveryYMinutes."),
    ] = None,
    steps: Annotated[str | None, typer.Option(help="Instead of a strategy: percentages, such as 1,10,50.")] = None,
    every: Annotated[str | None, typer.Option(help="How long each of --steps takes, 5m by default.")] = None,
    shadow: Annotated[str, typer.Option(help="How long the version is only scored beside the one in charge.")] = "5m",
    bake: Annotated[str, typer.Option(help="How long it is watched with all the traffic.")] = "5m",
    guards: Annotated[Path | None, typer.Option(help="A file of tolerances, with lines such as flips = 0.03.")] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="How far it may differ, for a reason: score=-0.002..0.004, flags=-0.01..0.02, flips=0.03."),
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="Loans on which the expected difference is measured; held-out ones by default.")
    ] = None,
    shadow_budget: Annotated[
        float | None, typer.Option(min=0.001, help="Milliseconds after each answer for a version served as a pickle.")
    ] = None,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before it begins.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan a rollout, show the plan, and begin it. Exit code 0: it has begun, 3: it is held, 1: it didn't begin.

    Examples: peerloan rollout start live --to 3 --strategy Canary10Percent5Minutes

    peerloan rollout start live --to 3 --steps 1,10,50 --every 30s --shadow 2m --bake 2m --yes
    """
    from peerloan.rollouts.planning import Wishes, plan_rollout

    workplace: Workplace = ctx.obj
    wishes = Wishes(strategy, steps, every, shadow, bake, guards, tuple(expect or ()), shadow_budget, records, reason)
    planned = plan_rollout(workplace, name, to, wishes)
    tell = note if as_json else say
    for sentence in planned.sentences:
        tell(sentence)
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError("Nobody can be asked whether the rollout should begin: add --yes.")
        typer.confirm("Begin?", abort=True)
    begun = workplace.rollout_controller().start(planned.rollout)
    _say_state(begun, as_json=as_json)
    _exit_by_state(begun)
    if not as_json:
        note(f"Follow it: peerloan rollout watch {name} (with --drive where no schedule runs).")


@rollout.command("status")
def rollout_status(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """Say where a rollout stands. Exit code 0: under way or promoted, 3: held, 1: taken back.

    Example: peerloan rollout status live
    """
    from rich.console import Console

    from peerloan.rollouts import view

    workplace: Workplace = ctx.obj
    current, now = workplace.rollouts().get(name).rollout, workplace.clock()
    if as_json:
        say_json(view.to_json(current, now))
    else:
        Console(highlight=False).print(view.render(current, now), soft_wrap=not sys.stdout.isatty())
    _exit_by_state(current)


@rollout.command("watch")
def rollout_watch(
    ctx: typer.Context,
    name: AliasName = DEFAULT_ALIAS,
    drive: Annotated[bool, typer.Option("--drive", help="Take the steps from here, where no schedule does.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2.0,
    wait: Annotated[str, typer.Option(help="How long a held rollout may wait for evidence before this ends.")] = "0s",
    as_json: JsonFlag = False,
) -> None:
    """Follow a rollout to its end. Exit code 0: promoted, 3: held, 1: taken back. Ctrl-C ends only the watching.

    Examples: peerloan rollout watch live

    peerloan rollout watch live --drive --json
    """
    from model_rollout.plan import read_duration
    from peerloan.rollouts.watching import watch

    workplace: Workplace = ctx.obj
    rollouts = workplace.rollouts()
    controller = workplace.rollout_controller() if drive else None

    def look() -> Rollout:
        if controller:
            controller.advance(name)
        return rollouts.get(name).rollout

    last = watch(look, workplace.clock, every_s=every, wait_s=read_duration(wait), as_json=as_json)
    _exit_by_state(last)


@rollout.command("hold")
def rollout_hold(
    ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, reason: Reason = "", as_json: JsonFlag = False
) -> None:
    """Keep the traffic as it is until somebody resumes. A guard that fails still takes the version back.

    Example: peerloan rollout hold live --reason "ask the risk team"
    """
    from model_rollout.step import hold

    _change(ctx, name, hold, reason, as_json=as_json, wanted="held")


@rollout.command("resume")
def rollout_resume(
    ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, reason: Reason = "", as_json: JsonFlag = False
) -> None:
    """Go on after a hold. The stage begins anew; all evidence so far counts.

    Example: peerloan rollout resume live
    """
    from model_rollout.step import resume

    _change(ctx, name, resume, reason, as_json=as_json)


@rollout.command("promote")
def rollout_promote(
    ctx: typer.Context,
    name: AliasName = DEFAULT_ALIAS,
    reason: Reason = "",
    step: Annotated[bool, typer.Option("--step", help="Go to the next stage alone, not to all the traffic.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Go on without the evidence: to all the traffic and the bake, or from the bake to the end. Needs a reason.

    Example: peerloan rollout promote live --reason "few loans at night; the shadow showed no difference"
    """
    from model_rollout.step import promote

    seen = ctx.obj.rollouts().get(name).rollout.stage
    _change(ctx, name, promote, reason, as_json=as_json, seen_stage=seen, next_only=step)


@rollout.command("abort")
def rollout_abort(
    ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, reason: Reason = "", as_json: JsonFlag = False
) -> None:
    """End a rollout: all requests go back to the version in charge.

    Example: peerloan rollout abort live --reason "wrong version"
    """
    from model_rollout.step import abort

    _change(ctx, name, abort, reason, as_json=as_json, wanted="aborted")


@rollout.command("history")
def rollout_history(ctx: typer.Context, name: AliasName = DEFAULT_ALIAS, as_json: JsonFlag = False) -> None:
    """List the rollouts of an alias, the oldest first.

    Example: peerloan rollout history live
    """
    history = ctx.obj.rollouts().history(name)
    if as_json:
        say_json([past.to_document() for past in history])
        return
    if not history:
        note(f"Alias {name!r} has had no rollout. Start one: peerloan rollout start {name} --to VERSION.")
        return
    say_table(
        ("began", "by", "from", "to", "plan", "state", "why"),
        (
            (past.began_at[:19], past.owner, past.main, past.candidate, past.plan.strategy, past.state, past.why)
            for past in history
        ),
    )


def exit_code(state: str) -> int:
    """Return the exit code of a rollout's state: 0 under way or promoted, 3 held, 1 ended without a promotion."""
    return {"running": 0, "promoted": 0, "held": EXIT_HELD}.get(state, EXIT_FAILED)


def _change(
    ctx: typer.Context, name: str, request: Any, reason: str, *, as_json: bool, wanted: str = "running", **options: Any
) -> None:
    workplace: Workplace = ctx.obj
    changed = workplace.rollout_controller().change(
        name, lambda document, alias, now: request(document, alias, now, by=workplace.who, reason=reason, **options)
    )
    _say_state(changed, as_json=as_json)
    # A hold or an abort that was asked for is no failure.
    if changed.state != wanted:
        _exit_by_state(changed)


def _say_state(current: Rollout, *, as_json: bool) -> None:
    if as_json:
        say_json(current.to_document())
        return
    stage = current.current_stage
    where = f", stage {current.stage} of {len(current.plan.stages)} ({stage.kind})" if stage else ""
    say(f"{current.alias}: version {current.candidate}: {current.state.replace('_', ' ')}{where}: {current.why}")


def _exit_by_state(current: Rollout) -> None:
    if code := exit_code(current.state):
        raise typer.Exit(code)
