"""Schedules of a template: SAM's events, rules and schedules written by hand, and what is refused or left out."""

from __future__ import annotations

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.schedule_expressions import parse_expression
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS

DAILY = "ScheduleExpression: rate(1 day)"


def events(kind: str, words: str) -> str:
    return (
        f"{FUNCTION}      AutoPublishAlias: live\n      Events: {{Tick: {{Type: {kind}, Properties: {{{words}}}}}}}\n"
    )


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
def test_a_disabled_schedule_is_left_out(load, words: str) -> None:  # type: ignore[no-untyped-def]
    project = load(events("Schedule", f"Schedule: rate(1 minute), {words}"))
    assert (project.schedules, project.notes) == ((), ())


@pytest.mark.fidelity("schedules")
def test_a_schedule_of_eventbridge_scheduler(load) -> None:  # type: ignore[no-untyped-def]
    words = "ScheduleExpression: cron(0 8 * * ? *), ScheduleExpressionTimezone: Europe/Berlin, Name: morning"
    (schedule,) = load(events("ScheduleV2", words)).schedules
    assert (schedule.function, schedule.qualifier, schedule.source) == ("F", "live", "aws.scheduler")
    assert schedule.arn == "arn:aws:scheduler:us-east-1:123456789012:schedule/default/morning"
    assert load(events("ScheduleV2", f"{words}, State: DISABLED")).schedules == ()


def test_a_rule_with_several_targets_calls_the_functions_among_them(load) -> None:  # type: ignore[no-untyped-def]
    targets = "[{Arn: !GetAtt F.Arn, Id: a}, {Arn: !GetAtt Queue.Arn, Id: b}, {Arn: !GetAtt Auth.Arn, Id: c}]"
    text = rule(f"Name: mine, ScheduleExpression: rate(2 hours), Targets: {targets}")
    project = load(f"{text}  Queue: {{Type: AWS::SQS::Queue}}\n")
    assert [(schedule.function, schedule.arn.rpartition("/")[2]) for schedule in project.schedules] == [
        ("F", "mine"),
        ("Auth", "mine"),
    ]
    assert project.notes == ("R: only functions of the template are called on a schedule; one target isn't",)


def test_a_rule_that_waits_for_events_is_noted(load) -> None:  # type: ignore[no-untyped-def]
    project = load(rule("EventPattern: {source: [aws.s3]}, Targets: [{Arn: !GetAtt F.Arn, Id: a}]"))
    assert project.schedules == ()
    assert project.notes == ("R: nothing publishes events here; only rules with a schedule are run",)


@pytest.mark.parametrize(
    ("text", "resource", "named"),
    [
        (events("Schedule", "Schedule: rate(5 minute)"), "FTick", "ScheduleExpression"),
        (events("Schedule", "Schedule: at(2026-01-01T00:00:00)"), "FTick", "AWS::Scheduler::Schedule"),
        (events("Schedule", "Schedule: !ImportValue x"), "FTick", "Fn::ImportValue"),
        (events("Schedule", "Schedule: rate(1 day), State: PAUSED"), "FTick", "State"),
        (events("ScheduleV2", "ScheduleExpression: cron(0 0 * * * *)"), "FTick", "write ?"),
        (events("ScheduleV2", f"{DAILY}, ScheduleExpressionTimezone: Mars/Base"), "FTick", "Mars/Base"),
        (events("ScheduleV2", f"{DAILY}, StartDate: '2026-01-01T00:00:00Z'"), "FTick", "StartDate"),
        (
            rule("ScheduleExpression: rate(1 day), Targets: [{Arn: !GetAtt F.Arn, Id: a, InputPath: $.detail}]"),
            "R",
            "Targets: 0.InputPath",
        ),
    ],
)  # fmt: skip
def test_refusals_name_the_resource_and_the_property(load, text: str, resource: str, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError) as refused:
        load(text)
    assert refused.value.resource == resource
    assert named in str(refused.value)
