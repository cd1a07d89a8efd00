"""Schedules as plain values, and the resources that they are read from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo

from emulator.template.event_sources.schedule_expressions import ScheduleExpression, parse_expression
from emulator.template.event_sources.target_input import InputTransformer, check_path
from emulator.template.property_types import Text, matching, member, named, properties, whole_number
from emulator.template.values import resolvable


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """One function that a schedule calls; a rule with several functions gives several of these."""

    # The rule's or schedule's logical id, and its ARN.
    logical_id: str
    arn: str
    # None of a rule that waits for events: nothing publishes any here, but it can be fired by hand.
    expression: ScheduleExpression | None
    # The logical id of the function, and the alias or version that is called.
    function: str
    qualifier: str | None = None
    # The event; None is the service's own.
    input: str | None = None
    # What of the service's own event is sent.
    input_path: str | None = None
    transformer: InputTransformer | None = None
    # ``aws.events`` or ``aws.scheduler``.
    source: str = "aws.events"
    is_enabled: bool = True
    # How often and how long it is tried again to hand an event to Lambda's queue, and the ARN of what gets it then.
    max_retries: int = 185
    max_age_s: float = 86_400.0
    dead_letter: str | None = None


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


def _moment(value: Any) -> dt.datetime | None:
    if resolvable(value) is None:
        return None
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"a date is like 2026-01-31T08:00:00Z, not {str(value)!r}") from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _transformer(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    paths = resolvable(value.get("InputPathsMap")) or {}
    if not isinstance(paths, Mapping):
        raise ValueError(f"InputPathsMap must be an object, not {paths!r}")
    texts = {name: str(resolvable(path)) for name, path in paths.items()}
    return InputTransformer(str(resolvable(value.get("InputTemplate"))), texts)


_Moment = Annotated[dt.datetime | None, PlainValidator(_moment)]
_Attempts = Annotated[int, whole_number(0, 185)]
_AgeS = Annotated[int, whole_number(60, 86_400)]
_State = Annotated[Text, matching("ENABLED|DISABLED|ENABLED_WITH_.*", "{value} isn't a state: use ENABLED or DISABLED")]


@properties
@dataclass(frozen=True, slots=True)
class RuleTarget:
    """A member of ``Targets`` of `Rule`; the ARN may be of anything."""

    arn: Any
    input: Text | None = None
    input_path: Annotated[Text, AfterValidator(check_path)] | None = None
    transformer: Annotated[InputTransformer | None, named("InputTransformer"), BeforeValidator(_transformer)] = None
    max_retries: Annotated[_Attempts, member("RetryPolicy", "MaximumRetryAttempts")] = 185
    max_age_s: Annotated[_AgeS, member("RetryPolicy", "MaximumEventAgeInSeconds")] = 86_400
    dead_letter: Annotated[Any, member("DeadLetterConfig", "Arn")] = None


@properties
@dataclass(frozen=True, slots=True)
class Rule:
    """``AWS::Events::Rule`` with a ``ScheduleExpression``, which SAM makes of a ``Schedule`` event."""

    expression: Annotated[ScheduleExpression | None, named("ScheduleExpression"), PlainValidator(_rule_expression)] = (
        None
    )
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
    start_date: _Moment = None
    end_date: _Moment = None
    window: Annotated[Any, member("FlexibleTimeWindow", "Mode")] = "OFF"
    max_retries: Annotated[_Attempts, member("Target", "RetryPolicy", "MaximumRetryAttempts")] = 185
    max_age_s: Annotated[_AgeS, member("Target", "RetryPolicy", "MaximumEventAgeInSeconds")] = 86_400
    dead_letter: Annotated[Any, member("Target", "DeadLetterConfig", "Arn")] = None
    state: _State = "ENABLED"
    arn: Annotated[Any, member("Target", "Arn")] = None
    input: Annotated[Text | None, member("Target", "Input")] = None
