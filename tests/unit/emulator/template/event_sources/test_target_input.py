"""What of an event a rule's target gets. The examples are of the EventBridge user guide, where it has some."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from emulator.event_sources.scheduled_events import scheduled_event
from emulator.template.event_sources.schedule_spec import ScheduleSpec
from emulator.template.event_sources.target_input import InputTransformer, check_path, value_at

pytestmark = pytest.mark.fidelity("schedule-input")
EVENT = {
    "time": "2026-01-02T03:04:05Z",
    "source": "aws.ec2",
    "resources": ["arn:1", "arn:2"],
    "detail": {"instance-id": "i-1", "state": 'RUN"NING', "count": 3, "tags": {"a b": [True]}},
}
ARN = "arn:aws:events:us-east-1:123456789012:rule/mine"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.detail.instance-id", "i-1"),
        ("$.resources[1]", "arn:2"),
        ("$.detail['tags']['a b'][0]", True),
        ("$.resources[2]", None),
        ("$.nothing.at.all", None),
        ("$.source[0]", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, expected: Any) -> None:
    assert value_at(EVENT, check_path(path)) == expected


@pytest.mark.parametrize("path", ["detail", "$..state", "$.resources[*]", "$.a[?(@.b)]", "$.a."])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="without wildcards"):
        check_path(path)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"<id> is <state>"', 'i-1 is RUN"NING'),
        (
            '{"id": <id>, "text": "<id>", "count": <count>, "n": "<count>"}',
            {"id": "i-1", "text": "i-1", "count": 3, "n": "3"},
        ),
        ('{"tags": <tags>, "none": <none>, "empty": "<none>"}', {"tags": {"a b": [True]}, "none": None, "empty": ""}),
        ('{"\\"<id>": "<aws.events.rule-name>", "arn": <aws.events.rule-arn>}', {'"i-1': "mine", "arn": ARN}),
        ("<aws.events.event.json>", EVENT),
        ("<aws.events.event>", {name: value for name, value in EVENT.items() if name != "detail"}),
    ],
)
def test_a_template_is_filled(template: str, expected: Any) -> None:
    paths = {name: f"$.detail.{path}" for name, path in [("id", "instance-id"), ("state", "state"), ("count", "count")]}
    transformer = InputTransformer(template, {**paths, "tags": "$.detail.tags", "none": "$.detail.none"})
    assert json.loads(transformer.apply(EVENT, "mine", ARN)) == expected


@pytest.mark.parametrize("template", ["<id", "plain <id>", '{"a": <id>'])
def test_a_template_that_gives_no_json_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="isn't JSON"):
        InputTransformer(template, {"id": "$.id"})


def test_a_schedules_event_is_transformed() -> None:
    def sent(**how: Any) -> Any:
        spec = ScheduleSpec("Mine", ARN, None, "F", **how)
        time = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
        return json.loads(scheduled_event(spec, time, "id", account_id="123456789012", region="us-east-1"))

    assert sent(input_path="$.resources[0]") == ARN
    assert sent(transformer=InputTransformer('{"at": <at>}', {"at": "$.time"})) == {"at": "2026-01-02T03:04:05Z"}
