"""Firing by hand: which names there are, what is sent, and what is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any, cast

import pytest

from emulator.event_sources.fire import Fired, FireError, FireRequest, FoundObject, ManualEvents, read_request
from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.notifications import Notifications
from emulator.event_sources.schedules import ScheduleCalls
from emulator.template.event_sources.notification_spec import NotificationSpec
from emulator.template.event_sources.schedule_expressions import parse_expression
from emulator.template.event_sources.schedule_spec import ScheduleSpec

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
DAILY = parse_expression("rate(1 day)")
SCHEDULES = (
    ScheduleSpec("FNightly", "arn:1", DAILY, "F", "live", is_enabled=False),
    ScheduleSpec("Rule", "arn:2", DAILY, "F"),
    ScheduleSpec("Rule", "arn:2", DAILY, "G"),
    ScheduleSpec("GNightly", "arn:3", DAILY, "G", input='"mine"'),
    ScheduleSpec("Pattern", "arn:4", None, "F"),
    ScheduleSpec("Both", "arn:5", DAILY, "F"),
)
NOTIFICATIONS = (
    NotificationSpec("Data", "data", "s3:ObjectRemoved:*", "F", None, "in/", "", ("FUp",)),
    NotificationSpec("Data", "data", "s3:ObjectCreated:*", "F", None, "in/", "", ("FUp",)),
    NotificationSpec("Gone", "gone", "s3:ObjectRemoved:Delete", "G"),
    NotificationSpec("Both", "both", "s3:ObjectCreated:*", "G"),
)


class Calls:
    """Notes the calls of functions."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Any]] = []

    def call(self, function: str, qualifier: str | None, payload: bytes, **_: Any) -> None:
        self.made.append((f"{function}:{qualifier}", json.loads(payload)))


async def find_object(bucket: str, key: str) -> FoundObject | None:
    return FoundObject(3, "abc", "v1") if (bucket, key) == ("data", "in/a") else None


async def bury(_arn: str, _message: object) -> None:
    raise AssertionError


def fired(name: str, **values: Any) -> tuple[list[Fired], list[tuple[str, Any]]]:
    calls = Calls()
    caller = cast(FunctionCaller, calls)
    notifications = Notifications(NOTIFICATIONS, caller, "1", "r", lambda: "id")
    schedule_calls = ScheduleCalls(caller, account_id="1", region="r", new_id=lambda: "id", bury=bury)
    manual = ManualEvents(SCHEDULES, schedule_calls, notifications, find_object, lambda: NOW)
    return asyncio.run(manual.fire(FireRequest(name, **values))), calls.made


@pytest.mark.fidelity("fire-by-hand")
@pytest.mark.parametrize(
    ("name", "called"),
    [("FNightly", ["F:live"]), ("Nightly", ["F:live", "G:None"]), ("Rule", ["F:None", "G:None"])],
)
def test_a_schedule_is_known_by_its_logical_id_and_by_its_event(name: str, called: list[str]) -> None:
    answer, made = fired(name)
    assert [function for function, _ in made] == called
    assert [(call.function, call.request_id) for call in answer] == [(function[0], "id") for function in called]
    assert made[0][1]["time"] == "2026-01-02T03:04:05Z"


@pytest.mark.fidelity("fire-by-hand")
def test_an_input_or_a_given_event_is_sent_in_its_place() -> None:
    assert fired("GNightly")[1] == [("G:None", "mine")]
    assert fired("GNightly", event=b'{"a": 1}')[1] == [("G:None", {"a": 1})]
    assert fired("Pattern", event=b'{"a": 1}')[1] == [("F:None", {"a": 1})]
    assert fired("Gone", event=b"{}")[1] == [("G:None", {})]


@pytest.mark.fidelity("fire-by-hand")
def test_a_notification_tells_of_the_object() -> None:
    for name in ("FUp", "Up", "Data"):
        _, [(function, event)] = fired(name, key="in/a")
        (record,) = event["Records"]
        assert (function, record["eventName"]) == ("F:None", "ObjectCreated:Put")
        changed = record["s3"]["object"]
        assert (changed["key"], changed["size"], changed["eTag"], changed["versionId"]) == ("in/a", 3, "abc", "v1")
    _, [(_, event)] = fired("Gone", key="k", bucket="gone")
    assert event["Records"][0]["eventName"] == "ObjectRemoved:Delete"


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("None", {}, "use one of: FNightly, Rule, GNightly, Pattern, Both, Data, FUp, Gone"),
        ("Both", {}, "names both a schedule and a bucket"),
        ("Rule", {"key": "k"}, "has no bucket and no key"),
        ("Pattern", {}, "give one with -e FILE"),
        ("FUp", {}, "name one with --key"),
        ("FUp", {"key": "out/a"}, "data/out/a calls nobody"),
        ("FUp", {"key": "in/a", "bucket": "other"}, "other/in/a calls nobody"),
        ("FUp", {"key": "in/b"}, "there is no object data/in/b"),
    ],
)
def test_what_cannot_be_fired_is_said(name: str, values: dict[str, Any], words: str) -> None:
    with pytest.raises(FireError, match=words):
        fired(name, **values)


def test_a_request_is_read() -> None:
    assert read_request({"name": "A", "key": None, "event": "{}"}) == FireRequest("A", event=b"{}")
    assert read_request({"name": "A", "key": "k", "bucket": "b"}) == FireRequest("A", "k", "b")


@pytest.mark.parametrize(
    "document", [[], {}, {"name": 1}, {"name": "A", "key": 1}, {"name": "A", "other": "x"}, {"name": "A", "event": "x"}]
)
def test_a_wrong_request_is_refused(document: Any) -> None:
    with pytest.raises(FireError):
        read_request(document)
