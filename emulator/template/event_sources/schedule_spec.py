"""Schedules as plain values, and the resources that they are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from emulator.template.event_sources.schedule_expressions import ScheduleExpression, parse_expression
from emulator.template.property_types import Text, absent, matching, member, named, properties
from emulator.template.values import resolvable


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """One function that a schedule calls; a rule with several functions gives several of these."""

    # The rule's or schedule's logical id, and its ARN.
    logical_id: str
    arn: str
    expression: ScheduleExpression
    # The logical id of the function, and the alias or version that is called.
    function: str
    qualifier: str | None = None
    # The event; None is the service's own.
    input: str | None = None
    # ``aws.events`` or ``aws.scheduler``.
    source: str = "aws.events"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"this machine doesn't know the time zone {name!r}") from None
    return name


def _rule_expression(value: Any) -> ScheduleExpression:
    text = str(resolvable(value))
    if text.strip().startswith("at("):
        raise ValueError("only AWS::Scheduler::Schedule has at(…); write rate(…) or cron(…)")
    return parse_expression(text)


def _scheduler_expression(value: Any, info: ValidationInfo) -> ScheduleExpression:
    # A wrong time zone has an error of its own.
    return parse_expression(str(resolvable(value)), ZoneInfo(info.data.get("time_zone", "UTC")))


_State = Annotated[Text, matching("ENABLED|DISABLED|ENABLED_WITH_.*", "{value} isn't a state: use ENABLED or DISABLED")]


@properties
@dataclass(frozen=True, slots=True)
class RuleTarget:
    """A member of ``Targets`` of `Rule`; the ARN may be of anything."""

    arn: Any
    input: Text | None = None
    input_path: Annotated[Any, absent("parts of the event are not imitated; write Input")] = None
    input_transformer: Annotated[Any, absent("transformed events are not imitated; write Input")] = None


@properties
@dataclass(frozen=True, slots=True)
class Rule:
    """``AWS::Events::Rule`` with a ``ScheduleExpression``, which SAM makes of a ``Schedule`` event."""

    expression: Annotated[ScheduleExpression, named("ScheduleExpression"), PlainValidator(_rule_expression)]
    state: _State = "ENABLED"
    targets: tuple[RuleTarget, ...] = ()


@properties
@dataclass(frozen=True, slots=True)
class Schedule:
    """``AWS::Scheduler::Schedule``, which SAM makes of a ``ScheduleV2`` event. Flexible windows fire at their start."""

    time_zone: Annotated[Text, named("ScheduleExpressionTimezone"), AfterValidator(_zone)] = "UTC"
    expression: Annotated[ScheduleExpression, named("ScheduleExpression"), PlainValidator(_scheduler_expression)] = (
        field(kw_only=True)
    )
    start_date: Annotated[Any, absent("a first and a last date are not imitated; leave it out")] = None
    end_date: Annotated[Any, absent("a first and a last date are not imitated; leave it out")] = None
    state: _State = "ENABLED"
    arn: Annotated[Any, member("Target", "Arn")] = None
    input: Annotated[Text | None, member("Target", "Input")] = None
