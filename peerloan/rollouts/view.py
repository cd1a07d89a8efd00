"""Shows where a rollout stands: the split of the traffic, its stages, the time left, each guard with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model_rollout.document import Rollout
from model_rollout.plan import format_duration

_STATE_STYLES = {"running": "cyan", "promoted": "green", "held": "yellow"}
_VERDICT_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
_BAR_WIDTH = 40
_RECENT_EVENTS = 5


def seconds_left(rollout: Rollout, now: datetime) -> float:
    """Return the shortest time until the rollout's end, if every stage passes; 0 once it has ended."""
    if rollout.is_over:
        return 0.0
    later = sum(stage.seconds for stage in rollout.plan.stages[rollout.stage :])
    return later + stage_seconds_left(rollout, now)


def stage_seconds_left(rollout: Rollout, now: datetime) -> float:
    """Return the time until the stage under way may end."""
    if rollout.is_over or rollout.current_stage is None:
        return 0.0
    end = rollout.stage_began + timedelta(seconds=rollout.current_stage.seconds)
    return max((end - now).total_seconds(), 0.0)


def to_json(rollout: Rollout, now: datetime) -> dict[str, Any]:
    """Return the document with what the view adds to it."""
    return {
        **rollout.to_document(),
        "candidate_share": rollout.candidate_share,
        "stage_seconds_left": stage_seconds_left(rollout, now),
        "seconds_left": seconds_left(rollout, now),
    }


def render(rollout: Rollout, now: datetime) -> RenderableType:
    """Return the rollout as text and tables."""
    parts: list[RenderableType] = [_headline(rollout), _split(rollout), _stages(rollout, now)]
    if rollout.judgements:
        parts += [Text(), _guards(rollout.judgements)]
    parts += [Text(), *(Text(event_line(event)) for event in _recent(rollout))]
    return Group(*parts)


def _headline(rollout: Rollout) -> Text:
    text = Text(f"{rollout.alias}: version {rollout.candidate} in place of version {rollout.main}: ")
    text.append(rollout.state.replace("_", " "), style=_STATE_STYLES.get(rollout.state, "bold red"))
    return text.append(f": {rollout.why}")


def _split(rollout: Rollout) -> Text:
    share = rollout.candidate_share
    filled = round(share * _BAR_WIDTH)
    text = Text(f"version {rollout.main} {1 - share:.1%} ")
    text.append("█" * (_BAR_WIDTH - filled), style="blue").append("█" * filled, style="green")
    text.append(f" {share:.1%} version {rollout.candidate}")
    if rollout.current_stage and rollout.current_stage.kind != "bake" and rollout.shadow_share and not rollout.is_over:
        text.append(" (and in the shadow)")
    return text


def _stages(rollout: Rollout, now: datetime) -> Text:
    words = []
    for number, stage in enumerate(rollout.plan.stages, start=1):
        name = stage.kind if stage.kind != "canary" else f"{stage.weight * 100:g} %"
        mark = "✓ " if number < rollout.stage or rollout.state == "promoted" else ""
        words.append(f"[{name}]" if number == rollout.stage and not rollout.is_over else f"{mark}{name}")
    text = Text(" → ".join(words))
    if not rollout.is_over:
        stage_left, left = stage_seconds_left(rollout, now), seconds_left(rollout, now)
        text.append(f"   stage {format_duration(stage_left)} left, {format_duration(left)} in all")
    return text


def _guards(judgements: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("guard", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for judgement in judgements:
        verdict = str(judgement["verdict"])
        table.add_row(
            str(judgement["guard"]),
            Text(verdict, style=_VERDICT_STYLES.get(verdict, "")),
            str(judgement.get("n", "")),
            str(judgement.get("sentence", "")),
        )
    return table


def _recent(rollout: Rollout) -> Iterable[Any]:
    return rollout.events[-_RECENT_EVENTS:]


def event_line(event: Any) -> str:
    """Say in a line what happened, who did it and why."""
    return f"{event.at[:19]}  {event.what}, by {event.by}" + (f": {event.reason}" if event.reason else "")
