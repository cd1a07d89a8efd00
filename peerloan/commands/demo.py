"""The command ``demo``: five rollouts under load. A good version gets all the traffic, four bad ones are taken back."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from peerloan.access import AuthMode, find_access
from peerloan.demos.operator import LOOK_S, ROLLOUT_LIMIT_S, Operator, exit_code
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, Workplace

if TYPE_CHECKING:
    from model_rollout.document import Rollout
    from peerloan.demo_models import DemoModel
    from peerloan.promises.checks import Report

_CLIENTS = 8
# The clients leave some of two processors to whoever judges their requests.
_PAUSE_S = 0.02
_PLAN = ("--steps", "20,50", "--every", "3s", "--shadow", "3s", "--bake", "3s")
# A version that is served from its pickle is scored in the shadow too, so that nobody waits for it in vain.
_SHADOW_BUDGET_MS = "100"
_SCHEDULE_INTERVAL_S = 2.0
_PROPAGATION_ALLOWANCE_S = 0.25
_MOST_CANDIDATE_FAILURES = 10


def demo(
    ctx: typer.Context,
    alias_ttl: Annotated[float, typer.Option(min=0.1, help="The function's alias TTL in seconds.")] = 1.0,
    auth: Annotated[AuthMode, typer.Option(help="Who may call the API; the clients sign, or send tokens.")] = (
        AuthMode.OPEN
    ),
    as_json: JsonFlag = False,
) -> None:
    """Roll out a good version and four bad ones under load.

    It starts a stack of its own on free ports, and publishes models made for it. The operator of the first rollout is
    killed on the way, and another one goes on. The others are driven by the scheduled function alone.

    Exits 1 if a request failed that wasn't a bad version's own, if a promise about versions was broken, or if a rollout
    ended otherwise than it should.

    Example: peerloan demo
    """
    workplace: Workplace = ctx.obj
    with tempfile.TemporaryDirectory(prefix="peerloan-demo-") as folder:
        state_dir = Path(folder)
        with Stack(state_dir, DEFAULT_BUCKET, dict(workplace.environ)) as stack:
            bucket_url = stack.start_bucket(0)
            local = workplace.at(
                bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model=workplace.model, state_dir=state_dir
            )
            versions, records = _publish_models(local)
            # Throttled requests would count as failed, although no rollout failed them.
            url = stack.start_api(
                0,
                bucket_url,
                alias_ttl_s=alias_ttl,
                throttled=False,
                schedule_interval_s=_SCHEDULE_INTERVAL_S,
                auth=auth,
            )
            report, ended, resumed = asyncio.run(_roll_out_under_load(local, url, records, versions, alias_ttl))
    figures = demo_figures(report, ended, resumed, alias_ttl)
    for violation in report.violations[:5]:
        note(f"promise {violation.promise}: {violation.sentence}")
    if as_json:
        say_json(figures)
    else:
        say("demo: " + " ".join(f"{name}={value}" for name, value in figures.items() if name != "passed"))
    if not figures["passed"]:
        raise typer.Exit(1)


def demo_figures(report: Report, ended: Sequence[Rollout], resumed: int, ttl_s: float) -> dict[str, Any]:
    """Return the demonstration's figures, and whether it passed.

    Parameters
    ----------
    report : Report
        The check of all requests.
    ended : sequence of Rollout
        The rollouts as they ended, the good version's first.
    resumed : int
        How many rollouts went on after their operator was killed.
    ttl_s : float
        The function's alias TTL.
    """
    states = Counter(rollout.state for rollout in ended)
    failed = report.failed - report.candidate_failures
    figures = {
        "requests": report.requests,
        "failed": failed,
        "candidate_failures": report.candidate_failures,
        "shifts": sum(len(rollout.weights) for rollout in ended),
        "propagation_max_ms": round(report.propagation_s * 1000),
        "promoted": states["promoted"],
        "rolled_back": states["rolled_back"],
        "resumed": resumed,
    }
    passed = (
        not failed
        and not report.violations
        and report.candidate_failures <= _MOST_CANDIDATE_FAILURES
        and report.propagation_s <= ttl_s + _PROPAGATION_ALLOWANCE_S
        and [rollout.state for rollout in ended] == ["promoted", *["rolled_back"] * (len(ended) - 1)]
        and resumed == 1
    )
    return {"passed": passed, **figures}


def _publish_models(local: Workplace) -> tuple[list[tuple[int, DemoModel]], list[bytes]]:
    """Publish all versions, put the first in charge; return the others, and the requests' bodies."""
    # Imported here: scikit-learn takes longer than most commands.
    from model_artifact.opening.child_process import warm_processes
    from peerloan import demo_models
    from peerloan.handover import publish_handover
    from training.data import load

    quarters = load(None, local.environ)
    note(f"Loans: {quarters.source}")
    quarters = demo_models.shortened(quarters)
    published = []
    with warm_processes():
        for model in demo_models.demo_models(quarters, local.who):
            # The pickles carry code of this module, which is trusted.
            version = publish_handover(local, model.handover, is_name_checked=False)[0].manifest.version
            note(f"Version {version}: {model.name}.")
            published.append((version, model))
    local.writer().assign(DEFAULT_ALIAS, published[0][0], reason="first model")
    bodies = [json.dumps(record).encode() for record in demo_models.requests_of(quarters.test)]
    return published[1:], bodies


async def _roll_out_under_load(
    local: Workplace, url: str, bodies: Sequence[bytes], versions: Sequence[tuple[int, DemoModel]], ttl_s: float
) -> tuple[Report, list[Rollout], int]:
    from peerloan.load import load
    from peerloan.promises.alias_watch import AliasWatch, watching
    from peerloan.promises.checks import check_run

    operator = Operator(local)
    resumed = 0
    ended: list[Rollout] = []
    loading = load(
        f"{url}/predict",
        bodies,
        _CLIENTS,
        key_of=lambda number: f"loan-{number}",
        pause_s=_PAUSE_S,
        access=find_access(local, url),
    )
    async with watching(AliasWatch(local.reader(), DEFAULT_ALIAS)) as watch, loading as answers:
        await asyncio.sleep(2 * ttl_s)
        for version, model in versions:
            began = time.monotonic()
            options = (*_PLAN, *_options(local, model), "--yes")
            await operator.run("rollout", "start", DEFAULT_ALIAS, "--to", str(version), *options)
            if not ended:
                resumed += await _kill_operator_and_go_on(operator)
            rollout = await operator.wait_for_end()
            took = f"{rollout.state.replace('_', ' ')} after {time.monotonic() - began:.0f} s"
            note(f"Version {version} ({model.name}): {took}. {rollout.why}\n")
            ended.append(rollout)
        await asyncio.sleep(ttl_s)
    return check_run(answers, watch.changes, ttl_s), ended, resumed


def _options(local: Workplace, model: DemoModel) -> list[str]:
    """Return the options of ``peerloan rollout start`` for a model; its loans and guards are files."""
    held_out, guards = local.state_dir / "held-out.csv", local.state_dir / "guards.toml"
    model.held_out.features.to_csv(held_out, index=False)
    guards.write_text("".join(f"{guard} = {tolerance}\n" for guard, tolerance in model.tolerances.items()))
    files = ["--records", str(held_out), "--guards", str(guards)]
    return [*files, "--shadow-budget", _SHADOW_BUDGET_MS, *model.claim]


async def _kill_operator_and_go_on(operator: Operator) -> int:
    """Kill the operator's command while the canary runs; return 1 if another operator brings the rollout to its end."""
    watch = ("rollout", "watch", DEFAULT_ALIAS, "--drive", "--json", "--wait", "60s")
    process = await operator.start(*watch, is_shown=False)
    deadline = time.monotonic() + ROLLOUT_LIMIT_S
    while process.returncode is None and time.monotonic() < deadline:
        rollout = await operator.look()
        if rollout.is_over or (rollout.current_stage and rollout.current_stage.kind == "canary"):
            break
        await asyncio.sleep(LOOK_S)
    was_running = process.returncode is None and not rollout.is_over
    await exit_code(process, 0.0)
    note(f"The operator was killed in stage {rollout.stage}; another one goes on.")
    other = await operator.start(*watch, is_shown=False)
    return int(was_running and await exit_code(other, ROLLOUT_LIMIT_S) == 0)
