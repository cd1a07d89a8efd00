"""Schedules of a template: SAM's events, rules and schedules written by hand, and what is refused or left out."""

from __future__ import annotations

import datetime as dt

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.schedule_expressions import Bounded, parse_expression
from emulator.template.event_sources.target_input import InputTransformer
from emulator.template.left_out import LeftOut
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS

DAILY = "ScheduleExpression: rate(1 day)"


def events(kind: str, words: str) -> str:
    return (
        f"{FUNCTION}      AutoPublishAlias: live\n      Events: {{Tick: {{Type: {kind}, Properties: {{{words}}}}}}}\n"
    )


TARGET = "Arn: !GetAtt F.Arn, Id: a"


def rule(words: str) -> str:
    return f"{FUNCTIONS}  R: {{Type: AWS::Events::Rule, Properties: {{{words}}}}}\n"


@pytest.mark.fidelity("schedules")
def test_a_schedule_event_calls_the_alias(load) -> None:  # type: ignore[no-untyped-def]
    (schedule,) = load(events("Schedule", """Schedule: rate(1 minute), Input: '{"a": 1}'""")).schedules
    assert (schedule.logical_id, schedule.function, schedule.qualifier) == ("FTick", "F", "live")
    assert schedule.arn == "arn:aws:events:us-east-1:123456789012:rule/FTick"
    assert (schedule.input, schedule.source) == ('{"a": 1}', "aws.events")
    assert schedule.expression == parse_expression("rate(1 minute)")


@pytest.mark.parametrize("words", ["State: DISABLED", "Enabled: false"])
def test_a_disabled_schedule_is_kept_to_be_fired_by_hand(load, words: str) -> None:  # type: ignore[no-untyped-def]
    project = load(events("Schedule", f"Schedule: rate(1 minute), {words}"))
    assert ([schedule.is_enabled for schedule in project.schedules], project.left_out) == ([False], ())


@pytest.mark.fidelity("schedules")
def test_a_schedule_of_eventbridge_scheduler(load) -> None:  # type: ignore[no-untyped-def]
    words = "ScheduleExpression: cron(0 8 * * ? *), ScheduleExpressionTimezone: Europe/Berlin, Name: morning"
    (schedule,) = load(events("ScheduleV2", words)).schedules
    assert (schedule.function, schedule.qualifier, schedule.source) == ("F", "live", "aws.scheduler")
    assert schedule.arn == "arn:aws:scheduler:us-east-1:123456789012:schedule/default/morning"
    assert schedule.is_enabled
    (schedule,) = load(events("ScheduleV2", f"{words}, State: DISABLED")).schedules
    assert not schedule.is_enabled


@pytest.mark.fidelity("schedule-dates")
def test_a_schedule_with_a_first_and_a_last_date(load) -> None:  # type: ignore[no-untyped-def]
    dates = "StartDate: '2026-01-01T08:00:00Z', EndDate: '2026-02-01T09:00:00+01:00'"
    project = load(events("ScheduleV2", f"{DAILY}, {dates}, FlexibleTimeWindow: {{Mode: 'OFF'}}"))
    (schedule,) = project.schedules
    first, last = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC), dt.datetime(2026, 2, 1, 8, tzinfo=dt.UTC)
    assert schedule.expression == Bounded(parse_expression("rate(1 day)"), first, last)
    assert project.left_out == ()
    once = load(events("ScheduleV2", f"ScheduleExpression: at(2027-01-01T00:00:00), {dates}")).schedules[0]
    assert once.expression == parse_expression("at(2027-01-01T00:00:00)")


def test_a_flexible_window_is_named(load) -> None:  # type: ignore[no-untyped-def]
    window = "FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: 5}"
    (part,) = load(events("ScheduleV2", f"{DAILY}, {window}")).left_out
    assert str(part) == "FTick, property FlexibleTimeWindow: windows are not imitated; it fires at a window's start"


@pytest.mark.fidelity("schedule-retries")
@pytest.mark.parametrize(("kind", "words"), [("Schedule", "Schedule: rate(1 day)"), ("ScheduleV2", DAILY)])
def test_retries_and_dead_letters_of_a_schedule(load, kind: str, words: str) -> None:  # type: ignore[no-untyped-def]
    retries = "RetryPolicy: {MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60}"
    queue = "arn:aws:sqs:us-east-1:123456789012:dead"
    (schedule,) = load(events(kind, f"{words}, {retries}, DeadLetterConfig: {{Arn: '{queue}'}}")).schedules
    assert (schedule.max_retries, schedule.max_age_s, schedule.dead_letter) == (2, 60, queue)
    (schedule,) = load(events(kind, words)).schedules
    assert (schedule.max_retries, schedule.max_age_s, schedule.dead_letter) == (185, 86_400, None)


def test_a_rule_with_several_targets_calls_the_functions_among_them(load) -> None:  # type: ignore[no-untyped-def]
    targets = "[{Arn: !GetAtt F.Arn, Id: a}, {Arn: !GetAtt Queue.Arn, Id: b}, {Arn: !GetAtt Auth.Arn, Id: c}]"
    text = rule(f"Name: mine, ScheduleExpression: rate(2 hours), Targets: {targets}")
    project = load(f"{text}  Queue: {{Type: AWS::SQS::Queue}}\n")
    assert [(schedule.function, schedule.arn.rpartition("/")[2]) for schedule in project.schedules] == [
        ("F", "mine"),
        ("Auth", "mine"),
    ]
    reason = "only functions of the template are called on a schedule"
    assert LeftOut("R", "Targets", reason, "one target isn't called") in project.left_out


@pytest.mark.fidelity("schedule-input")
def test_what_a_rules_target_gets_of_the_event(load_strictly) -> None:  # type: ignore[no-untyped-def]
    transformer = """{InputPathsMap: {at: $.time}, InputTemplate: '{"at": <at>}'}"""
    targets = f"[{{{TARGET}, InputPath: $.resources}}, {{{TARGET}, InputTransformer: {transformer}}}]"
    project = load_strictly(rule(f"ScheduleExpression: rate(1 day), Targets: {targets}"))
    first, second = project.schedules
    assert (first.input_path, first.transformer) == ("$.resources", None)
    assert (second.input_path, second.transformer) == (None, InputTransformer('{"at": <at>}', {"at": "$.time"}))


def test_a_rule_that_waits_for_events_is_noted(load_strictly) -> None:  # type: ignore[no-untyped-def]
    targets = "[{Arn: !GetAtt F.Arn, Id: a, InputPath: $.detail}, {Arn: 'arn:aws:sqs:r:1:q', Id: b}]"
    project = load_strictly(rule(f"EventPattern: {{source: [aws.s3]}}, Targets: {targets}"))
    assert [(schedule.function, schedule.expression) for schedule in project.schedules] == [("F", None)]
    (part,) = project.left_out
    assert str(part) == "R, property EventPattern: nothing publishes events here; the rule fires only by hand"


@pytest.mark.parametrize(
    ("text", "resource", "named"),
    [
        (events("Schedule", "Schedule: rate(5 minute)"), "FTick", "ScheduleExpression"),
        (events("Schedule", "Schedule: at(2026-01-01T00:00:00)"), "FTick", "AWS::Scheduler::Schedule"),
        (events("Schedule", "Schedule: !ImportValue x"), "FTick", "Fn::ImportValue"),
        (events("Schedule", "Schedule: rate(1 day), State: PAUSED"), "FTick", "State"),
        (events("ScheduleV2", "ScheduleExpression: cron(0 0 * * * *)"), "FTick", "write ?"),
        (events("ScheduleV2", f"{DAILY}, ScheduleExpressionTimezone: Mars/Base"), "FTick", "Mars/Base"),
        (events("ScheduleV2", f"{DAILY}, StartDate: soon"), "FTick", "StartDate: a date is like"),
        (
            events("ScheduleV2", f"{DAILY}, StartDate: '2026-01-01T00:00:00Z', EndDate: '2025-01-01T00:00:00'"),
            "FTick",
            "EndDate: it isn't after StartDate",
        ),
        (
            events("Schedule", "Schedule: rate(1 day), RetryPolicy: {MaximumRetryAttempts: 186}"),
            "FTick",
            "from 0 to 185",
        ),
        (
            rule("ScheduleExpression: rate(1 day), Targets: [{Arn: !GetAtt F.Arn, Id: a, InputPath: '$..detail'}]"),
            "R",
            "Targets: 0.InputPath: a path is like",
        ),
        (
            rule(f"ScheduleExpression: rate(1 day), Targets: [{{{TARGET}, InputTransformer: {{InputTemplate: a}}}}]"),
            "R",
            "the template isn't JSON",
        ),
    ],
)  # fmt: skip
def test_refusals_name_the_resource_and_the_property(load_strictly, text: str, resource: str, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError) as refused:
        load_strictly(text)
    assert refused.value.resource == resource
    assert named in str(refused.value)
