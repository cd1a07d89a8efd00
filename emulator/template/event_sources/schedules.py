"""Reads a template's schedules, of EventBridge rules and of EventBridge Scheduler, as `ScheduleSpec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.template.event_sources.schedule_spec import Rule, Schedule, ScheduleSpec
from emulator.template.functions import find_function
from emulator.template.resources import Resources
from emulator.template.values import Unresolvable


def read_schedules(resources: Resources, functions: Mapping[str, str]) -> Iterator[ScheduleSpec]:
    """Yield the enabled schedules that call functions; ``functions`` maps functions' names to logical ids.

    Rules that wait for events, and targets that are no functions of the template, are only noted.
    """
    for logical_id in resources.ids(Rule):
        if not resources[logical_id].properties.get("ScheduleExpression"):
            resources.notes.append(f"{logical_id}: nothing publishes events here; only rules with a schedule are run")
            continue
        rule = resources.read(logical_id, Rule)
        for target in rule.targets if rule.state.startswith("ENABLED") else ():
            called = _called(resources, logical_id, target.arn, functions)
            if called is not None:
                yield ScheduleSpec(logical_id, _arn(resources, logical_id), rule.expression, *called, target.input)
    for logical_id in resources.ids(Schedule):
        schedule = resources.read(logical_id, Schedule)
        called = _called(resources, logical_id, schedule.arn, functions) if schedule.state == "ENABLED" else None
        if called is not None:
            arn, expression = _arn(resources, logical_id), schedule.expression
            yield ScheduleSpec(logical_id, arn, expression, *called, schedule.input, "aws.scheduler")


def _called(
    resources: Resources, logical_id: str, arn: Any, functions: Mapping[str, str]
) -> tuple[str, str | None] | None:
    """Return the function and the qualifier that a target names; None, with a note, for any other target."""
    called = None if isinstance(arn, Unresolvable) else find_function(str(arn), functions)
    if called is None:
        resources.notes.append(
            f"{logical_id}: only functions of the template are called on a schedule; one target isn't"
        )
    return called


def _arn(resources: Resources, logical_id: str) -> str:
    return resources[logical_id].arn or logical_id
