"""The events of S3 notifications, and that a change waits while Lambda's queue is full."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any, cast

import pytest

from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.notification_events import notification_event
from emulator.event_sources.notifications import Notifications
from emulator.lambda_service.errors import LambdaApiError, ResourceNotFoundError, TooManyRequestsError
from emulator.object_events import ObjectEvent
from emulator.template.event_sources.notification_spec import NotificationSpec

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=dt.UTC)
PUT = ObjectEvent("ObjectCreated:Put", "data", "in/a b=ü.csv", 3, "abc", "v1", "0A", NOW, "Root=1")
SPEC = NotificationSpec("Data", "data", "s3:ObjectCreated:*", "F", "live", "in/")
REQUEST = "5e7b0d2a-1111-4222-8333-444455556666"


def record(event: ObjectEvent) -> dict[str, Any]:
    (made,) = json.loads(notification_event(SPEC, event, REQUEST, account_id="1", region="eu-west-3"))["Records"]
    return cast("dict[str, Any]", made)


@pytest.mark.fidelity("s3-event")
def test_the_event_of_a_change() -> None:
    assert record(PUT) == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-3",
        "eventTime": "2026-01-02T03:04:05.006Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:1"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "5E7B0D2A11114222", "x-amz-id-2": REQUEST},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Data-F",
            "bucket": {"name": "data", "ownerIdentity": {"principalId": "EMULATOR"}, "arn": "arn:aws:s3:::data"},
            "object": {
                "key": "in/a+b%3D%C3%BC.csv", "size": 3, "eTag": "abc", "versionId": "v1", "sequencer": "0A",
            },
        },
    }  # fmt: skip


@pytest.mark.fidelity("s3-event")
def test_the_event_of_a_removal_has_neither_size_nor_etag() -> None:
    gone = ObjectEvent("ObjectRemoved:Delete", "data", "k", None, None, None, "0B", NOW)
    assert record(gone)["s3"]["object"] == {"key": "k", "sequencer": "0B"}


class Caller:
    """Refuses calls, and then takes them."""

    def __init__(self, *refusals: LambdaApiError) -> None:
        self._refusals = list(refusals)
        self.calls: list[tuple[str, str, str, str]] = []

    def call(self, function: str, qualifier: str, payload: bytes, *, request_id: str, trace_id: str) -> None:
        if self._refusals:
            raise self._refusals.pop(0)
        assert json.loads(payload)["Records"][0]["eventName"] == "ObjectCreated:Put"
        self.calls.append((function, qualifier, request_id, trace_id))


def delivered(event: ObjectEvent, *refusals: LambdaApiError, specs: tuple[NotificationSpec, ...] = (SPEC,)) -> Caller:
    caller, waits = Caller(*refusals), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    notifications = Notifications(specs, cast(FunctionCaller, caller), "1", "r", lambda: "id", sleep)
    asyncio.run(notifications.deliver(event))
    return caller


@pytest.mark.fidelity("s3-notifications")
def test_a_change_calls_each_function_that_wants_it() -> None:
    specs = (
        SPEC,
        NotificationSpec("Data", "data", "s3:ObjectCreated:Copy", "G"),
        NotificationSpec("Data", "data", "s3:ObjectCreated:Put", "H"),
    )
    assert delivered(PUT, specs=specs).calls == [("F", "live", "id", "Root=1"), ("H", None, "id", "Root=1")]
    assert Notifications(specs, cast(FunctionCaller, None), "1", "r", str).buckets == ["data"]


def test_a_change_waits_while_the_queue_is_full() -> None:
    assert len(delivered(PUT, *[TooManyRequestsError("f", 1)] * 3).calls) == 1


def test_a_change_for_a_function_that_is_gone_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert delivered(PUT, ResourceNotFoundError("Function not found: f")).calls == []
    assert "Data: ObjectCreated:Put of in/a b=ü.csv calls nobody: Function not found: f" in caplog.text
