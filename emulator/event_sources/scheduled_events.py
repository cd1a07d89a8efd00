"""The events that schedules send to functions. Pure.

Source: EventBridge user guide, "Creating a rule that runs on a schedule"; EventBridge Scheduler user guide, "Adding
context attributes".
"""

from __future__ import annotations

import datetime as dt
import json

from emulator.template.event_sources.schedule_spec import ScheduleSpec
from emulator.template.event_sources.target_input import value_at


def scheduled_event(schedule: ScheduleSpec, time: dt.datetime, event_id: str, *, account_id: str, region: str) -> bytes:
    """Return the event of one time: the service's own, or the schedule's ``Input``."""
    clock = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    is_scheduler = schedule.source == "aws.scheduler"
    if schedule.input is not None:
        return (_with_context(schedule, clock, event_id) if is_scheduler else schedule.input).encode()
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": "Scheduled Event",
        "source": schedule.source,
        "account": account_id,
        "time": clock,
        "region": region,
        "resources": [schedule.arn],
        # Fidelity: EventBridge Scheduler sends a text here.
        "detail": "{}" if is_scheduler else {},
    }
    if schedule.input_path is not None:
        return json.dumps(value_at(event, schedule.input_path)).encode()
    if schedule.transformer is not None:
        return schedule.transformer.apply(event, schedule.arn.rpartition("/")[2], schedule.arn).encode()
    return json.dumps(event).encode()


def _with_context(schedule: ScheduleSpec, clock: str, event_id: str) -> str:
    """Return an ``Input`` with EventBridge Scheduler's context attributes in place."""
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.scheduled-time>": clock,
        "<aws.scheduler.execution-id>": event_id,
        "<aws.scheduler.attempt-number>": "1",
    }
    text = schedule.input or ""
    for name, value in attributes.items():
        text = text.replace(name, value)
    return text
