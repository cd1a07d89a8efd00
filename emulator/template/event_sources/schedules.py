"""Reads a template's schedules, of EventBridge rules and of EventBridge Scheduler, as `ScheduleSpec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.schedule_expressions import bounded
from emulator.template.event_sources.schedule_spec import Rule, Schedule, ScheduleSpec
from emulator.template.functions import find_function
from emulator.template.resources import Resources
from emulator.template.values import Unresolvable

_NEVER_FIRES = "the schedule never fires"


def read_schedules(resources: Resources, functions: Mapping[str, str]) -> Iterator[ScheduleSpec]:
    """Yield the schedules and rules that call functions; ``functions`` maps functions' names to logical ids.

    Targets that are no functions of the template are reported, and rules that wait for events.
    """
    for logical_id in resources.ids(Rule):
        if not resources[logical_id].properties.get("ScheduleExpression"):
            yield from _pattern_rule(resources, logical_id, functions)
            continue
        with resources.leaving_out(_NEVER_FIRES):
            yield from _rule(resources, logical_id, functions)
    for logical_id in resources.ids(Schedule):
        with resources.leaving_out(_NEVER_FIRES):
            yield from _schedule(resources, logical_id, functions)


def _rule(resources: Resources, logical_id: str, functions: Mapping[str, str]) -> Iterator[ScheduleSpec]:
    rule = resources.read(logical_id, Rule)
    for target in rule.targets:
        called = _called(resources, logical_id, "Targets", target.arn, functions)
        if called is not None:
            yield ScheduleSpec(
                logical_id,
                _arn(resources, logical_id),
                rule.expression,
                *called,
                target.input,
                target.input_path,
                target.transformer,
                is_enabled=rule.state.startswith("ENABLED"),
                max_retries=target.max_retries,
                max_age_s=target.max_age_s,
                dead_letter=_dead_letter(resources, logical_id, "Targets.DeadLetterConfig.Arn", target.dead_letter),
            )


def _pattern_rule(resources: Resources, logical_id: str, functions: Mapping[str, str]) -> Iterator[ScheduleSpec]:
    """Yield the functions that a rule without a schedule would call; it isn't read further."""
    resources.report(logical_id, "EventPattern", "nothing publishes events here", "the rule fires only by hand")
    targets = resources[logical_id].properties.get("Targets")
    for target in targets if isinstance(targets, list) else ():
        called = find_function(target.get("Arn"), functions) if isinstance(target, Mapping) else None
        if called is not None:
            yield ScheduleSpec(logical_id, _arn(resources, logical_id), None, *called, is_enabled=False)


def _schedule(resources: Resources, logical_id: str, functions: Mapping[str, str]) -> Iterator[ScheduleSpec]:
    schedule = resources.read(logical_id, Schedule)
    if schedule.window != "OFF":
        resources.report(logical_id, "FlexibleTimeWindow", "windows are not imitated", "it fires at a window's start")
    if schedule.start_date and schedule.end_date and schedule.end_date <= schedule.start_date:
        raise UnsupportedError(logical_id, "EndDate", "it isn't after StartDate")
    called = _called(resources, logical_id, "Target", schedule.arn, functions)
    if called is not None:
        yield ScheduleSpec(
            logical_id,
            _arn(resources, logical_id),
            bounded(schedule.expression, schedule.start_date, schedule.end_date),
            *called,
            schedule.input,
            source="aws.scheduler",
            is_enabled=schedule.state == "ENABLED",
            max_retries=schedule.max_retries,
            max_age_s=schedule.max_age_s,
            dead_letter=_dead_letter(resources, logical_id, "Target.DeadLetterConfig.Arn", schedule.dead_letter),
        )


def _dead_letter(resources: Resources, logical_id: str, place: str, arn: Any) -> str | None:
    if isinstance(arn, Unresolvable):
        resources.report(logical_id, place, arn.reason, "events that Lambda doesn't take are not kept")
        return None
    return str(arn) if arn else None


def _called(
    resources: Resources, logical_id: str, place: str, arn: Any, functions: Mapping[str, str]
) -> tuple[str, str | None] | None:
    """Return the function and the qualifier that a target names; None, with a note, for any other target."""
    called = find_function(arn, functions)
    if called is None:
        reason = "only functions of the template are called on a schedule"
        resources.report(logical_id, place, reason, "one target isn't called")
    return called


def _arn(resources: Resources, logical_id: str) -> str:
    return resources[logical_id].arn or logical_id
